"""`mbv2 compare`."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mbv2cli.cli.exit_codes import ExitCode
from mbv2cli.cli.options import Output, format_option
from mbv2cli.cli.output import write
from mbv2cli.errors import UserError
from mbv2cli.gate.comparison import Comparison, lock_at, locked_plan, plan_of_text
from mbv2cli.gate.comparison import compare as compared
from mbv2cli.gate.config import find_config, lock_beside
from mbv2cli.gate.lock import read_lock
from mbv2cli.report.formats import format_named

HELP = """Put two models side by side: totals, then the layers that differ.

A and B are targets, TOML files or JSON reports of mbv2 summary. With --lock REVISION, compare a \
case of mbv2.lock as git has it there with the lock as it is now. Without torch.

[bold]Examples[/bold]

  mbv2 compare network network:width_mult=0.75

  mbv2 compare mobilenetv2_100 mobilenetv2_110d --format markdown

  mbv2 compare --lock main edge
"""


class CompareFormat(StrEnum):
    """The formats of a comparison."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"


def compare(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="A B",
            help="Two models; with --lock a case, unless there is but one.",
            show_default=False,
        ),
    ] = None,
    *,
    revision: Annotated[
        str | None,
        typer.Option(
            "--lock",
            metavar="REVISION",
            help="Compare a case of the lock with that of a git revision.",
            rich_help_panel="Run",
        ),
    ] = None,
    exit_code: Annotated[
        bool,
        typer.Option("--exit-code", help="Exit 1 if they differ.", rich_help_panel="Output"),
    ] = False,
    format_name: Annotated[str, format_option(*CompareFormat)] = CompareFormat.TABLE.value,
    output: Output = None,
) -> ExitCode:
    match format_named(format_name, CompareFormat):
        case CompareFormat.TABLE:
            from mbv2cli.report.compare.as_text import render
        case CompareFormat.JSON:
            from mbv2cli.report.compare.as_json import render
        case CompareFormat.MARKDOWN:
            from mbv2cli.report.compare.as_markdown import render
    names = words or []
    comparison = _of_sides(names) if revision is None else _of_lock(names, revision)
    write(render(comparison), output)
    return ExitCode.CHECK_FAILED if exit_code and comparison.differs else ExitCode.DONE


def _of_sides(words: Sequence[str]) -> Comparison:
    if len(words) != 2:  # noqa: PLR2004  (A and B)
        raise UserError(
            f"compare takes two models, A and B, not {len(words)}; "
            "try mbv2 compare network network:width_mult=0.75"
        )
    first, second = words
    return compared(first, plan_of_text(first), second, plan_of_text(second))


def _of_lock(words: Sequence[str], revision: str) -> Comparison:
    path = lock_beside(find_config(Path.cwd()))
    now = read_lock(path)
    name = _case(words, list(now))
    return compared(
        f"{name} at {revision}",
        locked_plan(lock_at(path, revision), name, f"the lock at {revision}"),
        f"{name} as locked now",
        locked_plan(now, name, str(path)),
    )


def _case(words: Sequence[str], locked: Sequence[str]) -> str:
    """Return the case that is named, or the only one that there is."""
    if not words and len(locked) == 1:
        return locked[0]
    if len(words) != 1:
        raise UserError(
            f"compare --lock takes the name of one case, not {len(words)} "
            f"(the cases are {', '.join(locked)})"
        )
    return words[0]
