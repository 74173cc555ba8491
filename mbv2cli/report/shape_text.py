"""Shapes as text."""

from __future__ import annotations

from mbv2cli.plan import Shape


def compact(shape: Shape) -> str:
    """Return ``1x64x224x224``, for scripts."""
    return "x".join(map(str, shape))


def bracketed(shape: Shape) -> str:
    """Return ``[1, 64, 224, 224]``, as torchsummary has it."""
    return str(list(shape))
