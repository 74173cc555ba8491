"""The segments of a space's members: stem, stages, head and classifier, or a block alone.

A segment works out what it adds to each figure for many members at once: the graph's builder and
the figures' rules, with arrays where a single model has numbers. Members whose graphs differ in
more than sizes (their *structure*) are worked out group by group, so that no rule ever asks an
array for its truth value.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
from mbv2cli.graph.build import ACTIVATIONS, segment_graph
from mbv2cli.graph.graph import GraphInModel
from mbv2cli.graph.ops import Shape, larger
from mbv2cli.graph.segments import Classifier, Head, PlacedSegment, Stem
from mbv2cli.search.block_lookups import GATES, SHORTCUTS, TYPES, BlockLookups
from mbv2cli.search.lookups import NetworkInputs, is_dilation, own
from mbv2cli.search.tables import Column, Columns, Digits, Lookup
from mbv2cli.specs.block import sides_of
from mbv2cli.specs.relatives import DEFAULT_EPS

Inputs: TypeAlias = Mapping[str, Any]
"""The sizes that a segment is made of: each an int, or an array with one for each member."""

Choices: TypeAlias = Mapping[str, int]
"""What a structure is made of: the number of each choice."""


@dataclass(frozen=True, eq=False)
class ManyBlocks:
    """Blocks of the same structure, with the fields of `BlockSpec`: an array for each number."""

    type: str
    out_channels: Amount
    hidden_channels: Amount
    kernel: Amount
    strides: tuple[Amount, Amount]
    dilation: Amount
    act: str
    has_expansion: bool
    has_se: bool
    squeezed_channels: Amount
    squeeze_act: str
    se_gate: str
    has_shortcut: bool
    projects_shortcut: bool
    pads_apart: bool
    norm_eps: float = DEFAULT_EPS


class SpaceSegment(ABC):
    """A segment of every member. It can be built where all lookups in ``needs`` hold."""

    choices: Mapping[str, int]
    """The number of choices of each name that the structure is made of."""

    is_first = False
    """Whether the segment takes the model's own input."""

    def __init__(
        self,
        columns: Columns,
        counting: Counting,
        inputs: Mapping[str, Lookup],
        needs: Sequence[Lookup] = (),
    ) -> None:
        self.acts = acts_of(columns)
        self.counting = counting
        self.needs = needs
        self.inputs = {"batch": own(columns, "batch"), **inputs}
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

    def structure(self, inputs: Inputs) -> Amount:
        """Return the number of each member's structure: its choices, the last one fastest."""
        number: Any = 0
        for name, count in self.choices.items():
            number = number * count + inputs[name]
        return number

    def choices_of(self, structure: int) -> Choices:
        """Return the choices of a structure."""
        found: dict[str, int] = {}
        for name, count in reversed(list(self.choices.items())):
            structure, found[name] = divmod(structure, count)
        return found

    def amounts(self, digits: Digits, figures: Sequence[Figure]) -> list[Amount]:
        """Return what the segment of each member adds to each figure."""
        inputs = {name: lookup(digits) for name, lookup in self.inputs.items()}
        structures = self.structure(self.with_choices(inputs))
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
            name: lookup.smallest if name.startswith("stride") else lookup.largest
            for name, lookup in self.inputs.items()
        }
        each = (self.of_structure(one, largest, figures) for one in self._richest(largest))
        return [int(max(amounts)) for amounts in zip(*each, strict=True)]

    def _richest(self, largest: Inputs) -> Iterator[int]:
        """Yield structures of which one costs at least as much as any other."""
        most = {name: count - 1 for name, count in self.choices.items()} | {
            name: largest[name] for name in self.choices if name in largest
        }
        types = self.inputs.get("type")
        for kind in range(types.smallest, types.largest + 1) if types else (0,):
            yield self.structure({**most, "type": kind})

    def with_choices(self, inputs: Inputs) -> Inputs:
        """Return the inputs, and the choices that follow from several of them."""
        return inputs

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
        return GraphInModel(graph, (jump, inputs.get("jump_width", jump)), input_is_saved)

    @abstractmethod
    def of_structure(
        self, structure: int, inputs: Inputs, figures: Sequence[Figure]
    ) -> list[Amount]:
        """Return the amounts of segments that all have this structure."""


