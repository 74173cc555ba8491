"""Pickles, read by a machine that runs no code.

The machine knows what each instruction does to its stack. A name of a function or class stays a
name (`Name`): nothing is imported. What a pickle wants to call stays a record of the call
(`Made`), except for the few functions of PyTorch and ``collections`` in `_MEANINGS`, each of which
is replaced by an own function on records. Python's ``pickletools`` describes the instructions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from mbv2cli.specs.weights.content import Content, Stream
from mbv2cli.specs.weights.tensors import (
    MAX_NAME,
    MAX_STEPS,
    MAX_TEXT,
    BrokenFileError,
    checked_shape,
    text_of,
)


class Name(NamedTuple):
    """The name of a function or class, which is not imported."""

    module: str
    name: str


class Opaque(NamedTuple):
    """A value that cannot be part of a tensor: its content is not kept."""


class Stored(NamedTuple):
    """A storage, which the pickle names and the rest of the file holds."""

    dtype: str


class Shaped(NamedTuple):
    """A tensor without its name."""

    shape: tuple[int, ...]
    dtype: str


class Made:
    """An object of a class that is not imported. ``state`` has its attributes.

    ``array`` has the shape if it is an array of NumPy.
    """

    __slots__ = ("array", "maker", "state")

    def __init__(self, maker: object) -> None:
        self.maker = maker
        self.state: dict[str, Any] = {}
        self.array: Shaped | None = None


OPAQUE: Final = Opaque()
_MARK: Final = object()


def unpickle(content: Content) -> tuple[object, int]:
    """Return the value of a pickle, and how many bytes the pickle has. Raises `BrokenFileError`.

    Values are None, truth values, numbers, text, tuples, lists, dicts whose keys are text, and
    the records of this module.
    """
    machine = _Machine(Stream(content))
    stream, run = machine.stream, _INSTRUCTIONS
    next_byte = stream.byte
    try:
        for _ in range(MAX_STEPS):
            code = next_byte()
            if code == _STOP:
                return machine.pop(), stream.position
            run[code](machine)
    except (LookupError, ValueError, TypeError, AttributeError):
        raise BrokenFileError("it is not a pickle that Python writes") from None
    raise BrokenFileError(f"its pickle has more than {MAX_STEPS:,} instructions")


class _Machine:
    """The stack, and the values that the pickle refers to again."""

    __slots__ = ("memo", "push", "stack", "stream", "text")

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.stack: list[Any] = []
        self.push = self.stack.append
        self.memo: dict[int, Any] = {}
        self.text = 0

    def pop(self) -> Any:
        value = self.stack.pop()
        if value is _MARK:
            raise IndexError
        return value

    def pop_to_mark(self) -> list[Any]:
        """Pop the values above the last mark, and the mark."""
        stack = self.stack
        at = len(stack) - 1
        while stack[at] is not _MARK:  # an IndexError ends a search that finds none
            at -= 1
            if at < 0:
                raise IndexError
        values = stack[at + 1 :]
        del stack[at:]
        return values

    def keep_text(self, content: bytes) -> str:
        self.text += len(content)
        if self.text > MAX_TEXT:
            raise BrokenFileError(f"its pickle has more than {MAX_TEXT >> 20} MiB of text")
        return text_of(content)

    def push_text(self, size: int) -> None:
        if size > MAX_NAME:  # the name of nothing
            self.stream.skip(size)
            self.push(OPAQUE)
        else:
            self.push(self.keep_text(self.stream.take(size)))

    def push_nothing(self, size: int) -> None:
        self.stream.skip(size)
        self.push(OPAQUE)


_Instruction: TypeAlias = Callable[[_Machine], None]


def _constant(value: object) -> _Instruction:
    return lambda machine: machine.push(value)


def _byte(machine: _Machine) -> None:
    machine.push(machine.stream.byte())


def _number(size: int, *, signed: bool = False) -> _Instruction:
    return lambda machine: machine.push(
        int.from_bytes(machine.stream.take(size), "little", signed=signed)
    )


def _text(size: int) -> _Instruction:
    return lambda machine: machine.push_text(machine.stream.number(size))


def _bytes(size: int) -> _Instruction:
    return lambda machine: machine.push_nothing(machine.stream.number(size))


def _skipped(size: int) -> _Instruction:
    return lambda machine: machine.stream.skip(size)


def _long(size: int) -> _Instruction:
    def push(machine: _Machine) -> None:
        count = machine.stream.number(size)
        if count > 16:  # noqa: PLR2004  (128 bits: no size of a tensor)
            machine.push_nothing(count)
        else:
            machine.push(int.from_bytes(machine.stream.take(count), "little", signed=True))

    return push


def _line_of_number(machine: _Machine) -> None:
    line = machine.stream.line().rstrip(b"L")
    words = {b"00": False, b"01": True}
    if line in words:
        machine.push(words[line])
    else:
        machine.push(int(line) if line.lstrip(b"-").isdigit() and len(line) < 40 else OPAQUE)  # noqa: PLR2004


def _line_of_text(machine: _Machine) -> None:
    line = machine.stream.line()
    quoted = len(line) > 1 and line[:1] == line[-1:] and line[:1] in (b"'", b'"')
    machine.push(machine.keep_text(line[1:-1] if quoted else line))


def _line_of_nothing(machine: _Machine) -> None:
    machine.stream.line()
    machine.push(OPAQUE)


def _mark(machine: _Machine) -> None:
    machine.push(_MARK)


def _pop(machine: _Machine) -> None:
    machine.stack.pop()


def _pop_to_mark(machine: _Machine) -> None:
    machine.pop_to_mark()


def _double(machine: _Machine) -> None:
    machine.push(machine.stack[-1])


def _tuple(size: int) -> _Instruction:
    def push(machine: _Machine) -> None:
        values = [machine.pop() for _ in range(size)]
        machine.push(tuple(reversed(values)))

    return push


def _marked_tuple(machine: _Machine) -> None:
    machine.push(tuple(machine.pop_to_mark()))


def _marked_list(machine: _Machine) -> None:
    machine.push(machine.pop_to_mark())


def _marked_dict(machine: _Machine) -> None:
    machine.push(_pairs(machine.pop_to_mark()))


def _marked_set(machine: _Machine) -> None:
    machine.pop_to_mark()
    machine.push(OPAQUE)


def _append(machine: _Machine) -> None:
    _extend(machine, [machine.pop()])


def _appends(machine: _Machine) -> None:
    _extend(machine, machine.pop_to_mark())


def _extend(machine: _Machine, values: Sequence[object]) -> None:
    if isinstance(machine.stack[-1], list):
        machine.stack[-1].extend(values)


def _set_item(machine: _Machine) -> None:
    value, key = machine.pop(), machine.pop()
    _update(machine, [key, value])


def _set_items(machine: _Machine) -> None:
    _update(machine, machine.pop_to_mark())


def _update(machine: _Machine, values: Sequence[object]) -> None:
    target = machine.stack[-1]
    if isinstance(target, Made):  # a class that inherits from dict
        target = target.state
    if isinstance(target, dict):
        target.update(_pairs(values))


def _pairs(values: Sequence[object]) -> dict[str, object]:
    """Return a dict of keys and values that follow each other; a key that is not text is no name.

    Text alone is hashed: the hash of tuples that are nested deep would end the process.
    """
    return {
        key: value
        for key, value in zip(values[::2], values[1::2], strict=False)
        if isinstance(key, str)
    }


def _name(machine: _Machine) -> None:
    module = machine.keep_text(machine.stream.line())
    machine.push(Name(module, machine.keep_text(machine.stream.line())))


def _stack_name(machine: _Machine) -> None:
    name, module = machine.pop(), machine.pop()
    both = isinstance(name, str) and isinstance(module, str)
    machine.push(Name(module, name) if both else OPAQUE)


def _call(machine: _Machine) -> None:
    arguments, function = machine.pop(), machine.pop()
    machine.push(_called(function, arguments))


def _new(machine: _Machine) -> None:
    _arguments, maker = machine.pop(), machine.pop()
    machine.push(Made(maker))


def _new_with_names(machine: _Machine) -> None:
    _names, _arguments, maker = machine.pop(), machine.pop(), machine.pop()
    machine.push(Made(maker))


def _instance(machine: _Machine) -> None:
    module, name = machine.stream.line(), machine.stream.line()
    machine.pop_to_mark()
    machine.push(Made(Name(machine.keep_text(module), machine.keep_text(name))))


def _marked_object(machine: _Machine) -> None:
    maker, *_arguments = machine.pop_to_mark() or [OPAQUE]
    machine.push(Made(maker))


def _build(machine: _Machine) -> None:
    state, made = machine.pop(), machine.stack[-1]
    if not isinstance(made, Made):
        return
    if isinstance(state, dict):
        made.state.update(state)
    elif made.maker in _ARRAYS and isinstance(state, tuple):  # version, shape, type, order, data
        made.array = Shaped(checked_shape(state[1]), _text_of_type(state[2]))


def _stored(machine: _Machine) -> None:
    """Push the storage that a pickle of PyTorch names: ``("storage", type, key, place, size)``."""
    key = machine.pop()
    if isinstance(key, tuple) and len(key) > 1 and isinstance(key[1], Name):
        machine.push(Stored(_dtype(key[1])))
    else:
        machine.push(OPAQUE)


def _remember(size: int) -> _Instruction:
    def put(machine: _Machine) -> None:
        machine.memo[machine.stream.number(size)] = machine.stack[-1]

    return put


def _remember_byte(machine: _Machine) -> None:
    machine.memo[machine.stream.byte()] = machine.stack[-1]


def _remember_next(machine: _Machine) -> None:
    machine.memo[len(machine.memo)] = machine.stack[-1]


def _remember_line(machine: _Machine) -> None:
    machine.memo[_key(machine.stream.line())] = machine.stack[-1]


def _recall(size: int) -> _Instruction:
    def get(machine: _Machine) -> None:
        machine.push(machine.memo[machine.stream.number(size)])

    return get


def _recall_byte(machine: _Machine) -> None:
    machine.push(machine.memo[machine.stream.byte()])


def _recall_line(machine: _Machine) -> None:
    machine.push(machine.memo[_key(machine.stream.line())])


def _key(line: bytes) -> int:
    if not line.isdigit() or len(line) > 20:  # noqa: PLR2004  (64 bits)
        raise IndexError
    return int(line)


def _new_dict(machine: _Machine) -> None:
    machine.push({})


def _new_list(machine: _Machine) -> None:
    machine.push([])


_BY_SIGN: Final[Mapping[bytes, _Instruction]] = {
    b"\x80": _skipped(1),  # PROTO
    b"\x95": _skipped(8),  # FRAME
    b"(": _mark,
    b"0": _pop,
    b"1": _pop_to_mark,
    b"2": _double,
    b"N": _constant(None),
    b"\x88": _constant(value=True),
    b"\x89": _constant(value=False),
    b"I": _line_of_number,
    b"L": _line_of_number,
    b"F": _line_of_nothing,
    b"J": _number(4, signed=True),
    b"K": _byte,
    b"M": _number(2),
    b"G": lambda machine: machine.push_nothing(8),  # BINFLOAT
    b"\x8a": _long(1),
    b"\x8b": _long(4),
    b"S": _line_of_text,
    b"V": _line_of_text,
    b"T": _text(4),
    b"U": _text(1),
    b"X": _text(4),
    b"\x8c": _text(1),
    b"\x8d": _text(8),
    b"B": _bytes(4),
    b"C": _bytes(1),
    b"\x8e": _bytes(8),
    b"\x96": _bytes(8),  # BYTEARRAY8
    b"\x97": _constant(OPAQUE),  # NEXT_BUFFER
    b"\x98": _skipped(0),  # READONLY_BUFFER
    b"]": _new_list,
    b"a": _append,
    b"e": _appends,
    b"l": _marked_list,
    b")": _constant(()),
    b"t": _marked_tuple,
    b"\x85": _tuple(1),
    b"\x86": _tuple(2),
    b"\x87": _tuple(3),
    b"}": _new_dict,
    b"d": _marked_dict,
    b"s": _set_item,
    b"u": _set_items,
    b"\x8f": _constant(OPAQUE),  # EMPTY_SET
    b"\x90": _pop_to_mark,  # ADDITEMS
    b"\x91": _marked_set,
    b"c": _name,
    b"\x93": _stack_name,
    b"\x82": lambda machine: machine.push_nothing(1),  # EXT1, EXT2, EXT4
    b"\x83": lambda machine: machine.push_nothing(2),
    b"\x84": lambda machine: machine.push_nothing(4),
    b"R": _call,
    b"b": _build,
    b"i": _instance,
    b"o": _marked_object,
    b"\x81": _new,
    b"\x92": _new_with_names,
    b"P": _line_of_nothing,  # PERSID
    b"Q": _stored,
    b"p": _remember_line,
    b"q": _remember_byte,
    b"r": _remember(4),
    b"\x94": _remember_next,
    b"g": _recall_line,
    b"h": _recall_byte,
    b"j": _recall(4),
}
"""What each instruction does, by its byte, but for the last one of a pickle."""

_INSTRUCTIONS: Final = {sign[0]: instruction for sign, instruction in _BY_SIGN.items()}
_STOP: Final = ord(".")


def _called(function: object, arguments: object) -> object:
    """Return what a call of one of `_MEANINGS` means, or the record of any other call."""
    meaning = _MEANINGS.get(function) if isinstance(function, Name) else None
    if meaning is None or not isinstance(arguments, tuple):
        return Made(function)
    return meaning(arguments)


def _ordered_dict(arguments: tuple[Any, ...]) -> object:
    items = arguments[0] if arguments and isinstance(arguments[0], list) else []
    pairs = (one for one in items if isinstance(one, (tuple, list)) and len(one) == 2)  # noqa: PLR2004
    return _pairs([part for pair in pairs for part in pair])


def _first(arguments: tuple[Any, ...]) -> object:
    return arguments[0]


def _tensor(arguments: tuple[Any, ...]) -> object:
    """Return the tensor of ``_rebuild_tensor(storage, offset, size, …)``."""
    storage = arguments[0]
    return Shaped(
        checked_shape(arguments[2]), storage.dtype if isinstance(storage, Stored) else "unknown"
    )


def _tensor_with_dtype(arguments: tuple[Any, ...]) -> object:
    """Return the tensor of ``_rebuild_tensor_v3(storage, offset, size, …, dtype, metadata)``."""
    dtype = arguments[6]
    return Shaped(
        checked_shape(arguments[2]), _dtype(dtype) if isinstance(dtype, Name) else "unknown"
    )


def _tensor_without_data(arguments: tuple[Any, ...]) -> object:
    """Return the tensor of ``_rebuild_meta_tensor_no_storage(dtype, size, …)``."""
    dtype = arguments[0]
    return Shaped(
        checked_shape(arguments[1]), _dtype(dtype) if isinstance(dtype, Name) else "unknown"
    )


def _array(arguments: tuple[Any, ...]) -> object:
    """Return the array of ``_frombuffer(buffer, dtype, shape, order)``."""
    return Shaped(checked_shape(arguments[2]), _text_of_type(arguments[1]))


def _text_of_type(value: object) -> str:
    """Return the element type that NumPy calls ``f4``."""
    return _NUMPY_DTYPES.get(value, "unknown") if isinstance(value, str) else "unknown"


def _of_subclass(arguments: tuple[Any, ...]) -> object:
    """Return the tensor of ``_rebuild_from_type_v2(function, type, arguments, state)``."""
    function = arguments[0]
    # not its own function again: that would nest without end
    meaning = _REBUILDERS.get(function) if isinstance(function, Name) else None
    return meaning(arguments[2]) if meaning and isinstance(arguments[2], tuple) else OPAQUE


_TORCH: Final = "torch._utils"
_REBUILDERS: Final[Mapping[Name, Callable[[tuple[Any, ...]], object]]] = {
    Name(_TORCH, "_rebuild_tensor"): _tensor,
    Name(_TORCH, "_rebuild_tensor_v2"): _tensor,
    Name(_TORCH, "_rebuild_tensor_v3"): _tensor_with_dtype,
    Name(_TORCH, "_rebuild_qtensor"): _tensor,
    Name(_TORCH, "_rebuild_meta_tensor_no_storage"): _tensor_without_data,
    Name(_TORCH, "_rebuild_parameter"): _first,
    Name(_TORCH, "_rebuild_parameter_with_state"): _first,
}
_NUMPY: Final = ("numpy.core", "numpy._core")
_ARRAYS: Final = tuple(Name(f"{one}.multiarray", "_reconstruct") for one in _NUMPY)
_MEANINGS: Final[Mapping[Name, Callable[[tuple[Any, ...]], object]]] = {
    **_REBUILDERS,
    Name("torch._tensor", "_rebuild_from_type_v2"): _of_subclass,
    **{Name(f"{one}.numeric", "_frombuffer"): _array for one in _NUMPY},
    Name("numpy", "dtype"): _first,
    Name("torch", "Size"): _first,
    Name("collections", "OrderedDict"): _ordered_dict,
    Name("__builtin__", "dict"): _ordered_dict,
    Name("builtins", "dict"): _ordered_dict,
}
"""What the functions of a checkpoint do, said of records."""

_DTYPES: Final = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "QInt8Storage": "qint8",
    "QUInt8Storage": "quint8",
}


_NUMPY_DTYPES: Final = {
    "f8": "float64",
    "f4": "float32",
    "f2": "float16",
    "i8": "int64",
    "i4": "int32",
    "i1": "int8",
    "u1": "uint8",
    "b1": "bool",
}


def _dtype(name: Name) -> str:
    """Return the element type of a storage, or of ``torch.float32``."""
    return _DTYPES.get(name.name, name.name if name.module == "torch" else "unknown")
