"""The configuration file: its place, and the cases that it describes."""

from __future__ import annotations

import itertools
import re
import tomllib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import reduce
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mbv2cli.errors import MistakesError, UserError, nearest, value_text
from mbv2cli.gate.boards import BOARD, own_boards, with_boards
from mbv2cli.gate.cases import Case
from mbv2cli.gate.drift import Allowance, read_tolerance
from mbv2cli.gate.limits import Expectations
from mbv2cli.shown import is_visible
from mbv2cli.specs import BlockSpec, InputSpec, NetworkSpec, RunSpec
from mbv2cli.specs.base import keys
from mbv2cli.specs.fields import ambiguous_size, written
from mbv2cli.specs.files import exists, parse_toml, read_text, read_toml, working_folder
from mbv2cli.specs.idle import IdleError
from mbv2cli.specs.reader import (
    Request,
    Setting,
    read_request,
    read_spec,
    read_target,
    target_seen_from,
    target_text,
)
from mbv2cli.specs.requests import AnyRequest, module_named
from mbv2cli.specs.synonyms import nearest_key

if TYPE_CHECKING:
    from mbv2cli.specs.boards import Board
    from mbv2cli.specs.module import ModuleRequest, ModuleSource

FILE: Final = "mbv2.toml"
SHARED_FILE: Final = "pyproject.toml"
_TABLES: Final = {SHARED_FILE: ("tool", "mbv2")}
"""Where the table of mbv2 is in a file of several tools."""
WHOLE: Final = frozenset({"stages", "features", "inputs"})
"""Keys whose value is one list or one table, not a list of values to choose from."""
_ARGUMENTS: Final = "arguments"
_ARGUMENT: Final = f"{_ARGUMENTS}."
"""The start of the key of an argument, such as ``arguments.width``."""
_TARGETS: Final = ("target", "module", "checkpoint")
"""Keys that say which model a case is about; a case has at most one of them."""
_INPUTS: Final = ("input", "inputs")
"""Keys of what goes into a module; a list of ``input`` is one case for each."""
LOCK: Final = "mbv2.lock"

MAX_CASES: Final = 1_000
"""Most cases of one file."""

MAX_CASE_BLOCKS: Final = 20_000
"""Most blocks of all cases of one file together."""

_MAX_WRONG_KEYS: Final = 20
"""Most keys of one table that are reported as wrong."""

_PIECE: Final = r"""
      \"{3}(?:[^"\\]++|\\.|"{1,2}(?!"))*+"{3,5}
    | '{3}(?:[^']++|'{1,2}(?!'))*+'{3,5}
    | "(?:[^"\\\n]++|\\.)*+" | '[^'\n]*+' | \#[^\n]*+
    | [\[\]{}\n]
"""
"""Texts and comments of TOML, each as a whole; brackets, and ends of lines."""

_KEYS: Final = (BOARD, "case", "forward", "require_lock", "tolerance")

