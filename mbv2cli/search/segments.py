"""The segments of a space's members: stem, stages, head and classifier, or a block alone.

A segment works out what it adds to each figure for many members at once: the graph's builder and
the figures' rules, with arrays where a single model has numbers. Members whose graphs differ in
more than sizes (their *structure*) are worked out group by group, so that no rule ever asks an
array for its truth value.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias

import numpy as np

from mbv2cli.costs.figures import (
    Combine,
    Counting,
    Figure,
    graded_figures,
    needs_model_input,
)
from mbv2cli.costs.memory import Amount, saves_its_output
from mbv2cli.graph.build import (
    ACTIVATIONS,
    Classifier,
    Head,
    PlacedSegment,
    Stem,
    segment_graph,
)
from mbv2cli.graph.graph import GraphInModel
from mbv2cli.graph.ops import Shape, larger
from mbv2cli.search.lookups import (
    HiddenChannels,
    NetworkInputs,
    hidden_channels_or_0,
    is_dilation,
    numbered,
    own,
)
from mbv2cli.search.tables import Column, Columns, Digits, Lookup
from mbv2cli.specs.block import adds_its_input, expands

Inputs: TypeAlias = Mapping[str, Any]
"""The sizes that a segment is made of: each an int, or an array with one for each member."""


@dataclass(frozen=True, eq=False)
class ManyBlocks:
    """Blocks of the same structure, with the fields of `BlockSpec`: an array for each number."""

    out_channels: Amount
    hidden_channels: Amount
    kernel: Amount
    stride: Amount
    dilation: Amount
    act: str
    has_expansion: bool
    has_shortcut: bool


class SpaceSegment(ABC):
    """A segment of every member. It can be built where all lookups in ``needs`` hold."""

    richest = 0
    """The structure with most operations."""

    is_first = False
    """Whether the segment takes the model's own input."""

    def __init__(
        self,
        columns: Columns,
        counting: Counting,
        inputs: Mapping[str, Lookup],
        needs: Sequence[Lookup] = (),
    ) -> None:
        self.acts: tuple[str, ...] = columns.of("act").axis.values
        self.counting = counting
        self.needs = needs
        self.inputs = {"act": numbered(columns, "act"), "batch": own(columns, "batch"), **inputs}
        keeps_input = any(needs_model_input(figure, counting) for figure in graded_figures())
        if keeps_input and not self.is_first:
            own_sides = {f"model_{name}": one for name, one in _own_sides(columns).items()}
            self.inputs |= {"model_channels": own(columns, "in"), **own_sides}

    @property
    def columns(self) -> tuple[Column, ...]:
        """The varied axes that the segment depends on."""
        every = (column for lookup in self.inputs.values() for column in lookup.columns)
        return tuple(dict.fromkeys(column for column in every if column.row is not None))

    def exists(self, digits: Digits) -> Amount:
        """Return whether the segment of each member can be built."""
        return prod(lookup(digits) for lookup in self.needs)

    def amounts(self, digits: Digits, figures: Sequence[Figure]) -> list[Amount]:
        """Return what the segment of each member adds to each figure."""
        inputs = {name: lookup(digits) for name, lookup in self.inputs.items()}
        structures = self.structure(inputs)
        if not isinstance(structures, np.ndarray):
            return self.of_structure(int(structures), inputs, figures)
        together = [np.empty(len(structures), np.int64) for _ in figures]
        for structure in np.flatnonzero(np.bincount(structures)):
            places = np.flatnonzero(structures == structure)
            found = self.of_structure(int(structure), _at(places, inputs), figures)
            for amounts, amount in zip(together, found, strict=True):
                amounts[places] = amount
        return together

    def at_most(self, figures: Sequence[Figure]) -> list[int]:
        """Return an upper bound for each figure, in exact ints of any size."""
        largest = {
            name: lookup.smallest if name == "stride" else lookup.largest
            for name, lookup in self.inputs.items()
        }
        return [int(amount) for amount in self.of_structure(self.richest, largest, figures)]

    def _model(
        self, placed: PlacedSegment, inputs: Inputs, *, input_is_saved: bool = False
    ) -> GraphInModel:
        """Return the graphs of segments that all have one structure."""
        shape = _shape(inputs, "in_channels", "height", "width")
        model_input = (
            _shape(inputs, "model_channels", "model_height", "model_width")
            if "model_channels" in inputs
            else None
        )
        jump = inputs.get("jump", 1)
        graph = segment_graph(placed, shape, model_input)
        return GraphInModel(graph, (jump, jump), input_is_saved)

    @abstractmethod
    def structure(self, inputs: Inputs) -> Amount:
        """Return the number of each member's structure."""

    @abstractmethod
    def of_structure(
        self, structure: int, inputs: Inputs, figures: Sequence[Figure]
    ) -> list[Amount]:
        """Return the amounts of segments that all have this structure."""


