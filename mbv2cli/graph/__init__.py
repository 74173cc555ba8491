"""The one representation of a model: operations in execution order, values by number, scopes."""

from mbv2cli.graph.graph import Graph, Scope, Segment
from mbv2cli.graph.ops import Kind, Op, Shape

__all__ = ["Graph", "Kind", "Op", "Scope", "Segment", "Shape"]
