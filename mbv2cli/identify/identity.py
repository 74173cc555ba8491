"""Which MobileNetV2 a graph is: the presets and the spec whose planned graph it equals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final

from mbv2cli.errors import UserError
from mbv2cli.graph.build import planned_graph
from mbv2cli.graph.graph import Graph
from mbv2cli.graph.ops import Conv, Kind, Op
from mbv2cli.identify.faults import Fault, faults
from mbv2cli.identify.reading import Reading, read
from mbv2cli.identify.steps import Steps, steps_of
from mbv2cli.identify.targets import (
    block_target,
    changed_targets,
    preset_networks,
    scaled_target,
    structure_of,
)
from mbv2cli.identify.writing import spec_of
from mbv2cli.inspection import ModelSpec
from mbv2cli.specs.block import BlockSpec
from mbv2cli.specs.network import NetworkSpec
from mbv2cli.specs.origin import Origin
from mbv2cli.specs.reader import read_request

FAR: Final = 0.5
"""From this share of blocks that differ on, a preset is not near."""

_IMAGE_DIMENSIONS: Final = 4
"""Batch, channels, height, width."""


@dataclass(frozen=True)
class Identity:
    """What a graph or a checkpoint is.

    ``spec`` is the nearest spec; None if the graph is no inverted residual and no network of
    them. ``faults`` are the differences from its planned graph: with none of them, plan and
    forward pass agree. ``names`` are the targets that mean this network, presets first.
    ``nearest`` is the preset that is nearest where ``names`` is empty, and ``distance`` are the
    differences from it. ``contents`` says what the graph has, and ``compared`` how many of its
    operations are structure. ``remarks`` are on the rest.

    ``origin`` tells how each field of the spec of a checkpoint is known; None for a graph. If a
    checkpoint is no MobileNetV2, ``reason`` says why: the end of a sentence.
    """

    spec: ModelSpec | None
    faults: tuple[Fault, ...]
    names: tuple[str, ...]
    nearest: str | None
    distance: tuple[Fault, ...]
    contents: str
    compared: int
    remarks: tuple[str, ...]
    origin: Origin | None = None
    reason: str = ""

    @property
    def is_proved(self) -> bool:
        """Whether the planned graph of the spec equals the graph, which a checkpoint has not."""
        return self.spec is not None and not self.faults and self.origin is None


def may_be_identified(graph: Graph) -> bool:
    """Return whether a graph has a depthwise convolution, without which there is no block."""
    return any(map(_is_depthwise, graph.ops))


def identify(graph: Graph) -> Identity:
    """Return what a graph is."""
    steps = steps_of(graph)
    reading = read(steps)
    spec = spec_of(reading, steps.dropout)
    found = _faults(spec, steps) if spec else ()
    names = tuple(_names(spec)) if spec and not found else ()
    nearest = None if names else _nearest(reading)
    return Identity(
        spec,
        found,
        names,
        nearest,
        _faults(read_request(nearest).spec, steps) if nearest else (),
        _contents(graph),
        len(steps.steps),
        (*([f"dropout {steps.dropout:g}"] if steps.dropout else []), *steps.remarks),
    )


def differs_from(graph: Graph, spec: ModelSpec) -> tuple[Fault, ...]:
    """Return where a graph differs from the planned graph of ``spec``."""
    return _faults(spec, steps_of(graph))


def _faults(spec: ModelSpec, observed: Steps) -> tuple[Fault, ...]:
    shape, *further = observed.graph.input_shapes
    channels = spec.in_channels
    if further or len(shape) != _IMAGE_DIMENSIONS:
        shapes = " and ".join(map(str, observed.graph.input_shapes))
        return (Fault("the model itself", f"takes inputs of shape {shapes}, not one image"),)
    try:
        planned = planned_graph(spec, (shape[0], channels, *shape[2:]))
    except (UserError, ZeroDivisionError):
        return (Fault("the model itself", "the input is too small for the plan"),)
    return faults(steps_of(planned), observed)


def _names(spec: ModelSpec) -> Iterator[str]:
    """Yield the targets whose network is that of ``spec``, with or without its dropout."""
    if isinstance(spec, BlockSpec):
        yield block_target(spec)
        return
    wanted = structure_of(spec)
    same = [name for name, one in preset_networks().items() if structure_of(one) == wanted]
    yield from sorted(same, key=lambda name: preset_networks()[name].dropout != spec.dropout)
    if same:
        return
    scaled, changed = scaled_target(spec), [*changed_targets(spec)]
    fewest = min((target.count("=") for target in changed), default=len(scaled))
    if scaled and scaled.count("=") <= fewest:
        yield scaled
    else:
        yield from (target for target in changed if target.count("=") == fewest)


def _nearest(reading: Reading) -> str | None:
    """Return the preset that has most of the blocks; None if no preset has half of them."""
    if reading.stem is None or len(reading.blocks) < 2:  # noqa: PLR2004  (a network of blocks)
        return None
    distances = {name: _distance(reading, spec) for name, spec in preset_networks().items()}
    name = min(distances, key=lambda one: distances[one])
    return name if distances[name] < FAR * len(preset_networks()[name].blocks) else None


def _distance(reading: Reading, spec: NetworkSpec) -> float:
    """Return how many blocks differ, and how much else."""
    own = [(b.in_channels, b.hidden_channels, b.out_channels) for b in spec.blocks]
    seen = [(b.in_channels, b.hidden_channels, b.out_channels) for b in reading.blocks]
    matcher = SequenceMatcher(None, own, seen, autojunk=False)
    same = [(m.a + i, m.b + i) for m in matcher.get_matching_blocks() for i in range(m.size)]
    strides = sum(spec.blocks[a].stride != reading.blocks[b].stride for a, b in same)
    others = max(len(own), len(seen)) - len(same)
    classes = spec.classes != reading.classes
    act = spec.act != reading.act
    throughout = (spec.norm_eps != reading.norm_eps) + (spec.padding != reading.padding)
    return others + 0.3 * (strides + classes + act) + 0.01 * throughout


def _contents(graph: Graph) -> str:
    """Return what a graph has: ``53 convolutions, 17 of them depthwise; 1 linear layer``."""
    convs = [op for op in graph.ops if op.kind is Kind.CONV]
    depthwise = sum(map(_is_depthwise, convs))
    linears = sum(op.kind is Kind.LINEAR for op in graph.ops)
    adds = sum(op.kind is Kind.ADD and len(op.inputs) > 1 for op in graph.ops)
    return (
        f"{_count(len(convs), 'convolution')}, {depthwise} of them depthwise; "
        f"{_count(adds, 'addition')}; {_count(linears, 'linear layer')}"
    )


def _is_depthwise(op: Op) -> bool:
    conv = op.attributes
    return isinstance(conv, Conv) and conv.groups == op.input_shapes[0][1] > 1


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
