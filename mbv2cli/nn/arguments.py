"""The arguments of a call of a torch function that are no activations, as text.

Equal calls have equal texts, however they are written: ``softmax(x, 1)`` is
``softmax(x, dim=1)``. A text has neither addresses nor the elements of tensors.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from numbers import Integral, Real
from types import FunctionType
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor, device, dtype


class Parameter(NamedTuple):
    """A parameter of a function; a digit is the name where only the position is known.

    ``type`` is torch's, and ``length`` that of a list.
    """

    name: str
    default: Any = inspect.Parameter.empty
    is_keyword: bool = False
    type: str = ""
    length: int | None = None


class Signature(NamedTuple):
    """The parameters of a function, and the names of those that a position may give."""

    parameters: tuple[Parameter, ...]
    places: tuple[str, ...]


class Arguments(NamedTuple):
    """The parameters of a function, and by their names the values that a call gives."""

    parameters: tuple[Parameter, ...]
    values: Mapping[str, Any]


def named_text(arguments: Arguments, told: Container[str], own: Container[int]) -> str:
    """Return ``name=value`` of each argument that is not at its default, without activations.

    ``told`` are the names of parameters to leave out. ``own`` are the identities of the tensors
    of the model: they are told by their shape. An activation is told where it is optional.
    """
    return ", ".join(
        text if name.isdigit() else f"{name}={text}"
        for name, text in _texts(arguments, told, own)
        if text
    )


def plain_text(arguments: Arguments, own: Container[int]) -> str:
    """Return the same, with names only after a parameter at its default: ``1, -1``."""
    words: list[str] = []
    is_next = is_list = True
    for name, text in _texts(arguments, (), own):
        if text:
            is_list = not words and not name.isdigit() and text[0] + text[-1] == "()"
            words.append(text if is_next or name.isdigit() else f"{name}={text}")
        is_next = is_next and bool(text)
    text = ", ".join(words)
    return text[1:-1] if is_list else text


def _texts(
    arguments: Arguments, told: Container[str], own: Container[int]
) -> Iterator[tuple[str, str]]:
    """Yield name and text of each argument, the text empty for one at its default."""
    values = arguments.values
    for name, default, _is_keyword, _type, length in arguments.parameters:
        if name in told:
            continue
        value = values.get(name, _MISSING)
        if value is _MISSING or value is default or (value is None and default is _MISSING):
            yield name, ""
        elif name in _LEFT_OUT or name.startswith("_") or isinstance(value, device):
            continue
        elif _is_of_activations(value, own):
            if default is not _MISSING:
                yield name, "input"
        else:
            text = _text(_sides(value, length), own)
            is_default = default is not _MISSING and text == _text(_sides(default, length), own)
            yield name, "" if is_default else _short(text)


_MISSING: Final = inspect.Parameter.empty
_LEFT_OUT: Final = frozenset({"inplace", "return_indices", "device", "cudnn_enabled"})
"""Parameters that say nothing about the operation, or that its name says already."""


def _is_of_activations(value: object, own: Container[int]) -> bool:
    if isinstance(value, Tensor):
        return id(value) not in own
    return (
        isinstance(value, list | tuple)
        and len(value) > 0
        and all(_is_of_activations(one, own) for one in value)
    )


def _sides(value: Any, length: int | None) -> Any:
    """Return a value as torch takes it: one number for a list stands for every item."""
    if isinstance(value, list | tuple):
        return value[0] if len(value) == 1 and not isinstance(value[0], Tensor) else tuple(value)
    return (value,) * length if type(value) is int and length and length > 1 else value


def _text(value: Any, own: Container[int]) -> str:  # noqa: PLR0911  (one for each type)
    """Return a value as Python writes it: an activation is ``input``, 2.0 is 2."""
    if isinstance(value, _AS_WRITTEN):  # before the others, as it costs least
        return repr(value)
    if isinstance(value, float):
        return repr(int(value)) if value.is_integer() else repr(float(value))
    if isinstance(value, Tensor):
        return _tensor_text(value) if id(value) in own else "input"
    if isinstance(value, tuple):
        return f"({', '.join(_text(one, own) for one in value)}{',' * (len(value) == 1)})"
    if isinstance(value, list):
        return f"[{', '.join(_text(one, own) for one in value)}]"
    if isinstance(value, slice):
        parts = (value.start, value.stop, value.step)
        return f"slice({', '.join(_text(one, own) for one in parts)})"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {_text(one, own)}' for key, one in value.items())}}}"
    if isinstance(value, Real):  # of NumPy
        return _text(int(value) if isinstance(value, Integral) else float(value), own)
    return "..." if value is ... else type(value).__name__


_AS_WRITTEN: Final = (
    *(int, str, type(None), bytes, complex),
    *(dtype, torch.layout, torch.memory_format),
)


def _tensor_text(tensor: Tensor) -> str:
    shape = "x".join(map(str, tensor.shape)) or "scalar"
    kind = "" if tensor.dtype is torch.float32 else f" {str(tensor.dtype).removeprefix('torch.')}"
    return f"tensor {shape}{kind}"


def _short(text: str) -> str:
    """Return a long text by its start and a digest of all of it."""
    if len(text) <= _LONGEST:
        return text
    return f"{text[: _LONGEST // 2]}... sha256:{hashlib.sha256(text.encode()).hexdigest()[:16]}"


_LONGEST: Final = 120


def arguments_of(
    function: Any, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Arguments:
    """Return the parameters of a function and the values that a call gives.

    ``name`` is that of the function among torch's operators. Where no signature fits, positions
    stand for names.
    """
    if kwargs:
        kwargs = {key: value for key, value in kwargs.items() if key not in _LEFT_OUT}
    signature = _signature_of(function, name, args, kwargs)
    if signature is None:
        places = tuple(map(str, range(len(args))))
        parameters = tuple(map(Parameter, (*places, *sorted(kwargs))))
        return Arguments(parameters, {**dict(zip(places, args, strict=True)), **kwargs})
    parameters, places = signature
    values = dict(zip(places, _packed(args, len(places)), strict=False))
    for key, value in kwargs.items():
        values[_ALIASES.get(key, key)] = value
        values[key] = value
    return Arguments(parameters, values)


def _packed(args: Sequence[Any], places: int) -> Sequence[Any]:
    """Return the arguments with those that are too many as one list: ``permute(0, 2, 1)``."""
    if len(args) <= places:
        return args
    return (*args[: places - 1], tuple(args[places - 1 :]))


def _signature_of(
    function: Any, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Signature | None:
    if isinstance(function, FunctionType):
        written = _written(function)
        if written is not None:
            return written
    types = tuple(map(type, args))
    return _overload(name, types, tuple((key, type(kwargs[key])) for key in kwargs))


@lru_cache(maxsize=512)
def _written(function: FunctionType) -> Signature | None:
    """Return the signature of a function in Python; None if it takes any arguments."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # of a function in C++ that is wrapped
        return None
    if any(one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD) for one in parameters):
        return None
    return _signature(
        Parameter(one.name, one.default, one.kind is one.KEYWORD_ONLY) for one in parameters
    )


