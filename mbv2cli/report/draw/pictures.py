"""A function for each kind of picture, which returns the content of a file: .svg or .png."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mbv2cli.costs.memory import MemoryRule
from mbv2cli.inspection import Model, Plan
from mbv2cli.report.picture import Heading
from mbv2cli.report.text import described, origin_text
from mbv2cli.specs.reader import Request

if TYPE_CHECKING:
    from mbv2cli.specs.module import ModuleRequest


def heading_of(request: Request | ModuleRequest) -> Heading:
    """Return what a picture of this target is called, and where the spec of a file comes from."""
    origin = request.origin if isinstance(request, Request) else None
    return Heading(described(request), (origin_text(origin),) if origin else ())


def draw_shapes(heading: Heading, model: Model, suffix: str) -> bytes:
    """Return the feature maps of a plan, or the module calls of an observed model."""
    if isinstance(model, Plan):
        from mbv2cli.report.draw.feature_maps import draw, drawing_of

        return draw(drawing_of(model, heading), suffix)
    from mbv2cli.report.draw.module_calls import draw as draw_calls
    from mbv2cli.report.draw.module_calls import picture_data

    return draw_calls(picture_data(heading, model), suffix)


def draw_memory(heading: Heading, model: Model, rule: MemoryRule, dtype: str, suffix: str) -> bytes:
    """Return the bytes alive under a memory rule while each operation runs."""
    from mbv2cli.report.draw.memory import draw, picture_data

    return draw(picture_data(heading, model, rule, dtype), suffix)


def draw_cost(heading: Heading, model: Model, rule: MemoryRule, dtype: str, suffix: str) -> bytes:
    """Return parameters, MACs and bytes, stage by stage."""
    from mbv2cli.report.draw.cost import draw, picture_data

    return draw(picture_data(heading, model, rule, dtype), suffix)


def draw_roofline(
    heading: Heading, model: Model, dtype: str, suffix: str, ridge: float | None = None
) -> bytes:
    """Return the MACs of each layer over its MACs per byte moved.

    ``ridge`` is how many MACs the device does while it moves a byte. Raises `UserError` if no
    layer has MACs.
    """
    from mbv2cli.report.draw.roofline import draw, picture_data

    return draw(picture_data(heading, model, dtype, ridge), suffix)
