"""What `mbv2 summary` reports, as data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from mbv2cli.costs.conventions import CONV_LINEAR, Convention, Count, count
from mbv2cli.costs.figures import Counting, Figure
from mbv2cli.costs.layers import LayerFigures, layer_figures
from mbv2cli.costs.memory import MEMORY_RULES, MemoryUse
from mbv2cli.costs.torchsummary_sizes import TorchsummarySizes, torchsummary_sizes
from mbv2cli.graph.rows import Layer
from mbv2cli.inspection import Plan, plan_of
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
    convention: Convention = CONV_LINEAR
    forward: ForwardRun | None = None
    view: View = DEFAULT_VIEW

    @cached_property
    def sizes(self) -> TorchsummarySizes:
        """Torchsummary's closing figures."""
        return torchsummary_sizes(self.plan.graph)

    @cached_property
    def layers(self) -> tuple[LayerFigures, ...]:
        """The figures of each layer: MACs by the convention, bytes of the dtype."""
        plan = self.plan
        return layer_figures(plan.graph, plan.layers, self.run.dtype, self.convention)

    @cached_property
    def macs(self) -> Count:
        """MACs by the convention."""
        return count(self.convention, self.plan.graph.ops)

    @cached_property
    def memory(self) -> tuple[MemoryUse, ...]:
        """The peak under each rule."""
        return tuple(map(self.plan.memory, MEMORY_RULES))

    def figure(self, figure: Figure) -> int:
        """Return a figure of the model: MACs by the convention, bytes of the dtype."""
        return self.plan.figure(figure, Counting(self.convention.key, dtype=self.run.dtype))

    def culprit(self, use: MemoryUse) -> Layer:
        """Return the layer that causes a peak."""
        return self.plan.layer_of(use.culprit)


def planned(
    request: Request,
    run: RunSpec,
    convention: Convention = CONV_LINEAR,
    view: View = DEFAULT_VIEW,
) -> SummaryReport:
    """Return the report of the plan alone. Loads no torch."""
    plan = plan_of(request.spec, request.input)
    return SummaryReport(request, run, plan, convention, view=view)


def confirmed(report: SummaryReport) -> SummaryReport:
    """Return ``report`` with a forward pass that agrees with it. Loads torch.

    Raises `UserError` if the forward pass cannot run here, and `DisagreementError` if its numbers
    are not the plan's.
    """
    from mbv2cli.confirm import confirmed_forward

    return replace(report, forward=confirmed_forward(report.plan, report.run))
