PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ZOO := .venv-zoo
USERS := .[cluster,parquet,plot,test]

INPUTS ?= 100000
SEED ?= $(shell date +%s)

.PHONY: demo test fuzz lint bench oldest newest peers zoo clean

demo: $(VENV)/installed
	$(BIN)/mbv2 summary --in 3 --out 64 --expand 6
	$(BIN)/mbv2 summary network

test: $(VENV)/installed
	$(BIN)/pytest

# other inputs each time; SEED=… runs the inputs of that seed again
fuzz: $(VENV)/installed
	FUZZ_INPUTS=$(INPUTS) FUZZ_SEED=$(SEED) $(BIN)/pytest tests/fuzz

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

peers: $(VENV)/installed-bench
	$(BIN)/pytest -m peers

zoo: $(ZOO)/installed
	$(ZOO)/bin/pytest -m zoo tests/nn tests/identify

# the lowest and the newest versions that users may have; each torch is a CUDA build of 5 GB
oldest newest: %: .venv-%/installed
	.venv-$@/bin/pytest

bench: $(VENV)/installed-bench
	$(BIN)/python -m tests.bench

clean:
	rm -rf $(VENV) $(ZOO) .venv-oldest .venv-newest .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist
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
