"""The rows of a graph: a layer for each module and each functional operation.

Rows are what people and torchsummary call layers: names, roles and stages follow from the graph.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from enum import StrEnum
from typing import Final, NamedTuple

from mbv2cli.graph.graph import Graph, Scope
from mbv2cli.graph.ops import Conv, Op, Shape, Sides
from mbv2cli.graph.ops import Kind as OpKind

BLOCK_TYPE: Final = "InvertedResidual"
FUSED_TYPE: Final = "FusedInvertedResidual"
CONV_TYPE: Final = "ResidualConv"
_EXPANSION_TYPE: Final = "Expansion"
NETWORK_TYPE: Final = "MobileNetV2"


class Role(StrEnum):
    """What a layer is for."""

    STEM = "stem"
    EXPANSION = "expansion"
    DEPTHWISE = "depthwise"
    PROJECTION = "projection"
    HEAD = "head"
    CONVOLUTION = "convolution"
    CLASSIFIER = "classifier"
    LINEAR = "linear"
    NORM = "norm"
    ACTIVATION = "activation"
    SHORTCUT = "shortcut"
    SQUEEZE_EXCITE = "squeeze-excite"
    PADDING = "padding"
    POOL = "pool"
    FLATTEN = "flatten"
    RESHAPE = "reshape"
    DROPOUT = "dropout"
    BLOCK = "block"
    OTHER = "other"


class Kind(StrEnum):
    """The kind of a layer, whatever its place in the network."""

    STEM = "stem"
    POINTWISE = "pointwise"
    DEPTHWISE = "depthwise"
    CONVOLUTION = "convolution"
    LINEAR = "linear"
    NORM = "norm"
    ACTIVATION = "activation"
    SHORTCUT = "shortcut"
    SQUEEZE_EXCITE = "squeeze-excite"
    PADDING = "padding"
    POOLING = "pooling"
    DROPOUT = "dropout"
    OTHER = "other"


_KIND_OF_ROLE: Final = {
    Role.STEM: Kind.STEM,
    Role.EXPANSION: Kind.POINTWISE,
    Role.DEPTHWISE: Kind.DEPTHWISE,
    Role.PROJECTION: Kind.POINTWISE,
    Role.HEAD: Kind.POINTWISE,
    Role.CONVOLUTION: Kind.CONVOLUTION,
    Role.CLASSIFIER: Kind.LINEAR,
    Role.NORM: Kind.NORM,
    Role.ACTIVATION: Kind.ACTIVATION,
    Role.SHORTCUT: Kind.SHORTCUT,
    Role.SQUEEZE_EXCITE: Kind.SQUEEZE_EXCITE,
    Role.PADDING: Kind.PADDING,
    Role.POOL: Kind.POOLING,
    Role.FLATTEN: Kind.POOLING,
    Role.LINEAR: Kind.LINEAR,
    Role.RESHAPE: Kind.OTHER,
    Role.DROPOUT: Kind.DROPOUT,
    Role.OTHER: Kind.OTHER,
}

_ROLE_OF_OP: Final = {
    OpKind.LINEAR: Role.CLASSIFIER,
    OpKind.NORM: Role.NORM,
    OpKind.ACT: Role.ACTIVATION,
    OpKind.ADD: Role.SHORTCUT,
    OpKind.POOL: Role.POOL,
    OpKind.RESHAPE: Role.FLATTEN,
    OpKind.DROPOUT: Role.DROPOUT,
    OpKind.PAD: Role.PADDING,
}
"""The roles that do not depend on the place in the network."""

_BLOCK_ROLES: Final = {
    BLOCK_TYPE: (Role.PROJECTION, Role.DEPTHWISE, Role.EXPANSION),
    FUSED_TYPE: (Role.PROJECTION, Role.EXPANSION),
    CONV_TYPE: (Role.CONVOLUTION,),
    _EXPANSION_TYPE: (Role.EXPANSION,),
}
"""The roles of the convolutions of a block by its type, the last one first."""

_SQUEEZE_EXCITE: Final = "SqueezeExcit"
"""How the types of squeeze-excite modules start."""

_GATING: Final = (OpKind.CONV, OpKind.POOL, OpKind.MUL)


class Layer(NamedTuple):
    """A module, or an operation that is no module of its own.

    ``name`` is torchsummary's (``Conv2d-1``); None for a functional operation, which
    torchsummary does not see. ``op`` is the index of the operation; None for a container, whose
    row comes after the rows of its operations. ``kernel``, ``stride``, ``dilation`` and
    ``groups`` are None where they have no meaning.

    ``stage`` is ``stem``, ``s1`` … (the rows of the paper's Table 2), ``head`` or
    ``classifier``, or ``block`` for a block alone; ``block`` is the path of the segment
    (``features.3``). Both are empty in an observed graph.
    """

    name: str | None
    path: str
    type: str
    role: Role
    input_shape: Shape
    output_shape: Shape
    kernel: Sides | None = None
    stride: Sides | None = None
    dilation: Sides | None = None
    groups: int | None = None
    params: int = 0
    trainable_params: int = 0
    buffers: int = 0
    macs: int = 0
    op: int | None = None
    stage: str = ""
    block: str = ""

    @property
    def kind(self) -> Kind | None:
        """The kind of the layer; None for a container."""
        if self.role is Role.EXPANSION and self.kernel != (1, 1):
            return Kind.CONVOLUTION  # that of a fused block
        return _KIND_OF_ROLE.get(self.role)

    @property
    def is_functional(self) -> bool:
        """Whether the layer is an operation that is no module of its own."""
        return self.name is None

    @property
    def is_container(self) -> bool:
        """Whether the row stands for the operations before it that its module has run."""
        return self.op is None


def layers_of(graph: Graph) -> tuple[Layer, ...]:
    """Return the rows of ``graph`` in torchsummary's order: a module stands where it ends."""
    return tuple(_named(graph, _layers(graph)))


def roles_of(graph: Graph) -> tuple[Role, ...]:
    """Return the role of each operation.

    In an inverted residual block the last convolution is the projection, the one before it is
    depthwise, and the one before that is the expansion. Squeeze-excite and a convolution on the
    shortcut do not count. A block with more convolutions is not ours: the attributes tell.
    """
    roles = [_ROLE_OF_OP.get(op.kind, Role.OTHER) for op in graph.ops]
    convs = [index for index, op in enumerate(graph.ops) if op.kind is OpKind.CONV]
    blocks = [scope for scope in graph.scopes if scope.type in _BLOCK_ROLES]
    in_blocks = {index for block in blocks for index in range(block.start, block.stop)}
    for index in convs:
        if index not in in_blocks:  # inside, attributes may be arrays
            roles[index] = _role_outside_blocks(graph.ops[index], index, convs[0], blocks)
    for index in _gating(graph):
        roles[index] = Role.SQUEEZE_EXCITE
    for block in blocks:
        every = convs[bisect_left(convs, block.start) : bisect_left(convs, block.stop)]
        own = [index for index in every if roles[index] is not Role.SQUEEZE_EXCITE]
        if len(own) > 1 and graph.ops[own[-1]].inputs == block.inputs:
            roles[own.pop()] = Role.SHORTCUT  # it takes what the block takes, after the projection
        for index, role in zip(reversed(own), _BLOCK_ROLES[block.type], strict=False):
            roles[index] = role
        if len(own) > len(_BLOCK_ROLES[block.type]):
            for index in own[:-1]:
                depthwise = is_depthwise(graph.ops[index])
                roles[index] = Role.DEPTHWISE if depthwise else Role.CONVOLUTION
    return tuple(_outside_networks(graph, roles))


def _gating(graph: Graph) -> Iterator[int]:
    """Yield the operations of squeeze-excite, but its activations."""
    for scope in graph.scopes:
        if scope.type.startswith(_SQUEEZE_EXCITE):
            for index in range(scope.start, scope.stop):
                if graph.ops[index].kind in _GATING:
                    yield index


def _outside_networks(graph: Graph, roles: list[Role]) -> Iterator[Role]:
    """Yield the roles; only a network of inverted residuals has a classifier, and flattens."""
    is_ours = any(scope.type in (NETWORK_TYPE, *_BLOCK_ROLES) for scope in graph.scopes)
    general = {} if is_ours else {Role.CLASSIFIER: Role.LINEAR, Role.FLATTEN: Role.RESHAPE}
    return (general.get(role, role) for role in roles)


def _role_outside_blocks(op: Op, index: int, first: int, blocks: list[Scope]) -> Role:
    """Return the role of a convolution; a 1×1 convolution after the last block is a head."""
    if blocks and index == first < blocks[0].start:
        return Role.STEM
    conv = op.attributes
    if blocks and index >= blocks[-1].stop and isinstance(conv, Conv) and set(conv.kernel) == {1}:
        return Role.HEAD
    return Role.DEPTHWISE if is_depthwise(op) else Role.CONVOLUTION


def is_depthwise(op: Op) -> bool:
    """Return whether a convolution outside of blocks filters each channel by itself."""
    conv, channels = op.attributes, op.input_shapes[0][1]
    return isinstance(conv, Conv) and conv.groups > 1 and conv.groups == channels


def _layers(graph: Graph) -> Iterator[Layer]:
    """Yield the rows without torchsummary's numbers, stages and blocks."""
    roles = roles_of(graph)
    done = 0
    for scope in graph.scopes:
        yield from _op_layers(graph, roles, done, scope.stop)
        done = max(done, scope.stop)
        if scope.path and not scope.is_sequential:
            yield _container(graph, scope)
    yield from _op_layers(graph, roles, done, len(graph.ops))


def _op_layers(graph: Graph, roles: tuple[Role, ...], start: int, stop: int) -> Iterator[Layer]:
    for index in range(start, stop):
        op = graph.ops[index]
        conv = op.attributes if isinstance(op.attributes, Conv) else None
        yield Layer(
            op.type or None,
            op.path,
            op.type or op.function,
            roles[index],
            op.input_shapes[0] if op.input_shapes else (),
            op.output_shape,
            conv and conv.kernel,
            conv and conv.stride,
            conv and conv.dilation,
            conv and conv.groups,
            op.params,
            op.trainable_params,
            op.buffers,
            op.macs,
            index,
        )


def _container(graph: Graph, scope: Scope) -> Layer:
    shapes = graph.shapes
    return Layer(
        scope.type,
        scope.path,
        scope.type,
        Role.BLOCK,
        shapes[scope.inputs[0]] if scope.inputs else (),
        shapes[scope.outputs[0]] if scope.outputs else (),
    )


def _named(graph: Graph, layers: Iterator[Layer]) -> Iterator[Layer]:
    """Yield the rows with torchsummary's numbers, and with the segment that each is in."""
    modules = 0
    segments = iter(graph.segments)
    segment = next(segments, None)
    for layer in layers:
        while segment is not None and layer.op is not None and layer.op >= segment.stop:
            segment = next(segments, None)
        stage, block = (segment.stage, segment.path) if segment else ("", "")
        name = layer.name
        if name is not None:
            modules += 1
            name = f"{name}-{modules}"
        yield layer._replace(name=name, stage=stage, block=block)
