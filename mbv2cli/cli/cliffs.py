"""`mbv2 cliffs`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Final

import typer

from mbv2cli.cli.completion import completion
from mbv2cli.cli.flags import with_flags
from mbv2cli.cli.options import BoardName, DType, NetworkTarget, Output, format_option
from mbv2cli.cli.output import write
from mbv2cli.cliffs import WIDTHS
from mbv2cli.costs.memory import LAYERWISE, MEMORY_RULES, dtype_named, rule_named
from mbv2cli.errors import UserError
from mbv2cli.report.cliffs import cliffs_of
from mbv2cli.report.formats import format_of, renderer
from mbv2cli.specs import InputSpec, NetworkSpec
from mbv2cli.specs.reader import Setting, read_request, read_spec, read_target
from mbv2cli.specs.requests import refuse_module

if TYPE_CHECKING:
    from mbv2cli.gate.limits import Limits

HELP = """\
Channels are rounded to a multiple of --round-nearest, so the activation peak falls in steps. \
Tries every width from 1.50 down to 0.10 in steps of 0.01, and names the widest below each drop. \
Without torch.

  mbv2 cliffs network

  mbv2 cliffs network --size 96 --peak-rule training

  mbv2 cliffs network --size 96 --board stm32f746

  mbv2 cliffs mcunet_035_144 --round-nearest 4 --format json
"""

_RULES: Final = tuple(rule.name for rule in MEMORY_RULES)

FIRST: Final = (
    *("--round-nearest", "--size", "--peak-rule", "--dtype", "--board", "--format"),
    *("--output",),
)


@with_flags(hidden=("width_mult",), target_settings=(NetworkSpec, InputSpec))
def cliffs(
    target: NetworkTarget = "network",
    *,
    target_settings: list[Setting],
    rule: Annotated[
        str,
        typer.Option(
            "--peak-rule",
            metavar="NAME",
            help=f"Memory rule of the peak. One of {', '.join(_RULES)}.",
            rich_help_panel="Output",
            autocompletion=completion(lambda: _RULES),
        ),
    ] = LAYERWISE.name,
    board: BoardName = None,
    dtype: DType = "float32",
    format_name: Annotated[str | None, format_option("cliffs")] = None,
    output: Output = None,
) -> None:
    render = renderer("cliffs", format_of("cliffs", format_name, output))
    refuse_module(target, "cliffs plans a network at every width, and a module has no plan")
    request = read_request(target, target_settings)
    _refuse_width([*read_target(target).inline, *target_settings])
    limits = _limits(board)
    write(render(cliffs_of(request, rule_named(rule), dtype_named(dtype), limits)), output)


def _limits(board: str | None) -> Limits | None:
    """Return the limits of a board; None without one, which loads nothing."""
    if board is None:
        return None
    from mbv2cli.gate.boards import with_boards
    from mbv2cli.gate.limits import Limits

    return read_spec(Limits, with_boards([Setting("board", board, "--board")]))


def _refuse_width(settings: Iterable[Setting]) -> None:
    """Raise `UserError` for a width that the user gave, and that would go unused."""
    for setting in settings:
        if setting.key == "width_mult":
            raise UserError(
                f"{setting.place} does nothing: mbv2 cliffs tries every width from "
                f"{WIDTHS[-1]:.2f} to {WIDTHS[0]:.2f}; leave it out"
            )