class StemSegment(SpaceSegment):
    """The first convolution."""

    is_first = True

    def __init__(self, columns: Columns, counting: Counting, network: NetworkInputs) -> None:
        height, width = network.stem_strides
        inputs = {
            "in_channels": own(columns, "in"),
            "out_channels": network.out_channels(-1),
            "act": _act_of_network(columns),
            "stride": height,
            "stride_width": width,
            "pads": _is_same(columns, columns.of("stem_stride")),
            **_own_sides(columns),
        }
        super().__init__(columns, counting, inputs)
        self.choices = {"act": len(self.acts), "pads": 2}

    def of_structure(
        self, structure: int, inputs: Inputs, figures: Sequence[Figure]
    ) -> list[Amount]:
        chosen = self.choices_of(structure)
        strides = inputs["stride"], inputs["stride_width"]
        pads = bool(chosen["pads"])
        stem = Stem(inputs["out_channels"], self.acts[chosen["act"]], strides, pads)
        model = self._model(PlacedSegment("", "features.0", stem), inputs)
        return [figure.of(model, self.counting) for figure in figures]


class BlocksSegment(SpaceSegment):
    """A segment of blocks. Structure: all of a block that is no number."""

    def __init__(
        self,
        columns: Columns,
        counting: Counting,
        blocks: BlockLookups,
        inputs: Mapping[str, Lookup],
        needs: Sequence[Lookup],
    ) -> None:
        acts = acts_of(columns)
        of_blocks = {
            "hidden_channels": blocks.hidden.count,
            "expands": blocks.expands,
            "type": blocks.type,
            "act": blocks.act(acts),
            "shortcut_word": blocks.shortcut,
            "se": blocks.has_se,
            "squeezed_channels": blocks.squeezed_channels,
            "squeeze_act": blocks.squeeze_act(acts),
            "gate": Lookup(GATES.index, columns.of("se_gate")),
            "same_padding": Lookup(_is_same_word, columns.of("padding")),
        }
        needs = [blocks.hidden.exist, blocks.is_allowed, *needs]
        super().__init__(columns, counting, {**of_blocks, **inputs}, needs)
        self.choices = {
            "type": len(TYPES),
            "act": len(acts),
            "expands": 2,
            "shortcut": len(SHORTCUTS),
            "se": 2,
            "squeeze_act": len(acts),
            "gate": len(GATES),
            "pads": 2,
        }

    def with_choices(self, inputs: Inputs) -> Inputs:
        height, width = _strides(inputs)
        keeps_sides = (height == 1) & (width == 1)
        keeps_channels = inputs["in_channels"] == inputs["out_channels"]
        word = inputs["shortcut_word"]
        added = keeps_channels * (word > 0) + 2 * (1 - keeps_channels) * (word == 2)  # noqa: PLR2004  (projection)
        pads = inputs["same_padding"] * (1 - keeps_sides)
        return {**inputs, "shortcut": added * keeps_sides, "pads": pads}

    def first_blocks(self, structure: int, inputs: Inputs) -> ManyBlocks:
        """Return the blocks of a structure."""
        chosen = self.choices_of(structure)
        shortcut = SHORTCUTS[chosen["shortcut"]]
        return ManyBlocks(
            TYPES[chosen["type"]],
            inputs["out_channels"],
            inputs["hidden_channels"],
            inputs["kernel"],
            _strides(inputs),
            inputs["dilation"],
            self.acts[chosen["act"]],
            has_expansion=bool(chosen["expands"]),
            has_se=bool(chosen["se"]),
            squeezed_channels=inputs["squeezed_channels"],
            squeeze_act=self.acts[chosen["squeeze_act"]],
            se_gate=GATES[chosen["gate"]],
            has_shortcut=shortcut == "identity",
            projects_shortcut=shortcut == "projection",
            pads_apart=bool(chosen["pads"]),
        )


