"""Arguments and options that commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from mbv2cli.cli.completion import board_names, completion, offer_targets
from mbv2cli.costs.conventions import MAC_CONVENTIONS
from mbv2cli.costs.memory import ELEMENT_BYTES
from mbv2cli.report.formats import FORMATS


def _target(text: str) -> Any:
    return typer.Argument(metavar="[TARGET]", help=text, autocompletion=offer_targets)


Target: TypeAlias = Annotated[
    str, _target("block, network, a preset or a file; TARGET:key=value,… overrides fields.")
]
NetworkTarget: TypeAlias = Annotated[
    str,
    _target("network, a preset or the file of a network; TARGET:key=value,… overrides fields."),
]
AnyTarget: TypeAlias = Annotated[
    str,
    _target(
        "block, network, a preset, a file or your module, such as my_model.py:Net. "
        "TARGET:key=value,… sets fields."
    ),
]
Inputs: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        metavar="SHAPE",
        help="An input of your module, such as 1x3x64x64 or 1x9:int64.",
        show_default=False,
        rich_help_panel="Run",
    ),
]

Output: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--output",
        metavar="FILE",
        help="Write to FILE, not to standard output. Its suffix chooses the format if there is no "
        "--format.",
        rich_help_panel="Output",
    ),
]

Quiet: TypeAlias = Annotated[
    bool,
    typer.Option(
        "-q",
        "--quiet",
        help="Print only errors. --output is still written.",
        rich_help_panel="Output",
    ),
]

ConfigFile: TypeAlias = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Read the cases of FILE.", rich_help_panel="Run"),
]


BoardName: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--board",
        metavar="NAME",
        help="Say whether arena and flash fit on this board (mbv2 boards lists them).",
        rich_help_panel="Output",
        autocompletion=completion(board_names),
    ),
]

DType: TypeAlias = Annotated[
    str,
    typer.Option(
        "--dtype",
        metavar="NAME",
        help=f"Element type of the peak. One of {', '.join(ELEMENT_BYTES)}.",
        rich_help_panel="Output",
        autocompletion=completion(lambda: ELEMENT_BYTES),
    ),
]

Convention: TypeAlias = Annotated[
    str,
    typer.Option(
        "--convention",
        metavar="NAME",
        help=f"What counts as MACs. One of {', '.join(c.key for c in MAC_CONVENTIONS)}.",
        rich_help_panel="Output",
        autocompletion=completion(lambda: [one.key for one in MAC_CONVENTIONS]),
    ),
]


def format_option(command: str, *more: str) -> Any:
    """Return ``--format`` with the formats of a command, and ``more``, to choose from.

    The first is the default, unless the name of the file of ``--output`` asks for another.
    """
    names = (*more, *FORMATS[command])
    return typer.Option(
        "--format",
        metavar="NAME",
        help=f"One of {', '.join(names)}.",
        show_default=names[0],
        rich_help_panel="Output",
        autocompletion=completion(lambda: names),
    )
