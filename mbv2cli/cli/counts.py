"""`mbv2 counts`."""

from __future__ import annotations

from mbv2cli.cli.flags import with_flags
from mbv2cli.cli.options import Output, PlainFormatName, Target
from mbv2cli.cli.output import write
from mbv2cli.report.counts.report import counted
from mbv2cli.report.formats import PlainFormat, format_named
from mbv2cli.specs import BlockSpec, InputSpec, NetworkSpec
from mbv2cli.specs.reader import Setting, read_request

HELP = """Explain why counters differ: MACs and parameters under every tool's convention.

Each line is the number that the tools named beside it report; the indented lines below are what \
they count on top of convolutions and linear layers. Exact, without torch.

[bold]Examples[/bold]

  mbv2 counts network

  mbv2 counts network:width_mult=0.5 --size 160 --format json
"""


@with_flags(target_settings=(BlockSpec, NetworkSpec, InputSpec))
def counts(
    target: Target = "block",
    *,
    target_settings: list[Setting],
    format_name: PlainFormatName = PlainFormat.TABLE.value,
    output: Output = None,
) -> None:
    match format_named(format_name, PlainFormat):
        case PlainFormat.TABLE:
            from mbv2cli.report.counts.as_text import render
        case PlainFormat.JSON:
            from mbv2cli.report.counts.as_json import render
    write(render(counted(read_request(target, target_settings))), output)
