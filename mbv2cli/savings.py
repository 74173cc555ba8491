"""What makes the arena of a planned model smaller."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from mbv2cli.costs.arena import arena_of
from mbv2cli.costs.int8_graph import int8_graph
from mbv2cli.errors import UserError
from mbv2cli.inspection import Plan, plan_of
from mbv2cli.specs.network import NetworkSpec
from mbv2cli.specs.run import InputSpec
from mbv2cli.specs.units import bytes_text

SIZE_STEP: Final = 16
WIDTH_STEP: Final = 0.05

MAX_OPS: Final = 150_000
"""Most operations of all models that are tried: each takes some 20 microseconds."""

SAME_PADDING: Final[Mapping[str, object]] = {"padding": "same"}


class Saving(NamedTuple):
    """Fields with other values, and the bytes of the arena that the model then has."""

    fields: Mapping[str, object]
    arena_bytes: int


def savings(plan: Plan, limit: int | None) -> tuple[Saving, ...]:
    """Return what makes the arena of ``plan`` smaller.

    That is TensorFlow's padding where it saves bytes. Where the model is above a ``limit`` in
    bytes, also the largest input and the largest width that are within it: each alone, and with
    TensorFlow's padding. Raises `UserError` if these are too many operations to try.
    """
    before = _arena_bytes(plan, {})
    if before is None:
        return ()
    paddings: list[Mapping[str, object]] = [{}]
    found: list[Saving] = []
    same = _arena_bytes(plan, SAME_PADDING)
    if same is not None and same < before:
        paddings.append(SAME_PADDING)
        found.append(Saving(SAME_PADDING, same))
    if limit is None or before <= limit:
        return tuple(found)
    sizes, widths = list(_sizes(plan)), list(_widths(plan))
    _refuse_too_many(plan, (len(sizes) + len(widths)) * len(paddings), limit)
    for padding in paddings:
        for changes in (sizes, widths):
            found += _first_within(plan, limit, ({**padding, **one} for one in changes))
    return tuple(found)


def _refuse_too_many(plan: Plan, models: int, limit: int) -> None:
    ops = len(plan.graph.ops)
    if models * ops > MAX_OPS:
        raise UserError(
            f"the arena is above the limit of {bytes_text(limit)}, and smaller inputs and widths "
            f"are {models:,} models of {ops:,} operations, which take too long to try; leave the "
            "limit out, or try a smaller network"
        )


def _first_within(
    plan: Plan, limit: int, changes: Iterable[Mapping[str, object]]
) -> Iterator[Saving]:
    for fields in changes:
        size = _arena_bytes(plan, fields)
        if size is not None and size <= limit:
            yield Saving(fields, size)
            return


def _sizes(plan: Plan) -> Iterator[Mapping[str, object]]:
    """Yield smaller square inputs, the largest first."""
    height, width = plan.input_shape[2:]
    if height == width:
        for side in range((height - 1) // SIZE_STEP * SIZE_STEP, 0, -SIZE_STEP):
            yield {"size": side}


def _widths(plan: Plan) -> Iterator[Mapping[str, object]]:
    """Yield smaller width multipliers, the largest first."""
    if isinstance(plan.spec, NetworkSpec):
        steps = range(round(plan.spec.width_mult / WIDTH_STEP), 0, -1)
        for width in (round(step * WIDTH_STEP, 2) for step in steps):
            if width < plan.spec.width_mult:
                yield {"width_mult": width}


def _arena_bytes(plan: Plan, fields: Mapping[str, object]) -> int | None:
    """Return the arena with other fields; None if that is not a model, or not known."""
    batch, _, height, width = plan.input_shape
    size = fields.get("size")
    own = {name: value for name, value in fields.items() if name != "size"}
    try:
        spec = type(plan.spec).model_validate({**plan.spec.model_dump(by_alias=True), **own})
        sides = (size, size) if isinstance(size, int) else (height, width)
        changed = plan_of(spec, InputSpec(batch=batch, size=sides))
        graph = int8_graph(changed.graph)
    except UserError:
        return None
    return None if graph.unknown else arena_of(graph).size
