"""The types of the fields of specs, with their bounds.

The bounds are far above any real network. They are low enough that counts stay exact and that
no value makes mbv2 hang or overflow.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from operator import eq
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic.fields import FieldInfo

from mbv2cli.specs.words import ACTIVATION_SYNONYMS, DTYPE_SYNONYMS, NO_SYNONYMS, listed


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a field accepts, as the end of the sentence "KEY must be …".

    ``hints`` has wrong words that people try, each with what to write instead.
    """

    phrase: str
    hints: tuple[tuple[str, str], ...] = ()


MAX_CHANNELS = 65_536
MAX_SIDE = 65_536
MAX_BATCH = 65_536
MAX_CLASSES = 1_000_000
MAX_STRIDE = 64
MAX_KERNEL = 255
MAX_DILATION = 1_024
MAX_REPEATS = 1_000
MAX_EXPAND = 256
MAX_WIDTH_MULT = 16
MAX_DEPTH_MULT = 4
MAX_SEED = 2**63 - 1
MAX_AMOUNT = 10**36
"""No figure of a model that can be described is larger. Counts up to it may be divided."""


def _no_bool(value: object) -> object:
    # pydantic reads True as 1, but `in = true` in a file is a mistake
    if isinstance(value, bool):
        raise ValueError("a truth value is not a number")
    return value


def _odd(value: int) -> int:
    if value % 2 == 0:
        raise ValueError("even")
    return value


def _whole_as_int(value: float) -> float:
    """Return 6.0 as 6: users write and read whole numbers without a point."""
    return int(value) if value == int(value) else value


def _two_sides(value: object) -> object:
    """Read ``224``, ``"224x320"``, ``"224*320"``, ``"224,320"`` or ``[224, 320]``.

    Returns (height, width).
    """
    if isinstance(value, str):
        sides = re.split("[xX×*,]", value)
        return (sides[0], sides[0]) if len(sides) == 1 else tuple(sides)
    if isinstance(value, int):
        return (value, value)
    return value


def written(value: object) -> str:
    """Return the value of a field as a target has it: ``true``, ``2x1``, ``224``."""
    if isinstance(value, tuple):
        return "x".join(map(str, value if len(set(value)) > 1 else value[:1]))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def reads_word(literal: Any, synonyms: Mapping[str, str] = NO_SYNONYMS) -> BeforeValidator:
    """Return what reads a word of ``literal`` as people write it."""
    words = get_args(literal)

    def read(value: object) -> object:
        if not isinstance(value, str) or value in words:  # nearly always, and fast
            return value
        return listed(value, words, synonyms)

    return BeforeValidator(read)


def ambiguous_size(value: object) -> bool:
    """Return whether ``value`` is a list of two whole numbers where a list has several values.

    There ``[32, 48]`` could be one size of two sides, or two sizes of one side each.
    """
    return (
        isinstance(value, list)
        and len(value) == 2  # noqa: PLR2004  (height and width)
        and all(isinstance(side, int) and not isinstance(side, bool) for side in value)
    )


def added(default: Any, description: str) -> Any:
    """Return a field that JSON and locks show only where its value is not the default.

    So a model that does not use the field has the same JSON as before the field existed.
    """
    return Field(default, description=description, exclude_if=partial(eq, default))


def is_added(field: FieldInfo) -> bool:
    """Return whether a field came after the first networks, which do not use it."""
    return field.exclude_if is not None


def _one_or_two_strides(value: object) -> object:
    """Read ``2``, ``"2x1"`` or ``[2, 1]``. Two equal strides are one number."""
    sides = _two_sides(value)
    if isinstance(sides, list | tuple) and len(sides) == 2:  # noqa: PLR2004  (height and width)
        return sides[0] if sides[0] == sides[1] else tuple(sides)
    return value


Number = BeforeValidator(_no_bool)

