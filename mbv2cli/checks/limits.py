"""Expectations held against a plan."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from mbv2cli.checks.expectations import Expectations, ShapePattern, fits
from mbv2cli.plan import Plan, Shape
from mbv2cli.plan.geometry import geometries
from mbv2cli.plan.memory import memory_use, rule_named
from mbv2cli.plan.weights import flash_bytes


class Unit(StrEnum):
    """What an amount is an amount of."""

    COUNT = "count"
    BYTES = "bytes"


class ShapeVerdict(NamedTuple):
    """Whether a shape is as expected; None where there is no such feature map."""

    what: str
    expected: ShapePattern
    actual: Shape | None

    @property
    def holds(self) -> bool:
        """Whether the shape fits."""
        return self.actual is not None and fits(self.actual, self.expected)


class AmountVerdict(NamedTuple):
    """Whether an amount is within its limit: the most or, for ``is_minimum``, the least."""

    what: str
    limit: int
    actual: int
    unit: Unit = Unit.COUNT
    is_minimum: bool = False

    @property
    def holds(self) -> bool:
        """Whether the amount is within the limit; the limit itself is."""
        return self.headroom >= 0

    @property
    def headroom(self) -> int:
        """What is left; negative where the limit is broken."""
        left = self.limit - self.actual
        return -left if self.is_minimum else left


Verdict = ShapeVerdict | AmountVerdict


def verdicts(expected: Expectations, plan: Plan, dtype: str) -> tuple[Verdict, ...]:
    """Return a verdict for each expectation."""
    return (*_shape_verdicts(expected, plan), *_amount_verdicts(expected, plan, dtype))


def _shape_verdicts(expected: Expectations, plan: Plan) -> Iterator[ShapeVerdict]:
    if expected.output is not None:
        yield ShapeVerdict("output", expected.output, plan.output_shape)
    maps = feature_maps(plan)
    for stride, pattern in expected.features.items():
        if pattern is not None:
            yield ShapeVerdict(f"features at stride {stride}", pattern, maps.get(stride))


def _amount_verdicts(expected: Expectations, plan: Plan, dtype: str) -> Iterator[AmountVerdict]:
    if expected.max_params is not None:
        yield AmountVerdict("params", expected.max_params, plan.totals.params)
    if expected.max_macs is not None:
        yield AmountVerdict("macs", expected.max_macs, plan.totals.macs)
    if expected.max_peak is not None:
        use = memory_use(rule_named(expected.peak_rule), plan)
        what = f"peak ({expected.peak_rule}, {dtype})"
        yield AmountVerdict(what, expected.max_peak, use.peak_bytes(dtype), Unit.BYTES)
    if expected.max_flash is not None:
        yield AmountVerdict("flash", expected.max_flash, flash_bytes(plan), Unit.BYTES)
    if expected.max_layers is not None:
        layers = sum(not layer.is_functional for layer in plan.layers)
        yield AmountVerdict("layers", expected.max_layers, layers)
    if expected.min_receptive_field is not None:
        seen = [one.receptive_field for one in geometries(plan.layers) if one]
        yield AmountVerdict(
            "receptive_field", expected.min_receptive_field, seen[-1], is_minimum=True
        )


def feature_maps(plan: Plan) -> dict[int, Shape]:
    """Return what the last block at each stride puts out, as detectors tap it."""
    seen = zip(plan.layers, geometries(plan.layers), strict=True)
    outputs = [(one.jump, layer) for layer, one in seen if one]
    blocks = [(jump, layer) for jump, layer in outputs if layer.is_container]
    return {jump: layer.output_shape for jump, layer in blocks or outputs[-1:]}
