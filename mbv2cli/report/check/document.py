"""Check results as JSON."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mbv2cli.gate.drift import Change, Drift, Outcome, ShapeChange
from mbv2cli.gate.limits import ShapeVerdict, Verdict
from mbv2cli.report.check.sentences import CheckReport, limit_text
from mbv2cli.report.document import Document, LayerPairPart, Part
from mbv2cli.report.text import compact
from mbv2cli.specs import BlockSpec, InputSpec, NetworkSpec


class VerdictPart(Part):
    """An expectation, and whether it holds."""

    what: str = Field(
        description="Name of the figure, or of the shape: `output`, `features at stride 8`."
    )
    holds: bool = Field(description="Whether the expectation holds.")
    actual: int | str | None = Field(
        description="The amount, or the shape; null if there is no such feature map."
    )
    limit: int | str = Field(description="The limit, or the expected shape.")
    headroom: int | None = Field(
        description="Headroom, negative if the limit is broken; null for a shape."
    )


class ChangePart(Part):
    """A locked figure, before and now."""

    what: str = Field(description="Name of the figure.")
    before: int | str = Field(description="Figure in the lock.")
    after: int | str = Field(description="Figure now.")
    changed: bool = Field(description="Whether the two differ.")
    holds: bool = Field(description="Whether the figure is unchanged or within its tolerance.")


class DriftPart(Part):
    """How a case differs from the lock."""

    holds: bool = Field(description="Whether every change is within its tolerance.")
    changes: tuple[ChangePart, ...] = Field(description="Every locked figure.")
    stages: tuple[str, ...] = Field(description="The stages whose figures differ.")
    first_layer: LayerPairPart | None = Field(
        description="The first layer that differs; null if mbv2 counts the same layers differently."
    )


class CaseResultPart(Part):
    """A case and its outcome."""

    name: str = Field(description="Name of the case.")
    holds: bool = Field(description="Whether every expectation holds.")
    line: int | None = Field(description="Line of the case in the configuration file.")
    target: str = Field(description="The target as it was given.")
    spec: BlockSpec | NetworkSpec = Field(description="Every field of what was checked.")
    input: InputSpec = Field(description="`size` (height, width) and `batch`.")
    dtype: str = Field(description="Element type that bytes are counted in.")
    forward_ran: bool = Field(description="Whether a forward pass confirmed the plan.")
    verdicts: tuple[VerdictPart, ...] = Field(description="Every expectation.")
    drift: DriftPart | None = Field(
        description="How the case differs from the lock; null if it does not, or without a lock."
    )


class CheckDocument(Document):
    """What `mbv2 check --format json` prints."""

    command: Literal["check"] = Field("check", description="`check`.")
    holds: bool = Field(description="Whether every case holds.")
    cases: tuple[CaseResultPart, ...] = Field(description="Every case, in order.")


def as_json(report: CheckReport) -> str:
    """Return the document, indented."""
    holds = all(outcome.holds for outcome in report.outcomes)
    return CheckDocument(holds=holds, cases=tuple(map(_case, report.outcomes))).text


def _case(outcome: Outcome) -> CaseResultPart:
    result = outcome.result
    return CaseResultPart(
        name=result.case.name,
        holds=outcome.holds,
        line=result.case.line,
        target=result.case.request.target,
        spec=result.case.request.spec,
        input=result.case.request.input,
        dtype=result.case.run.dtype,
        forward_ran=result.forward_ran,
        verdicts=tuple(map(_verdict, result.verdicts)),
        drift=_drift(outcome.drift) if outcome.drift else None,
    )


def _drift(drift: Drift) -> DriftPart:
    return DriftPart(
        holds=drift.holds,
        changes=tuple(map(_change, drift.changes)),
        stages=drift.stages,
        first_layer=LayerPairPart.model_validate(drift.first_layer) if drift.first_layer else None,
    )


def _change(change: Change) -> ChangePart:
    if isinstance(change, ShapeChange):
        before, after = compact(change.before), compact(change.after)
        return ChangePart(
            what=change.what,
            before=before,
            after=after,
            changed=change.changed,
            holds=change.holds,
        )
    return ChangePart.model_validate(change)


def _verdict(verdict: Verdict) -> VerdictPart:
    if isinstance(verdict, ShapeVerdict):
        return VerdictPart(
            what=verdict.what,
            holds=verdict.holds,
            actual=compact(verdict.actual) if verdict.actual else None,
            limit=limit_text(verdict),
            headroom=None,
        )
    return VerdictPart.model_validate(verdict)
