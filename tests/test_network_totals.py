"""Every published figure of ``reference/network_totals.csv``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import pytest

from mbv2cli import InputSpec, MobileNetV2, NetworkSpec, Plan, plan_of
from mbv2cli.costs.conventions import PARAM_CONVENTIONS, count
from mbv2cli.costs.figures import FLASH
from mbv2cli.costs.layers import By, GroupFigures, grouped, layer_figures
from mbv2cli.costs.memory import INPLACE_DEPTHWISE, LAYERWISE, MemoryRule
from mbv2cli.costs.torchsummary_sizes import pass_size
from tests.reference_tables import rows

TRAINABLE, WITH_STATISTICS, _WITHOUT_NORM, FOLDED = PARAM_CONVENTIONS


def kib(count_: int) -> str:
    return f"{count_ / 1024:.2f}".removesuffix(".00")


def peak(rule: MemoryRule) -> Callable[[Plan], str]:
    return lambda plan: kib(plan.memory(rule).peak_bytes("int8"))


def stages(plan: Plan) -> tuple[GroupFigures, ...]:
    return grouped(layer_figures(plan.graph, plan.layers, "int8"), By.STAGE)


def field(stage: GroupFigures) -> int:
    assert stage.receptive_field is not None
    height, width = stage.receptive_field
    assert height == width
    return int(height)


FIGURES: Final[Mapping[str, Callable[[Plan], object]]] = {
    "parameters": lambda plan: count(TRAINABLE, plan.graph.ops).total,
    "parameters incl. BatchNorm running statistics": lambda plan: (
        count(WITH_STATISTICS, plan.graph.ops).total
    ),
    "parameters without classifier incl. running statistics": lambda plan: (
        count(WITH_STATISTICS, plan.graph.ops[: plan.graph.segments[-1].start]).total
    ),
    "parameters after folding BatchNorm": lambda plan: count(FOLDED, plan.graph.ops).total,
    "state_dict entries": lambda _plan: len(MobileNetV2().state_dict()),
    "activations (convolution + linear outputs)": lambda plan: plan.totals.activations,
    "int8 weights flash (int8 weights, int32 biases, BatchNorm folded)": lambda plan: kib(
        plan.figure(FLASH)
    ),
    "peak activation, layerwise in+out+live residual, int8": peak(LAYERWISE),
    "peak activation, layerwise, int8": peak(LAYERWISE),
    "peak activation, depthwise in place, int8": peak(INPLACE_DEPTHWISE),
    "receptive field of last feature map": lambda plan: (stages(plan)[-2].receptive_field or (0,))[
        0
    ],
    "receptive field after stages stem,s1..s7": lambda plan: " ".join(
        str(field(stage)) for stage in stages(plan)[:8]
    ),
    "MACs per stage stem,s1..s7,head,classifier": lambda plan: " ".join(
        str(stage.macs) for stage in stages(plan)
    ),
    "torchsummary rows": lambda plan: sum(not layer.is_functional for layer in plan.layers),
    "torchsummary 'Forward/backward pass size'": lambda plan: (
        f"{pass_size(plan.graph).total_mb:.2f}"
    ),
}


@pytest.mark.parametrize(
    "row", rows("network_totals"), ids=lambda row: f"{row['quantity']} {row['width_mult']}"
)
def test_published_figure(row: dict[str, str]) -> None:
    side = int(row["resolution"])
    plan = plan_of(NetworkSpec(width_mult=float(row["width_mult"])), InputSpec(size=(side, side)))
    assert str(FIGURES[row["quantity"]](plan)) == row["value"]
