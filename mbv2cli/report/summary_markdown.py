"""The summary as Markdown, to paste into a pull request."""

from __future__ import annotations

from collections.abc import Iterator

from mbv2cli.plan import Layer
from mbv2cli.report.shape_text import bracketed
from mbv2cli.report.summary import SummaryReport
from mbv2cli.report.target_text import described


def render(report: SummaryReport) -> str:
    """Return a table of figures and, folded away, one of the layers."""
    return "".join(f"{line}\n" for line in _lines(report))


def _lines(report: SummaryReport) -> Iterator[str]:
    yield f"**`{described(report.request)}`**"
    yield ""
    yield from _figures(report)
    yield ""
    yield f"<details><summary>{len(report.plan.layers)} layers and operations</summary>"
    yield ""
    yield "| Layer (type) | Output Shape | Param # | Path | MACs |"
    yield "| --- | --- | ---: | --- | ---: |"
    yield from map(_layer, report.plan.layers)
    yield ""
    yield "</details>"


def _figures(report: SummaryReport) -> Iterator[str]:
    plan, sizes, forward = report.plan, report.sizes, report.forward
    yield "| | |"
    yield "| --- | ---: |"
    yield f"| Input shape | `{bracketed(plan.input_shape)}` |"
    yield f"| Output shape | `{bracketed(plan.output_shape)}` |"
    yield f"| Total params | {plan.totals.params:,} |"
    yield f"| Trainable params | {plan.totals.trainable_params:,} |"
    yield f"| Non-trainable params | {plan.totals.non_trainable_params:,} |"
    yield f"| MACs (convolutions + linear) | {plan.totals.macs:,} |"
    yield f"| Input size (MB) | {sizes.input_mb:,.2f} |"
    yield f"| Forward/backward pass size (MB) | {sizes.forward_backward_mb:,.2f} |"
    yield f"| Params size (MB) | {sizes.params_mb:,.2f} |"
    yield f"| Estimated Total Size (MB) | {sizes.total_mb:,.2f} |"
    verdict = "not run" if forward is None else f"agrees ({forward.device}, {forward.dtype})"
    yield f"| Forward pass | {verdict} |"


def _layer(layer: Layer) -> str:
    params = "" if layer.is_functional else f"{layer.params:,}"
    macs = f"{layer.macs:,}" if layer.macs else ""
    path = f"`{layer.path}`" if layer.path else ""
    name = layer.name or f"*{layer.type.replace('_', chr(92) + '_')}*"
    return f"| {name} | `{bracketed(layer.output_shape)}` | {params} | {path} | {macs} |"
