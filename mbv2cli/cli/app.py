"""The commands, together."""

from __future__ import annotations

import os
import sys
from typing import Annotated

if not (sys.stdout.isatty() or os.environ.get("FORCE_COLOR")):
    # on some CI services Typer takes every pipe for a terminal; it reads this on import
    os.environ.setdefault("_TYPER_FORCE_DISABLE_TERMINAL", "1")

import typer

from mbv2cli import __version__
from mbv2cli.cli import cliffs, counts, memory, presets, summary
from mbv2cli.cli.output import write_stdout

app = typer.Typer(
    name="mbv2",
    help="Inspect MobileNetV2 and its inverted residual blocks before training.",
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
app.command("summary", help=summary.HELP)(summary.summary)
app.command("counts", help=counts.HELP)(counts.counts)
app.command("memory", help=memory.HELP)(memory.memory)
app.command("cliffs", help=cliffs.HELP)(cliffs.cliffs)
app.command("presets", help=presets.HELP)(presets.presets)


@app.callback(invoke_without_command=True)
def mbv2(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True)
    ] = False,
) -> None:
    if version:
        write_stdout(f"mbv2 {__version__}\n")
        raise typer.Exit
    if context.invoked_subcommand is None:
        write_stdout(f"{context.get_help()}\n")
