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
from mbv2cli.plan.layers import Layer
from mbv2cli.plan.plan import Plan, Timeline

ELEMENT_BYTES: Final = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "int8": 1}
"""Bytes of one element, by dtype."""


@dataclass(frozen=True, slots=True)
class MemoryRule:
    """A named way to tell which tensors are alive at a moment."""

    name: str
    counts: str
    source: str
    timeline: Callable[[Plan], Timeline]
    grows: bool = False


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """What a rule makes of a plan, in elements."""

    rule: MemoryRule
    timeline: Timeline
    peak: int
    culprit: Layer

    def peak_bytes(self, dtype: str) -> int:
        """Return the peak in bytes."""
        return self.peak * ELEMENT_BYTES[dtype]


LAYERWISE: Final = MemoryRule(
    "layerwise",
    "input and output of one operation, and a shortcut that waits",
    "mcunet's count_peak_activation_size",
    deployed_memory.layerwise,
)
INPLACE_DEPTHWISE: Final = MemoryRule(
    "inplace-depthwise",
    "the same, a depthwise convolution overwriting its input",
    "MCUNetV2, TinyEngine",
    deployed_memory.inplace_depthwise,
)
EAGER: Final = MemoryRule(
    "eager",
    "live tensors when PyTorch runs the modules without gradients",
    "equals live storages, tracked",
    torch_memory.eager,
)
TRAINING: Final = MemoryRule(
    "training",
    "tensors that autograd has saved for the backward pass",
    "equals saved_tensors_hooks",
    torch_memory.training,
    grows=True,
)

MEMORY_RULES: Final = (LAYERWISE, INPLACE_DEPTHWISE, EAGER, TRAINING)


def memory_use(rule: MemoryRule, plan: Plan) -> MemoryUse:
    """Return the timeline of ``plan`` under ``rule``, its peak and the layer that causes it.

    Where memory only grows, that is the layer that adds most; else the first at the peak.
    """
    timeline = rule.timeline(plan)
    steps = [(used, layer) for used, layer in zip(timeline, plan.layers, strict=True) if used]
    peak = max(used for used, _layer in steps)
    if rule.grows:
        totals = [0, *(used for used, _layer in steps)]
        added = [after - before for before, after in pairwise(totals)]
        return MemoryUse(rule, timeline, peak, steps[added.index(max(added))][1])
    return MemoryUse(rule, timeline, peak, next(layer for used, layer in steps if used == peak))


def rule_named(name: str) -> MemoryRule:
    """Return the rule of this name. Raises `UserError` if there is none."""
    names = {rule.name: rule for rule in MEMORY_RULES}
    if name not in names:
        raise UserError(
            f"--rule must be one of {', '.join(names)}, not '{name}'{nearest(name, names)}"
        )
    return names[name]
