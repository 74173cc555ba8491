"""Two models beside each other: what they are, and how they differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from mbv2cli.costs.figures import PEAK, Counting, Figure, graded_figures
from mbv2cli.costs.layers import By, GroupFigures, group_of, grouped, layer_figures
from mbv2cli.costs.memory import ELEMENT_BYTES, LAYERWISE, MEMORY_RULES
from mbv2cli.errors import UserError, nearest
from mbv2cli.gate.differences import Differences, Snapshot, differences, snapshot
from mbv2cli.gate.git import GitError, output_of
from mbv2cli.gate.lock import parse_lock
from mbv2cli.gate.locked import Locked, LockedModule
from mbv2cli.inspection import Model, Plan, plan_of
from mbv2cli.specs.files import decoded
from mbv2cli.specs.reader import Setting, read_request

_DEFAULT: Final = Counting(rule=LAYERWISE.name, dtype="float32")
_ANEW: Final = "run mbv2 lock to write it anew"


class Side(NamedTuple):
    """A model with its name, and how its peak is counted; ``locked`` if it is of a lock."""

    name: str
    model: Model
    counting: Counting = _DEFAULT
    locked: Locked | None = None

    def snapshot(self) -> Snapshot:
        """Return the model with every graded figure, and its peak under every memory rule."""
        return snapshot(self.model, self.counting, _compared(self.counting))


def _compared(counting: Counting) -> Iterator[tuple[Figure, Counting]]:
    for figure in graded_figures():
        rules = [rule.name for rule in MEMORY_RULES] if figure is PEAK else [counting.rule]
        yield from ((figure, counting._replace(rule=rule)) for rule in rules)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models and their differences."""

    before: Side
    after: Side
    found: Differences

    @property
    def differs(self) -> bool:
        """Whether a field, a figure or a layer differs."""
        return self.found.differs


class GroupPair(NamedTuple):
    """A stage or a block of both models, None if only one has it.

    ``differing`` is the number of its layers that differ.
    """

    name: str
    before: GroupFigures | None
    after: GroupFigures | None
    differing: int


def compare(before: Side, after: Side) -> Comparison:
    """Return the comparison of two models."""
    locked = before.locked, after.locked
    if any(isinstance(one, LockedModule) for one in locked):  # which has no other figures
        recorded = [one.snapshot for one in locked if one]
        return Comparison(before, after, differences(*recorded))
    return Comparison(before, after, differences(before.snapshot(), after.snapshot()))


def group_pairs(comparison: Comparison, by: By) -> tuple[GroupPair, ...]:
    """Return the stages or blocks in which a layer differs, in forward order.

    Raises `UserError` for a module, of which nobody knows the blocks.
    """
    for side in (comparison.before, comparison.after):
        if not isinstance(side.model, Plan):
            raise UserError(
                f"--by {by} is for blocks and networks: no plan says which layers of a module, "
                f"such as {side.name}, are a {by}; leave it out"
            )
    differing: dict[str, int] = {}
    for pair in comparison.found.differing_layers:
        for name in {group_of(layer, by) for layer in pair.layers}:
            differing[name] = differing.get(name, 0) + 1
    old, new = (_groups(side, by) for side in (comparison.before, comparison.after))
    return tuple(
        GroupPair(name, old.get(name), new.get(name), differing[name])
        for name in dict.fromkeys([*old, *new])
        if name in differing
    )


def _groups(side: Side, by: By) -> dict[str, GroupFigures]:
    figures = layer_figures(side.model.graph, side.model.layers, side.counting.dtype)
    return {group.name: group for group in grouped(figures, by)}


def side_of_text(text: str, input_settings: Iterable[Setting] = ()) -> Side:
    """Return the model of a target. ``input_settings`` replace size and batch of its input.

    Raises `UserError`.
    """
    request = read_request(text, input_settings)
    return Side(text, plan_of(request.spec, request.input))


def lock_at(path: Path, revision: str) -> Mapping[str, Locked]:
    """Return the cases of the lock at ``path`` in a git revision.

    Raises `UserError` if git has no such lock.
    """
    arguments = ["show", "--end-of-options", f"{revision}:./{path.name}"]
    try:
        content = output_of(arguments, path.parent)
    except GitError as error:
        raise UserError(f"git has no {path.name} at '{revision}': {error}") from None
    place = f"{path.name} at {revision}"
    return parse_lock(decoded(content, place), place)


def locked_side(cases: Mapping[str, Locked], name: str, place: str, title: str) -> Side:
    """Return the model of a locked case. Raises `UserError` if the lock does not have the case."""
    if name not in cases:
        raise UserError(
            f"{place} has no case '{name}' (the cases are {', '.join(cases)}){nearest(name, cases)}"
        )
    try:
        model = cases[name].model
    except UserError as error:
        raise UserError(f"{place}: the case '{name}' is not a model: {error}; {_ANEW}") from None
    counting = cases[name].counting
    if counting.rule not in {rule.name for rule in MEMORY_RULES}:
        raise UserError(f"{place}: no memory rule is named '{counting.rule}'; {_ANEW}")
    if counting.dtype not in ELEMENT_BYTES:
        raise UserError(f"{place}: no element type is named '{counting.dtype}'; {_ANEW}")
    return Side(title, model, counting, cases[name])
