"""Why no member fits: for each limit, the nearest member, what its figure is made of, what helps.

Every figure here is that of a plan, and every change that is told has been planned.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Any, Final, NamedTuple

from mbv2cli.costs.arena import arena_of
from mbv2cli.costs.figures import PEAK, TFLM, Combine, Counting
from mbv2cli.costs.int8_graph import int8_graph
from mbv2cli.costs.memory import INPLACE_DEPTHWISE, LAYERWISE, rule_named
from mbv2cli.errors import UserError
from mbv2cli.graph.rows import Layer
from mbv2cli.inspection import ModelSpec, plan_of
from mbv2cli.nearest import largest, least_arena, live_peak, scaled, with_fields
from mbv2cli.search.figures import COSTS, WHOLE
from mbv2cli.search.members import Members
from mbv2cli.search.partial import PartialResult
from mbv2cli.search.query import Bound, Query
from mbv2cli.search.where import Where
from mbv2cli.search.winners import Winner, winners
from mbv2cli.specs.network import NetworkSpec
from mbv2cli.specs.run import InputSpec

_FIGURES: Final = {**COSTS, **WHOLE}

_SMALLEST: Final = "int8"
"""The element type of the fewest bytes."""


class Part(NamedTuple):
    """A stage of a model, what it adds to a figure, and its share of the figure (0 to 1)."""

    name: str
    amount: int
    share: float


class Change(NamedTuple):
    """A new value of a field, and the figure of the member that has it.

    The value is the nearest to the member's own that keeps the limit, of those that were tried.
    ``fits`` tells whether the changed member is known to keep every limit.
    """

    field: str
    before: str
    after: str
    amount: int
    fits: bool


@dataclass(frozen=True, eq=False, slots=True)
class Miss:
    """The member that is nearest to a limit, and its figure.

    ``met`` counts the members that keep this limit. If there is none, ``parts`` has the stages
    that a sum is made of, the largest first, ``culprit`` the layer behind a peak, and ``changes``
    each single change, of the fields ``tried``, that is enough. ``left_out`` names the fields of
    which not every value was tried: another value may be nearer.
    """

    bound: Bound
    met: int
    member: Winner
    amount: int
    parts: tuple[Part, ...] = ()
    culprit: Layer | None = None
    tried: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, eq=False, slots=True)
class Misses:
    """Why no member fits.

    ``exclusive`` has the pairs of conditions that some members fulfil each, but none fulfils
    both. ``nearest`` is the member that breaks its limits by the smallest ``factor``. It is None
    where no member keeps some limit, and where a member keeps all limits but not ``--where``.
    """

    limits: tuple[Miss, ...]
    exclusive: tuple[tuple[Bound | Where, Bound | Where], ...]
    nearest: Winner | None
    factor: float


def misses(query: Query, result: PartialResult) -> Misses | None:
    """Return why no member fits; None if one fits, or if there is no limit or no member."""
    if result.feasible or not result.buildable or not query.bounds:
        return None
    met = [result.buildable - failed for failed in result.failed]
    pairs = zip(query.pairs, result.pairs_met, strict=True)
    *of_bounds, of_all = winners(query, Members.joined(result.misses))
    factor = max(float(bound.distance(of_all.figures[bound.figure])) for bound in query.bounds)
    each_is_met = all(met[: len(query.bounds)])
    return Misses(
        limits=tuple(
            _miss(query, bound, count, member)
            for bound, count, member in zip(query.bounds, met, of_bounds, strict=False)
        ),
        exclusive=tuple(
            (query.conditions[one], query.conditions[other])
            for (one, other), is_met in pairs
            if met[one] and met[other] and not is_met
        ),
        nearest=of_all if each_is_met and factor > 1 else None,
        factor=factor,
    )


def _miss(query: Query, bound: Bound, met: int, member: Winner) -> Miss:
    amount = member.figures[bound.figure]
    if met:
        return Miss(bound, met, member, amount)
    counting = query.counting
    is_sum = _FIGURES[bound.figure].combine(counting) is Combine.SUM
    model = _Model(member.request.spec, member.request.input, counting)
    fields = _fields(model, bound)
    nearest = {field: field.nearest(model, bound) for field in fields}
    return Miss(
        bound,
        met,
        member,
        amount,
        _parts(member, bound.figure, counting) if is_sum else (),
        None if is_sum else _culprit(member, bound, counting),
        tuple(field.name for field in fields),
        tuple(field.name for field, found in nearest.items() if not found.is_exact),
        tuple(
            _change(query, bound, field, model, found.model)
            for field, found in nearest.items()
            if found.model
        ),
    )


def _parts(member: Winner, name: str, counting: Counting) -> tuple[Part, ...]:
    """Return the stages of a member, those that add most to a figure first."""
    amounts: dict[str, int] = {}
    for segment in member.plan.segments:
        amount = segment.amount(COSTS[name], counting)
        amounts[segment.stage] = amounts.get(segment.stage, 0) + amount
    total = member.figures[name]
    parts = (Part(stage, amount, amount / total) for stage, amount in amounts.items() if amount)
    return tuple(sorted(parts, key=lambda part: -part.amount))


def _culprit(member: Winner, bound: Bound, counting: Counting) -> Layer:
    """Return the layer that causes the peak."""
    plan = member.plan
    if bound.figure == TFLM.name:
        arena = arena_of(int8_graph(plan.graph))
        moment = arena.alive.index(arena.live_peak)
        return plan.layer_of(arena.graph.ops[max(moment - 1, 0)].op)
    return plan.layer_of(plan.memory(rule_named(counting.rule)).culprit)


class _Model(NamedTuple):
    """A model, its input, and how its figures are counted."""

    spec: ModelSpec
    input: InputSpec
    counting: Counting

    def keeps(self, bound: Bound) -> bool:
        """Return whether the model is known to keep a limit."""
        return bool(bound.holds(self.amount(bound))) and not self.unknown(bound)

    def amount(self, bound: Bound) -> int:
        """Return the figure that is limited."""
        return plan_of(self.spec, self.input).figure(_FIGURES[bound.figure], self.counting)

    def unknown(self, bound: Bound) -> tuple[str, ...]:
        """Return the functions that the limited figure has no rule for."""
        return plan_of(self.spec, self.input).uncounted(_FIGURES[bound.figure], self.counting)

    @property
    def ops(self) -> int:
        """The number of operations."""
        return len(plan_of(self.spec, self.input).graph.ops)

    def value(self, field: str) -> Any:
        """Return the value of a field of the spec."""
        return getattr(self.spec, field)

    def having(self, field: str, value: object) -> _Model:
        """Return the model with another value of a field of its spec. Raises `UserError`."""
        return self._replace(spec=with_fields(self.spec, {field: value}))


class _Nearest(NamedTuple):
    """The nearest model that keeps a limit, if there is one, and whether none was left out."""

    model: _Model | None
    is_exact: bool = True


class _Field(NamedTuple):
    """A field that is tried: its value as text, and the nearest model that keeps a limit."""

    name: str
    text: Callable[[_Model], str]
    nearest: Callable[[_Model, Bound], _Nearest]


def _change(query: Query, bound: Bound, field: _Field, model: _Model, changed: _Model) -> Change:
    keeps_all = all(map(changed.keeps, query.bounds))
    before, after = field.text(model), field.text(changed)
    return Change(field.name, before, after, changed.amount(bound), keeps_all)


def _fields(model: _Model, bound: Bound) -> tuple[_Field, ...]:
    """Return the fields whose change may bring a model within a limit.

    There are none where the figure is not known.
    """
    if model.unknown(bound):
        return ()
    counting = model.counting
    is_peak = bound.figure == PEAK.name
    applies = {
        "classes": isinstance(model.spec, NetworkSpec),
        "size": True,
        "width_mult": isinstance(model.spec, NetworkSpec),
        "dtype": is_peak and counting.dtype != _SMALLEST,
        "peak_rule": is_peak and counting.rule == LAYERWISE.name,
    }
    return tuple(field for field in _FIELDS if applies[field.name])


def _fewer_classes(model: _Model, bound: Bound) -> _Nearest:
    """Return the model with the most classes that keeps the limit."""

    def having(count: int) -> _Model:
        return model.having("classes", count)

    def may_keep(count: int) -> bool:
        return live_peak(having(count).spec, model.input) <= bound.limit

    return _largest(model, range(model.value("classes")), having, may_keep, bound)


def _smaller_input(model: _Model, bound: Bound) -> _Nearest:
    """Return the model on the largest input of the same proportions that keeps the limit."""

    def on(side: int) -> _Model:
        return model._replace(input=scaled(model.input, side))

    def may_keep(side: int) -> bool:
        return least_arena(model.spec, scaled(model.input, side)) <= bound.limit

    return _largest(model, range(1, max(model.input.size)), on, may_keep, bound)


def _largest(
    model: _Model,
    numbers: range,
    model_of: Callable[[int], _Model],
    may_keep_arena: Callable[[int], bool],
    bound: Bound,
) -> _Nearest:
    """Return the model of the largest of some numbers that keeps the limit.

    No figure but the arena is larger for a smaller number.
    """

    def keeps(number: int) -> bool:
        return model_of(number).keeps(bound)

    may_keep = may_keep_arena if bound.figure == TFLM.name else keeps
    number, is_exact = largest(numbers, keeps, may_keep, model.ops)
    return _Nearest(None if number is None else model_of(number), is_exact)


def _narrower(model: _Model, bound: Bound) -> _Nearest:
    """Return the model of the largest smaller width multiplier, in hundredths.

    A peak or an arena may be larger for a smaller width: shortcuts come and go.
    """

    def having(hundredths: int) -> _Model:
        return model.having("width_mult", hundredths / 100)

    def keeps(hundredths: int) -> bool:
        try:
            return having(hundredths).keeps(bound)
        except UserError:  # the expand ratio may leave no hidden channel
            return False

    widths = range(1, ceil(model.value("width_mult") * 100))
    number, is_exact = largest(widths, keeps, lambda _: True, model.ops)
    return _Nearest(None if number is None else having(number), is_exact)


def _in_int8(model: _Model, bound: Bound) -> _Nearest:
    return _if_kept(model._replace(counting=model.counting._replace(dtype=_SMALLEST)), bound)


def _in_place(model: _Model, bound: Bound) -> _Nearest:
    rule = INPLACE_DEPTHWISE.name
    return _if_kept(model._replace(counting=model.counting._replace(rule=rule)), bound)


def _if_kept(model: _Model, bound: Bound) -> _Nearest:
    return _Nearest(model if model.keeps(bound) else None)


def _size_text(model: _Model) -> str:
    height, width = model.input.size
    return str(height) if height == width else f"{height}x{width}"


_FIELDS: Final = (
    _Field("classes", lambda model: str(model.value("classes")), _fewer_classes),
    _Field("size", _size_text, _smaller_input),
    _Field("width_mult", lambda model: str(model.value("width_mult")), _narrower),
    _Field("dtype", lambda model: model.counting.dtype, _in_int8),
    _Field("peak_rule", lambda model: model.counting.rule, _in_place),
)
