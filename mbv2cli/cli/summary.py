"""`mbv2 summary`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Annotated, TypeAlias

import typer

from mbv2cli.cli.flags import with_flags
from mbv2cli.cli.options import Convention, Output, Quiet, Target, format_option
from mbv2cli.cli.output import write
from mbv2cli.cli.progress import progress
from mbv2cli.cli.torch_start import start_torch
from mbv2cli.errors import UserError
from mbv2cli.gate.memory_guard import refuse_beyond_memory
from mbv2cli.plan.conventions import CONV_LINEAR, mac_convention
from mbv2cli.report.formats import format_named
from mbv2cli.report.summary import as_values
from mbv2cli.report.summary.format import SummaryFormat
from mbv2cli.report.summary.report import SummaryReport, confirmed, planned
from mbv2cli.report.summary.view import LAYER, WAYS, View, view_of
from mbv2cli.specs import BlockSpec, InputSpec, NetworkSpec, RunSpec
from mbv2cli.specs.reader import Setting, read_request, read_spec

Run: TypeAlias = Callable[[SummaryReport], SummaryReport]

HELP = """Show shapes, parameters, MACs and the torchsummary table of a block or a network.

Every number comes from two independent routes, closed-form arithmetic (the plan) and a real \
forward pass through torchsummary, compared layer by layer. --no-forward is the plan alone: \
exact, at once, without torch.

[bold]Examples[/bold]

  mbv2 summary --in 3 --out 64 --expand 6

  mbv2 summary network --width-mult 0.5 --size 160

  mbv2 summary network --no-forward --print output_shape,params,macs

  mbv2 summary network:width_mult=0.35,size=96 --format json
"""


@with_flags(
    target_settings=(BlockSpec, NetworkSpec, InputSpec),
    run_settings=(RunSpec,),
)
def summary(
    target: Target = "block",
    *,
    target_settings: list[Setting],
    run_settings: list[Setting],
    forward: Annotated[
        bool,
        typer.Option(
            "--forward/--no-forward",
            help="Run a dummy forward pass and compare, or show the plan alone (no torch).",
            rich_help_panel="Run",
        ),
    ] = True,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Run even if the forward pass needs more memory than is free.",
            rich_help_panel="Run",
        ),
    ] = False,
    format_name: Annotated[str, format_option(*SummaryFormat)] = SummaryFormat.TABLE.value,
    by: Annotated[
        str,
        typer.Option(
            "--by",
            metavar="NAME",
            help=f"A row for each {', '.join(WAYS[:-1])} or {WAYS[-1]}.",
            rich_help_panel="Output",
            autocompletion=lambda incomplete: [w for w in WAYS if w.startswith(incomplete)],
        ),
    ] = LAYER,
    columns: Annotated[
        str | None,
        typer.Option(
            "--columns",
            metavar="NAME[,NAME]",
            help="Columns of table, csv or markdown, under the names of the JSON fields.",
            rich_help_panel="Output",
        ),
    ] = None,
    convention_name: Convention = CONV_LINEAR.key,
    output: Output = None,
    values: Annotated[
        str | None,
        typer.Option(
            "--print",
            metavar="FIELD[,FIELD]",
            help=f"Print bare values, one a line. Fields: {', '.join(as_values.VALUES)}.",
            rich_help_panel="Output",
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    face = format_named(format_name, SummaryFormat)
    view = view_of(by, columns)
    render = _renderer(face, view, values)
    report = planned(
        read_request(target, target_settings),
        read_spec(RunSpec, run_settings),
        mac_convention(convention_name),
    )
    run = _runner(forward=forward, force=force)
    if forward and not quiet:
        run = _with_progress(run)
    if quiet:
        report = run(report)
        if output:
            write(render(report), output)
    elif face is SummaryFormat.TABLE and not (values or output) and sys.stdout.isatty():
        _show_as_it_comes(report, run, view)
    else:
        write(render(run(report)), output)


def _renderer(
    face: SummaryFormat, view: View, values: str | None
) -> Callable[[SummaryReport], str]:
    if values is None:
        _refuse_unused(face, view)
        return partial(face.render, view=view)
    if face is not SummaryFormat.TABLE:
        raise UserError(f"--print and --format {face} exclude each other; give one of them")
    if view != View():
        raise UserError("--print has no rows for --by and --columns; give one or the other")
    return partial(as_values.render, names=as_values.value_names(values))


def _refuse_unused(face: SummaryFormat, view: View) -> None:
    if view.columns and face in (SummaryFormat.JSON, SummaryFormat.TORCHSUMMARY):
        raise UserError(f"--columns does nothing with --format {face}; leave one of them out")
    if view.by and face is SummaryFormat.TORCHSUMMARY:
        raise UserError(f"--by does nothing with --format {face}; leave one of them out")


def _runner(*, forward: bool, force: bool) -> Run:
    if not forward:
        return lambda report: report
    return _run_by_force if force else _run_if_it_fits


def _run_if_it_fits(report: SummaryReport) -> SummaryReport:
    start_torch()
    refuse_beyond_memory(report.plan, report.run)
    return confirmed(report)


def _run_by_force(report: SummaryReport) -> SummaryReport:
    start_torch()
    return confirmed(report)


def _with_progress(run: Run) -> Run:
    def watched(report: SummaryReport) -> SummaryReport:
        with progress("Running the forward pass"):
            return run(report)

    return watched


def _show_as_it_comes(report: SummaryReport, run: Run, view: View) -> None:
    """Show on the terminal what the plan says at once, and the rest when it has run."""
    from rich.console import Console

    from mbv2cli.report.summary import as_table

    terminal = Console(highlight=False)
    terminal.print(as_table.header(report))
    terminal.print(as_table.body(run(report), view))