def _signature(parameters: Iterable[Parameter]) -> Signature:
    every = tuple(parameters)
    return Signature(every, tuple(one.name for one in every if not one.is_keyword))


@lru_cache(maxsize=4096)
def _overload(
    name: str, types: tuple[type, ...], named: tuple[tuple[str, type], ...]
) -> Signature | None:
    """Return the signature of the first of torch's overloads that takes arguments of the types."""
    for schema in torch._C._jit_get_schemas_for_operator(f"aten::{name}"):
        signature = _signature(
            Parameter(
                one.name,
                one.default_value if one.has_default_value() else _MISSING,
                one.kwarg_only,
                str(one.type),
                getattr(one, "N", None),  # the stub of torch lacks it
            )
            for one in schema.arguments
        )
        if _takes(signature.parameters, types, named):
            return signature
    return None


def _takes(
    parameters: Sequence[Parameter], types: Sequence[type], named: Sequence[tuple[str, type]]
) -> bool:
    """Return whether parameters take the arguments, integers at the end as one list, as torch."""
    places = [one for one in parameters if not one.is_keyword]
    too_many = types[max(len(places) - 1, 0) :] if len(types) > len(places) else ()
    if too_many:
        is_list = bool(places) and "List[int]" in places[-1].type
        if not is_list or not all(issubclass(one, int) for one in too_many):
            return False
    by_name = {one.name: one for one in parameters}
    given = {one.name: kind for one, kind in zip(places, types, strict=False)}
    given.update((_ALIASES.get(key, key), kind) for key, kind in named)
    return given.keys() <= by_name.keys() and all(
        _is_of(given.get(one.name, type(None)), one) for one in parameters
    )


def _is_of(kind: type, parameter: Parameter) -> bool:
    """Return whether a parameter takes an argument of a Python type; None may be left out."""
    if kind is type(None):
        return parameter.default is not _MISSING or "Optional" in parameter.type
    for types, words in _WANTED:
        if issubclass(kind, types):
            return any(word in parameter.type for word in words)
    return True


_WANTED: Final[Sequence[tuple[Any, tuple[str, ...]]]] = (
    (Tensor, ("Tensor",)),
    (bool, ("bool", "number")),
    (int, ("int", "float", "number")),
    (float, ("float", "number")),
    (str, ("str", "Device")),
    ((list, tuple), ("List",)),
    (device, ("Device",)),
    ((dtype, torch.layout, torch.memory_format), ("int",)),
)
"""Python's types, and the words of torch's types that take them: a list may be one number."""

_ALIASES: Final = {"input": "self", "axis": "dim", "keepdims": "keepdim"}
"""Names that torch's functions take beside those of the operators."""
