"""Read specs from a target, a file and flags."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

from mbv2cli.errors import UserError, nearest
from mbv2cli.specs.base import Spec, keys
from mbv2cli.specs.block import BlockSpec
from mbv2cli.specs.network import NetworkSpec
from mbv2cli.specs.presets import presets
from mbv2cli.specs.run import InputSpec
from mbv2cli.specs.synonyms import nearest_key

ModelSpec: TypeAlias = BlockSpec | NetworkSpec
AnySpec = TypeVar("AnySpec", bound=Spec)

KINDS: Final[Mapping[str, type[ModelSpec]]] = {
    BlockSpec.noun: BlockSpec,
    NetworkSpec.noun: NetworkSpec,
}


@dataclass(frozen=True, slots=True)
class Setting:
    """A key, its raw value, and the place where the user wrote it.

    The place is a flag (``--expand``) or a key of a file (``net.toml: expand``).
    """

    key: str
    value: object
    place: str


@dataclass(frozen=True, slots=True)
class Request:
    """The block or network to inspect, and its input. ``target`` is the text that names it."""

    target: str
    spec: ModelSpec
    input: InputSpec

    @property
    def kind(self) -> str:
        """``block`` or ``network``."""
        return self.spec.noun


def read_request(target: str, flags: Iterable[Setting] = ()) -> Request:
    """Read the target. Its inline settings override its own; ``flags`` override both.

    ``target`` is ``block``, ``network``, a preset or a TOML file, each with an optional
    ``:key=value,key=value``. Raises `UserError`.
    """
    kind, base, overrides = read_target(target)
    given = {setting.key: setting for setting in (*base, *overrides, *flags)}
    refuse_foreign_keys(kind, given.values())
    return Request(
        target=target,
        spec=read_spec(KINDS[kind], given.values()),
        input=read_spec(InputSpec, given.values()),
    )


def read_target(target: str) -> tuple[str, list[Setting], list[Setting]]:
    """Return the kind of ``target`` (a key of `KINDS`), its own settings, and its inline settings.

    Raises `UserError` if there is no such target.
    """
    name, colon, inline = target.partition(":")
    kind, settings = _read_named(name)
    return kind, settings, inline_settings(name, inline) if colon else []


def read_spec(model: type[AnySpec], settings: Iterable[Setting]) -> AnySpec:
    """Make a ``model`` from the settings that are keys of it. Raises `UserError`."""
    own = [setting for setting in settings if setting.key in keys(model)]
    return model.model_validate(
        {setting.key: setting.value for setting in own},
        context={setting.key: setting.place for setting in own},
    )


def target_names() -> list[str]:
    """Return the name of every target that is not a file."""
    return [*KINDS, *presets()]


def _read_named(name: str) -> tuple[str, list[Setting]]:
    """Return the kind of the target or file ``name``, and its settings."""
    if not name.endswith(".toml"):
        return _read_name(name, f"there is no target '{name}'")
    settings = file_settings(Path(name))
    base, own = split_base(settings)
    kind, base_settings = _read_name(base, f"{name}: there is no target '{base}'")
    return kind, [*base_settings, *own]


def split_base(settings: Iterable[Setting]) -> tuple[str, list[Setting]]:
    """Return the target that a file changes, by default ``network``, and its other settings."""
    settings = list(settings)
    base = next((str(setting.value) for setting in settings if setting.key == "target"), "network")
    return base, [setting for setting in settings if setting.key != "target"]


def _read_name(name: str, complaint: str) -> tuple[str, list[Setting]]:
    if name in KINDS:
        return name, []
    if name in presets():
        return "network", _preset_settings(name)
    raise UserError(
        f"{complaint}; a target is {', '.join(KINDS)}, a name that mbv2 presets lists, or NAME.toml"
        f"{nearest(name, target_names())}"
    )


def _preset_settings(name: str) -> list[Setting]:
    values = presets()[name].values
    return [Setting(key, value, f"preset {name}: {key}") for key, value in values.items()]


def refuse_foreign_keys(kind: str, settings: Iterable[Setting]) -> None:
    """Raise `UserError` if a setting is not a key of this kind of target or of its input."""
    own = [*keys(KINDS[kind]), *keys(InputSpec)]
    for setting in settings:
        if setting.key in own:
            continue
        takes = f"(a {kind} takes {', '.join(own)})"
        for other, model in KINDS.items():
            if setting.key in keys(model):
                raise UserError(f"{setting.place} belongs to a {other}, not to a {kind} {takes}")
        hint = nearest_key(setting.key, own)
        raise UserError(f"{setting.place} is not a key of a {kind} {takes}{hint}")


def inline_settings(target: str, text: str) -> list[Setting]:
    """Read the ``key=value,key=value`` of ``target:key=value,key=value``.

    A key may be written as its flag is: ``width-mult`` is ``width_mult``.
    """
    settings: dict[str, Setting] = {}
    for pair in text.split(","):
        key, equals, value = (part.strip() for part in pair.partition("="))
        if not (key and equals and value):
            raise UserError(
                f"'{target}:{text}' is not TARGET:key=value,key=value: cannot read '{pair}'; "
                f"try {target}:size=160"
            )
        key = key.replace("-", "_")
        if key in settings:
            raise UserError(f"'{target}:{text}' gives {key} twice; give it once")
        settings[key] = Setting(key, value, f"{target}:{key}")
    return list(settings.values())


def file_settings(path: Path) -> list[Setting]:
    """Read the top-level keys of a TOML file."""
    return [Setting(key, value, f"{path}: {key}") for key, value in read_toml(path).items()]


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file. Raises `UserError` if it cannot be read or is not valid TOML."""
    return parse_toml(read_text(path), str(path))


def read_text(path: Path) -> str:
    """Read a file of UTF-8 text. Raises `UserError` if it cannot be read or is not UTF-8."""
    try:
        return path.read_bytes().decode("utf-8")  # keeps line ends: TOML forbids a lone CR
    except UnicodeDecodeError:
        raise UserError(f"{path} is not valid TOML: it is not UTF-8 text") from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None


def parse_toml(text: str, place: str) -> dict[str, Any]:
    """Parse the text of ``place``. Raises `UserError` if it is not valid TOML."""
    try:
        return tomllib.loads(text)
    except (
        ValueError,
        RecursionError,
    ) as error:
        raise UserError(f"{place} is not valid TOML: {error}") from None
