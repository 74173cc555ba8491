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
from mbv2cli.gate.lock import LockedCase, parse_lock
from mbv2cli.inspection import Plan, plan_of
from mbv2cli.specs.files import decoded
from mbv2cli.specs.reader import Setting, read_request

_DEFAULT: Final = Counting(rule=LAYERWISE.name, dtype="float32")
_ANEW: Final = "run mbv2 lock to write it anew"


class Side(NamedTuple):
    """A model with its name, and how its peak is counted."""

    name: str
    plan: Plan
    counting: Counting = _DEFAULT

    def snapshot(self) -> Snapshot:
        """Return the model with every graded figure, and its peak under every memory rule."""
        return snapshot(self.plan, self.counting, _compared(self.counting))


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
    return Comparison(before, after, differences(before.snapshot(), after.snapshot()))


def group_pairs(comparison: Comparison, by: By) -> tuple[GroupPair, ...]:
    """Return the stages or blocks in which a layer differs, in forward order."""
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
    figures = layer_figures(side.plan.graph, side.plan.layers, side.counting.dtype)
    return {group.name: group for group in grouped(figures, by)}


def side_of_text(text: str, input_settings: Iterable[Setting] = ()) -> Side:
    """Return the model of a target. ``input_settings`` replace size and batch of its input.

    Raises `UserError`.
    """
    request = read_request(text, input_settings)
    return Side(text, plan_of(request.spec, request.input))


def lock_at(path: Path, revision: str) -> Mapping[str, LockedCase]:
    """Return the cases of the lock at ``path`` in a git revision.

    Raises `UserError` if git has no such lock.
    """
    import subprocess

    try:
        shown_file = subprocess.run(  # noqa: S603  (no shell, and a revision cannot be read as an option)
            ["git", "show", "--end-of-options", f"{revision}:./{path.name}"],  # noqa: S607  (the user's git)
            cwd=path.parent,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
        )
    except FileNotFoundError:
        raise UserError("comparing revisions of a lock needs git; install git") from None
    except OSError as error:
        raise UserError(
            f"comparing revisions of a lock needs git, which cannot be started: {error.strerror}"
        ) from None
    except subprocess.CalledProcessError as error:
        reason = " ".join(error.stderr.decode("utf-8", "replace").split()).removeprefix("fatal: ")
        reason = reason or f"git ended with exit code {error.returncode}"
        raise UserError(f"git has no {path.name} at '{revision}': {reason}") from None
    place = f"{path.name} at {revision}"
    return parse_lock(decoded(shown_file.stdout, place), place)


def locked_side(cases: Mapping[str, LockedCase], name: str, place: str, title: str) -> Side:
    """Return the model of a locked case. Raises `UserError` if the lock does not have the case."""
    if name not in cases:
        raise UserError(
            f"{place} has no case '{name}' (the cases are {', '.join(cases)}){nearest(name, cases)}"
        )
    try:
        plan = cases[name].plan()
    except UserError as error:
        raise UserError(f"{place}: the case '{name}' is not a model: {error}; {_ANEW}") from None
    counting = cases[name].counting
    if counting.rule not in {rule.name for rule in MEMORY_RULES}:
        raise UserError(f"{place}: no memory rule is named '{counting.rule}'; {_ANEW}")
    if counting.dtype not in ELEMENT_BYTES:
        raise UserError(f"{place}: no element type is named '{counting.dtype}'; {_ANEW}")
    return Side(title, plan, counting)
