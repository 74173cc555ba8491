"""`mbv2 cliffs`."""

from __future__ import annotations

from typing import Annotated

import typer

from mbv2cli.cli.flags import with_flags
from mbv2cli.cli.options import DType, Output, PlainFormatName, Target
from mbv2cli.cli.output import write
from mbv2cli.plan.memory import LAYERWISE, MEMORY_RULES, dtype_named, rule_named
from mbv2cli.report.cliffs.report import cliffs_of
from mbv2cli.report.formats import PlainFormat, format_named
from mbv2cli.specs import BlockSpec, InputSpec, NetworkSpec
from mbv2cli.specs.reader import Setting, read_request

HELP = """Find the width multipliers where rounding makes a narrower network buy nothing.

Channels are rounded to a multiple of --round-nearest, so the activation peak falls in steps as \
the width does. Walks widths 1.50 to 0.10 by 0.01; names the widest below each drop. Without torch.

[bold]Examples[/bold]

  mbv2 cliffs network

  mbv2 cliffs network --size 96 --rule inplace-depthwise

  mbv2 cliffs mcunet_035_144 --round-nearest 4 --format json
"""


@with_flags(target_settings=(BlockSpec, NetworkSpec, InputSpec))
def cliffs(
    target: Target = "network",
    *,
    target_settings: list[Setting],
    rule: Annotated[
        str,
        typer.Option(
            "--rule",
            metavar="NAME",
            help=f"Memory rule. One of {', '.join(rule.name for rule in MEMORY_RULES)}.",
            rich_help_panel="Output",
        ),
    ] = LAYERWISE.name,
    dtype: DType = "int8",
    format_name: PlainFormatName = PlainFormat.TABLE.value,
    output: Output = None,
) -> None:
    match format_named(format_name, PlainFormat):
        case PlainFormat.TABLE:
            from mbv2cli.report.cliffs.as_text import render
        case PlainFormat.JSON:
            from mbv2cli.report.cliffs.as_json import render
    request = read_request(target, target_settings)
    write(render(cliffs_of(request, rule_named(rule), dtype_named(dtype))), output)
