"""A space: for every field of a block or a network, the values that it may take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mbv2cli.errors import UserError, nearest
from mbv2cli.search.choices import read_choices
from mbv2cli.specs.base import Spec, allowed_values, keys
from mbv2cli.specs.network import MAX_STAGES, PAPER_STAGES, NetworkSpec, Stage
from mbv2cli.specs.reader import (
    KINDS,
    Setting,
    file_settings,
    read_spec,
    read_target,
    refuse_foreign_keys,
    split_base,
)
from mbv2cli.specs.run import InputSpec
from mbv2cli.specs.stage_text import BETWEEN, LETTERS, read_stages

STAGES: Final = "stages"
_LETTER_OF: Final = {key: letter for letter, key in LETTERS.items()}
_ALWAYS_WRITTEN: Final = frozenset({"t", "c"})
"""Keys of a stage that its text has even at their defaults."""


class Axis(NamedTuple):
    """A field and the values that it may take: of a stage, or where ``stage`` is None of all.

    ``told`` says whether a member's target has to name it.
    """

    key: str
    values: tuple[Any, ...]
    stage: int | None = None
    told: bool = False

    @property
    def name(self) -> str:
        """The key, with the number of the stage: ``s2.c``."""
        return self.key if self.stage is None else f"s{self.stage + 1}.{self.key}"


@dataclass(frozen=True)
class Space:
    """A block or network (``kind``) with a choice of values for each field.

    A member takes one value of each axis; it is told apart by their numbers, axis by axis.
    Members are counted with the last axis running fastest.
    """

    base: str
    kind: str
    axes: tuple[Axis, ...]

    @property
    def size(self) -> int:
        """How many members there are."""
        return prod(len(axis.values) for axis in self.axes)

    @property
    def varied(self) -> tuple[Axis, ...]:
        """The axes with a choice."""
        return tuple(axis for axis in self.axes if len(axis.values) > 1)

    @property
    def stages(self) -> int:
        """How many stages there are; a block has none."""
        return 1 + max((axis.stage for axis in self.axes if axis.stage is not None), default=-1)

    def target(self, member: Sequence[int]) -> str:
        """Return the target that names the member of these numbers of the varied axes.

        Any command takes it.
        """
        numbers = iter(member)
        words = [texts[next(numbers)] if len(texts) > 1 else texts[0] for texts in self._words]
        return self.base + "".join(words)

    @cached_property
    def _words(self) -> tuple[tuple[str, ...], ...]:
        """What each value of each axis adds to the target, with what stands before it."""
        words: list[tuple[str, ...]] = []
        stage, between = None, ":"
        for axis in self.axes:
            if not axis.told:
                words.append(("",) * len(axis.values))
            elif axis.stage is None:
                words.append(tuple(f"{between}{axis.key}={_word(one)}" for one in axis.values))
                between = ","
            else:
                start = (
                    ""
                    if axis.stage == stage
                    else BETWEEN
                    if stage is not None
                    else f"{between}{STAGES}="
                )
                words.append(tuple(start + _stage_word(axis.key, one) for one in axis.values))
                stage = axis.stage
        return tuple(words)


def read_space(target: str, flags: Iterable[Setting] = ()) -> Space:
    """Read the space around ``target``: its flags may be lists and ranges. Raises `UserError`."""
    kind, own, inline = read_target(target)
    name = target.partition(":")[0]
    return _space(name, kind, own, [*inline, *flags])


def read_space_file(path: Path, flags: Iterable[Setting] = ()) -> Space:
    """Read a TOML file whose values, also those of stages, may be lists and ranges.

    ``flags`` win over the file. Raises `UserError`.
    """
    base, own = split_base(file_settings(path))
    kind, base_settings, inline = read_target(base)
    return _space(base.partition(":")[0], kind, base_settings, [*inline, *own, *flags])


def _space(base: str, kind: str, own: Iterable[Setting], choices: Iterable[Setting]) -> Space:
    """Return the space of a target with settings of its ``own``, and of ``choices`` beside."""
    fixed = {setting.key: setting for setting in own}
    chosen = {setting.key: setting for setting in choices}
    refuse_foreign_keys(kind, [*fixed.values(), *chosen.values()])
    axes = [
        _axis(model, key, fixed.get(key), chosen.get(key))
        for model in (KINDS[kind], InputSpec)
        for key in keys(model)
        if key != STAGES
    ]
    if kind == "network":
        axes += _stage_axes(fixed.get(STAGES), chosen.get(STAGES))
    return Space(base, kind, tuple(axes))


def _axis(model: type[Spec], key: str, fixed: Setting | None, chosen: Setting | None) -> Axis:
    name, field = _name_of(model, key), keys(model)[key]
    if chosen is not None:
        return Axis(key, read_choices(chosen, name, field), told=True)
    if fixed is not None:
        return Axis(key, read_choices(Setting(key, [fixed.value], fixed.place), name, field))
    return Axis(key, (None if field.default_factory else field.default,))


def _stage_axes(fixed: Setting | None, chosen: Setting | None) -> Iterator[Axis]:
    if chosen is not None:
        for number, table in enumerate(_stage_tables(chosen)):
            place = f"{chosen.place}[{number}]"
            for key, field in keys(Stage).items():
                yield Axis(key, _stage_choices(table, place, key, field), number, told=True)
        return
    stages = PAPER_STAGES if fixed is None else _fixed_stages(fixed)
    for number, stage in enumerate(stages):
        for key, value in stage.model_dump(by_alias=True).items():
            yield Axis(key, (value,), number)


def _fixed_stages(setting: Setting) -> tuple[Stage, ...]:
    return read_spec(NetworkSpec, [setting]).stages


def _stage_tables(setting: Setting) -> list[dict[str, Any]]:
    """Return the table of each stage, its values unread. Raises `UserError`."""
    allowed = f"{setting.place} must be {allowed_values(keys(NetworkSpec)[STAGES])}"
    try:
        tables = read_stages(setting.value)
    except ValueError:
        raise UserError(f"{allowed}, not {setting.value!r}") from None
    if not isinstance(tables, list) or not 1 <= len(tables) <= MAX_STAGES:
        raise UserError(allowed)
    for number, table in enumerate(tables):
        _refuse_no_stage(table, f"{setting.place}[{number}]")
    return tables


def _refuse_no_stage(table: object, place: str) -> None:
    known = ", ".join(keys(Stage))
    if not isinstance(table, dict):
        raise UserError(f"{place} must be a table with the keys {known}, not {table!r}")
    for key in table:
        if key not in keys(Stage):
            hint = nearest(key, keys(Stage))
            raise UserError(f"{place}.{key} is not a key of a stage (the keys are {known}){hint}")


def _stage_choices(
    table: Mapping[str, Any], place: str, key: str, field: FieldInfo
) -> tuple[Any, ...]:
    if key in table:
        setting = Setting(key, table[key], f"{place}.{key}")
        return read_choices(setting, _name_of(Stage, key), field)
    if field.is_required():
        raise UserError(f"{place}.{key} is missing: give {allowed_values(field)}")
    return (field.default,)


def _name_of(model: type[BaseModel], key: str) -> str:
    """Return the name that the field of a key has in Python."""
    field = keys(model)[key]
    return next(name for name, one in model.model_fields.items() if one is field)


def _word(value: Any) -> str:
    """Return a value as it is written inline."""
    if not isinstance(value, tuple):
        return str(value)
    height, width = value
    return str(height) if height == width else f"{height}x{width}"


def _stage_word(key: str, value: Any) -> str:
    """Return what a value adds to the text of its stage: nothing where it is the default."""
    if key not in _ALWAYS_WRITTEN and value == keys(Stage)[key].default:
        return ""
    return f"{_LETTER_OF[key]}{value}"
