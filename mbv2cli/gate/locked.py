"""What the lock holds of a case: its figures, its graph, and what shows how it has changed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self, TypeAlias

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, PlainSerializer

from mbv2cli.costs.figures import MACS, PARAMS, PEAK, Counting, combining_figures, graded_figures
from mbv2cli.costs.memory import LAYERWISE
from mbv2cli.costs.segments import PlacedCosts, SegmentCosts, together
from mbv2cli.errors import UserError
from mbv2cli.gate.cases import CaseResult
from mbv2cli.gate.differences import (
    Measured,
    Snapshot,
    module_fields,
    returned_text,
    spec_fields,
)
from mbv2cli.graph.graph import Graph
from mbv2cli.graph.ops import Shape
from mbv2cli.graph.record import op_lines, ops_of
from mbv2cli.inspection import Model, Plan, Recorded, plan_of
from mbv2cli.specs import BlockSpec, InputSpec
from mbv2cli.specs.base import FrozenModel
from mbv2cli.specs.fields import MAX_AMOUNT
from mbv2cli.specs.reader import KINDS, Request

GRAPH_VERSION: Final = "v1"
_SHAPE: Final = re.compile(r"[1-9][0-9]{0,8}(?:x[1-9][0-9]{0,8})*")


def _shape_text(shape: Shape) -> str:
    return "x".join(map(str, shape))


def _read_shape(value: object) -> object:
    if not isinstance(value, str):
        return value
    if value and not _SHAPE.fullmatch(value):
        raise ValueError("not as it is written")
    return tuple(map(int, value.split("x"))) if value else ()


def _every_figure(figures: dict[str, int]) -> dict[str, int]:
    known = {figure.name for figure in graded_figures()}
    if not {figure.name for figure in combining_figures()} <= figures.keys() <= known:
        raise ValueError("other figures")
    if not all(0 <= amount <= MAX_AMOUNT for amount in figures.values()):
        raise ValueError("a figure that no model has")
    return figures


def _writable(spec: dict[str, Any]) -> dict[str, Any]:
    try:
        _typed(spec)
    except (ValueError, RecursionError):
        raise ValueError("a value that no spec has") from None
    return spec


LockedShape = Annotated[
    Shape, BeforeValidator(_read_shape), PlainSerializer(_shape_text, return_type=str)
]
"""A shape in one line of the lock: ``1x64x224x224``; nothing for a number, or where none is."""


_Texts = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value),
]
"""Texts, which TOML holds as a list."""


class _Measured(FrozenModel):
    """What every kind of locked case has: its figures, and how its peak is counted."""

    if TYPE_CHECKING:
        peak_rule: str
        peak_dtype: str
        figures: dict[str, int]

    @property
    def counting(self) -> Counting:
        """How the accepted peak is counted."""
        return Counting(rule=self.peak_rule, dtype=self.peak_dtype)

    @property
    def measured(self) -> tuple[Measured, ...]:
        """The accepted figures, in the order of the registry."""
        return tuple(
            Measured(figure, self.counting, self.figures[figure.name])
            for figure in graded_figures()
            if figure.name in self.figures
        )

    def without_figures_after(self, earlier: Locked) -> Self:
        """Return the same without the figures that the mbv2 that wrote ``earlier`` did not have."""
        figures = {name: self.figures[name] for name in self.figures if name in earlier.figures}
        return self.model_copy(update={"figures": figures})

    def measured_of(self, model: Model) -> tuple[Measured, ...]:
        """Return the accepted figures, each with the functions of ``model`` without a rule."""
        return tuple(
            one._replace(uncounted=model.uncounted(one.figure, one.counting))
            for one in self.measured
        )


class LockedCase(_Measured):
    """A case as it was accepted. Reading converts nothing: a changed value is a mistake or a drift.

    ``figures`` has every graded figure, with the peak by ``peak_rule`` and ``peak_dtype``; a lock
    of an earlier mbv2 may lack those that do not combine over segments. ``graph`` is a digest.
    ``spec`` holds the fields that are not the default, from which the accepted graph can be
    planned again. ``stages`` has a line for each stage, for the reader of the diff: parameters,
    MACs and layerwise peak.
    """

    model_config = ConfigDict(strict=True)

    kind: Literal["block", "network"]
    input: LockedShape
    output: LockedShape
    peak_rule: str
    peak_dtype: str
    graph: str
    figures: Annotated[dict[str, int], AfterValidator(_every_figure)]
    spec: Annotated[dict[str, Any], AfterValidator(_writable)]
    stages: dict[str, str]

    @classmethod
    def of(cls, result: CaseResult) -> Self:
        """Return what the lock holds of ``result``."""
        plan, counting = result.model, result.case.counting
        if not isinstance(plan, Plan):
            raise TypeError("a module has no spec")
        return cls(
            kind="block" if isinstance(plan.spec, BlockSpec) else "network",
            input=plan.input_shape,
            output=plan.output_shape,
            peak_rule=counting.rule,
            peak_dtype=counting.dtype,
            graph=digest(plan),
            figures=_figures(plan, counting),
            spec=plan.spec.model_dump(by_alias=True, exclude_defaults=True, mode="json"),
            stages=_stage_lines(plan, counting.dtype),
        )

    def same_as(self, other: Locked) -> bool:
        """Return whether both hold the same values of the same types: 1 is neither 1.0 nor true."""
        return (
            isinstance(other, LockedCase)
            and self == other
            and _typed(self.spec) == _typed(other.spec)
        )

    @property
    def model(self) -> Plan:
        """The plan of the accepted model. Raises `UserError` if it is not a model."""
        spec = KINDS[self.kind].model_validate(self.spec)
        batch, size = self.input[:1], self.input[2:]
        return plan_of(spec, InputSpec.model_validate({"size": size, "batch": sum(batch)}))

    @property
    def snapshot(self) -> Snapshot:
        """The accepted model and its figures. Raises `UserError` if it is not a model."""
        plan = self.model
        fields = spec_fields(plan, self.counting)
        return Snapshot(plan, fields, self.output, self.measured_of(plan))


class LockedModule(_Measured):
    """A module of the user's own as it was accepted.

    ``module`` is the name of its code and ``arguments`` what it is called with. ``operations`` has
    the line of each operation (`graph.record`), for the reader of the diff, and so that a drift
    names the operation that changed. ``returns`` says which results the module returns. ``graph``
    is a digest of both.
    """

    model_config = ConfigDict(strict=True)

    kind: Literal["module"]
    module: str
    arguments: Annotated[dict[str, Any], AfterValidator(_writable)] = Field(default={})
    inputs: _Texts
    output: LockedShape
    returns: str
    peak_rule: str
    peak_dtype: str
    graph: str
    figures: Annotated[dict[str, int], AfterValidator(_every_figure)]
    operations: _Texts

    @classmethod
    def of(cls, result: CaseResult) -> Self:
        """Return what the lock holds of ``result``."""
        model, counting, request = result.model, result.case.counting, result.case.request
        if model is None or isinstance(request, Request):
            raise TypeError("not a module that ran")
        operations, returns = tuple(op_lines(model.graph)), returned_text(model.graph)
        return cls(
            kind="module",
            module=request.source.name,
            arguments=dict(request.source.arguments),
            inputs=tuple(one.text for one in request.inputs),
            output=model.output_shape,
            returns=returns,
            peak_rule=counting.rule,
            peak_dtype=counting.dtype,
            graph=f"{GRAPH_VERSION}:sha256:{_sha256([*operations, returns])[:32]}",
            figures=_figures(model, counting),
            operations=operations,
        )

    def same_as(self, other: Locked) -> bool:
        """Return whether both hold the same values of the same types: 1 is neither 1.0 nor true."""
        return (
            isinstance(other, LockedModule)
            and self == other
            and _typed(self.arguments) == _typed(other.arguments)
        )

    @property
    def model(self) -> Recorded:
        """The operations of the accepted module. Raises `UserError` if they are not operations."""
        from mbv2cli.specs.module import read_input

        try:
            inputs = tuple(read_input(text).shape for text in self.inputs)
            graph = Graph(inputs, ops_of(self.operations, inputs), (), (0,))
            _ = Recorded(graph).layers  # fails for a convolution of nothing, for example
        except (ValueError, TypeError, IndexError, UserError):
            raise UserError("its operations cannot be read") from None
        return Recorded(graph)

    @property
    def snapshot(self) -> Snapshot:
        """The accepted module and its figures. Raises `UserError` if it is not a model."""
        fields = module_fields(self.inputs, self.returns, self.counting)
        arguments = {f"arguments.{name}": value for name, value in self.arguments.items()}
        source = {"kind": self.kind, "module": self.module, **arguments}
        model = self.model
        return Snapshot(model, {**source, **fields}, self.output, self.measured_of(model))


Locked: TypeAlias = LockedCase | LockedModule


def locked_of(result: CaseResult) -> Locked:
    """Return what the lock holds of the result of a case whose model is known."""
    kind = LockedModule if result.case.is_module else LockedCase
    return kind.of(result)


def _figures(model: Model, counting: Counting) -> dict[str, int]:
    return {figure.name: model.figure(figure, counting) for figure in graded_figures()}


def _typed(values: Mapping[str, Any]) -> str:
    return json.dumps(values, sort_keys=True, default=repr)


def _stage_lines(plan: Plan, dtype: str) -> dict[str, str]:
    stages: dict[str, list[PlacedCosts]] = {}
    for segment in plan.segments:
        stages.setdefault(segment.stage, []).append(segment)
    counting = Counting(rule=LAYERWISE.name, dtype=dtype)
    return {
        stage: f"{together(segments, PARAMS, counting)} params, "
        f"{together(segments, MACS, counting)} MACs, "
        f"{together(segments, PEAK, counting)} bytes"
        for stage, segments in stages.items()
    }


def digest(plan: Plan) -> str:
    """Return a digest of the graph of ``plan``: of the named fields of each operation and scope.

    A field at its default is left out, so that a new field with a default changes no digest.
    """
    segments = (_segment_digest(segment.costs) for segment in plan.segments)
    return f"{GRAPH_VERSION}:sha256:{_sha256(segments)[:32]}"


@lru_cache(maxsize=2**16)
def _segment_digest(costs: SegmentCosts) -> str:
    return _sha256(graph_lines(costs.model.graph))


def _sha256(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def graph_lines(graph: Graph) -> Iterator[str]:
    """Yield a line ``name=value name=value …`` for each operation and each scope of ``graph``."""
    for op in graph.ops:
        yield f"kind={op.kind.value} {_named_values(op)} {_named_values(op.attributes)}"
    for scope in graph.scopes:
        yield _named_values(scope)
    yield f"outputs={graph.outputs!r}"


def _named_values(record: Any) -> str:
    """Return the fields of a NamedTuple that are not at their default, sorted by name."""
    return " ".join(
        [
            f"{name}={record[index]!r}"
            for name, index, default in _fields(record.__class__)
            if record[index] != default
        ]
    )


@cache
def _fields(record: Any) -> tuple[tuple[str, int, object], ...]:
    """Return name, index and default of each field but kind and attributes."""
    no_default = object()
    return tuple(
        (name, index, record._field_defaults.get(name, no_default))
        for name, index in sorted((name, index) for index, name in enumerate(record._fields))
        if name not in {"kind", "attributes"}
    )
