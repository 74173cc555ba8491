"""`mbv2 presets`."""

from __future__ import annotations

from typing import Annotated

import typer

from mbv2cli.cli.completion import completion
from mbv2cli.cli.flags import with_flags
from mbv2cli.cli.options import DType, Output, format_option
from mbv2cli.cli.output import write
from mbv2cli.costs.figures import Counting
from mbv2cli.costs.memory import dtype_named
from mbv2cli.gate.boards import with_boards
from mbv2cli.gate.limits import Expectations, Limits
from mbv2cli.gate.presets import PresetList, matching, preset_figures, within
from mbv2cli.report.formats import format_of, renderer
from mbv2cli.specs.presets import families
from mbv2cli.specs.presets import presets as named_networks
from mbv2cli.specs.reader import Setting, read_spec

HELP = """\
Parameters, MACs (convolutions + linear) and activation peak (by --peak-rule and --dtype) are for \
one input of the preset's own size.

  mbv2 presets

  mbv2 presets mobilenetv3

  mbv2 presets keras

  mbv2 presets mobilenet_v2_1.0_224

  mbv2 presets --max-peak 320KiB --dtype int8

  mbv2 presets --board stm32h743

  mbv2 summary mobilenetv2_120d --by stage
"""


@with_flags(limit_settings=(Limits,))
def presets(
    name: Annotated[
        str,
        typer.Argument(
            metavar="[NAME]",
            help="Show the presets of this family, such as mobilenetv3; or with this text in a "
            "name; or with a name that fits this glob, such as '*_100'. Names in other codebases "
            "count.",
            show_default=False,
            autocompletion=completion(lambda: [*families(), *named_networks()]),
        ),
    ] = "",
    *,
    limit_settings: list[Setting],
    dtype: DType = "float32",
    format_name: Annotated[str | None, format_option("presets")] = None,
    output: Output = None,
) -> None:
    render = renderer("presets", format_of("presets", format_name, output))
    limits = read_spec(Expectations, with_boards(limit_settings))
    counting = Counting(rule=limits.peak_rule, dtype=dtype_named(dtype))
    found = within(preset_figures(matching(name), counting), limits)
    write(render(PresetList(found, limits)), output)
