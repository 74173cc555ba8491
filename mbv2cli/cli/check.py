"""`mbv2 check`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Final

import typer

from mbv2cli.cli import ExitCode
from mbv2cli.cli.completion import configured_cases, context_completion, offer_targets
from mbv2cli.cli.flags import with_flags
from mbv2cli.cli.imports import start_torch
from mbv2cli.cli.options import ConfigFile, Inputs, Output, Quiet, format_option
from mbv2cli.cli.output import append, write
from mbv2cli.cli.progress import counted_progress
from mbv2cli.cli.streams import warn
from mbv2cli.errors import UserError
from mbv2cli.gate.boards import with_boards
from mbv2cli.gate.cases import (
    Case,
    CaseResult,
    confirmed_result,
    planned_result,
    refuse_modules_without_forward,
)
from mbv2cli.gate.config import Config, file_hint, find_config, read_config
from mbv2cli.gate.limits import Expectations
from mbv2cli.gate.outcomes import CheckReport, Outcome, outcomes_of_config
from mbv2cli.report.formats import TABLE, format_of, renderer
from mbv2cli.specs import BlockSpec, InputSpec, NetworkSpec, RunSpec
from mbv2cli.specs.files import working_folder
from mbv2cli.specs.reader import Setting, read_spec
from mbv2cli.specs.requests import AnyRequest, read_any_request

AUTO: Final = "auto"
GITHUB: Final = "github"

HELP = """\
With limits as flags: check one target. Without: check the cases of mbv2.toml, or of [tool.mbv2] \
in pyproject.toml, in this folder or above it. A forward pass confirms every number. \
--no-forward checks the plan alone: exact, without torch.

  mbv2 check --expect 1x64x224x224 --max-params 2k

  mbv2 check network --size 96 --max-peak 3MiB --no-forward

  mbv2 check my_model.py:Net --max-params 4M

  mbv2 check

  mbv2 check 'edge*' --format junit --output report.xml
"""

FIRST: Final = (
    *("--max-params", "--max-macs", "--max-peak", "--max-flash", "--expect"),
    *("--width-mult", "--size", "--dtype", "--no-forward", "--format"),
)


def _offer(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the cases and the targets that start with what is typed, for the shell."""
    cases = context_completion(lambda context: configured_cases(context.params["config_file"]))
    return [*cases(ctx, incomplete), *offer_targets(ctx, incomplete)]


@with_flags(
    target_settings=(BlockSpec, NetworkSpec, InputSpec),
    run_settings=(RunSpec,),
    limit_settings=(Expectations,),
)
def check(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TARGET | CASE-GLOB…]",
            autocompletion=_offer,
            help="With limits as flags: the target. Without: the cases to check (default: all).",
            show_default=False,
        ),
    ] = None,
    *,
    limit_settings: list[Setting],
    target_settings: list[Setting],
    run_settings: list[Setting],
    inputs: Inputs = None,
    forward: Annotated[
        bool | None,
        typer.Option(
            "--forward/--no-forward",
            help="Confirm by a forward pass (default, unless the file says forward = false).",
            rich_help_panel="Run",
            show_default=False,
        ),
    ] = None,
    config_file: ConfigFile = None,
    exit_zero: Annotated[
        bool,
        typer.Option(
            "--exit-zero", help="Exit 0 even if a check failed.", rich_help_panel="Output"
        ),
    ] = False,
    format_name: Annotated[str, format_option("check", AUTO)] = AUTO,
    output: Output = None,
    quiet: Quiet = False,
) -> ExitCode:
    format_name = _format_here(format_name, output)
    render = renderer("check", format_name)
    if any(setting.key != "peak_rule" for setting in limit_settings):
        _refuse_config_beside_limits(config_file)
        request = _request(names or [], target_settings, inputs or [])
        case = _case_of_flags(request, run_settings, limit_settings)
        run = _runner([case], "--no-forward", forward=forward is not False)
        report = CheckReport([Outcome(run(case))])
    else:
        _refuse_settings(
            [*_input_settings(inputs), *target_settings, *run_settings, *limit_settings]
        )
        config = read_config(config_file or _config_here(names or []))
        cases = _chosen(config, names or [])
        what_forbids = "forward = false" if forward is None else "--no-forward"
        report = outcomes_of_config(
            config,
            counted_progress(cases, "Checking"),
            _runner(cases, what_forbids, forward=config.forward if forward is None else forward),
            _path_in_workspace(config.path),
        )
    if not quiet or output:
        write(render(report), output)
        _append_job_summary(format_name, report)
    return ExitCode.DONE if report.holds or exit_zero else ExitCode.CHECK_FAILED


