"""`mbv2 compare`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from mbv2cli.cli import ExitCode
from mbv2cli.cli.completion import completion, locked_cases, offer_targets
from mbv2cli.cli.flags import with_flags
from mbv2cli.cli.modules import model_of
from mbv2cli.cli.options import ConfigFile, Inputs, Output, format_option
from mbv2cli.cli.output import typed_command, write
from mbv2cli.cli.progress import progress
from mbv2cli.cli.temporary import temporary_folder
from mbv2cli.errors import UserError
from mbv2cli.gate.comparison import Comparison, Side, lock_at, locked_side, side_of_text
from mbv2cli.gate.comparison import compare as compared
from mbv2cli.gate.config import file_hint, find_config, lock_beside
from mbv2cli.gate.lock import read_lock
from mbv2cli.report.compare import LAYER, ROWS, compare_report
from mbv2cli.report.formats import format_of, renderer
from mbv2cli.specs import InputSpec
from mbv2cli.specs.files import working_folder
from mbv2cli.specs.reader import Request, Setting
from mbv2cli.specs.requests import module_named, read_any_request

HELP = """\
A and B are targets or modules of your own; a JSON report of mbv2 summary is a target too. --size \
and --batch are for both. With --lock REVISION: compare a case of mbv2.lock at that git revision \
with the same case now. With --git REVISION: compare a module at that revision with the same \
module now. Loads torch only for a module.

  mbv2 compare network network:width_mult=0.75 --by stage

  mbv2 compare mobilenetv2_100 keras_100 --format markdown

  mbv2 compare --lock main edge

  mbv2 compare --git main my_model.py:Net
"""


def _offer(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the targets or, with ``--lock``, the cases that start with what is typed."""
    if ctx.params["lock_revision"] is None:
        return offer_targets(ctx, incomplete)
    return completion(locked_cases)(ctx, incomplete)


@with_flags(input_settings=(InputSpec,))
def compare(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="A B",
            autocompletion=_offer,
            help="Two models. With --lock: the name of one case (default: the only one). With "
            "--git: one module.",
            show_default=False,
        ),
    ] = None,
    *,
    input_settings: list[Setting],
    inputs: Inputs = None,
    lock_revision: Annotated[
        str | None,
        typer.Option(
            "--lock",
            metavar="REVISION",
            help="Compare a case of the lock with the same case at a git revision.",
            rich_help_panel="Run",
        ),
    ] = None,
    revision: Annotated[
        str | None,
        typer.Option(
            "--git",
            metavar="REVISION",
            help="Compare your module with the same module at a git revision.",
            rich_help_panel="Run",
        ),
    ] = None,
    config_file: ConfigFile = None,
    by: Annotated[
        str,
        typer.Option(
            "--by",
            metavar="NAME",
            help=f"A row for each {', '.join(ROWS[:-1])} or {ROWS[-1]} that differs.",
            rich_help_panel="Output",
            autocompletion=completion(lambda: ROWS),
        ),
    ] = LAYER,
    every_row: Annotated[
        bool,
        typer.Option(
            "--all", help="Show every row, not only the first 20.", rich_help_panel="Output"
        ),
    ] = False,
    exit_code: Annotated[
        bool,
        typer.Option("--exit-code", help="Exit 1 if they differ.", rich_help_panel="Output"),
    ] = False,
    format_name: Annotated[str | None, format_option("compare")] = None,
    output: Output = None,
) -> ExitCode:
    render = renderer("compare", format_of("compare", format_name, output), typed_command())
    _refuse_together(lock_revision, revision, config_file)
    if lock_revision is not None:
        shapes = [Setting("input", text, "--input") for text in inputs or ()]
        comparison = _of_lock(names or [], lock_revision, [*shapes, *input_settings], config_file)
    elif revision is not None:
        comparison = _of_revision(names or [], revision, input_settings, inputs or ())
    else:
        comparison = _of_targets(names or [], input_settings, inputs or ())
    write(render(compare_report(comparison, by, shows_every_row=every_row)), output)
    return ExitCode.CHECK_FAILED if exit_code and comparison.differs else ExitCode.DONE


def _refuse_together(
    lock_revision: str | None, revision: str | None, config_file: Path | None
) -> None:
    if lock_revision is not None and revision is not None:
        raise UserError(
            "--lock compares the lock and --git the code at a revision; give one of them"
        )
    if lock_revision is None and config_file is not None:
        raise UserError("--config is for --lock REVISION: two targets have no lock; leave it out")


def _of_targets(
    names: Sequence[str], input_settings: Sequence[Setting], inputs: Sequence[str]
) -> Comparison:
    if len(names) != 2:  # noqa: PLR2004  (A and B)
        raise UserError(
            f"compare takes two models, A and B, not {len(names)}; "
            "try mbv2 compare network network:width_mult=0.75"
        )
    modules = [name for name in names if module_named(name) is not None]
    if inputs and not modules:
        raise UserError("--input belongs to a module of your own; use --size and --batch")
    # every mistake in what is typed is told before a module runs
    requests = {name: read_any_request(name, input_settings, inputs) for name in modules}
    specs = {name: side_of_text(name, input_settings) for name in names if name not in requests}
    before, after = (specs.get(name) or Side(name, model_of(requests[name])) for name in names)
    return compared(before, after)


def _of_revision(
    names: Sequence[str],
    revision: str,
    input_settings: Sequence[Setting],
    inputs: Sequence[str],
) -> Comparison:
    if len(names) != 1:
        raise UserError(
            f"compare --git takes one module, not {len(names)} models; "
            "try mbv2 compare --git main my_model.py:Net"
        )
    request = read_any_request(names[0], input_settings, inputs)
    if isinstance(request, Request):
        raise UserError(
            f"--git compares the code of a module, such as my_model.py:Net, and {names[0]} is not "
            "a module; for a case of the lock, use --lock"
        )
    from mbv2cli.gate.revision import side_at_revision

    with temporary_folder() as tree, progress(f"Running {request.target} at {revision}"):
        before = side_at_revision(request, revision, tree)
    return compared(before, Side(request.target, model_of(request)))


def _of_lock(
    names: Sequence[str],
    revision: str,
    input_settings: Sequence[Setting],
    config_file: Path | None,
) -> Comparison:
    if input_settings:
        raise UserError(
            f"{input_settings[0].place} is for two targets, because a locked case has an input of "
            "its own; leave it out"
        )
    path = lock_beside(config_file or find_config(working_folder()))
    now = read_lock(path)
    name = _case(names, list(now))
    then = lock_at(path, revision)
    return compared(
        locked_side(then, name, f"the lock at {revision}", f"{name} at {revision}"),
        locked_side(now, name, str(path), f"{name} as locked now"),
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
    if names[0] not in locked and (hint := file_hint(names[0])):
        raise UserError(
            f"'{names[0]}' is not the name of a case (the cases are {', '.join(locked)}){hint}"
        )
    return names[0]
