"""`mbv2 memory`."""

from __future__ import annotations

from mbv2cli.cli.flags import with_flags
from mbv2cli.cli.options import Output, PlainFormatName, Target
from mbv2cli.cli.output import write
from mbv2cli.report.formats import PlainFormat, format_named
from mbv2cli.report.memory.report import memory_of
from mbv2cli.specs import BlockSpec, InputSpec, NetworkSpec
from mbv2cli.specs.reader import Setting, read_request

HELP = """Tell how much memory it takes: activations under every rule, weights, flash.

Peaks are those of the whole batch, each with the layer that causes it. Exact, without torch.

[bold]Examples[/bold]

  mbv2 memory network

  mbv2 memory network:width_mult=0.35 --size 96

  mbv2 memory --in 16 --out 24 --stride 2 --format json
"""


@with_flags(target_settings=(BlockSpec, NetworkSpec, InputSpec))
def memory(
    target: Target = "block",
    *,
    target_settings: list[Setting],
    format_name: PlainFormatName = PlainFormat.TABLE.value,
    output: Output = None,
) -> None:
    match format_named(format_name, PlainFormat):
        case PlainFormat.TABLE:
            from mbv2cli.report.memory.as_text import render
        case PlainFormat.JSON:
            from mbv2cli.report.memory.as_json import render
    write(render(memory_of(read_request(target, target_settings))), output)
