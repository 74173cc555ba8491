"""The configuration file: its place, and the cases that it describes."""

from __future__ import annotations

import itertools
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any, Final, NamedTuple

from mbv2cli.errors import MistakesError, UserError, nearest
from mbv2cli.gate.cases import Case
from mbv2cli.gate.drift import Allowance, read_tolerance
from mbv2cli.gate.limits import Expectations
from mbv2cli.shown import is_visible
from mbv2cli.specs import BlockSpec, InputSpec, NetworkSpec, RunSpec
from mbv2cli.specs.base import keys
from mbv2cli.specs.fields import ambiguous_size
from mbv2cli.specs.reader import (
    Setting,
    parse_toml,
    read_request,
    read_spec,
    read_target,
    read_text,
    read_toml,
    target_seen_from,
)
from mbv2cli.specs.synonyms import nearest_key

FILE: Final = "mbv2.toml"
SHARED_FILE: Final = "pyproject.toml"
_TABLES: Final = {SHARED_FILE: ("tool", "mbv2")}
"""Where the table of mbv2 is in a file of several tools."""
WHOLE: Final = frozenset({"stages", "features"})
"""Keys whose value is one list or one table, not a list of values to choose from."""
LOCK: Final = "mbv2.lock"

_KEYS: Final = ("case", "forward", "require_lock", "tolerance")

_CASE_KEYS: Final = frozenset(
    ["target"]
    + [
        key
        for model in (BlockSpec, NetworkSpec, InputSpec, RunSpec, Expectations)
        for key in keys(model)
    ]
)


@dataclass(frozen=True, slots=True)
class Config:
    """The cases of a file, whether their forward passes run, and what their locks demand.

    ``requires_lock`` says whether a case without a lock fails.
    """

    path: Path
    cases: tuple[Case, ...]
    forward: bool
    tolerance: Mapping[str, Allowance]
    requires_lock: bool = False

    @property
    def lock(self) -> Path:
        """The path of the lock, beside the file."""
        return lock_beside(self.path)


def lock_beside(config: Path) -> Path:
    """Return the path of the lock of a configuration file.

    The lock of ``mbv2.toml`` and of ``pyproject.toml`` is ``mbv2.lock``; that of another
    ``NAME.toml`` is ``NAME.lock``, so that no two files share a lock by accident.
    """
    return config.with_name(LOCK) if config.name == SHARED_FILE else config.with_suffix(".lock")


def is_in_shared_file(folder: Path) -> bool:
    """Return whether ``folder`` has a ``pyproject.toml`` with a table ``[tool.mbv2]``."""
    shared = folder / SHARED_FILE
    return shared.is_file() and "mbv2" in read_toml(shared).get("tool", {})


def find_config(folder: Path) -> Path:
    """Return the nearest configuration file in ``folder`` or above it.

    That is ``mbv2.toml``, or a ``pyproject.toml`` with a table ``[tool.mbv2]``. Raises
    `UserError` if there is none.
    """
    for place in (folder, *folder.parents):
        if (place / FILE).is_file():
            return place / FILE
        if is_in_shared_file(place):
            return place / SHARED_FILE
    raise UserError(
        f"there is no {FILE} and no [tool.mbv2] in a {SHARED_FILE} here or above; run mbv2 init, "
        "or give limits as flags such as --max-params 2M"
    )


def file_hint(word: str) -> str:
    """Return the end of a sentence about a file where a case is expected, or ``""``."""
    path = Path(word)
    if path.suffix not in (".toml", ".lock"):
        return ""
    path = path.with_suffix(".toml")
    with suppress(UserError):
        if path.name != SHARED_FILE and "case" not in read_toml(path):
            return (
                f'; for the model of a file, write target = "{path.as_posix()}" in a case, or '
                "check it with limits such as --max-params 2M"
            )
    return f"; for the cases of a file, write --config {path}"


def read_config(path: Path) -> Config:
    """Read ``path``. Raises `MistakesError` with all mistakes of the file."""
    text = read_text(path)
    table = _TABLES.get(path.name, ())
    content = _table(path, parse_toml(text, str(path)), table)
    mistakes = [
        f"{path}: {key} is not a key (the keys are {', '.join(_KEYS)}){nearest(key, _KEYS)}"
        for key in content
        if key not in _KEYS
    ]
    forward, requires_lock = True, False
    with _collected(mistakes):
        forward = _truth(path, content, "forward", default=True)
    with _collected(mistakes):
        requires_lock = _truth(path, content, "require_lock", default=False)
    with _collected(mistakes):
        tolerance = read_tolerance(content.get("tolerance", {}), f"{path}: tolerance")
    cases: list[Case] = []
    lines = case_lines(text, (*table, "case"))
    with _collected(mistakes):
        for name, values in _case_tables(path, content).items():
            with _collected(mistakes):
                cases += _cases(path, name, values, lines.get(name))
        _refuse_same_names(path, cases)
    if mistakes:
        raise MistakesError(mistakes)
    return Config(path, tuple(cases), forward, tolerance, requires_lock)


def _truth(path: Path, content: Mapping[str, Any], key: str, *, default: bool) -> bool:
    value = content.get(key, default)
    if not isinstance(value, bool):
        raise UserError(f"{path}: {key} must be true or false, not {value!r}")
    return value


@contextmanager
def _collected(mistakes: list[str]) -> Iterator[None]:
    """Add a mistake to the others, so that reading continues."""
    try:
        yield
    except MistakesError as errors:
        mistakes += errors.mistakes
    except UserError as error:
        mistakes.append(str(error))


