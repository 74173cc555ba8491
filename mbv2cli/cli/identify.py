"""`mbv2 identify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mbv2cli.cli import ExitCode
from mbv2cli.cli.flags import with_flags
from mbv2cli.cli.modules import model_of
from mbv2cli.cli.options import AnyTarget, Inputs, Output, format_option
from mbv2cli.cli.output import write
from mbv2cli.identify.checkpoints import differs_in_shape, identify_checkpoint
from mbv2cli.identify.identity import Identity, differs_from
from mbv2cli.identify.identity import identify as identity_of
from mbv2cli.report.formats import format_of, renderer
from mbv2cli.report.identify import IdentifyReport
from mbv2cli.specs import BlockSpec, InputSpec, NetworkSpec, RunSpec
from mbv2cli.specs.checkpoint.model import read_checkpoint
from mbv2cli.specs.foreign import checkpoint_file
from mbv2cli.specs.reader import (
    Described,
    Setting,
    TargetText,
    inline_settings,
    read_request,
    request_of,
    split_target,
)
from mbv2cli.specs.requests import read_any_request

HELP = """\
Runs a module of your own once and reads its graph back into a spec. If the planned graph of that \
spec has the same operations on the same values, identify says which preset it is. Else it says \
what differs from the nearest preset, and where. Of a checkpoint, identify reads names and \
shapes, and says which fields of the spec they tell. Nothing of a checkpoint is run.

  mbv2 identify my_model.py:Net

  mbv2 identify my_model.py:Net --expect torchvision

  mbv2 identify my_model.py:Net --format toml

  mbv2 identify weights.pth
"""


@with_flags(
    target_settings=(BlockSpec, NetworkSpec, InputSpec),
    run_settings=(RunSpec,),
)
def identify(
    target: AnyTarget = "block",
    *,
    target_settings: list[Setting],
    run_settings: list[Setting],
    inputs: Inputs = None,
    expect: Annotated[
        str | None,
        typer.Option(
            "--expect",
            metavar="TARGET",
            help="Exit with 1 if it is not this preset, or another TARGET.",
            rich_help_panel="Output",
        ),
    ] = None,
    format_name: Annotated[str | None, format_option("identify")] = None,
    output: Output = None,
) -> ExitCode:
    render = renderer("identify", format_of("identify", format_name, output))
    expected = None if expect is None else read_request(expect).spec
    path = checkpoint_file(target)
    if path is not None and not inputs:
        identity = _checkpoint(path, target, target_settings)
        broken = () if expected is None else differs_in_shape(identity, expected)
    else:
        request = read_any_request(target, target_settings, inputs or ())
        graph = model_of(request, run_settings).graph
        identity = identity_of(graph)
        broken = () if expected is None else differs_from(graph, expected)
    write(render(IdentifyReport(target, identity, expect, broken)), output)
    return ExitCode.CHECK_FAILED if broken else ExitCode.DONE


def _checkpoint(path: Path, target: str, settings: list[Setting]) -> Identity:
    checkpoint, request = read_checkpoint(path), None
    if checkpoint.model:
        text = TargetText(Described(*checkpoint.model), inline_settings(*split_target(target)))
        request = request_of(target, text, settings)
    return identify_checkpoint(path, checkpoint, request)
