"""The storages behind a memory timeline, stacked: what a picture of it shows."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mbv2cli.costs.memory import ELEMENT_BYTES, MemoryUse
from mbv2cli.graph.graph import Graph, GraphInModel, Lifetime


class Band(NamedTuple):
    """A storage of ``bytes``, alive for a step for each of the ``bottoms``, from ``step`` on.

    A bottom is the bytes of the older storages that are alive at that step. ``is_of_peak`` says
    that the storage is alive at the peak or, where memory only grows, that the operation which
    adds most adds it.
    """

    step: int
    bottoms: tuple[int, ...]
    bytes: int
    is_of_peak: bool


def bands(use: MemoryUse, graph: Graph, dtype: str) -> tuple[Band, ...]:
    """Return the storages of ``graph`` that take memory at a step of ``use``, the oldest first."""
    size = ELEMENT_BYTES[dtype]
    lifetimes = sorted(use.rule.lifetimes(GraphInModel(graph)), key=lambda one: one.first)
    stacks = dict[int, tuple[int, list[int]]]()
    for step, alive in enumerate(_alive(use, lifetimes)):
        bottom = 0
        for number in alive:
            stacks.setdefault(number, (step, []))[1].append(bottom)
            bottom += lifetimes[number].elements * size
    return tuple(
        Band(step, tuple(bottoms), lifetimes[number].elements * size, _is_of_peak(use, number_of))
        for number, (step, bottoms) in stacks.items()
        for number_of in (lifetimes[number],)
    )


def _alive(use: MemoryUse, lifetimes: Sequence[Lifetime]) -> Iterator[Sequence[int]]:
    """Yield for each step of ``use`` the numbers of the storages that take memory, in order."""
    later = deque(number for number, one in enumerate(lifetimes) if one.elements)
    alive: list[int] = []
    for op, _ in use.steps:
        while later and lifetimes[later[0]].first <= op:
            alive.append(later.popleft())
        alive = [number for number in alive if op <= lifetimes[number].last]
        yield alive


def _is_of_peak(use: MemoryUse, lifetime: Lifetime) -> bool:
    if use.rule.grows:
        return lifetime.first == use.culprit
    return lifetime.first <= use.culprit <= lifetime.last