def _table(path: Path, content: Any, keys: Sequence[str]) -> dict[str, Any]:
    for key in keys:
        content = content.get(key, {})
        if not isinstance(content, dict):
            raise UserError(f"{path}: {key} must be a table, such as [{'.'.join(keys)}]")
    return dict(content)


def _case_tables(path: Path, content: Mapping[str, Any]) -> dict[str, Any]:
    tables = content.get("case")
    if not isinstance(tables, dict) or not tables:
        raise UserError(f"{path}: there is no case; write one, such as [case.edge]")
    return tables


def _refuse_same_names(path: Path, cases: Iterable[Case]) -> None:
    names = Counter(case.name for case in cases)
    for name, count in names.items():
        if count > 1:
            raise UserError(
                f"{path}: {count} cases have the name '{name}'; name each case differently, "
                "and list each value once"
            )


def _cases(path: Path, name: str, table: object, line: int | None) -> Iterator[Case]:
    if not isinstance(table, dict):
        raise UserError(f"{path}: case.{name} must be a table, such as [case.{name}]")
    choices = {
        key: value if isinstance(value, list) and key not in WHOLE else [value]
        for key, value in table.items()
    }
    _refuse_unusable(path, name, choices)
    varied = [key for key, values in choices.items() if len(values) > 1]
    mistakes: list[str] = []
    for combination in itertools.product(*choices.values()):
        chosen = dict(zip(choices, combination, strict=True))
        suffix = ",".join(f"{key}={chosen[key]}" for key in varied)
        with _collected(mistakes):
            yield _case(path, name, f"{name}[{suffix}]" if suffix else name, chosen, line)
    if mistakes:
        raise MistakesError(mistakes)


def _refuse_unusable(path: Path, name: str, choices: Mapping[str, list[Any]]) -> None:
    mistakes: list[str] = []
    if not name.strip() or not is_visible(name):
        mistakes.append(f"{path}: a case is named {name!r}; give it a name that can be printed")
    for key, values in choices.items():
        place = f"{path}: case.{name}.{key}"
        if key not in _CASE_KEYS:
            mistakes.append(f"{place} is not a key of a case{nearest_key(key, _CASE_KEYS)}")
        elif not values:
            mistakes.append(f"{place} is an empty list; give a value")
        elif key == "size" and ambiguous_size(values):
            mistakes.append(_two_sizes(place, *values))
    if mistakes:
        raise MistakesError(mistakes)


def _two_sizes(place: str, height: int, width: int) -> str:
    return (
        f'{place} must be "{height}x{width}" for one input, or '
        f'["{height}x{height}", "{width}x{width}"] for two cases, not [{height}, {width}]'
    )


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

    with _collected(mistakes):
        place = f"{path}: case.{name}.target"
        request = read_request(_target(path, values.get("target", "block"), place), model)
    with _collected(mistakes):
        run = read_spec(RunSpec, settings)
    with _collected(mistakes):
        expected = read_spec(Expectations, settings)
    if mistakes:
        raise MistakesError(mistakes)
    return Case(
        full_name,
        request,
        run,
        expected,
        line,
        place=f"{path}: case.{full_name}",
        places={setting.key: setting.place for setting in settings},
    )


def _target(path: Path, value: object, place: str) -> str:
    """Return a target as it is read from here; a file is relative to the configuration.

    Raises `UserError` if there is no such target.
    """
    if not isinstance(value, str):
        raise UserError(f'{place} must be a target such as "network", not {value!r}')
    target = target_seen_from(path.parent, value)
    try:
        read_target(target)
    except UserError as error:
        raise UserError(f"{place}: {error}") from None
    return target


class _Statement(NamedTuple):
    """A table's header or a key with its value, parsed by itself."""

    line: int
    content: dict[str, Any]
    is_header: bool


def case_lines(text: str, prefix: Sequence[str]) -> dict[str, int]:
    """Return the line on which each member of the table at ``prefix`` is first mentioned.

    ``text`` is valid TOML, in which a case may be a table, an inline table or dotted keys.
    """
    lines: dict[str, int] = {}
    header: tuple[str, ...] = ()
    for statement in _statements(text):
        if statement.is_header:
            header = _header_path(statement.content)
        whole = reduce(lambda inner, key: {key: inner}, reversed(header), statement.content)
        content = statement.content if statement.is_header else whole
        for name in _table_at(content, prefix):
            lines.setdefault(name, statement.line)
    return lines


def _statements(text: str) -> Iterator[_Statement]:
    """Yield the statements: each is the fewest whole lines that are TOML by themselves."""
    waiting: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        waiting.append(f"{line}\n")
        try:
            content = tomllib.loads("".join(waiting))
        except tomllib.TOMLDecodeError:
            continue  # a value that goes on in the next line
        if content:
            first = number - len(waiting) + 1
            yield _Statement(first, content, is_header=waiting[0].lstrip().startswith("["))
        waiting = []


def _header_path(content: dict[str, Any]) -> tuple[str, ...]:
    path: list[str] = []
    table: Any = content
    while table:
        if isinstance(table, list):  # [[name]]
            (table,) = table
        else:
            ((key, table),) = table.items()
            path.append(key)
    return tuple(path)


def _table_at(content: dict[str, Any], prefix: Sequence[str]) -> dict[str, Any]:
    table: Any = content
    for key in prefix:
        table = table.get(key, {}) if isinstance(table, dict) else {}
    return table if isinstance(table, dict) else {}
