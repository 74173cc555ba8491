"""The parts of a space's members: stem, stages, head and classifier, or a block alone.

A part works out what it adds to each figure for many members at once: the plan's walk, layers
and rules, with arrays where a single model has numbers. Members whose layers differ in more than
sizes (their *structure*) are worked out group by group, so that no rule ever has to ask.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias

import numpy as np

from mbv2cli.plan.layers import Shape
from mbv2cli.plan.memory import PartInModel
from mbv2cli.plan.torch_memory import saves_its_output
from mbv2cli.plan.walk import Classifier, Head, Part, PlacedPart, Stem, placed_layers
from mbv2cli.search.inputs import (
    NetworkInputs,
    hidden_channels,
    is_block,
    numbered,
    own,
)
from mbv2cli.search.measures import Amount, Measure, PlannedPart
from mbv2cli.search.tables import Column, Columns, Digits, Lookup
from mbv2cli.specs.block import adds_its_input, expands

Inputs: TypeAlias = Mapping[str, Any]
"""The sizes that a part is made of: each an int, or an array with one for each member."""


@dataclass(frozen=True, eq=False)
class ManyBlocks:
    """Blocks of the same structure: what `BlockSpec` tells of one, with arrays for numbers."""

    out_channels: Amount
    hidden_channels: Amount
    kernel: Amount
    stride: Amount
    dilation: Amount
    act: str
    has_expansion: bool
    has_shortcut: bool


class SpacePart(ABC):
    """A part of every member. ``needs`` are the lookups that must hold where it can be built."""

    richest = 0
    """The structure with most layers."""

    def __init__(
        self, columns: Columns, inputs: Mapping[str, Lookup], needs: Sequence[Lookup] = ()
    ) -> None:
        self.acts: tuple[str, ...] = columns.of("act").axis.values
        self.needs = needs
        self.inputs = {"act": numbered(columns, "act"), "batch": own(columns, "batch"), **inputs}

    @property
    def columns(self) -> tuple[Column, ...]:
        """The varied axes that the part follows from."""
        every = (column for lookup in self.inputs.values() for column in lookup.columns)
        return tuple(dict.fromkeys(column for column in every if column.row is not None))

    def exists(self, digits: Digits) -> Amount:
        """Return whether the part of each member can be built."""
        return prod(lookup(digits) for lookup in self.needs)

    def amounts(self, digits: Digits, measures: Sequence[Measure]) -> list[Amount]:
        """Return what the part of each member comes to, measure by measure."""
        inputs = {name: lookup(digits) for name, lookup in self.inputs.items()}
        structures = self.structure(inputs)
        if not isinstance(structures, np.ndarray):
            return self.of_structure(int(structures), inputs, measures)
        together = [np.empty(len(structures), np.int64) for _ in measures]
        for structure in np.flatnonzero(np.bincount(structures)):
            places = np.flatnonzero(structures == structure)
            found = self.of_structure(int(structure), _at(places, inputs), measures)
            for amounts, amount in zip(together, found, strict=True):
                amounts[places] = amount
        return together

    def at_most(self, measures: Sequence[Measure]) -> list[int]:
        """Return what no member's part exceeds, in exact ints of any size."""
        largest = {
            name: lookup.smallest if name == "stride" else lookup.largest
            for name, lookup in self.inputs.items()
        }
        return [int(amount) for amount in self.of_structure(self.richest, largest, measures)]

    @abstractmethod
    def structure(self, inputs: Inputs) -> Amount:
        """Return the number of each member's structure."""

    @abstractmethod
    def of_structure(
        self, structure: int, inputs: Inputs, measures: Sequence[Measure]
    ) -> list[Amount]:
        """Return the amounts of parts that all have this structure."""


class StemPart(SpacePart):
    """The first convolution. Structure: the activation."""

    def __init__(self, columns: Columns, network: NetworkInputs) -> None:
        inputs = {
            "in_channels": own(columns, "in"),
            "out_channels": network.out_channels(-1),
            **_own_sides(columns),
        }
        super().__init__(columns, inputs)

    def structure(self, inputs: Inputs) -> Amount:
        return inputs["act"]

    def of_structure(
        self, structure: int, inputs: Inputs, measures: Sequence[Measure]
    ) -> list[Amount]:
        stem = Stem(inputs["out_channels"], self.acts[structure])
        part = _planned(stem, _shape(inputs), "features.0", is_first=True)
        return [measure.of(part) for measure in measures]


