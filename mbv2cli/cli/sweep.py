"""`mbv2 sweep`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final

import typer

from mbv2cli.cli import ExitCode
from mbv2cli.cli.completion import list_completion, offer_targets
from mbv2cli.cli.flags import with_flags
from mbv2cli.cli.imports import start_numpy
from mbv2cli.cli.options import Convention, DType, Quiet, format_option
from mbv2cli.cli.output import typed_command, write
from mbv2cli.costs.conventions import CONV_LINEAR, mac_convention
from mbv2cli.costs.figures import combining_figures
from mbv2cli.costs.memory import dtype_named
from mbv2cli.errors import UserError
from mbv2cli.gate.boards import with_boards
from mbv2cli.gate.limits import Limits
from mbv2cli.report.formats import HTML, PAGE_SUFFIXES, TABLE, format_named, renderer
from mbv2cli.search.figures import figure_names
from mbv2cli.search.query import SearchOptions, read_query
from mbv2cli.search.space import Space, read_space, read_space_file
from mbv2cli.specs import BlockSpec, InputSpec, NetworkSpec
from mbv2cli.specs.reader import Setting, read_spec

_FIGURES: Final = ", ".join(figure.name for figure in combining_figures())

HELP = f"""\
Every field takes a list or start:stop:step. --space FILE has choices for the fields of every \
stage too. If no model fits, the report says why. The figures are exact. A sweep searches \
millions of models a second, without torch. Figures for --sort, --pareto and --where: {_FIGURES}, \
height, width, size, and the fields that are numbers.

  mbv2 sweep network --size 96:256:16 --pareto peak,-macs

  mbv2 sweep network --width-mult 0.1,0.5,1 --plot p.svg

  mbv2 sweep --in 8:64:8 --where 'peak < 20*params'

  mbv2 sweep --space space.toml --sample 10M --cdf
