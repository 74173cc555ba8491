"""What other tools count, as named rules by kind of operation.

Each rule was read from the tool's source; ``make peers`` compares it with the tool itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Final, NamedTuple, TypeAlias

from mbv2cli.graph.ops import Conv, Kind, Linear, Op
from mbv2cli.specs.words import one_of

Rule: TypeAlias = Callable[[Op], int]

_COUNTED_BY_ALL: Final = frozenset(
    {
        Kind.CONV,
        Kind.LINEAR,
        Kind.NORM,
        Kind.ACT,
        Kind.ADD,
        Kind.POOL,
        Kind.RESHAPE,
        Kind.DROPOUT,
        Kind.CONSTANT,
    }
)
"""Kinds of operation that were compared with every tool."""

_NOT_MULTIPLYING: Final = _COUNTED_BY_ALL | {Kind.MUL, Kind.CAT, Kind.PAD}
"""Kinds of operation of which convolutions + linear layers count exactly those two."""


_WITHOUT_PRODUCTS: Final = frozenset(
    (
        *("mean", "sum", "max", "min", "amax", "amin", "var", "std", "norm", "normalize"),
        *("layer_norm", "group_norm", "instance_norm", "rms_norm", "local_response_norm"),
        *("embedding", "interpolate", "upsample", "pixel_shuffle", "channel_shuffle", "roll"),
        *("exp", "log", "sqrt", "rsqrt", "pow", "abs", "neg", "clamp", "round", "floor", "ceil"),
        *("sin", "cos", "addcmul", "addcdiv", "lerp", "__setitem__", "copy", "fill", "zero"),
        *("bitwise_not", "bitwise_and", "bitwise_or", "logical_not", "logical_and", "logical_or"),
        *("eq", "ne", "lt", "le", "gt", "ge", "where", "masked_fill", "argmax", "argmin", "topk"),
        *("glu", "softmin", "softsign", "logsigmoid", "prelu", "threshold", "celu", "rrelu"),
        *("to", "float", "half", "type", "type_as", "clone", "zeros_like", "ones_like", "cumsum"),
        *("new_zeros", "new_ones", "new_full", "new_empty", "new_tensor", "expand_as", "view_as"),
        *("sigmoid", "softmax", "index_select", "gather", "repeat", "flip", "tile", "bernoulli"),
    )
)
"""Functions without a kind of their own that are no convolution and no linear layer.

