"""Counts and bytes as people write them: ``2M``, ``300k``, ``512KiB``, ``1.5MB``."""

from __future__ import annotations

import re
from collections.abc import Mapping
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
