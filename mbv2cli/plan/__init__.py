"""What it costs: the layer list of a spec and the arithmetic on it. No torch, no numpy."""

from mbv2cli.plan.layers import Kind, Layer, Role, Shape
from mbv2cli.plan.plan import Plan, Totals, plan_of

__all__ = ["Kind", "Layer", "Plan", "Role", "Shape", "Totals", "plan_of"]
