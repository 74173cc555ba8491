"""The list of commands, and how each is imported."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, Final

if not (sys.stdout.isatty() or os.environ.get("FORCE_COLOR")):
    # on some CI services Typer takes every pipe for a terminal; it reads this on import
    os.environ.setdefault("_TYPER_FORCE_DISABLE_TERMINAL", "1")
# pydantic would read the metadata of every installed package for plugins, which mbv2 has none of
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

from mbv2cli.cli.completion import remember_words, use_own_bash, words_before
from mbv2cli.cli.imports import fast_imports
from mbv2cli.cli.output import write, write_stdout
from mbv2cli.cli.streams import writing_stdout
from mbv2cli.errors import UserError
from mbv2cli.version import __version__

if TYPE_CHECKING:
    from mbv2cli.cli.help_page import CommandList, Help

GROUPS: Final[Mapping[str, CommandList]] = {
    "Inspect": {
        "summary": "Show shapes, parameters, MACs and torchsummary's table of a model.",
        "explain": "Say what each layer of a block does and costs, with the numbers of this block.",
        "draw": "Draw shapes, memory, costs or a roofline as SVG or PNG.",
        "counts": "Explain why counters differ: MACs and parameters under every tool's convention.",
        "memory": "Show the memory of a model: activations under every rule, weights, flash.",
    },
    "Choose": {
        "presets": "List the named networks. Each name is a TARGET.",
        "boards": "List boards and chips: SRAM, flash, and the source of each figure.",
        "fit": "Find the best networks that fit on a board: arena and flash, with headroom.",
        "cliffs": "Find width multipliers where rounding keeps a narrower network from saving "
        "memory.",
        "sweep": "Search a space of models for those that fit, are best, or are on the Pareto "
        "front.",
    },
    "Gate": {
        "init": "Write mbv2.toml for a model: limits above its figures. --github adds a workflow.",
        "check": "Check limits and the lock. Exit code 0 if all hold, 1 if one is broken.",
        "lock": "Record the current figures of every case in mbv2.lock, beside the configuration.",
        "compare": "Compare two models: the fields, the layers and the figures that differ.",
    },
    "Your own": {
        "identify": "Tell which MobileNetV2 a module is, and where it differs from it.",
    },
    "Help": {"help": "Show this help, the help of a command, or a guide."},
}
"""What each command does, by what people do with it, in the order of the help.

Each is a module here, with a function of the same name. Its ``HELP`` is the rest of the help:
examples, which are the lines that start with two spaces, and paragraphs. Its ``FIRST``, if it has
one, names the flags that the help shows first.
"""

COMMANDS: Final[CommandList] = {
    name: does for commands in GROUPS.values() for name, does in commands.items()
}


class Command(TyperCommand):
    """A command that says in one sentence what is mistyped, and shows its help as a page."""

    @property
    def about(self) -> Help:
        """The text of the help, and the flags that the help shows first."""
        from mbv2cli.cli.help_page import Help

        module = import_module(f"mbv2cli.cli.{self.name}")
        return Help(f"{self.help}\n\n{module.HELP}", getattr(module, "FIRST", ()))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        from mbv2cli.cli.mistakes import flags_of, refuse_mistyped, takes_value

        flags = flags_of(self, ctx)
        if ctx.resilient_parsing:
            remember_words(ctx, args)
            lacks_value = takes_value(flags, args[-1] if args else "")
            return super().parse_args(ctx, args[:-1] if lacks_value else args)
        refuse_mistyped(flags, ctx.command_path, args)
        ctx.allow_extra_args = True
        extra = super().parse_args(ctx, args)
        if extra:
            raise UserError(
                f"'{extra[0]}' is one word too many"
                f"{_config_hint(flags, extra[0]) or f'; try {ctx.command_path} -h'}"
            )
        return extra

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """Return what the shell offers for a word that starts with a hyphen."""
        from mbv2cli.cli.mistakes import flags_of, takes_value

        flags = flags_of(self, ctx)
        before = "".join(words_before(ctx)[-1:])
        if takes_value(flags, before):
            return flags[before].shell_complete(ctx, incomplete)  # --sort -macs
        return super().shell_complete(ctx, incomplete)

    def get_help_option(self, ctx: Any) -> TyperOption | None:
        return _showing_page(super().get_help_option(ctx))

    def format_help(self, ctx: Any, _formatter: Any) -> None:
        from mbv2cli.cli.help_page import help_page

        write(help_page(self, ctx, self.about, {}), None)


def _config_hint(flags: Mapping[str, TyperOption], word: str) -> str:
    """Return the end of a sentence about a file that a flag should name, or ``""``."""
    if "--config" not in flags:
        return ""
    from mbv2cli.gate.config import file_hint

    return file_hint(word)


def _showing_page(option: TyperOption | None) -> TyperOption | None:
    """Return the option ``--help``, which shows the page and nothing else."""
    if option:
        option.help = "Show this help."
        option.callback = _show_page
    return option


def _show_page(ctx: Any, _option: Any, is_given: bool) -> None:  # noqa: FBT001  (Typer calls it)
    if is_given and not ctx.resilient_parsing:
        ctx.get_help()
        ctx.exit()


_COMPLETION_FLAGS: Final = ("--show-completion", "--install-completion")


class _Commands(TyperGroup):
    """Imports a command only when it is run. The list of commands needs no import."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args == ["version"]:
            args = ["--version"]
        if any(one.partition("=")[0] in _COMPLETION_FLAGS for one in args):
            use_own_bash()
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, *rest = args
        if name not in COMMANDS:
            if ctx.resilient_parsing:
                return None, None, rest
            from mbv2cli.cli.mistakes import unknown_command

            raise UserError(unknown_command(name, rest, COMMANDS))
        return name, imported(name), rest

    def get_help_option(self, ctx: Any) -> TyperOption | None:
        return _showing_page(super().get_help_option(ctx))

    def _main_shell_completion(self, *arguments: Any, **named: Any) -> None:
        use_own_bash()
        with writing_stdout():
            super()._main_shell_completion(*arguments, **named)

    def format_help(self, ctx: Any, _formatter: Any) -> None:
        from mbv2cli.cli.help_page import ROOT_HELP, Help, help_page
        from mbv2cli.guides import topics

        guides = {"Guides (mbv2 help TOPIC)": topics()}
        write(help_page(self, ctx, Help(ROOT_HELP), {**GROUPS, **guides}), None)


def imported(name: str) -> Command:
    """Import a command and return it."""
    with fast_imports():
        module = import_module(f"mbv2cli.cli.{name}")
    alone = typer.Typer(add_completion=False)
    alone.command(name, cls=Command, help=COMMANDS[name])(getattr(module, name))
    command: Any = get_command(alone)
    return command  # type: ignore[no-any-return]  # Typer says less than it returns


def _listed() -> None:
    """Take the place of a command that is only listed."""


app = typer.Typer(
    name="mbv2",
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
for _name, _does in COMMANDS.items():
    app.command(_name, help=_does)(_listed)


@app.callback(invoke_without_command=True)
def _mbv2(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("-V", "--version", help="Show the version and exit.", is_eager=True)
    ] = False,
) -> None:
    if version:
        write_stdout(f"mbv2 {__version__}\n")
        raise typer.Exit
    if context.invoked_subcommand is None:
        context.get_help()
