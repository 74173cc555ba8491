"""The help of mbv2 and of each command, as a page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from typer._click.core import Command, Context
from typer.core import TyperArgument, TyperOption

from mbv2cli.cli.panels import NAMED_ONLY
from mbv2cli.report.page import BOLD, Line, Page, page

CommandList: TypeAlias = Mapping[str, str]
"""What each command does, by its name."""

ROOT_HELP: Final = """\
Inspect MobileNetV2 and its inverted residual blocks before training.

  mbv2 summary --in 3 --out 64 --expand 6

  mbv2 memory network --size 96

  mbv2 check network --max-params 4M --no-forward

A TARGET is block, network, a preset (mbv2 presets lists them) or a file. \
mbv2 COMMAND -h shows the help of a command.
"""

_EXAMPLE: Final = "  "
"""How an example starts in the text of a help."""

_WIDEST: Final = 22
"""The widest name in the column of names. The help of a wider name starts in the next line."""


class Help(NamedTuple):
    """The text of a help, and the flags that are shown first: all, if none is named."""

    text: str
    first: Sequence[str] = ()

    @property
    def _paragraphs(self) -> list[str]:
        return [paragraph.rstrip() for paragraph in self.text.split("\n\n")]

    @property
    def examples(self) -> tuple[str, ...]:
        """The command lines that the help shows."""
        return tuple(one.strip() for one in self._paragraphs if one.startswith(_EXAMPLE))

    @property
    def sentences(self) -> tuple[str, ...]:
        """The paragraphs of the help: first what the command does."""
        return tuple(one for one in self._paragraphs if not one.startswith(_EXAMPLE))


class _Entry(NamedTuple):
    """A flag, an argument or a command, and what it is or does."""

    name: str
    help: str


def help_page(
    command: Command, context: Context, about: Help, groups: Mapping[str, CommandList]
) -> Page:
    """Return the help: what the command does, examples, commands by group, arguments, options."""
    return page(_lines(command, context, about, groups))


def _lines(
    command: Command, context: Context, about: Help, groups: Mapping[str, CommandList]
) -> Iterator[Line]:
    arguments = [one for one in command.params if isinstance(one, TyperArgument)]
    does, *more = about.sentences
    words = [one.metavar or one.name for one in arguments] or (["COMMAND"] if groups else [])
    yield Line(does)
    yield Line()
    yield Line(f"Usage: {' '.join([context.command_path, *words, '[OPTIONS]'])}", BOLD)
    yield from _section("Examples", (_Entry(example, "") for example in about.examples))
    for paragraph in more:
        yield Line()
        yield Line(paragraph)
    for title, commands in groups.items():
        yield from _section(title, (_Entry(*entry) for entry in commands.items()))
    yield from _section("Arguments", map(_argument, arguments))
    for title, options in _by_heading(command.get_params(context), about.first).items():
        yield from _section(title, map(_option, options))
    named = [one.opts[0] for one in command.params if _is_named_only(one)]
    if named:
        yield Line()
        yield Line(f"Further fields (mbv2 help fields): {', '.join(named)}", "", "  ")


def _is_named_only(option: Any) -> bool:
    return isinstance(option, TyperOption) and option.rich_help_panel == NAMED_ONLY


def _section(title: str, entries: Iterable[_Entry]) -> Iterator[Line]:
    entries = list(entries)
    if not entries:
        return
    yield Line()
    yield Line(f"{title}:", BOLD)
    widths = [len(entry.name) for entry in entries if len(entry.name) <= _WIDEST]
    widest = max(widths, default=_WIDEST)
    indent = " " * (widest + 4)
    for name, text in entries:
        if not text:
            yield Line(f"  {name}", "", "      ")
        elif len(name) <= widest:
            yield Line(f"  {name:{widest}}  {text}", "", indent)
        else:
            yield Line(f"  {name}")
            yield Line(f"{indent}{text}", "", indent)


def _by_heading(params: Iterable[Any], first: Sequence[str]) -> Mapping[str, list[TyperOption]]:
    """Return the options by the heading that they stand under."""
    options = [one for one in params if isinstance(one, TyperOption) and not one.hidden]
    headings: dict[str, list[TyperOption]] = {"Options": []}
    for option in options:
        names = (*option.opts, *option.secondary_opts)
        is_first = not first or "--help" in names or any(name in first for name in names)
        panel = "" if is_first else option.rich_help_panel or ""
        headings.setdefault(f"More options ({panel.lower()})" if panel else "Options", []).append(
            option
        )
    headings["Options"].sort(key=lambda option: _rank(option, first))
    return headings


def _rank(option: TyperOption, first: Sequence[str]) -> int:
    """Return the place of an option among those shown first; the help of the help comes last."""
    names = (*option.opts, *option.secondary_opts)
    if "--help" in names:
        return len(first) + 1
    return min((first.index(name) for name in names if name in first), default=0)


def _argument(argument: TyperArgument) -> _Entry:
    name = (argument.metavar or argument.name).strip("[]")
    return _Entry(name, f"{argument.help or ''}{_default(argument)}")


def _option(option: TyperOption) -> _Entry:
    names = [*sorted(option.opts, key=len), *option.secondary_opts]
    value = "" if option.is_flag else f" {option.metavar or 'VALUE'}"
    return _Entry(f"{', '.join(names)}{value}", f"{option.help or ''}{_default(option)}")


def _default(parameter: TyperArgument | TyperOption) -> str:
    """Return the default as the help shows it. A flag that is off by default has none."""
    shown = parameter.show_default
    value = shown if isinstance(shown, str) else parameter.default if shown else None
    if isinstance(parameter, TyperOption) and parameter.is_flag:
        value = parameter.opts[0].removeprefix("--") if value else None
    return "" if value is None else f" [default: {value}]"
