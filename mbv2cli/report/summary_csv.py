"""The summary as CSV: a line a layer, under the names that JSON uses."""

from __future__ import annotations

import csv
from io import StringIO

from mbv2cli.report.shape_text import compact
from mbv2cli.report.summary import SummaryReport
from mbv2cli.report.summary_document import LayerRow


def render(report: SummaryReport) -> str:
    """Return a header and a line a layer; shapes as ``1x64x224x224``, none as nothing."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(LayerRow.model_fields)
    for layer in report.plan.layers:
        writer.writerow(_cell(value) for _name, value in LayerRow.model_validate(layer))
    return text.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, tuple):
        return compact(value)
    return str(value).lower() if isinstance(value, bool) else value
