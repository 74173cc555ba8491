"""`mbv2 draw`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from mbv2cli.cli.flags import with_flags
from mbv2cli.cli.imports import start_matplotlib
from mbv2cli.cli.options import Target
from mbv2cli.errors import UserError
from mbv2cli.inspection import plan_of
from mbv2cli.report.text import described
from mbv2cli.specs import BlockSpec, InputSpec, NetworkSpec
from mbv2cli.specs.reader import Setting, read_request

HELP = """\
Draws each feature map as a box: as wide as its channels and as high as its pixels, to scale. \
Between the boxes are the convolutions of a block, or the stages of a network, with their MACs. \
Needs matplotlib: pip install 'mbv2[plot]'.

  mbv2 draw --output block.svg

  mbv2 draw network:width_mult=0.5 --output network.png
"""

FIRST: Final = (
    *("--output", "--in", "--out", "--stride", "--expand"),
    *("--width-mult", "--size"),
)


@with_flags(target_settings=(BlockSpec, NetworkSpec, InputSpec))
def draw(
    target: Target = "block",
    *,
    target_settings: list[Setting],
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
    if output is None:
        raise UserError("--output is missing; name the picture, such as --output block.svg")
    request = read_request(target, target_settings)
    start_matplotlib(output, "--output")
    from mbv2cli.cli.files import outputs
    from mbv2cli.report.draw import draw as picture
    from mbv2cli.report.draw import drawing_of

    drawing = drawing_of(plan_of(request.spec, request.input), described(request))
    with outputs() as opened:
        opened(output).write(picture(drawing, output.suffix))
