"""From a call of a torch function to the kind and the attributes of an operation."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Final, NamedTuple

from torch import Tensor, device, dtype, nn

from mbv2cli.graph.ops import (
    Act,
    Arithmetic,
    Attributes,
    Conv,
    Dropout,
    Kind,
    Linear,
    Norm,
    Pad,
    Plain,
    Pool,
    Rearrangement,
    Sides,
)
from mbv2cli.nn.arguments import arguments_of, named_text, plain_text


class Call(NamedTuple):
    """A call of a torch function. Its name is without the ``_`` that ends an in-place one."""

    function: Any
    name: str
    inplace: bool
    args: Sequence[Any]
    kwargs: Mapping[str, Any]

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """Return an argument, wherever the caller put it."""
        if name in self.kwargs:
            return self.kwargs[name]
        return self.args[position] if position < len(self.args) else default


class Meaning(NamedTuple):
    """What a call means for the graph. ``told`` names the parameters that the attributes have."""

    kind: Kind
    function: str
    attributes: Attributes
    macs: int = 0
    told: frozenset[str] = frozenset()


def read_call(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Call:
    """Return the call, under one name for a function, its method and its operator."""
    name: str = getattr(function, "__name__", type(function).__name__)
    if name == "__get__":  # a property, such as x.data
        name = getattr(function.__self__, "__name__", name)
    inplace = bool(kwargs.get("inplace")) or (
        name in _INPLACE_AT and len(args) > _INPLACE_AT[name] and bool(args[_INPLACE_AT[name]])
    )
    if name in _INPLACE_NAMES:
        inplace = True
    elif name.endswith("_") and not name.endswith("__"):
        name, inplace = name.removesuffix("_"), True
    return Call(function, _SAME_AS.get(name, name), inplace, args, kwargs)


def meaning_of(call: Call, result: Tensor, own: Container[int], *, is_view: bool) -> Meaning:
    """Return what a call means; a function without a rule is kept as unknown.

    ``own`` are the identities of the tensors of the model.
    """
    meaning = _without_arguments(call, result, is_view=is_view)
    arguments = arguments_of(call.function, call.name, call.args, call.kwargs)
    if isinstance(meaning.attributes, Rearrangement):
        text = plain_text(arguments, own)
    else:
        text = named_text(arguments, meaning.told, own)
    if not text:
        return meaning
    return meaning._replace(attributes=meaning.attributes._replace(arguments=text))


def constant_of(call: Call) -> Meaning:
    """Return what a call means that makes a tensor of no other tensor."""
    arguments = arguments_of(call.function, call.name, call.args, call.kwargs)
    return Meaning(Kind.CONSTANT, call.name, Plain(arguments=named_text(arguments, (), ())))


def _without_arguments(call: Call, result: Tensor, *, is_view: bool) -> Meaning:
    """Return what a call means, without the text of the arguments."""
    if call.name in _READERS:
        return _READERS[call.name](call, result)
    if call.name in _ACTIVATIONS:
        return Meaning(Kind.ACT, call.name, Act(call.inplace))
    if call.name in _ARITHMETIC:
        return _arithmetic(call)
    if call.name in _REARRANGEMENTS or _keeps_type(call, result):
        rearrangement = Rearrangement(view=is_view)
        return Meaning(_REARRANGEMENTS.get(call.name, Kind.RESHAPE), call.name, rearrangement)
    if is_view and not call.inplace:
        return Meaning(Kind.RESHAPE, call.name, Rearrangement(view=True))
    return Meaning(Kind.UNKNOWN, call.name, Plain(call.inplace))


def _arithmetic(call: Call) -> Meaning:
    """Return an addition or multiplication; a factor of 1 is none."""
    other, factor = call.argument(1, "other"), call.argument(2, "alpha", 1)
    is_number = isinstance(other, int | float)
    number = other if is_number else factor if factor != 1 else None
    attributes = Arithmetic(call.inplace, number)
    told = frozenset({"other" if is_number else "alpha"})
    return Meaning(_ARITHMETIC[call.name], call.name, attributes, told=told)


def _conv(call: Call, result: Tensor) -> Meaning:
    weight = call.argument(1, "weight")
    if not isinstance(weight, Tensor):
        return _packed(call)
    dimensions = weight.dim() - 2
    padding = call.argument(4, "padding", 0)
    attributes = Conv(
        kernel=tuple(weight.shape[2:]),
        stride=_sides(call.argument(3, "stride", 1), dimensions),
        padding=padding if isinstance(padding, str) else _sides(padding, dimensions),
        dilation=_sides(call.argument(5, "dilation", 1), dimensions),
        groups=call.argument(6, "groups", 1),
        bias=call.argument(2, "bias") is not None,
    )
    macs = _one_per_weight(weight, result)
    return Meaning(Kind.CONV, call.name, attributes, macs, _TOLD_OF_CONV)


def _transposed_conv(call: Call, _result: Tensor) -> Meaning:
    """Return a transposed convolution: one multiplication for each weight that meets an input."""
    weight = call.argument(1, "weight")
    if not isinstance(weight, Tensor):
        return _packed(call)
    macs = call.argument(0, "input").numel() * weight[0].numel()
    return Meaning(Kind.CONV, call.name, Plain(), macs)


def _pad(call: Call, _result: Tensor) -> Meaning:
    sides, mode = tuple(map(int, call.argument(1, "pad"))), call.argument(2, "mode", "constant")
    attributes = Pad(sides, mode, call.argument(3, "value") or 0)
    return Meaning(Kind.PAD, call.name, attributes, told=frozenset({"pad", "mode", "value"}))


def _linear(call: Call, result: Tensor) -> Meaning:
    bias, weight = Linear(call.argument(2, "bias") is not None), call.argument(1, "weight")
    if not isinstance(weight, Tensor):
        return _packed(call)
    macs = _one_per_weight(weight, result)
    return Meaning(Kind.LINEAR, call.name, bias, macs, frozenset({"weight", "bias"}))


def _packed(call: Call) -> Meaning:
    """Return an operation of a quantised layer, whose weights are packed: its rule is unknown."""
    return Meaning(Kind.UNKNOWN, call.name, Plain())


def _one_per_weight(weight: Tensor, result: Tensor) -> int:
    """Return one multiplication for each weight that meets an output element."""
    return result.numel() * weight[0].numel()


def _batch_norm(call: Call, _result: Tensor) -> Meaning:
    attributes = Norm(
        eps=call.argument(7, "eps", 1e-5),
        momentum=call.argument(6, "momentum", 0.1),
        affine=call.argument(3, "weight") is not None,
        batch_statistics=bool(call.argument(5, "training", default=False)),
    )
    return Meaning(Kind.NORM, call.name, attributes, told=_TOLD_OF_NORM)


def _hardtanh(call: Call, _result: Tensor) -> Meaning:
    low, high = call.argument(1, "min_val", -1.0), call.argument(2, "max_val", 1.0)
    told = frozenset({"min_val", "max_val"})
    if (low, high) == (0, 6):
        return Meaning(Kind.ACT, "relu6", Act(call.inplace), told=told)
    return Meaning(Kind.ACT, call.name, Act(call.inplace, f"{low} to {high}"), told=told)


def _clamp(call: Call, _result: Tensor) -> Meaning:
    low, high = call.argument(1, "min"), call.argument(2, "max")
    if isinstance(low, Tensor) or isinstance(high, Tensor) or low != 0 or high not in (None, 6):
        return Meaning(Kind.UNKNOWN, call.name, Plain(call.inplace))
    name = "relu" if high is None else "relu6"
    return Meaning(Kind.ACT, name, Act(call.inplace), told=frozenset({"min", "max"}))


def _keeps_type(call: Call, result: Tensor) -> bool:
    """Return whether a conversion is to the type of elements that a tensor has."""
    return call.name in _CONVERSIONS and result.dtype == call.args[0].dtype


_CONVERSIONS: Final = frozenset({"to", "float", "type_as"})


def _leaky_relu(call: Call, _result: Tensor) -> Meaning:
    slope = call.argument(1, "negative_slope", 0.01)
    told = frozenset({"negative_slope"})
    return Meaning(Kind.ACT, call.name, Act(call.inplace, slope), told=told)


def _gelu(call: Call, _result: Tensor) -> Meaning:
    formula = call.argument(1, "approximate", "none")
    told = frozenset({"approximate"})
    return Meaning(Kind.ACT, call.name, Act(call.inplace, formula), told=told)


def _dropout(call: Call, _result: Tensor) -> Meaning:
    probability = call.argument(1, "p", 0.5)
    training = bool(call.argument(2, "training", default=True))
    attributes = Dropout(probability, call.inplace, training)
    return Meaning(Kind.DROPOUT, call.name, attributes, told=frozenset({"p", "train", "training"}))


def _adaptive_pool(call: Call, result: Tensor) -> Meaning:
    size = call.argument(1, "output_size")
    output = tuple(size) if isinstance(size, list | tuple) else (size,) * (result.dim() - 2)
    return Meaning(Kind.POOL, call.name, Pool(output), told=frozenset({"output_size"}))


def _pool(call: Call, result: Tensor) -> Meaning:
    dimensions = result.dim() - 2
    kernel = _sides(call.argument(1, "kernel_size"), dimensions)
    stride = call.argument(2, "stride")
    attributes = Pool(
        kernel=kernel,
        stride=_sides(stride, dimensions) if stride else kernel,
        padding=_sides(call.argument(3, "padding", 0), dimensions),
        dilation=_pool_dilation(call, dimensions),
    )
    told = frozenset({"kernel_size", "stride", "padding", "dilation"})
    return Meaning(Kind.POOL, call.name, attributes, told=told)


def _pool_dilation(call: Call, dimensions: int) -> Sides | None:
    """Return the dilation of a maximum; that of an average is 1, and has no argument."""
    apart = 1 if call.name == "avg_pool2d" else call.argument(4, "dilation", 1)
    sides = _sides(apart, dimensions)
    return None if set(sides) == {1} else sides


def _sides(value: Any, dimensions: int) -> Sides:
    if isinstance(value, int):
        return (value,) * dimensions
    sides = tuple(value)
    return sides * dimensions if len(sides) == 1 else sides


def tensors_in(value: object) -> list[Tensor]:
    """Return the tensors in a value and in the lists, tuples, dicts and dataclasses in it."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, list | tuple):
        return [tensor for one in value for tensor in tensors_in(one)]
    if type(value) in _WITHOUT_TENSORS:  # before a check that costs more than all others
        return []
    if isinstance(value, Mapping):
        return tensors_in(list(value.values()))
    if is_dataclass(value) and not isinstance(value, type):
        return tensors_in([getattr(value, field.name, None) for field in fields(value)])
    return []


