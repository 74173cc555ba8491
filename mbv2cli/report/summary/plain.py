"""The summary for programs: CSV, and torchsummary's own text."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from io import StringIO

from mbv2cli.report.summary.document import rows_of
from mbv2cli.report.summary.report import SummaryReport
from mbv2cli.report.text import bracketed, compact
from mbv2cli.shown import escaped


def as_csv(report: SummaryReport) -> str:
    """Return a line for each layer or group below a line of the JSON fields' names.

    Shapes are ``1x64x224x224``; null is empty.
    """
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = report.view.columns or report.view.all_columns
    writer.writerow(columns)
    for row in rows_of(report):
        writer.writerow(_cell(getattr(row, column)) for column in columns)
    return text.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, tuple):
        return compact(value)
    if isinstance(value, str):
        return escaped(value)
    return str(value).lower() if isinstance(value, bool) else value


def as_torchsummary(report: SummaryReport) -> str:
    """Return what torchsummary printed, or would print if nothing ran."""
    if report.forward is None:
        lines = _torchsummary_lines(report)
    else:
        lines = iter(report.forward.table.text.removesuffix("\n").split("\n"))
    return "".join(f"{escaped(line)}\n" for line in lines)


def _torchsummary_lines(report: SummaryReport) -> Iterator[str]:
    """Yield the lines of torchsummary 1.5.1, which never cuts the name of a row."""
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
