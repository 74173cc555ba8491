"""The configuration file: where it is found, and the cases that it makes."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from mbv2cli.checks.cases import Case
from mbv2cli.checks.expectations import Expectations
from mbv2cli.checks.tolerance import Allowance, read_tolerance
from mbv2cli.errors import MistakesError, UserError, nearest
from mbv2cli.spec import RunSpec
from mbv2cli.spec.keys import keys
from mbv2cli.spec.reader import read_request, read_spec, target_names
from mbv2cli.spec.settings import Setting, read_toml

FILE: Final = "mbv2.toml"
SHARED_FILE: Final = "pyproject.toml"
WHOLE: Final = frozenset({"stages", "features"})
"""Keys whose value is a list or table itself, and no choice of values."""
LOCK: Final = "mbv2.lock"

_KEYS: Final = ("case", "forward", "tolerance")

Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class Config:
    """The cases of a file, and whether their forward passes run."""

    path: Path
    cases: tuple[Case, ...]
    forward: bool
    tolerance: Mapping[str, Allowance]

    @property
    def lock(self) -> Path:
        """Where the lock of these cases is: beside the file."""
        return lock_beside(self.path)


def lock_beside(config: Path) -> Path:
    """Return where the lock of a configuration file is."""
    return config.with_name(LOCK)


def find_config(folder: Path) -> Path:
    """Return the nearest configuration file in ``folder`` or above it.

    That is ``mbv2.toml``, or a ``pyproject.toml`` with a table ``[tool.mbv2]``. Raises
    `UserError` if there is none.
    """
    for place in (folder, *folder.parents):
        if (place / FILE).is_file():
            return place / FILE
        shared = place / SHARED_FILE
        if shared.is_file() and "mbv2" in read_toml(shared).get("tool", {}):
            return shared
    raise UserError(
        f"there is no {FILE} and no [tool.mbv2] in a {SHARED_FILE} here or above; write one, "
        "or give limits as flags such as --max-params 2M"
    )


def read_config(path: Path) -> Config:
    """Read ``path``. Raises `MistakesError`, all mistakes in it together."""
    content: Any = read_toml(path)
    if path.name == SHARED_FILE:
        content = content.get("tool", {}).get("mbv2", {})
    mistakes = [
        f"{path}: {key} is not a key (the keys are {', '.join(_KEYS)}){nearest(key, _KEYS)}"
        for key in content
        if key not in _KEYS
    ]
    forward, tables = content.get("forward", True), content.get("case", {})
    if not isinstance(forward, bool):
        mistakes.append(f"{path}: forward must be true or false, not {forward!r}")
    tolerance: Mapping[str, Allowance] = {}
    if "tolerance" in content:
        try:
            tolerance = read_tolerance(content["tolerance"], f"{path}: tolerance")
        except UserError as error:
            mistakes.append(str(error))
    if not isinstance(tables, dict) or not tables:
        mistakes.append(f"{path}: there is no case; write one, such as [case.edge]")
        tables = {}
    lines = _lines(path)
    cases: list[Case] = []
    for name, table in tables.items():
        try:
            cases += _cases(path, name, table, lines.get(name))
        except MistakesError as errors:
            mistakes += errors.mistakes
        except UserError as error:
            mistakes.append(str(error))
    if mistakes:
        raise MistakesError(mistakes)
    return Config(path, tuple(cases), forward, tolerance)


def _cases(path: Path, name: str, table: object, line: int | None) -> Iterator[Case]:
    if not isinstance(table, dict):
        raise UserError(f"{path}: case.{name} must be a table, such as [case.{name}]")
    choices = {
        key: value if isinstance(value, list) and key not in WHOLE else [value]
        for key, value in table.items()
    }
    for key, values in choices.items():
        if not values:
            raise UserError(f"{path}: case.{name}.{key} is an empty list; give a value")
    varied = [key for key, values in choices.items() if len(values) > 1]
    mistakes: list[str] = []
    for combination in itertools.product(*choices.values()):
        chosen = dict(zip(choices, combination, strict=True))
        suffix = ",".join(f"{key}={chosen[key]}" for key in varied)
        try:
            yield _case(path, name, f"{name}[{suffix}]" if suffix else name, chosen, line)
        except MistakesError as errors:
            mistakes += errors.mistakes
    if mistakes:
        raise MistakesError(mistakes)


def _case(
    path: Path, name: str, full_name: str, values: Mapping[str, object], line: int | None
) -> Case:
    settings = [
        Setting(key, value, f"{path}: case.{name}.{key}")
        for key, value in values.items()
        if key != "target"
    ]
    own = {*keys(Expectations), *keys(RunSpec)}
    model = [setting for setting in settings if setting.key not in own]
    mistakes: list[str] = []

    def read(reader: Callable[[], Read]) -> Read | None:
        try:
            return reader()
        except UserError as error:
            mistakes.append(str(error))
            return None

    target = _Target(path, name, values.get("target", "block"))
    request = read(lambda: read_request(target.words(), model))
    run = read(lambda: read_spec(RunSpec, settings))
    expected = read(lambda: read_spec(Expectations, settings))
    if request is None or run is None or expected is None:
        raise MistakesError(mistakes)
    return Case(full_name, request, run, expected, line)


@dataclass(frozen=True, slots=True)
class _Target:
    """The target of a case; a TOML file is looked for beside the configuration."""

    path: Path
    case: str
    value: object

    def words(self) -> str:
        place = f"{self.path}: case.{self.case}.target"
        if not isinstance(self.value, str):
            raise UserError(f'{place} must be a target such as "network", not {self.value!r}')
        name = self.value.partition(":")[0]
        if name.endswith(".toml"):
            return str(self.path.parent / self.value)
        if name not in target_names():
            raise UserError(
                f"{place} names no target: '{name}'{nearest(name, target_names())} "
                "(mbv2 presets lists them)"
            )
        return self.value


_HEADER: Final = re.compile(
    r"""^\s*\[\s*(?:tool\s*\.\s*mbv2\s*\.\s*)?case\s*\.\s*(?:"([^"]+)"|'([^']+)'|([\w-]+))\s*\]"""
)


def _lines(path: Path) -> dict[str, int]:
    """Return the line of each case's header, which the TOML parser does not tell."""
    lines: dict[str, int] = {}
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        if found := _HEADER.match(line):
            lines.setdefault(next(filter(None, found.groups())), number)
    return lines