"""

FIRST: Final = (
    *("--width-mult", "--size", "--expand", "--max-params", "--max-macs"),
    *("--max-peak", "--sort", "--pareto", "--sample", "--output"),
)


def _figures_of(context: typer.Context) -> Iterable[str]:
    """Return the figures of the space of a target, for the shell."""
    return figure_names(read_space(context.params["target"] or "block", []))


@with_flags(
    target_settings=(BlockSpec, NetworkSpec, InputSpec),
    limit_settings=(Limits,),
    search_settings=(SearchOptions,),
)
def sweep(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[TARGET]",
            autocompletion=offer_targets,
            help="block, network, a preset or a file. The flags vary its fields.",
            show_default="block",
        ),
    ] = None,
    *,
    target_settings: list[Setting],
    limit_settings: list[Setting],
    search_settings: list[Setting],
    space_file: Annotated[
        Path | None,
        typer.Option(
            "--space",
            metavar="FILE",
            help="Read the space from a TOML file instead of a target.",
            rich_help_panel="Search",
        ),
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(
            "--where",
            metavar="CONDITION",
            help="A condition on figures, such as 'macs < 60M and peak <= 320KiB'.",
            rich_help_panel="Limits",
        ),
    ] = None,
    sort: Annotated[
        str,
        typer.Option(
            "--sort",
            metavar="[-]FIGURE",
            help="Sort the list by this figure, smallest first. -FIGURE: largest first.",
            rich_help_panel="Search",
            autocompletion=list_completion(_figures_of),
        ),
    ] = "-macs",
    pareto: Annotated[
        str | None,
        typer.Option(
            "--pareto",
            metavar="FIGURE,-FIGURE",
            help="List the Pareto front of two or three figures: smaller is better; put - before a "
            "figure to prefer larger values.",
            rich_help_panel="Search",
            autocompletion=list_completion(_figures_of),
        ),
    ] = None,
    cdf: Annotated[
        bool,
        typer.Option(
            "--cdf",
            help="Show the distribution of the members that fit, in steps of 10 %.",
            rich_help_panel="Search",
        ),
    ] = False,
    scheduler: Annotated[
        str | None,
        typer.Option(
            "--scheduler",
            metavar="ADDRESS",
            help="Search on a running Dask cluster, such as tcp://127.0.0.1:8786.",
            rich_help_panel="Search",
        ),
    ] = None,
    dtype: DType = "float32",
    convention: Convention = CONV_LINEAR.key,
    format_name: Annotated[str | None, format_option("sweep")] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="FILE",
            help="Write every member that fits to FILE, which ends in .parquet, .csv or .jsonl. "
            "FILE.html is the page of --format html.",
            rich_help_panel="Output",
        ),
    ] = None,
    every: Annotated[
        bool,
        typer.Option(
            "--all",
            help="Write the members that do not fit to --output too, with a column `feasible`.",
            rich_help_panel="Output",
        ),
    ] = False,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            metavar="FILE",
            help="Draw members, limits and front into FILE, which ends in .svg or .png.",
            rich_help_panel="Output",
        ),
    ] = None,
    fail_if_empty: Annotated[
        bool,
        typer.Option(
            "--fail-if-empty",
            help="Exit with code 1 if no member fits.",
            rich_help_panel="Output",
        ),
    ] = False,
    quiet: Quiet = False,
) -> ExitCode:
    page = output if output and output.suffix.lower() in PAGE_SUFFIXES else None
    members = output if page is None else None
    format_name = _format(format_name, page)
    _refuse_unused(members, every=every, scheduler=scheduler, search_settings=search_settings)
    options = read_spec(SearchOptions, search_settings)
    limits = read_spec(Limits, with_boards(limit_settings))
    convention = mac_convention(convention).key
    dtype = dtype_named(dtype)
    space = _space(target, space_file, target_settings)

    # these load numpy; a mistake need not wait for that
    start_numpy()
    from mbv2cli.cli.sweep_run import Files, run, runner
    from mbv2cli.costs.figures import Counting

    files = Files(members, plot, page, every=every)
    counting = Counting(convention, limits.peak_rule, dtype)
    query = read_query(
        space,
        limits,
        options,
        counting,
        sort=sort,
        pareto=pareto,
        where=where,
        cdf=cdf,
        plot=plot is not None or format_name == HTML,
        grid=format_name == HTML,
        keep=files.keep,
    )
    render = renderer("sweep", format_name, typed_command())
    report = run(query, runner(options.jobs, scheduler), files, render)
    if not (quiet or page):
        write(render(report), None)
    if not report.complete:
        return ExitCode.INTERRUPTED
    is_empty = not report.result.feasible
    return ExitCode.CHECK_FAILED if fail_if_empty and is_empty else ExitCode.DONE


def _space(target: str | None, file: Path | None, settings: list[Setting]) -> Space:
    if file is None:
        return read_space(target or "block", settings)
    if target is not None:
        raise UserError(
            f"--space {file} has a target of its own; remove '{target}' here, or write "
            f'target = "{target}" in the file'
        )
    return read_space_file(file, settings)


def _format(name: str | None, page: Path | None) -> str:
    """Return the format that is named, or that of the page."""
    if page is None:
        return TABLE if name is None else format_named("sweep", name)
    word = HTML if name is None else format_named("sweep", name)
    if word != HTML:
        raise UserError(
            f"--output {page} is for --format {HTML}, not {word}; leave --format out, or name a "
            "file that ends in .parquet, .csv or .jsonl"
        )
    return HTML


def _refuse_unused(
    output: Path | None, *, every: bool, scheduler: str | None, search_settings: list[Setting]
) -> None:
    if every and output is None:
        raise UserError("--all needs --output FILE, the file that gets the members")
    if scheduler is not None and any(setting.key == "jobs" for setting in search_settings):
        raise UserError("--jobs and --scheduler exclude each other; give one of them")
