"""The best networks of a small space that keep limits: each is planned, with its arena."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Final, NamedTuple

from mbv2cli.costs.arena import PersistentData, arena_of, persistent_data
from mbv2cli.costs.figures import MACS, PARAMS, PEAK, TFLM, Better, Counting, combining_figures
from mbv2cli.costs.int8_graph import int8_graph
from mbv2cli.errors import UserError
from mbv2cli.gate.boards import exceeds_sram
from mbv2cli.gate.limits import AmountVerdict, Expectations, Limits, verdicts
from mbv2cli.graph.segments import segments_of
from mbv2cli.inspection import Plan, plan_of
from mbv2cli.search.space import Space, read_space
from mbv2cli.specs.base import keys
from mbv2cli.specs.boards import Board
from mbv2cli.specs.files import read_text
from mbv2cli.specs.idle import idle_reason
from mbv2cli.specs.network import NetworkSpec
from mbv2cli.specs.reader import Setting, read_base, read_request, read_target

SPACE_FILE: Final = Path(__file__).with_name("fit.toml")
"""The default space."""

VARIED: Final = ("width_mult", "size", "expand", "padding")
"""The fields that the default space varies."""

MAX_MEMBERS: Final = 5_000
"""Most members of the space: a plan with its arena takes some milliseconds."""

MAX_SEGMENTS: Final = 120_000
"""Most segments of all networks together: blocks, stem, head and classifier. That is more than
`MAX_MEMBERS` networks of the paper have."""

NEAR: Final = 1.1
"""A near miss breaks no limit by more than this factor."""

_INT8: Final = Counting(rule="layerwise", dtype="int8")


class Candidate(NamedTuple):
    """A member of the space, its plan, and the verdicts on it."""

    target: str
    plan: Plan
    verdicts: tuple[AmountVerdict, ...]

    @property
    def holds(self) -> bool:
        """Whether the member keeps every limit."""
        return all(one.holds for one in self.verdicts)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Functions that a figure with a limit has no rule for."""
        return tuple(dict.fromkeys(name for one in self.verdicts for name in one.uncounted))

    @property
    def over(self) -> float:
        """The largest amount ÷ its limit; 1 or less if the member keeps every upper limit."""
        return max(_over(one.limit, one.actual, one.is_minimum) for one in self.verdicts)

    @property
    def persistent(self) -> PersistentData | None:
        """What TFLM keeps beside the arena; None if that is not known."""
        graph = int8_graph(self.plan.graph)
        return None if graph.unknown else persistent_data(graph)

    def exceeds_sram(self, board: Board) -> bool:
        """Return whether the arena surely exceeds the SRAM with what TFLM keeps beside it."""
        persistent = self.persistent
        return persistent is not None and exceeds_sram(board, self.plan.figure(TFLM), persistent)

    @property
    def macs(self) -> int:
        """MACs of the convolutions and linear layers."""
        return self.plan.figure(MACS)

    @property
    def params(self) -> int:
        """Parameters."""
        return self.plan.figure(PARAMS)

    @property
    def culprit(self) -> str:
        """The layer that runs when the arena is fullest; ``input`` before the first layer."""
        graph = int8_graph(self.plan.graph)
        if graph.unknown:
            return ""
        arena = arena_of(graph)
        moment = arena.alive.index(arena.live_peak)
        if not moment:
            return "input"
        layer = self.plan.graph.ops[graph.ops[moment - 1].op]
        return layer.path or layer.function


def _over(limit: int, actual: int, is_minimum: bool) -> float:  # noqa: FBT001  (of a verdict)
    amount, bound = (limit, actual) if is_minimum else (actual, limit)
    if not bound:
        return float("inf") if amount else 0.0
    return amount / bound


@dataclass(frozen=True, slots=True)
class Fit:
    """The best members of a space that keep the limits, and the near misses above them.

    ``networks`` is the number of different networks among the members. ``nearest`` breaks its
    limits by the smallest factor, if nothing fits and nothing is near. Members whose figures are
    not known are left out: ``unknown`` names the functions without a rule.
    """

    space: Space
    limits: Limits
    networks: int
    best: tuple[Candidate, ...]
    near: tuple[Candidate, ...]
    nearest: Candidate | None = None
    unknown: tuple[str, ...] = ()


def read_fit_space(target: str, settings: Sequence[Setting]) -> Space:
    """Return the default space with another base, and with the values that flags give.

    What the target itself says about a field is not varied. Raises `UserError`.
    """
    described, inline = read_target(target)
    if described.kind != NetworkSpec.noun:
        raise UserError("mbv2 fit varies a network; give network, or a preset, as the TARGET")
    given = {one.key for one in (*described.settings, *inline, *settings)}
    values, stages = read_space(target, settings).choices
    _base, axes = read_base(SPACE_FILE)
    of_use = (one for one in axes if not idle_reason(one.key, values, stages))
    space = read_space(target, [*(one for one in of_use if one.key not in given), *settings])
    if space.size > MAX_MEMBERS:
        raise UserError(
            f"the space has {space.size:,} members; mbv2 fit plans at most {MAX_MEMBERS:,}, so "
            "give fewer values, or search with mbv2 sweep"
        )
    return space


