"""The bytes of activations that are alive while each operation runs, storage by storage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mbv2cli.costs.bands import Band, bands
from mbv2cli.costs.memory import ELEMENT_BYTES, MemoryRule, MemoryUse
from mbv2cli.costs.outline import Stretch, stretches
from mbv2cli.graph.ops import Shape
from mbv2cli.graph.rows import Layer
from mbv2cli.inspection import Model
from mbv2cli.report.draw.labels import layer_text, name_text, repeats_text, shape_text
from mbv2cli.report.draw.limits import refuse_too_many_alive
from mbv2cli.report.picture import (
    BLUE,
    EDGE,
    LINE,
    PALE,
    SMALL,
    TEXT_STYLE,
    VERMILION,
    WIDEST,
    Heading,
    Sheet,
    saved,
    shortened,
    spread,
    text_width,
    write,
)
from mbv2cli.report.text import sentence
from mbv2cli.specs.units import bytes_texts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_HEIGHT: Final = 230.0
_LEFT: Final = 62.0
_LONGEST_NAME: Final = 150.0
_GAP: Final = 5.0
_TICKS: Final = 5
_ADDENDS: Final = 6
"""The storages at the peak that the heading lists."""

_MOST_APART: Final = 300
"""With more steps than these, the edges between storages would be all that is seen."""

_PLACES: Final = 600
"""The places of an outline: each is about a point wide."""

_BAND, _OF_PEAK = "#cfe3f2", BLUE


class MemoryPicture(NamedTuple):
    """The storages under a rule, and where the stretches of the model lie along the steps."""

    heading: Heading
    input_shapes: tuple[Shape, ...]
    use: MemoryUse
    dtype: str
    culprit: Layer
    bands: tuple[Band, ...]
    stretches: tuple[Stretch, ...]


def picture_data(heading: Heading, model: Model, rule: MemoryRule, dtype: str) -> MemoryPicture:
    """Return what to draw of a model under a memory rule. Raises `UserError`."""
    use = model.memory(rule)
    refuse_too_many_alive(heading, use, model.graph)
    return MemoryPicture(
        heading,
        model.graph.input_shapes,
        use,
        dtype,
        model.layer_of(use.culprit),
        bands(use, model.graph, dtype),
        stretches(model.graph),
    )


def draw(data: MemoryPicture, suffix: str) -> bytes:
    """Return the picture as the content of a file whose name ends in ``.svg`` or ``.png``."""
    return saved(partial(picture_of, data), suffix, TEXT_STYLE)


def picture_of(data: MemoryPicture) -> Figure:
    """Return the picture."""
    names = _names(data)
    plot = WIDEST - 2 * EDGE - _LEFT
    every = ceil(len(names) * LINE * SMALL / plot)
    names = names[::every]
    rotated = _is_rotated(names, plot / len(data.use.steps))
    below = 14 + (max(text_width(one.text, SMALL) for one in names) if rotated else LINE * SMALL)
    heading = Heading(data.heading.title, (*data.heading.notes, *_notes(data), *_left_out(every)))
    sheet = Sheet(heading, WIDEST, _HEIGHT + below + 14)
    figure, page = sheet.figure()
    bottom = sheet.bottom + below
    axes = sheet.axes(figure, (EDGE + _LEFT, bottom, plot, _HEIGHT))
    _draw_bands(axes, data)
    _draw_scale(axes, data)
    _draw_names(page, names, EDGE + _LEFT, bottom, plot / len(data.use.steps), rotated=rotated)
    return figure


def _notes(data: MemoryPicture) -> Iterator[str]:
    rule, inputs = data.use.rule, ", ".join(map(shape_text, data.input_shapes))
    yield (
        f"Bytes of activations alive while each operation runs: rule {rule.name}, {data.dtype}, "
        f"input {inputs}. {sentence(rule.counts)}"
    )
    yield _peak_text(data)
    yield from _together(len(data.use.steps))
    if data.use.unknown:
        yield f"At least this: the rule does not know {', '.join(data.use.unknown)}."


def _together(steps: int) -> Iterator[str]:
    """Yield what an outline shows, if there is one."""
    if steps > _MOST_APART:
        yield f"{steps:,} operations: storages that are not dark are drawn together."
    if (stretch := _stretch(steps)) > 1:
        yield f"Each place of the outline shows the largest of {stretch} operations in a row."


def _left_out(every: int) -> Iterator[str]:
    if every > 1:
        yield f"There is room for one name in {every}."


def _peak_text(data: MemoryPicture) -> str:
    amounts = sorted((one.bytes for one in data.bands if one.is_of_peak), reverse=True)
    peak, *addends = bytes_texts([data.use.peak_bytes(data.dtype), *amounts])
    total = f"Peak (▼): {peak}"
    culprit = layer_text(data.culprit)
    listed = " + ".join(addends[:_ADDENDS])
    if len(addends) > _ADDENDS:
        listed += f" and {len(addends) - _ADDENDS} smaller ones"
    if data.use.rule.grows:
        return f"{total}, at the end. {culprit} adds most (dark): {listed}."
    return f"{total}, caused by {culprit}. Alive then (dark): {listed}."


def _draw_bands(axes: Axes, data: MemoryPicture) -> None:
    from matplotlib.patches import Polygon

    point = max(data.use.peak_bytes(data.dtype), 1) / _HEIGHT
    if len(data.use.steps) > _MOST_APART:
        axes.add_patch(Polygon(list(_outline(data)), facecolor=_BAND, linewidth=0))
        for band in data.bands:
            if band.is_of_peak:  # with an edge, which is seen where a step is narrow
                axes.add_patch(Polygon(list(_corners(band)), color=_OF_PEAK, linewidth=1))
        return
    for band in data.bands:
        axes.add_artist(  # add_patch would look for the limits of the axes, which are set below
            Polygon(
                list(_corners(band)),
                facecolor=_OF_PEAK if band.is_of_peak else _BAND,
                edgecolor="#ffffff",
                in_layout=False,
                linewidth=min(0.5, band.bytes / point / 4),  # else it hides thin bands
            )
        )


def _outline(data: MemoryPicture) -> Iterator[tuple[float, float]]:
    """Yield the outline of the bytes that are alive together, in as many places as can be seen."""
    amounts = [one.elements * ELEMENT_BYTES[data.dtype] for one in data.use.steps]
    steps = len(amounts)
    yield (0, 0)
    for start in range(0, steps, _stretch(steps)):
        stop = min(start + _stretch(steps), steps)
        most = max(amounts[start:stop])
        yield (start, most)
        yield (stop, most)
    yield (steps, 0)


def _stretch(steps: int) -> int:
    """Return how many steps are one place of the outline."""
    return ceil(steps / _PLACES)


def _corners(band: Band) -> Iterator[tuple[float, float]]:
    """Yield the outline of a storage over its steps: along its lower edge, back along its upper."""
    edge = list(_edge(band))
    yield from edge
    yield from ((x, y + band.bytes) for x, y in reversed(edge))


def _edge(band: Band) -> Iterator[tuple[float, float]]:
    yield (band.step, band.bottoms[0])
    for number, (before, after) in enumerate(pairwise(band.bottoms), start=band.step + 1):
        if before != after:
            yield (number, before)
            yield (number, after)
    yield (band.step + len(band.bottoms), band.bottoms[-1])


def _draw_scale(axes: Axes, data: MemoryPicture) -> None:
    peak, steps = data.use.peak_bytes(data.dtype), len(data.use.steps)
    axes.set(xlim=(0, steps), ylim=(0, 1.06 * max(peak, 1)))
    axes.set_xticks([])
    ticks = _ticks(peak)
    axes.set_yticks(list(ticks), list(ticks.values()))
    axes.axhline(peak, color=VERMILION, linestyle="--", linewidth=1)
    place = _peak_step(data) + 0.5
    axes.plot([place], [peak], marker="v", markersize=7, color=VERMILION, clip_on=False, zorder=4)


def _peak_step(data: MemoryPicture) -> int:
    """Return the step of the operation that causes the peak; the last one if memory only grows."""
    if data.use.rule.grows:
        return len(data.use.steps) - 1
    return next(n for n, step in enumerate(data.use.steps) if step.op == data.use.culprit)


def _ticks(peak: int) -> dict[float, str]:
    """Return a few round amounts of bytes up to the peak, and their texts."""
    units = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))
    factor, unit = next((one for one in units if peak >= one[0]), (1, "B"))
    most = peak / factor
    step = next(
        mantissa * 10.0**power
        for power in range(-2, 20)
        for mantissa in (1, 2, 5)
        if most <= _TICKS * mantissa * 10.0**power
    )
    return {n * step * factor: f"{n * step:g} {unit}" for n in range(int(most / step) + 1)}


class _Name(NamedTuple):
    """A stretch along the steps: its text, and its first and last step, the latter not included."""

    text: str
    start: int
    stop: int


def _names(data: MemoryPicture) -> list[_Name]:
    found = []
    for part in data.stretches:
        steps = [n for n, one in enumerate(data.use.steps) if part.start <= one.op < part.stop]
        if steps:
            text = name_text(part) + repeats_text(part)
            found.append(_Name(shortened(text, SMALL, _LONGEST_NAME), steps[0], steps[-1] + 1))
    return found


def _is_rotated(names: Sequence[_Name], step: float) -> bool:
    """Return whether some name has no room, with a gap beside it, below its steps."""
    return any(text_width(one.text, SMALL) + _GAP > (one.stop - one.start) * step for one in names)


def _draw_names(
    page: Axes, names: Sequence[_Name], left: float, bottom: float, step: float, *, rotated: bool
) -> None:
    middles = [left + (one.start + one.stop) / 2 * step for one in names]
    line: Any = {"color": PALE, "linewidth": 0.7, "clip_on": False}
    for one in names:
        x = left + one.stop * step
        page.plot([x, x], [bottom, bottom - 4], **line)
    if not rotated:
        for one, x in zip(names, middles, strict=True):
            write(page, x, bottom - 6, one.text, ha="center", va="top")
        return
    right = left + step * names[-1].stop
    places = spread(middles, LINE * SMALL, left - EDGE, right + EDGE / 2)
    for one, x, place in zip(names, middles, places, strict=True):
        page.plot([x, place], [bottom - 3, bottom - 10], **line)
        write(page, place, bottom - 12, one.text, rotation=90, ha="center", va="top")
