"""`mbv2 help`."""

from __future__ import annotations

from typing import Annotated

import typer

from mbv2cli.cli.app import COMMANDS, imported
from mbv2cli.cli.completion import completion
from mbv2cli.errors import UserError, nearest

HELP = """\
  mbv2 help

  mbv2 help sweep
"""


def help(  # noqa: A001  (a command's function has the name of the command)
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[COMMAND]",
            help="The name of a command.",
            show_default=False,
            autocompletion=completion(lambda: COMMANDS),
        ),
    ] = None,
) -> None:
    root = context.find_root()
    if name is None:
        root.get_help()
    elif name in COMMANDS:
        imported(name).make_context(name, ["--help"], parent=root)
    else:  # a topic would be looked up here
        raise UserError(
            f"there is no help about '{name}' (the commands are {', '.join(COMMANDS)})"
            f"{nearest(name, COMMANDS)}"
        )
