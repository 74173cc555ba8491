"""`mbv2 summary`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import partial
from typing import Annotated, Final, TypeAlias

import typer

from mbv2cli.cli.completion import completion, list_completion
from mbv2cli.cli.flags import with_flags
from mbv2cli.cli.imports import start_matplotlib_if_there, start_torch
from mbv2cli.cli.modules import running
from mbv2cli.cli.options import AnyTarget, Convention, Inputs, Output, Quiet, format_option
from mbv2cli.cli.output import typed_command, write
from mbv2cli.cli.progress import progress
from mbv2cli.cli.streams import warn
from mbv2cli.costs.conventions import CONV_LINEAR, mac_convention
from mbv2cli.errors import UnusableError, UserError
from mbv2cli.report.formats import HTML, TABLE, Renderer, format_of, renderer
from mbv2cli.report.summary.report import SummaryReport, confirmed, observed, plan_in, planned
from mbv2cli.report.summary.values import VALUES, value_names, values_text
from mbv2cli.report.summary.view import DEFAULT_VIEW, LAYER, WAYS, View, view_of
from mbv2cli.specs import BlockSpec, InputSpec, NetworkSpec, RunSpec
from mbv2cli.specs.reader import Request, Setting, read_spec
from mbv2cli.specs.requests import read_any_request, refuse_without_forward

Run: TypeAlias = Callable[[SummaryReport], SummaryReport]

HELP = """\
Every number comes from two independent routes: arithmetic (the plan) and a real forward pass \
through torchsummary. mbv2 compares the two operation by operation. --no-forward shows the plan \
alone: exact, at once, without torch.

  mbv2 summary --in 3 --out 64 --expand 6

  mbv2 summary network --width-mult 0.5 --size 160

  mbv2 summary network --no-forward --print params,macs

  mbv2 summary network:width_mult=0.35,size=96 --format json

  mbv2 summary my_model.py:Net
"""

FIRST: Final = (
    *("--in", "--out", "--stride", "--expand", "--width-mult"),
    *("--size", "--no-forward", "--by", "--format", "--print"),
)


@with_flags(
    target_settings=(BlockSpec, NetworkSpec, InputSpec),
    run_settings=(RunSpec,),
)
def summary(
    target: AnyTarget = "block",
    *,
    target_settings: list[Setting],
    run_settings: list[Setting],
    inputs: Inputs = None,
    forward: Annotated[
        bool,
        typer.Option(
            "--forward/--no-forward",
            help="Run a forward pass and compare it with the plan, or show the plan alone.",
            rich_help_panel="Run",
        ),
    ] = True,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Run even if memory does not suffice.",
            rich_help_panel="Run",
        ),
    ] = False,
    format_name: Annotated[str | None, format_option("summary")] = None,
    by: Annotated[
        str,
        typer.Option(
            "--by",
            metavar="NAME",
            help=f"Show a row for each {', '.join(WAYS[:-1])} or {WAYS[-1]}.",
            rich_help_panel="Output",
            autocompletion=completion(lambda: WAYS),
        ),
    ] = LAYER,
    columns: Annotated[
        str | None,
        typer.Option(
            "--columns",
            metavar="NAME[,NAME]",
            help="Show these columns of table, csv, markdown or html, such as name,params. A wrong "
            "name lists every name.",
            rich_help_panel="Output",
            autocompletion=list_completion(lambda ctx: view_of(ctx.params["by"], None).all_columns),
        ),
    ] = None,
    convention_name: Convention = CONV_LINEAR.key,
    output: Output = None,
    values: Annotated[
        str | None,
        typer.Option(
            "--print",
            metavar="FIELD[,FIELD]",
            help="Print only these values, one a line, such as params,macs. A wrong name "
            "lists every name.",
            rich_help_panel="Output",
            autocompletion=list_completion(lambda _ctx: VALUES),
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    view = view_of(by, columns)
    format_name = format_of("summary", format_name, None if values else output)
    render = _renderer(format_name, view, values)
    run_spec, convention = read_spec(RunSpec, run_settings), mac_convention(convention_name)
    request = read_any_request(target, target_settings, inputs or ())
    if not isinstance(request, Request):
        refuse_without_forward(request, forward=forward)
        with running(target, run_settings, quiet=quiet):
            report = observed(request, run_spec, convention, view)
        if output or not quiet:
            write(render(report), output)
        return
    places = {setting.key: setting.place for setting in run_settings}
    report = planned(request, run_spec, convention, view)
    if values and report.doubt_of_file:
        warn(report.doubt_of_file)
    run = partial(_confirmed, places, force=force, quiet=quiet) if forward else _planned
    if quiet:
        report = run(report)
        if output:
            write(render(report), output)
    elif format_name == TABLE and not (values or output) and sys.stdout.isatty():
        _show_as_it_comes(report, run)
    else:
        write(render(run(report)), output)


def _renderer(format_name: str, view: View, values: str | None) -> Renderer:
    if values is None:
        _refuse_unused(format_name, view)
        if format_name == HTML:
            start_matplotlib_if_there()
        return renderer("summary", format_name, typed_command())
    if format_name != TABLE:
        raise UserError(f"--print and --format {format_name} exclude each other; give one of them")
    if view != DEFAULT_VIEW:
        raise UserError(
            "--print shows no table, so --by and --columns do nothing; give one or the other"
        )
    return partial(values_text, names=value_names(values))


def _refuse_unused(format_name: str, view: View) -> None:
    for flag, is_unused in (
        ("--columns", view.columns and format_name in ("json", "torchsummary")),
        ("--by", view.by and format_name == "torchsummary"),
    ):
        if is_unused:
            raise UserError(
                f"{flag} does nothing with --format {format_name}; leave one of them out"
            )


def _confirmed(
    places: Mapping[str, str], report: SummaryReport, *, force: bool, quiet: bool
) -> SummaryReport:
    """Return the report with its forward pass.

    Raises `UserError` if that needs too much memory, or if this machine cannot use a value of the
    run, which the user wrote at one of ``places``.
    """
    from mbv2cli.confirm import refuse_beyond_memory

    with nullcontext() if quiet else progress("Running the forward pass"):
        start_torch()
        try:
            if not force:
                refuse_beyond_memory(plan_in(report), report.run)
            return confirmed(report)
        except UnusableError as error:
            raise error.written_at(places) from None


def _planned(report: SummaryReport) -> SummaryReport:
    return report


def _show_as_it_comes(report: SummaryReport, run: Run) -> None:
    """Show what the plan knows at once, and the rest after the forward pass."""
    from mbv2cli.report.summary.table import body, header

    write(header(report), None)
    write(body(run(report)), None)
