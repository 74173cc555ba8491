"""The summary in torchsummary's own words."""

from __future__ import annotations

from collections.abc import Iterator

from mbv2cli.report.shape_text import bracketed
from mbv2cli.report.summary.report import SummaryReport


def render(report: SummaryReport) -> str:
    """Return what torchsummary printed or, where nothing was run, what it would print."""
    if report.forward is not None:
        return report.forward.table.text
    return "".join(f"{line}\n" for line in _lines(report))


def _lines(report: SummaryReport) -> Iterator[str]:
    """Yield the lines of torchsummary 1.5.1; its row names are never cut, only shifted."""
    totals, sizes = report.plan.totals, report.sizes
    yield "-" * 64
    yield f"{'Layer (type)':>20}  {'Output Shape':>25} {'Param #':>15}"
    yield "=" * 64
    for layer in report.plan.layers:
        if not layer.is_functional:
            shape = bracketed(layer.output_shape)
            yield f"{layer.name:>20}  {shape:>25} {layer.params:>15,}"
    yield "=" * 64
    yield f"Total params: {totals.params:,}"
    yield f"Trainable params: {totals.trainable_params:,}"
    yield f"Non-trainable params: {totals.non_trainable_params:,}"
    yield "-" * 64
    yield f"Input size (MB): {sizes.input_mb:.2f}"
    yield f"Forward/backward pass size (MB): {sizes.forward_backward_mb:.2f}"
    yield f"Params size (MB): {sizes.params_mb:.2f}"
    yield f"Estimated Total Size (MB): {sizes.total_mb:.2f}"
    yield "-" * 64