Channels = Annotated[int, Number, Field(ge=1, le=MAX_CHANNELS)]
Classes = Annotated[
    int,
    Number,
    Field(ge=0, le=MAX_CLASSES),
    Allowed(f"a whole number from 0 (no classifier) to {MAX_CLASSES}"),
]
HeadChannels = Annotated[
    int,
    Number,
    Field(ge=0, le=MAX_CHANNELS),
    Allowed(f"a whole number from 0 (no head convolution) to {MAX_CHANNELS}"),
]
HiddenFeatures = Annotated[
    int,
    Number,
    Field(ge=0, le=MAX_CLASSES),
    Allowed(f"a whole number from 0 (no hidden layer) to {MAX_CLASSES}"),
]
_StrideSide = Annotated[int, Number, Field(ge=1, le=MAX_STRIDE)]
Stride = Annotated[
    _StrideSide | tuple[_StrideSide, _StrideSide],
    BeforeValidator(_one_or_two_strides),
    Allowed(f"a whole number from 1 to {MAX_STRIDE}, or HEIGHTxWIDTH such as 2x1"),
]
Kernel = Annotated[
    int,
    Number,
    Field(ge=1, le=MAX_KERNEL),
    AfterValidator(_odd),
    Allowed(f"an odd whole number from 1 to {MAX_KERNEL}"),
]
Dilation = Annotated[int, Number, Field(ge=1, le=MAX_DILATION)]
Repeats = Annotated[int, Number, Field(ge=1, le=MAX_REPEATS)]
Expand = Annotated[
    float, Number, Field(gt=0, le=MAX_EXPAND, allow_inf_nan=False), AfterValidator(_whole_as_int)
]
WidthMult = Annotated[float, Number, Field(gt=0, le=MAX_WIDTH_MULT, allow_inf_nan=False)]
DepthMult = Annotated[float, Number, Field(gt=0, le=MAX_DEPTH_MULT, allow_inf_nan=False)]
Probability = Annotated[
    float,
    Number,
    Field(ge=0, lt=1, allow_inf_nan=False),
    Allowed("a number that is at least 0 and below 1"),
]
Side = Annotated[int, Number, Field(ge=1, le=MAX_SIDE)]
Size = Annotated[
    tuple[Side, Side],
    BeforeValidator(_two_sides),
    Allowed(f"a side or HEIGHTxWIDTH such as 224 or 224x320, each side from 1 to {MAX_SIDE}"),
]
Batch = Annotated[int, Number, Field(ge=1, le=MAX_BATCH)]
Seed = Annotated[int, Number, Field(ge=0, le=MAX_SEED)]
Activation = Literal["relu", "relu6", "hardswish", "silu", "gelu", "leaky_relu", "identity"]
StemScaling = Literal["scaled", "fixed"]
HeadScaling = Literal["widen", "scaled", "fixed"]
BlockType = Literal["inverted", "fused", "conv"]
Expansion = Literal["auto", "always"]
Shortcut = Literal["identity", "projection", "none"]
Gate = Literal["sigmoid", "hardsigmoid"]
RatioOf = Literal["in", "hidden"]
Padding = Literal["torch", "same"]
DType = Literal["float32", "float16", "bfloat16", "float64", "int8"]
ActivationWord = Annotated[Activation, reads_word(Activation, ACTIVATION_SYNONYMS)]
BlockTypeWord = Annotated[BlockType, reads_word(BlockType)]
_RATIO_IS_ELSEWHERE: Final = tuple(
    (f"{ratio}", "for the expand ratio, write expand") for ratio in range(1, 17)
)
ExpansionWord = Annotated[
    Expansion,
    reads_word(Expansion),
    Allowed("one of auto, always", hints=_RATIO_IS_ELSEWHERE),
]
ShortcutWord = Annotated[Shortcut, reads_word(Shortcut)]
GateWord = Annotated[Gate, reads_word(Gate, {"hsigmoid": "hardsigmoid"})]
RatioOfWord = Annotated[RatioOf, reads_word(RatioOf)]
PaddingWord = Annotated[Padding, reads_word(Padding)]
Ratio = Annotated[
    float,
    Number,
    Field(ge=0, le=1, allow_inf_nan=False),
    Allowed("a number from 0 (no squeeze-excite) to 1"),
]
NormEps = Annotated[float, Number, Field(gt=0, le=1, allow_inf_nan=False)]
StemScalingWord = Annotated[StemScaling, reads_word(StemScaling)]
HeadScalingWord = Annotated[HeadScaling, reads_word(HeadScaling)]
OptionalRatio = Annotated[Ratio | None, Allowed("a number from 0 (no squeeze-excite) to 1")]
OptionalChannels = Annotated[Channels | None, Allowed(f"a whole number from 1 to {MAX_CHANNELS}")]
OptionalActivation = Annotated[
    ActivationWord | None, Allowed(f"one of {', '.join(get_args(Activation))}")
]
OptionalShortcut = Annotated[
    ShortcutWord | None, Allowed(f"one of {', '.join(get_args(Shortcut))}")
]
OptionalExpansion = Annotated[
    ExpansionWord | None, Allowed(f"one of {', '.join(get_args(Expansion))}")
]
Truth = Annotated[bool, Allowed("true or false")]
ModulePath = Annotated[str, Field(pattern=r"^features\.\d{1,4}(\.conv\.0)?$")]
DTypeWord = Annotated[DType, reads_word(DType, DTYPE_SYNONYMS)]
Device = Annotated[
    str,
    BeforeValidator(_lower),
    Field(pattern=r"^(auto|cpu|cuda|cuda:\d{1,3}|mps|meta)$"),
    Allowed(
        "one of auto, cpu, cuda, cuda:N, mps, meta",
        hints=(("gpu", "for a GPU, write cuda (NVIDIA) or mps (Apple)"),),
    ),
]