class BlockSegment(BlocksSegment):
    """A block alone."""

    is_first = True

    def __init__(self, columns: Columns, counting: Counting) -> None:
        in_channels = own(columns, "in")
        inputs = {
            "in_channels": in_channels,
            "out_channels": own(columns, "out"),
            "kernel": own(columns, "kernel"),
            "stride": Lookup(lambda s: sides_of(s)[0], columns.of("stride")),
            "stride_width": Lookup(lambda s: sides_of(s)[1], columns.of("stride")),
            "dilation": own(columns, "dilation"),
            **_own_sides(columns),
        }
        blocks = BlockLookups(columns, None, columns.of("in"))
        super().__init__(columns, counting, blocks, inputs, [])

    def of_structure(
        self, structure: int, inputs: Inputs, figures: Sequence[Figure]
    ) -> list[Amount]:
        block = self.first_blocks(structure, inputs)
        model = self._model(PlacedSegment("", "", block), inputs)
        return [figure.of(model, self.counting) for figure in figures]


class StageSegment(BlocksSegment):
    """A stage: its first block, and the others, which are all alike."""

    def __init__(
        self, columns: Columns, counting: Counting, network: NetworkInputs, stage: int
    ) -> None:
        self._stage = stage
        others = network.blocks(stage, after=stage)
        dilation, other_dilation = (
            network.dilation(stage, first=is_first) for is_first in (True, False)
        )
        self._others_need = [others.hidden.exist, is_dilation(other_dilation)]
        inputs = {
            "in_channels": network.out_channels(stage - 1),
            "out_channels": network.out_channels(stage),
            "other_hidden_channels": others.hidden.count,
            "other_expands": others.expands,
            "other_squeezed_channels": others.squeezed_channels,
            "kernel": own(columns, "kernel", stage),
            "stride": network.stride(stage, which=0),
            "dilation": dilation,
            "other_dilation": other_dilation,
            "repeats": network.repeats(stage),
            **_sides(network, stage),
        }
        if not network.is_square:
            inputs["stride_width"] = network.stride(stage, which=1)
        inputs["act_before"] = _act_before(columns, network, stage)
        needs = [network.is_output(stage), is_dilation(dilation)]
        blocks = network.blocks(stage, after=stage - 1)
        super().__init__(columns, counting, blocks, inputs, needs)
        self.choices = {
            **self.choices,
            "other_expands": 2,
            "word": len(SHORTCUTS),
            "act_before": len(self.acts) + 1,
        }

    def exists(self, digits: Digits) -> Amount:
        others = prod(lookup(digits) for lookup in self._others_need)
        return super().exists(digits) & (others | (self.inputs["repeats"](digits) == 1))

    def with_choices(self, inputs: Inputs) -> Inputs:
        return {**super().with_choices(inputs), "word": inputs["shortcut_word"]}

    def of_structure(
        self, structure: int, inputs: Inputs, figures: Sequence[Figure]
    ) -> list[Amount]:
        chosen = self.choices_of(structure)
        blocks = self.first_blocks(structure, inputs)
        first = self._model(
            PlacedSegment("", "features.1", blocks),
            inputs,
            input_is_saved=_is_saved(self.acts, chosen),
        )
        _batch, channels, height, width = first.graph.output_shape
        stride, stride_width = _strides(inputs)
        following = {
            **inputs,
            "in_channels": channels,
            "height": height,
            "width": width,
            "jump": inputs["jump"] * stride,
            "jump_width": inputs.get("jump_width", inputs["jump"]) * stride_width,
        }
        other_blocks = _other_blocks(blocks, chosen, inputs)
        others = self._model(
            PlacedSegment("", "features.1", other_blocks),
            following,
            input_is_saved=_saves_its_result(other_blocks),
        )
        second = others
        if _saves_its_result(blocks) and not _saves_its_result(other_blocks):
            second = replace(others, input_is_saved=True)
        return [
            self._amount(figure, (first, second, others), inputs["repeats"]) for figure in figures
        ]

    def _amount(
        self,
        figure: Figure,
        blocks: tuple[GraphInModel, GraphInModel, GraphInModel],
        repeats: Amount,
    ) -> Amount:
        """Return the amount of a stage, of its first, its second and each further block."""
        combine = figure.combine(self.counting)
        first, second, others = blocks
        of_first, of_others = figure.of(first, self.counting), figure.of(others, self.counting)
        found = _repeated(combine, of_first, of_others, repeats)
        if second is others:
            return found
        of_second = figure.of(second, self.counting)
        if combine is Combine.HIGHEST:
            return larger(found, of_second * (repeats > 1))
        return found + (of_second - of_others) * (repeats > 1)


