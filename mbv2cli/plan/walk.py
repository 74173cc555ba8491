"""The layer list of a spec, in the order in which the forward pass runs it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple, Protocol, TypeAlias

from mbv2cli.plan import arithmetic
from mbv2cli.plan.layers import Layer, Role, Shape
from mbv2cli.specs.block import BlockSpec
from mbv2cli.specs.network import STEM_KERNEL, STEM_STRIDE, NetworkSpec

MODULE_OF_ACTIVATION = {
    "relu": "ReLU",
    "relu6": "ReLU6",
    "hardswish": "Hardswish",
    "silu": "SiLU",
    "gelu": "GELU",
    "leaky_relu": "LeakyReLU",
    "identity": "Identity",
}


class _Walk:
    """Adds one operation after the other, each on the output of the one before.

    Modules are numbered as torchsummary numbers them: by the end of their forward, leaving out
    Sequential and the root.
    """

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.layers: list[Layer] = []
        self._modules = 0
        self._shortcut: Shape | None = None
        self._waiting: Shape | None = None
        self._stage = ""
        self._block = ""

    def enter(self, stage: str, block: str) -> None:
        """Let the layers from here on belong to this stage and this part of the network."""
        self._stage, self._block = stage, block

    def conv(
        self,
        path: str,
        role: Role,
        out_channels: int,
        *,
        kernel: int = 1,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
    ) -> None:
        """Add a convolution without bias."""
        batch, in_channels, height, width = self.shape
        out_height = arithmetic.conv_side(height, kernel, stride, dilation)
        out_width = arithmetic.conv_side(width, kernel, stride, dilation)
        positions = batch * out_height * out_width
        params = arithmetic.conv_params(in_channels, out_channels, kernel, groups)
        self._add_module(
            "Conv2d",
            path,
            role,
            (batch, out_channels, out_height, out_width),
            kernel=kernel,
            stride=stride,
            dilation=dilation,
            groups=groups,
            params=params,
            trainable_params=params,
            macs=arithmetic.conv_macs(positions, in_channels, out_channels, kernel, groups),
        )

    def norm(self, path: str) -> None:
        """Add BatchNorm."""
        channels = self.shape[1]
        params = arithmetic.norm_params(channels)
        self._add_module(
            "BatchNorm2d",
            path,
            Role.NORM,
            self.shape,
            params=params,
            trainable_params=params,
            buffers=arithmetic.norm_buffers(channels),
        )

    def act(self, path: str, act: str) -> None:
        """Add an activation."""
        self._add_module(MODULE_OF_ACTIVATION[act], path, Role.ACTIVATION, self.shape)

    def dropout(self, path: str) -> None:
        """Add dropout, which does nothing in eval mode."""
        self._add_module("Dropout", path, Role.DROPOUT, self.shape)

    def linear(self, path: str, out_features: int) -> None:
        """Add the classifier."""
        batch, in_features = self.shape
        params = arithmetic.linear_params(in_features, out_features)
        self._add_module(
            "Linear",
            path,
            Role.CLASSIFIER,
            (batch, out_features),
            params=params,
            trainable_params=params,
            macs=arithmetic.linear_macs(batch, in_features, out_features),
        )

    def pool(self) -> None:
        """Add global average pooling and the flattening after it, which are no modules."""
        batch, channels, _, _ = self.shape
        self._add(None, "", "adaptive_avg_pool2d", Role.POOL, (batch, channels, 1, 1))
        self._add(None, "", "flatten", Role.FLATTEN, (batch, channels))

    def open_shortcut(self) -> None:
        """Let the present output wait for the shortcut, beside all layers but the next."""
        self._shortcut = self.shape

    def close_shortcut(self, path: str) -> None:
        """Add the addition, run by the block at ``path``."""
        self._add(None, path, "add", Role.SHORTCUT, self.shape)
        self._shortcut = self._waiting = None

    def container(self, path: str, input_shape: Shape) -> None:
        """Add the row of an inverted residual block, after the layers in it."""
        output_shape, self.shape = self.shape, input_shape
        self._add_module("InvertedResidual", path, Role.BLOCK, output_shape)

    def _add_module(
        self, type_: str, path: str, role: Role, output_shape: Shape, **costs: int
    ) -> None:
        self._modules += 1
        self._add(f"{type_}-{self._modules}", path, type_, role, output_shape, **costs)

    def _add(
        self,
        name: str | None,
        path: str,
        type_: str,
        role: Role,
        output_shape: Shape,
        **costs: int,
    ) -> None:
        self.layers.append(
            Layer(
                name,
                path,
                type_,
                role,
                self.shape,
                output_shape,
                shortcut_shape=self._waiting,
                keeps_input=self._shortcut is not None and self._waiting is None,
                stage=self._stage,
                block=self._block,
                **costs,
            )
        )
        self.shape = output_shape
        self._waiting = self._shortcut


@dataclass(frozen=True, slots=True)
class Stem:
    """The first convolution of a network, with BatchNorm and activation."""

    out_channels: int
    act: str


@dataclass(frozen=True, slots=True)
class Head:
    """The last 1×1 convolution of a network, with BatchNorm and activation."""

    out_channels: int
    act: str


@dataclass(frozen=True, slots=True)
class Classifier:
    """Global pooling, dropout and the linear layer."""

    classes: int


class Block(Protocol):
    """What the walk needs to know of an inverted residual block, as `BlockSpec` tells it."""

    def __hash__(self) -> int: ...
    @property
    def out_channels(self) -> int: ...
    @property
    def hidden_channels(self) -> int: ...
    @property
    def kernel(self) -> int: ...
    @property
    def stride(self) -> int: ...
    @property
    def dilation(self) -> int: ...
    @property
    def act(self) -> str: ...
    @property
    def has_expansion(self) -> bool: ...
    @property
    def has_shortcut(self) -> bool: ...


Part: TypeAlias = Stem | Block | Head | Classifier


class PlacedPart(NamedTuple):
    """A part of a model: its stage, its path (empty for a block that is the model), itself."""

    stage: str
    path: str
    part: Part


def parts(spec: BlockSpec | NetworkSpec) -> tuple[PlacedPart, ...]:
    """Return what a model is made of, in forward order."""
    if isinstance(spec, BlockSpec):
        return (_alone(spec),)
    repeats = enumerate(spec.repeats, start=1)
    stages = chain.from_iterable([f"s{number}"] * count for number, count in repeats)
    features: tuple[tuple[str, Part], ...] = (
        ("stem", Stem(spec.stem_channels, spec.act)),
        *zip(stages, spec.blocks, strict=True),
        ("head", Head(spec.head_channels, spec.act)),
    )
    placed = (
        PlacedPart(stage, f"features.{index}", part) for index, (stage, part) in enumerate(features)
    )
    if not spec.classes:
        return tuple(placed)
    return (*placed, PlacedPart("classifier", "classifier", Classifier(spec.classes)))


def part_layers(part: Part, input_shape: Shape) -> tuple[Layer, ...]:
    """Return the layers of a part by itself: no row stands for a block."""
    return placed_layers([_alone(part)], input_shape)


def model_layers(spec: BlockSpec | NetworkSpec, input_shape: Shape) -> tuple[Layer, ...]:
    """Return the layers of a block, or of a network: stem, blocks, head and classifier."""
    return placed_layers(parts(spec), input_shape)


def placed_layers(placed: Iterable[PlacedPart], input_shape: Shape) -> tuple[Layer, ...]:
    """Return the layers of parts that follow each other; blocks with a path have a row."""
    walk = _Walk(input_shape)
    for stage, path, part in placed:
        walk.enter(stage, path or "block")
        _walk_part(walk, part, path)
    return tuple(walk.layers)


def _alone(part: Part) -> PlacedPart:
    return PlacedPart("block", "", part)


def _walk_part(walk: _Walk, part: Part, path: str) -> None:
    match part:
        case Stem():
            _walk_conv_norm_act(
                walk,
                path,
                Role.STEM,
                part.out_channels,
                part.act,
                kernel=STEM_KERNEL,
                stride=STEM_STRIDE,
            )
        case Head():
            _walk_conv_norm_act(walk, path, Role.HEAD, part.out_channels, part.act)
        case Classifier():
            walk.pool()
            walk.dropout(f"{path}.0")
            walk.linear(f"{path}.1", part.classes)
        case _:
            _walk_block(walk, part, path)


def _walk_block(walk: _Walk, spec: Block, path: str) -> None:
    block_input = walk.shape
    conv = f"{path}.conv" if path else "conv"
    if spec.has_shortcut:
        walk.open_shortcut()
    step = 0
    if spec.has_expansion:
        _walk_conv_norm_act(walk, f"{conv}.{step}", Role.EXPANSION, spec.hidden_channels, spec.act)
        step += 1
    _walk_conv_norm_act(
        walk,
        f"{conv}.{step}",
        Role.DEPTHWISE,
        spec.hidden_channels,
        spec.act,
        kernel=spec.kernel,
        stride=spec.stride,
        dilation=spec.dilation,
        groups=spec.hidden_channels,
    )
    walk.conv(f"{conv}.{step + 1}", Role.PROJECTION, spec.out_channels)
    walk.norm(f"{conv}.{step + 2}")
    if spec.has_shortcut:
        walk.close_shortcut(path)
    if path:
        walk.container(path, block_input)


def _walk_conv_norm_act(
    walk: _Walk,
    path: str,
    role: Role,
    out_channels: int,
    act: str,
    *,
    kernel: int = 1,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
) -> None:
    walk.conv(
        f"{path}.0",
        role,
        out_channels,
        kernel=kernel,
        stride=stride,
        dilation=dilation,
        groups=groups,
    )
    walk.norm(f"{path}.1")
    walk.act(f"{path}.2", act)
