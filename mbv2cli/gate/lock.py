"""The lock: the figures and the graph of every case when they were last accepted."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, lru_cache
from os.path import lexists, realpath
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    ValidationError,
)

from mbv2cli.costs.figures import MACS, PARAMS, PEAK, Counting, graded_figures
from mbv2cli.costs.memory import LAYERWISE
from mbv2cli.costs.segments import PlacedCosts, SegmentCosts, together
from mbv2cli.errors import UserError, value_text
from mbv2cli.gate.cases import CaseResult
from mbv2cli.gate.differences import Measured
from mbv2cli.graph.graph import Graph
from mbv2cli.graph.ops import Shape
from mbv2cli.inspection import Plan, plan_of
from mbv2cli.shown import toml_escaped
from mbv2cli.specs import BlockSpec, InputSpec
from mbv2cli.specs.base import FrozenModel
from mbv2cli.specs.fields import MAX_AMOUNT
from mbv2cli.specs.files import MAX_TOML_BYTES, exists, inputs, parse_toml, read_text
from mbv2cli.specs.reader import KINDS

VERSION: Final = 2
GRAPH_VERSION: Final = "v1"
_HEADER: Final = (
    "# The accepted figures of each case. Written by `mbv2 lock`; "
    "read the diff before you commit it.\n"
)
_SHAPE: Final = re.compile(r"[1-9][0-9]{0,8}(?:x[1-9][0-9]{0,8})*")
_REMEDY: Final = "restore it, or run mbv2 lock to write it anew"


def _shape_text(shape: Shape) -> str:
    return "x".join(map(str, shape))


def _read_shape(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not _SHAPE.fullmatch(value):
        raise ValueError("not as it is written")
    return tuple(map(int, value.split("x")))


def _every_figure(figures: dict[str, int]) -> dict[str, int]:
    if figures.keys() != {figure.name for figure in graded_figures()}:
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
"""A shape in one line of the lock: ``1x64x224x224``."""


class LockedCase(FrozenModel):
    """A case as it was accepted. Reading converts nothing: a changed value is a mistake or a drift.

    ``figures`` has every graded figure, with the peak by ``peak_rule`` and ``peak_dtype``.
    ``graph`` is a digest. ``spec`` holds the fields that are not the default, from which the
    accepted graph can be planned again. ``stages`` has a line for each stage, for the reader of
    the diff: parameters, MACs and layerwise peak.
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
        plan, counting = result.plan, result.case.counting
        return cls(
            kind="block" if isinstance(plan.spec, BlockSpec) else "network",
            input=plan.input_shape,
            output=plan.output_shape,
            peak_rule=counting.rule,
            peak_dtype=counting.dtype,
            graph=digest(plan),
            figures={figure.name: plan.figure(figure, counting) for figure in graded_figures()},
            spec=plan.spec.model_dump(by_alias=True, exclude_defaults=True, mode="json"),
            stages=_stage_lines(plan, counting.dtype),
        )

    def same_as(self, other: LockedCase) -> bool:
        """Return whether both hold the same values of the same types: 1 is neither 1.0 nor true."""
        return self == other and _typed(self.spec) == _typed(other.spec)

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
        )

    def plan(self) -> Plan:
        """Return the plan of the accepted model. Raises `UserError` if it is not a model."""
        spec = KINDS[self.kind].model_validate(self.spec)
        batch, size = self.input[:1], self.input[2:]
        return plan_of(spec, InputSpec.model_validate({"size": size, "batch": sum(batch)}))


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


def lock_text(results: Iterable[CaseResult]) -> str:
    """Return the lock: TOML, cases sorted by name, the same text for the same cases."""
    import tomli_w

    cases = {result.case.name: LockedCase.of(result).model_dump(mode="json") for result in results}
    content = {"version": VERSION, "case": {name: cases[name] for name in sorted(cases)}}
    text = _HEADER + toml_escaped(tomli_w.dumps(content))
    if len(text.encode()) > MAX_TOML_BYTES:
        raise UserError(
            f"the lock of {len(cases):,} cases would have more than {MAX_TOML_BYTES >> 20} MiB, "
            "which mbv2 does not read again; spread the cases over several files"
        )
    return text


def lock_if_any(path: Path) -> Mapping[str, LockedCase] | None:
    """Return the locked cases by name, None if there is no lock. Raises `UserError`."""
    inputs()[path] = None
    return read_lock(path) if exists(path) else None


def read_lock(path: Path) -> Mapping[str, LockedCase]:
    """Return the locked cases by name. Raises `UserError` that says what to run."""
    if path.is_symlink() and not lexists(realpath(path)):
        raise UserError(
            f"the lock {path} is a link to {path.readlink()}, which does not exist; {_REMEDY}"
        )
    try:
        text = read_text(path)
    except UserError as error:
        raise UserError(f"the lock cannot be used: {error}; {_REMEDY}") from None
    return parse_lock(text, str(path))


def parse_lock(text: str, place: str) -> Mapping[str, LockedCase]:
    """Return the cases of a lock that is at ``place``. Raises `UserError` that says what to run."""
    try:
        content = parse_toml(text, place)
    except UserError as error:
        raise UserError(f"the lock is corrupt: {error}; {_REMEDY}") from None
    _refuse_other_versions(content.get("version"), place)
    cases = content.get("case")
    if content.keys() != {"version", "case"} or not isinstance(cases, dict):
        raise UserError(
            f"the lock is corrupt: {place} must have the keys version and case; {_REMEDY}"
        )
    return {name: _locked_case(case, f"{place}: case.{name}") for name, case in cases.items()}


def _locked_case(case: object, place: str) -> LockedCase:
    try:
        return LockedCase.model_validate(case)
    except ValidationError as error:
        wrong = ".".join([place, *map(str, error.errors()[0]["loc"])])
        raise UserError(f"the lock is corrupt: {wrong} is wrong; {_REMEDY}") from None


def _refuse_other_versions(version: object, place: str) -> None:
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise UserError(f"the lock is corrupt: {place} has no version; {_REMEDY}")
    if version > VERSION:
        raise UserError(
            f"{place} has version {value_text(version)}, written by a newer mbv2 (this mbv2 reads "
            f"{VERSION}); update mbv2, or run mbv2 lock to write it anew"
        )
    if version < VERSION:
        raise UserError(
            f"{place} has version {value_text(version)}, written by an earlier mbv2; "
            f"run mbv2 lock to write it in version {VERSION}"
        )
