"""Counts and bytes as people write and read them: ``2M``, ``300k``, ``512KiB``, ``1.5MB``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Final

_COUNTS: Final = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BYTES: Final = {
    **{f"{prefix}b": factor for prefix, factor in _COUNTS.items()},
    **{f"{prefix}ib": 2 ** (10 * power) for power, prefix in enumerate("kmgt", start=1)},
    **_COUNTS,
}
_AMOUNT: Final = re.compile(r"(\d{1,18}(?:\.\d{1,12})?) ?([a-z]*)")


class Unit(StrEnum):
    """The unit of an amount."""

    COUNT = "count"
    BYTES = "bytes"


def read_count(value: object) -> object:
    """Read ``2000``, ``300k``, ``2M`` or ``1.5G``: k, M, G and T are powers of 1,000."""
    return _scaled(value, _COUNTS)


def read_bytes(value: object) -> object:
    """Read ``2000``, ``512KiB`` or ``1.5MB``: KiB is 1,024 bytes and kB is 1,000."""
    return _scaled(value, _BYTES)


def _scaled(value: object, factors: Mapping[str, int]) -> object:
    """Return the number that a text stands for. Returns other values unchanged."""
    if not isinstance(value, str):
        return value
    found = _AMOUNT.fullmatch(value.strip().lower())
    if found is None or found[2] not in factors:
        raise ValueError("not an amount")
    scaled = Decimal(found[1]) * factors[found[2]]
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
