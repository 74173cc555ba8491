"""What all JSON documents share."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict

SCHEMA_VERSION: Final = 1
"""Grows when a field goes or changes its meaning; a new field leaves it as it is."""


class Part(BaseModel):
    """A document or a part of one: frozen, made of records by their attributes."""

    model_config = ConfigDict(frozen=True, from_attributes=True)
