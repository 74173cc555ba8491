"""The memory for people: a line a rule, and what it takes to be alive."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from mbv2cli.plan.memory import EAGER, TRAINING, MemoryUse
from mbv2cli.plan.weights import flash_bytes, weight_bytes
from mbv2cli.report.amount_text import binary
from mbv2cli.report.memory.report import MemoryReport
from mbv2cli.report.target_text import heading

_DTYPES: Final = ("float32", "float16", "int8")
_DTYPE_TITLES: Final = ("float32", "16 bits", "int8")
_MB: Final = 2**20


def render(report: MemoryReport) -> str:
    """Return peaks, weights and torchsummary's figure as plain text of at most 80 columns."""
    lines = (heading(report.request), "", *_peaks(report), "", *_weights(report), "")
    return "".join(f"{line.rstrip()}\n" for line in (*lines, *_torchsummary(report)))


def _peaks(report: MemoryReport) -> Iterator[str]:
    yield _line("Activation peak", _DTYPE_TITLES, "caused by")
    for use in report.uses:
        sizes = [binary(use.peak_bytes(dtype)) for dtype in _DTYPES]
        yield _line(use.rule.name, sizes, _culprit(use))
        yield f"  {use.rule.counts}"


def _culprit(use: MemoryUse) -> str:
    return f"{use.culprit.name or use.culprit.type} ({use.culprit.role})"


def _weights(report: MemoryReport) -> Iterator[str]:
    yield _line("Weights", _DTYPE_TITLES)
    yield _line("parameters", [binary(weight_bytes(report.plan, dtype)) for dtype in _DTYPES])
    yield _line("flash", ["", "", binary(flash_bytes(report.plan))])
    yield "  int8 weights, int32 biases, BatchNorm folded into the convolutions"


def _torchsummary(report: MemoryReport) -> Iterator[str]:
    size = report.pass_size
    yield f"torchsummary's Forward/backward pass size: {size.total_mb:,.2f} MB"
    yield "  is every row's output in float32, twice; in it are"
    for megabytes, what in (
        (size.blocks_again_mb, "block rows, counted again on top of their last layer"),
        (size.in_place_mb, "in-place activations, which take no new memory"),
    ):
        if megabytes:
            yield f"  {megabytes:,.2f} MB {what}"
    times = ", ".join(
        f"{size.total_mb * _MB / use.peak_bytes('float32'):.2f} x {use.rule.name}"
        for use in report.uses
        if use.rule in (EAGER, TRAINING)
    )
    yield f"  in all {times}"


def _line(what: str, sizes: Iterable[str], rest: str = "") -> str:
    return f"{what:<17} {' '.join(f'{size:>12}' for size in sizes)}  {rest}"
