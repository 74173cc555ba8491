"""What `mbv2 counts` has to tell, as data."""

from __future__ import annotations

from dataclasses import dataclass

from mbv2cli.plan import plan_of
from mbv2cli.plan.conventions import MAC_CONVENTIONS, PARAM_CONVENTIONS, Count, count
from mbv2cli.specs.reader import Request


@dataclass(frozen=True, slots=True)
class CountsReport:
    """The counts of a request under every convention."""

    request: Request
    macs: tuple[Count, ...]
    params: tuple[Count, ...]


def counted(request: Request) -> CountsReport:
    """Return the counts of ``request``. Loads no torch."""
    layers = plan_of(request.spec, request.input).layers
    return CountsReport(
        request,
        macs=tuple(count(convention, layers) for convention in MAC_CONVENTIONS),
        params=tuple(count(convention, layers) for convention in PARAM_CONVENTIONS),
    )
