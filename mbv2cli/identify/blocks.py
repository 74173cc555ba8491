"""From the units of a graph to its blocks.

An inverted residual is an expansion (which may be missing), a depthwise convolution and a
projection, which has no activation. A fused block is a convolution and a projection. Any other
convolution over all channels is a block of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from mbv2cli.identify.steps import Step, StepKind, Steps, taken_by
from mbv2cli.identify.units import NO_ACT, Squeeze, Unit


class ReadBlock(NamedTuple):
    """What is read of a block.

    ``shortcuts`` has the words of the field ``shortcut`` that mean what was read: several, where
    they mean the same. ``start`` and ``stop`` are the numbers of its steps.
    """

    type: str
    in_channels: int
    hidden_channels: int
    out_channels: int
    kernel: int
    stride: int | tuple[int, int]
    dilation: int
    act: str
    has_expansion: bool
    shortcuts: tuple[str, ...]
    squeeze: Squeeze | None
    start: int
    stop: int

    @property
    def must_expand(self) -> bool:
        """Whether there is an expansion that makes no channel more, as t = 1 has it elsewhere."""
        return self.has_expansion and self.hidden_channels == self.in_channels


_ANY_SHORTCUT: Final = ("identity", "none", "projection")


def blocks_of(steps: Steps, units: Sequence[Unit]) -> Iterator[ReadBlock]:
    """Yield the blocks of units. Units that are no block are passed over."""
    parser, start = _Parser(steps.steps, taken_by(steps.steps), units), 0
    while start < len(units):
        found = parser.block(start)
        if found is None:
            start += 1
            continue
        block, start = found
        yield block


class _Parser(NamedTuple):
    steps: Sequence[Step]
    takers: Mapping[int, list[int]]
    units: Sequence[Unit]

    def block(self, start: int) -> tuple[ReadBlock, int] | None:
        """Return the block that starts at a unit, and the number of the unit after it."""
        for shape, type_ in _SHAPES:
            units = self.units[start : start + len(shape)]
            if len(units) == len(shape) and all(
                is_it(unit) for is_it, unit in zip(shape, units, strict=True)
            ):
                found = self._block(type_, units, start)
                if found is not None:
                    return found
        return None

    def _block(self, type_: str, units: Sequence[Unit], start: int) -> tuple[ReadBlock, int] | None:
        first, filtering, last = units[0], units[max(0, len(units) - 2)], units[-1]
        after = start + len(units)
        if not self._is_chain(type_, units):
            return None
        shortcuts, stop, more = self._shortcuts(filtering, first, last, after)
        block = ReadBlock(
            type_,
            first.in_channels,
            filtering.out_channels,
            last.out_channels,
            filtering.attributes.kernel[0],
            filtering.stride,
            filtering.attributes.dilation[0],
            filtering.act or NO_ACT,
            len(units) == len(_EXPANDED),
            shortcuts,
            filtering.squeeze,
            first.conv,
            stop,
        )
        return block, after + more

    def _is_chain(self, type_: str, units: Sequence[Unit]) -> bool:
        """Return whether each unit takes the result of the one before, which nothing else takes."""
        *inner, last = units
        pairs = zip(inner, units[1:], strict=True)
        is_linear = type_ == "conv" or last.act == NO_ACT
        has_squeeze = [unit.squeeze is not None for unit in units]
        return (
            is_linear
            and len({unit.act for unit in inner}) <= 1
            and all(self.takers[one.end] == [other.conv] for one, other in pairs)
            and not any(has_squeeze[:-2] + has_squeeze[-1:])
            and not (type_ == "fused" and any(has_squeeze))
        )

    def _shortcuts(
        self, filtering: Unit, first: Unit, last: Unit, after: int
    ) -> tuple[tuple[str, ...], int, int]:
        """Return the shortcuts of a block, the step after it, and its further units."""
        keeps = first.in_channels == last.out_channels
        side = self.units[after] if after < len(self.units) else None
        if side and side.source == first.source and side.is_pointwise and side.act == NO_ACT:
            add = self._addition(last.end, side.end)
            if add is not None:
                return ("projection",), add + 1, 1
        adds = (n for n in self.takers[last.end] if self.steps[n].kind is StepKind.ADD)
        # an addition that takes later steps too is the next block's
        add = next((n for n in adds if max(self.steps[n].inputs) == last.end), None)
        if add is not None:
            return ("identity", "projection"), add + 1, 0
        if filtering.stride != 1:
            return _ANY_SHORTCUT, last.end + 1, 0
        return (("none",) if keeps else ("identity", "none")), last.end + 1, 0

    def _addition(self, one: int, other: int) -> int | None:
        """Return the step that adds two results."""
        wanted = sorted((one, other))
        adds = (n for n in self.takers[one] if self.steps[n].kind is StepKind.ADD)
        return next((n for n in adds if sorted(self.steps[n].inputs) == wanted), None)


def _is_pointwise(unit: Unit) -> bool:
    return unit.is_pointwise


def _is_depthwise(unit: Unit) -> bool:
    return unit.is_depthwise


def _is_dense(unit: Unit) -> bool:
    return unit.is_dense


_EXPANDED: Final = (_is_pointwise, _is_depthwise, _is_pointwise)
_SHAPES: Final[tuple[tuple[tuple[Callable[[Unit], bool], ...], str], ...]] = (
    (_EXPANDED, "inverted"),
    ((_is_depthwise, _is_pointwise), "inverted"),
    ((_is_dense, _is_pointwise), "fused"),
    ((_is_dense,), "conv"),
)
"""What the units of a block are, and its type; the first that fits counts."""
