"""`mbv2 counts`."""

from __future__ import annotations

from typing import Annotated, Final

from mbv2cli.cli.flags import with_flags
from mbv2cli.cli.options import Output, Target, format_option
from mbv2cli.cli.output import write
from mbv2cli.report.counts import counted
from mbv2cli.report.formats import format_of, renderer
from mbv2cli.specs import BlockSpec, InputSpec, NetworkSpec
from mbv2cli.specs.reader import Setting, read_request

HELP = """\
Each row has the number that its tools report. The indented rows below have the amounts that \
these tools count on top of convolutions and linear layers. Exact, without torch.

  mbv2 counts network

  mbv2 counts network:width_mult=0.5,size=160 --format json
"""

FIRST: Final = (
    *("--in", "--out", "--stride", "--expand", "--width-mult"),
    *("--classes", "--size", "--batch", "--format", "--output"),
)


@with_flags(target_settings=(BlockSpec, NetworkSpec, InputSpec))
def counts(
    target: Target = "block",
    *,
    target_settings: list[Setting],
    format_name: Annotated[str | None, format_option("counts")] = None,
    output: Output = None,
) -> None:
    render = renderer("counts", format_of("counts", format_name, output))
    write(render(counted(read_request(target, target_settings))), output)