class BlockPart(SpacePart):
    """A block alone. Structure: activation, expansion, shortcut."""

    richest = 3

    def __init__(self, columns: Columns) -> None:
        expand = (columns.of("in"), columns.of("expand"))
        inputs = {
            "in_channels": own(columns, "in"),
            "out_channels": own(columns, "out"),
            "hidden_channels": Lookup(hidden_channels, *expand),
            "expands": Lookup(expands, columns.of("expand")),
            "kernel": own(columns, "kernel"),
            "stride": own(columns, "stride"),
            "dilation": own(columns, "dilation"),
            **_own_sides(columns),
        }
        needs = [Lookup(lambda c, t: is_block(in_channels=c, expand=t), *expand)]
        super().__init__(columns, inputs, needs)

    def structure(self, inputs: Inputs) -> Amount:
        return _block_structure(inputs)

    def of_structure(
        self, structure: int, inputs: Inputs, measures: Sequence[Measure]
    ) -> list[Amount]:
        block = _first_blocks(structure, inputs, self.acts)
        part = _planned(block, _shape(inputs), "", is_first=True)
        return [measure.of(part) for measure in measures]


class StagePart(SpacePart):
    """A stage: its first block, and the others, which are all alike. Structure: as a block's."""

    richest = 3

    def __init__(self, columns: Columns, network: NetworkInputs, stage: int) -> None:
        self._follows_stem = stage == 0
        self._others_need = [
            network.is_block(stage, after=stage),
            network.is_dilation(stage, first=False),
        ]
        inputs = {
            "in_channels": network.out_channels(stage - 1),
            "out_channels": network.out_channels(stage),
            "hidden_channels": network.hidden_channels(stage, after=stage - 1),
            "other_hidden_channels": network.hidden_channels(stage, after=stage),
            "expands": network.expands(stage),
            "kernel": own(columns, "kernel", stage),
            "stride": network.stride(stage),
            "dilation": network.dilation(stage, first=True),
            "other_dilation": network.dilation(stage, first=False),
            "repeats": network.repeats(stage),
            **_sides(network, stage),
        }
        needs = [
            network.is_block(stage, after=stage - 1),
            network.is_output(stage),
            network.is_dilation(stage, first=True),
        ]
        super().__init__(columns, inputs, needs)

    def exists(self, digits: Digits) -> Amount:
        others = prod(lookup(digits) for lookup in self._others_need)
        return super().exists(digits) & (others | (self.inputs["repeats"](digits) == 1))

    def structure(self, inputs: Inputs) -> Amount:
        return _block_structure(inputs)

    def of_structure(
        self, structure: int, inputs: Inputs, measures: Sequence[Measure]
    ) -> list[Amount]:
        blocks = _first_blocks(structure, inputs, self.acts)
        first = _planned(
            blocks,
            _shape(inputs),
            "features.1",
            jump=inputs["jump"],
            input_is_saved=self._follows_stem and _stem_saves_its_output(blocks.act),
        )
        others = _planned(
            _other_blocks(blocks, inputs),
            first.memory.layers[-1].output_shape,
            "features.1",
            jump=inputs["jump"] * inputs["stride"],
        )
        repeats = inputs["repeats"]
        return [
            measure.repeated(measure.of(first), measure.of(others), repeats) for measure in measures
        ]


class HeadPart(SpacePart):
    """The last 1×1 convolution. Structure: the activation."""

    def __init__(self, columns: Columns, network: NetworkInputs) -> None:
        stages = columns.space.stages
        inputs = {
            "in_channels": network.out_channels(stages - 1),
            "out_channels": network.head_channels(),
            **_sides(network, stages),
        }
        super().__init__(columns, inputs, needs=[network.reaches_output_stride()])

    def structure(self, inputs: Inputs) -> Amount:
        return inputs["act"]

    def of_structure(
        self, structure: int, inputs: Inputs, measures: Sequence[Measure]
    ) -> list[Amount]:
        head = Head(inputs["out_channels"], self.acts[structure])
        part = _planned(head, _shape(inputs), "features.2", jump=inputs["jump"])
        return [measure.of(part) for measure in measures]


