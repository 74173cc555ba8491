"""Stretches, layers and shapes in a few words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mbv2cli.costs.outline import Stretch
from mbv2cli.errors import UserError
from mbv2cli.graph.ops import Shape
from mbv2cli.graph.rows import Layer
from mbv2cli.report.picture import Heading

MOST_ROWS: Final = 200
"""More rows than these nobody reads, and a PNG cannot be as high."""


def refuse_too_many(heading: Heading, parts: Sequence[Stretch]) -> None:
    """Raise `UserError` for more stretches than a picture has rows."""
    if len(parts) > MOST_ROWS:
        raise UserError(
            f"{heading.title} runs {len(parts)} modules and operations one after the other, and "
            f"this picture shows at most {MOST_ROWS}; try --what memory"
        )


def name_text(part: Stretch) -> str:
    """Return ``s2``, ``features.8–10`` or, where no module has a name, the functions."""
    if not part.name:
        return types_text(part)
    if not part.last or part.last == part.name:
        return part.name
    folder, _, name = part.last.rpartition(".")
    same = folder == part.name.rpartition(".")[0]
    return f"{part.name}–{name}" if same else f"{part.name} … {part.last}"


def repeats_text(part: Stretch) -> str:
    """Return `` × 3`` for three that are alike; "" for one."""
    return f" × {part.repeats}" if part.repeats > 1 else ""


def types_text(part: Stretch) -> str:
    """Return the classes or functions of a stretch: ``Conv2d + BatchNorm2d + ReLU``."""
    return " + ".join(part.types)


def layer_text(layer: Layer) -> str:
    """Return the path of a layer, or its function if the whole model runs it, and its role."""
    return f"{layer.path or layer.type}, {layer.role}"


def shape_text(shape: Shape) -> str:
    """Return a shape with its batch: ``1×64×224×224``; ``scalar`` for a single number."""
    return "×".join(map(str, shape)) or "scalar"