class HeadSegment(SpaceSegment):
    """The last 1×1 convolution, if there is one."""

    def __init__(self, columns: Columns, counting: Counting, network: NetworkInputs) -> None:
        stages = columns.space.stages
        inputs = {
            "in_channels": network.out_channels(stages - 1),
            "out_channels": network.head_channels(),
            "act": _act_of_network(columns),
            "act_before": _act_before(columns, network, stages),
            "is_there": Lookup(lambda head: head > 0, columns.of("head")),
            **_sides(network, stages),
        }
        super().__init__(columns, counting, inputs, needs=[network.reaches_output_stride()])
        self.choices = {
            "act": len(self.acts),
            "act_before": len(self.acts) + 1,
            "is_there": 2,
        }

    def of_structure(
        self, structure: int, inputs: Inputs, figures: Sequence[Figure]
    ) -> list[Amount]:
        chosen = self.choices_of(structure)
        if not chosen["is_there"]:
            return [0 for _ in figures]
        head = Head(inputs["out_channels"], self.acts[chosen["act"]])
        is_saved = _is_saved(self.acts, chosen)
        placed = PlacedSegment("", "features.2", head)
        model = self._model(placed, inputs, input_is_saved=is_saved)
        return [figure.of(model, self.counting) for figure in figures]


class ClassifierSegment(SpaceSegment):
    """Pooling, dropout and the linear layers, if there are classes."""

    def __init__(self, columns: Columns, counting: Counting, network: NetworkInputs) -> None:
        hidden = columns.of("classifier_hidden")
        inputs = {
            "in_channels": network.feature_channels(),
            "classes": own(columns, "classes"),
            "hidden": own(columns, "classifier_hidden"),
            "act": _act_of_network(columns),
            "has_hidden": Lookup(lambda features: features > 0, hidden),
            "hidden_bias": own(columns, "classifier_hidden_bias"),
            "bias": own(columns, "classifier_bias"),
            "is_there": Lookup(lambda classes: classes > 0, columns.of("classes")),
            "drops": Lookup(lambda dropout: dropout > 0, columns.of("dropout")),
            **_sides(network, columns.space.stages),
        }
        both = columns.of("classes"), hidden
        needs = (
            [Lookup(lambda classes, features: classes > 0 or features == 0, *both)]
            if all(column.axis.explicit for column in both)
            else []
        )
        super().__init__(columns, counting, inputs, needs)
        flags = ("is_there", "drops", "has_hidden", "hidden_bias", "bias")
        self.choices = {"act": len(self.acts), **dict.fromkeys(flags, 2)}

    def of_structure(
        self, structure: int, inputs: Inputs, figures: Sequence[Figure]
    ) -> list[Amount]:
        chosen = self.choices_of(structure)
        if not chosen["is_there"]:
            return [0 for _ in figures]
        classifier = Classifier(
            inputs["classes"],
            # above 0, the probability of dropout does not matter
            dropout=0.5 if chosen["drops"] else 0,
            bias=bool(chosen["bias"]),
            hidden=inputs["hidden"] if chosen["has_hidden"] else None,
            hidden_bias=bool(chosen["hidden_bias"]),
            act=self.acts[chosen["act"]],
        )
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


def acts_of(columns: Columns) -> tuple[str, ...]:
    """Return every activation of a space's members."""
    return columns.words("act", "se_act")


def _act_of_network(columns: Columns) -> Lookup:
    return Lookup(acts_of(columns).index, columns.of("act"))


def needs_of_model(columns: Columns) -> list[Lookup]:
    """Return what holds for each member that can be built, and no segment alone tells.

    A block must be there that may have the squeeze-excite of its network.
    """
    se = columns.of("se")
    types = [columns.of("type", stage) for stage in range(columns.space.stages)]
    is_told = se.axis.explicit and types and types[0].axis.explicit
    if not is_told or any(set(one.axis.values) == {"inverted"} for one in types):
        return []
    return [Lookup(lambda ratio, *kinds: not ratio or "inverted" in kinds, se, *types)]


