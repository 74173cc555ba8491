"""`mbv2 memory`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from mbv2cli.cli.flags import with_flags
from mbv2cli.cli.imports import start_matplotlib
from mbv2cli.cli.modules import model_of
from mbv2cli.cli.options import AnyTarget, BoardName, Inputs, Output, format_option
from mbv2cli.cli.output import encoded, write
from mbv2cli.costs.figures import TFLM
from mbv2cli.costs.memory import ELEMENT_BYTES, dtype_named
from mbv2cli.errors import UserError, value_text
from mbv2cli.report.formats import format_of, renderer
from mbv2cli.report.memory import memory_of
from mbv2cli.specs import BlockSpec, InputSpec, NetworkSpec
from mbv2cli.specs.reader import Setting, read_spec
from mbv2cli.specs.requests import AnyRequest, doubt_of, read_any_request

if TYPE_CHECKING:
    from mbv2cli.costs.patches import Grid
    from mbv2cli.gate.boards import BoardFit
    from mbv2cli.gate.limits import Limits
    from mbv2cli.inspection import Model
    from mbv2cli.report.arena import ArenaReport
    from mbv2cli.report.page import Page
    from mbv2cli.report.patches import PatchReport

HELP = """\
Shows the activation peak of the whole batch under each memory rule, and the layer that causes \
the peak. Exact, and without torch unless the TARGET is a module of your own.

  mbv2 memory network

  mbv2 memory network:width_mult=0.35 --size 96 --dtype int8

  mbv2 memory network --size 96 --arena --max-tflm 320KiB

  mbv2 memory network --size 96 --board stm32f746

  mbv2 memory network --patches 4x4 --patch-until features.4

  mbv2 memory --in 16 --out 24 --stride 2 --format json

  mbv2 memory my_model.py:Net
