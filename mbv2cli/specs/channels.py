"""How a width multiplier scales channels."""

from __future__ import annotations


def scale_channels(channels: int, width_mult: float, divisor: int) -> int:
    """Return ``channels × width_mult`` rounded to a multiple of ``divisor``.

    At least ``divisor``, and never below 90 % of the unrounded value (TF-slim's
    ``make_divisible``, taken over by torchvision and Keras).
    """
    scaled = channels * width_mult
    rounded = max(divisor, int(scaled + divisor / 2) // divisor * divisor)
    return rounded if rounded >= 0.9 * scaled else rounded + divisor
