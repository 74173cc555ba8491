"""Counts and bytes as people write and read them: ``2M``, ``300k``, ``512KiB``, ``1.5MB``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from math import ceil
from typing import Final

from mbv2cli.errors import value_text
from mbv2cli.specs.base import bad_combination

_COUNTS: Final = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BYTES: Final = {
    **{f"{prefix}b": factor for prefix, factor in _COUNTS.items()},
    **{f"{prefix}ib": 2 ** (10 * power) for power, prefix in enumerate("kmgt", start=1)},
    "": 1,
}
UNITS: Final = tuple(unit for unit in (*_COUNTS, *_BYTES) if unit)
"""Everything that may follow a number, in small letters."""

_AMOUNT: Final = re.compile(r"(\d{1,18}(?:\.\d{1,12})?)(?:(e\d{1,2})| ?([a-z]*))")
_BETWEEN_DIGITS: Final = re.compile(r"(?<=\d)_(?=\d)")
_GROUPED: Final = re.compile(r"\d{1,3}(?:,\d{3})+")


class Unit(StrEnum):
    """The unit of an amount."""

    COUNT = "count"
    BYTES = "bytes"


def read_count(value: object) -> object:
    """Read ``2000``, ``1_000_000``, ``60e6``, ``300k``, ``2M`` or ``1.5G``.

    k, M, G and T are powers of 1,000. Returns values that are not text unchanged. Raises
    `ValueError`.
    """
    return _scaled(value, _COUNTS) if isinstance(value, str) else value


def read_bytes(value: object) -> object:
    """Read ``2000``, ``1_000_000``, ``60e6``, ``512KiB`` or ``1.5MB``.

    KiB is 1,024 bytes and kB is 1,000; K alone could be either, and is refused. Returns values
    that are not text unchanged. Raises `ValueError`.
    """
    if not isinstance(value, str):
        return value
    found = _AMOUNT.fullmatch(_without_underscores(value))
    if found and found[3] in _COUNTS and found[3]:
        letter, number = found[3].upper(), found[1]
        decimal = f"{'k' if letter == 'K' else letter}B"
        raise bad_combination(
            f"is ambiguous: write {number}{letter}iB ({_BYTES[f'{found[3]}ib']:,} bytes each) or "
            f"{number}{decimal} ({_BYTES[f'{found[3]}b']:,} bytes each), not {value_text(value)}"
        )
    return _scaled(value, _BYTES)


def _without_underscores(text: str) -> str:
    return _BETWEEN_DIGITS.sub("", text.strip().lower())


def _scaled(text: str, factors: Mapping[str, int]) -> int:
    """Return the number that a text stands for."""
    if _GROUPED.fullmatch(text.strip()):
        raise bad_combination(
            f"must not have commas: write {text.strip().replace(',', '_')}, not {value_text(text)}"
        )
    found = _AMOUNT.fullmatch(_without_underscores(text))
    if found is None or (found[3] or "") not in factors:
        raise ValueError("not an amount")
    scaled = Decimal(f"{found[1]}{found[2] or ''}") * factors[found[3] or ""]
    if scaled != int(scaled):
        raise ValueError("not a whole number")
    return int(scaled)


_SHOWN_IN_KIB: Final = ceil(2**10 / 100)
"""The fewest bytes that two digits after the point show: ``0.01 KiB``."""


def count_text(count: int) -> str:
    """Return a count in full, with commas; from 10^18 on, its power of 10: ``about 10^24``."""
    return f"{count:,}" if count < 10**18 else f"about 10^{count.bit_length() * 0.30103:.0f}"


def amount_text(amount: int, unit: Unit) -> str:
    """Return an amount in full, with commas; bytes as `bytes_text` writes them."""
    return amount_texts([amount], unit)[0]


def amount_texts(amounts: Iterable[int], unit: Unit) -> list[str]:
    """Return amounts in full, with commas; bytes as `bytes_texts` writes them."""
    return bytes_texts(amounts) if unit is Unit.BYTES else [f"{amount:,}" for amount in amounts]


def bytes_text(count: int) -> str:
    """Return ``1,470.00 KiB``, from 10 MiB on ``10.53 MiB``, and from 10 GiB on ``12.50 GiB``.

    Up to 10 bytes it is ``8 B``.
    """
    return bytes_texts([count])[0]


def bytes_texts(amounts: Iterable[int]) -> list[str]:
    """Return amounts of bytes, all in the unit of the smallest amount above zero."""
    numbers, unit = bytes_numbers(amounts)
    return [f"{number} {unit}" for number in numbers]


def bytes_numbers(amounts: Iterable[int]) -> tuple[list[str], str]:
    """Return amounts of bytes as numbers in one unit, and this unit.

    It is the unit of the smallest amount above zero: a larger unit would round this amount to 0.
    """
    amounts = tuple(amounts)
    smallest = min(filter(None, amounts), default=_SHOWN_IN_KIB)
    if smallest < _SHOWN_IN_KIB:
        return [f"{amount:,}" for amount in amounts], "B"
    power, unit = next(
        (one for one in ((3, "GiB"), (2, "MiB")) if smallest >= 10 * 2 ** (10 * one[0])), (1, "KiB")
    )
    return [f"{amount / 2 ** (10 * power):,.2f}" for amount in amounts], unit


def room_text(limit: int, actual: int) -> str:
    """Return what an upper limit leaves: ``21.6 % left`` or ``12.3 % over``.

    ``1.8 × over`` is 1.8 times the limit; the text has this form from 1.5 times the limit on.
    """
    if actual <= limit:
        return f"{_percent(limit - actual, limit)} left" if limit else ""
    if 2 * actual >= 3 * limit:
        return f"{actual / limit:,.1f} × over" if limit else "over"
    return f"{_percent(actual - limit, limit)} over"


def distance_text(minimum: int, actual: int) -> str:
    """Return the distance to a lower limit: ``22.8 % above`` or ``25.0 % below``."""
    if not minimum:
        return ""
    distance = _percent(abs(actual - minimum), minimum)
    return f"{distance} {'above' if actual >= minimum else 'below'}"


def growth_text(before: int, after: int) -> str:
    """Return a change: ``30.6 % smaller``, ``45.6 % larger``, ``3.2 × as large``, ``unchanged``."""
    if before == after:
        return "unchanged"
    if after < before:
        return f"{_percent(before - after, before)} smaller"
    if not before:
        return "larger"
    if after >= 2 * before:
        return f"{after / before:,.1f} × as large"
    return f"{_percent(after - before, before)} larger"


def _percent(part: int, whole: int) -> str:
    """Return a share with a digit after the point; a share is 0 only if the part is 0."""
    share = 100 * part / whole
    return "< 0.1 %" if 0 < share < 0.05 else f"{share:.1f} %"  # noqa: PLR2004  (half of 0.1)


def short_text(amount: float, unit: Unit) -> str:
    """Return an amount with a letter for its power: ``50 M``, ``512 KiB``."""
    for factor, letters in _POWERS[unit]:
        if abs(amount) >= factor:
            return f"{amount / factor:.4g} {letters}"
    return f"{amount:.4g}{' B' if unit is Unit.BYTES else ''}"


def rounded_up(amount: Fraction | int, unit: Unit) -> str:
    """Return a short text of at least ``amount``: ``2.17M``, ``809KiB``, ``17.5MiB``.

    The text can be read again. It has about three digits, so it is at most 2.5 % above.
    """
    least, decimal_step = _LEAST[unit]
    powers = ((factor, letters) for factor, letters in _POWERS[unit] if amount >= least * factor)
    factor, letters = next(powers, (1, ""))
    exact = Fraction(amount) / factor
    step = Fraction(10) ** (len(str(int(exact))) - 3)
    if step < 1:
        step = max(step, decimal_step) if letters else Fraction(1)
    return f"{float(ceil(exact / step) * step):.12g}{letters}"


_LEAST: Final = {Unit.COUNT: (1, Fraction(1, 100)), Unit.BYTES: (10, Fraction(1, 4))}
"""The least number before a letter, and the least step after the point.

A quarter of 1 KiB is a whole number of bytes. Bytes change from KiB to MiB as in `bytes_text`.
"""

_POWERS: Final = {
    Unit.COUNT: ((10**9, "G"), (10**6, "M"), (10**3, "k")),
    Unit.BYTES: ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")),
}
