"""Which rows and columns of the summary are shown.

The document, slow to define, is imported only where rows are made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mbv2cli.errors import UserError, nearest
from mbv2cli.plan.figures import By
from mbv2cli.report.summary.report import SummaryReport

if TYPE_CHECKING:
    from mbv2cli.report.summary.document import GroupRow, LayerRow

LAYER: Final = "layer"
WAYS: Final = (LAYER, *By)
"""What `--by` takes."""

_GROUP_COLUMNS: Final = (
    *("name", "output_shape", "params", "macs", "macs_share"),
    *("layerwise_bytes", "receptive_field"),
)
_DEFAULT_COLUMNS: Final[Mapping[By | None, tuple[str, ...]]] = {
    None: ("name", "output_shape", "params", "path", "macs"),
    By.BLOCK: _GROUP_COLUMNS,
    By.STAGE: _GROUP_COLUMNS,
    By.KIND: ("name", "layers", "params", "params_share", "macs", "macs_share", "intensity"),
}


@dataclass(frozen=True, slots=True)
class View:
    """A row for each layer, or for each group ``by``; columns under the names of JSON fields."""

    by: By | None = None
    columns: tuple[str, ...] = ()

    def rows(self, report: SummaryReport) -> tuple[LayerRow | GroupRow, ...]:
        """Return the rows of ``report``."""
        from mbv2cli.report.summary.document import group_rows, layer_rows

        return layer_rows(report) if self.by is None else group_rows(report, self.by)

    @property
    def shown_columns(self) -> tuple[str, ...]:
        """The columns asked for, or the few that tell most."""
        return self.columns or _DEFAULT_COLUMNS[self.by]

    @property
    def all_columns(self) -> tuple[str, ...]:
        """Every column that there is."""
        from mbv2cli.report.summary.document import GroupRow, LayerRow

        return tuple((LayerRow if self.by is None else GroupRow).model_fields)


def view_of(by: str, columns: str | None) -> View:
    """Read ``--by`` and ``--columns``. Raises `UserError` for a name that is not there."""
    if by not in WAYS:
        raise UserError(f"--by must be one of {', '.join(WAYS)}, not '{by}'{nearest(by, WAYS)}")
    view = View(None if by == LAYER else By(by))
    if columns is None:
        return view
    names = tuple(name.strip() for name in columns.split(","))
    for name in names:
        if name not in view.all_columns:
            raise UserError(
                f"--columns has no column '{name}' by {by} (the columns are "
                f"{', '.join(view.all_columns)}){nearest(name, view.all_columns)}"
            )
    return View(view.by, names)
