"""The summary for programs: CSV, and torchsummary's own text."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from io import StringIO

from mbv2cli.costs.torchsummary_sizes import torchsummary_sizes
from mbv2cli.errors import UserError
from mbv2cli.report.summary.document import rows_of
from mbv2cli.report.summary.report import SummaryReport
from mbv2cli.report.text import bracketed, compact
from mbv2cli.shown import escaped
from mbv2cli.specs.fields import written


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
    return written(value) if isinstance(value, bool) else value


def as_torchsummary(report: SummaryReport) -> str:
    """Return what torchsummary printed, or would print if nothing ran.

    Raises `UserError` where torchsummary cannot run.
    """
    if report.forward is None:
        lines = _torchsummary_lines(report)
    elif report.forward.table is None:
        raise UserError(f"--format torchsummary: {report.doubt}; try --format table")
    else:
        lines = iter(report.forward.table.text.removesuffix("\n").split("\n"))
    return "".join(f"{escaped(line)}\n" for line in lines)


def _torchsummary_lines(report: SummaryReport) -> Iterator[str]:
    """Yield the lines of torchsummary 1.5.1, which never cuts the name of a row."""
    totals, sizes = report.model.totals, torchsummary_sizes(report.model.graph)
    yield "-" * 64
    yield f"{'Layer (type)':>20}  {'Output Shape':>25} {'Param #':>15}"
    yield "=" * 64
    for layer in report.model.layers:
        if not layer.is_functional:
            shape = bracketed(layer.output_shape)
            yield f"{layer.name:>20}  {shape:>25} {layer.params:>15,}"
    yield "=" * 64
    yield f"Total params: {totals.params:,}"
    yield f"Trainable params: {totals.trainable_params:,}"
    yield f"Non-trainable params: {totals.non_trainable_params:,}"
    yield "-" * 64
    for title, megabytes in sizes.titled:
        yield f"{title}: {megabytes:.2f}"
    yield "-" * 64
