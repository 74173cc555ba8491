"""Two models beside each other: their figures, and their layers in pairs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from mbv2cli.costs.figures import PEAK, Counting, graded_figures
from mbv2cli.costs.memory import LAYERWISE, MEMORY_RULES
from mbv2cli.errors import UserError, nearest
from mbv2cli.gate.lock import LockedCase, parse_lock
from mbv2cli.graph.graph import Graph
from mbv2cli.graph.rows import Layer
from mbv2cli.inspection import Plan, plan_of
from mbv2cli.specs import InputSpec
from mbv2cli.specs.reader import KINDS, read_request
from mbv2cli.specs.units import Unit

_Rows: TypeAlias = tuple[Layer | None, Layer | None]

_LEFT_OUT: Final = frozenset({"name", "op", "stage", "block"})
"""The fields of a layer that depend on the layers before it, or on the stages of the spec."""


class Difference(NamedTuple):
    """A figure of both models. Peaks are those of float32."""

    what: str
    before: int
    after: int
    unit: Unit = Unit.COUNT

    @property
    def change(self) -> int:
        """The amount of the second model minus that of the first."""
        return self.after - self.before


class FieldChange(NamedTuple):
    """A field of a layer or of its operation that differs; ``inputs`` holds names of layers."""

    name: str
    before: object
    after: object


class LayerPair(NamedTuple):
    """A layer of both models, None if only one of them has it, and the fields that differ."""

    before: Layer | None
    after: Layer | None
    changes: tuple[FieldChange, ...] = ()

    @property
    def differs(self) -> bool:
        """Whether the layers differ, apart from the number in their name and their stage."""
        return self.before is None or self.after is None or bool(self.changes)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models with their names, their figures and every pair of layers."""

    before_name: str
    after_name: str
    before: Plan
    after: Plan
    totals: tuple[Difference, ...]
    layers: tuple[LayerPair, ...]

    @property
    def differs(self) -> bool:
        """Whether any layer differs."""
        return any(pair.differs for pair in self.layers)


def compare(before_name: str, before: Plan, after_name: str, after: Plan) -> Comparison:
    """Return the comparison of two plans."""
    aligned = _aligned(before.layers, after.layers)
    return Comparison(
        before_name,
        after_name,
        before,
        after,
        totals=tuple(_totals(before, after)),
        layers=tuple(_pairs(before.graph, after.graph, aligned)),
    )


def first_difference(before: Plan, after: Plan) -> LayerPair | None:
    """Return the first layers that differ; None if the graphs are equal.

    Here layers are paired by their number: all of these pairs are equal if and only if all pairs
    of `compare` are.
    """
    rows = zip_longest(before.layers, after.layers)
    pairs = _pairs(before.graph, after.graph, rows)
    return next((pair for pair in pairs if pair.differs), None)


def _totals(before: Plan, after: Plan) -> Iterator[Difference]:
    for figure in graded_figures():
        rules = [rule.name for rule in MEMORY_RULES] if figure is PEAK else [LAYERWISE.name]
        for rule in rules:
            counting = Counting(rule=rule, dtype="float32")
            name = f"{figure.name} ({rule})" if figure is PEAK else figure.name
            old, new = before.figure(figure, counting), after.figure(figure, counting)
            yield Difference(name, old, new, figure.unit)


def _aligned(before: Sequence[Layer], after: Sequence[Layer]) -> Iterator[_Rows]:
    """Yield layers of the same path and type together, in order, and the others alone."""
    matcher = SequenceMatcher(
        None, list(map(_place, before)), list(map(_place, after)), autojunk=False
    )
    for tag, old_start, old_end, new_start, new_end in matcher.get_opcodes():
        old, new = before[old_start:old_end], after[new_start:new_end]
        if tag == "equal":
            yield from zip(old, new, strict=True)
        else:
            yield from ((layer, None) for layer in old)
            yield from ((None, layer) for layer in new)


def _place(layer: Layer) -> tuple[str, str]:
    return layer.path, layer.type