class StemSegment(SpaceSegment):
    """The first convolution. Structure: the activation."""

    is_first = True

    def __init__(self, columns: Columns, counting: Counting, network: NetworkInputs) -> None:
        inputs = {
            "in_channels": own(columns, "in"),
            "out_channels": network.out_channels(-1),
            **_own_sides(columns),
        }
        super().__init__(columns, counting, inputs)

    def structure(self, inputs: Inputs) -> Amount:
        return inputs["act"]

    def of_structure(
        self, structure: int, inputs: Inputs, figures: Sequence[Figure]
    ) -> list[Amount]:
        stem = Stem(inputs["out_channels"], self.acts[structure])
        model = self._model(PlacedSegment("", "features.0", stem), inputs)
        return [figure.of(model, self.counting) for figure in figures]


class BlockSegment(SpaceSegment):
    """A block alone. Structure: activation, expansion, shortcut."""

    richest = 3
    is_first = True

    def __init__(self, columns: Columns, counting: Counting) -> None:
        hidden = HiddenChannels(hidden_channels_or_0, columns.of("in"), columns.of("expand"))
        inputs = {
            "in_channels": own(columns, "in"),
            "out_channels": own(columns, "out"),
            "hidden_channels": hidden.count,
            "expands": Lookup(expands, columns.of("expand")),
            "kernel": own(columns, "kernel"),
            "stride": own(columns, "stride"),
            "dilation": own(columns, "dilation"),
            **_own_sides(columns),
        }
        super().__init__(columns, counting, inputs, [hidden.exist])

    def structure(self, inputs: Inputs) -> Amount:
        return _block_structure(inputs)

    def of_structure(
        self, structure: int, inputs: Inputs, figures: Sequence[Figure]
    ) -> list[Amount]:
        block = _first_blocks(structure, inputs, self.acts)
        model = self._model(PlacedSegment("", "", block), inputs)
        return [figure.of(model, self.counting) for figure in figures]


class StageSegment(SpaceSegment):
    """A stage: its first block, and the others, which are all alike. Structure: as a block's."""

    richest = 3

    def __init__(
        self, columns: Columns, counting: Counting, network: NetworkInputs, stage: int
    ) -> None:
        self._follows_stem = stage == 0
        hidden = network.hidden_channels(stage, after=stage - 1)
        other_hidden = network.hidden_channels(stage, after=stage)
        dilation, other_dilation = (
            network.dilation(stage, first=is_first) for is_first in (True, False)
        )
        self._others_need = [other_hidden.exist, is_dilation(other_dilation)]
        inputs = {
            "in_channels": network.out_channels(stage - 1),
            "out_channels": network.out_channels(stage),
            "hidden_channels": hidden.count,
            "other_hidden_channels": other_hidden.count,
            "expands": network.expands(stage),
            "kernel": own(columns, "kernel", stage),
            "stride": network.stride(stage),
            "dilation": dilation,
            "other_dilation": other_dilation,
            "repeats": network.repeats(stage),
            **_sides(network, stage),
        }
        needs = [hidden.exist, network.is_output(stage), is_dilation(dilation)]
        super().__init__(columns, counting, inputs, needs)

    def exists(self, digits: Digits) -> Amount:
        others = prod(lookup(digits) for lookup in self._others_need)
        return super().exists(digits) & (others | (self.inputs["repeats"](digits) == 1))

    def structure(self, inputs: Inputs) -> Amount:
        return _block_structure(inputs)

    def of_structure(
        self, structure: int, inputs: Inputs, figures: Sequence[Figure]
    ) -> list[Amount]:
        blocks = _first_blocks(structure, inputs, self.acts)
        first = self._model(
            PlacedSegment("", "features.1", blocks),
            inputs,
            input_is_saved=self._follows_stem and _saves_its_output(blocks.act),
        )
        _batch, channels, height, width = first.graph.output_shape
        following = {
            **inputs,
            "in_channels": channels,
            "height": height,
            "width": width,
            "jump": inputs["jump"] * inputs["stride"],
        }
        others = self._model(
            PlacedSegment("", "features.1", _other_blocks(blocks, inputs)), following
        )
        repeats = inputs["repeats"]
        return [
            _repeated(
                figure.combine(self.counting),
                figure.of(first, self.counting),
                figure.of(others, self.counting),
                repeats,
            )
            for figure in figures
        ]


