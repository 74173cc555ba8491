"""Titles and cells of the summary's tables, as text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from mbv2cli.plan.conventions import Convention
from mbv2cli.report.shape_text import bracketed
from mbv2cli.report.summary.document import GroupRow, LayerRow

_TITLES: Final[Mapping[str, str]] = {
    "output_shape": "Output Shape",
    "params": "Param #",
    "params_share": "Share",
    "path": "Path",
    "macs_share": "Share",
    "layerwise_bytes": "Layerwise KiB",
    "inplace_depthwise_bytes": "In-place KiB",
    "eager_bytes": "Eager KiB",
    "training_bytes": "Training KiB",
    "moved_bytes": "Moved KiB",
    "receptive_field": "Field",
}
"""Of the columns that are not named as their JSON field."""

_TEXT_COLUMNS: Final = frozenset(
    {"name", "path", "type", "role", "kind", "stage", "block", "functional"}
)


def title(column: str, by: str, convention: Convention) -> str:
    """Return the title of a column of rows ``by`` layer, block, stage or kind."""
    match column:
        case "name":
            return "Layer (type)" if by == "layer" else by.capitalize()
        case "macs":
            return convention.unit
        case _:
            return _TITLES.get(column, column)


def is_number(column: str) -> bool:
    """Return whether a column holds numbers, which stand on the right."""
    return not (column in _TEXT_COLUMNS or column.endswith("shape"))


def text(row: LayerRow | GroupRow, column: str) -> str:
    """Return a cell, empty where there is nothing to tell."""
    value = getattr(row, column)
    if column == "name" and isinstance(row, LayerRow):
        return row.name or row.type
    if value is None or _goes_without_saying(row, column):
        return ""
    if column.endswith("_share"):
        return f"{value:.1%}"
    if column.endswith("_bytes"):
        return f"{value / 2**10:,.1f}"
    return _WORDS_FOR.get(type(value), str)(value)


def _goes_without_saying(row: LayerRow | GroupRow, column: str) -> bool:
    """Return whether a zero here only says that there is nothing to count."""
    if column == "params":
        return isinstance(row, LayerRow) and row.functional
    return column in {"macs", "intensity", "moved_bytes"} and not getattr(row, column)


_WORDS_FOR: Final[Mapping[type, Callable[[Any], str]]] = {
    bool: lambda value: str(value).lower(),
    int: lambda value: f"{value:,}",
    float: lambda value: f"{value:,.2f}".removesuffix(".00"),
    tuple: bracketed,
}
