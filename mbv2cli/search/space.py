"""A space: for every field of a block or a network, the values that it may take."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, cached_property
from math import prod
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from pydantic import BaseModel, create_model
from pydantic.fields import FieldInfo

from mbv2cli.errors import UserError, value_text
from mbv2cli.specs.base import Spec, allowed_values, keys
from mbv2cli.specs.fields import ambiguous_size, written
from mbv2cli.specs.idle import Choices, causes_of, idle_reason, refuse_idle
from mbv2cli.specs.network import (
    MAX_STAGES,
    PAPER_STAGES,
    NetworkSpec,
    Stage,
    refuse_too_many_blocks,
    scaled_repeats,
)
from mbv2cli.specs.reader import (
    KINDS,
    STAGES,
    Setting,
    by_key,
    read_base,
    read_target,
    refuse_foreign_keys,
    split_target,
)
from mbv2cli.specs.requests import refuse_module
from mbv2cli.specs.run import InputSpec
from mbv2cli.specs.stage_text import BETWEEN, LETTERS, RATIO, WORDS, read_stages

MAX_CHOICES: Final = 4_096
"""Largest number of values for one field."""

MAX_STAGE_VALUES: Final = 32_768
"""Largest number of values for the fields of all stages together."""

_NUMBER: Final = r"(-?\d{1,12}(?:\.\d{1,12})?)"
_RANGE: Final = re.compile(rf"{_NUMBER}:{_NUMBER}:{_NUMBER}")

_LETTER_OF: Final = {key: letter for letter, key in LETTERS.items()}
_WORD_OF: Final = {value: word for word, value in WORDS.items()}
_OF_DEPTH: Final = frozenset({"depth_mult", "n"})
_ALWAYS_WRITTEN: Final = frozenset({"t", "c"})
"""Keys that the text of a stage has even with default values, if they are given."""


class Axis(NamedTuple):
    """A field and its possible values. ``stage`` is None for fields of the block or network.

    If ``explicit``, the target of a member names the field. ``given`` is whether there is a
    setting of it, which may be that of a preset or of a file. ``has_list`` is whether the base has
    several values of it.
    """

    key: str
    values: tuple[Any, ...]
    stage: int | None = None
    explicit: bool = False
    given: bool = False
    has_list: bool = False

    @property
    def name(self) -> str:
        """The key, with the number of the stage: ``s2.c``."""
        return self.key if self.stage is None else f"s{self.stage + 1}.{self.key}"


@dataclass(frozen=True)
class Space:
    """A block or network (``kind``) with a choice of values for each field.

    A member has one value of each axis. The last axis varies fastest in the order of members.
    """

    base: str
    kind: str
    axes: tuple[Axis, ...]

    @property
    def size(self) -> int:
        """Number of members."""
        return prod(len(axis.values) for axis in self.axes)

    @property
    def varied(self) -> tuple[Axis, ...]:
        """The axes with more than one value."""
        return tuple(axis for axis in self.axes if len(axis.values) > 1)

    @property
    def stages(self) -> int:
        """Number of stages; 0 for a block."""
        return 1 + max((axis.stage for axis in self.axes if axis.stage is not None), default=-1)

    @property
    def choices(self) -> SpaceChoices:
        """The values of each key."""
        return _choices_of([axis.values for axis in self.axes], self)

    def target(self, member: Sequence[int]) -> str:
        """Return the target of a member, given by the number of its value on each varied axis.

        Every command accepts this target: it has no setting that does nothing in the member.
        """
        numbers = iter(member)
        fields = [texts[next(numbers)] if len(texts) > 1 else texts[0] for texts in self.fields]
        for number in self.idle_axes(member):
            fields[number] = ""
        text = "".join(fields)
        return f"{self.base}:{text[1:]}" if text else self.base

    @cached_property
    def fields(self) -> tuple[tuple[str, ...], ...]:
        """The text of each value of each axis in a target, with a comma before it."""
        fields: list[tuple[str, ...]] = []
        stage = None
        for axis in self.axes:
            if not axis.explicit:
                fields.append(("",) * len(axis.values))
            elif axis.stage is None:
                fields.append(tuple(f",{axis.key}={written(one)}" for one in axis.values))
            else:
                between = BETWEEN if stage is not None else f",{STAGES}="
                start = "" if axis.stage == stage else between
                fields.append(tuple(start + _stage_text(axis, one) for one in axis.values))
                stage = axis.stage
        return tuple(fields)

    @cached_property
    def _sometimes_idle(self) -> tuple[int, ...]:
        """The numbers of the axes that a target names, and that may do nothing in a member."""
        varied = {axis.key if axis.stage is None else STAGES for axis in self.varied}
        values, stages = self.choices
        return tuple(
            number
            for number, axis in enumerate(self.axes)
            if axis.explicit
            and axis.stage is None
            and not axis.has_list
            and (varied & causes_of(axis.key) or idle_reason(axis.key, values, stages))
        )

    def idle_axes(self, member: Sequence[int]) -> tuple[int, ...]:
        """Return the numbers of the axes that do nothing in a member: its target has none."""
        if not self._sometimes_idle:
            return ()
        numbers = iter(member)
        values, stages = _choices_of(
            ((own[next(numbers)] if len(own) > 1 else own[0],) for _, own, *_ in self.axes), self
        )
        return tuple(
            number
            for number in self._sometimes_idle
            if idle_reason(self.axes[number].key, values, stages)
        )


class SpaceChoices(NamedTuple):
    """The values of the keys of a block or a network, and of each stage."""

    values: Choices
    stages: tuple[Choices, ...]


def _choices_of(chosen: Iterable[Collection[Any]], space: Space) -> SpaceChoices:
    """Return the values that are chosen for each axis of a space, by their keys."""
    values: dict[str, Collection[Any]] = {}
    stages: list[dict[str, Collection[Any]]] = [{} for _ in range(space.stages)]
    for axis, own in zip(space.axes, chosen, strict=True):
        (values if axis.stage is None else stages[axis.stage])[axis.key] = own
    return SpaceChoices(values, tuple(stages))


def read_space(target: str, flags: Iterable[Setting] = ()) -> Space:
    """Read the space of a target whose flags may be lists and ranges. Raises `UserError`."""
    refuse_module(target, "sweep plans every model of a space, and a module has no plan")
    described, inline = read_target(target)
    name, _inline = split_target(target)
    return _space(name, described.kind, described.settings, [*inline, *flags])


def read_space_file(path: Path, flags: Iterable[Setting] = ()) -> Space:
    """Read a TOML file whose values, also those of stages, may be lists and ranges.

    Its ``target`` is one of any command; a file is found from the folder of ``path``. A flag
    replaces the value of the file. Raises `UserError`.
    """
    base, own = read_base(path)
    return read_space(base, [*own, *flags])


def _refuse_ambiguous_size(setting: Setting) -> None:
    """Raise `UserError` for a size that may mean one input or two."""
    if ambiguous_size(setting.value):
        height, width = cast("list[int]", setting.value)
        raise UserError(
            f"{setting.place} = [{height}, {width}] may be one input or two sizes; write "
            f'size = "{height}x{width}" for one input of that height and width, or '
            f'size = ["{height}x{height}", "{width}x{width}"] for two sizes'
        )


def _space(base: str, kind: str, own: Iterable[Setting], choices: Iterable[Setting]) -> Space:
    """Return the space of a target with its ``own`` settings and with ``choices``, which win."""
    fixed, chosen = by_key(own), by_key(choices)
    refuse_foreign_keys(kind, [*fixed.values(), *chosen.values()])
    if stop := chosen.get("until", fixed.get("until")):
        raise UserError(
            f"{stop.place}: a sweep has no until; give the stages up to there, with head = 0 and "
            "classes = 0"
        )
    axes: list[Axis] = [
        _axis(model, key, fixed.get(key), chosen.get(key))
        for model in (KINDS[kind], InputSpec)
        for key in keys(model)
        if key != STAGES
    ]
    if kind == "network":
        axes += _stage_axes(fixed.get(STAGES), chosen.get(STAGES))
        _refuse_too_many_blocks(axes)
    space = Space(base, kind, tuple(axes))
    settings = by_key([*fixed.values(), *chosen.values()]).values()
    refuse_idle({one.key: one.place for one in settings}, *space.choices)
    return space


def _refuse_too_many_blocks(axes: Iterable[Axis]) -> None:
    """Raise `UserError` if the deepest member has more blocks than a network may have."""
    most = {(axis.key, axis.stage): max(axis.values) for axis in axes if axis.key in _OF_DEPTH}
    depth = most.pop(("depth_mult", None))
    first, *middle, last = [*most.values()] if len(most) > 1 else [*most.values(), 0]
    refuse_too_many_blocks(first + sum(scaled_repeats(n, depth) for n in middle) + last)


def _axis(model: type[Spec], key: str, fixed: Setting | None, chosen: Setting | None) -> Axis:
    name, field = _name_of(model, key), keys(model)[key]
    has_list = fixed is not None and not _is_one_value(fixed, name, field)
    if chosen is not None:
        values = read_choices(chosen, name, field)
        return Axis(key, values, explicit=True, given=True, has_list=has_list)
    if fixed is not None:
        values = read_choices(fixed, name, field)
        explicit = len(values) > 1 or has_list
        return Axis(key, values, explicit=explicit, given=True, has_list=has_list)
    return Axis(key, (None if field.default_factory else field.default,))


def _stage_axes(fixed: Setting | None, chosen: Setting | None) -> list[Axis]:
    """Return the axes of the stages. A target names all of them, or none if they do not vary."""
    setting = chosen or fixed
    if setting is None:
        names = {key: _name_of(Stage, key) for key in keys(Stage)}
        return [
            Axis(key, (getattr(stage, name),), number)
            for number, stage in enumerate(PAPER_STAGES)
            for key, name in names.items()
        ]
    every = (
        (key, _stage_choices(table, f"{setting.place}[{number}]", key, field), number, key in table)
        for number, table in enumerate(_stage_tables(setting))
        for key, field in keys(Stage).items()
    )
    choices = []
    for one in every:
        choices.append(one)
        if sum(len(values) for _, values, *_ in choices) > MAX_STAGE_VALUES:
            raise UserError(
                f"{setting.place} has more than {MAX_STAGE_VALUES:,} values; give fewer"
            )
    field = keys(NetworkSpec)[STAGES]
    explicit = chosen is not None or not _is_one_value(setting, STAGES, field)
    return [Axis(key, values, number, explicit, given) for key, values, number, given in choices]


def _stage_tables(setting: Setting) -> list[dict[str, Any]]:
    """Return the table of each stage, its values not yet read. Raises `UserError`."""
    allowed = f"{setting.place} must be {allowed_values(keys(NetworkSpec)[STAGES])}"
    try:
        tables = read_stages(setting.value, setting.place)
    except ValueError:
        raise UserError(f"{allowed}, not {value_text(setting.value)}") from None
    if not isinstance(tables, list) or not 1 <= len(tables) <= MAX_STAGES:
        raise UserError(allowed)
    for number, table in enumerate(tables):
        place = f"{setting.place}[{number}]"
        if not isinstance(table, dict):
            known = ", ".join(keys(Stage))
            raise UserError(
                f"{place} must be a table with the keys {known}, not {value_text(table)}"
            )
    return tables


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
    """Return the Python name of the field with this key."""
    field = keys(model)[key]
    return next(name for name, one in model.model_fields.items() if one is field)


def _stage_text(axis: Axis, value: Any) -> str:
    """Return a value as it is written in the text of its stage: nothing if it is the default."""
    key = axis.key
    is_written = axis.given and key in _ALWAYS_WRITTEN
    if not is_written and value == keys(Stage)[key].default:
        return ""
    if key == "se":
        return f"_{RATIO}{value}"
    return f"{_LETTER_OF[key]}{written(value)}" if key in _LETTER_OF else f"_{_WORD_OF[key, value]}"


def read_choices(setting: Setting, name: str, field: FieldInfo) -> tuple[Any, ...]:
    """Return the values of ``setting`` for a field, each once, in the order given.

    A text is a list of words, separated by commas. A word ``start:stop:step`` is a range. It
    includes stop if the steps reach it. Raises `UserError`.
    """
    if setting.key == "size":
        _refuse_ambiguous_size(setting)
    words = [word for item in _items(setting) for word in _words(item)]
    if not words:
        raise UserError(f"{setting.place} is an empty list; give a value")
    _refuse_too_many(len(words), setting.place)
    parts = [_part(word, setting.place) for word in words]
    _refuse_too_many(sum(part.values_count for part in parts), setting.place)
    model = _one_field_model(name, field)
    values = (
        getattr(
            model.model_validate({setting.key: value}, context={setting.key: setting.place}), name
        )
        for part in parts
        for value in part.values()
    )
    return tuple(dict.fromkeys(values))


def _is_one_value(setting: Setting, name: str, field: FieldInfo) -> bool:
    """Return whether every command reads the setting as it is, not only a sweep."""
    try:
        _one_field_model(name, field).model_validate({setting.key: setting.value})
    except UserError:
        return False
    return True


def _items(setting: Setting) -> Sequence[object]:
    return setting.value if isinstance(setting.value, list) else [setting.value]


def _words(item: object) -> Sequence[object]:
    return [word.strip() for word in item.split(",")] if isinstance(item, str) else [item]


def _refuse_too_many(count: int, place: str) -> None:
    if count > MAX_CHOICES:
        raise UserError(f"{place} has {count:,} values; give at most {MAX_CHOICES:,}")


class _One(NamedTuple):
    """A word that is not a range, or a value of a list."""

    value: object
    values_count: int = 1

    def values(self) -> Iterator[object]:
        """Yield the value."""
        yield self.value


class _Range(NamedTuple):
    """A range of numbers, not yet worked out."""

    start: Decimal
    step: Decimal
    values_count: int

    def values(self) -> Iterator[object]:
        """Yield the numbers, as texts."""
        for number in range(self.values_count):
            yield f"{self.start + number * self.step:f}"


def _part(word: object, place: str) -> _One | _Range:
    """Return what a word means. Raises `UserError` for a range that is wrong or too large."""
    return _range(word, place) if isinstance(word, str) and ":" in word else _One(word)


def _range(word: str, place: str) -> _Range:
    found = _RANGE.fullmatch(word)
    if not found:
        raise UserError(
            f"{place}: '{word}' is not a range; write start:stop:step, such as 0.35:1.4:0.05"
        )
    start, stop, step = map(Decimal, found.groups())
    if step <= 0 or stop < start:
        raise UserError(
            f"{place}: '{word}' has no values; start must not be above stop, and step must be "
            "above 0"
        )
    count = int((stop - start) / step) + 1
    if count > MAX_CHOICES:
        raise UserError(
            f"{place}: '{word}' has {count:,} values; at most {MAX_CHOICES:,} are allowed, so use "
            "a larger step"
        )
    return _Range(start, step, count)


@cache
def _one_field_model(name: str, field: FieldInfo) -> type[Spec]:
    """Return a model of this field alone, so that no other field restricts its values."""
    fields: dict[str, Any] = {name: (field.annotation, field)}
    return create_model("OneField", __base__=Spec, **fields)
