"""How channels are rounded, and the ratio that gives a number of channels."""

from __future__ import annotations

from fractions import Fraction


def nearest_multiple(channels: float, divisor: int) -> int:
    """Return ``channels`` rounded to a multiple of ``divisor``.

    The result is at least ``divisor`` and at least 90 % of ``channels`` (TF-slim's
    ``make_divisible``, which torchvision, timm and Keras use too).
    """
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded if rounded >= 0.9 * channels else rounded + divisor


def shortest_ratio(channels: int, hidden: int) -> float:
    """Return the expand ratio with the shortest text that gives the hidden channels."""
    exact = Fraction(hidden, channels)
    for digits in range(12):
        for ratio in (round(float(exact), digits), float(exact) + 10**-digits):
            if ratio > 0 and round(channels * ratio) == hidden:
                return int(ratio) if ratio == int(ratio) else ratio
    return float(exact)
