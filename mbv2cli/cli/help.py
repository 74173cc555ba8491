"""`mbv2 help`."""

from __future__ import annotations

from typing import Annotated

import typer

from mbv2cli.cli.guide import list_topics, show_guide
from mbv2cli.cli.options import completion
from mbv2cli.errors import UserError, nearest
from mbv2cli.guides import topic_names

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
            help="The name of a guide.",
            show_default=False,
            autocompletion=completion(topic_names),
        ),
    ] = None,
) -> None:
    names = topic_names()
    if topic is None:
        list_topics()
    elif topic in names:
        show_guide(topic)
    else:
        raise UserError(
            f"there is no help about '{topic}'{nearest(topic, names)} "
            f"(the topics are {', '.join(names)})"
        )
