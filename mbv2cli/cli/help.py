"""`mbv2 help`."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from mbv2cli.cli.options import completion
from mbv2cli.cli.output import write_stdout
from mbv2cli.errors import UserError, nearest
from mbv2cli.guides import topic_names, topic_page, topics

HELP = """\
Without a topic: list the topics.

[bold]Examples[/bold]

  mbv2 help

  mbv2 help memory
"""


def help(  # noqa: A001  (a command's function has the name of the command)
    topic: Annotated[
        str | None,
        typer.Argument(
            metavar="[TOPIC]",
            help="A guide.",
            show_default=False,
            autocompletion=completion(topic_names),
        ),
    ] = None,
) -> None:
    if topic is None:
        write_stdout(_list_of_topics())
    else:
        write_stdout(_shown(_guide(topic)))


def _list_of_topics() -> str:
    width = max(map(len, topic_names()))
    lines = [f"  {topic:{width}}  {text.replace('`', '')}" for topic, text in topics().items()]
    return "\n".join(["Topics: mbv2 help TOPIC", *lines]) + "\n"


def _guide(topic: str) -> str:
    names = topic_names()
    if topic not in names:
        raise UserError(
            f"there is no help about '{topic}'{nearest(topic, names)} "
            f"(the topics are {', '.join(names)})"
        )
    return topic_page(topic)


def _shown(markdown: str) -> str:
    """Return a guide as standard output shows it: laid out at a terminal, plain Markdown else."""
    if not (sys.stdout.isatty() or os.environ.get("FORCE_COLOR")):
        return markdown
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console()
    with console.capture() as captured:
        # the colours of the terminal, whose background may be light or dark
        console.print(Markdown(markdown, code_theme="ansi_dark"))
    return captured.get()
