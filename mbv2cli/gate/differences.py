"""Every difference of two models: of their fields, of their figures and of their layers.

`mbv2 check` finds the drift of a case with `differences`, and `mbv2 compare` compares with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from itertools import zip_longest
from typing import Any, Final, NamedTuple, TypeAlias

from mbv2cli.costs.figures import PEAK, Counting, Figure
from mbv2cli.graph.graph import Graph
from mbv2cli.graph.ops import Shape
from mbv2cli.graph.rows import Layer
from mbv2cli.inspection import Model, ModelSpec, Plan
from mbv2cli.specs import Stage
from mbv2cli.specs.units import Unit

_Rows: TypeAlias = tuple[Layer | None, Layer | None]

_LEFT_OUT: Final = frozenset({"name", "op", "stage", "block"})
"""The fields of a layer that depend on the layers before it, or on the stages of the spec."""

_MEASURED_ON: Final = frozenset({"kind", "in", "size", "batch", "inputs", "peak_rule", "dtype"})


class FieldChange(NamedTuple):
    """A field that differs; None if only the other side has the field.

    In a layer, ``inputs`` holds names of layers.
    """

    field: str
    before: Any
    after: Any

    @property
    def is_of_measurement(self) -> bool:
        """Whether the field says what is measured and how, such as the size of the input."""
        return self.field in _MEASURED_ON


class FigureChange(NamedTuple):
    """A figure of both models, how each is counted, and the functions that no rule knows.

    With such a function an amount is a lower bound, and so the change is not known.
    """

    figure: Figure
    before: int
    after: int
    counting_before: Counting
    counting_after: Counting
    uncounted_before: tuple[str, ...] = ()
    uncounted_after: tuple[str, ...] = ()

    @property
    def uncounted(self) -> tuple[str, ...]:
        """The functions of either model that no rule knows."""
        return tuple(dict.fromkeys((*self.uncounted_before, *self.uncounted_after)))

    @property
    def what(self) -> str:
        """The name of the figure, and that it is at least so much where functions are unknown.

        A peak has its memory rule and its dtype beside it.
        """
        if self.figure is not PEAK:
            return f"{self.figure.name} (at least)" if self.uncounted else self.figure.name
        countings = (self.counting_before, self.counting_after)
        rules = " -> ".join(dict.fromkeys(counting.rule for counting in countings))
        dtypes = " -> ".join(dict.fromkeys(counting.dtype for counting in countings))
        return f"{PEAK.name} ({rules}, {dtypes}{', at least' if self.uncounted else ''})"

    @property
    def unit(self) -> Unit:
        """`count` or `bytes`."""
        return self.figure.unit

    @property
    def change(self) -> int | None:
        """The amount of the second model minus that of the first; None if one is a lower bound.

        Two models with the same bound and the same unknown functions count as unchanged.
        """
        return None if self.changed and self.uncounted else self.after - self.before

    @property
    def changed(self) -> bool:
        """Whether the amounts or the unknown functions differ."""
        return (self.before, self.uncounted_before) != (self.after, self.uncounted_after)


class LayerPair(NamedTuple):
    """A layer of both models, None if only one of them has it, and the fields that differ."""

    before: Layer | None
    after: Layer | None
    changes: tuple[FieldChange, ...] = ()

    @property
    def differs(self) -> bool:
        """Whether the layers differ, apart from the number in their name and their stage."""
        return self.before is None or self.after is None or bool(self.changes)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layer of the first model and that of the second, if they are there."""
        return tuple(layer for layer in (self.before, self.after) if layer is not None)


