"""What `mbv2 summary` reports, as data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from mbv2cli.plan import Plan, plan_of
from mbv2cli.plan.conventions import CONV_LINEAR, Convention, Count, count
from mbv2cli.plan.figures import LayerFigures, layer_figures
from mbv2cli.plan.memory import MEMORY_RULES, MemoryUse, memory_use
from mbv2cli.plan.torchsummary_sizes import TorchsummarySizes, torchsummary_sizes
from mbv2cli.report.summary.view import DEFAULT_VIEW, View
from mbv2cli.specs.reader import Request
from mbv2cli.specs.run import RunSpec

if TYPE_CHECKING:
    from mbv2cli.nn.forward import ForwardRun


@dataclass(frozen=True)
class SummaryReport:
    """The plan of a request and, if it ran, the forward pass that confirms it.

    ``view`` says which rows and columns are shown.
    """

    request: Request
    run: RunSpec
    plan: Plan
    sizes: TorchsummarySizes
    convention: Convention = CONV_LINEAR
    forward: ForwardRun | None = None
    view: View = DEFAULT_VIEW

    @cached_property
    def layers(self) -> tuple[LayerFigures, ...]:
        """The figures of each layer: MACs by the convention, bytes of the dtype."""
        return layer_figures(self.plan, self.run.dtype, self.convention)

    @cached_property
    def macs(self) -> Count:
        """MACs by the convention."""
        return count(self.convention, self.plan.layers)

    @cached_property
    def memory(self) -> tuple[MemoryUse, ...]:
        """The peak under each rule."""
        return tuple(memory_use(rule, self.plan) for rule in MEMORY_RULES)

    @property
    def receptive_field(self) -> int:
        """Side of what an element of the last feature map sees, in input pixels."""
        return next(one.receptive_field for one in self.layers[::-1] if one.receptive_field)


def planned(
    request: Request,
    run: RunSpec,
    convention: Convention = CONV_LINEAR,
    view: View = DEFAULT_VIEW,
) -> SummaryReport:
    """Return the report of the plan alone. Loads no torch."""
    plan = plan_of(request.spec, request.input)
    sizes = torchsummary_sizes(plan.layers, plan.input_shape)
    return SummaryReport(request, run, plan, sizes, convention, view=view)


def confirmed(report: SummaryReport) -> SummaryReport:
    """Return ``report`` with a forward pass that agrees with it. Loads torch.

    Raises `UserError` if the forward pass cannot run here, and `DisagreementError` if its numbers
    are not the plan's.
    """
    from mbv2cli.gate.agreement import confirmed_forward

    return replace(report, forward=confirmed_forward(report.plan, report.run))
