"""What makes the arena of a planned model smaller."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from math import ceil
from typing import Final, NamedTuple

from mbv2cli.costs.arena import arena_of
from mbv2cli.costs.int8_graph import int8_graph
from mbv2cli.errors import UserError
from mbv2cli.inspection import ModelSpec, Plan, plan_of
from mbv2cli.nearest import SAME_PADDING, Nearest, largest, least_arena, scaled, with_fields
from mbv2cli.specs.network import NetworkSpec
from mbv2cli.specs.run import InputSpec

WIDTH_STEP: Final = 0.05

MOST_OPS: Final = 2_000
"""Operations of a model whose smaller inputs and widths are tried, which takes some 50 plans."""

_Fields = Mapping[str, object]


class Saving(NamedTuple):
    """Fields with other values, and the bytes of the arena that the model then has."""

    fields: Mapping[str, object]
    arena_bytes: int


class Savings(NamedTuple):
    """What was found, and the fields that were tried.

    ``left_out`` names the fields of which not every smaller value was tried: a larger one than
    that which was found may keep the limit.
    """

    found: tuple[Saving, ...] = ()
    tried: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def savings(plan: Plan, limit: int | None) -> Savings:
    """Return what makes the arena of ``plan`` smaller.

    That is TensorFlow's padding where it saves bytes. Where the model is above a ``limit`` in
    bytes, also the largest input of the same proportions and the largest width, in steps of
    `WIDTH_STEP`, that keep the limit: each alone and, where a larger one then keeps it, with
    TensorFlow's padding.
    """
    batch, _, height, width = plan.input_shape
    model = _Model(plan.spec, InputSpec(batch=batch, size=(height, width)))
    before = model.arena_bytes({})
    if before is None:
        return Savings()
    is_torch = plan.spec.padding != "same"
    padded = tuple(model.savings(SAME_PADDING)) if is_torch else ()
    smaller = tuple(one for one in padded if one.arena_bytes < before)
    tried = tuple(SAME_PADDING) if is_torch else ()
    if limit is None or before <= limit:
        return Savings(smaller, tried)
    is_padding_short = any(one.arena_bytes > limit for one in padded)
    paddings = ({}, SAME_PADDING) if is_padding_short else ({},)
    fields = [field for field in _FIELDS if field.count(model)]
    if len(plan.graph.ops) > MOST_OPS:
        return Savings(smaller, tried, tuple(field.name for field in fields))
    results = [one for field in fields for one in _largest_of(model, field, paddings, limit)]
    found = (model.savings(one.fields) for one in results if one.fields)
    left_out = dict.fromkeys(one.field.name for one in results if not one.is_exact)
    return Savings(
        (*smaller, *chain.from_iterable(found)),
        (*tried, *(field.name for field in fields)),
        tuple(left_out),
    )


class _Model(NamedTuple):
    """A spec and its input."""

    spec: ModelSpec
    input: InputSpec

    @property
    def plan(self) -> Plan:
        """The plan of the model."""
        return plan_of(self.spec, self.input)

    def having(self, fields: _Fields) -> _Model:
        """Return the model with other fields of its spec or size. Raises `UserError`."""
        own = {name: value for name, value in fields.items() if name != "size"}
        size = fields.get("size", self.input.size)
        values = {"batch": self.input.batch, "size": size}
        return _Model(with_fields(self.spec, own), InputSpec.model_validate(values))

    def arena_bytes(self, fields: _Fields) -> int | None:
        """Return the arena with other fields; None if that is not a model, or not known."""
        try:
            graph = int8_graph(self.having(fields).plan.graph)
        except UserError:
            return None
        return None if graph.unknown else arena_of(graph).size

    def savings(self, fields: _Fields) -> Iterator[Saving]:
        """Yield what other fields come to, if that is a model and known."""
        size = self.arena_bytes(fields)
        if size is not None:
            yield Saving(fields, size)


class _Field(NamedTuple):
    """A field with numbers from 1 to ``count`` for its values that are below the model's own.

    ``may_keep`` is false where the model with a number cannot keep a limit, nor with a larger one.
    """

    name: str
    count: Callable[[_Model], int]
    having: Callable[[_Model, int], _Fields]
    may_keep: Callable[[_Model, int, int], bool]


class _Result(NamedTuple):
    """The fields with the largest value of one that keeps the limit; no fields without one."""

    field: _Field
    fields: _Fields
    is_exact: bool


def _largest_of(
    model: _Model, field: _Field, paddings: Iterable[_Fields], limit: int
) -> Iterator[_Result]:
    """Yield the largest value of a field that keeps the limit with each padding.

    A value with a padding must be larger than those with the paddings before.
    """
    above = 0
    for padding in paddings:
        number, is_exact = _largest(model, padding, field, above, limit)
        having = {} if number is None else {**padding, **field.having(model, number)}
        yield _Result(field, having, is_exact)
        above = number or above


def _largest(model: _Model, padding: _Fields, field: _Field, above: int, limit: int) -> Nearest:
    def keeps(number: int) -> bool:
        size = model.arena_bytes({**padding, **field.having(model, number)})
        return size is not None and size <= limit

    numbers = range(above + 1, field.count(model) + 1)
    return largest(
        numbers,
        keeps,
        lambda number: field.may_keep(model, number, limit),
        len(model.plan.graph.ops),
    )


def _sides(model: _Model) -> int:
    return max(model.input.size) - 1


def _on_side(model: _Model, side: int) -> _Fields:
    height, width = scaled(model.input, side).size
    return {"size": height if height == width else f"{height}x{width}"}


def _side_may_keep(model: _Model, side: int, limit: int) -> bool:
    return least_arena(model.spec, scaled(model.input, side)) <= limit


def _steps(model: _Model) -> int:
    spec = model.spec
    return ceil(spec.width_mult / WIDTH_STEP) - 1 if isinstance(spec, NetworkSpec) else 0


def _of_width(_model: _Model, step: int) -> _Fields:
    return {"width_mult": round(step * WIDTH_STEP, 2)}


def _width_may_keep(_model: _Model, _step: int, _limit: int) -> bool:
    return True


_FIELDS: Final = (
    _Field("size", _sides, _on_side, _side_may_keep),
    _Field("width_mult", _steps, _of_width, _width_may_keep),
)
