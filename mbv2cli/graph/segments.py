"""What a model is made of: segments in forward order, as the builder needs to know them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from mbv2cli.graph.ops import Sides
from mbv2cli.specs.block import BlockSpec
from mbv2cli.specs.network import EXPANSION_PATH, NetworkSpec
from mbv2cli.specs.relatives import DEFAULT_EPS

if TYPE_CHECKING:  # a protocol takes long to make, and nothing needs it when mbv2 runs
    from typing import Protocol

    class Block(Protocol):
        """What the builder needs to know of a block, as `BlockSpec` has it."""

        def __hash__(self) -> int: ...
        @property
        def type(self) -> str: ...
        @property
        def out_channels(self) -> int: ...
        @property
        def hidden_channels(self) -> int: ...
        @property
        def kernel(self) -> int: ...
        @property
        def strides(self) -> Sides: ...
        @property
        def dilation(self) -> int: ...
        @property
        def act(self) -> str: ...
        @property
        def has_expansion(self) -> bool: ...
        @property
        def has_se(self) -> bool: ...
        @property
        def squeezed_channels(self) -> int: ...
        @property
        def squeeze_act(self) -> str: ...
        @property
        def se_gate(self) -> str: ...
        @property
        def has_shortcut(self) -> bool: ...
        @property
        def projects_shortcut(self) -> bool: ...
        @property
        def pads_apart(self) -> bool: ...
        @property
        def norm_eps(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Stem:
    """The first convolution of a network, with BatchNorm and activation."""

    out_channels: int
    act: str
    strides: Sides = (2, 2)
    pads_apart: bool = False
    norm_eps: float = DEFAULT_EPS


@dataclass(frozen=True, slots=True)
class Expansion:
    """The expansion of a block after which the network stops."""

    hidden_channels: int
    act: str
    norm_eps: float


@dataclass(frozen=True, slots=True)
class Head:
    """The last 1×1 convolution of a network, with BatchNorm and activation."""

    out_channels: int
    act: str
    norm_eps: float = DEFAULT_EPS


@dataclass(frozen=True, slots=True)
class Classifier:
    """Global pooling, dropout and the linear layers: one, or two if ``hidden`` is a number."""

    classes: int
    dropout: float
    bias: bool = True
    hidden: int | None = None
    hidden_bias: bool = True
    act: str = "relu6"


SegmentSpec: TypeAlias = "Stem | Block | Expansion | Head | Classifier"


class PlacedSegment(NamedTuple):
    """A segment of a model with its stage and its path; a block alone has no path."""

    stage: str
    path: str
    spec: SegmentSpec


def segments_of(spec: BlockSpec | NetworkSpec) -> Sequence[PlacedSegment]:
    """Return what a model is made of, in forward order."""
    if isinstance(spec, BlockSpec):
        return [PlacedSegment("block", "", spec)]
    return list(_kept(spec, _whole_network(spec)))


def _whole_network(spec: NetworkSpec) -> Iterator[PlacedSegment]:
    """Yield the segments of a network, whatever ``until`` is."""
    act, eps, strides = spec.act, spec.norm_eps, spec.stem_strides
    pads_apart = spec.padding == "same" and strides != (1, 1)
    stem = Stem(spec.stem_channels, act, strides, pads_apart, eps)
    counts = enumerate(spec.repeats, start=1)
    stages = [stage for number, count in counts for stage in repeat(f"s{number}", count)]
    head = [Head(spec.head_channels, act, eps)] if spec.head else []
    parts: list[SegmentSpec] = [stem, *spec.blocks, *head]
    named = zip(["stem", *stages, *("head" for _ in head)], parts, strict=True)
    for number, (stage, one) in enumerate(named):
        yield PlacedSegment(stage, f"features.{number}", one)
    if spec.classes:
        yield PlacedSegment("classifier", "classifier", classifier_of(spec))


def classifier_of(spec: NetworkSpec) -> Classifier:
    """Return the classifier of a network."""
    return Classifier(
        spec.classes,
        spec.dropout,
        spec.classifier_bias,
        spec.classifier_hidden or None,
        spec.classifier_hidden_bias,
        spec.act,
    )


def _kept(spec: NetworkSpec, segments: Iterable[PlacedSegment]) -> Iterator[PlacedSegment]:
    """Yield the segments up to ``until``; all of them without it."""
    for placed in segments:
        stage, path, one = placed
        if spec.until == path + EXPANSION_PATH and isinstance(one, BlockSpec):
            yield PlacedSegment(stage, path, Expansion(one.hidden_channels, one.act, one.norm_eps))
            return
        yield placed
        if spec.until == path:
            return
