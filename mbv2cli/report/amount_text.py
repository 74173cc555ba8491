"""Amounts as text."""

from __future__ import annotations

from mbv2cli.specs.units import Unit


def binary(count: int) -> str:
    """Return ``1,470.00 KiB``, or ``10.53 MiB`` from 10 MiB on."""
    if count < 10 * 2**20:
        return f"{count / 2**10:,.2f} KiB"
    return f"{count / 2**20:,.2f} MiB"


def amount_text(amount: int, unit: Unit) -> str:
    """Return an amount in its unit: bytes in binary ones, a count in full."""
    return binary(amount) if unit is Unit.BYTES else f"{amount:,}"
