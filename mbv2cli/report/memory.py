"""`mbv2 memory`: activations under every rule, weights, and torchsummary's own figure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from mbv2cli.costs.figures import FLASH
from mbv2cli.costs.memory import EAGER, ELEMENT_BYTES, MEMORY_RULES, TRAINING, MemoryUse
from mbv2cli.costs.torchsummary_sizes import PassSize, pass_size
from mbv2cli.graph.rows import Layer, Role
from mbv2cli.inspection import Model, Observed
from mbv2cli.report.arena import ArenaPart, ArenaReport, arena_part
from mbv2cli.report.arena import as_page as arena_page
from mbv2cli.report.boards import BoardFitPart, fit_lines, fit_part
from mbv2cli.report.document import Megabytes, Part, RequestDocument, request_fields
from mbv2cli.report.page import BOLD, WARNING, Block, Column, Line, Page, Table, detail, page, plain
from mbv2cli.report.patches import PatchesPart, PatchReport, patches_part
from mbv2cli.report.patches import as_page as patches_page
from mbv2cli.report.text import heading, sentence
from mbv2cli.specs.requests import AnyRequest
from mbv2cli.specs.units import bytes_numbers, bytes_text

if TYPE_CHECKING:
    from mbv2cli.gate.boards import BoardFit

_DTYPES: Final[Mapping[str, str]] = {"float32": "float32", "16 bits": "float16", "int8": "int8"}
"""The titles of the columns of bytes, and the element type of each."""

_RANKS: Final[Mapping[str, int]] = {"float32": 1, "int8": 2, "16 bits": 4}
"""Which of these columns a narrow terminal shows first."""

_MB: Final = 2**20


@dataclass(frozen=True, slots=True)
class MemoryReport:
    """The memory of a request under every rule, its weights, and torchsummary's own figure.

    ``pass_size`` is None where torchsummary cannot run, or is wrong. ``dtype`` is the element type
    that is shown; None for all of them. ``arena`` and ``patches`` are None where nobody asked for
    them, ``fit`` where nobody named a board.
    """

    request: AnyRequest
    model: Model
    uses: tuple[MemoryUse, ...]
    pass_size: PassSize | None
    dtype: str | None = None
    arena: ArenaReport | None = None
    patches: PatchReport | None = None
    fit: BoardFit | None = None

    def weight_bytes(self, dtype: str) -> int:
        """Return the bytes of all parameters."""
        return self.model.totals.params * ELEMENT_BYTES[dtype]

    @property
    def flash_bytes(self) -> int:
        """Bytes of int8 weights and int32 biases, BatchNorm folded into the convolutions."""
        return self.model.figure(FLASH)


def memory_of(
    request: AnyRequest,
    model: Model,
    dtype: str | None = None,
    arena: ArenaReport | None = None,
    patches: PatchReport | None = None,
    *,
    fit: BoardFit | None = None,
) -> MemoryReport:
    """Return the memory of the ``model`` of a request."""
    uses = tuple(map(model.memory, MEMORY_RULES))
    sizes = None if _doubt(model) else pass_size(model.graph)
    return MemoryReport(request, model, uses, sizes, dtype, arena, patches, fit)


def _doubt(model: Model) -> str:
    """Return why torchsummary cannot run, or what is wrong in its table; "" if nothing is."""
    return model.torchsummary_doubt if isinstance(model, Observed) else ""


def as_table(report: MemoryReport) -> Page:
    """Return peaks, weights and torchsummary's figure; or arena or patches, if asked for.

    All sizes of a table have one unit.
    """
    if report.arena:
        return page((*arena_page(report.arena).blocks, *fit_lines(report.fit)))
    if report.patches:
        return patches_page(report.patches)
    return page(
        (
            *heading(report.request),
            Line(),
            _peaks(report),
            Line(),
            *_weights(report),
            Line(),
            *_torchsummary(report),
            *fit_lines(report.fit),
        )
    )


def _peaks(report: MemoryReport) -> Table:
    rules = [use.rule for use in report.uses]
    culprits = [report.model.layer_of(use.culprit) for use in report.uses]
    return Table(
        [
            Column("Activation peak", [rule.name for rule in rules]),
            *_sizes(report.dtype, lambda dtype: [use.peak_bytes(dtype) for use in report.uses]),
            Column(
                "Caused by",
                [f"{_place(layer)}, {layer.role}" for layer in culprits],
                rank=3,
                narrow=[_place(layer) for layer in culprits],
                styles=[WARNING] * len(culprits),
            ),
        ],
        notes={row: list(_rule_notes(use)) for row, use in enumerate(report.uses)},
    )


def _rule_notes(use: MemoryUse) -> Iterator[Line]:
    yield detail(sentence(use.rule.counts))
    if use.unknown:
        names = ", ".join(use.unknown)
        yield Line(f"  At least this: the rule does not know {names}.", WARNING, "  ")


def _place(layer: Layer) -> str:
    """Return the path of a layer; the function if the whole model runs it."""
    return layer.path or layer.type


def _weights(report: MemoryReport) -> Iterator[Block]:
    yield Table(
        [
            Column("Weights", ["parameters"]),
            *_sizes(report.dtype, lambda dtype: [report.weight_bytes(dtype)]),
        ]
    )
    packed = report.model.uncounted(FLASH)
    yield Line(f"Flash: {'at least ' if packed else ''}{bytes_text(report.flash_bytes)}", BOLD)
    yield detail("int8 weights and int32 biases, BatchNorm folded into the convolutions.")
    if packed:
        text = f"Nobody can count the packed weights of {', '.join(packed)}."
        yield Line(text, WARNING, "    ")


def _sizes(dtype: str | None, bytes_of: Callable[[str], Sequence[int]]) -> Iterator[Column]:
    """Yield a column of bytes for each element type that is shown."""
    dtypes = _DTYPES if dtype is None else {dtype: dtype}
    amounts = [bytes_of(dtype) for dtype in dtypes.values()]
    numbers, unit = bytes_numbers(chain.from_iterable(amounts))
    left = iter(numbers)
    for title, of_dtype in zip(dtypes, amounts, strict=True):
        cells = list(islice(left, len(of_dtype)))
        yield Column(f"{title}\n{unit}", cells, is_number=True, rank=_RANKS.get(title, 1))


def _torchsummary(report: MemoryReport) -> Iterator[Line]:
    size = report.pass_size
    if size is None:
        yield Line(f"No sizes of torchsummary: {_doubt(report.model)}.", WARNING, "    ")
        return
    yield Line(f"Forward/backward pass size of torchsummary: {size.total_mb:,.2f} MB", BOLD)
    yield plain("torchsummary counts the output of each row twice, in float32.")
    if size.blocks_again_mb:
        yield plain(
            f"{size.blocks_again_mb:,.2f} MB are for the rows of blocks, which repeat the output "
            "of their last layer."
        )
    if size.in_place_mb:
        yield plain(
            f"{size.in_place_mb:,.2f} MB are for activations in place, which need no new memory."
        )
    times = " and ".join(
        f"{size.total_mb * _MB / use.peak_bytes('float32'):.2f} x the {use.rule.name} peak"
        for use in report.uses
        if use.rule in (EAGER, TRAINING)
    )
    yield plain(f"The size is {times}, in float32.")


class BytesPart(Part):
    """The bytes of the same elements in each dtype."""

    float64: int = Field(description="8 bytes an element.")
    float32: int = Field(description="4 bytes an element.")
    float16: int = Field(description="2 bytes an element.")
    bfloat16: int = Field(description="2 bytes an element.")
    int8: int = Field(description="1 byte an element.")


class StepPart(Part):
    """A moment of the timeline."""

    layer: str | None = Field(description="Name of the layer that runs.")
    path: str = Field(description="Path of the layer.")
    type: str = Field(description="Class of the layer, or function.")
    elements: int = Field(
        description="Elements alive while the layer runs. Under `training`: elements saved so far."
    )


class RulePart(Part):
    """The peak under a rule."""

    rule: str = Field(description="Name of the rule.")
    counts: str = Field(description="What the rule counts as memory.")
    source: str = Field(description="Where the rule comes from, or what confirms the rule.")
    peak_bytes: BytesPart = Field(description="Largest number of bytes alive at one moment.")
    unknown: tuple[str, ...] = Field(
        description="Functions that the rule does not know: the peak is then at least this."
    )
    layer: str | None = Field(description="Name of the layer that causes the peak.")
    path: str = Field(description="Path of that layer.")
    role: Role = Field(description="Role of that layer.")
    timeline: tuple[StepPart, ...] = Field(description="Every step of the rule, in forward order.")


class WeightsPart(Part):
    """The bytes of the weights."""

    parameters: BytesPart = Field(description="All parameters, BatchNorm not folded.")
    flash_bytes: int = Field(
        description="int8 weights and int32 biases, BatchNorm folded into the convolutions."
    )


class PassSizePart(Part):
    """torchsummary's figure, and the parts of it that need no memory."""

    total_mb: Megabytes = Field(
        description="Forward/backward pass size, as torchsummary prints it."
    )
    blocks_again_mb: Megabytes = Field(
        description="The part for rows of blocks, which repeat the output of their last layer."
    )
    in_place_mb: Megabytes = Field(
        description="The part for activations in place, which need no new memory."
    )


