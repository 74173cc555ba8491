"""`mbv2 help`."""

from __future__ import annotations

from typing import Annotated

import typer

from mbv2cli.cli.app import COMMANDS, imported
from mbv2cli.cli.completion import completion
from mbv2cli.cli.guide import show_guide
from mbv2cli.cli.output import write_stdout
from mbv2cli.errors import UserError, nearest
from mbv2cli.guides import topic_names
from mbv2cli.specs.words import listed

HELP = """\
  mbv2 help

  mbv2 help sweep

  mbv2 help exit-codes

If a command and a guide have the same name, the help shows both.
"""


def help(  # noqa: A001  (a command's function has the name of the command)
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[COMMAND|TOPIC]",
            help="The name of a command or of a guide.",
            show_default=False,
            autocompletion=completion(lambda: (*COMMANDS, *topic_names())),
        ),
    ] = None,
) -> None:
    root = context.find_root()
    if name is None:
        root.get_help()
        return
    topics = topic_names()
    name = listed(name, (*COMMANDS, *topics))
    if name not in COMMANDS and name not in topics:
        raise UserError(
            f"there is no help about '{name}'{nearest(name, (*COMMANDS, *topics))} "
            f"(the commands are {', '.join(COMMANDS)}; the guides are {', '.join(topics)})"
        )
    if name in COMMANDS:
        imported(name).make_context(name, [], parent=root, resilient_parsing=True).get_help()
    if name in COMMANDS and name in topics:
        write_stdout("\n")
    if name in topics:
        show_guide(name)
