"""`mbv2 draw`."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, nan
from pathlib import Path
from typing import Annotated, Final

import typer

from mbv2cli.cli.completion import completion
from mbv2cli.cli.flags import with_flags
from mbv2cli.cli.imports import start_matplotlib
from mbv2cli.cli.modules import model_of
from mbv2cli.cli.options import AnyTarget, Inputs
from mbv2cli.costs.memory import ELEMENT_BYTES, LAYERWISE, MEMORY_RULES, dtype_named, rule_named
from mbv2cli.errors import UserError
from mbv2cli.report.draw import What
from mbv2cli.specs import BlockSpec, InputSpec, NetworkSpec
from mbv2cli.specs.reader import Setting
from mbv2cli.specs.requests import read_any_request
from mbv2cli.specs.words import one_of

HELP = """\
shapes draws each feature map as a box, as wide as its channels and as high as its pixels, to \
scale; of a module of your own, the modules that run and the shapes that pass between them. \
memory draws the bytes of activations that are alive while each operation runs, and the peak. \
cost draws parameters, MACs and bytes, stage by stage. roofline draws the MACs of each layer over \
its MACs per byte. Needs matplotlib: pip install 'mbv2[plot]'.

  mbv2 draw --output block.svg

  mbv2 draw network:width_mult=0.5 --output network.png

  mbv2 draw network --what memory --output memory.svg

  mbv2 draw my_model.py:Net --what cost --output cost.svg
"""

FIRST: Final = (
    *("--what", "--output", "--in", "--out", "--stride", "--expand"),
    *("--width-mult", "--size", "--peak-rule", "--dtype", "--ridge"),
)

_RULES: Final = tuple(rule.name for rule in MEMORY_RULES)
_USED_BY: Final = {
    "--peak-rule": (What.MEMORY, What.COST),
    "--dtype": (What.MEMORY, What.COST, What.ROOFLINE),
    "--ridge": (What.ROOFLINE,),
}
"""The pictures that depend on a flag."""


@with_flags(target_settings=(BlockSpec, NetworkSpec, InputSpec))
def draw(
    target: AnyTarget = "block",
    *,
    target_settings: list[Setting],
    inputs: Inputs = None,
    what_name: Annotated[
        str,
        typer.Option(
            "--what",
            metavar="NAME",
            help=f"What the picture shows. One of {', '.join(What)}.",
            rich_help_panel="Output",
            autocompletion=completion(lambda: list(What)),
        ),
    ] = What.SHAPES,
    rule_name: Annotated[
        str | None,
        typer.Option(
            "--peak-rule",
            metavar="NAME",
            help=f"Memory rule of memory and cost. One of {', '.join(_RULES)}.",
            show_default=LAYERWISE.name,
            rich_help_panel="Output",
            autocompletion=completion(lambda: _RULES),
        ),
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(
            "--dtype",
            metavar="NAME",
            help=f"Element type of the bytes. One of {', '.join(ELEMENT_BYTES)}.",
            show_default="float32",
            rich_help_panel="Output",
            autocompletion=completion(lambda: ELEMENT_BYTES),
        ),
    ] = None,
    ridge_text: Annotated[
        str | None,
        typer.Option(
            "--ridge",
            metavar="X",
            help="MACs that your device does while it moves a byte: a line in the roofline.",
            rich_help_panel="Output",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="FILE",
            help="The picture: FILE.svg or FILE.png.",
            rich_help_panel="Output",
            show_default=False,
        ),
    ] = None,
) -> None:
    what = What(one_of(what_name, What, "--what"))
    if output is None:
        raise UserError("--output is missing; name the picture, such as --output block.svg")
    _refuse_unused(what, {"--peak-rule": rule_name, "--dtype": dtype, "--ridge": ridge_text})
    ridge = _ridge(ridge_text) if ridge_text is not None else None
    rule, dtype = rule_named(rule_name or LAYERWISE.name), dtype_named(dtype or "float32")
    request = read_any_request(target, target_settings, inputs or ())
    start_matplotlib(output, "--output")
    from mbv2cli.cli.files import outputs
    from mbv2cli.report.draw import pictures

    heading, suffix = pictures.heading_of(request), output.suffix
    model = model_of(request)
    match what:
        case What.SHAPES:
            picture = pictures.draw_shapes(heading, model, suffix)
        case What.MEMORY:
            picture = pictures.draw_memory(heading, model, rule, dtype, suffix)
        case What.COST:
            picture = pictures.draw_cost(heading, model, rule, dtype, suffix)
        case What.ROOFLINE:
            picture = pictures.draw_roofline(heading, model, dtype, suffix, ridge)
    with outputs() as opened:
        opened(output).write(picture)


def _refuse_unused(what: What, flags: Mapping[str, str | None]) -> None:
    """Raise `UserError` for a flag that the picture does not depend on."""
    for flag, value in flags.items():
        if value is not None and what not in _USED_BY[flag]:
            raise UserError(f"{flag} does nothing with --what {what}; leave one of them out")


def _ridge(text: str) -> float:
    """Return the number. Raises `UserError`."""
    try:
        ridge = float(text)
    except ValueError:
        ridge = nan
    if not 0 < ridge < inf:
        raise UserError(f"--ridge must be a number above 0, such as 4, not '{text}'")
    return ridge
