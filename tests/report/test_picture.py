from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from mbv2cli.report.picture import SMALL, shortened, spread, text_width, wrapped, write

PLACES = st.lists(st.floats(0, 100), min_size=1, max_size=10).map(sorted)


@given(PLACES, st.floats(0, 10))
def test_spread_places_are_apart_inside_and_no_farther_than_needed(
    places: list[float], gap: float
) -> None:
    moved = spread(places, gap, 0, 100)
    assert all(after - before >= gap - 1e-9 for before, after in pairwise(moved))
    assert -1e-9 <= moved[0] <= moved[-1] <= 100 + 1e-9
    if all(after - before >= gap for before, after in pairwise(places)):
        assert moved == pytest.approx(places)


@given(st.text(max_size=60), st.floats(20, 300))
def test_a_shortened_text_and_every_line_fit(text: str, width: float) -> None:
    assert text_width(shortened(text, SMALL, width), SMALL) <= max(width, text_width("…", SMALL))
    assert all(text_width(line, SMALL) <= width for line in wrapped(text, SMALL, width))


@pytest.mark.parametrize("weight", ["normal", "bold"])
@pytest.mark.parametrize("text", ["MobileNetV2(in=3, width_mult=1.0)", "1×64×224×224", "WAVE…▼"])
def test_a_text_is_as_wide_as_it_is_measured(text: str, weight: str) -> None:
    figure = Figure(figsize=(10, 10), dpi=72)
    axes = figure.add_axes((0, 0, 1, 1))
    write(axes, 0, 0, text, size=100, weight=weight)
    drawn = axes.texts[0].get_window_extent().width
    assert drawn == pytest.approx(text_width(text, 100, weight), rel=0.04)
