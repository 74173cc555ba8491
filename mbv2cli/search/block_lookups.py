"""Lookups of what follows from the fields of blocks: of a block alone, or of a stage's blocks.

Every rule is that of the spec, applied once to each combination of values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, cached_property
from typing import Any, Final, TypeAlias

from mbv2cli.errors import UserError
from mbv2cli.search.tables import Column, Columns, Lookup
from mbv2cli.specs.block import BlockSpec, expands, hidden_channels, squeezed_channels
from mbv2cli.specs.network import scale_channels, stage_expand

Source: TypeAlias = Column | Lookup

TYPES: Final = ("inverted", "fused", "conv")
"""The types of blocks, by their numbers in a lookup."""

SHORTCUTS: Final = ("none", "identity", "projection")
"""The shortcuts, by their numbers in a lookup."""

GATES: Final = ("sigmoid", "hardsigmoid")
"""The gates of squeeze-excite, by their numbers in a lookup."""

_TWO_LEVELS: Final = frozenset({"act", "expansion", "shortcut", "se"})
"""The fields that a stage takes from its network, unless it has its own."""


@cache
def block_or_none(**fields: Any) -> BlockSpec | None:
    """Return the block of these fields; None if there is none."""
    try:
        return BlockSpec(**fields)
    except UserError:
        return None


def is_block(**fields: Any) -> bool:
    """Return whether there is a block with these fields."""
    return block_or_none(**fields) is not None


class HiddenChannels:
    """The hidden channels of blocks: what ``function`` makes of its sources, 0 for no block."""

    def __init__(self, function: Callable[..., int], *sources: Source) -> None:
        found = Lookup(function, *sources)
        self.exist = Lookup(lambda hidden: hidden > 0, found)
        """Whether there is such a block."""

        self.count = Lookup(lambda hidden: hidden or 1, found)
        """The hidden channels, or 1 if there is no such block."""


class BlockLookups:
    """The lookups of blocks with these input channels.

    ``stage`` is None for a block alone.
    """

    def __init__(
        self,
        columns: Columns,
        stage: int | None,
        in_channels: Source,
    ) -> None:
        self._columns = columns
        self._stage = stage
        self._in = in_channels
        self._type, self._hidden = columns.of("type", stage), columns.of("hidden", stage)
        self._nearest = columns.of("hidden_nearest")
        self._expand = (
            (columns.of("expand"),)
            if stage is None
            else (columns.of("t", stage), columns.of("expand"))
        )

    def _of(self, key: str) -> tuple[Column, ...]:
        """Return the columns of a field: the stage's own and, where it has none, the network's."""
        if self._stage is None:
            return (self._columns.of(key),)
        own = self._columns.of(key, self._stage)
        return (own, self._columns.of(key)) if key in _TWO_LEVELS else (own,)

    @cached_property
    def hidden(self) -> HiddenChannels:
        """The hidden channels."""
        if self._has_usual_rule:
            return HiddenChannels(_usual_hidden_channels, self._in, *self._expand)
        return HiddenChannels(
            lambda *values: getattr(self._block(*values), "hidden_channels", 0), *self._sources
        )

    @cached_property
    def expands(self) -> Lookup:
        """Whether the blocks have an expansion."""
        if self._has_usual_rule:
            return Lookup(lambda *t: expands(_ratio(*t)), *self._expand)
        return Lookup(
            lambda *values: getattr(self._block(*values), "has_expansion", False), *self._sources
        )

    @cached_property
    def type(self) -> Lookup:
        """The number of the type."""
        return Lookup(TYPES.index, self._type)

    def act(self, words: Sequence[str]) -> Lookup:
        """Return the number of the activation among ``words``."""
        return Lookup(lambda *act: words.index(_first(*act)), *self._of("act"))

    def squeeze_act(self, words: Sequence[str]) -> Lookup:
        """Return the number of the activation inside squeeze-excite among ``words``."""
        se_act = self._columns.of("se_act")
        return Lookup(lambda *act: words.index(_first(*act)), se_act, *self._of("act"))

    @cached_property
    def has_se(self) -> Lookup:
        """Whether squeeze-excite follows the depthwise convolution."""
        return Lookup(
            lambda kind, *se: kind == "inverted" and _first(*se) > 0, self._type, *self._of("se")
        )

    @cached_property
    def squeezed_channels(self) -> Lookup:
        """The channels inside squeeze-excite."""
        of, divisor, ratio = (
            self._columns.of("se_of"),
            self._columns.of("se_nearest"),
            self._of("se"),
        )
        words = set(of.axis.values)
        channels = [self._in] if "in" in words else []
        channels += [self.hidden.count] if "hidden" in words else []

        def squeezed(word: str, divisor: int, *values: Any) -> int:
            ratios, found = values[: len(ratio)], values[len(ratio) :]
            return squeezed_channels(found[0 if word == "in" else -1], _first(*ratios), divisor)

        if self.has_se.largest == 0:
            return Lookup(lambda _: 0, of)
        return Lookup(squeezed, of, divisor, *ratio, *channels)

    @cached_property
    def shortcut(self) -> Lookup:
        """The number of the shortcut that the blocks have where their shapes allow it."""
        return Lookup(lambda *words: SHORTCUTS.index(_first(*words)), *self._of("shortcut"))

    @cached_property
    def is_allowed(self) -> Lookup:
        """Whether blocks of this type may have squeeze-excite, a ratio and hidden channels."""
        # a network's own is only for the blocks that may have it
        own_se, own_expansion = self._of("se")[0], self._of("expansion")[0]
        ratio = self._expand[:1] if self._expand[0].axis.given else ()

        def allowed(
            kind: str, hidden: int | None, se: float | None, expansion: str | None, *ratio: float
        ) -> bool:
            fields: dict[str, Any] = {} if hidden is None else {"hidden": 1}
            if kind == "conv" and ratio:
                fields["expand"] = ratio[0]
            return is_block(
                in_channels=1, type=kind, se=se or 0.0, expansion=expansion or "auto", **fields
            )

        return Lookup(allowed, self._type, self._hidden, own_se, own_expansion, *ratio)

    @property
    def _has_usual_rule(self) -> bool:
        """Whether hidden channels are round(in × t) in every block, and t = 1 does not expand."""
        usual = ((self._hidden, None), (self._nearest, 1), (self._type, "inverted"))
        return all(set(column.axis.values) == {value} for column, value in usual) and all(
            set(column.axis.values) <= {None, "auto"} for column in self._of("expansion")
        )

    @cached_property
    def _scaling(self) -> tuple[Column, ...]:
        if self._stage is None or set(self._hidden.axis.values) == {None}:
            return ()
        return (self._columns.of("width_mult"), self._columns.of("round_nearest"))

    @property
    def _sources(self) -> tuple[Source, ...]:
        first = (self._in, self._type, self._nearest, self._hidden)
        return (*first, *self._scaling, *self._expand, *self._of("expansion"))

    def _block(
        self, in_channels: int, kind: str, nearest: int, hidden: int | None, *values: Any
    ) -> BlockSpec | None:
        """Return a block with the values of the sources, as far as they decide what is hidden."""
        numbers = len(self._scaling), len(self._scaling) + len(self._expand)
        scaling, ratios, expansion = (
            values[: numbers[0]],
            values[numbers[0] : numbers[1]],
            values[numbers[1] :],
        )
        fields = {"in_channels": in_channels, "type": kind, "hidden_nearest": nearest}
        if kind == "conv" and self._stage is not None:
            return block_or_none(in_channels=in_channels, type=kind)
        if hidden is not None:
            fields["hidden"] = scale_channels(hidden, *scaling) if scaling else hidden
        if hidden is None or (self._stage is None and self._expand[0].axis.given):
            fields["expand"] = 1 if kind == "conv" else _ratio(*ratios)
        return block_or_none(**fields, expansion=_first(*expansion))


def _usual_hidden_channels(in_channels: int, *expand: Any) -> int:
    """Return the hidden channels of a block, or 0 if there is no such block."""
    return hidden_channels(in_channels, _ratio(*expand)) if is_block(in_channels=in_channels) else 0


def _ratio(own: float, *every: float | None) -> float:
    """Return an expand ratio: of a block, or of a stage that its network may replace."""
    return stage_expand(own, *every) if every else own


def _first(*values: Any) -> Any:
    """Return the first value that is not None."""
    return next(value for value in values if value is not None)