They multiply no weights with inputs, as ``matmul``, ``einsum`` or a recurrent layer may do.
"""


class Addition(NamedTuple):
    """What a convention counts on top of its base; a negative count is subtracted."""

    what: str
    rule: Rule


class Added(NamedTuple):
    """The amount of an addition."""

    what: str
    amount: int


@dataclass(frozen=True, slots=True)
class Convention:
    """A way of counting: ``factor`` × (``base`` + additions), summed over the operations.

    ``key`` is the name without spaces, for the command line. ``quirk`` has sentences about what
    is special in the tools.
    ``kinds`` are the kinds of operation, and ``functions`` the further functions, that the rules
    cover.
    """

    key: str
    name: str
    unit: str
    base: Rule
    reported_by: str
    additions: tuple[Addition, ...] = ()
    factor: int = 1
    quirk: str = ""
    kinds: frozenset[Kind] = _COUNTED_BY_ALL
    functions: frozenset[str] = frozenset()

    def covers(self, op: Op) -> bool:
        """Return whether the rules cover an operation."""
        return not op.packed and (op.kind in self.kinds or op.function in self.functions)

    def of(self, op: Op) -> int:
        """Return the count of one operation; 0 where the convention has no rule for it."""
        if not self.covers(op):
            return 0
        return self.factor * (self.base(op) + sum(rule(op) for _what, rule in self.additions))


@dataclass(frozen=True, slots=True)
class Count:
    """The count of a graph under a convention.

    ``unknown`` names the functions that the convention has no rule for: the total is then a lower
    bound.
    """

    convention: Convention
    total: int
    added: tuple[Added, ...]
    unknown: tuple[str, ...] = ()


def count(convention: Convention, ops: Iterable[Op]) -> Count:
    """Return the count of ``ops`` under ``convention``."""
    known: list[Op] = []
    unknown: list[str] = []
    for op in ops:
        if convention.covers(op):
            known.append(op)
        else:
            unknown.append(op.function)
    added = tuple(
        Added(what, sum(map(rule, known)) * convention.factor)
        for what, rule in convention.additions
    )
    base = sum(map(convention.base, known)) * convention.factor
    total = base + sum(one.amount for one in added)
    return Count(convention, total, added, tuple(dict.fromkeys(unknown)))


def mac_convention(name: str) -> Convention:
    """Return the convention of MACs with this name or key. Raises `UserError` if there is none."""
    known = _BY_NAME.get(name)
    return known or _BY_NAME[one_of(name, [one.key for one in MAC_CONVENTIONS], "--convention")]


def _macs(op: Op) -> int:
    return op.macs


def _params(op: Op) -> int:
    return op.params


def _bias(op: Op) -> int:
    has_bias = isinstance(op.attributes, Conv | Linear) and op.attributes.bias
    return prod(op.output_shape) if has_bias else 0


def _linear_bias(op: Op) -> int:
    return _bias(op) if op.kind is Kind.LINEAR else 0


def _norm_params(op: Op) -> int:
    return op.params if op.kind is Kind.NORM else 0


def _norm_params_per_sample(op: Op) -> int:
    return op.output_shape[0] * _norm_params(op)


def _norm_elements(op: Op) -> int:
    return prod(op.output_shape) if op.kind is Kind.NORM else 0


def _pool_inputs(op: Op) -> int:
    return prod(op.input_shapes[0]) if op.kind is Kind.POOL else 0


def _norm_statistics(op: Op) -> int:
    # PyTorch's own count of batches is not a running statistic
    return op.buffers - 1 if op.kind is Kind.NORM and op.buffers else 0


_PTFLOPS_PER_ACTIVATION: Final[Mapping[str, int]] = {
    # ptflops has hooks on some modules and replaces some functions: ReLU and GELU are both
    "relu": 2,
    "gelu": 2,
    "relu6": 1,
    "leaky_relu": 1,
    "silu": 1,
    "hardswish": 0,
    "identity": 0,
}


def _ptflops_activations(op: Op) -> int:
    if op.kind is not Kind.ACT:
        return 0
    return _PTFLOPS_PER_ACTIVATION.get(op.function, 0) * prod(op.output_shape)


_BIAS: Final = Addition("bias of linear layers", _linear_bias)
_NORM_TWICE: Final = Addition("2 per BatchNorm element", lambda op: 2 * _norm_elements(op))
_POOLING: Final = Addition("inputs of global pooling", _pool_inputs)

CONV_LINEAR: Final = Convention(
    "conv+linear",
    "conv+linear",
    "MACs",
    _macs,
    "the paper, torchvision",
    kinds=_NOT_MULTIPLYING,
    functions=_WITHOUT_PRODUCTS,
)
FLOP_COUNTER: Final = Convention(
    "flop-counter",
    "conv+linear x2",
    "FLOPs",
    _macs,
    "torch.utils.flop_counter",
    factor=2,
    kinds=_NOT_MULTIPLYING,
    functions=_WITHOUT_PRODUCTS,
)
PTFLOPS_ATEN: Final = Convention(
    "ptflops-aten", "+linear bias", "MACs", _macs, "ptflops 0.7.5 (aten)", (_BIAS,)
)
TORCHINFO: Final = Convention(
    "torchinfo",
    "+bias +BN parameter count",
    "mult-adds",
    _macs,
    "torchinfo 1.8.0",
    (_BIAS, Addition("BatchNorm parameters", _norm_params_per_sample)),
    quirk="BatchNorm counts its parameters once per sample. The size of its feature map does not "
    "matter.",
)
FVCORE: Final = Convention(
    "fvcore",
    "+BN 2/element +pool",
    "flops",
    _macs,
    "fvcore 0.1.5, timm",
    (_NORM_TWICE, _POOLING),
    quirk="fvcore and timm count MACs and say flops. Shortcuts and activations count as zero.",
)
PTFLOPS: Final = Convention(
    "ptflops",
    "+BN +activation +bias +pool",
    "MACs",
    _macs,
    "ptflops 0.7.5",
    (
        _BIAS,
        _NORM_TWICE,
        Addition("activations", _ptflops_activations),
        _POOLING,
    ),
    quirk="ptflops counts ReLU and GELU twice: as a module and as a function. "
    "Hardswish counts as zero.",
)
THOP: Final = Convention(
    "thop",
    "+BN 4/element",
    "MACs",
    _macs,
    "thop 0.1.1",
    (Addition("4 per BatchNorm element", lambda op: 4 * _norm_elements(op)),),
    quirk="thop counts modules alone. Functional operations, such as pooling, count as zero.",
)

MAC_CONVENTIONS: Final = (
    CONV_LINEAR,
    FLOP_COUNTER,
    PTFLOPS_ATEN,
    TORCHINFO,
    FVCORE,
    PTFLOPS,
    THOP,
)
_BY_NAME: Final = {name: one for one in MAC_CONVENTIONS for name in (one.name, one.key)}

PARAMS: Final = Convention(
    "params", "params", "elements", _params, "torchvision, timm", kinds=frozenset(Kind)
)
PARAMS_AND_STATISTICS: Final = Convention(
    "running-statistics",
    "+running statistics",
    "elements",
    _params,
    "Keras (total)",
    (Addition("BatchNorm statistics", _norm_statistics),),
    kinds=frozenset(Kind),
)
PARAMS_WITHOUT_NORM: Final = Convention(
    "without-batchnorm",
    "without BatchNorm",
    "elements",
    _params,
    "TF-slim",
    (Addition("BatchNorm parameters", lambda op: -_norm_params(op)),),
    kinds=frozenset(Kind),
)
PARAMS_FOLDED: Final = Convention(
    "folded",
    "BatchNorm folded",
    "elements",
    _params,
    "deployed networks",
    # the scale goes into the convolution's weights, the shift stays as its bias
    (Addition("BatchNorm scales", lambda op: -_norm_params(op) // 2),),
    kinds=frozenset(Kind),
)
PARAM_CONVENTIONS: Final = (PARAMS, PARAMS_AND_STATISTICS, PARAMS_WITHOUT_NORM, PARAMS_FOLDED)
