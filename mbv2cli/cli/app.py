"""The commands, together."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Final

if not (sys.stdout.isatty() or os.environ.get("FORCE_COLOR")):
    # on some CI services Typer takes every pipe for a terminal; it reads this on import
    os.environ.setdefault("_TYPER_FORCE_DISABLE_TERMINAL", "1")

import typer

from mbv2cli.cli.output import write_stdout
from mbv2cli.version import __version__

COMMANDS: Final = (
    "summary",
    "counts",
    "memory",
    "cliffs",
    "presets",
    "sweep",
    "check",
    "lock",
    "compare",
)
"""In the order of the help. Each is a module here, with a function of its name and a ``HELP``."""


def app_for(words: Sequence[str]) -> typer.Typer:
    """Return the command line, with only the command that ``words`` name if they name one.

    A fifth of the time that a command takes without torch would go into importing the others.
    """
    app = typer.Typer(
        name="mbv2",
        help="Inspect MobileNetV2 and its inverted residual blocks before training.",
        context_settings={"help_option_names": ["-h", "--help"]},
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
    )
    app.callback(invoke_without_command=True)(_mbv2)
    named = words[:1] if words and words[0] in COMMANDS else COMMANDS
    for name in named:
        module = import_module(f"mbv2cli.cli.{name}")
        app.command(name, help=module.HELP)(getattr(module, name))
    return app


def _mbv2(
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
