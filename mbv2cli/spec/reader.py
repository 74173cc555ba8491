"""The one reader: from a target, a file and flags to specs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

from mbv2cli.errors import UserError, nearest
from mbv2cli.spec.base import Spec
from mbv2cli.spec.block import BlockSpec
from mbv2cli.spec.input import InputSpec
from mbv2cli.spec.keys import keys
from mbv2cli.spec.network import NetworkSpec
from mbv2cli.spec.settings import Setting, file_settings, inline_settings

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

    ``target`` is ``block``, ``network`` or a TOML file, each with an optional
    ``:key=value,key=value``. Raises `UserError`.
    """
    name, colon, inline = target.partition(":")
    kind, settings = _read_target(name)
    overrides = inline_settings(name, inline) if colon else []
    given = {setting.key: setting for setting in (*settings, *overrides, *flags)}
    _refuse_foreign_keys(kind, given.values())
    return Request(
        target=target,
        kind=kind,
        spec=read_spec(KINDS[kind], given.values()),
        input=read_spec(InputSpec, given.values()),
    )


def read_spec(model: type[AnySpec], settings: Iterable[Setting]) -> AnySpec:
    """Make a ``model`` of those settings that are keys of it. Raises `UserError`."""
    own = [setting for setting in settings if setting.key in keys(model)]
    return model.model_validate(
        {setting.key: setting.value for setting in own},
        context={setting.key: setting.place for setting in own},
    )


def _read_target(name: str) -> tuple[str, list[Setting]]:
    """Return which kind of thing ``name`` is, and the settings that come with it."""
    if name in KINDS:
        return name, []
    if not name.endswith(".toml"):
        raise UserError(
            f"there is no target '{name}' (a target is {', '.join(KINDS)} or a TOML file, "
            f"NAME.toml){nearest(name, KINDS)}"
        )
    settings = file_settings(Path(name))
    kind = next((str(s.value) for s in settings if s.key == "target"), "network")
    if kind not in KINDS:
        raise UserError(
            f"{name}: target must be one of {', '.join(KINDS)}, not '{kind}'{nearest(kind, KINDS)}"
        )
    return kind, [setting for setting in settings if setting.key != "target"]


def _refuse_foreign_keys(kind: str, settings: Iterable[Setting]) -> None:
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
