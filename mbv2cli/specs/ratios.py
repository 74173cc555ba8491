"""The rules of rounding that give the hidden and the squeezed channels of blocks.

Several ratios give the same channels. The ratio with the shortest text is what people write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import gcd
from typing import Final, NamedTuple

from mbv2cli.specs.block import hidden_channels, squeezed_channels
from mbv2cli.specs.fields import MAX_EXPAND

_USUAL: Final = 8
"""The divisor that codebases round channels to."""

_DIGITS: Final = 12
_LONG: Final = 5
"""A ratio of so many signs is not what people write."""

_USUAL_RATIOS: Final = (0.25, 0.5, 0.125, 0.0625)


class Widths(NamedTuple):
    """The channels of a block: its input, hidden and, with squeeze-excite, squeezed ones.

    ``is_wider`` where an expand ratio gives the hidden channels; else they are those of the input.
    """

    in_channels: int
    hidden_channels: int
    squeezed_channels: int
    is_wider: bool


class HiddenRule(NamedTuple):
    """``nearest`` and the expand ratio of each block; None where only ``hidden`` gives it."""

    nearest: int
    ratios: tuple[float | None, ...]


class SqueezeRule(NamedTuple):
    """What the ratios are of, ``nearest``, and the ratio of each block; 0 has none."""

    of: str
    nearest: int
    ratios: tuple[float, ...]


def hidden_rule(blocks: Sequence[Widths]) -> HiddenRule:
    """Return the rule with the shortest ratios."""
    rules = [
        HiddenRule(nearest, tuple(_expand(block, nearest) for block in blocks))
        for nearest in (1, _USUAL)
    ]
    return min(rules, key=lambda rule: sum(_length(ratio) for ratio in rule.ratios))


def _expand(block: Widths, nearest: int) -> float | None:
    """Return the expand ratio of a block; None if no short one gives its hidden channels."""
    channels, hidden = block.in_channels, block.hidden_channels
    if not block.is_wider:
        return 1
    ratio = _shortest(
        hidden / channels,
        lambda one: (
            0 < one <= MAX_EXPAND
            and (one != 1 or hidden == channels)
            and hidden_channels(channels, one) >= 1
            and hidden_channels(channels, one, nearest) == hidden
        ),
    )
    return ratio if _length(ratio) < _LONG else None


def squeeze_rule(blocks: Sequence[Widths]) -> SqueezeRule:
    """Return the rule with the fewest and shortest ratios that give all squeezed channels."""
    given = [block for block in blocks if block.squeezed_channels]
    if not given:
        return SqueezeRule("in", 1, (0.0,) * len(blocks))
    common = gcd(*(block.squeezed_channels for block in given))
    divisors = dict.fromkeys((1, _USUAL, *(n for n in (2, 4, 16, 32, common) if common % n == 0)))
    rules = (
        (of, nearest, ratios)
        for nearest in divisors
        for of in ("in", "hidden")
        if None not in (ratios := [*_squeeze_ratios(given, of, nearest)])
    )
    of, nearest, found = min(rules, key=lambda rule: _cost(rule[2]), default=("in", 1, []))
    own = iter(found)
    return SqueezeRule(
        of,
        nearest,
        tuple((next(own, None) or 0.0) if one.squeezed_channels else 0.0 for one in blocks),
    )


def _squeeze_ratios(given: Sequence[Widths], of: str, nearest: int) -> Iterator[float | None]:
    """Yield the ratio of each block; one for all of them if a usual one gives all channels."""
    tests = [_gives(block, of, nearest) for block in given]
    usual = next((one for one in _USUAL_RATIOS if all(test(one) for test in tests)), None)
    for block, test in zip(given, tests, strict=True):
        channels = block.in_channels if of == "in" else block.hidden_channels
        yield usual or _shortest(min(1.0, block.squeezed_channels / channels), test)


def _gives(block: Widths, of: str, nearest: int) -> Callable[[float], bool]:
    channels = block.in_channels if of == "in" else block.hidden_channels
    return lambda ratio: (
        0 < ratio <= 1 and squeezed_channels(channels, ratio, nearest) == block.squeezed_channels
    )


def _shortest(exact: float, is_right: Callable[[float], bool]) -> float | None:
    """Return the number near ``exact`` with the fewest digits that is right; None if none is."""
    for digits in range(_DIGITS):
        near = round(exact, digits)
        for ratio in (near, round(near + 10**-digits, digits), round(near - 10**-digits, digits)):
            if is_right(ratio):
                return int(ratio) if ratio == int(ratio) else ratio
    return exact if is_right(exact) else None


def _length(ratio: float | None) -> int:
    return _LONG if ratio is None else len(f"{ratio}")


def _cost(ratios: Sequence[float | None]) -> tuple[int, int]:
    return len(set(ratios)), sum(map(_length, ratios))
