"""Flags from the fields of specs: name, help, choices and default are those of the field."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from keyword import iskeyword
from typing import Annotated, Any, Final, NamedTuple

import typer
from pydantic.fields import FieldInfo

from mbv2cli.cli.completion import board_names, completion
from mbv2cli.cli.panels import NAMED_ONLY
from mbv2cli.specs import BlockSpec, InputSpec, NetworkSpec
from mbv2cli.specs.base import Spec, allowed_values, choices, keys
from mbv2cli.specs.fields import is_added
from mbv2cli.specs.reader import Setting

FILE_ONLY: Final = frozenset({"features"})
"""Keys that have no flag, because their values are tables."""

_DEFAULT_IN_WORDS: Final[Mapping[tuple[type[Spec], str], str]] = {
    (NetworkSpec, "stages"): "the paper's",
    (NetworkSpec, "expand"): "the stages' own",
    (NetworkSpec, "output_stride"): "the stages' own: 32",
}

_METAVARS: Final[Mapping[str, str]] = {
    "a list of 1 to": "tNcN/…",
    "a side": "HxW",
    "a shape": "SHAPE",
    "bytes": "BYTES",
    "a number": "X",
    "a whole number": "N",
    "an odd whole number": "N",
    "a count": "N",
}
"""What the help shows for a value, by the start of the sentence that says what is allowed."""

_WORDS: Final[Mapping[str, Callable[[], Iterable[str]]]] = {
    "device": lambda: ("auto", "cpu", "cuda", "mps", "meta"),
    "board": board_names,
}
"""Words that the shell offers for a field that accepts other values too."""

_RARE: Final = frozenset({"stem_scaling", "head_scaling"})

RENAMED: Final = {"output": "--expect"}
"""Flags that are not named as their key: `--output` is where a report goes."""


class _Flag(NamedTuple):
    """A flag and the specs that have it as a field."""

    key: str
    owners: tuple[type[Spec], ...]
    is_hidden: bool = False
    is_varied: bool = False

    @property
    def name(self) -> str:
        return RENAMED.get(self.key, f"--{self.key.replace('_', '-')}")

    @property
    def parameter(self) -> str:
        name = self.name.removeprefix("--").replace("-", "_")
        return f"{name}_" if iskeyword(name) else name

    @property
    def field(self) -> FieldInfo:
        return keys(self.owners[0])[self.key]

    @property
    def is_named_only(self) -> bool:
        added = all(is_added(keys(owner)[self.key]) for owner in self.owners)
        return added or self.key in _RARE

    @property
    def panel(self) -> str:
        if self.is_named_only:
            return NAMED_ONLY
        owners = (BlockSpec, NetworkSpec) if self.owners == (InputSpec,) else self.owners
        return " and ".join(owner.noun for owner in owners).capitalize()

    @property
    def default(self) -> str:
        defaults = {
            owner.noun: _DEFAULT_IN_WORDS.get((owner, self.key), _default(keys(owner)[self.key]))
            for owner in self.owners
        }
        if len(set(defaults.values())) == 1:
            return next(iter(defaults.values()))
        return ", ".join(f"{default} for a {noun}" for noun, default in defaults.items())

    @property
    def help(self) -> str:
        words = choices(self.field)
        is_said = all(f"{word}:" in str(self.field.description) for word in words)
        allowed = "" if is_said else f" One of {', '.join(words)}."
        text = "several" if self.is_varied else self.default
        default = f" [default: {text}]" if text != "None" else ""
        return f"{self.field.description}{allowed}{default}"


def with_flags(
    *,
    hidden: Collection[str] = (),
    varied: Collection[str] = (),
    **groups: tuple[type[Spec], ...],
) -> Callable[[Callable[..., Any]], Any]:
    """Replace each parameter named here by the flags of these specs.

    The help does not show the ``hidden`` keys, which the command refuses with a reason. It says
    that the ``varied`` keys have several values if they are not given.
    The command receives the flags that were given as a list of `Setting`, unread. `specs.reader`
    reads them, as it reads files.
    """
    flags = {
        parameter: [
            flag._replace(is_hidden=flag.key in hidden, is_varied=flag.key in varied)
            for flag in _flags(owners)
        ]
        for parameter, owners in groups.items()
    }

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def wrapped(**values: Any) -> Any:
            settings = {group: list(_given(own, values)) for group, own in flags.items()}
            return command(**values, **settings)

        wrapped.__signature__ = _signature(command, flags)  # type: ignore[attr-defined]  # what Typer reads
        return wrapped

    return decorate


def _flags(owners: tuple[type[Spec], ...]) -> Iterator[_Flag]:
    """Yield each flag once; those that several specs share first."""
    every = dict.fromkeys(key for owner in owners for key in keys(owner) if key not in FILE_ONLY)
    found = [_Flag(key, tuple(o for o in owners if key in keys(o))) for key in every]
    return iter(sorted(found, key=lambda flag: (-len(flag.owners), owners.index(flag.owners[0]))))


def _given(flags: Iterable[_Flag], values: dict[str, Any]) -> Iterator[Setting]:
    """Take the flags out of ``values``; yield those that the user gave."""
    for flag in flags:
        value = values.pop(flag.parameter)
        if value is not None:
            yield Setting(flag.key, value, flag.name)


def _signature(command: Callable[..., Any], flags: dict[str, list[_Flag]]) -> inspect.Signature:
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command, eval_str=True).parameters.values():
        if parameter.name in flags:
            parameters += map(_parameter, flags[parameter.name])
        else:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
    return inspect.Signature(parameters)


def _parameter(flag: _Flag) -> inspect.Parameter:
    words = choices(flag.field)
    names = (lambda: words) if words else _WORDS.get(flag.key)
    option = typer.Option(
        flag.name,
        metavar=_metavar(flag.field),
        help=flag.help,
        show_default=False,  # the default here is None; the help has that of the field
        rich_help_panel="" if flag.is_hidden else flag.panel,
        hidden=flag.is_hidden or flag.is_named_only,
        autocompletion=completion(names) if names else None,
    )
    return inspect.Parameter(
        flag.parameter,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[str | None, option],
    )


def _default(field: FieldInfo) -> str:
    if isinstance(field.default, tuple):
        return "x".join(map(str, field.default))
    return str(field.default)


def _metavar(field: FieldInfo) -> str:
    for start, metavar in _METAVARS.items():
        if allowed_values(field).startswith(start):
            return metavar
    return "NAME"
