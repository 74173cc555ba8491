"""`mbv2 compare`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from mbv2cli.cli import ExitCode
from mbv2cli.cli.completion import completion, locked_cases, offer_targets
from mbv2cli.cli.options import Output, format_option
from mbv2cli.cli.output import write
from mbv2cli.errors import UserError
from mbv2cli.gate.comparison import Comparison, lock_at, locked_plan, plan_of_text
from mbv2cli.gate.comparison import compare as compared
from mbv2cli.gate.config import find_config, lock_beside
from mbv2cli.gate.lock import read_lock
from mbv2cli.report.formats import format_of, renderer

HELP = """\
A and B are targets, TOML files or JSON reports of mbv2 summary. With --lock REVISION: \
compare a case of mbv2.lock at that git revision with the same case now. Without torch.

  mbv2 compare network network:width_mult=0.75

  mbv2 compare mobilenetv2_100 keras_100 --format markdown

  mbv2 compare --lock main edge
"""


def _offer(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the targets or, with ``--lock``, the cases that start with what is typed."""
    if ctx.params["revision"] is None:
        return offer_targets(ctx, incomplete)
    return completion(locked_cases)(ctx, incomplete)


def compare(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="A B",
            autocompletion=_offer,
            help="Two models. With --lock: the name of one case (default: the only one).",
            show_default=False,
        ),
    ] = None,
    *,
    revision: Annotated[
        str | None,
        typer.Option(
            "--lock",
            metavar="REVISION",
            help="Compare a case of the lock with the same case at a git revision.",
            rich_help_panel="Run",
        ),
    ] = None,
    exit_code: Annotated[
        bool,
        typer.Option("--exit-code", help="Exit 1 if they differ.", rich_help_panel="Output"),
    ] = False,
    format_name: Annotated[str | None, format_option("compare")] = None,
    output: Output = None,
) -> ExitCode:
    render = renderer("compare", format_of("compare", format_name, output))
    names = names or []
    comparison = _of_sides(names) if revision is None else _of_lock(names, revision)
    write(render(comparison), output)
    return ExitCode.CHECK_FAILED if exit_code and comparison.differs else ExitCode.DONE


def _of_sides(names: Sequence[str]) -> Comparison:
    if len(names) != 2:  # noqa: PLR2004  (A and B)
        raise UserError(
            f"compare takes two models, A and B, not {len(names)}; "
            "try mbv2 compare network network:width_mult=0.75"
        )
    first, second = names
    return compared(first, plan_of_text(first), second, plan_of_text(second))


def _of_lock(names: Sequence[str], revision: str) -> Comparison:
    path = lock_beside(find_config(Path.cwd()))
    now = read_lock(path)
    name = _case(names, list(now))
    return compared(
        f"{name} at {revision}",
        locked_plan(lock_at(path, revision), name, f"the lock at {revision}"),
        f"{name} as locked now",
        locked_plan(now, name, str(path)),
    )


def _case(names: Sequence[str], locked: Sequence[str]) -> str:
    """Return the case that is named, or the only one that there is."""
    if not names and len(locked) == 1:
        return locked[0]
    if len(names) != 1:
        raise UserError(
            f"compare --lock takes the name of one case, not {len(names)} "
            f"(the cases are {', '.join(locked)})"
        )
    return names[0]
