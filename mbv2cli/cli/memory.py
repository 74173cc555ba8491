"""`mbv2 memory`."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from mbv2cli.cli.flags import with_flags
from mbv2cli.cli.modules import model_of
from mbv2cli.cli.options import AnyTarget, Inputs, Output, format_option
from mbv2cli.cli.output import write
from mbv2cli.costs.memory import ELEMENT_BYTES, dtype_named
from mbv2cli.errors import UserError
from mbv2cli.report.formats import format_of, renderer
from mbv2cli.report.memory import memory_of
from mbv2cli.specs import BlockSpec, InputSpec, NetworkSpec
from mbv2cli.specs.reader import Setting
from mbv2cli.specs.requests import read_any_request

HELP = """\
Shows the activation peak of the whole batch under each memory rule, and the layer that causes \
the peak. Exact, and without torch unless the TARGET is a module of your own.

  mbv2 memory network

  mbv2 memory network:width_mult=0.35 --size 96 --dtype int8

  mbv2 memory --in 16 --out 24 --stride 2 --format json

  mbv2 memory my_model.py:Net
"""

FIRST: Final = (
    *("--in", "--out", "--stride", "--expand", "--width-mult"),
    *("--classes", "--size", "--batch", "--format", "--output"),
)


@with_flags(target_settings=(BlockSpec, NetworkSpec, InputSpec))
def memory(
    target: AnyTarget = "block",
    *,
    target_settings: list[Setting],
    inputs: Inputs = None,
    dtype: Annotated[
        str | None,
        typer.Option(
            "--dtype",
            metavar="NAME",
            help=f"Show this element type alone. One of {', '.join(ELEMENT_BYTES)}.",
            rich_help_panel="Output",
        ),
    ] = None,
    format_name: Annotated[str | None, format_option("memory")] = None,
    output: Output = None,
) -> None:
    format_name = format_of("memory", format_name, output)
    render = renderer("memory", format_name)
    if dtype is not None:
        dtype = dtype_named(dtype)
        _refuse_unused(format_name)
    request = read_any_request(target, target_settings, inputs or ())
    write(render(memory_of(request, model_of(request), dtype)), output)


def _refuse_unused(format_name: str) -> None:
    if format_name == "json":
        raise UserError(
            "--dtype does nothing with --format json, which has every element type; "
            "leave one of them out"
        )