class Measured(NamedTuple):
    """A figure of a model, how it is counted, and the functions that no rule of it knows."""

    figure: Figure
    counting: Counting
    amount: int
    uncounted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A model, the fields that describe it, its output shape and its figures.

    ``figures`` may be those that a lock recorded earlier.
    """

    model: Model
    fields: Mapping[str, object]
    output: Shape
    figures: tuple[Measured, ...]


def snapshot(
    model: Model, counting: Counting, figures: Iterable[tuple[Figure, Counting]]
) -> Snapshot:
    """Return the snapshot of ``model`` with these figures as they are now."""
    measured = (
        Measured(one, how, model.figure(one, how), model.uncounted(one, how))
        for one, how in figures
    )
    return Snapshot(model, _fields(model, counting), model.output_shape, tuple(measured))


@dataclass(frozen=True)
class Differences:
    """The fields that differ, the output shapes, every figure, and every pair of layers."""

    fields: tuple[FieldChange, ...]
    output: FieldChange
    figures: tuple[FigureChange, ...]
    layers: tuple[LayerPair, ...]

    @property
    def differs(self) -> bool:
        """Whether a field, a figure or a layer differs."""
        return bool(self.fields) or self.figures_differ or bool(self.differing_layers)

    @property
    def figures_differ(self) -> bool:
        """Whether the output shape or a figure differs."""
        return self.output_differs or any(one.changed for one in self.figures)

    @property
    def output_differs(self) -> bool:
        """Whether the output shape differs."""
        return bool(self.output.before != self.output.after)

    @cached_property
    def differing_layers(self) -> tuple[LayerPair, ...]:
        """The pairs of layers that differ, in forward order."""
        return tuple(pair for pair in self.layers if pair.differs)

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages in which a layer differs; a module has none."""
        layers = (layer for pair in self.differing_layers for layer in pair.layers)
        return tuple(dict.fromkeys(layer.stage for layer in layers if layer.stage))


def differences(before: Snapshot, after: Snapshot) -> Differences:
    """Return every difference of two snapshots whose figures are in the same order."""
    return Differences(
        fields=tuple(_model_changes(before, after)),
        output=FieldChange("output", before.output, after.output),
        figures=figure_changes(before.figures, after.figures),
        layers=layer_pairs(before.model, after.model),
    )


def figure_changes(
    before: Sequence[Measured], after: Sequence[Measured]
) -> tuple[FigureChange, ...]:
    """Return the figures that both models have in pairs."""
    shared = {one.figure.name for one in before} & {one.figure.name for one in after}
    return tuple(
        FigureChange(
            *(old.figure, old.amount, new.amount, old.counting, new.counting),
            uncounted_before=old.uncounted,
            uncounted_after=new.uncounted,
        )
        for old, new in zip(
            *([one for one in side if one.figure.name in shared] for side in (before, after)),
            strict=True,
        )
    )


def layer_pairs(before: Model, after: Model) -> tuple[LayerPair, ...]:
    """Return the layers of two models in pairs, in forward order."""
    return tuple(_pairs(before.graph, after.graph, _aligned(before.layers, after.layers)))


def _fields(model: Model, counting: Counting) -> Mapping[str, object]:
    if isinstance(model, Plan):
        return spec_fields(model, counting)
    inputs = ["x".join(map(str, shape)) for shape in model.graph.input_shapes]
    return module_fields(inputs, returned_text(model.graph), counting)


def spec_fields(plan: Plan, counting: Counting) -> dict[str, object]:
    """Return the fields of spec, input and counting under their keys."""
    batch, _channels, *size = plan.input_shape
    return {
        "kind": plan.spec.noun,
        **_values_of(plan.spec),
        "size": tuple(size),
        "batch": batch,
        "peak_rule": counting.rule,
        "dtype": counting.dtype,
    }


def module_fields(inputs: Iterable[str], returns: str, counting: Counting) -> dict[str, object]:
    """Return the fields of a module: what goes in, what comes out, and how its peak is counted.

    It has no kind: a module and a network are two ways to the same model.
    """
    return {
        "inputs": ", ".join(inputs),
        "returns": returns,
        "peak_rule": counting.rule,
        "dtype": counting.dtype,
    }


def returned_text(graph: Graph) -> str:
    """Return the type of what a module returns, and which values: ``tuple of head, features``."""
    values = ", ".join(source_text(graph, value) for value in graph.outputs)
    return f"{graph.returns} of {values or 'no tensor'}"


def source_text(graph: Graph, value: int) -> str:
    """Return where a value comes from: ``Conv2d features.0.0``, or ``input``."""
    index = value - len(graph.input_shapes)
    if index < 0:
        return "input"
    op = graph.ops[index]
    return f"{op.type or op.function} {op.path}".rstrip()


