"""What every spec shares: frozen, closed to unknown keys, one error type."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from mbv2cli.errors import UserError
from mbv2cli.specs.mistakes import explain


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
            message = explain(error.errors()[0], cls, values, info.context or {})
        raise UserError(message)
