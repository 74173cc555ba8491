"""What `mbv2 summary` reports, as data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from mbv2cli.costs.conventions import CONV_LINEAR, Convention, Count, count
from mbv2cli.costs.figures import PARAMS, Counting, Figure
from mbv2cli.costs.layers import LayerFigures, layer_figures
from mbv2cli.costs.memory import MEMORY_RULES, MemoryUse
from mbv2cli.costs.torchsummary_sizes import TorchsummarySizes, torchsummary_sizes
from mbv2cli.graph.rows import Layer
from mbv2cli.inspection import Model, Observed, Plan, plan_of
from mbv2cli.report.summary.view import DEFAULT_VIEW, View
from mbv2cli.specs.reader import Request
from mbv2cli.specs.requests import doubt_of
from mbv2cli.specs.run import RunSpec

if TYPE_CHECKING:
    from mbv2cli.identify.identity import Identity
    from mbv2cli.nn.forward import ForwardRun
    from mbv2cli.nn.own import ModuleRun
    from mbv2cli.specs.module import ModuleRequest


@dataclass(frozen=True)
class SummaryReport:
    """The model of a request, and its forward pass if it ran.

    The forward pass of a plan confirms the plan. That of a module of the user's own is all that
    is known of it; ``identity`` is what the module is, None where no spec has such operations.
    ``view`` says which rows and columns are shown.
    """

    request: Request | ModuleRequest
    run: RunSpec
    model: Model
    convention: Convention = CONV_LINEAR
    forward: ForwardRun | ModuleRun | None = None
    view: View = DEFAULT_VIEW
    identity: Identity | None = None

    @cached_property
    def sizes(self) -> TorchsummarySizes | None:
        """Torchsummary's closing figures; None where torchsummary cannot run, or is wrong."""
        return None if self.doubt else torchsummary_sizes(self.model.graph)

    @property
    def doubt(self) -> str:
        """Why torchsummary cannot run, or what is wrong in its table; "" if nothing is."""
        return getattr(self.forward, "doubt", "")

    @property
    def doubt_of_file(self) -> str:
        """Why the figures are not those of the file that gives the spec: a sentence, or ""."""
        why = doubt_of(self.request)
        return f"These figures are those of the spec, not of the file: {why}." if why else ""

    @property
    def agrees(self) -> bool | None:
        """Whether plan and forward pass agree; None where one of them is missing."""
        return True if isinstance(self.model, Plan) and self.forward is not None else None

    @cached_property
    def layers(self) -> tuple[LayerFigures, ...]:
        """The figures of each layer: MACs by the convention, bytes of the dtype."""
        model = self.model
        return layer_figures(model.graph, model.layers, self.run.dtype, self.convention)

    @cached_property
    def macs(self) -> Count:
        """MACs by the convention."""
        return count(self.convention, self.model.graph.ops)

    @cached_property
    def memory(self) -> tuple[MemoryUse, ...]:
        """The peak under each rule."""
        return tuple(map(self.model.memory, MEMORY_RULES))

    def figure(self, figure: Figure) -> int:
        """Return a figure of the model: MACs by the convention, bytes of the dtype."""
        return self.model.figure(figure, self._counting)

    def known_figure(self, figure: Figure) -> int | None:
        """Return a figure; None if it needs every rule, and there is an operation without one."""
        is_unknown = figure.needs_every_rule and self.uncounted(figure)
        return None if is_unknown else self.figure(figure)

    def uncounted(self, figure: Figure) -> tuple[str, ...]:
        """Return the functions that a figure has no rule for."""
        return self.model.uncounted(figure, self._counting)

    @property
    def packed(self) -> tuple[str, ...]:
        """The functions whose weights are packed: the parameters then are at least those known."""
        return self.uncounted(PARAMS)

    @property
    def _counting(self) -> Counting:
        return Counting(self.convention.key, dtype=self.run.dtype)

    def culprit(self, use: MemoryUse) -> Layer:
        """Return the layer that causes a peak."""
        return self.model.layer_of(use.culprit)


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

    return replace(report, forward=confirmed_forward(plan_in(report), report.run))


def observed(
    request: ModuleRequest,
    run: RunSpec,
    convention: Convention = CONV_LINEAR,
    view: View = DEFAULT_VIEW,
) -> SummaryReport:
    """Return the report of a module of the user's own. Loads torch, and runs the user's code.

    Raises `UserError` if the module does not run.
    """
    from mbv2cli.identify.identity import identify, may_be_identified
    from mbv2cli.nn.own import run_module

    forward = run_module(request, run)
    graph = forward.graph
    identity = identify(graph) if may_be_identified(graph) else None
    return SummaryReport(request, run, Observed(graph), convention, forward, view, identity)


def plan_in(report: SummaryReport) -> Plan:
    """Return the plan of a report. Raises `TypeError` for the report of a module."""
    if not isinstance(report.model, Plan):
        raise TypeError("a module of the user's own has no plan")
    return report.model
