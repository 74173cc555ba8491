"""The list of commands, and how each is imported."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Annotated, Any, Final

if not (sys.stdout.isatty() or os.environ.get("FORCE_COLOR")):
    # on some CI services Typer takes every pipe for a terminal; it reads this on import
    os.environ.setdefault("_TYPER_FORCE_DISABLE_TERMINAL", "1")
# pydantic would read the metadata of every installed package for plugins, which mbv2 has none of
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

import typer
from typer.core import TyperGroup
from typer.main import get_command

from mbv2cli.cli.imports import fast_imports
from mbv2cli.cli.output import write_stdout
from mbv2cli.version import __version__

COMMANDS: Final = {
    "summary": "Show shapes, parameters, MACs and the torchsummary table of a block or a network.",
    "counts": "Explain why counters differ: MACs and parameters under every tool's convention.",
    "memory": "Show the memory of a model: activations under every rule, weights, flash.",
    "cliffs": "Find width multipliers where rounding keeps a narrower network from saving memory.",
    "presets": "List the named networks. Each name is a TARGET.",
    "sweep": "Search a space of models for those that fit, are best, or are on the Pareto front.",
    "check": "Check limits and the lock. Exit code 0 if all hold, 1 if one is broken.",
    "lock": "Record the current figures of every case in mbv2.lock, beside the configuration.",
    "init": "Write mbv2.toml for a model: limits above its figures. --github adds a workflow.",
    "compare": "Compare two models: the fields, the layers and the figures that differ.",
}
"""What each command does, in the order of the help.

Each is a module here, with a function of the same name. Its ``HELP`` is the rest of the help.
"""


class _Commands(TyperGroup):
    """Imports a command only when it is run. The list of commands needs no import."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        return name, _imported(name) if name else command, rest


def _imported(name: str) -> Any:
    with fast_imports():
        module = import_module(f"mbv2cli.cli.{name}")
    alone = typer.Typer(add_completion=False, rich_markup_mode="rich")
    alone.command(name, help=f"{COMMANDS[name]}\n\n{module.HELP}")(getattr(module, name))
    return get_command(alone)


def _listed() -> None:
    """Take the place of a command that is only listed."""


app = typer.Typer(
    name="mbv2",
    cls=_Commands,
    help="Inspect MobileNetV2 and its inverted residual blocks before training.",
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
for _name, _does in COMMANDS.items():
    app.command(_name, help=_does)(_listed)


@app.callback(invoke_without_command=True)
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
