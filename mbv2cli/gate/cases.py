"""A case: a named model with its expectations, and the result of checking it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mbv2cli.confirm import confirmed_forward, refuse_beyond_memory
from mbv2cli.costs.figures import Counting
from mbv2cli.errors import UnusableError, UserError
from mbv2cli.gate.limits import Expectations, Verdict, verdicts
from mbv2cli.inspection import Model, Observed, Plan, plan_of
from mbv2cli.specs import RunSpec
from mbv2cli.specs.reader import Request
from mbv2cli.specs.requests import AnyRequest, doubt_of, refuse_without_forward


@dataclass(frozen=True, slots=True)
class Case:
    """A named model and its limits; ``line`` is its line in the configuration file.

    ``places`` says where the user wrote a value of the run, by its key. ``place`` is the case in
    its file; "" if the case is of flags. Raises `UserError` for a limit that a module cannot have.
    """

    name: str
    request: AnyRequest
    run: RunSpec
    expected: Expectations
    line: int | None = None
    place: str = ""
    places: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.is_module:
            refuse_features(self.expected, self.places.get("features", "features"))

    @property
    def is_module(self) -> bool:
        """Whether the model is a module of the user's own, which has no plan."""
        return not isinstance(self.request, Request)

    @property
    def counting(self) -> Counting:
        """How MACs and bytes of the case are counted."""
        return Counting(rule=self.expected.peak_rule, dtype=self.run.dtype)


def refuse_features(expected: Expectations, place: str = "features") -> None:
    """Raise `UserError` if feature maps are expected of a module. ``place`` is where that is."""
    if expected.features:
        raise UserError(
            f"{place} is for a block or a network: no plan says which layers of a module are its "
            "stages; write output, or leave it out"
        )


@dataclass(frozen=True, slots=True)
class CaseResult:
    """A checked case. ``forward_ran`` says whether a forward pass confirmed or showed the model.

    ``model`` is None if a module did not run; ``failure`` then says why.
    """

    case: Case
    model: Model | None
    verdicts: tuple[Verdict, ...]
    forward_ran: bool
    failure: str = ""

    @property
    def holds(self) -> bool:
        """Whether every expectation holds."""
        return not self.failure and all(verdict.holds for verdict in self.verdicts)


def planned_result(case: Case) -> CaseResult:
    """Check ``case`` by the plan alone. Loads no torch. Raises `UserError` for a module."""
    return _result(case, _plan(case), forward_ran=False)


def refuse_modules_without_forward(cases: Iterable[Case], place: str) -> None:
    """Raise `UserError` if one of the cases is a module, and ``place`` forbids a forward pass."""
    for case in cases:
        try:
            refuse_without_forward(case.request, forward=False, place=place)
        except UserError as error:
            raise _in_case(case, error) from None


def confirmed_result(case: Case) -> CaseResult:
    """Check ``case`` with a forward pass: it agrees with the plan, or shows a module. Loads torch.

    Raises `UserError` if the forward pass of a plan cannot run on this machine, or if a value of
    the run cannot be used; `DisagreementError` if its numbers are not those of the plan. What
    stops a module is the failure of its case.
    """
    try:
        if case.is_module:
            return _observed_result(case)
        plan = _plan(case)
        run = _runnable(case.run)
        refuse_beyond_memory(plan, run)
        confirmed_forward(plan, run)
    except UnusableError as error:
        raise error.written_at(case.places) from None
    except UserError as error:
        raise _in_case(case, error) from None
    return _result(case, plan, forward_ran=True)


def _observed_result(case: Case) -> CaseResult:
    from mbv2cli.nn.own import run_module

    if isinstance(case.request, Request):
        raise TypeError("a spec is confirmed, not observed")
    try:
        ran = run_module(case.request, _runnable(case.run))
    except UnusableError:
        raise
    except UserError as error:
        return CaseResult(case, None, (), forward_ran=False, failure=str(error))
    if ran.thread:
        failure = (
            f"{case.request.target} leaves a thread that runs: {ran.thread}; end it, because it "
            "would run beside the next cases"
        )
        return CaseResult(case, None, (), forward_ran=False, failure=failure)
    return _result(case, Observed(ran.graph, ran.doubt), forward_ran=True)


def _plan(case: Case) -> Plan:
    if not isinstance(case.request, Request):
        refuse_without_forward(case.request, forward=False)
        raise TypeError("a module has no plan")
    return plan_of(case.request.spec, case.request.input)


def _result(case: Case, model: Model, *, forward_ran: bool) -> CaseResult:
    found = verdicts(case.expected, model, case.run.dtype, doubt_of(case.request))
    return CaseResult(case, model, found, forward_ran)


def _in_case(case: Case, error: UserError) -> UserError:
    return UserError(f"{case.place}: {error}" if case.place else str(error))


def _runnable(run: RunSpec) -> RunSpec:
    """Return ``run`` in float32 if it is in int8: only a deployed model runs in int8.

    The forward pass shows shapes, parameters and MACs, which are the same in float32.
    """
    return run.model_copy(update={"dtype": "float32"}) if run.dtype == "int8" else run
