"""Settings that do nothing beside the others: whoever writes one expects that it does something."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from mbv2cli.errors import UserError

_OF_SQUEEZE_EXCITE: Final = ("se_of", "se_nearest", "se_act", "se_gate")
_OF_STAGES: Final = ("se", "shortcut", "expansion")
"""The fields of a network that its blocks take, unless their stage has its own."""

_OF_WIDTH: Final = ("expand", "hidden_nearest")
"""The fields that make hidden channels, unless blocks give theirs."""


def level_of(place: str) -> str:
    """Return where a setting stands: its file or its preset, or "" for flags and targets."""
    return place.rpartition(": ")[0]


def stand_together(places: Mapping[str, str], *keys: str) -> bool:
    """Return whether a user set all of these keys in one place: a flag may change a file."""
    levels = {level_of(places[key]) for key in keys if key in places}
    return set(keys) <= {*_of_user(places)} and len(levels) == 1


def refuse_idle(places: Mapping[str, str], stages: Sequence[Collection[str]] = ()) -> None:
    """Raise `UserError` if a setting of a user does nothing, whatever its value is.

    ``places`` has the place of each setting. ``stages`` are the keys that each stage has.
    """
    for key in _of_user(places):
        if reason := idle_reason(key, places, stages):
            raise UserError(f"{places[key]} does nothing: {reason}, or leave {key} out")


def _of_user(places: Mapping[str, str]) -> Iterator[str]:
    """Yield the keys that a user set; presets and files of other codebases may say too much."""
    for key, place in places.items():
        level = level_of(place)
        if not level or level.endswith(".toml"):
            yield key


def idle_reason(key: str, given: Collection[str], stages: Sequence[Collection[str]]) -> str:
    """Return why a key does nothing and what to do; "" if it does something."""
    if key in _OF_SQUEEZE_EXCITE and not any("se" in one for one in (given, *stages)):
        return "there is no squeeze-excite; give its ratio se, such as 0.25"
    if key == "classifier_hidden_bias" and "classifier_hidden" not in given:
        return "there is no hidden linear layer; give classifier_hidden"
    if key == "hidden_nearest" and "hidden" in given:
        return "hidden is the number of hidden channels; give expand, not hidden"
    if stages and key in _OF_STAGES and all(key in one for one in stages):
        return f"every stage has {key} of its own; change the stages"
    if stages and key in _OF_WIDTH and all("hidden" in one for one in stages):
        return "every stage has hidden channels of its own; change the stages"
    return ""
