"""What `mbv2 memory` has to tell, as data."""

from __future__ import annotations

from dataclasses import dataclass

from mbv2cli.plan import Plan, plan_of
from mbv2cli.plan.memory import MEMORY_RULES, MemoryUse, memory_use
from mbv2cli.plan.torchsummary_sizes import PassSize, pass_size
from mbv2cli.specs.reader import Request


@dataclass(frozen=True, slots=True)
class MemoryReport:
    """The memory of a request under every rule, its weights, and torchsummary's own figure."""

    request: Request
    plan: Plan
    uses: tuple[MemoryUse, ...]
    pass_size: PassSize


def memory_of(request: Request) -> MemoryReport:
    """Return the memory of ``request``. Loads no torch."""
    plan = plan_of(request.spec, request.input)
    uses = tuple(memory_use(rule, plan) for rule in MEMORY_RULES)
    return MemoryReport(request, plan, uses, pass_size(plan.layers))
