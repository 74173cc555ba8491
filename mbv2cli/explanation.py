"""What a block does and costs, part by part, beside other blocks for the same task."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from mbv2cli.costs.figures import PEAK, Counting
from mbv2cli.costs.layers import By, GroupFigures, LayerFigures, grouped, layer_figures
from mbv2cli.costs.memory import LAYERWISE
from mbv2cli.errors import UserError
from mbv2cli.graph.build import (
    activation,
    add,
    conv,
    conv_bn_act,
    norm,
    projected_shortcut,
    same,
    squeeze_excite,
)
from mbv2cli.graph.graph import Graph, GraphBuilder
from mbv2cli.graph.ops import Shape
from mbv2cli.graph.rows import Role
from mbv2cli.graph.segments import segments_of
from mbv2cli.inspection import Observed, Plan
from mbv2cli.specs.block import BlockSpec
from mbv2cli.specs.network import NetworkSpec

DTYPE: Final = "float32"
"""The element type of every number of bytes in an explanation."""

_COUNTING: Final = Counting(rule=LAYERWISE.name, dtype=DTYPE)
_PARTS: Final = (
    *(Role.EXPANSION, Role.DEPTHWISE, Role.SQUEEZE_EXCITE, Role.PROJECTION, Role.SHORTCUT),
    Role.CONVOLUTION,
)
_REDUCTION: Final = 4
"""How much narrower the middle of a classic bottleneck is (arXiv 1512.03385, table 1)."""

_CHANGES: Final = (
    {"stride": 1},
    {"stride": 2},
    *({"expand": 1}, {"expand": 3}, {"expand": 6}),
    *({"kernel": 3}, {"kernel": 5}),
)
"""Fields of a block that a reader may try, one at a time."""


class PartCosts(NamedTuple):
    """A part of a block: a convolution with its BatchNorm and activation, or another part.

    ``layerwise_bytes`` is the most that is alive while the part runs, by the rule ``layerwise``.
    """

    role: Role
    params: int
    macs: int
    layerwise_bytes: int


class Costs(NamedTuple):
    """What a block costs. ``output_shape`` is (B, out, H, W)."""

    output_shape: Shape
    params: int
    macs: int
    layerwise_bytes: int


class Alternative(NamedTuple):
    """Other layers with the same input and output shape. ``middle`` is their inner width."""

    middle: int | None
    costs: Costs


class Change(NamedTuple):
    """The same block with another value of one field."""

    key: str
    value: int
    spec: BlockSpec
    costs: Costs


@dataclass(frozen=True, slots=True)
class BlockExplanation:
    """A block on an input of ``input_shape`` (B, in, H, W), its parts, and what could replace it.

    ``dense`` is one dense convolution, ``dense_middle`` this block with a dense convolution in
    place of the depthwise one, ``unfused`` a fused block with an expansion and a depthwise
    convolution instead, ``bottleneck`` the block of ResNet. Each is None where the block is it
    itself, or has no such convolution.
    """

    spec: BlockSpec
    input_shape: Shape
    costs: Costs
    parts: tuple[PartCosts, ...]
    dense: Alternative | None
    dense_middle: Alternative | None
    unfused: Alternative | None
    bottleneck: Alternative
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class NetworkExplanation:
    """A network on an input, and the figures of each of its stages.

    ``blocks`` are its blocks in forward order, each with the name of its stage.
    """

    spec: NetworkSpec
    input_shape: Shape
    costs: Costs
    blocks: tuple[tuple[str, BlockSpec], ...]
    stages: tuple[GroupFigures, ...]
    kinds: tuple[GroupFigures, ...]


def explain_block(spec: BlockSpec, input_shape: Shape) -> BlockExplanation:
    """Return the explanation of a block on an input of ``input_shape`` (B, in, H, W)."""
    plan = Plan(spec, input_shape)
    return BlockExplanation(
        spec,
        input_shape,
        _costs(plan.graph),
        tuple(_parts(layer_figures(plan.graph, plan.layers, DTYPE))),
        None if spec.type == "conv" else _dense(spec, input_shape),
        _dense_middle(spec, input_shape) if spec.type == "inverted" else None,
        _unfused(spec, input_shape) if spec.type == "fused" else None,
        _bottleneck(spec, input_shape),
        tuple(_changes(spec, input_shape)),
    )


def explain_network(spec: NetworkSpec, input_shape: Shape) -> NetworkExplanation:
    """Return the explanation of a network on an input of ``input_shape`` (B, in, H, W)."""
    plan = Plan(spec, input_shape)
    figures = layer_figures(plan.graph, plan.layers, DTYPE)
    return NetworkExplanation(
        spec,
        input_shape,
        _costs(plan.graph),
        tuple((stage, one) for stage, _, one in segments_of(spec) if isinstance(one, BlockSpec)),
        grouped(figures, By.STAGE),
        grouped(figures, By.KIND),
    )


def block_in(spec: NetworkSpec, input_shape: Shape, path: str) -> tuple[BlockSpec, Shape]:
    """Return the block of a network at ``path`` (``features.3``), and the shape of its input.

    Raises `UserError` if no block is there.
    """
    graph = Plan(spec, input_shape).graph
    blocks = {
        placed.path: placed.spec
        for placed in segments_of(spec)
        if isinstance(placed.spec, BlockSpec)
    }
    if path not in blocks:
        first, *_, last = [*blocks, *blocks] or ["none", "none"]
        raise UserError(f"{path} is not a block of the network; its blocks are {first} to {last}")
    inputs = {scope.path: scope.inputs[0] for scope in graph.scopes if scope.path == path}
    return blocks[path], graph.shapes[inputs[path]]


def _costs(graph: Graph) -> Costs:
    model = Observed(graph)
    totals = model.totals
    return Costs(graph.output_shape, totals.params, totals.macs, model.figure(PEAK, _COUNTING))


def _parts(figures: Sequence[LayerFigures]) -> Iterator[PartCosts]:
    """Yield the parts in forward order.

    A norm and an activation belong to what is before them, a padding to what is after it.
    """
    members: dict[Role, list[LayerFigures]] = {}
    layers = [one for one in figures if not one.layer.is_container]
    role = _PARTS[0]
    for one, following in zip(layers, [*layers[1:], layers[-1]], strict=True):
        own = following.layer.role if one.layer.role is Role.PADDING else one.layer.role
        role = own if own in _PARTS else role
        members.setdefault(role, []).append(one)
    for role, layers in members.items():
        yield PartCosts(
            role,
            sum(one.layer.params for one in layers),
            sum(one.macs for one in layers),
            max(one.layerwise_bytes or 0 for one in layers),
        )


def _dense(spec: BlockSpec, input_shape: Shape) -> Alternative:
    """Return one dense convolution with the same kernel, stride and dilation, and BatchNorm."""
    g = GraphBuilder(input_shape)
    how = same(spec.kernel, spec.strides, spec.dilation)
    y = conv_bn_act(g, "", 0, spec.out_channels, spec.act, how=how)
    return Alternative(None, _costs(g.graph(y)))


def _dense_middle(spec: BlockSpec, input_shape: Shape) -> Alternative:
    """Return the block with a dense convolution in place of the depthwise one."""
    g, hidden = GraphBuilder(input_shape), spec.hidden_channels
    y = conv_bn_act(g, "", 0, hidden, spec.act) if spec.has_expansion else 0
    how = same(spec.kernel, spec.strides, spec.dilation)
    y = conv_bn_act(g, "", y, hidden, spec.act, how=how, pads_apart=spec.pads_apart)
    y = squeeze_excite(g, "", y, spec) if spec.has_se else y
    y = norm(g, "", conv(g, "", y, spec.out_channels))
    if spec.projects_shortcut:
        y = add(g, "", projected_shortcut(g, "", 0, spec), y)
    y = add(g, "", 0, y) if spec.has_shortcut else y
    return Alternative(hidden, _costs(g.graph(y)))


def _unfused(spec: BlockSpec, input_shape: Shape) -> Alternative:
    """Return the block with an expansion and a depthwise convolution."""
    plan = Plan(spec.model_copy(update={"type": "inverted"}), input_shape)
    return Alternative(spec.hidden_channels, _costs(plan.graph))


def _bottleneck(spec: BlockSpec, input_shape: Shape) -> Alternative:
    """Return ResNet's bottleneck: narrow, filter densely, widen (arXiv 1512.03385, figure 5).

    The stride is that of the middle convolution. Where the shapes differ, a 1×1 convolution
    projects the shortcut.
    """
    g, out = GraphBuilder(input_shape), spec.out_channels
    middle = max(1, out // _REDUCTION)
    y = conv_bn_act(g, "", 0, middle, spec.act)
    y = conv_bn_act(g, "", y, middle, spec.act, how=same(spec.kernel, spec.strides, spec.dilation))
    y = norm(g, "", conv(g, "", y, out))
    x = 0
    if spec.stride != 1 or spec.in_channels != out:
        x = norm(g, "", conv(g, "", 0, out, same(1, spec.strides)))
    y = activation(g, "", add(g, "", x, y), spec.act)
    return Alternative(middle, _costs(g.graph(y)))


def _changes(spec: BlockSpec, input_shape: Shape) -> Iterator[Change]:
    """Yield the block with each of the changes that is one, and can be built."""
    for change in _CHANGES:
        ((key, value),) = change.items()
        if getattr(spec, key) == value:
            continue
        try:
            fields = {**spec.model_dump(by_alias=True), key: value}
            changed = BlockSpec.model_validate(fields)
        except UserError:
            continue
        yield Change(key, value, changed, _costs(Plan(changed, input_shape).graph))
