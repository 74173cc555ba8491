PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ZOO := .venv-zoo
ARENA := .venv-arena
USERS := .[cluster,parquet,plot,test]

ARENA_TARGETS ?= network:width_mult=0.35,size=96,padding=torch network:width_mult=0.35,size=96,padding=same
INPUTS ?= 100000
SEED ?= $(shell date +%s)

.PHONY: demo test fuzz lint arena bench oldest newest peers zoo clean

demo: $(VENV)/installed
	$(BIN)/mbv2 summary --in 3 --out 64 --expand 6
	$(BIN)/mbv2 summary network

test: $(VENV)/installed
	$(BIN)/pytest

# other inputs each time; SEED=… runs the inputs of that seed again
fuzz: $(VENV)/installed
	FUZZ_INPUTS=$(INPUTS) FUZZ_SEED=$(SEED) $(BIN)/pytest tests/fuzz tests/specs/weights/test_hostile.py

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

peers: $(VENV)/installed-bench
	$(BIN)/pytest -m peers

zoo: $(ZOO)/installed
	$(ZOO)/bin/pytest -m zoo tests/nn tests/identify tests/specs/weights/test_zoo_files.py

# 2.3 GB; ARENA_MODELS=40 ARENA_SEED=… converts that many random models of that seed
arena: $(ARENA)/installed
	$(ARENA)/bin/pytest -p no:anyio -n 0 -m arena tests/costs/test_arena_live.py
	$(ARENA)/bin/python -m tests.costs.live_arena $(ARENA_TARGETS) > /dev/null

# the lowest and the newest versions that users may have; each torch is a CUDA build of 5 GB
oldest newest: %: .venv-%/installed
	.venv-$@/bin/pytest

bench: $(VENV)/installed-bench $(ZOO)/installed
	$(BIN)/python -m tests.bench
	$(ZOO)/bin/python -m tests.bench_modules

clean:
	rm -rf $(VENV) $(ZOO) $(ARENA) .venv-oldest .venv-newest .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist
	find mbv2cli tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

$(VENV)/installed-bench: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,bench]'
	touch $@

.venv-oldest/installed: pyproject.toml
	$(PYTHON) -m venv --clear .venv-oldest
	.venv-oldest/bin/python -m tests.oldest > .venv-oldest/constraints.txt
	.venv-oldest/bin/python -m pip install --quiet --disable-pip-version-check --editable '$(USERS)' --constraint .venv-oldest/constraints.txt
	touch $@

.venv-newest/installed: pyproject.toml
	$(PYTHON) -m venv --clear .venv-newest
	.venv-newest/bin/python -m pip install --quiet --disable-pip-version-check --editable '$(USERS)'
	touch $@

# torchvision runs only with its own release of torch, which is not the one of the other tests
$(ZOO)/installed: pyproject.toml
	$(PYTHON) -m venv $(ZOO)
	$(ZOO)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[zoo]'
	touch $@

# the tools first: pip then overrules what they want of typing-extensions, and warns
$(ARENA)/installed: pyproject.toml
	$(PYTHON) -m venv $(ARENA)
	$(ARENA)/bin/python -m pip install --quiet --disable-pip-version-check 'pip>=25.1'
	$(ARENA)/bin/python -m pip install --quiet --group arena
	$(ARENA)/bin/python -m pip install --quiet --editable '.[test]'
	touch $@
