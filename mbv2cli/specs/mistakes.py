"""From pydantic's first complaint about a spec to one sentence a person can act on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError

from mbv2cli.errors import nearest
from mbv2cli.specs.keys import allowed_values, choices, keys

COMBINATION: Final = "combination"


def bad_combination(rest_of_sentence: str) -> PydanticCustomError:
    """Return the error of a field that is fine alone and not beside the fields before it.

    A validator raises it; the message starts with the place, ``rest_of_sentence`` follows.
    """
    return PydanticCustomError(COMBINATION, "{rest}", {"rest": rest_of_sentence})


def explain(
    error: ErrorDetails, model: type[BaseModel], values: object, origins: Mapping[str, str]
) -> str:
    """Return what was wrong, where the user wrote it, and what is allowed there.

    ``values`` is what ``model`` was to be made of; ``origins`` names the place of a key in the
    user's own words (``--expand``, ``net.toml: stages``) where that is not the key itself.
    """
    key, *steps = error["loc"]
    place = origins.get(str(key), str(key))
    field = _field(model, str(key))
    value = error["input"]
    if isinstance(values, Mapping):
        value = values.get(key, value)
    item = _item_model(field)
    if item is not None and steps:
        model, value = item, error["input"]
        place = f"{place}[{steps[0]}]"
        field = None
        if len(steps) > 1:
            place = f"{place}.{steps[1]}"
            field = _field(model, str(steps[1]))
    if error["type"] == COMBINATION:
        return f"{place} {error['msg']}"
    return _sentence(error["type"], place, field, model, value)


def _sentence(
    problem: str, place: str, field: FieldInfo | None, model: type[BaseModel], value: object
) -> str:
    if problem == "extra_forbidden":
        name = place.rpartition(".")[2]
        return f"{place} is not a key (the keys are {_listed(model)}){nearest(name, keys(model))}"
    if field is None:
        return f"{place} must be a table with the keys {_listed(model)}, not {value!r}"
    if problem == "missing" and field.is_required():
        return f"{place} is missing: give {allowed_values(field)}"
    hint = nearest(str(value), choices(field))
    return f"{place} must be {allowed_values(field)}, not {_short(value)}{hint}"


def _field(model: type[BaseModel], name: str) -> FieldInfo | None:
    return keys(model).get(name) or model.model_fields.get(name)


def _item_model(field: FieldInfo | None) -> type[BaseModel] | None:
    """Return the model of which ``field`` holds a tuple, if it does."""
    if field is None:
        return None
    items = get_args(field.annotation)
    if items and isinstance(items[0], type) and issubclass(items[0], BaseModel):
        return items[0]
    return None


def _listed(model: type[BaseModel]) -> str:
    return ", ".join(keys(model))


def _short(value: object, limit: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}…"
