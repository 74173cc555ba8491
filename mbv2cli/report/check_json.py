"""Check results as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from mbv2cli.checks.cases import CaseResult
from mbv2cli.checks.limits import ShapeVerdict, Verdict
from mbv2cli.report.check_text import limit_text
from mbv2cli.report.document import Document, Part
from mbv2cli.report.shape_text import compact
from mbv2cli.spec import BlockSpec, InputSpec, NetworkSpec


class VerdictPart(Part):
    """An expectation, and whether it holds."""

    what: str = Field(description="What was checked: a figure, or the shape of an output.")
    holds: bool = Field(description="Whether it is as expected.")
    actual: int | str | None = Field(description="The amount, or the shape; null: no such map.")
    limit: int | str = Field(description="The limit, or the expected shape.")
    headroom: int | None = Field(description="What is left, negative if broken; null for shapes.")


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


class CheckDocument(Document):
    """What `mbv2 check --format json` prints."""

    command: Literal["check"] = Field("check", description="`check`.")
    holds: bool = Field(description="Whether every case does.")
    cases: tuple[CaseResultPart, ...] = Field(description="Every case, in order.")


def render(results: Sequence[CaseResult]) -> str:
    """Return the document, indented."""
    holds = all(result.holds for result in results)
    return CheckDocument(holds=holds, cases=tuple(map(_case, results))).text


def _case(result: CaseResult) -> CaseResultPart:
    return CaseResultPart(
        name=result.case.name,
        holds=result.holds,
        line=result.case.line,
        target=result.case.request.target,
        spec=result.case.request.spec,
        input=result.case.request.input,
        dtype=result.case.run.dtype,
        forward_ran=result.forward_ran,
        verdicts=tuple(map(_verdict, result.verdicts)),
    )


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
