"""`mbv2 memory`."""

from __future__ import annotations

from typing import Annotated, Final

from mbv2cli.cli.flags import with_flags
from mbv2cli.cli.options import Output, Target, format_option
from mbv2cli.cli.output import write
from mbv2cli.report.formats import format_of, renderer
from mbv2cli.report.memory import memory_of
from mbv2cli.specs import BlockSpec, InputSpec, NetworkSpec
from mbv2cli.specs.reader import Setting, read_request

HELP = """\
Each peak is that of the whole batch, with the layer that causes it. Exact, without torch.

  mbv2 memory network

  mbv2 memory network:width_mult=0.35 --size 96

  mbv2 memory --in 16 --out 24 --stride 2 --format json
"""

FIRST: Final = (
    *("--in", "--out", "--stride", "--expand", "--width-mult"),
    *("--classes", "--size", "--batch", "--format", "--output"),
)


@with_flags(target_settings=(BlockSpec, NetworkSpec, InputSpec))
def memory(
    target: Target = "block",
    *,
    target_settings: list[Setting],
    format_name: Annotated[str | None, format_option("memory")] = None,
    output: Output = None,
) -> None:
    render = renderer("memory", format_of("memory", format_name, output))
    write(render(memory_of(read_request(target, target_settings))), output)