def _pairs(before: Graph, after: Graph, rows: Iterable[_Rows]) -> Iterator[LayerPair]:
    """Yield ``rows`` with the fields that differ."""
    old_values, new_values = _Values(before), _Values(after)
    for number, (old, new) in enumerate(rows):
        if old is None or new is None:
            yield LayerPair(old, new)
            continue
        changes = list(_changes(_fields(before, old), _fields(after, new)))
        if old.op is not None and new.op is not None:
            if not _same(old_values.sources(old.op), new_values.sources(new.op)):
                names = old_values.source_names(old.op), new_values.source_names(new.op)
                changes.append(FieldChange("inputs", *names))
            old_values.add(old.op, number)
            new_values.add(new.op, number)
        yield LayerPair(old, new, tuple(changes))


class _Values:
    """The values of a graph, each with the number of the pair of layers that it comes from."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._pairs = {value: ~value for value in range(len(graph.input_shapes))}

    def add(self, op: int, number: int) -> None:
        """Add the result of an operation, which is in the pair of this number."""
        self._pairs[self._graph.value_of(op)] = number

    def sources(self, op: int) -> list[int | None]:
        """Return the pair that each input comes from; None for a layer without a partner."""
        return [self._pairs.get(value) for value in self._graph.ops[op].inputs]

    def source_names(self, op: int) -> str:
        """Return the names of the layers from which the inputs of an operation come."""
        return ", ".join(map(self._source, self._graph.ops[op].inputs))

    def _source(self, value: int) -> str:
        index = value - len(self._graph.input_shapes)
        if index < 0:
            return "input"
        op = self._graph.ops[index]
        return f"{op.type or op.function} {op.path}".rstrip()


def _same(sources: list[int | None], others: list[int | None]) -> bool:
    """Return whether inputs come from the same pairs.

    A layer without a partner counts as the same: it is a difference of its own already.
    """
    return len(sources) == len(others) and all(
        one == other or None in (one, other) for one, other in zip(sources, others, strict=True)
    )


def _fields(graph: Graph, layer: Layer) -> dict[str, object]:
    """Return the fields of a layer and of its operation, apart from its name and its stage."""
    fields = {name: value for name, value in layer._asdict().items() if name not in _LEFT_OUT}
    if layer.op is not None:
        op = graph.ops[layer.op]
        fields |= {"kind": op.kind, "function": op.function, **op.attributes._asdict()}
    return fields


def _changes(before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[FieldChange]:
    for name in dict.fromkeys([*before, *after]):
        old, new = before.get(name), after.get(name)
        if old != new:
            yield FieldChange(name, old, new)


def plan_of_text(text: str) -> Plan:
    """Return the plan of a target, a TOML file or a JSON report. Raises `UserError`."""
    if text.endswith(".json"):
        return _plan_of_report(Path(text))
    request = read_request(text)
    return plan_of(request.spec, request.input)


def _plan_of_report(path: Path) -> Plan:
    try:
        content = json.loads(path.read_text("utf-8"))
        spec = KINDS[content["kind"]].model_validate(content["spec"])
        return plan_of(spec, InputSpec.model_validate(content["input"]))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, RecursionError, UserError):
        raise UserError(
            f"{path} is not a report of mbv2; "
            f"write one with mbv2 summary --format json --output {path}"
        ) from None


def lock_at(path: Path, revision: str) -> Mapping[str, LockedCase]:
    """Return the cases of the lock at ``path`` in a git revision.

    Raises `UserError` if git has no such lock.
    """
    import subprocess

    try:
        shown = subprocess.run(  # noqa: S603  (no shell, and a revision cannot be read as an option)
            ["git", "show", "--end-of-options", f"{revision}:./{path.name}"],  # noqa: S607  (the user's git)
            cwd=path.parent,
            capture_output=True,
            check=True,
        )
    except FileNotFoundError:
        raise UserError("comparing revisions of a lock needs git; install git") from None
    except subprocess.CalledProcessError as error:
        reason = error.stderr.decode("utf-8", "replace").strip().removeprefix("fatal: ")
        raise UserError(f"git has no {path.name} at '{revision}': {reason}") from None
    return parse_lock(shown.stdout.decode("utf-8", "replace"), f"{path.name} at {revision}")


def locked_plan(cases: Mapping[str, LockedCase], name: str, place: str) -> Plan:
    """Return the plan of a locked case. Raises `UserError` if the lock does not have it."""
    if name not in cases:
        raise UserError(f"{place} has no case '{name}'{nearest(name, cases)}")
    return cases[name].plan()
