"""Single values of the summary, for scripts: `--print`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from mbv2cli.costs.figures import FIGURES, PEAK, Figure
from mbv2cli.errors import UserError, nearest
from mbv2cli.report.summary.report import SummaryReport
from mbv2cli.report.text import compact
from mbv2cli.specs.words import listed


def _figure(figure: Figure) -> Callable[[SummaryReport], str]:
    def text(report: SummaryReport) -> str:
        if figure.needs_every_rule and (names := report.uncounted(figure)):
            raise UserError(
                f"--print {figure.field}: the figure has no rule for {', '.join(names)}; "
                f"leave {figure.field} out"
            )
        return str(report.figure(figure))

    return text


def _size(name: str) -> tuple[str, Callable[[SummaryReport], str]]:
    """Return the name of a size of torchsummary, and what writes the size."""

    def text(report: SummaryReport) -> str:
        if report.sizes is None:
            raise UserError(f"--print {name}: {report.doubt}; leave {name} out")
        return f"{getattr(report.sizes, name):.2f}"

    return name, text


VALUES: Final[Mapping[str, Callable[[SummaryReport], str]]] = {
    "input_shape": lambda report: compact(report.model.input_shape),
    "output_shape": lambda report: compact(report.model.output_shape),
    # the peak of each memory rule has a name of its own
    **{figure.field: _figure(figure) for figure in FIGURES if figure is not PEAK},
    **dict(map(_size, ("input_mb", "forward_backward_mb", "params_mb", "total_mb"))),
}
"""The values of `--print`, under the names of the JSON fields."""


def value_names(text: str) -> tuple[str, ...]:
    """Read ``output_shape,params``. Raises `UserError` for a name that is not there."""
    names = tuple(listed(name.strip(), VALUES) for name in text.split(","))
    for name in names:
        if name.lower().endswith(("flops", "flop")):
            raise UserError(f"--print has no field '{name}'; print macs; FLOPs are 2 × MACs")
        if name not in VALUES:
            raise UserError(
                f"--print has no field '{name}' (the fields are {', '.join(VALUES)})"
                f"{nearest(name, VALUES)}"
            )
    return names


def values_text(report: SummaryReport, names: Iterable[str]) -> str:
    """Return a line for the value of each name."""
    return "".join(f"{VALUES[name](report)}\n" for name in names)