def _config_here(names: Sequence[str]) -> Path:
    """Return the nearest configuration. Raises `UserError`, which knows a file among the names."""
    try:
        return find_config(working_folder())
    except UserError:
        for name in names:
            if hint := file_hint(name):
                raise UserError(f"'{name}' is not the name of a case{hint}") from None
        raise


def _format_here(name: str, output: Path | None) -> str:
    """Return the format given, or the one that ``auto`` stands for here and for this file."""
    is_auto = name.lower() == AUTO
    chosen = format_of("check", None if is_auto else name, output)
    is_github = os.environ.get("GITHUB_ACTIONS") == "true"
    return GITHUB if is_auto and chosen == TABLE and is_github else chosen


def _request(
    names: Sequence[str], target_settings: Sequence[Setting], inputs: Sequence[str]
) -> AnyRequest:
    target, *more = names or ["block"]
    if more:
        raise UserError(f"limits given as flags check one target, not {len(names)}; give one")
    return read_any_request(target, target_settings, inputs)


def _input_settings(inputs: Sequence[str] | None) -> list[Setting]:
    return [Setting("input", text, "--input") for text in inputs or ()]


def _case_of_flags(
    request: AnyRequest, run_settings: Sequence[Setting], limit_settings: Sequence[Setting]
) -> Case:
    return Case(
        name=request.target,
        request=request,
        run=read_spec(RunSpec, run_settings),
        expected=read_spec(Expectations, with_boards(limit_settings)),
        places={setting.key: setting.place for setting in run_settings},
    )


def _refuse_settings(settings: Sequence[Setting]) -> None:
    """Raise `UserError` for a flag of a model without a limit, which would go unused."""
    if settings:
        raise UserError(
            f"{settings[0].place} needs a limit beside it, such as --max-params 2M; "
            "the cases of a file have their own settings"
        )


def _refuse_config_beside_limits(config_file: Path | None) -> None:
    if config_file is not None:
        raise UserError(
            "--config reads the cases of a file, and limits given as flags check one target; "
            "give --config or limits, not both"
        )


def _chosen(config: Config, globs: Sequence[str]) -> list[Case]:
    for glob in globs:
        if not any(_matches(case, glob) for case in config.cases):
            names = ", ".join(dict.fromkeys(case.name.partition("[")[0] for case in config.cases))
            raise UserError(
                f"no case in {config.path} matches '{glob}' (the cases are {names})"
                f"{file_hint(glob)}"
            )
    return [
        case for case in config.cases if not globs or any(_matches(case, glob) for glob in globs)
    ]


def _matches(case: Case, glob: str) -> bool:
    return glob == case.name or fnmatchcase(case.name.partition("[")[0], glob)


def _runner(
    cases: Iterable[Case], what_forbids: str, *, forward: bool
) -> Callable[[Case], CaseResult]:
    """Return what runs a case: with its forward pass, or by the plan alone.

    Raises `UserError` for a module among the ``cases`` that may not run.
    """
    if forward:
        return _confirming
    refuse_modules_without_forward(cases, what_forbids)
    return planned_result


def _confirming(case: Case) -> CaseResult:
    start_torch()
    return confirmed_result(case)


def _append_job_summary(format_name: str, report: CheckReport) -> None:
    """Add the results to the summary of the job, on GitHub. The report is complete without."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if format_name != GITHUB or not path:
        return
    result = renderer("check", "markdown")(report)
    try:
        append(result, Path(path))
    except UserError as error:
        warn(f"the summary of the job lacks the report: {error}")


def _path_in_workspace(path: Path) -> Path:
    """Return ``path`` from the root of the workspace; as it is where there is no such path."""
    try:
        return Path(os.path.relpath(path, os.environ.get("GITHUB_WORKSPACE") or os.curdir))
    except (OSError, ValueError):  # a working directory that is gone; another drive of Windows
        return path
