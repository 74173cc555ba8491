"""What is expected of a model, and the verdicts on it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, create_model

from mbv2cli.costs.figures import FLASH, PEAK, TFLM, Better, Counting, Figure, graded_figures
from mbv2cli.costs.memory import LAYERWISE, MEMORY_RULES
from mbv2cli.graph.ops import Shape
from mbv2cli.inspection import Model
from mbv2cli.specs.base import Spec, bad_combination
from mbv2cli.specs.boards import Board, known_board, not_a_board
from mbv2cli.specs.fields import MAX_AMOUNT, Allowed, Number, reads_word
from mbv2cli.specs.units import Unit, read_bytes, read_count

ShapePattern: TypeAlias = tuple[int | None, ...]
"""A shape; None stands for any size."""

ANY: Final = "*"


def pattern_text(pattern: ShapePattern) -> str:
    """Return ``1x64x*x*``."""
    return "x".join(ANY if size is None else str(size) for size in pattern)


def fits(shape: Shape, pattern: ShapePattern) -> bool:
    """Return whether ``pattern`` allows ``shape``."""
    return len(shape) == len(pattern) and all(
        wanted in (None, size) for size, wanted in zip(shape, pattern, strict=True)
    )


def _read_pattern(value: object) -> object:
    if not isinstance(value, str):
        return value
    sizes = value.strip().lower().split("x")
    if not all(re.fullmatch(r"\*|\d{1,9}", size) for size in sizes):
        raise ValueError("not a shape")
    return tuple(None if size == ANY else int(size) for size in sizes)


def _read_board(value: object) -> object:
    """Return the board that a text names; a board, and None, as they are."""
    if value is None or isinstance(value, Board):
        return value
    board = known_board(value) if isinstance(value, str) else None
    if board is None:
        raise bad_combination(not_a_board(value))
    return board


def _in_bounds(value: int | None) -> int | None:
    if value is not None and not 0 <= value <= MAX_AMOUNT:
        raise ValueError("out of bounds")
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
    AfterValidator(_in_bounds),
    Allowed("a count such as 2000, 300k, 2M or 1.5G"),
]
Bytes = Annotated[
    int | None,
    BeforeValidator(read_bytes),
    Number,
    AfterValidator(_in_bounds),
    Allowed("bytes such as 512KiB, 25MiB, 1.5MB or 320000"),
]
_TYPES: Final[Mapping[Unit, object]] = {Unit.COUNT: _Count, Unit.BYTES: Bytes}
_Board = Annotated[
    Any, BeforeValidator(_read_board), Allowed("a board that mbv2 boards lists, such as stm32f746")
]
_BOUNDS: Final = {Better.SMALLER: "At most", Better.LARGER: "At least"}


def limit_key(figure: Figure) -> str:
    """Return the key of the limit of a graded figure, such as ``max_params``."""
    return f"{_better(figure).value}_{figure.name}"


def _better(figure: Figure) -> Better:
    if figure.better is None:
        raise ValueError(f"{figure.name} has no limit")
    return figure.better


class _FigureLimits(Spec):
    """The base of `Limits`, which gets a field for each figure of the registry."""

    noun = "limits"

    if TYPE_CHECKING:
        peak_rule: str = LAYERWISE.name
        board: Board | None = None

    def limit_of(self, figure: Figure) -> int | None:
        """Return the limit of a graded figure: its own, else that of the board; None without."""
        limit: int | None = getattr(self, limit_key(figure))
        return board_limit(self.board, figure) if limit is None and self.board else limit


def board_limit(board: Board, figure: Figure) -> int | None:
    """Return the most bytes of a figure that a board has room for; None for other figures."""
    return {TFLM: board.region, FLASH: board.flash}.get(figure)


def _limit_fields() -> dict[str, Any]:
    """Return a field for each graded figure, the memory rule after the peak, and the board."""
    fields: dict[str, Any] = {}
    for figure in graded_figures():
        bound = _BOUNDS[_better(figure)]
        description = f"{bound} this many {figure.description}, such as {figure.example}."
        fields[limit_key(figure)] = (_TYPES[figure.unit], Field(None, description=description))
        if figure is PEAK:
            rules: Any = Literal[tuple(rule.name for rule in MEMORY_RULES)]
            description = "Memory rule of max_peak."
            fields["peak_rule"] = (
                Annotated[rules, reads_word(rules)],
                Field(LAYERWISE.name, description=description),
            )
    description = "A board: its memory limits tflm and flash, unless they have a limit."
    return {**fields, "board": (_Board, Field(None, description=description))}


if TYPE_CHECKING:

    class Limits(_FigureLimits):
        """Optional limits of the graded figures; all must hold. Raises `UserError`."""

else:
    Limits = create_model(
        "Limits",
        __base__=_FigureLimits,
        __module__=__name__,
        __doc__="Optional limits of the graded figures; all must hold. Raises `UserError`.",
        **_limit_fields(),
    )


class Expectations(Limits):
    """Limits, and the expected shapes of outputs. Raises `UserError`."""

    output: _Pattern = Field(
        None, description="Shape of the output, such as 1x1000; * allows any size."
    )
    features: Annotated[
        Mapping[Annotated[int, AfterValidator(_in_bounds)], _Pattern],
        Allowed('a table of shapes by stride, such as {8 = "1x32x28x28", 16 = "1x96x14x14"}'),
    ] = Field(default={}, description="Shape of the last feature map at each stride.")


class ShapeVerdict(NamedTuple):
    """Whether a shape is as expected; ``actual`` is None if there is no such feature map.

    ``doubt`` says why the shape of a file is not that of its spec: the end of a sentence.
    """

    what: str
    expected: ShapePattern
    actual: Shape | None
    doubt: str = ""

    @property
    def is_known(self) -> bool:
        """Whether the shape is that of the whole model."""
        return not self.doubt

    @property
    def holds(self) -> bool:
        """Whether the shape fits. A shape that is not known does not."""
        return self.actual is not None and self.is_known and fits(self.actual, self.expected)


class AmountVerdict(NamedTuple):
    """Whether an amount is within its limit, which is an upper or a lower one.

    ``uncounted`` names the functions that no rule knows: the amount then is at least ``actual``.
    ``doubt`` says why the amount of a file is not that of its spec: the end of a sentence.
    """

    what: str
    limit: int
    actual: int
    unit: Unit = Unit.COUNT
    is_minimum: bool = False
    uncounted: tuple[str, ...] = ()
    doubt: str = ""

    @property
    def is_known(self) -> bool:
        """Whether the amount is that of the whole model."""
        return not self.uncounted and not self.doubt

    @property
    def holds(self) -> bool:
        """Whether the amount is within the limit; the limit itself is allowed.

        An amount of which a part is not known does not hold: it may be beyond the limit.
        """
        return self.headroom >= 0 and self.is_known

    @property
    def headroom(self) -> int:
        """The distance to the limit; negative if the limit is broken."""
        left = self.limit - self.actual
        return -left if self.is_minimum else left


Verdict = ShapeVerdict | AmountVerdict


def verdicts(
    expected: Expectations, model: Model, dtype: str, doubt: str = ""
) -> tuple[Verdict, ...]:
    """Return a verdict for each expectation: output, feature maps, then figures.

    ``doubt`` says why the figures of a file are not those of its spec (`Origin.doubt`).
    """
    counting = Counting(rule=expected.peak_rule, dtype=dtype)
    shapes = (one._replace(doubt=doubt) for one in _shape_verdicts(expected, model))
    amounts = _amount_verdicts(expected, model, counting)
    return (*shapes, *(one._replace(doubt=doubt) for one in amounts))


def _shape_verdicts(expected: Expectations, model: Model) -> Iterator[ShapeVerdict]:
    if expected.output is not None:
        yield ShapeVerdict("output", expected.output, model.output_shape)
    for stride, pattern in expected.features.items():
        if pattern is not None:
            actual = model.feature_maps.get(stride)
            yield ShapeVerdict(f"features at stride {stride}", pattern, actual)


def _amount_verdicts(
    expected: Expectations, model: Model, counting: Counting
) -> Iterator[AmountVerdict]:
    for figure in graded_figures():
        limit = expected.limit_of(figure)
        if limit is not None:
            by = f" ({counting.rule}, {counting.dtype})" if figure is PEAK else ""
            yield AmountVerdict(
                f"{figure.name}{by}",
                limit,
                model.figure(figure, counting),
                figure.unit,
                is_minimum=figure.better is Better.LARGER,
                uncounted=model.uncounted(figure, counting),
            )
