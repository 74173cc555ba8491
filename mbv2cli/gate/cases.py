"""A case: a model, what is expected of it, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mbv2cli.gate.expectations import Expectations
from mbv2cli.gate.limits import Verdict, verdicts
from mbv2cli.gate.memory_guard import refuse_beyond_memory
from mbv2cli.plan import Plan, plan_of
from mbv2cli.plan.parts import ModelFigures, model_figures
from mbv2cli.specs import RunSpec
from mbv2cli.specs.reader import Request


@dataclass(frozen=True, slots=True)
class Case:
    """A named model and its limits; ``line`` is where the configuration file has it."""

    name: str
    request: Request
    run: RunSpec
    expected: Expectations
    line: int | None = None


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What a case came to. ``forward_ran`` tells whether a forward pass confirmed the plan."""

    case: Case
    plan: Plan
    figures: ModelFigures
    verdicts: tuple[Verdict, ...]
    forward_ran: bool

    @property
    def holds(self) -> bool:
        """Whether every expectation does."""
        return all(verdict.holds for verdict in self.verdicts)


def planned_result(case: Case) -> CaseResult:
    """Check ``case`` by the plan alone. Loads no torch."""
    plan = plan_of(case.request.spec, case.request.input)
    figures = model_figures(plan.spec, plan.input_shape)
    found = verdicts(case.expected, plan, figures, case.run.dtype)
    return CaseResult(case, plan, figures, found, forward_ran=False)


def confirmed_result(case: Case) -> CaseResult:
    """Check ``case`` with a forward pass that agrees with the plan. Loads torch.

    Raises `UserError` where the forward pass cannot run here, `DisagreementError` where its
    numbers are not the plan's.
    """
    from mbv2cli.gate.agreement import confirmed_forward

    result = planned_result(case)
    run = _runnable(case.run)
    refuse_beyond_memory(result.plan, run)
    confirmed_forward(result.plan, run)
    return replace(result, forward_ran=True)


def _runnable(run: RunSpec) -> RunSpec:
    """Return ``run`` in float32 if it is in int8, which only a deployment has.

    What a forward pass confirms, every layer's shapes, parameters and MACs, is the same.
    """
    return run.model_copy(update={"dtype": "float32"}) if run.dtype == "int8" else run
