"""`mbv2 presets`."""

from __future__ import annotations

from typing import Annotated

from mbv2cli.cli.options import Output, format_option
from mbv2cli.cli.output import write
from mbv2cli.report.formats import renderer
from mbv2cli.report.presets import preset_figures

HELP = """\
Parameters, MACs (convolutions + linear) and activation peak (rule layerwise, int8) are for one \
input of the preset's own size.

  mbv2 presets

  mbv2 summary mobilenetv2_120d --by stage

  mbv2 memory mcunet_035_144:classes=10
"""


def presets(
    *, format_name: Annotated[str, format_option("presets")] = "table", output: Output = None
) -> None:
    render = renderer("presets", format_name)
    write(render(preset_figures()), output)
