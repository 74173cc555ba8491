"""What other tools count, as named rules on the same layers.

Each was read from the tool's source and is compared with the tool itself by ``make peers``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import prod
from typing import Final, NamedTuple, TypeAlias

from mbv2cli.errors import UserError, nearest
from mbv2cli.plan.layers import Layer, Role

Rule: TypeAlias = Callable[[Layer], int]


class Addition(NamedTuple):
    """What a convention counts on top of its base (or leaves out, where negative)."""

    what: str
    rule: Rule


class Added(NamedTuple):
    """How much an addition comes to."""

    what: str
    amount: int


@dataclass(frozen=True, slots=True)
class Convention:
    """A way of counting: ``factor`` × (``base`` + additions), summed over the layers.

    ``key`` is the name without spaces, for the command line; ``quirk`` what else to know.
    """

    key: str
    name: str
    unit: str
    base: Rule
    reported_by: str
    additions: tuple[Addition, ...] = ()
    factor: int = 1
    quirk: str = ""


@dataclass(frozen=True, slots=True)
class Count:
    """What a convention makes of a plan."""

    convention: Convention
    total: int
    added: tuple[Added, ...]


def count(convention: Convention, layers: Iterable[Layer]) -> Count:
    """Return the count of ``layers`` by ``convention``."""
    layers = tuple(layers)
    added = tuple(
        Added(what, sum(map(rule, layers)) * convention.factor)
        for what, rule in convention.additions
    )
    base = sum(map(convention.base, layers)) * convention.factor
    return Count(convention, base + sum(one.amount for one in added), added)


def count_layer(convention: Convention, layer: Layer) -> int:
    """Return the count of one layer by ``convention``."""
    added = sum(rule(layer) for _what, rule in convention.additions)
    return convention.factor * (convention.base(layer) + added)


def mac_convention(name: str) -> Convention:
    """Return the convention of MACs of this name or key. Raises `UserError` if there is none."""
    for convention in MAC_CONVENTIONS:
        if name in (convention.key, convention.name):
            return convention
    names = [convention.key for convention in MAC_CONVENTIONS]
    raise UserError(
        f"--convention must be one of {', '.join(names)}, not '{name}'{nearest(name, names)}"
    )


def _macs(layer: Layer) -> int:
    return layer.macs


def _params(layer: Layer) -> int:
    return layer.params


def _linear_bias(layer: Layer) -> int:
    return prod(layer.output_shape) if layer.role is Role.CLASSIFIER else 0


def _norm_params(layer: Layer) -> int:
    return layer.params if layer.role is Role.NORM else 0


def _norm_params_per_sample(layer: Layer) -> int:
    return layer.output_shape[0] * _norm_params(layer)


def _norm_elements(layer: Layer) -> int:
    return prod(layer.output_shape) if layer.role is Role.NORM else 0


def _pool_inputs(layer: Layer) -> int:
    return prod(layer.input_shape) if layer.role is Role.POOL else 0


_PTFLOPS_PER_ACTIVATION: Final = {
    # ptflops hooks some modules and replaces some functions; what is both is counted twice
    "ReLU": 2,
    "GELU": 2,
    "ReLU6": 1,
    "LeakyReLU": 1,
    "SiLU": 1,
    "Hardswish": 0,
    "Identity": 0,
}


def _ptflops_activations(layer: Layer) -> int:
    if layer.role is not Role.ACTIVATION:
        return 0
    return _PTFLOPS_PER_ACTIVATION[layer.type] * prod(layer.output_shape)


_BIAS: Final = Addition("bias of linear layers", _linear_bias)
_NORM_TWICE: Final = Addition("2 a BatchNorm element", lambda layer: 2 * _norm_elements(layer))
_POOLING: Final = Addition("inputs of global pooling", _pool_inputs)

CONV_LINEAR: Final = Convention(
    "conv+linear", "conv+linear", "MACs", _macs, "the paper, torchvision"
)
FLOP_COUNTER: Final = Convention(
    "flop-counter", "conv+linear x2", "FLOPs", _macs, "torch.utils.flop_counter", factor=2
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
    quirk="BatchNorm counts once a sample, whatever the size of its feature map",
)
FVCORE: Final = Convention(
    "fvcore",
    "+BN 2/element +pool",
    "flops",
    _macs,
    "fvcore 0.1.5, timm",
    (_NORM_TWICE, _POOLING),
    quirk="what it calls flops are MACs; shortcuts and activations count nothing",
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
        Addition("activations (ReLU, GELU x2)", _ptflops_activations),
        _POOLING,
    ),
    quirk="what is a hooked module and a replaced function counts twice; Hardswish never",
)
THOP: Final = Convention(
    "thop",
    "+BN 4/element",
    "MACs",
    _macs,
    "thop 0.1.1",
    (Addition("4 a BatchNorm element", lambda layer: 4 * _norm_elements(layer)),),
    quirk="functional operations, pooling among them, count nothing",
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

PARAM_CONVENTIONS: Final = (
    Convention("params", "params", "elements", _params, "torchvision, timm"),
    Convention(
        "running-statistics",
        "+running statistics",
        "elements",
        _params,
        "Keras (total)",
        (
            Addition(
                "BatchNorm means and variances",
                # PyTorch's own count of batches is no running statistic
                lambda layer: layer.buffers - 1 if layer.role is Role.NORM else 0,
            ),
        ),
    ),
    Convention(
        "without-batchnorm",
        "without BatchNorm",
        "elements",
        _params,
        "TF-slim",
        (Addition("BatchNorm parameters", lambda layer: -_norm_params(layer)),),
    ),
    Convention(
        "folded",
        "BatchNorm folded",
        "elements",
        _params,
        "what is deployed",
        # the scale goes into the convolution's weights, the shift stays as its bias
        (Addition("BatchNorm scales", lambda layer: -_norm_params(layer) // 2),),
    ),
)