def _values_of(spec: ModelSpec | Stage) -> dict[str, object]:
    """Return every field under its key, also one that JSON leaves out at its default."""
    fields = type(spec).model_fields
    return {
        field.serialization_alias or name: getattr(spec, name) for name, field in fields.items()
    }


def _model_changes(before: Snapshot, after: Snapshot) -> Iterator[FieldChange]:
    """Yield the fields that differ. Models of two kinds are compared by the fields of both."""
    old, new = dict(before.fields), dict(after.fields)
    if old.get("kind") != new.get("kind"):
        shared = old.keys() & new.keys()
        old, new = ({key: side[key] for key in side if key in shared} for side in (old, new))
    for change in _changes(old, new):
        if change.field == "stages":
            yield from _stage_changes(change.before, change.after)
        else:
            yield change


def _stage_changes(before: Sequence[Stage], after: Sequence[Stage]) -> Iterator[FieldChange]:
    """Yield the keys that differ of stages of the same number, and stages of one side only."""
    for number, (old, new) in enumerate(zip_longest(before, after)):
        place = f"stages[{number}]"
        if old and new:
            for change in _changes(_values_of(old), _values_of(new)):
                yield change._replace(field=f"{place}.{change.field}")
        else:
            alone = (stage and stage.model_dump(by_alias=True) for stage in (old, new))
            yield FieldChange(place, *alone)


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[FieldChange]:
    for name in dict.fromkeys([*before, *after]):
        old, new = before.get(name), after.get(name)
        if old != new:
            yield FieldChange(name, old, new)


def _aligned(before: Sequence[Layer], after: Sequence[Layer]) -> Iterator[_Rows]:
    """Yield layers of the same path together, in order, and the others alone.

    Layers of the same type have precedence: a container and its addition have the same path.
    """
    for old, new, alike in _runs(list(map(_place, before)), list(map(_place, after))):
        if alike:
            yield from zip(before[old], after[new], strict=True)
        else:
            yield from _aligned_by_path(before[old], after[new])


def _aligned_by_path(before: Sequence[Layer], after: Sequence[Layer]) -> Iterator[_Rows]:
    places = ([(one.path, one.is_container) for one in side] for side in (before, after))
    for old, new, alike in _runs(*places):
        if alike:
            yield from zip(before[old], after[new], strict=True)
        else:
            yield from ((layer, None) for layer in before[old])
            yield from ((None, layer) for layer in after[new])


def _runs(before: Sequence[object], after: Sequence[object]) -> Iterator[tuple[slice, slice, bool]]:
    """Yield the parts of two sequences that are side by side, and whether they are equal."""
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for tag, old_start, old_end, new_start, new_end in matcher.get_opcodes():
        yield slice(old_start, old_end), slice(new_start, new_end), tag == "equal"


def _place(layer: Layer) -> tuple[str, str]:
    return layer.path, layer.type


def _pairs(before: Graph, after: Graph, rows: Iterable[_Rows]) -> Iterator[LayerPair]:
    """Yield ``rows`` with the fields that differ."""
    old_values, new_values = _Values(before), _Values(after)
    for number, (old, new) in enumerate(rows):
        if old is None or new is None:
            yield LayerPair(old, new)
            continue
        changes = list(_changes(_layer_fields(before, old), _layer_fields(after, new)))
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
        return ", ".join(source_text(self._graph, value) for value in self._graph.ops[op].inputs)


def _same(sources: list[int | None], others: list[int | None]) -> bool:
    """Return whether inputs come from the same pairs.

    A layer without a partner counts as the same: it is a difference of its own already.
    """
    return len(sources) == len(others) and all(
        one == other or None in (one, other) for one, other in zip(sources, others, strict=True)
    )


def _layer_fields(graph: Graph, layer: Layer) -> dict[str, object]:
    """Return the fields of a layer and of its operation, apart from its name and its stage."""
    fields = {name: value for name, value in layer._asdict().items() if name not in _LEFT_OUT}
    if layer.op is not None:
        op = graph.ops[layer.op]
        fields |= {"kind": op.kind, "function": op.function, **op.attributes._asdict()}
    return fields
