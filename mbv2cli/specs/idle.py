"""Settings that do nothing beside the others: whoever writes one expects that it does something.

A setting does nothing if the part of the model that it is about is not there, such as
``se_gate`` without squeeze-excite.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cache
from typing import Final, NamedTuple, TypeAlias

from pydantic import BaseModel

from mbv2cli.errors import UserError

Choices: TypeAlias = Mapping[str, Collection[object]]
"""The values that each key of a block, of a network or of a stage may have: one for a spec."""


class IdleError(UserError):
    """A setting of a user does nothing. ``causes`` are the keys from which that follows."""

    def __init__(self, message: str, key: str, causes: Collection[str]) -> None:
        self.key = key
        self.causes = frozenset(causes)
        super().__init__(message)


class _Rule(NamedTuple):
    """Where some keys do nothing.

    ``reason`` says why a key does nothing and what to do; "" if it does something. It follows
    from the values of ``causes``.
    """

    keys: Collection[str]
    causes: Collection[str]
    reason: Callable[[str, Choices, Sequence[Choices]], str]


def choices_of(model: BaseModel) -> Choices:
    """Return the value of each field that a rule reads, by its key."""
    return {key: (getattr(model, name),) for key, name in _names_of_causes(type(model))}


@cache
def _names_of_causes(model: type[BaseModel]) -> tuple[tuple[str, str], ...]:
    fields = model.model_fields.items()
    named = ((field.serialization_alias or name, name) for name, field in fields)
    return tuple((key, name) for key, name in named if key in _READ)


def level_of(place: str) -> str:
    """Return where a setting stands: its file or its preset, or "" for flags and targets."""
    return place.rpartition(": ")[0]


def stand_together(places: Mapping[str, str], *keys: str) -> bool:
    """Return whether a user set all of these keys in one place: a flag may change a file."""
    levels = {level_of(places[key]) for key in keys if key in places}
    return set(keys) <= {*_of_user(places)} and len(levels) == 1


def is_of_user(place: str) -> bool:
    """Return whether a user wrote a setting; presets and files of others may say too much."""
    level = level_of(place)
    return not level or level.endswith((".toml", ".toml: target"))


def refuse_idle(places: Mapping[str, str], values: Choices, stages: Sequence[Choices] = ()) -> None:
    """Raise `IdleError` if a setting of a user does nothing, whatever its value is.

    ``places`` has the place of each setting, in the order in which settings win over earlier
    ones. A setting of a file may do nothing because of a flag, which changes the file. ``values``
    has those of the block or network, ``stages`` those of each stage that is built.
    """
    for key in _of_user(places):
        for rule in _rules_of(key):
            reason = rule.reason(key, values, stages)
            if reason and not any(_is_changed_by(key, cause, places) for cause in rule.causes):
                raise IdleError(
                    f"{places[key]} does nothing: {reason}, or leave {key} out", key, rule.causes
                )


def idle_reason(key: str, values: Choices, stages: Sequence[Choices]) -> str:
    """Return why a key does nothing and what to do; "" if it does something."""
    return next(filter(None, (rule.reason(key, values, stages) for rule in _rules_of(key))), "")


def causes_of(key: str) -> frozenset[str]:
    """Return the keys whose values may make a key do nothing."""
    return frozenset(cause for rule in _rules_of(key) for cause in rule.causes)


def _rules_of(key: str) -> Iterator[_Rule]:
    return (rule for rule in _RULES if key in rule.keys)


def _of_user(places: Mapping[str, str]) -> Iterator[str]:
    return (key for key, place in places.items() if is_of_user(place))


def _is_changed_by(key: str, cause: str, places: Mapping[str, str]) -> bool:
    """Return whether ``cause`` is set in a later place than ``key``."""
    order = [*places]
    if cause not in places or level_of(places[cause]) == level_of(places[key]):
        return False
    return order.index(cause) > order.index(key)


def _stops(values: Choices) -> str:
    """Return that the network stops early, and what to do; "" if it does not."""
    until = next(iter(values.get("until", ())), None)
    return f"the network stops after {until}; change until" if until else ""


def _no_block(_key: str, values: Choices, _stages: Sequence[Choices]) -> str:
    if "features.0" not in values.get("until", ()):
        return ""
    return f"there is no block, because {_stops(values)}"


def _no_classifier(_key: str, values: Choices, _stages: Sequence[Choices]) -> str:
    if any(values["classes"]):
        return ""
    why = _stops(values) or "classes is 0; give classes"
    return f"there is no classifier, because {why}"


def _no_hidden_layer(_key: str, values: Choices, _stages: Sequence[Choices]) -> str:
    if any(values["classifier_hidden"]):
        return ""
    return "there is no hidden linear layer; give classifier_hidden"


def _no_head(_key: str, values: Choices, _stages: Sequence[Choices]) -> str:
    if any(values["head"]):
        return ""
    return f"there is no head, because {_stops(values) or 'head is 0; give head'}"


def _no_squeeze_excite(_key: str, values: Choices, stages: Sequence[Choices]) -> str:
    if any(_may_squeeze(stage, values["se"]) for stage in stages or [values]):
        return ""
    return "there is no squeeze-excite; give its ratio se, such as 0.25"


def _may_squeeze(stage: Choices, of_network: Collection[object]) -> bool:
    own = any(ratio for ratio in stage["se"])
    return own or (None in stage["se"] and "inverted" in stage["type"] and any(of_network))


def _own_of_stages(key: str, _values: Choices, stages: Sequence[Choices]) -> str:
    if not stages or any(None in stage[key] for stage in stages):
        return ""
    return f"every stage has {key} of its own; change the stages"


def _given_width(_key: str, values: Choices, stages: Sequence[Choices]) -> str:
    if stages or None in values["hidden"]:
        return ""
    return "hidden is the number of hidden channels; give expand, not hidden"


def _no_ratio(_key: str, _values: Choices, stages: Sequence[Choices]) -> str:
    if not stages or any(_takes_ratio(stage) for stage in stages):
        return ""
    if any(None in stage["hidden"] for stage in stages):
        return "no stage has hidden channels of a ratio; change the stages"
    return "every stage has hidden channels of its own; change the stages"


def _takes_ratio(stage: Choices) -> bool:
    return None in stage["hidden"] and {*stage["type"]} != {"conv"}


def _kept_ratio(_key: str, _values: Choices, stages: Sequence[Choices]) -> str:
    if not stages or any(_takes_ratio(stage) and {*stage["t"]} != {1} for stage in stages):
        return ""
    return "every stage has the expand ratio 1, which it keeps; change the stages"


def _no_expansion(_key: str, values: Choices, stages: Sequence[Choices]) -> str:
    if any("inverted" in one["type"] for one in stages or [values]):
        return ""
    return "only blocks of type inverted have an expansion; change the type"


def _no_middle_stage(_key: str, values: Choices, stages: Sequence[Choices]) -> str:
    if _stops(values) or len(stages) > 2:  # noqa: PLR2004  (the first and the last)
        return ""
    return "only stages between the first and the last take it; change the stages"


_OF_SQUEEZE_EXCITE: Final = ("se_of", "se_nearest", "se_act", "se_gate")
_OF_BLOCKS: Final = (
    *("expand", "depth_mult", "output_stride", "hidden_nearest", "expansion"),
    *("shortcut", "se", *_OF_SQUEEZE_EXCITE),
)

_READ: Final = frozenset(
    (
        *("classes", "classifier_hidden", "head", "se", "until", "hidden", "type", "t"),
        *("shortcut", "expansion"),
    )
)
"""The keys whose values the rules read."""

_RULES: Final = (
    _Rule(_OF_BLOCKS, ("until",), _no_block),
    _Rule(
        ("dropout", "classifier_bias", "classifier_hidden_bias"),
        ("classes", "until"),
        _no_classifier,
    ),
    _Rule(("classifier_hidden_bias",), ("classifier_hidden",), _no_hidden_layer),
    _Rule(("head_scaling",), ("head", "until"), _no_head),
    _Rule(_OF_SQUEEZE_EXCITE, ("se", "stages", "until"), _no_squeeze_excite),
    _Rule(("se", "shortcut", "expansion"), ("stages", "until"), _own_of_stages),
    _Rule(("hidden_nearest",), ("hidden",), _given_width),
    _Rule(("expand", "hidden_nearest"), ("stages", "until"), _no_ratio),
    _Rule(("expand",), ("stages", "until"), _kept_ratio),
    _Rule(("expansion",), ("type", "stages", "until"), _no_expansion),
    _Rule(("depth_mult",), ("stages", "until"), _no_middle_stage),
)
