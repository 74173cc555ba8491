"""The layer list of a spec, in the order in which the forward pass runs it."""

from __future__ import annotations

from math import prod

from mbv2cli.plan import arithmetic
from mbv2cli.plan.layers import Layer, Role, Shape
from mbv2cli.spec.block import BlockSpec
from mbv2cli.spec.network import STEM_KERNEL, STEM_STRIDE, NetworkSpec

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
        self._add(
            Layer(
                name=self._next_name("Conv2d"),
                path=path,
                type="Conv2d",
                role=role,
                input_shape=self.shape,
                output_shape=(batch, out_channels, out_height, out_width),
                kernel=kernel,
                stride=stride,
                dilation=dilation,
                groups=groups,
                params=params,
                trainable_params=params,
                macs=arithmetic.conv_macs(positions, in_channels, out_channels, kernel, groups),
            )
        )

    def norm(self, path: str) -> None:
        """Add BatchNorm."""
        channels = self.shape[1]
        params = arithmetic.norm_params(channels)
        self._add(
            Layer(
                name=self._next_name("BatchNorm2d"),
                path=path,
                type="BatchNorm2d",
                role=Role.NORM,
                input_shape=self.shape,
                output_shape=self.shape,
                params=params,
                trainable_params=params,
                buffers=arithmetic.norm_buffers(channels),
            )
        )

    def act(self, path: str, act: str) -> None:
        """Add an activation."""
        self._module(path, MODULE_OF_ACTIVATION[act], Role.ACTIVATION)

    def dropout(self, path: str) -> None:
        """Add dropout, which does nothing in eval mode."""
        self._module(path, "Dropout", Role.DROPOUT)

    def linear(self, path: str, out_features: int) -> None:
        """Add the classifier."""
        batch, in_features = self.shape
        params = arithmetic.linear_params(in_features, out_features)
        self._add(
            Layer(
                name=self._next_name("Linear"),
                path=path,
                type="Linear",
                role=Role.CLASSIFIER,
                input_shape=self.shape,
                output_shape=(batch, out_features),
                params=params,
                trainable_params=params,
                macs=arithmetic.linear_macs(batch, in_features, out_features),
            )
        )

    def functional(self, path: str, operation: str, role: Role, output_shape: Shape) -> None:
        """Add an operation that is no module."""
        self._add(Layer(None, path, operation, role, self.shape, output_shape))

    def container(self, path: str, input_shape: Shape) -> None:
        """Add the row of an inverted residual block, after the layers in it."""
        name = self._next_name("InvertedResidual")
        self._add(Layer(name, path, "InvertedResidual", Role.BLOCK, input_shape, self.shape))

    def _module(self, path: str, type_: str, role: Role) -> None:
        self._add(Layer(self._next_name(type_), path, type_, role, self.shape, self.shape))

    def _next_name(self, type_: str) -> str:
        self._modules += 1
        return f"{type_}-{self._modules}"

    def _add(self, layer: Layer) -> None:
        self.layers.append(layer)
        self.shape = layer.output_shape


def block_layers(spec: BlockSpec, input_shape: Shape) -> tuple[Layer, ...]:
    """Return the layers of a block that is the root: no row stands for the block itself."""
    walk = _Walk(input_shape)
    _walk_block(walk, spec, "")
    return tuple(walk.layers)


def network_layers(spec: NetworkSpec, input_shape: Shape) -> tuple[Layer, ...]:
    """Return the layers of a network: stem, blocks, head, then pooling and classifier if any."""
    walk = _Walk(input_shape)
    _walk_conv_norm_act(
        walk,
        "features.0",
        Role.STEM,
        spec.stem_channels,
        spec.act,
        kernel=STEM_KERNEL,
        stride=STEM_STRIDE,
    )
    blocks = spec.blocks()
    for index, block in enumerate(blocks, start=1):
        block_input = walk.shape
        _walk_block(walk, block, f"features.{index}")
        walk.container(f"features.{index}", block_input)
    _walk_conv_norm_act(
        walk, f"features.{len(blocks) + 1}", Role.HEAD, spec.head_channels, spec.act
    )
    if spec.classes:
        batch, channels, _, _ = walk.shape
        walk.functional("", "adaptive_avg_pool2d", Role.POOL, (batch, channels, 1, 1))
        walk.functional("", "flatten", Role.FLATTEN, (batch, prod(walk.shape[1:])))
        walk.dropout("classifier.0")
        walk.linear("classifier.1", spec.classes)
    return tuple(walk.layers)


def _walk_block(walk: _Walk, spec: BlockSpec, path: str) -> None:
    conv = f"{path}.conv" if path else "conv"
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
        walk.functional(path, "add", Role.SHORTCUT, walk.shape)


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
