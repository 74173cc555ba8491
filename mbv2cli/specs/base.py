"""What every spec shares: frozen fields, known by their keys, and one sentence for a mistake."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar, Final, Literal, Self, get_args, get_origin

from pydantic import (
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError

from mbv2cli.errors import UserError, nearest
from mbv2cli.specs.fields import Allowed

_COMBINATION: Final = "combination"


class FrozenModel(BaseModel):
    """Immutable, comparable, hashable; a key that is not a field is an error."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        json_schema_serialization_defaults_required=True,
    )


class Spec(FrozenModel):
    """A frozen model whose mistakes are `UserError`, with the place where the user made them.

    Where values come from flags or a file, ``model_validate(values, context=origins)`` takes
    the words for their places, by key (``{"expand": "--expand"}``). ``noun`` is what its fields
    are fields of, in the help.
    """

    noun: ClassVar[str]

    @model_validator(mode="wrap")
    @classmethod
    def _mistakes_are_user_errors(
        cls, values: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo
    ) -> Self:
        try:
            return handler(values)
        except ValidationError as error:
            message = _explain(error.errors()[0], cls, values, info.context or {})
        raise UserError(message)


@cache
def keys(model: type[BaseModel]) -> Mapping[str, FieldInfo]:
    """Return the fields of ``model`` by the name they have in flags, files and JSON."""
    return {field.serialization_alias or name: field for name, field in model.model_fields.items()}


def choices(field: FieldInfo) -> tuple[str, ...]:
    """Return the words ``field`` may hold, or ``()`` where it is no choice of words."""
    return get_args(field.annotation) if get_origin(field.annotation) is Literal else ()


def allowed_values(field: FieldInfo) -> str:
    """Return what ``field`` accepts, as the end of the sentence "KEY must be …"."""
    if words := choices(field):
        return "one of " + ", ".join(words)
    for extra in field.metadata:
        if isinstance(extra, Allowed):
            return extra.phrase
    return _bounds_in_words(field)


def _bounds_in_words(field: FieldInfo) -> str:
    bounds = {
        name: getattr(extra, name)
        for extra in field.metadata
        for name in ("ge", "gt", "le")
        if hasattr(extra, name)
    }
    if "gt" in bounds:
        return f"a number above {bounds['gt']} and up to {bounds['le']}"
    return f"a whole number from {bounds['ge']} to {bounds['le']}"


def bad_combination(rest_of_sentence: str) -> PydanticCustomError:
    """Return the error of a field that is fine alone and not beside the fields before it.

    A validator raises it; the message starts with the place, ``rest_of_sentence`` follows.
    """
    return PydanticCustomError(_COMBINATION, "{rest}", {"rest": rest_of_sentence})


def _explain(
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
    if error["type"] == _COMBINATION:
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
