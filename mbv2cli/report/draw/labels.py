"""Stretches, layers and shapes in a few words."""

from __future__ import annotations

from mbv2cli.costs.outline import Stretch
from mbv2cli.graph.ops import Shape
from mbv2cli.graph.rows import Layer, Role


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
    role = "" if layer.role is Role.OTHER else f", {layer.role}"
    return f"{layer.path or layer.type}{role}"


def shape_text(shape: Shape) -> str:
    """Return a shape with its batch: ``1×64×224×224``; ``scalar`` for a single number."""
    return "×".join(map(str, shape)) or "scalar"
