"""How much memory a network takes: named rules, each proved or published.

Rules count elements; an element's bytes are those of the dtype.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from mbv2cli.errors import UserError, nearest
from mbv2cli.plan import deployed_memory, torch_memory
from mbv2cli.plan.layers import Layer, Shape
from mbv2cli.plan.plan import Plan, Timeline

ELEMENT_BYTES: Final = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "int8": 1}
"""Bytes of one element, by dtype."""


@dataclass(frozen=True, slots=True)
class PartInModel:
    """The layers of a part of a model, and what of the rest matters to memory.

    ``is_first`` where its input is the model's own, ``input_is_saved`` where what comes before
    saves it for the backward pass, ``drops`` where dropout is above 0.
    """

    layers: tuple[Layer, ...]
    input_shape: Shape
    is_first: bool = False
    input_is_saved: bool = False
    drops: bool = False


@dataclass(frozen=True, slots=True)
class MemoryRule:
    """A named way to tell which tensors are alive at a moment.

    ``of_part`` is the timeline of a part of a model. A model's peak is the highest of its
    parts' or, where memory only ``grows``, the sum of their last; on top comes the model's own
    input where ``input_stays``. ``of_layer`` is there where a layer alone tells.
    """

    name: str
    counts: str
    source: str
    timeline: Callable[[Plan], Timeline]
    of_part: Callable[[PartInModel], Timeline]
    grows: bool = False
    input_stays: bool = False
    of_layer: Callable[[Layer], int | None] | None = None


def _local(name: str, counts: str, source: str, rule: Callable[[Layer], int | None]) -> MemoryRule:
    def timeline(plan: Plan) -> Timeline:
        return tuple(map(rule, plan.layers))

    def of_part(part: PartInModel) -> Timeline:
        return tuple(map(rule, part.layers))

    return MemoryRule(name, counts, source, timeline, of_part, of_layer=rule)


def _eager_part(part: PartInModel) -> Timeline:
    return torch_memory.eager_beside_input(part.layers, part.input_shape, is_first=part.is_first)


def _training_part(part: PartInModel) -> Timeline:
    return torch_memory.saved_for_backward(
        part.layers, part.input_shape, drops=part.drops, input_is_saved=part.input_is_saved
    )


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """What a rule makes of a plan: elements at each step, the most, and the layer behind it."""

    rule: MemoryRule
    steps: tuple[tuple[Layer, int], ...]
    peak: int
    culprit: Layer

    def peak_bytes(self, dtype: str) -> int:
        """Return the peak in bytes."""
        return self.peak * ELEMENT_BYTES[dtype]


LAYERWISE: Final = _local(
    "layerwise",
    "an operation's input and output, and a shortcut that waits beside it",
    "mcunet's count_peak_activation_size",
    deployed_memory.layerwise,
)
INPLACE_DEPTHWISE: Final = _local(
    "inplace-depthwise",
    "the same, but depthwise convolutions overwrite their input",
    "MCUNetV2's figures, TinyEngine's kernels",
    deployed_memory.inplace_depthwise,
)
EAGER: Final = MemoryRule(
    "eager",
    "live tensors while PyTorch runs module by module, without gradients",
    "equal to the storages that a forward pass keeps alive",
    torch_memory.eager,
    _eager_part,
    input_stays=True,
)
TRAINING: Final = MemoryRule(
    "training",
    "tensors that autograd saves for the backward pass, parameters apart",
    "equal to the storages that saved_tensors_hooks see",
    torch_memory.training,
    _training_part,
    grows=True,
)

MEMORY_RULES: Final = (LAYERWISE, INPLACE_DEPTHWISE, EAGER, TRAINING)


def memory_use(rule: MemoryRule, plan: Plan) -> MemoryUse:
    """Return the timeline of ``plan`` under ``rule``, its peak and the layer that causes it.

    Where memory only grows, that is the layer that adds most; else the first at the peak.
    """
    timeline = zip(plan.layers, rule.timeline(plan), strict=True)
    steps = tuple((layer, used) for layer, used in timeline if used is not None)
    peak = max(used for _layer, used in steps)
    if rule.grows:
        added = [after - before for before, after in pairwise([0, *(used for _, used in steps)])]
        culprit = steps[added.index(max(added))][0]
    else:
        culprit = next(layer for layer, used in steps if used == peak)
    return MemoryUse(rule, steps, peak, culprit)


def rule_named(name: str) -> MemoryRule:
    """Return the rule of this name. Raises `UserError` if there is none."""
    names = {rule.name: rule for rule in MEMORY_RULES}
    if name not in names:
        raise UserError(
            f"--rule must be one of {', '.join(names)}, not '{name}'{nearest(name, names)}"
        )
    return names[name]


def dtype_named(name: str) -> str:
    """Return ``name`` if that is an element type. Raises `UserError` if not."""
    if name not in ELEMENT_BYTES:
        raise UserError(
            f"--dtype must be one of {', '.join(ELEMENT_BYTES)}, not '{name}'"
            f"{nearest(name, ELEMENT_BYTES)}"
        )
    return name