class MemoryDocument(RequestDocument):
    """What `mbv2 memory --format json` prints."""

    command: Literal["memory"] = Field("memory", description="`memory`.")
    rules: tuple[RulePart, ...] = Field(description="The peak of activations under each rule.")
    weights: WeightsPart = Field(description="The bytes of the weights.")
    torchsummary_pass_size: PassSizePart | None = Field(
        description="torchsummary's Forward/backward pass size and its parts; null where "
        "torchsummary cannot run, or is wrong."
    )
    arena: ArenaPart | None = Field(
        description="The arena of TensorFlow Lite Micro for the int8 model; null without `--arena`."
    )
    patches: PatchesPart | None = Field(
        description="Patch-based inference of the first blocks; null without `--patches`."
    )
    fit: BoardFitPart | None = Field(description="The model on the board; null without `--board`.")


def as_json(report: MemoryReport) -> str:
    """Return the document, indented."""
    return MemoryDocument(
        **request_fields(report.request),
        rules=tuple(_rule_part(report.model, use) for use in report.uses),
        weights=WeightsPart(
            parameters=BytesPart(**{dtype: report.weight_bytes(dtype) for dtype in ELEMENT_BYTES}),
            flash_bytes=report.flash_bytes,
        ),
        torchsummary_pass_size=report.pass_size and PassSizePart.model_validate(report.pass_size),
        arena=report.arena and arena_part(report.arena),
        patches=report.patches and patches_part(report.patches),
        fit=report.fit and fit_part(report.fit),
    ).text


def _rule_part(model: Model, use: MemoryUse) -> RulePart:
    layers = {layer.op: layer for layer in model.layers}
    culprit = layers[use.culprit]
    return RulePart(
        rule=use.rule.name,
        counts=use.rule.counts,
        source=use.rule.source,
        peak_bytes=BytesPart(**{dtype: use.peak_bytes(dtype) for dtype in ELEMENT_BYTES}),
        unknown=use.unknown,
        layer=culprit.name,
        path=culprit.path,
        role=culprit.role,
        timeline=tuple(
            StepPart(
                layer=layers[op].name, path=layers[op].path, type=layers[op].type, elements=elements
            )
            for op, elements in use.steps
        ),
    )
