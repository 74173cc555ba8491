"""A module of the user's own, as a TARGET: ``my_model.py:Net:width=0.5,classes=10``."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from mbv2cli.errors import UserError, nearest
from mbv2cli.specs.fields import MAX_SIDE
from mbv2cli.specs.reader import Setting, own_name, read_spec
from mbv2cli.specs.run import InputSpec
from mbv2cli.specs.words import DTYPE_SYNONYMS, listed

DEFAULT_CHANNELS: Final = 3
"""Channels of the input of a module, unless the user gives others: those of an image."""

DEFAULT_SHAPE: Final = (1, DEFAULT_CHANNELS, 224, 224)
"""The shape of the only input of a module, unless the user gives others."""

INPUT_DTYPES: Final = (
    *("float32", "float64", "float16", "bfloat16"),
    *("int64", "int32", "int16", "int8", "uint8", "bool"),
)
"""The element types that an input can have, under torch's names."""

_NAME: Final = r"[^\W\d]\w*"
_NAMES: Final = rf"{_NAME}(?:\.{_NAME})*"
_MODULE: Final = re.compile(
    rf"(?P<origin>.+\.py|{_NAMES}):(?P<attribute>{_NAMES})(?::(?P<arguments>.*))?", re.DOTALL
)
_SHAPE: Final = re.compile(r"\d{1,9}(?:[xX×,*]\d{1,9})*")
_ARGUMENT: Final = re.compile(rf"\s*({_NAME})\s*=\s*(\S.*?)\s*", re.DOTALL)
_WORD: Final = re.compile(r"[^\W\d][\w./-]*")
_OWN_KEYS: Final = ("in", "size", "batch")


class TensorSpec(NamedTuple):
    """An input: its shape and, if the user named one, its element type."""

    shape: tuple[int, ...]
    dtype: str | None = None

    @property
    def text(self) -> str:
        """The text from which `read_input` reads the same."""
        shape = "x".join(map(str, self.shape))
        return f"{shape}:{self.dtype}" if self.dtype else shape


@dataclass(frozen=True, slots=True)
class ModuleSource:
    """Where a module comes from: a Python file or package, a name in it, and arguments.

    ``target`` is the text that names it. ``name`` is that text without the arguments. ``folder``
    is where a package is looked for first; None for the working directory.
    """

    target: str
    name: str
    origin: str
    attribute: str
    arguments: Mapping[str, Any] = field(hash=False)
    folder: Path | None = None

    @property
    def is_file(self) -> bool:
        """Whether ``origin`` is the path of a file, not the name of a package."""
        return self.origin.endswith(".py")

    @property
    def file(self) -> str:
        """The file or package as the user wrote it."""
        return self.name.removesuffix(f":{self.attribute}")

    def seen_from(self, folder: Path) -> ModuleSource:
        """Return the same source for a file in ``folder`` that names this one."""
        origin = str(folder / self.origin) if self.is_file else self.origin
        return replace(self, origin=origin, folder=folder)

    def called_with(self, arguments: Mapping[str, Any]) -> ModuleSource:
        """Return the same source with further arguments. Raises `UserError` for one given twice."""
        if not arguments:
            return self
        twice = next((name for name in arguments if name in self.arguments), None)
        if twice is not None:
            raise UserError(f"'{self.target}' gives {twice} already; give it once")
        every = {**self.arguments, **arguments}
        text = ",".join(f"{name}={_toml(value)}" for name, value in every.items())
        return replace(self, target=f"{self.name}:{text}", arguments=every)


@dataclass(frozen=True, slots=True)
class ModuleRequest:
    """The module to observe, and its inputs."""

    source: ModuleSource
    inputs: tuple[TensorSpec, ...]

    @property
    def target(self) -> str:
        """The text that names the module."""
        return self.source.target


def names_module(target: str) -> bool:
    """Return whether a target names a module, with or without arguments."""
    return _named_module(target) is not None


def _named_module(target: str) -> re.Match[str] | None:
    found = _MODULE.fullmatch(target)
    return None if found is None or own_name(found["origin"]) is not None else found


