"""Expectations held against a plan."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mbv2cli.gate.expectations import Expectations, ShapePattern, fits
from mbv2cli.plan import Plan, Shape
from mbv2cli.plan.memory import ELEMENT_BYTES, rule_named
from mbv2cli.plan.parts import ModelFigures, peak_elements
from mbv2cli.specs.units import Unit


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


def verdicts(
    expected: Expectations, plan: Plan, figures: ModelFigures, dtype: str
) -> tuple[Verdict, ...]:
    """Return a verdict for each expectation of ``plan``, whose figures these are."""
    rule = rule_named(expected.peak_rule)
    peak = peak_elements(rule, plan, figures)
    amounts = (
        ("params", expected.max_params, figures.params, Unit.COUNT),
        ("macs", expected.max_macs, figures.macs, Unit.COUNT),
        (
            f"peak ({rule.name}, {dtype})",
            expected.max_peak,
            peak * ELEMENT_BYTES[dtype],
            Unit.BYTES,
        ),
        ("flash", expected.max_flash, figures.flash_bytes, Unit.BYTES),
        ("activations", expected.max_activations, figures.activations, Unit.COUNT),
        ("layers", expected.max_layers, figures.layers, Unit.COUNT),
    )
    return (
        *_shape_verdicts(expected, figures),
        *(
            AmountVerdict(what, limit, actual, unit)
            for what, limit, actual, unit in amounts
            if limit is not None
        ),
        *_receptive_field_verdict(expected.min_receptive_field, figures),
    )


def _shape_verdicts(expected: Expectations, figures: ModelFigures) -> Iterator[ShapeVerdict]:
    if expected.output is not None:
        yield ShapeVerdict("output", expected.output, figures.output_shape)
    for stride, pattern in expected.features.items():
        if pattern is not None:
            actual = figures.feature_maps.get(stride)
            yield ShapeVerdict(f"features at stride {stride}", pattern, actual)


def _receptive_field_verdict(least: int | None, figures: ModelFigures) -> Iterator[AmountVerdict]:
    if least is not None:
        yield AmountVerdict("receptive_field", least, figures.receptive_field, is_minimum=True)
