"""`mbv2 presets`."""

from __future__ import annotations

from mbv2cli.cli.options import Output, PlainFormatName
from mbv2cli.cli.output import write
from mbv2cli.report.formats import PlainFormat, format_named
from mbv2cli.report.presets.report import preset_figures

HELP = """\
Parameters, MACs (convolutions + linear) and the activation peak (rule layerwise, int8) are those \
of one input of the preset's own size.

[bold]Examples[/bold]

  mbv2 presets

  mbv2 summary mobilenetv2_120d --by stage

  mbv2 memory mcunet_035_144:classes=10
"""


def presets(
    *, format_name: PlainFormatName = PlainFormat.TABLE.value, output: Output = None
) -> None:
    match format_named(format_name, PlainFormat):
        case PlainFormat.TABLE:
            from mbv2cli.report.presets.as_text import render
        case PlainFormat.JSON:
            from mbv2cli.report.presets.as_json import render
    write(render(preset_figures()), output)
