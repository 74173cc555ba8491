"""What is expected of a model, as data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer

from mbv2cli.plan import Shape
from mbv2cli.specs.base import Spec
from mbv2cli.specs.fields import Allowed, Number
from mbv2cli.specs.units import read_bytes, read_count

ShapePattern: TypeAlias = tuple[int | None, ...]
"""A shape; None for a size that may be any."""

ANY: Final = "*"


def pattern_text(pattern: ShapePattern) -> str:
    """Return ``1x64x*x*``."""
    return "x".join(ANY if size is None else str(size) for size in pattern)


def fits(shape: Shape, pattern: ShapePattern) -> bool:
    """Return whether ``shape`` is one that ``pattern`` allows."""
    return len(shape) == len(pattern) and all(
        wanted in (None, size) for size, wanted in zip(shape, pattern, strict=True)
    )


def _read_pattern(value: object) -> object:
    if not isinstance(value, str):
        return value
    sizes = value.strip().lower().split("x")
    if not all(re.fullmatch(r"\*|\d{1,9}", size) for size in sizes):
        raise ValueError("no shape")
    return tuple(None if size == ANY else int(size) for size in sizes)


def _not_negative(value: int | None) -> int | None:
    if value is not None and value < 0:
        raise ValueError("negative")
    return value


_Pattern = Annotated[
    ShapePattern | None,
    BeforeValidator(_read_pattern),
    PlainSerializer(lambda pattern: pattern and pattern_text(pattern), return_type=str | None),
    Allowed("a shape such as 1x64x224x224, with * for a size that may vary"),
]
_Count = Annotated[
    int | None,
    BeforeValidator(read_count),
    Number,
    AfterValidator(_not_negative),
    Allowed("a count such as 2000, 300k, 2M or 1.5G"),
]
_Bytes = Annotated[
    int | None,
    BeforeValidator(read_bytes),
    Number,
    AfterValidator(_not_negative),
    Allowed("bytes such as 512KiB, 25MiB, 1.5MB or 320000"),
]
PeakRule = Literal["layerwise", "inplace-depthwise", "eager", "training"]


class Limits(Spec):
    """Limits of what a model may cost, each optional; all must hold. Raises `UserError`."""

    noun = "limits"

    max_params: _Count = Field(None, description="Most parameters, such as 2M.")
    max_macs: _Count = Field(
        None, description="Most MACs (convolutions + linear) of the whole batch, such as 300M."
    )
    max_peak: _Bytes = Field(None, description="Highest activation peak, such as 512KiB.")
    peak_rule: PeakRule = Field("layerwise", description="Memory rule of the peak.")
    max_flash: _Bytes = Field(None, description="Most flash: int8 weights, int32 biases.")
    max_activations: _Count = Field(
        None, description="Most elements that convolutions and linear layers put out."
    )
    max_layers: _Count = Field(None, description="Most layers, as torchsummary counts rows.")
    min_receptive_field: _Count = Field(
        None, description="Smallest receptive field of the last feature map, in pixels."
    )


class Expectations(Limits):
    """Limits, and shapes that must come out. Raises `UserError`."""

    output: _Pattern = Field(None, description="Output shape; * for a size that may vary.")
    features: Annotated[
        Mapping[int, _Pattern],
        Allowed('a table of shapes by stride, such as {8 = "1x32x28x28", 16 = "1x96x14x14"}'),
    ] = Field(default={}, description="Shape of the last feature map at each stride.")