"""

_GRID: Final = re.compile(r"([1-9]\d?)(?:x([1-9]\d?))?")

FIRST: Final = (
    *("--in", "--out", "--stride", "--width-mult", "--size"),
    *("--arena", "--max-tflm", "--plot", "--format", "--output"),
)


@with_flags(target_settings=(BlockSpec, NetworkSpec, InputSpec))
def memory(
    target: AnyTarget = "block",
    *,
    target_settings: list[Setting],
    inputs: Inputs = None,
    dtype: Annotated[
        str | None,
        typer.Option(
            "--dtype",
            metavar="NAME",
            help=f"Show this element type alone. One of {', '.join(ELEMENT_BYTES)}.",
            rich_help_panel="Output",
        ),
    ] = None,
    arena: Annotated[
        bool,
        typer.Option(
            "--arena",
            help="Show where TensorFlow Lite Micro puts each buffer of the int8 model.",
            rich_help_panel="Output",
        ),
    ] = False,
    max_tflm: Annotated[
        str | None,
        typer.Option(
            "--max-tflm",
            metavar="BYTES",
            help="With --arena: say what keeps the arena within these bytes, such as 320KiB.",
            rich_help_panel="Output",
        ),
    ] = None,
    board: BoardName = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            metavar="FILE",
            help="With --arena: draw the buffers into FILE, which ends in .svg or .png.",
            rich_help_panel="Output",
        ),
    ] = None,
    patches: Annotated[
        str | None,
        typer.Option(
            "--patches",
            metavar="GRID",
            help="Run the first blocks in patches, such as 4x4; best tries 2x2 to 8x8 and every "
            "block.",
            rich_help_panel="Output",
        ),
    ] = None,
    patch_until: Annotated[
        str | None,
        typer.Option(
            "--patch-until",
            metavar="BLOCK",
            help="With --patches: the last block that runs in patches, such as features.4; without "
            "it, the best block.",
            rich_help_panel="Output",
        ),
    ] = None,
    format_name: Annotated[str | None, format_option("memory")] = None,
    output: Output = None,
) -> None:
    format_name = format_of("memory", format_name, output)
    render = renderer("memory", format_name)
    if dtype is not None:
        dtype = dtype_named(dtype)
        if patches is None:
            _refuse_unused(format_name)
    if patch_until is not None and patches is None:
        raise UserError("--patch-until does nothing without --patches; add --patches 4x4")
    if board is not None and patches is not None:
        raise UserError("--board is about the arena without --patches; leave one of them out")
    if arena:
        _refuse_dtype(dtype)
        if patches is not None:
            raise UserError("--patches and --arena are two rules; leave one of them out")
    else:
        _refuse_without_arena(max_tflm if board is None else None, plot)
    limits = _limits(max_tflm, board)
    if plot is not None:
        start_matplotlib(plot, "--plot")
    grids = None if patches is None else _grids(patches)
    request = read_any_request(target, target_settings, inputs or ())
    model = model_of(request)
    limit = limits.limit_of(TFLM) if limits else None
    found = _arena(request, model, limit) if arena else None
    plan = _patches(request, model, grids, patch_until, dtype or "int8") if grids else None
    page = render(memory_of(request, model, dtype, found, plan, fit=_fit(request, model, limits)))
    if plot is None or found is None:
        write(page, output)
    else:
        _write_both(page, output, found, plot)


def _grids(text: str) -> Sequence[Grid]:
    """Read ``4x4``, ``4`` or ``best``."""
    from mbv2cli.costs.patches import GRIDS

    if text.strip().lower() == "best":
        return GRIDS
    found = _GRID.fullmatch(text.strip().lower())
    if not found:
        raise UserError(
            f"--patches must be best or a grid such as 4x4, not {value_text(text)}; "
            "each side is from 1 to 99"
        )
    return ((int(found[1]), int(found[2] or found[1])),)


def _patches(
    request: AnyRequest, model: Model, grids: Sequence[Grid], until: str | None, dtype: str
) -> PatchReport:
    from mbv2cli.costs.patches import best_plan, blocks, patch_plan
    from mbv2cli.inspection import Plan
    from mbv2cli.report.patches import PatchReport

    if not isinstance(model, Plan):
        raise UserError("--patches needs the blocks of a plan, and a module has none; leave it out")
    if until is not None and len(grids) == 1:
        plan = patch_plan(model.graph, grids[0], until)
    else:
        plan = best_plan(model.graph, grids, blocks(model.graph) if until is None else (until,))
    return PatchReport(request, model, plan, dtype)


def _limits(max_tflm: str | None, board: str | None) -> Limits | None:
    """Return the limits that are given; None without any, which loads nothing."""
    given = {"max_tflm": max_tflm, "board": board}
    settings = [
        Setting(key, value, f"--{key.replace('_', '-')}")
        for key, value in given.items()
        if value is not None
    ]
    if not settings:
        return None
    from mbv2cli.gate.boards import with_boards
    from mbv2cli.gate.limits import Limits

    return read_spec(Limits, with_boards(settings))


def _fit(request: AnyRequest, model: Model, limits: Limits | None) -> BoardFit | None:
    if limits is None:
        return None
    from mbv2cli.gate.boards import fit_of

    return fit_of(model, limits, doubt_of(request))


def _arena(request: AnyRequest, model: Model, limit: int | None) -> ArenaReport:
    from mbv2cli.report.arena import arena_report

    return arena_report(request, model, limit)


def _write_both(page: str | Page, output: Path | None, report: ArenaReport, plot: Path) -> None:
    """Write the page and the picture, or none of them."""
    from mbv2cli.cli.files import outputs
    from mbv2cli.report.arena_plot import draw

    picture = draw(report, plot.suffix)
    with outputs() as opened:
        if output is not None:
            opened(output).write(encoded(page))
        opened(plot).write(picture)
    if output is None:
        write(page, None)


def _refuse_without_arena(max_tflm: str | None, plot: Path | None) -> None:
    for flag, value in (("--max-tflm", max_tflm), ("--plot", plot)):
        if value is not None:
            raise UserError(f"{flag} does nothing without --arena; add --arena, or leave it out")


def _refuse_dtype(dtype: str | None) -> None:
    if dtype not in {None, "int8"}:
        raise UserError(
            f"--arena is of the int8 model, not of --dtype {dtype}; leave one of them out"
        )


def _refuse_unused(format_name: str) -> None:
    if format_name == "json":
        raise UserError(
            "--dtype does nothing with --format json, which has every element type; "
            "leave one of them out"
        )
