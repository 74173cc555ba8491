"""Which MobileNetV2 a graph is: the presets and the spec whose planned graph it equals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from math import prod
from typing import Final

from mbv2cli.errors import UserError
from mbv2cli.graph.build import planned_graph
from mbv2cli.graph.graph import Graph
from mbv2cli.graph.ops import Conv, Kind, Op
from mbv2cli.identify.faults import Fault, faults
from mbv2cli.identify.reading import Reading, read
from mbv2cli.identify.steps import Steps, steps_of
from mbv2cli.inspection import ModelSpec
from mbv2cli.specs.block import BlockSpec
from mbv2cli.specs.network import NetworkSpec
from mbv2cli.specs.origin import Origin
from mbv2cli.specs.presets import presets
from mbv2cli.specs.reader import read_request

FAR: Final = 0.5
"""From this share of blocks that differ on, a preset is not near."""

_SCALINGS: Final = (
    ("scaled", "widen"),
    ("scaled", "scaled"),
    ("scaled", "fixed"),
    ("fixed", "fixed"),
)
"""Which of stem and head the width multiplier scales: torchvision's way, and others' ways."""

_IMAGE_DIMENSIONS: Final = 4
"""Batch, channels, height, width."""

_HELD: Final = (16, 8)
"""Output strides that replace strides by dilation."""


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
    spec = reading.spec(steps.dropout)
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
    wanted = _network(spec)
    same = [name for name, one in preset_networks().items() if _network(one) == wanted]
    yield from sorted(same, key=lambda name: preset_networks()[name].dropout != spec.dropout)
    if not same and (target := scaled_target(spec)):
        yield target


def _network(spec: NetworkSpec) -> tuple[object, ...]:
    """Return all that makes a network what it is, but for its dropout.

    Several expand ratios give the same hidden channels.
    """
    blocks = tuple((one.hidden_channels, one.has_expansion) for one in spec.blocks)
    others = tuple(one.model_copy(update={"expand": 1}) for one in spec.blocks)
    head, stem = spec.head_channels, spec.stem_channels
    return spec.in_channels, stem, blocks, others, head, spec.classes, spec.act


@cache
def preset_networks() -> Mapping[str, NetworkSpec]:
    """Return the networks among the presets; of equal ones, the name that people know is first."""
    names = ("torchvision", *(name for name in presets() if name != "torchvision"))
    specs = {name: read_request(name).spec for name in names}
    return {name: spec for name, spec in specs.items() if isinstance(spec, NetworkSpec)}


def scaled_target(spec: NetworkSpec) -> str:
    """Return ``network:width_mult=0.6,classes=10`` if that is the network; "" if none is."""
    widths = sorted(
        {round(step / 100, 2) for step in range(5, 205)},
        key=lambda width: abs(width - spec.blocks[-1].out_channels / 320),
    )[:24]
    own = {"in": spec.in_channels, "classes": spec.classes, "act": spec.act}
    defaults = NetworkSpec()
    changed: dict[str, object] = {
        key: value
        for (key, value), default in zip(
            own.items(), (defaults.in_channels, defaults.classes, defaults.act), strict=True
        )
        if value != default
    }
    expand = {block.expand for block in spec.blocks if block.has_expansion}
    if len(expand) == 1:
        changed["expand"] = expand.pop()
    wanted, output_stride = _network(spec), _output_stride(spec)
    for stem_scaling, head_scaling in _SCALINGS:
        for width in widths:
            fields = {
                "width_mult": width,
                "stem_scaling": stem_scaling,
                "head_scaling": head_scaling,
                **({"head": 0} if not spec.head_channels else {}),
                **({"output_stride": output_stride} if output_stride in _HELD else {}),
                **changed,
            }
            try:
                candidate = NetworkSpec.model_validate(fields)
            except UserError:
                continue
            if _network(candidate) == wanted:
                return _target(fields)
    return ""


def _output_stride(spec: NetworkSpec) -> int:
    """Return input size ÷ last feature map size, as the strides of the blocks have it."""
    return prod([spec.stem_strides[0], *(block.strides[0] for block in spec.blocks)])


def _target(fields: Mapping[str, object]) -> str:
    usual = {"width_mult": 1.0, "stem_scaling": "scaled", "head_scaling": "widen", "expand": 6}
    given = [f"{key}={value}" for key, value in fields.items() if usual.get(key) != value]
    return f"network:{','.join(given)}" if given else "network"


def block_target(spec: BlockSpec) -> str:
    """Return ``block:in=16,out=24``, which means the block of a spec."""
    values = spec.model_dump(by_alias=True)
    defaults = BlockSpec().model_dump(by_alias=True)
    given = [
        f"{key}={value}"
        for key, value in values.items()
        if key in ("in", "out") or value != defaults[key]
    ]
    return f"block:{','.join(given)}"


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
    return others + 0.3 * (strides + classes + act)


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