_CASE_KEYS: Final = frozenset(
    [*_TARGETS, *_INPUTS]
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
    return config.parent / (LOCK if config.name == SHARED_FILE else f"{config.stem}.lock")


def is_in_shared_file(folder: Path) -> bool:
    """Return whether ``folder`` has a ``pyproject.toml`` with a table ``[tool.mbv2]``.

    Raises `UserError` if the file cannot be read.
    """
    shared = folder / SHARED_FILE
    if not exists(shared):
        return False
    *above, own = _TABLES[SHARED_FILE]
    return own in _table(shared, read_toml(shared), above)


def find_config(folder: Path) -> Path:
    """Return the nearest configuration file in ``folder`` or above it.

    That is ``mbv2.toml``, or a ``pyproject.toml`` with a table ``[tool.mbv2]``. Raises
    `UserError` if there is none, or if this cannot be found out.
    """
    found = _nearest_config(folder)
    if found:
        return found
    raise UserError(
        f"there is no {FILE} and no [tool.mbv2] in a {SHARED_FILE} here or above; run mbv2 init, "
        "or give limits as flags such as --max-params 2M"
    )


def _nearest_config(folder: Path) -> Path | None:
    for place in (folder, *folder.parents):
        if exists(place / FILE):
            return place / FILE
        if is_in_shared_file(place):
            return place / SHARED_FILE
    return None


def nearest_table() -> tuple[Path, Mapping[str, Any]]:
    """Return the nearest configuration and its table, which is empty if there is none.

    Raises `UserError`.
    """
    path = _nearest_config(working_folder())
    if path is None:
        return Path(FILE), {}
    return path, _table(path, read_toml(path), _TABLES.get(path.name, ()))


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
        for key in _first_wrong(content, _KEYS)
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
        own = own_boards(path, content)
        for name, values in _case_tables(path, content).items():
            with _collected(mistakes):
                cases += _cases(path, name, values, lines.get(name), own)
        _refuse_same_names(path, cases)
        _refuse_too_many_blocks(path, cases)
    if mistakes:
        raise MistakesError(mistakes)
    return Config(path, tuple(cases), forward, tolerance, requires_lock)


def _truth(path: Path, content: Mapping[str, Any], key: str, *, default: bool) -> bool:
    value = content.get(key, default)
    if not isinstance(value, bool):
        raise UserError(f"{path}: {key} must be true or false, not {value_text(value)}")
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
    tables = content.get("case", {})
    if not isinstance(tables, dict):
        raise UserError(
            f"{path}: case must be a table, such as [case.edge], not {value_text(tables)}"
        )
    if not tables:
        raise UserError(f"{path}: there is no case; write one, such as [case.edge]")
    count = sum(_combinations(table) for table in tables.values())
    if count > MAX_CASES:
        raise UserError(
            f"{path} describes {value_text(count)} cases, one for each combination of the values "
            f"of its lists; at most {MAX_CASES:,} are allowed"
        )
    return tables


def _combinations(table: object) -> int:
    """Return the number of cases that a table describes."""
    if not isinstance(table, dict):
        return 1
    return prod(max(1, len(values)) for values in _choices(table).values())


def _choices(table: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the values to choose from for each key; ``arguments.width`` is an argument."""
    return {
        key: value if isinstance(value, list) and key not in WHOLE else [value]
        for key, value in _flat(table)
    }


def _flat(table: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the keys of a case; each argument of a module is a key of its own."""
    for key, value in table.items():
        if key == _ARGUMENTS and isinstance(value, dict):
            yield from ((f"{_ARGUMENT}{name}", one) for name, one in value.items())
        else:
            yield key, value


def _first_wrong(table: Iterable[str], allowed: Collection[str]) -> Iterator[str]:
    """Yield the first keys that are not allowed; one mistake may be made a thousand times."""
    return itertools.islice((key for key in table if key not in allowed), _MAX_WRONG_KEYS)


def _refuse_same_names(path: Path, cases: Iterable[Case]) -> None:
    names = Counter(case.name for case in cases)
    for name, count in names.items():
        if count > 1:
            raise UserError(
                f"{path}: {count} cases have the name '{name}'; name each case differently, "
                "and list each value once"
            )


def _refuse_too_many_blocks(path: Path, cases: Iterable[Case]) -> None:
    specs = [case.request.spec for case in cases if isinstance(case.request, Request)]
    count = sum(len(spec.blocks) for spec in specs if isinstance(spec, NetworkSpec))
    if count > MAX_CASE_BLOCKS:
        raise UserError(
            f"{path}: the networks of the cases have {count:,} blocks together; at most "
            f"{MAX_CASE_BLOCKS:,} are allowed"
        )


def _cases(
    path: Path, name: str, table: object, line: int | None, own: Mapping[str, Board]
) -> Iterator[Case]:
    if not isinstance(table, dict):
        raise UserError(f"{path}: case.{name} must be a table, such as [case.{name}]")
    choices = _choices(table)
    _refuse_unusable(path, name, choices)
    place = f"{path}: case.{name}.{BOARD}"
    named = [Setting(BOARD, value, place) for value in choices.get(BOARD, [])]
    if named:
        choices[BOARD] = [one.value for one in with_boards(named, lambda: own)]
    varied = [key for key, values in choices.items() if len(values) > 1]
    mistakes: list[str] = []
    for combination in itertools.product(*choices.values()):
        chosen = dict(zip(choices, combination, strict=True))
        suffix = ",".join(f"{key.removeprefix(_ARGUMENT)}={_named(chosen[key])}" for key in varied)
        with _collected(mistakes):
            full_name = f"{name}[{suffix}]" if suffix else name
            yield _case(path, name, full_name, _Chosen(chosen, varied), line)
    if mistakes:
        raise MistakesError(mistakes)


def _named(value: object) -> str:
    """Return a value as the name of its case has it."""
    return written(value) if isinstance(value, bool) else str(value)


def _refuse_unusable(path: Path, name: str, choices: dict[str, list[Any]]) -> None:
    mistakes: list[str] = []
    if not name.strip() or not is_visible(name):
        mistakes.append(
            f"{path}: a case is named {value_text(name)}; give it a name that can be printed"
        )
    place = f"{path}: case.{name}"
    if _ARGUMENTS in choices:
        given = choices.pop(_ARGUMENTS)
        mistakes.append(
            f"{place}.{_ARGUMENTS} must be a table such as {{width = 0.5}}, not "
            f"{value_text(given[0] if len(given) == 1 else given)}"
        )
    mistakes += [
        f"{place}.{key} is not a key of a case{nearest_key(key, _CASE_KEYS)}"
        for key in _first_wrong(
            [key for key in choices if not key.startswith(_ARGUMENT)], _CASE_KEYS
        )
    ]
    for key, values in choices.items():
        if (key in _CASE_KEYS or key.startswith(_ARGUMENT)) and not values:
            mistakes.append(f"{place}.{key} is an empty list; give a value")
        elif key == "size" and ambiguous_size(values):
            mistakes.append(_two_sizes(f"{place}.size", *values))
    if mistakes:
        raise MistakesError(mistakes)


def _two_sizes(place: str, height: int, width: int) -> str:
    return (
        f'{place} must be "{height}x{width}" for one input, or '
        f'["{height}x{height}", "{width}x{width}"] for two cases, not [{height}, {width}]'
    )


class _Chosen(NamedTuple):
    """The values of a case, and which of its keys have several values in the table."""

    values: Mapping[str, object]
    varied: Collection[str]


def _case(path: Path, name: str, full_name: str, chosen: _Chosen, line: int | None) -> Case:
    settings = [
        Setting(key, value, f"{path}: case.{name}.{key}") for key, value in chosen.values.items()
    ]
    mistakes: list[str] = []
    with _collected(mistakes):
        request = _request(path, f"{path}: case.{name}", settings, chosen.varied)
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


def _request(
    path: Path, place: str, settings: Sequence[Setting], varied: Collection[str]
) -> AnyRequest:
    """Return the model of a case at ``place``, and its input. Raises `UserError`."""
    named = [setting for setting in settings if setting.key in _TARGETS]
    if len(named) > 1:
        raise UserError(
            f"{named[0].place} and {named[1].key} both name the model of the case; give one of them"
        )
    target = named[0] if named else Setting("target", "block", f"{place}.target")
    text = target_text(target)
    with _said_at(target.place):
        source = module_named(text)
    apart = {*_TARGETS, *_INPUTS, *keys(Expectations), *keys(RunSpec)}
    model = [
        setting
        for setting in settings
        if setting.key not in apart and not setting.key.startswith(_ARGUMENT)
    ]
    if source is not None and target.key != "checkpoint":
        return _module_request(path, place, source, settings, model)
    if target.key == "module":
        raise UserError(
            f'{target.place} must name a class or a function, such as "my_model.py:Net", not '
            f"{value_text(text)}"
        )
    for setting in settings:
        if setting.key in _INPUTS or setting.key.startswith(_ARGUMENT):
            raise UserError(
                f"{setting.place} belongs to a module of your own; write the fields of a block or "
                "a network, such as size and batch, as keys of the case"
            )
    return _request_of_use(_target(path, target), model, varied)


def _request_of_use(target: str, model: Sequence[Setting], varied: Collection[str]) -> Request:
    """Return a request without the settings that do nothing beside a value of a list."""
    try:
        return read_request(target, model)
    except IdleError as idle:
        of_use = [setting for setting in model if setting.key != idle.key]
        if len(of_use) == len(model) or idle.causes.isdisjoint(varied):
            raise
        return _request_of_use(target, of_use, varied)


def _module_request(
    path: Path,
    place: str,
    source: ModuleSource,
    settings: Sequence[Setting],
    model: Sequence[Setting],
) -> ModuleRequest:
    from mbv2cli.specs.module import module_request

    given = {
        setting.key.removeprefix(_ARGUMENT): setting.value
        for setting in settings
        if setting.key.startswith(_ARGUMENT)
    }
    inputs = [setting for setting in settings if setting.key in _INPUTS]
    if len(inputs) > 1:
        raise UserError(f"{inputs[0].place} and inputs both give the input; give one of them")
    with _said_at(place):
        source = source.seen_from(path.parent).called_with(given)
    input_place = inputs[0].place if inputs else ""
    return module_request(source, model, _input_texts(inputs), input_place)


def _input_texts(inputs: Sequence[Setting]) -> list[str]:
    """Return the shapes of ``input``, which is one, or of ``inputs``, which is a list of them."""
    for setting in inputs:
        values = setting.value if setting.key == "inputs" else [setting.value]
        if isinstance(values, list) and values and all(isinstance(one, str) for one in values):
            return values
        wanted = {
            "input": 'a shape such as "1x3x64x64"',
            "inputs": 'a list such as ["1x3x64x64", "1x9:int64"]',
        }[setting.key]
        raise UserError(f"{setting.place} must be {wanted}, not {value_text(setting.value)}")
    return []


def _target(path: Path, setting: Setting) -> str:
    """Return a target as it is read from here; a file is relative to the configuration.

    Raises `UserError` if there is no such target.
    """
    text = target_text(setting)
    is_checkpoint = setting.key == "checkpoint"
    target = str(path.parent / text) if is_checkpoint else target_seen_from(path.parent, text)
    with _said_at(setting.place):
        read_target(target)
    if is_checkpoint:
        _refuse_no_checkpoint(target, setting)
    return target


def _refuse_no_checkpoint(target: str, setting: Setting) -> None:
    from mbv2cli.specs.foreign import checkpoint_file

    if checkpoint_file(target) is None:
        raise UserError(
            f'{setting.place} must be a file of weights, such as "weights.pth", not '
            f"{value_text(setting.value)}; write target = for another model"
        )


@contextmanager
def _said_at(place: str) -> Iterator[None]:
    """Put the place before the message of a `UserError`."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{place}: {error}") from None


def case_lines(text: str, prefix: Sequence[str]) -> dict[str, int]:
    """Return the line on which each member of the table at ``prefix`` is first mentioned.

    ``text`` is valid TOML, in which a case may be a table, an inline table or dotted keys.
    """
    lines: dict[str, int] = {}
    header: tuple[str, ...] = ()
    for line, statement in _statements(text):
        content: dict[str, Any] = {}
        if statement.startswith("["):
            content = tomllib.loads(statement)
            header = _header_path(content)
        elif _may_mention(statement, header, prefix):
            content = tomllib.loads(statement)
            content = reduce(lambda inner, key: {key: inner}, reversed(header), content)
        for name in _table_at(content, prefix):
            lines.setdefault(name, line)
    return lines


def _may_mention(statement: str, header: Sequence[str], prefix: Sequence[str]) -> bool:
    """Return whether a key under ``header`` may be above a member of the table at ``prefix``."""
    below = prefix[len(header) :]
    return tuple(header) == tuple(prefix[: len(header)]) and (not below or below[0] in statement)


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Yield each header, and each key with its value, after the line on which it starts."""
    line, start, depth = 1, 0, 0
    for token in re.finditer(_PIECE, f"{text}\n", re.DOTALL | re.VERBOSE):
        match token[0]:
            case "[" | "{":
                depth += 1
            case "]" | "}":
                depth -= 1
            case "\n" if depth == 0:
                statement = text[start : token.start()].strip()
                if statement and not statement.startswith("#"):
                    yield line, statement
                line += text.count("\n", start, token.end())
                start = token.end()


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
