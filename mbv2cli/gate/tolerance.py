"""How much a locked figure may grow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from mbv2cli.errors import UserError, nearest
from mbv2cli.specs.units import read_bytes

TOLERABLE: Final = ("params", "macs", "peak", "flash")
"""Figures that may grow; output shape and receptive field may not change at all."""

_PERCENT: Final = re.compile(r"(\d{1,6}(?:\.\d{1,6})?) ?%")


@dataclass(frozen=True, slots=True)
class Allowance:
    """Growth that is let pass: a part of the locked figure, or an amount."""

    percent: Decimal = Decimal(0)
    amount: int = 0

    def allows(self, before: int, after: int) -> bool:
        """Return whether ``after`` is at most this much above ``before``."""
        return after <= before + before * self.percent / 100 + self.amount


def read_tolerance(value: object, place: str) -> Mapping[str, Allowance]:
    """Read ``"2%"``, an amount such as ``"10k"``, or a table of them by figure.

    Raises `UserError`.
    """
    if not isinstance(value, dict):
        return dict.fromkeys(TOLERABLE, _read(value, place))
    for key in value:
        if key not in TOLERABLE:
            raise UserError(
                f"{place}.{key} is no figure that may grow (they are {', '.join(TOLERABLE)})"
                f"{nearest(key, TOLERABLE)}"
            )
    return {key: _read(one, f"{place}.{key}") for key, one in value.items()}


def _read(value: object, place: str) -> Allowance:
    if isinstance(value, str) and (found := _PERCENT.fullmatch(value.strip())):
        return Allowance(percent=Decimal(found[1]))
    try:
        amount = read_bytes(value)
    except ValueError:
        amount = None
    if not isinstance(amount, int) or isinstance(amount, bool) or amount < 0:
        raise UserError(f'{place} must be "2%" or an amount such as "10k" or "4KiB", not {value!r}')
    return Allowance(amount=amount)