def module_source(target: str) -> ModuleSource | None:
    """Return the module that a target names; None if it names a block, a network or a file.

    Raises `UserError` if the arguments cannot be read.
    """
    found = _named_module(target)
    if found is None:
        return None
    arguments = dict(_arguments(target, found["arguments"]))
    name = f"{found['origin']}:{found['attribute']}"
    return ModuleSource(target, name, found["origin"], found["attribute"], arguments)


def module_request(
    source: ModuleSource, flags: Iterable[Setting], inputs: Sequence[str], place: str = "--input"
) -> ModuleRequest:
    """Return the request of a module.

    ``inputs`` are texts such as ``1x3x64x64`` or ``1x128:int64``, written at ``place``. Without
    any, the flags ``in``, ``size`` and ``batch`` give the only input. Raises `UserError`.
    """
    given = list(flags)
    for setting in given:
        if setting.key not in _OWN_KEYS:
            raise UserError(
                f"{setting.place} belongs to a block or a network; an argument of the module is "
                f"part of the TARGET: {_with_argument(source, setting)}"
            )
        if inputs:
            raise UserError(f"{place} and {setting.place} exclude each other; give one of them")
    if inputs:
        return ModuleRequest(source, tuple(read_input(text, place) for text in inputs))
    image = read_spec(InputSpec, given)
    channels = _channels(given)
    return ModuleRequest(source, (TensorSpec((image.batch, channels, *image.size)),))


def read_input(text: str, place: str = "--input") -> TensorSpec:
    """Read ``1x3x64x64`` or ``1x128:int64``, which is written at ``place``. Raises `UserError`."""
    shape, colon, dtype = text.partition(":")
    sides = tuple(map(int, re.split("[xX×,*]", shape))) if _SHAPE.fullmatch(shape) else ()
    if not sides or not all(1 <= side <= MAX_SIDE for side in sides):
        raise UserError(
            f"{place} must be a shape such as 1x3x224x224 or 1x128:int64, each number from 1 to "
            f"{MAX_SIDE}, not '{text}'"
        )
    if not colon:
        return TensorSpec(sides)
    word = listed(dtype, INPUT_DTYPES, DTYPE_SYNONYMS)
    if word not in INPUT_DTYPES:
        raise UserError(
            f"{place} {text}: the element type must be one of {', '.join(INPUT_DTYPES)}, not "
            f"'{dtype}'{nearest(dtype, INPUT_DTYPES)}"
        )
    return TensorSpec(sides, word)


def _toml(value: object) -> str:
    """Return a value as TOML has it, but for tables."""
    import json

    return json.dumps(value, default=str)


def _channels(settings: Sequence[Setting]) -> int:
    from mbv2cli.specs.network import NetworkSpec

    own = [setting for setting in settings if setting.key == "in"]
    return read_spec(NetworkSpec, own).in_channels if own else DEFAULT_CHANNELS


def _with_argument(source: ModuleSource, setting: Setting) -> str:
    separator = "," if source.arguments else ":"
    return f"{source.target}{separator}{setting.key}={setting.value}"


def _arguments(target: str, text: str | None) -> Iterator[tuple[str, Any]]:
    """Yield each argument and its value. A value is TOML; a word needs no quotes."""
    names: set[str] = set()
    for pair in [] if text is None else _split(text):
        found = _ARGUMENT.fullmatch(pair)
        if found is None:
            raise UserError(
                f"'{target}' is not FILE.py:NAME:argument=value,argument=value: cannot read "
                f"'{pair}'; try {target.partition(':')[0]}:Net:width=0.5"
            )
        name, value = found.groups()
        if name in names:
            raise UserError(f"'{target}' gives {name} twice; give it once")
        names.add(name)
        yield name, _value(target, name, value)


def _split(text: str) -> Iterator[str]:
    """Yield what is between the commas that are outside of brackets and quotes."""
    start, depth, quote = 0, 0, ""
    for place, sign in enumerate(text):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
        elif sign in "[{(":
            depth += 1
        elif sign in "]})":
            depth -= 1
        elif sign == "," and depth <= 0:
            yield text[start:place]
            start = place + 1
    yield text[start:]


def _value(target: str, name: str, text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        if _WORD.fullmatch(text):
            return text
        raise UserError(
            f"'{target}': the value of {name} must be as in TOML, such as 0.5, true, [1, 2] or "
            f'"text", not {text}'
        ) from None
