"""The one reader: from a target, a file and flags to specs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

from mbv2cli.errors import UserError, nearest
from mbv2cli.specs.base import Spec
from mbv2cli.specs.block import BlockSpec
from mbv2cli.specs.input import InputSpec
from mbv2cli.specs.keys import keys
from mbv2cli.specs.network import NetworkSpec
from mbv2cli.specs.presets import presets
from mbv2cli.specs.settings import Setting, file_settings, inline_settings

ModelSpec: TypeAlias = BlockSpec | NetworkSpec
AnySpec = TypeVar("AnySpec", bound=Spec)

KINDS: Final[Mapping[str, type[ModelSpec]]] = {"block": BlockSpec, "network": NetworkSpec}


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be inspected: a block or a network, and its input."""

    target: str
    kind: str
    spec: ModelSpec
    input: InputSpec


def read_request(target: str, flags: Iterable[Setting] = ()) -> Request:
    """Read what ``target`` names, overridden by its inline settings, then by ``flags``.

    ``target`` is ``block``, ``network``, a preset or a TOML file, each with an optional
    ``:key=value,key=value``. Raises `UserError`.
    """
    kind, base, overrides = read_target(target)
    given = {setting.key: setting for setting in (*base, *overrides, *flags)}
    refuse_foreign_keys(kind, given.values())
    return Request(
        target=target,
        kind=kind,
        spec=read_spec(KINDS[kind], given.values()),
        input=read_spec(InputSpec, given.values()),
    )


def read_target(target: str) -> tuple[str, list[Setting], list[Setting]]:
    """Return which kind of thing ``target`` names, its own settings, and the inline ones.

    Raises `UserError` where there is no such target.
    """
    name, colon, inline = target.partition(":")
    kind, settings = _read_named(name)
    return kind, settings, inline_settings(name, inline) if colon else []


def read_spec(model: type[AnySpec], settings: Iterable[Setting]) -> AnySpec:
    """Make a ``model`` of those settings that are keys of it. Raises `UserError`."""
    own = [setting for setting in settings if setting.key in keys(model)]
    return model.model_validate(
        {setting.key: setting.value for setting in own},
        context={setting.key: setting.place for setting in own},
    )


def target_names() -> list[str]:
    """Return every target that is no file."""
    return [*KINDS, *presets()]


def _read_named(name: str) -> tuple[str, list[Setting]]:
    """Return which kind of thing ``name`` is, and the settings that come with it."""
    if not name.endswith(".toml"):
        return _read_name(name, f"there is no target '{name}'")
    settings = file_settings(Path(name))
    base, own = split_base(settings)
    kind, base_settings = _read_name(base, f"{name}: there is no target '{base}'")
    return kind, [*base_settings, *own]


def split_base(settings: Iterable[Setting]) -> tuple[str, list[Setting]]:
    """Return the name that a file has under ``target``, by default a network, and the rest."""
    settings = list(settings)
    base = next((str(setting.value) for setting in settings if setting.key == "target"), "network")
    return base, [setting for setting in settings if setting.key != "target"]


def _read_name(name: str, complaint: str) -> tuple[str, list[Setting]]:
    if name in KINDS:
        return name, []
    if name in presets():
        return "network", list(presets()[name].settings)
    raise UserError(
        f"{complaint}; a target is {', '.join(KINDS)}, a name that mbv2 presets lists, or NAME.toml"
        f"{nearest(name, target_names())}"
    )


def refuse_foreign_keys(kind: str, settings: Iterable[Setting]) -> None:
    """Raise `UserError` where a setting is no key of this kind of target or of its input."""
    own = [*keys(KINDS[kind]), *keys(InputSpec)]
    for setting in settings:
        if setting.key in own:
            continue
        takes = f"(a {kind} takes {', '.join(own)})"
        for other, model in KINDS.items():
            if setting.key in keys(model):
                raise UserError(f"{setting.place} belongs to a {other}, not to a {kind} {takes}")
        hint = nearest(setting.key, own)
        raise UserError(f"{setting.place} is not a key of a {kind} {takes}{hint}")
