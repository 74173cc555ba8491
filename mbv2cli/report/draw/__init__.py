"""What `mbv2 draw` draws: one file for each kind of picture."""

from __future__ import annotations

from enum import StrEnum


class What(StrEnum):
    """What a picture shows."""

    SHAPES = "shapes"
    MEMORY = "memory"
    COST = "cost"
    ROOFLINE = "roofline"