def space_text() -> str:
    """Return the default space as TOML."""
    return read_text(SPACE_FILE)


def fit(space: Space, limits: Limits, top: int) -> Fit:
    """Return the ``top`` members that keep all limits and have the most MACs.

    Of equal MACs, fewer parameters are better. Of two members that differ in their padding alone,
    the first of the space that fits is listed. Raises `UserError` if no member is a network.
    """
    members = _networks(space)
    ranked = sorted(members, key=lambda one: (-one[1].figure(MACS), one[1].figure(PARAMS)))
    best: dict[object, Candidate] = {}
    near: dict[object, Candidate] = {}
    unknown: dict[str, None] = {}
    for target, plan in ranked:
        if len(best) == top:
            break
        apart_from_padding = (plan.spec.model_copy(update={"padding": ""}), plan.input_shape)
        if apart_from_padding in best or _least_over(plan, limits) > NEAR:
            continue
        candidate = _candidate(target, plan, limits)
        if candidate.unknown:
            unknown.update(dict.fromkeys(candidate.unknown))
        elif candidate.holds:
            best[apart_from_padding] = candidate
        elif not best and candidate.over <= NEAR:
            near.setdefault(apart_from_padding, candidate)
    misses = sorted((one for key, one in near.items() if key not in best), key=lambda one: one.over)
    return Fit(
        space,
        limits,
        len(members),
        tuple(best.values()),
        tuple(misses[:top]),
        None if best or misses else _nearest(members, limits),
        tuple(unknown),
    )


def _candidate(target: str, plan: Plan, limits: Limits) -> Candidate:
    expected = Expectations.model_validate({key: getattr(limits, key) for key in keys(Limits)})
    found = verdicts(expected, plan, _INT8.dtype)
    return Candidate(target, plan, tuple(one for one in found if isinstance(one, AmountVerdict)))


def _nearest(members: Iterable[tuple[str, Plan]], limits: Limits) -> Candidate | None:
    """Return the member that breaks its limits by the smallest factor, if its figures are known."""
    found: Candidate | None = None
    rated = [(_least_over(plan, limits), target, plan) for target, plan in members]
    for least, target, plan in sorted(rated, key=lambda one: one[0]):
        if found and least >= found.over:
            break
        candidate = _candidate(target, plan, limits)
        if not candidate.unknown and (found is None or candidate.over < found.over):
            found = candidate
    return found


def _least_over(plan: Plan, limits: Limits) -> float:
    """Return a lower bound of the largest amount ÷ its limit.

    This takes far less time than an arena. The peak of ``layerwise`` is a lower bound of the arena.
    """
    counting = _INT8._replace(rule=limits.peak_rule)
    return max(_ratios(plan, limits, counting), default=0.0)


def _ratios(plan: Plan, limits: Limits, counting: Counting) -> Iterator[float]:
    arena = limits.limit_of(TFLM)
    if arena is not None:
        yield _over(arena, plan.figure(PEAK, _INT8), is_minimum=False)
    for figure in combining_figures():
        limit = limits.limit_of(figure)
        if limit is not None:
            yield _over(limit, plan.figure(figure, counting), figure.better is Better.LARGER)


def _networks(space: Space) -> list[tuple[str, Plan]]:
    """Return the target and the plan of each network of the space, once.

    Several widths may build the same network: channels are rounded.
    """
    found: dict[object, tuple[str, Plan]] = {}
    count = 0
    problem: UserError | None = None
    for target in _targets(space):
        try:
            request = read_request(target)
        except UserError as error:
            problem = error
            continue
        spec = request.spec
        if isinstance(spec, NetworkSpec):
            segments = tuple(segments_of(spec))
            count += len(segments)
            if count > MAX_SEGMENTS:
                raise UserError(
                    f"the {space.size:,} networks of the space have more than {MAX_SEGMENTS:,} "
                    "blocks together, and mbv2 fit plans each of them; give fewer values, or a "
                    "network of fewer blocks"
                )
            same = (segments, spec.padding, request.input)
            found.setdefault(same, (target, plan_of(spec, request.input)))
    if not found and problem:
        raise problem
    return list(found.values())


def _targets(space: Space) -> Iterator[str]:
    choices: Iterable[range] = (range(len(axis.values)) for axis in space.varied)
    return map(space.target, product(*choices))
