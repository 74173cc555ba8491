"""The picture of a search: the cloud of members, the limits, the front."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from mbv2cli.errors import UserError
from mbv2cli.report.sweep.report import SweepReport


class PlotFormat(StrEnum):
    """The formats of a picture, by the end of a file's name."""

    SVG = ".svg"
    PNG = ".png"

    def draw(self, report: SweepReport) -> bytes:
        """Return the picture. Raises `UserError` where matplotlib is not installed."""
        return b""


def plot_format(path: Path) -> PlotFormat:
    """Return the format that a file's name asks for. Raises `UserError` if it is none of ours."""
    suffix = path.suffix.lower()
    if suffix not in list(PlotFormat):
        raise UserError(f"--plot must end in {' or '.join(PlotFormat)}, not '{path.name}'")
    return PlotFormat(suffix)
