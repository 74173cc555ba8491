"""`mbv2 fit`."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from mbv2cli.cli import ExitCode
from mbv2cli.cli.flags import with_flags
from mbv2cli.cli.options import NetworkTarget, Output, format_option
from mbv2cli.cli.output import write
from mbv2cli.errors import UserError
from mbv2cli.gate.boards import with_boards
from mbv2cli.gate.limits import Limits
from mbv2cli.report.formats import format_of, renderer
from mbv2cli.search.fit import VARIED, read_fit_space, space_text
from mbv2cli.search.fit import fit as best_of
from mbv2cli.specs import InputSpec, NetworkSpec
from mbv2cli.specs.reader import Setting, read_spec
from mbv2cli.specs.requests import refuse_module

HELP = """\
Plans some hundred networks of int8, each with the arena of TensorFlow Lite Micro, and lists those \
with the most MACs that keep all limits. MACs stand for accuracy here: nothing is trained. A flag \
of the network replaces the values of the default space, and may be a list or a range. Without \
torch.

  mbv2 fit --board stm32f746 --classes 10

  mbv2 fit --board rp2040 --size 96:160:16 --classes 2

  mbv2 fit network:classes=9,padding=torch --max-tflm 99KiB

  mbv2 fit --space
"""

FIRST: Final = (
    *("--board", "--max-tflm", "--max-flash", "--max-macs", "--classes"),
    *("--size", "--width-mult", "--padding", "--top", "--format"),
)

_MOST: Final = 1_000


@with_flags(varied=VARIED, target_settings=(NetworkSpec, InputSpec), limit_settings=(Limits,))
def fit(
    target: NetworkTarget = "network",
    *,
    target_settings: list[Setting],
    limit_settings: list[Setting],
    top: Annotated[
        int,
        typer.Option(
            "--top",
            metavar="N",
            help="List this many networks, and at most as many near misses.",
            rich_help_panel="Output",
        ),
    ] = 5,
    space: Annotated[
        bool,
        typer.Option("--space", help="Show the default space as TOML.", rich_help_panel="Output"),
    ] = False,
    format_name: Annotated[str | None, format_option("fit")] = None,
    output: Output = None,
) -> ExitCode:
    render = renderer("fit", format_of("fit", format_name, output))
    if space:
        write(space_text(), output)
        return ExitCode.DONE
    if not 1 <= top <= _MOST:
        raise UserError(f"--top must be a whole number from 1 to {_MOST:,}, not {top}")
    limits = read_spec(Limits, with_boards(limit_settings))
    if not any(setting.key != "peak_rule" for setting in limit_settings):
        raise UserError(
            "mbv2 fit needs a board or a limit; give one, such as --board stm32f746 "
            "(mbv2 boards lists them) or --max-tflm 320KiB"
        )
    refuse_module(target, "fit plans every network of a space, and a module has no plan")
    found = best_of(read_fit_space(target, target_settings), limits, top)
    write(render(found), output)
    return ExitCode.DONE
