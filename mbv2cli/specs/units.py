"""Counts and bytes as people write and read them: ``2M``, ``300k``, ``512KiB``, ``1.5MB``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Final

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
            f"{number}{decimal} ({_BYTES[f'{found[3]}b']:,} bytes each), not {value!r}"
        )
    return _scaled(value, _BYTES)


def _without_underscores(text: str) -> str:
    return _BETWEEN_DIGITS.sub("", text.strip().lower())


def _scaled(text: str, factors: Mapping[str, int]) -> int:
    """Return the number that a text stands for."""
    if _GROUPED.fullmatch(text.strip()):
        raise bad_combination(
            f"must not have commas: write {text.strip().replace(',', '_')}, not {text!r}"
        )
    found = _AMOUNT.fullmatch(_without_underscores(text))
    if found is None or (found[3] or "") not in factors:
        raise ValueError("not an amount")
    scaled = Decimal(f"{found[1]}{found[2] or ''}") * factors[found[3] or ""]
    if scaled != int(scaled):
        raise ValueError("not a whole number")
    return int(scaled)


def amount_text(amount: int, unit: Unit) -> str:
    """Return an amount in full, with commas; bytes as `bytes_text` writes them."""
    return amount_texts([amount], unit)[0]


def amount_texts(amounts: Sequence[int], unit: Unit) -> list[str]:
    """Return amounts in full, with commas; bytes as `bytes_texts` writes them."""
    return bytes_texts(amounts) if unit is Unit.BYTES else [f"{amount:,}" for amount in amounts]


def bytes_text(count: int) -> str:
    """Return ``1,470.00 KiB``, from 10 MiB on ``10.53 MiB``, and from 10 GiB on ``12.50 GiB``."""
    return bytes_texts([count])[0]


def bytes_texts(counts: Sequence[int]) -> list[str]:
    """Return amounts of bytes, all in one unit: ``1,470.00 KiB``, ``12.50 KiB``.

    The unit is MiB or GiB where the largest amount is at least 10 of the unit and the smallest is
    0 or at least 1 of the unit.
    """
    amounts = [count for count in counts if count]
    for power, name in ((3, "GiB"), (2, "MiB")):
        unit = 2 ** (10 * power)
        if amounts and max(amounts) >= 10 * unit and min(amounts) >= unit:
            return [f"{count / unit:,.2f} {name}" for count in counts]
    return [f"{count / 2**10:,.2f} KiB" for count in counts]


def short_text(amount: float, unit: Unit) -> str:
    """Return an amount with a letter for its power: ``50 M``, ``512 KiB``."""
    for factor, letters in _POWERS[unit]:
        if abs(amount) >= factor:
            return f"{amount / factor:.4g} {letters}"
    return f"{amount:.4g}{' B' if unit is Unit.BYTES else ''}"


_POWERS: Final = {
    Unit.COUNT: ((10**9, "G"), (10**6, "M"), (10**3, "k")),
    Unit.BYTES: ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")),
}
