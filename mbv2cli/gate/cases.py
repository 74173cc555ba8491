"""A case: a named model with its expectations, and the result of checking it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mbv2cli.confirm import confirmed_forward, refuse_beyond_memory
from mbv2cli.costs.figures import Counting
from mbv2cli.errors import UnusableError, UserError
from mbv2cli.gate.limits import Expectations, Verdict, verdicts
from mbv2cli.inspection import Plan, plan_of
from mbv2cli.specs import RunSpec
from mbv2cli.specs.reader import Request


@dataclass(frozen=True, slots=True)
class Case:
    """A named model and its limits; ``line`` is its line in the configuration file.

    ``places`` says where the user wrote a value of the run, by its key. ``place`` is the case in
    its file; "" if the case is of flags.
    """

    name: str
    request: Request
    run: RunSpec
    expected: Expectations
    line: int | None = None
    place: str = ""
    places: Mapping[str, str] = field(default_factory=dict)

    @property
    def counting(self) -> Counting:
        """How MACs and bytes of the case are counted."""
        return Counting(rule=self.expected.peak_rule, dtype=self.run.dtype)


@dataclass(frozen=True, slots=True)
class CaseResult:
    """A checked case. ``forward_ran`` says whether a forward pass confirmed the plan."""

    case: Case
    plan: Plan
    verdicts: tuple[Verdict, ...]
    forward_ran: bool

    @property
    def holds(self) -> bool:
        """Whether every expectation holds."""
        return all(verdict.holds for verdict in self.verdicts)


def planned_result(case: Case) -> CaseResult:
    """Check ``case`` by the plan alone. Loads no torch."""
    plan = plan_of(case.request.spec, case.request.input)
    return CaseResult(case, plan, verdicts(case.expected, plan, case.run.dtype), forward_ran=False)


def confirmed_result(case: Case) -> CaseResult:
    """Check ``case`` with a forward pass that agrees with the plan. Loads torch.

    Raises `UserError` if the forward pass cannot run on this machine, `DisagreementError` if its
    numbers are not those of the plan.
    """
    result = planned_result(case)
    run = _runnable(case.run)
    try:
        refuse_beyond_memory(result.plan, run)
        confirmed_forward(result.plan, run)
    except UnusableError as error:
        raise error.written_at(case.places) from None
    except UserError as error:
        raise UserError(f"{case.place}: {error}" if case.place else str(error)) from None
    return replace(result, forward_ran=True)


def _runnable(run: RunSpec) -> RunSpec:
    """Return ``run`` in float32 if it is in int8: only a deployed model runs in int8.

    The forward pass confirms shapes, parameters and MACs, which are the same in float32.
    """
    return run.model_copy(update={"dtype": "float32"}) if run.dtype == "int8" else run
