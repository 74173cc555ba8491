"""Whether there is memory enough for a forward pass."""

from __future__ import annotations

from mbv2cli.plan import Plan
from mbv2cli.plan.memory import EAGER, memory_use
from mbv2cli.plan.weights import state_bytes
from mbv2cli.specs import RunSpec


def refuse_beyond_memory(plan: Plan, run: RunSpec) -> None:
    """Raise `UserError` if the forward pass of ``plan`` would not fit. Loads torch."""
    from mbv2cli.nn import memory_guard

    needed = state_bytes(plan, run.dtype) + memory_use(EAGER, plan).peak_bytes(run.dtype)
    memory_guard.refuse_beyond_memory(run, plan.input_shape, needed)
