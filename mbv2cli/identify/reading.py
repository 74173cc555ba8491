"""From the steps of a graph to what is read of it: stem, blocks, head, classifier."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from mbv2cli.graph.ops import Norm
from mbv2cli.identify.blocks import ReadBlock, blocks_of
from mbv2cli.identify.steps import ONE_SIDED, StepKind, Steps
from mbv2cli.identify.units import NO_ACT, Unit, units_of
from mbv2cli.specs.relatives import DEFAULT_EPS

_MOST_LAYERS = 2
"""The linear layers that a classifier may have."""


class LinearLayer(NamedTuple):
    """A linear layer of the classifier."""

    features: int
    bias: bool


@dataclass(frozen=True)
class Reading:
    """What is read of a graph. ``stem`` and ``head`` are None where there is none.

    ``classifier`` has its last linear layers, at most two.
    """

    blocks: tuple[ReadBlock, ...]
    stem: Unit | None
    head: Unit | None
    classifier: tuple[LinearLayer, ...]
    padding: str
    norm_eps: float

    @property
    def classes(self) -> int:
        """The outputs of the last linear layer; 0 without one."""
        return self.classifier[-1].features if self.classifier else 0

    @cached_property
    def act(self) -> str:
        """The activation of the stem, or of the first block."""
        if self.stem is not None:
            return self.stem.act or NO_ACT
        return self.blocks[0].act if self.blocks else "relu6"


def read(steps: Steps) -> Reading:
    """Return what is read of the steps of a graph."""
    units = [*units_of(steps)]
    whole = [*blocks_of(steps, units)]
    stem, head = None, None
    if not (len(whole) == 1 and _is_all(whole[0], steps)) and units and _may_be_stem(units[0]):
        stem, whole = units[0], [*blocks_of(steps, units[1:])]
        head = _head(whole, units[-1], stem.act)
        whole = whole[:-1] if head else whole
    return Reading(
        tuple(whole),
        stem,
        head,
        tuple(_classifier(steps, units)),
        "same" if any(ONE_SIDED in step.signature for step in steps.steps) else "torch",
        _most_common_eps(steps),
    )


def _is_all(block: ReadBlock, steps: Steps) -> bool:
    """Return whether a block is the whole model."""
    return block.start == 0 and block.stop == len(steps.steps)


def _may_be_stem(unit: Unit) -> bool:
    return unit.is_dense and unit.attributes.kernel != (1, 1)


def _head(blocks: Sequence[ReadBlock], last: Unit, act: str) -> Unit | None:
    """Return the last convolution if it is a head: 1×1, the stem's activation, no shortcut."""
    is_block = bool(blocks) and blocks[-1].start == last.conv  # of type conv: one unit
    is_head = is_block and last.is_pointwise and last.act == act and "none" in blocks[-1].shortcuts
    return last if is_head and len(blocks) > 1 else None


def _classifier(steps: Steps, units: Sequence[Unit]) -> Iterator[LinearLayer]:
    inside = {number for unit in units if unit.squeeze for number in unit.squeeze.steps}
    layers = [
        step.signature
        for number, step in enumerate(steps.steps)
        if step.kind is StepKind.LINEAR and number not in inside
    ]
    for features, bias in layers[-_MOST_LAYERS:]:
        if isinstance(features, int):
            yield LinearLayer(features, bool(bias))


def _most_common_eps(steps: Steps) -> float:
    norms = (steps.op_of(step).attributes for step in steps.steps)
    found = Counter(norm.eps for norm in norms if isinstance(norm, Norm))
    return found.most_common(1)[0][0] if found else DEFAULT_EPS