class ClassifierPart(SpacePart):
    """Pooling, dropout and the linear layer. Structure: whether they are there and it drops."""

    richest = 3

    def __init__(self, columns: Columns, network: NetworkInputs) -> None:
        inputs = {
            "in_channels": network.head_channels(),
            "classes": own(columns, "classes"),
            "is_there": Lookup(lambda classes: classes > 0, columns.of("classes")),
            "drops": Lookup(lambda dropout: dropout > 0, columns.of("dropout")),
            **_sides(network, columns.space.stages),
        }
        super().__init__(columns, inputs)

    def structure(self, inputs: Inputs) -> Amount:
        return inputs["is_there"] * 2 + inputs["drops"]

    def of_structure(
        self, structure: int, inputs: Inputs, measures: Sequence[Measure]
    ) -> list[Amount]:
        is_there, drops = divmod(structure, 2)
        if not is_there:
            return [0 for _ in measures]
        part = _planned(
            Classifier(inputs["classes"]), _shape(inputs), "classifier", drops=bool(drops)
        )
        return [measure.of(part) for measure in measures]


def parts_of(columns: Columns) -> list[SpacePart]:
    """Return the parts of a space's members, in forward order."""
    if columns.space.kind == "block":
        return [BlockPart(columns)]
    network = NetworkInputs(columns)
    return [
        StemPart(columns, network),
        *(StagePart(columns, network, stage) for stage in range(columns.space.stages)),
        HeadPart(columns, network),
        ClassifierPart(columns, network),
    ]


def _own_sides(columns: Columns) -> dict[str, Lookup]:
    return {
        "height": Lookup(lambda size: size[0], columns.of("size")),
        "width": Lookup(lambda size: size[1], columns.of("size")),
    }


def _sides(network: NetworkInputs, stage: int) -> dict[str, Lookup]:
    return {
        "height": network.side(stage, which=0),
        "width": network.side(stage, which=1),
        "jump": network.jump(stage),
    }


def _shape(inputs: Inputs) -> Shape:
    return (inputs["batch"], inputs["in_channels"], inputs["height"], inputs["width"])


def _at(places: Any, inputs: Inputs) -> Inputs:
    """Return the inputs of the members at ``places``."""
    return {
        name: value[places] if isinstance(value, np.ndarray) else value
        for name, value in inputs.items()
    }


def _block_structure(inputs: Inputs) -> Amount:
    shortcut = adds_its_input(inputs["stride"], inputs["in_channels"], inputs["out_channels"])
    return inputs["act"] * 4 + inputs["expands"] * 2 + shortcut


def _first_blocks(structure: int, inputs: Inputs, acts: Sequence[str]) -> ManyBlocks:
    act, layers = divmod(structure, 4)
    return ManyBlocks(
        inputs["out_channels"],
        inputs["hidden_channels"],
        inputs["kernel"],
        inputs["stride"],
        inputs["dilation"],
        acts[act],
        has_expansion=layers >= 2,  # noqa: PLR2004  (the bit that `_block_structure` sets)
        has_shortcut=layers % 2 == 1,
    )


def _other_blocks(first: ManyBlocks, inputs: Inputs) -> ManyBlocks:
    """Return the blocks of a stage after its first: stride 1, in = out, so with a shortcut."""
    return ManyBlocks(
        first.out_channels,
        inputs["other_hidden_channels"],
        first.kernel,
        1,
        inputs["other_dilation"],
        first.act,
        first.has_expansion,
        has_shortcut=True,
    )


def _stem_saves_its_output(act: str) -> bool:
    *_, activation = placed_layers([PlacedPart("stem", "", Stem(1, act))], (1, 1, 1, 1))
    return saves_its_output(activation)


def _planned(
    part: Part,
    input_shape: Shape,
    path: str,
    *,
    jump: Amount = 1,
    is_first: bool = False,
    input_is_saved: bool = False,
    drops: bool = False,
) -> PlannedPart:
    layers = placed_layers([PlacedPart("", path, part)], input_shape)
    memory = PartInModel(layers, input_shape, is_first, input_is_saved, drops)
    return PlannedPart(memory, jump)
