"""What all specs share: frozen fields, the keys that users write, and messages for mistakes."""

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

from mbv2cli.errors import UserError, nearest, value_text
from mbv2cli.specs.fields import Allowed
from mbv2cli.specs.synonyms import nearest_key

_COMBINATION: Final = "combination"
_WRONG_KEY: Final = "extra_forbidden"


class FrozenModel(BaseModel):
    """Immutable, comparable and hashable. A key that is not a field is an error."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        defer_build=True,  # a command builds only the models that it uses
        json_schema_serialization_defaults_required=True,
    )


class Spec(FrozenModel):
    """A frozen model. A mistake raises `UserError` and names the place where the user made it.

    ``model_validate(values, context=origins)`` takes the place of each key, such as
    ``{"expand": "--expand"}``. The help shows the fields under the heading ``noun``.
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
            if not isinstance(values, Mapping):
                raise  # no key is wrong; pydantic tries the next model of a union
            # a wrong key before a missing one: it often is the missing one, under another name
            errors = sorted(
                error.errors(include_url=False), key=lambda one: one["type"] != _WRONG_KEY
            )
            message = _explain(errors[0], cls, values, info.context or {})
        raise UserError(message)


@cache
def keys(model: type[BaseModel]) -> Mapping[str, FieldInfo]:
    """Return the fields of ``model`` by key: the name in flags, files and JSON."""
    return {field.serialization_alias or name: field for name, field in model.model_fields.items()}


def choices(field: FieldInfo) -> tuple[str, ...]:
    """Return the words that ``field`` accepts, or ``()`` if it accepts other values."""
    return get_args(field.annotation) if get_origin(field.annotation) is Literal else ()


def allowed_values(field: FieldInfo) -> str:
    """Return what ``field`` accepts, as the end of the sentence "KEY must be …"."""
    if words := choices(field):
        return "one of " + ", ".join(words)
    for extra in field.metadata:
        if isinstance(extra, Allowed):
            return extra.phrase
    return _bounds_in_words(field)


def _hint(field: FieldInfo, text: str) -> str:
    """Return what to write instead of ``text``, as the end of a sentence; "" if that is unknown."""
    for extra in field.metadata:
        if isinstance(extra, Allowed) and text.lower() in dict(extra.hints):
            return f"; {dict(extra.hints)[text.lower()]}"
    return nearest(text.lower(), choices(field))


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
    """Return the error of a value that is valid alone but not with the fields before it.

    A validator raises the error. Its message is the place, then ``rest_of_sentence``.
    """
    return PydanticCustomError(_COMBINATION, "{rest}", {"rest": rest_of_sentence})


def _explain(
    error: ErrorDetails, model: type[BaseModel], values: object, origins: Mapping[str, str]
) -> str:
    """Return the message: the place, what is allowed there, and what the user wrote.

    ``values`` is the input of ``model``. ``origins`` maps a key to its place (``--expand``,
    ``net.toml: stages``); the place of any other key is the key.
    """
    key, *steps = error["loc"]
    place = origins.get(str(key), str(key))
    field = _field(model, str(key))
    value = error["input"]
    if isinstance(values, Mapping):
        value = values.get(key, value)
    item = _item_model(field)
    owner = model
    if item is not None and steps:
        owner, value = item, error["input"]
        place = f"{place}[{steps[0]}]"
        field = None
        if len(steps) > 1:
            place = f"{place}.{steps[1]}"
            field = _field(owner, str(steps[1]))
    if error["type"] == _COMBINATION:
        return f"{place} {error['msg']}"
    return _sentence(error["type"], place, field, owner, value)


def _sentence(
    problem: str, place: str, field: FieldInfo | None, model: type[BaseModel], value: object
) -> str:
    if problem == _WRONG_KEY:
        name = place.rpartition(".")[2]
        return (
            f"{place} is not a key (the keys are {_listed(model)}){nearest_key(name, keys(model))}"
        )
    if field is None:
        return f"{place} must be a table with the keys {_listed(model)}, not {value_text(value)}"
    if problem == "missing" and field.is_required():
        return f"{place} is missing: give {allowed_values(field)}"
    hint = _hint(field, str(value))
    return f"{place} must be {allowed_values(field)}, not {value_text(value)}{hint}"


def _field(model: type[BaseModel], name: str) -> FieldInfo | None:
    return keys(model).get(name) or model.model_fields.get(name)


def _item_model(field: FieldInfo | None) -> type[BaseModel] | None:
    """Return the model of the items of ``field`` if it holds a tuple of models."""
    if field is None:
        return None
    items = get_args(field.annotation)
    if items and isinstance(items[0], type) and issubclass(items[0], BaseModel):
        return items[0]
    return None


def _listed(model: type[BaseModel]) -> str:
    return ", ".join(keys(model))
