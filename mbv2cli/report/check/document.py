"""Check results as JSON."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mbv2cli.gate.differences import FigureChange
from mbv2cli.gate.drift import Drift
from mbv2cli.gate.limits import ShapeVerdict, Verdict
from mbv2cli.gate.outcomes import CheckReport, Outcome
from mbv2cli.report.check.sentences import failures, limit_text, warnings
from mbv2cli.report.document import (
    Document,
    FieldChangePart,
    LayerPairPart,
    Part,
    request_fields,
)
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
        description="Distance to the limit: negative if the limit is broken, null for a shape."
    )
    uncounted: tuple[str, ...] = Field(
        (),
        description="Functions that no rule knows: the amount is at least `actual`, so the limit "
        "does not hold.",
    )
    doubt: str = Field(
        "",
        description="Why the figure of a file is not known: what its spec leaves out, or what the "
        'file contradicts. The limit then does not hold. "" if it is known.',
    )


class ChangePart(Part):
    """A locked figure, before and now."""

    what: str = Field(description="Name of the figure; a peak with memory rule and dtype.")
    before: int | str = Field(description="Figure in the lock.")
    after: int | str = Field(description="Figure now.")
    changed: bool = Field(description="Whether the two differ.")
    holds: bool = Field(description="Whether the figure is unchanged or within its tolerance.")


class DriftPart(Part):
    """How a case differs from the lock."""

    holds: bool = Field(description="Whether there is a tolerance and every change is within it.")
    cause: str = Field(
        description="`changed`: a field of the case, or the code of a module, changed. `edited` "
        "or `not_a_model`: the lock was edited. `recounted`: nothing changed, so the lock was "
        "edited or mbv2 counts differently now."
    )
    fields: tuple[FieldChangePart, ...] = Field(
        description="Fields of the model, its input and its counting that differ."
    )
    changes: tuple[ChangePart, ...] = Field(description="The output and every locked figure.")
    stages: tuple[str, ...] = Field(
        description="The stages in which a layer differs; a module has none."
    )
    first_layer: LayerPairPart | None = Field(
        description="The first layer that differs; null if every operation is the same."
    )


class CaseResultPart(Part):
    """A case and its outcome."""

    name: str = Field(description="Name of the case.")
    holds: bool = Field(description="Whether every expectation, the drift and the lock hold.")
    failures: tuple[str, ...] = Field(description="What does not hold, as sentences.")
    warnings: tuple[str, ...] = Field(description="What was not checked, as sentences.")
    checks_nothing: bool = Field(description="Whether the case has no limit and no lock.")
    lock: str = Field(
        description="`compared`: with the lock. `no lock`: there is no lock. `no case`: the lock "
        "lacks the case. `not run`: the module did not run. `unused`: the limits are flags."
    )
    line: int | None = Field(description="Line of the case in the configuration file.")
    target: str = Field(description="The target as it was given.")
    kind: str = Field(description="`block`, `network` or `module`.")
    spec: BlockSpec | NetworkSpec | None = Field(
        description="Every field of what was checked; null for a module."
    )
    input: InputSpec | None = Field(
        description="`size` (height, width) and `batch`; null for a module."
    )
    dtype: str = Field(description="Element type that bytes are counted in.")
    board: str | None = Field(description="The board whose memory limits the case; null without.")
    forward_ran: bool = Field(
        description="Whether a forward pass confirmed the plan, or ran through a module."
    )
    verdicts: tuple[VerdictPart, ...] = Field(description="Every expectation.")
    drift: DriftPart | None = Field(
        description="How the case differs from the lock; null if it does not, or without a lock."
    )


class CheckDocument(Document):
    """What `mbv2 check --format json` prints."""

    command: Literal["check"] = Field("check", description="`check`.")
    holds: bool = Field(description="Whether every case holds.")
    require_lock: bool = Field(description="Whether a case without a lock fails.")
    removed: tuple[str, ...] = Field(
        description="Cases that only the lock has; each is a failure with `require_lock`."
    )
    cases: tuple[CaseResultPart, ...] = Field(description="Every case, in order.")


def as_json(report: CheckReport) -> str:
    """Return the document, indented."""
    return CheckDocument(
        holds=report.holds,
        require_lock=report.requires_lock,
        removed=tuple(report.removed),
        cases=tuple(_case(report, outcome) for outcome in report.outcomes),
    ).text


def _case(report: CheckReport, outcome: Outcome) -> CaseResultPart:
    result = outcome.result
    return CaseResultPart(
        name=result.case.name,
        holds=outcome.holds,
        failures=tuple(failures(report, outcome)),
        warnings=tuple(warnings(report, outcome)),
        checks_nothing=outcome.checks_nothing,
        lock=outcome.lock_use,
        line=result.case.line,
        **request_fields(result.case.request),
        dtype=result.case.run.dtype,
        board=result.case.expected.board and result.case.expected.board.name,
        forward_ran=result.forward_ran,
        verdicts=tuple(map(_verdict, result.verdicts)),
        drift=_drift(outcome.drift) if outcome.drift else None,
    )


def _drift(drift: Drift) -> DriftPart:
    found, first = drift.found, drift.found.differing_layers[:1]
    return DriftPart(
        holds=drift.holds,
        cause=drift.cause.name.lower(),
        fields=tuple(map(FieldChangePart.model_validate, found.fields)),
        changes=(_output(drift), *(_change(drift, change) for change in found.figures)),
        stages=found.stages,
        first_layer=LayerPairPart.model_validate(first[0]) if first else None,
    )


def _output(drift: Drift) -> ChangePart:
    output = drift.found.output
    return ChangePart(
        what=output.field,
        before=compact(output.before),
        after=compact(output.after),
        changed=drift.found.output_differs,
        holds=drift.allows_output,
    )


def _change(drift: Drift, change: FigureChange) -> ChangePart:
    return ChangePart(
        what=change.what,
        before=change.before,
        after=change.after,
        changed=change.changed,
        holds=drift.allows(change),
    )


def _verdict(verdict: Verdict) -> VerdictPart:
    if isinstance(verdict, ShapeVerdict):
        return VerdictPart(
            what=verdict.what,
            holds=verdict.holds,
            actual=compact(verdict.actual) if verdict.actual else None,
            limit=limit_text(verdict),
            headroom=None,
            doubt=verdict.doubt,
        )
    return VerdictPart.model_validate(verdict)
