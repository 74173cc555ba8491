"""Two models beside each other: what they are, and how they differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from mbv2cli.costs.figures import PEAK, Counting, Figure, graded_figures
from mbv2cli.costs.layers import By, GroupFigures, group_of, grouped, layer_figures
from mbv2cli.costs.memory import ELEMENT_BYTES, LAYERWISE, MEMORY_RULES
from mbv2cli.errors import UserError, nearest, value_text
from mbv2cli.gate.differences import Differences, Snapshot, differences, snapshot
from mbv2cli.gate.git import GitError, output_of
from mbv2cli.gate.lock import parse_lock
from mbv2cli.gate.locked import Locked, LockedModule
from mbv2cli.inspection import Model, Plan, plan_of
from mbv2cli.specs import InputSpec
from mbv2cli.specs.files import MAX_JSON_BYTES, decoded, parse_json, read_text
from mbv2cli.specs.reader import KINDS, Setting, read_request, read_spec
from mbv2cli.version import SCHEMA_VERSION

_DEFAULT: Final = Counting(rule=LAYERWISE.name, dtype="float32")
_ANEW: Final = "run mbv2 lock to write it anew"
_REPORT: Final = "summary"
"""The command whose JSON is a side of a comparison."""


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
    """Return the model of a target, a TOML file or a JSON report.

    ``input_settings`` replace size and batch of its input. Raises `UserError`.
    """
    if text.endswith(".json"):
        return Side(text, _plan_of_report(Path(text), input_settings))
    request = read_request(text, input_settings)
    return Side(text, plan_of(request.spec, request.input))


def _plan_of_report(path: Path, input_settings: Iterable[Setting]) -> Plan:
    remedy = f"write one with mbv2 {_REPORT} --format json --output {path}"
    content = _json_object(path, remedy)
    _refuse_other_reports(content, path, remedy)
    own = read_spec(InputSpec, input_settings)
    try:
        spec = KINDS[content["kind"]].model_validate(content["spec"])
        input_ = InputSpec.model_validate(content["input"])
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{path} is not a report of mbv2 {_REPORT}; {remedy}") from None
    except UserError as error:
        raise UserError(f"{path} is not a report of mbv2 {_REPORT}: {error}; {remedy}") from None
    return plan_of(spec, input_.model_copy(update=own.model_dump(exclude_unset=True)))


def _json_object(path: Path, remedy: str) -> dict[str, Any]:
    try:
        content = parse_json(read_text(path, MAX_JSON_BYTES), str(path))
    except UserError as error:
        raise UserError(f"{error}; {remedy}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} is not a report of mbv2 {_REPORT}; {remedy}")
    return content


def _refuse_other_reports(content: Mapping[str, Any], path: Path, remedy: str) -> None:
    command, version = content.get("command"), content.get("schema_version")
    if command != _REPORT:
        found = f"a report of mbv2 {command}, " if isinstance(command, str) else ""
        raise UserError(f"{path} is {found}not a report of mbv2 {_REPORT}; {remedy}")
    if version != SCHEMA_VERSION or isinstance(version, bool):
        raise UserError(
            f"{path} has schema_version {value_text(version)}; this mbv2 reads {SCHEMA_VERSION}; "
            f"{remedy}"
        )


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
