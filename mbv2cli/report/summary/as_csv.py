"""The summary as CSV: a line a layer or group, under the names that JSON uses."""

from __future__ import annotations

import csv
from io import StringIO

from mbv2cli.report.shape_text import compact
from mbv2cli.report.summary.report import SummaryReport
from mbv2cli.report.summary.view import View


def render(report: SummaryReport, view: View) -> str:
    """Return a header and the rows; shapes as ``1x64x224x224``, none as nothing."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = view.columns or view.all_columns
    writer.writerow(columns)
    for row in view.rows(report):
        writer.writerow(_cell(getattr(row, column)) for column in columns)
    return text.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, tuple):
        return compact(value)
    return str(value).lower() if isinstance(value, bool) else value