class HeadSegment(SpaceSegment):
    """The last 1×1 convolution. Structure: the activation, and whether there is a head."""

    richest = 1

    def __init__(self, columns: Columns, counting: Counting, network: NetworkInputs) -> None:
        stages = columns.space.stages
        inputs = {
            "in_channels": network.out_channels(stages - 1),
            "out_channels": network.head_channels(),
            "is_there": Lookup(lambda head: head > 0, columns.of("head")),
            **_sides(network, stages),
        }
        super().__init__(columns, counting, inputs, needs=[network.reaches_output_stride()])

    def structure(self, inputs: Inputs) -> Amount:
        return inputs["act"] * 2 + inputs["is_there"]

    def of_structure(
        self, structure: int, inputs: Inputs, figures: Sequence[Figure]
    ) -> list[Amount]:
        act, is_there = divmod(structure, 2)
        if not is_there:
            return [0 for _ in figures]
        head = Head(inputs["out_channels"], self.acts[act])
        model = self._model(PlacedSegment("", "features.2", head), inputs)
        return [figure.of(model, self.counting) for figure in figures]


class ClassifierSegment(SpaceSegment):
    """Pooling, dropout and the linear layer. Structure: whether they are there and it drops."""

    richest = 3

    def __init__(self, columns: Columns, counting: Counting, network: NetworkInputs) -> None:
        inputs = {
            "in_channels": network.feature_channels(),
            "classes": own(columns, "classes"),
            "is_there": Lookup(lambda classes: classes > 0, columns.of("classes")),
            "drops": Lookup(lambda dropout: dropout > 0, columns.of("dropout")),
            **_sides(network, columns.space.stages),
        }
        super().__init__(columns, counting, inputs)

    def structure(self, inputs: Inputs) -> Amount:
        return inputs["is_there"] * 2 + inputs["drops"]

    def of_structure(
        self, structure: int, inputs: Inputs, figures: Sequence[Figure]
    ) -> list[Amount]:
        is_there, drops = divmod(structure, 2)
        if not is_there:
            return [0 for _ in figures]
        # above 0, the probability of dropout does not matter
        classifier = Classifier(inputs["classes"], dropout=0.5 if drops else 0)
        model = self._model(PlacedSegment("", "classifier", classifier), inputs)
        return [figure.of(model, self.counting) for figure in figures]


def segments_of(columns: Columns, counting: Counting) -> list[SpaceSegment]:
    """Return the segments of a space's members, in forward order."""
    if columns.space.kind == "block":
        return [BlockSegment(columns, counting)]
    network = NetworkInputs(columns)
    return [
        StemSegment(columns, counting, network),
        *(StageSegment(columns, counting, network, stage) for stage in range(columns.space.stages)),
        HeadSegment(columns, counting, network),
        ClassifierSegment(columns, counting, network),
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


def _shape(inputs: Inputs, *names: str) -> Shape:
    return (inputs["batch"], *(inputs[name] for name in names))


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


def _saves_its_output(act: str) -> bool:
    return saves_its_output(ACTIVATIONS[act].function)


def _repeated(combine: Combine, first: Amount, others: Amount, repeats: Amount) -> Amount:
    """Return the amount of ``repeats`` blocks, of which all after the first are alike."""
    if combine is Combine.HIGHEST:
        # no amount is below 0, so that 0 can stand for others that are not there
        return larger(first, others * (repeats > 1))
    return first + (repeats - 1) * others
