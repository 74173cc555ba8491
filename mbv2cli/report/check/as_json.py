"""Check results as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from mbv2cli.gate.drift import Change, Drift, Outcome, ShapeChange
from mbv2cli.gate.limits import ShapeVerdict, Verdict
from mbv2cli.report.check.words import limit_text
from mbv2cli.report.document import Document, Part
from mbv2cli.report.layer_pair import LayerPairPart
from mbv2cli.report.shape_text import compact
from mbv2cli.specs import BlockSpec, InputSpec, NetworkSpec


class VerdictPart(Part):
    """An expectation, and whether it holds."""

    what: str = Field(description="What was checked: a figure, or the shape of an output.")
    holds: bool = Field(description="Whether it is as expected.")
    actual: int | str | None = Field(description="The amount, or the shape; null: no such map.")
    limit: int | str = Field(description="The limit, or the expected shape.")
    headroom: int | None = Field(description="What is left, negative if broken; null for shapes.")


class ChangePart(Part):
    """A locked figure, then and now."""

    what: str = Field(description="Which figure.")
    before: int | str = Field(description="As it is locked.")
    after: int | str = Field(description="As it is.")
    changed: bool = Field(description="Whether they differ.")
    holds: bool = Field(description="Whether it is unchanged or within its tolerance.")


class DriftPart(Part):
    """How a case differs from the lock."""

    holds: bool = Field(description="Whether all that differs is within its tolerance.")
    changes: tuple[ChangePart, ...] = Field(description="Every locked figure.")
    stages: tuple[str, ...] = Field(description="The stages whose figures differ.")
    first_layer: LayerPairPart | None = Field(
        description="The first layer that differs; null: none does, mbv2 counts differently."
    )


class CaseResultPart(Part):
    """A case and what came of it."""

    name: str = Field(description="Name of the case.")
    holds: bool = Field(description="Whether every expectation does.")
    line: int | None = Field(description="Line of the case in the configuration file.")
    target: str = Field(description="The target as it was given.")
    spec: BlockSpec | NetworkSpec = Field(description="Every field of what was checked.")
    input: InputSpec = Field(description="`size` (height, width) and `batch`.")
    dtype: str = Field(description="Element type of bytes.")
    forward_ran: bool = Field(description="Whether a forward pass confirmed the plan.")
    verdicts: tuple[VerdictPart, ...] = Field(description="Every expectation.")
    drift: DriftPart | None = Field(
        description="How it differs from the lock; null: not at all, or there is no lock."
    )


class CheckDocument(Document):
    """What `mbv2 check --format json` prints."""

    command: Literal["check"] = Field("check", description="`check`.")
    holds: bool = Field(description="Whether every case does.")
    cases: tuple[CaseResultPart, ...] = Field(description="Every case, in order.")


def render(outcomes: Sequence[Outcome]) -> str:
    """Return the document, indented."""
    holds = all(outcome.holds for outcome in outcomes)
    return CheckDocument(holds=holds, cases=tuple(map(_case, outcomes))).text


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
