"""Read specs from a target, a file and flags."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from os.path import realpath
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias, TypeVar

from mbv2cli.errors import UserError, nearest, value_text
from mbv2cli.specs.base import Spec, keys
from mbv2cli.specs.block import BlockSpec
from mbv2cli.specs.files import exists, is_folder, is_regular, read_toml
from mbv2cli.specs.idle import IdleError, level_of
from mbv2cli.specs.network import NetworkSpec
from mbv2cli.specs.origin import Origin
from mbv2cli.specs.presets import presets
from mbv2cli.specs.run import InputSpec
from mbv2cli.specs.stage_text import BETWEEN
from mbv2cli.specs.synonyms import nearest_key

ModelSpec: TypeAlias = BlockSpec | NetworkSpec
AnySpec = TypeVar("AnySpec", bound=Spec)

KINDS: Final[Mapping[str, type[ModelSpec]]] = {
    BlockSpec.noun: BlockSpec,
    NetworkSpec.noun: NetworkSpec,
}

STAGES: Final = "stages"
"""The key of the stages of a network."""

MAX_FILES: Final = 20
"""Most files in a row, each of which names the next as its target."""

_LISTS: Final = {
    STAGES: "t1c16/t6c24n2s2",
    "size": "224x320",
    **dict.fromkeys(("stride", "stem_stride"), "2x1"),
}
"""The fields that are lists in a TOML file, with a text for each."""

_TOML: Final = ".toml"
_TOML_TARGET: Final = re.compile(r"(.*\.toml)(?::(.*))?", re.DOTALL)

_LONGEST_PATH: Final = 4096
"""No system has longer paths."""

_SUFFIXES: Final = (
    *(".json", ".py", ".txt", ".yaml", ".yml"),
    *(".pth", ".pt", ".bin", ".ckpt", ".safetensors", ".h5", ".keras", ".onnx", ".tflite"),
)
"""The ends of names that people take for files."""


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
    """The block or network to inspect, and its input. ``target`` is the text that names it.

    ``origin`` is None unless the file of another codebase describes the model.
    """

    target: str
    spec: ModelSpec
    input: InputSpec
    origin: Origin | None = None

    @property
    def kind(self) -> str:
        """``block`` or ``network``."""
        return self.spec.noun


class Described(NamedTuple):
    """What the name or file of a target describes: a kind (a key of `KINDS`) with settings."""

    kind: str
    settings: Sequence[Setting]
    origin: Origin | None = None

    def changed_by(self, settings: Sequence[Setting]) -> Described:
        """Return the same with settings that win over its own."""
        keys = {setting.key for setting in settings}
        return Described(
            self.kind, [*self.settings, *settings], self.origin and self.origin.without(keys)
        )


class TargetText(NamedTuple):
    """A target: what its name describes, and its inline settings, which win."""

    described: Described
    inline: Sequence[Setting]


def read_request(target: str, flags: Iterable[Setting] = ()) -> Request:
    """Read the target. Its inline settings override its own; ``flags`` override both.

    ``target`` is ``block``, ``network``, a preset or a file, each with an optional
    ``:key=value,key=value``. Raises `UserError`.
    """
    return request_of(target, read_target(target), flags)


def request_of(target: str, text: TargetText, flags: Iterable[Setting] = ()) -> Request:
    """Return the request of a target that has been read. Raises `UserError`."""
    described, inline = text
    kind, settings, origin = described.changed_by([*inline, *flags])
    given = by_key(settings)
    refuse_foreign_keys(kind, given.values())
    several = {one.key for one in settings if isinstance(one.value, list) and one.key != STAGES}
    return Request(
        target=target,
        spec=_spec_of_use(KINDS[kind], [*given.values()], several),
        input=read_spec(InputSpec, given.values()),
        origin=origin,
    )


def _spec_of_use(
    model: type[ModelSpec], settings: Sequence[Setting], several: Collection[str]
) -> ModelSpec:
    """Make a ``model`` of settings. One may do nothing if a file has ``several`` values of it.

    A member of a sweep of this file names it: else no target could be read with this file.
    """
    try:
        return read_spec(model, settings)
    except IdleError as idle:
        if idle.key not in several:
            raise
        of_use = [setting for setting in settings if setting.key != idle.key]
        return _spec_of_use(model, of_use, several)


def by_key(settings: Iterable[Setting]) -> dict[str, Setting]:
    """Return the last setting of each key, in the order of these settings."""
    given: dict[str, Setting] = {}
    for setting in settings:
        given.pop(setting.key, None)
        given[setting.key] = setting
    return given


def read_target(target: str) -> TargetText:
    """Return what ``target`` describes, and its inline settings.

    Raises `UserError` if there is no such target.
    """
    return _read_target(target, "", ())


def split_target(target: str) -> tuple[str, str | None]:
    """Return the name or file of ``target``, and its inline settings as text, None without colon.

    The path of a file may have colons: it ends at the last ``.toml`` before a colon or the end,
    or else where the longest path of a file ends.
    """
    if path := _TOML_TARGET.fullmatch(target):
        return path[1], path[2]
    name, colon, inline = target.partition(":")
    if colon and own_name(name) is None:
        for end in range(min(len(target), _LONGEST_PATH), len(name), -1):
            if target[end : end + 1] in (":", "") and is_regular(Path(target[:end])):
                return target[:end], target[end + 1 :] if end < len(target) else None
    return name, inline if colon else None


def is_file(name: str) -> bool:
    """Return whether the name of a target is that of a file: ``NAME.toml``, or a file that exists.

    The names of other targets come first.
    """
    return name.endswith(_TOML) or (own_name(name) is None and is_regular(Path(name)))


def target_seen_from(folder: Path, target: str) -> str:
    """Return a target that a file in ``folder`` names; the path of a file starts there."""
    if own_name(target.partition(":")[0]) is not None and not _TOML_TARGET.fullmatch(target):
        return target
    seen = str(folder / target)
    return seen if is_file(split_target(seen)[0]) else target


def _names_module(target: str) -> bool:
    if ".py:" not in target:  # at once, for the targets that people type
        return False
    from mbv2cli.specs.module import names_module

    return names_module(target)


def read_spec(model: type[AnySpec], settings: Iterable[Setting]) -> AnySpec:
    """Make a ``model`` from the settings that are keys of it. Raises `UserError`."""
    own = [setting for setting in settings if setting.key in keys(model)]
    return model.model_validate(
        {setting.key: setting.value for setting in own},
        context={setting.key: setting.place for setting in own},
    )


def without_idle(kind: str, values: Mapping[str, object]) -> Mapping[str, object]:
    """Return the values of a block or a network, but for those that do nothing beside the others.

    ``kind`` is a key of `KINDS`. Raises `UserError` if they are not those of one.
    """
    try:
        read_spec(KINDS[kind], [Setting(key, value, key) for key, value in values.items()])
    except IdleError as idle:
        return without_idle(kind, {key: one for key, one in values.items() if key != idle.key})
    return values


def target_names() -> list[str]:
    """Return the name of every target that is not a file."""
    return [*KINDS, *presets()]


def own_name(name: str) -> str | None:
    """Return the name in `target_names` that ``name`` means: itself, or the one with this alias.

    Case does not matter, and ``-`` means ``_``. None if there is no such name.
    """
    return _names().get(_folded(name))


def nearest_target(name: str) -> str:
    """Return ``"; did you mean 'x'?"`` for the closest name or alias of a target, or ``""``."""
    aliases = (alias for preset in presets() for alias in presets().aliases(preset))
    return nearest(name, [*target_names(), *aliases])


@cache
def _names() -> Mapping[str, str]:
    """Return the name of a target for each name and each alias."""
    own = {_folded(name): name for name in target_names()}
    return own | {_folded(alias): name for name in presets() for alias in presets().aliases(name)}


def _folded(name: str) -> str:
    return name.lower().replace("-", "_")


def _read_target(target: str, place: str, above: Sequence[str]) -> TargetText:
    """Return what a target describes, and its inline settings.

    ``place`` comes before each message. ``above`` are the TOML files that led to this target.
    """
    name, inline = split_target(target)
    if name.endswith(_TOML):
        described = _read_toml(Path(name), place, above)
    elif is_file(name) and not _names_module(target):
        from mbv2cli.specs.foreign import read_foreign

        described = Described(*read_foreign(Path(name)))
    else:
        described = _read_name(name, place)
    return TargetText(described, inline_settings(name, inline, place))


def _read_toml(path: Path, place: str, above: Sequence[str]) -> Described:
    """Return the target of a TOML file, with the settings of the file."""
    target, own = read_base(path)
    own_path = realpath(path)
    if own_path in above:
        raise UserError(f"{place}{path} leads back to this file; name another file or a preset")
    place, files = f"{path}: target: ", [*above, own_path]
    if len(files) > MAX_FILES:
        raise UserError(
            f"{place}{MAX_FILES} files have led to this file, each by its target; name a target "
            "that is not a file"
        )
    described, inline = _read_target(target, place, files)
    return described.changed_by([*inline, *own])


def read_base(path: Path) -> tuple[str, list[Setting]]:
    """Return the target that a file changes, by default ``network``, and its other settings."""
    settings = file_settings(path)
    if any(setting.key == "case" for setting in settings):
        raise UserError(
            f"{path} has cases, so it is not a TARGET; mbv2 check --config {path} checks them"
        )
    base = next((setting for setting in settings if setting.key == "target"), None)
    return (
        target_seen_from(path.parent, target_text(base) if base else "network"),
        [setting for setting in settings if setting.key != "target"],
    )


def target_text(setting: Setting) -> str:
    """Return the value of a setting that must be a target. Raises `UserError` if it is not text."""
    if not isinstance(setting.value, str):
        raise UserError(
            f'{setting.place} must be a target such as "network", not {value_text(setting.value)}'
        )
    return setting.value


def _read_name(name: str, place: str = "") -> Described:
    """Return what a target that is not a file describes."""
    own = own_name(name)
    if own is None:
        _refuse_missing_file(name, place)
        _refuse_family(name, place)
        raise UserError(
            f"{place}there is no target '{name}'; a target is {', '.join(KINDS)}, a name that mbv2 "
            f"presets lists, or a file such as NAME.toml; most commands take a module too, such as "
            f"my_model.py:Net{nearest_target(name)}"
        )
    return Described(own, []) if own in KINDS else Described("network", _preset_settings(own))


def _refuse_missing_file(name: str, place: str) -> None:
    """Raise `UserError` if ``name`` is a folder, or looks like a file that is not there."""
    path = Path(name)
    if name and is_folder(path):
        raise UserError(
            f"{place}{name} is a folder; name a file in it, such as {path / 'config.json'}"
        )
    is_module = is_regular(path)  # which only some commands take
    if path.suffix.lower() in _SUFFIXES and not is_module:
        problem = "no regular file" if exists(path) else "no file"
        raise UserError(f"{place}there is {problem} {name}; give the path of one, or a preset")


def _refuse_family(name: str, place: str) -> None:
    """Raise `UserError` if ``name`` is a family of presets."""
    family = _folded(name)
    one = next((preset.name for preset in presets().values() if preset.family == family), None)
    if one:
        raise UserError(
            f"{place}{family} is a family of presets; name one of them, such as {one} "
            f"(mbv2 presets {family} lists them)"
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
                raise UserError(
                    f"{setting.place} belongs to a {other}, not to a {kind} {takes}; for a "
                    f"{other}, write {_as_target(other, setting)}"
                )
        hint = nearest_key(setting.key, own)
        raise UserError(f"{setting.place} is not a key of a {kind} {takes}{hint}")


def _as_target(kind: str, setting: Setting) -> str:
    """Return how the place of a setting names another kind of target."""
    level = level_of(setting.place)
    if level.endswith(": target"):
        return f"{kind} as the target in the file"
    table = "case" if setting.place.startswith(f"{level}: case.") else "file"
    return f'the line target = "{kind}" in the {table}' if level else f"{kind} as the TARGET"


def inline_settings(target: str, text: str | None, place: str = "") -> list[Setting]:
    """Read the ``key=value,key=value`` of ``target:key=value,key=value``; None has no setting.

    A key may be written as its flag is: ``width-mult`` is ``width_mult``. ``place`` comes before
    each message, such as ``net.toml: target: ``.
    """
    settings: dict[str, Setting] = {}
    for pair in [] if text is None else text.split(","):
        key, equals, value = (part.strip() for part in pair.partition("="))
        if not (key and equals and value):
            hint = _inline_hint(target, list(settings.values()), pair.strip())
            raise UserError(
                f"{place}'{target}:{text}' is not TARGET:key=value,key=value: cannot read "
                f"'{pair}'; {hint}"
            )
        key = key.replace("-", "_")
        if _is_cut(value):
            raise UserError(
                f"{place}{target}:{key}={value} is the start of a list, and a comma separates the "
                f"settings of a target; write {_without_list(key, value)}"
            )
        if key in settings:
            raise UserError(f"{place}'{target}:{text}' gives {key} twice; give it once")
        settings[key] = Setting(key, value, f"{place}{target}:{key}")
    return list(settings.values())


def _inline_hint(target: str, before: Sequence[Setting], pair: str) -> str:
    """Return what to write instead of ``pair``, which comes after the settings ``before``."""
    if before and before[-1].key == "size" and pair.isdecimal():
        return f"a comma separates settings, so write size={before[-1].value}x{pair}"
    if before and before[-1].key == STAGES:
        return f"write {BETWEEN} between stages: {STAGES}={before[-1].value}{BETWEEN}{pair}"
    return f"try {target}:size=160"


def _is_cut(value: str) -> bool:
    """Return whether a value opens more brackets than it closes."""
    return sum(map(value.count, "[({")) > sum(map(value.count, "])}"))


def _without_list(key: str, value: str) -> str:
    """Return what to write instead of a list."""
    if key not in _LISTS:
        first = value.strip("[({\"'")
        return f"one value, such as {key}={first}"
    return f"{key}={_LISTS[key]}, or give the list in a TOML file"


def file_settings(path: Path) -> list[Setting]:
    """Read the top-level keys of a TOML file."""
    return [Setting(key, value, f"{path}: {key}") for key, value in read_toml(path).items()]
