"""The first files of a gate: a configuration for a model, a workflow and a pre-commit hook."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import PurePath
from typing import Final

from mbv2cli.costs.figures import FLASH, MACS, PARAMS, PEAK, Figure
from mbv2cli.errors import UserError
from mbv2cli.gate.cases import Case
from mbv2cli.gate.config import FILE
from mbv2cli.gate.limits import Expectations, limit_key, pattern_text
from mbv2cli.inspection import Plan, plan_of
from mbv2cli.shown import escaped, toml_escaped
from mbv2cli.specs import RunSpec
from mbv2cli.specs.base import keys
from mbv2cli.specs.reader import Setting, is_file, read_request, read_spec, split_target
from mbv2cli.specs.requests import refuse_module
from mbv2cli.specs.units import amount_text, rounded_up

WORKFLOW: Final = """\
# Checks the models of mbv2.toml on every push. Written by mbv2 init.
name: mbv2
on: [push, pull_request]
permissions:
  contents: read
jobs:
  check:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      # torch for CPUs: the usual build brings gigabytes for GPUs
      - run: pip install torch --index-url https://download.pytorch.org/whl/cpu
      # mbv2 is not on PyPI: copy its repository to tools/mbv2, or name a wheel or a git address
      - run: pip install ./tools/mbv2
      - run: mbv2 check --no-forward
"""

PRE_COMMIT: Final = """\
# Checks the models of mbv2.toml before each commit. Written by mbv2 init.
repos:
  - repo: local
    hooks:
      - id: mbv2-check
        name: mbv2 check
        entry: mbv2 check --no-forward
        language: system  # the mbv2 that is installed
        files: (^|/)(mbv2\\.(toml|lock)|pyproject\\.toml)$
        pass_filenames: false
"""

_LIMITED: Final = (PARAMS, MACS, PEAK, FLASH)
_MARGIN: Final = Fraction(11, 10)
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")


def starter_config(target: str, settings: Iterable[Setting]) -> str:
    """Return an ``mbv2.toml`` with one case: its limits are 10 % above the figures of ``target``.

    ``settings`` are flags of the model and its run. Raises `UserError` for a mistake in them.
    """
    refuse_module(
        target,
        "init plans a model, and a module has no plan",
        f'write module = "{target}" and limits into a case of {FILE} (mbv2 help ci)',
    )
    settings = list(settings)
    own = [setting for setting in settings if setting.key not in keys(RunSpec)]
    request = read_request(target, own)
    case = Case(_case_name(target), request, read_spec(RunSpec, settings), Expectations())
    plan = plan_of(request.spec, request.input)
    return "".join(f"{line}\n" for line in _lines(case, plan, settings))


def _lines(case: Case, plan: Plan, settings: Iterable[Setting]) -> Iterator[str]:
    yield "# The models that mbv2 check checks. Written by mbv2 init."
    yield "# Each limit is 10 % above the figure of the model: make it what you can afford."
    yield "# mbv2 check -h explains the keys: max_params is --max-params, output is --expect."
    yield ""
    yield f"[case.{_key(case.name)}]"
    yield f"target = {_text(case.request.target)}"
    for setting in settings:
        yield f"{setting.key} = {_text(str(setting.value))}"
    yield f"output = {_text(pattern_text(plan.output_shape))}  # * allows any size"
    for figure in _LIMITED:
        amount = plan.figure(figure, case.counting)
        key = limit_key(figure)
        limit = _text(rounded_up(amount * _MARGIN, figure.unit))
        yield f"{key} = {limit}  # now {_now(case, figure, amount)}"


def _now(case: Case, figure: Figure, amount: int) -> str:
    text = amount_text(amount, figure.unit)
    return f"{text} ({case.counting.rule}, {case.counting.dtype})" if figure is PEAK else text


def _case_name(target: str) -> str:
    name = split_target(target)[0]
    return escaped(PurePath(name).stem if is_file(name) else name)


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _text(name)


def _text(value: str) -> str:
    """Return a TOML string. JSON escapes are TOML's too.

    Raises `UserError` for the bytes of a file name that are not UTF-8: TOML has no escape of them.
    """
    try:
        value.encode()
    except UnicodeEncodeError:
        raise UserError(
            f"'{value}' is not UTF-8 text, which {FILE} cannot hold; rename the file"
        ) from None
    return toml_escaped(json.dumps(value, ensure_ascii=False))
