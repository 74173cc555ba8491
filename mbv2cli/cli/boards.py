"""`mbv2 boards`."""

from __future__ import annotations

from typing import Annotated

import typer

from mbv2cli.cli.completion import completion
from mbv2cli.cli.options import Output, format_option
from mbv2cli.cli.output import write
from mbv2cli.gate.boards import boards_here, matching
from mbv2cli.report.formats import format_of, renderer
from mbv2cli.specs.boards import boards as named_boards

HELP = """\
Each name is a value of --board, which limits the arena (tflm) and the flash of a model. Two lines \
in mbv2.toml describe a board of your own: sram and flash below [board.NAME].

  mbv2 boards

  mbv2 boards stm32f746

  mbv2 memory network --size 96 --board stm32f746
"""


def boards(
    name: Annotated[
        str,
        typer.Argument(
            metavar="[NAME]",
            help="Show this board in full, or the boards with this text in a name or in the chip.",
            show_default=False,
            autocompletion=completion(named_boards),
        ),
    ] = "",
    *,
    format_name: Annotated[str | None, format_option("boards")] = None,
    output: Output = None,
) -> None:
    render = renderer("boards", format_of("boards", format_name, output))
    write(render(matching(name, boards_here())), output)
