"""What `mbv2 summary` has to tell, as data."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mbv2cli.nn.records import ForwardRun
from mbv2cli.plan import Plan, plan_of
from mbv2cli.plan.memory import forward_bytes
from mbv2cli.plan.torchsummary_sizes import TorchsummarySizes, torchsummary_sizes
from mbv2cli.report.agreement import confirm
from mbv2cli.spec.reader import Request
from mbv2cli.spec.run import RunSpec


@dataclass(frozen=True, slots=True)
class SummaryReport:
    """The plan of a request and, unless nothing was run, the forward pass that confirms it."""

    request: Request
    run: RunSpec
    plan: Plan
    sizes: TorchsummarySizes
    forward: ForwardRun | None = None


def planned(request: Request, run: RunSpec) -> SummaryReport:
    """Return the report from the plan alone. Loads no torch."""
    plan = plan_of(request.spec, request.input)
    return SummaryReport(request, run, plan, torchsummary_sizes(plan.layers, plan.input_shape))


def confirmed(report: SummaryReport) -> SummaryReport:
    """Return ``report`` with a forward pass that agrees with it. Loads torch.

    Raises `UserError` where the forward pass cannot run here, `DisagreementError` where its numbers
    are not the plan's.
    """
    from mbv2cli.nn.forward import forward

    result = forward(report.plan.spec, report.plan.input_shape, report.run)
    confirm(report.plan, report.sizes, result)
    return replace(report, forward=result)


def refuse_beyond_memory(report: SummaryReport) -> None:
    """Raise `UserError` if the forward pass of ``report`` would not fit. Loads torch."""
    from mbv2cli.nn import memory_guard

    needed = forward_bytes(report.plan, report.run.dtype)
    memory_guard.refuse_beyond_memory(report.run, report.plan.input_shape, needed)