def _act_before(columns: Columns, network: NetworkInputs, stage: int) -> Lookup:
    """Return 1 + the number of the activation that ends what comes before a stage; 0 for none."""
    acts = acts_of(columns)
    act = Lookup(lambda word: 1 + acts.index(word), columns.of("act"))
    if stage == 0:
        return act
    before, is_conv = network.blocks(stage - 1, after=stage - 2), TYPES.index("conv")
    if "conv" not in columns.of("type", stage - 1).axis.values:
        return Lookup(lambda _: 0, before.type)

    def number(kind: int, act: int, word: int, repeats: int, *shape: int) -> int:
        channels, out_channels, *strides = shape
        keeps_shape = repeats > 1 or (
            strides == [1, 1] and (channels == out_channels or SHORTCUTS[word] == "projection")
        )
        ends_with_add = keeps_shape and SHORTCUTS[word] != "none"
        return (act + 1) * (kind == is_conv and not ends_with_add)

    return Lookup(
        number,
        *(before.type, before.act(acts), before.shortcut, network.repeats(stage - 1)),
        *(network.out_channels(stage - 2), network.out_channels(stage - 1)),
        *(network.stride(stage - 1, which=which) for which in (0, 1)),
    )


def _saves_its_result(block: ManyBlocks) -> bool:
    """Return whether blocks end with an activation that saves its output."""
    ends_with_act = block.type == "conv" and not (block.has_shortcut or block.projects_shortcut)
    return ends_with_act and _saves_its_output(block.act)


def _is_saved(acts: Sequence[str], chosen: Choices) -> bool:
    """Return whether the activation before a segment has saved the input of the segment."""
    before = chosen["act_before"]
    return before > 0 and _saves_its_output(acts[before - 1])


def _is_same_word(padding: str) -> bool:
    return padding == "same"


def _is_same(columns: Columns, stride: Column) -> Lookup:
    """Return whether a padding operation comes before a convolution of this stride."""
    return Lookup(
        lambda padding, s: _is_same_word(padding) and s != 1, columns.of("padding"), stride
    )


def _own_sides(columns: Columns) -> dict[str, Lookup]:
    return {
        "height": Lookup(lambda size: size[0], columns.of("size")),
        "width": Lookup(lambda size: size[1], columns.of("size")),
    }


def _sides(network: NetworkInputs, stage: int) -> dict[str, Lookup]:
    found = {
        "height": network.side(stage, which=0),
        "width": network.side(stage, which=1),
        "jump": network.jump(stage, which=0),
    }
    return found if network.is_square else {**found, "jump_width": network.jump(stage, which=1)}


def _strides(inputs: Inputs) -> tuple[Amount, Amount]:
    """Return the strides over height and width, which may be the same number."""
    return inputs["stride"], inputs.get("stride_width", inputs["stride"])


def _shape(inputs: Inputs, *names: str) -> Shape:
    return (inputs["batch"], *(inputs[name] for name in names))


def _at(places: Any, inputs: Inputs) -> Inputs:
    """Return the inputs of the members at ``places``."""
    return {
        name: value[places] if isinstance(value, np.ndarray) else value
        for name, value in inputs.items()
    }


def _other_blocks(first: ManyBlocks, chosen: Choices, inputs: Inputs) -> ManyBlocks:
    """Return the blocks of a stage after its first: stride 1, and in = out."""
    return replace(
        first,
        hidden_channels=inputs["other_hidden_channels"],
        strides=(1, 1),
        dilation=inputs["other_dilation"],
        has_expansion=bool(chosen["other_expands"]),
        squeezed_channels=inputs["other_squeezed_channels"],
        has_shortcut=SHORTCUTS[chosen["word"]] != "none",
        projects_shortcut=False,
        pads_apart=False,
    )


def _saves_its_output(act: str) -> bool:
    return saves_its_output(ACTIVATIONS[act].function)


def _repeated(combine: Combine, first: Amount, others: Amount, repeats: Amount) -> Amount:
    """Return the amount of ``repeats`` blocks, of which all after the first are alike."""
    if combine is Combine.HIGHEST:
        # no amount is below 0, so that 0 can stand for others that are not there
        return larger(first, others * (repeats > 1))
    return first + (repeats - 1) * others
