"""`mbv2 counts`."""

from __future__ import annotations

from typing import Annotated, Final

from mbv2cli.cli.flags import with_flags
from mbv2cli.cli.modules import model_of
from mbv2cli.cli.options import AnyTarget, Inputs, Output, format_option
from mbv2cli.cli.output import write
from mbv2cli.report.counts import counted
from mbv2cli.report.formats import format_of, renderer
from mbv2cli.specs import BlockSpec, InputSpec, NetworkSpec
from mbv2cli.specs.reader import Setting
from mbv2cli.specs.requests import read_any_request

HELP = """\
Each row has the number that its tools report. The indented rows below have the amounts that \
these tools count on top of convolutions and linear layers. Exact, and without torch unless the \
TARGET is a module of your own.

  mbv2 counts network

  mbv2 counts network:width_mult=0.5,size=160 --format json

  mbv2 counts my_model.py:Net
"""

FIRST: Final = (
    *("--in", "--out", "--stride", "--expand", "--width-mult"),
    *("--classes", "--size", "--batch", "--format", "--output"),
)


@with_flags(target_settings=(BlockSpec, NetworkSpec, InputSpec))
def counts(
    target: AnyTarget = "block",
    *,
    target_settings: list[Setting],
    inputs: Inputs = None,
    format_name: Annotated[str | None, format_option("counts")] = None,
    output: Output = None,
) -> None:
    render = renderer("counts", format_of("counts", format_name, output))
    request = read_any_request(target, target_settings, inputs or ())
    write(render(counted(request, model_of(request))), output)