_WITHOUT_TENSORS: Final = frozenset({int, float, bool, str, type(None), dtype, device})


_TOLD_OF_CONV: Final = frozenset({"weight", "bias", "stride", "padding", "dilation", "groups"})
_TOLD_OF_NORM: Final = frozenset(
    {"running_mean", "running_var", "weight", "bias", "training", "momentum", "eps"}
)

_READERS: Final[Mapping[str, Callable[[Call, Tensor], Meaning]]] = {
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), _conv),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), _transposed_conv),
    "linear": _linear,
    "pad": _pad,
    "batch_norm": _batch_norm,
    "hardtanh": _hardtanh,
    **dict.fromkeys(("clamp", "clamp_min", "clip"), _clamp),
    "leaky_relu": _leaky_relu,
    "gelu": _gelu,
    "dropout": _dropout,
    **dict.fromkeys(("adaptive_avg_pool2d", "adaptive_max_pool2d"), _adaptive_pool),
    **dict.fromkeys(("avg_pool2d", "max_pool2d", "max_pool2d_with_indices"), _pool),
}
_ACTIVATIONS: Final = frozenset(
    {
        *(
            "relu",
            "relu6",
            "identity",
            "hardswish",
            "silu",
            "sigmoid",
            "hardsigmoid",
            "tanh",
            "mish",
            "elu",
        ),
        *("softmax", "log_softmax", "softplus", "selu"),
    }
)
_ARITHMETIC: Final[Mapping[str, Kind]] = {
    "add": Kind.ADD,
    "sub": Kind.ADD,
    "rsub": Kind.ADD,
    "mul": Kind.MUL,
    "div": Kind.MUL,
}
_REARRANGEMENTS: Final[Mapping[str, Kind]] = {
    "cat": Kind.CAT,
    "stack": Kind.CAT,
    **dict.fromkeys(
        (
            *("flatten", "reshape", "view", "permute", "transpose", "squeeze", "unsqueeze"),
            *("contiguous", "expand", "chunk", "split", "unbind", "narrow", "unflatten"),
            *("__getitem__", "data", "T", "mT", "detach"),
        ),
        Kind.RESHAPE,
    ),
}
_SAME_AS: Final = {
    "__rsub__": "rsub",
    "__rdiv__": "rdiv",
    "__itruediv__": "div",
    "concat": "cat",
    "concatenate": "cat",
    "true_divide": "div",
    "multiply": "mul",
    "subtract": "sub",
    "__eq__": "eq",
    "__ne__": "ne",
    "__lt__": "lt",
    "__le__": "le",
    "__gt__": "gt",
    "__ge__": "ge",
    "__rpow__": "pow",
    "__pow__": "pow",
    "__invert__": "bitwise_not",
    "__and__": "bitwise_and",
    "__or__": "bitwise_or",
}
_INPLACE_NAMES: Final = frozenset(
    {"__setitem__", "__itruediv__", "__iand__", "__ior__", "__ixor__"}
)
"""Names that do not end in ``_``, and yet the function changes its first argument."""

_INPLACE_AT: Final = {
    **dict.fromkeys(("relu", "relu6", "hardswish", "silu", "hardsigmoid", "mish"), 1),
    "leaky_relu": 2,
    "hardtanh": 3,
    "dropout": 3,
}
"""Where ``inplace`` stands among the arguments of torch.nn.functional."""


COMPOSITES: Final = frozenset({"multi_head_attention_forward"})
"""Functions of torch.nn.functional that call others: those are the operations, with weights."""


QUESTIONS: Final = frozenset(
    (
        *("size", "dim", "numel", "stride", "shape", "ndim", "dtype", "device", "is_cuda"),
        *("is_floating_point", "is_contiguous", "requires_grad", "__len__"),
    )
)
"""Functions and properties that tell about a tensor: they are no operations."""


def is_identity(module: nn.Module) -> bool:
    """Return whether a module returns its input without calling any function.

    Its call is an operation all the same: ``identity``.
    """
    return isinstance(module, nn.Identity)
