"""The forward pass of a plan of the old kind: `mbv2cli.confirm` has replaced this file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mbv2cli import confirm
from mbv2cli.inspection import Plan as NewPlan
from mbv2cli.plan import Plan
from mbv2cli.specs import RunSpec

if TYPE_CHECKING:
    from mbv2cli.nn.forward import ForwardRun


def confirmed_forward(plan: Plan, run: RunSpec) -> ForwardRun:
    """Run the forward pass of ``plan``; return it if it agrees."""
    return confirm.confirmed_forward(NewPlan(plan.spec, plan.input_shape), run)
