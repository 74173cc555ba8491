"""The published figures in ``tests/reference``."""

from __future__ import annotations

import csv
from pathlib import Path

REFERENCE = Path(__file__).parent / "reference"


def rows(name: str) -> list[dict[str, str]]:
    """Return the rows of ``reference/NAME.csv``."""
    with (REFERENCE / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def shape(text: str) -> tuple[int, ...]:
    """Read ``32x3x3x3``, or ``scalar``."""
    return () if text == "scalar" else tuple(int(side) for side in text.split("x"))
