"""The cliffs for people: a line a plateau, then the widths worth knowing."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from mbv2cli.plan.cliffs import Plateau
from mbv2cli.report.amount_text import binary
from mbv2cli.report.cliffs.report import CliffsReport
from mbv2cli.report.target_text import heading


def render(report: CliffsReport) -> str:
    """Return the plateaus as plain text of at most 80 columns."""
    return "".join(f"{line}\n" for line in _lines(report))


def _lines(report: CliffsReport) -> Iterator[str]:
    yield heading(report.request)
    yield ""
    peak = f"{report.rule.name} {report.dtype}"
    yield f"{'width_mult':<13} {peak:>24} {'params':>17} {'MACs':>21}"
    for plateau in report.plateaus:
        yield _plateau_line(report, plateau)
    yield ""
    drops = [
        f"{plateau.widest.widths[0]:.2f} ({binary(report.bytes_of(plateau))})"
        for plateau in report.plateaus[1:]
    ]
    yield from _paragraph("Just below a drop", drops)
    yield from _paragraph("Same network as the next larger width", _wasted(report))


def _plateau_line(report: CliffsReport, plateau: Plateau) -> str:
    widest, narrowest = plateau.widest, plateau.narrowest
    widths = f"{widest.widths[0]:.2f} - {narrowest.widths[-1]:.2f}"
    params = f"{widest.params / 10**6:.2f} - {narrowest.params / 10**6:.2f} M"
    macs = f"{widest.macs / 10**6:,.1f} - {narrowest.macs / 10**6:,.1f} M"
    return f"{widths:<13} {binary(report.bytes_of(plateau)):>24} {params:>17} {macs:>21}"


def _wasted(report: CliffsReport) -> list[str]:
    """Return the widths that only repeat the network of a larger one."""
    return [
        f"{width:.2f}"
        for plateau in report.plateaus
        for network in plateau.networks
        for width in network.widths[1:]
    ]


def _paragraph(title: str, words: list[str]) -> list[str]:
    return textwrap.wrap(f"{title}: {', '.join(words) or 'none'}", 80, subsequent_indent="    ")
