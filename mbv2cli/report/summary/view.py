"""Which rows and columns of the summary are shown, and their titles and cells as text.

The module of the rows takes long to import, so it is imported only where rows are made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mbv2cli.costs.conventions import Convention
from mbv2cli.costs.layers import By
from mbv2cli.errors import UserError, nearest
from mbv2cli.graph.rows import Role
from mbv2cli.report.text import bracketed
from mbv2cli.specs.fields import written
from mbv2cli.specs.words import listed, one_of

if TYPE_CHECKING:
    from mbv2cli.report.summary.rows import GroupRow, LayerRow

LAYER: Final = "layer"
WAYS: Final = (LAYER, *By)
"""The values of `--by`."""

_GROUP_COLUMNS: Final = (
    *("name", "output_shape", "params", "macs", "macs_share"),
    *("layerwise_bytes", "receptive_field"),
)
_DEFAULT_COLUMNS: Final[Mapping[By | None, tuple[str, ...]]] = {
    None: ("name", "role", "output_shape", "params", "macs", "path"),
    By.BLOCK: _GROUP_COLUMNS,
    By.STAGE: _GROUP_COLUMNS,
    By.KIND: ("name", "layers", "params", "params_share", "macs", "macs_share", "intensity"),
}
_TITLES: Final[Mapping[str, str]] = {
    "input_shape": "Input Shape",
    "output_shape": "Output Shape",
    "params": "Param #",
    "params_share": "Param\nshare",
    "layerwise_bytes": "Layerwise",
    "inplace_depthwise_bytes": "In-place\ndepthwise",
    "eager_bytes": "Eager",
    "training_bytes": "Training",
    "moved_bytes": "Moved",
    "receptive_field": "Receptive\nfield",
    "intensity": "MACs per\nbyte moved",
}
"""The titles that are not made of the name of the JSON field. Those of bytes get their unit."""

_SAID_BY_THE_NAME: Final = frozenset({Role.NORM, Role.ACTIVATION, Role.DROPOUT, Role.BLOCK})

_TEXT_COLUMNS: Final = frozenset(
    {"name", "path", "type", "role", "kind", "stage", "block", "functional"}
)


_COSTS: Final = frozenset({"params", "trainable_params", "macs"})


@dataclass(frozen=True, slots=True)
class View:
    """A row for each layer, or for each group ``by``; columns under the names of JSON fields."""

    by: By | None = None
    columns: tuple[str, ...] = ()

    @property
    def shown_columns(self) -> tuple[str, ...]:
        """The columns asked for, or the default ones."""
        return self.columns or _DEFAULT_COLUMNS[self.by]

    @property
    def all_columns(self) -> tuple[str, ...]:
        """Every column that there is."""
        from mbv2cli.report.summary.rows import GroupRow, LayerRow

        return tuple((LayerRow if self.by is None else GroupRow).model_fields)

    def title(self, column: str, convention: Convention, dtype: str) -> str:
        """Return the title of a column, of one or two lines."""
        match column:
            case "name":
                return "Layer (type)" if self.by is None else self.by.capitalize()
            case "macs":
                return convention.unit
            case "macs_share":
                return f"{convention.unit}\nshare"
        title = _TITLES.get(column, column.replace("_", " ").capitalize())
        return f"{title}\n{dtype} KiB" if column.endswith("_bytes") else title


DEFAULT_VIEW: Final = View()


def view_of(by: str, columns: str | None) -> View:
    """Read ``--by`` and ``--columns``. Raises `UserError` for a name that is not there."""
    way = one_of(by, WAYS, "--by")
    view = View(None if way == LAYER else By(way))
    if columns is None:
        return view
    names = tuple(listed(name.strip(), view.all_columns) for name in columns.split(","))
    for name in names:
        if name not in view.all_columns:
            raise UserError(
                f"--columns has no column '{name}' by {way} (the columns are "
                f"{', '.join(view.all_columns)}){nearest(name, view.all_columns)}"
            )
    return View(view.by, names)


def is_number(column: str) -> bool:
    """Return whether a column holds numbers, which are aligned on the right."""
    return not (column in _TEXT_COLUMNS or column.endswith("shape"))


def is_cost(column: str) -> bool:
    """Return whether the largest amount of a column is the first to look at.

    Under the rule ``training`` each layer adds to what the layers before it saved.
    """
    return column in _COSTS or (column.endswith("_bytes") and column != "training_bytes")


def cell(row: LayerRow | GroupRow, column: str) -> str:
    """Return a cell; it is empty for null and for a zero that says nothing."""
    value = getattr(row, column)
    if column == "name":
        return str(value or getattr(row, "type", ""))
    if column == "role":
        return _role_text(row)
    if value is None or _says_nothing(row, column):
        return ""
    if column.endswith("_share"):
        return f"{value:.1%}"
    if column.endswith("_bytes"):
        return f"{value / 2**10:,.1f}"
    return _AS_TEXT.get(type(value), str)(value)


def _role_text(row: Any) -> str:
    """Return the role of a layer; its kernel, stride and dilation where they are not 1.

    ``depthwise 3x3 s2 d4`` has stride 2 and dilation 4. The role of a norm, an activation, a
    dropout or a block is empty: the name of the layer says the same.
    """
    if row.role in _SAID_BY_THE_NAME:
        return ""
    kernel = f" {_sides_text(row.kernel)}" if row.kernel not in (None, 1) else ""
    stride = f" s{row.stride}" if row.stride not in (None, 1) else ""
    dilation = f" d{row.dilation}" if row.dilation not in (None, 1) else ""
    return f"{row.role}{kernel}{stride}{dilation}"


def _sides_text(sides: int | tuple[int, ...]) -> str:
    return f"{sides}x{sides}" if isinstance(sides, int) else "x".join(map(str, sides))


def _says_nothing(row: LayerRow | GroupRow, column: str) -> bool:
    """Return whether a cell is zero because there is nothing to count."""
    if column == "params":
        return not row.params and bool(getattr(row, "functional", False))
    return column in {"macs", "intensity", "moved_bytes"} and not getattr(row, column)


_AS_TEXT: Final[Mapping[type, Callable[[Any], str]]] = {
    bool: written,
    int: lambda value: f"{value:,}",
    float: lambda value: f"{value:,.2f}".removesuffix(".00"),
    tuple: bracketed,
}
