"""Single values of the summary, for scripts: `--print`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from mbv2cli.errors import UserError, nearest
from mbv2cli.plan.memory import (
    EAGER,
    INPLACE_DEPTHWISE,
    LAYERWISE,
    TRAINING,
    MemoryRule,
    memory_use,
)
from mbv2cli.plan.weights import flash_bytes, weight_bytes
from mbv2cli.report.summary.report import SummaryReport
from mbv2cli.report.text import compact


def _peak(report: SummaryReport, rule: MemoryRule) -> str:
    return str(memory_use(rule, report.plan).peak_bytes(report.run.dtype))


VALUES: Final[Mapping[str, Callable[[SummaryReport], str]]] = {
    "input_shape": lambda report: compact(report.plan.input_shape),
    "output_shape": lambda report: compact(report.plan.output_shape),
    "params": lambda report: str(report.plan.totals.params),
    "trainable_params": lambda report: str(report.plan.totals.trainable_params),
    "non_trainable_params": lambda report: str(report.plan.totals.non_trainable_params),
    "buffers": lambda report: str(report.plan.totals.buffers),
    "macs": lambda report: str(report.macs.total),
    "activations": lambda report: str(report.plan.totals.activations),
    "receptive_field": lambda report: str(report.receptive_field),
    "weight_bytes": lambda report: str(weight_bytes(report.plan, report.run.dtype)),
    "flash_bytes": lambda report: str(flash_bytes(report.plan)),
    "layerwise_bytes": lambda report: _peak(report, LAYERWISE),
    "inplace_depthwise_bytes": lambda report: _peak(report, INPLACE_DEPTHWISE),
    "eager_bytes": lambda report: _peak(report, EAGER),
    "training_bytes": lambda report: _peak(report, TRAINING),
    "input_mb": lambda report: f"{report.sizes.input_mb:.2f}",
    "forward_backward_mb": lambda report: f"{report.sizes.forward_backward_mb:.2f}",
    "params_mb": lambda report: f"{report.sizes.params_mb:.2f}",
    "total_mb": lambda report: f"{report.sizes.total_mb:.2f}",
}
"""The values of `--print`, under the names of the JSON fields."""


def value_names(text: str) -> tuple[str, ...]:
    """Read ``output_shape,params``. Raises `UserError` for a name that is not there."""
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in VALUES:
            raise UserError(
                f"--print has no field '{name}' (the fields are {', '.join(VALUES)})"
                f"{nearest(name, VALUES)}"
            )
    return names


def values_text(report: SummaryReport, names: Iterable[str]) -> str:
    """Return a line for the value of each name."""
    return "".join(f"{VALUES[name](report)}\n" for name in names)
