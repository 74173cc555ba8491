from __future__ import annotations

import re
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given, settings

from mbv2cli.errors import UserError
from mbv2cli.inspection import ModelSpec, Observed, plan_of
from mbv2cli.report.draw.limits import MOST_ROWS
from mbv2cli.report.draw.module_calls import draw, picture_data, picture_of
from mbv2cli.report.picture import Heading
from mbv2cli.shown import is_visible
from mbv2cli.specs import InputSpec
from tests.report.draw.geometry import (
    assert_no_line_crosses_a_text,
    lines_of,
    model_named,
    own_model,
    svg_texts,
    texts_of,
)
from tests.strategies import block_specs, network_specs


def observed(target: str) -> Observed:
    """Return a planned model as if it had been observed: without stages."""
    _, model = model_named(target)
    return Observed(replace(model.graph, segments=()))


@pytest.mark.parametrize("target", ["block:in=24,out=24", "network", "deeplab_os16"])
def test_no_text_lies_over_another_and_every_number_is_that_of_the_operations(target: str) -> None:
    model = observed(target)
    texts = texts_of(picture_of(picture_data(Heading("title"), model)))
    params = sum(int(n.replace(",", "")) for n in re.findall(r"([\d,]+) params", str(texts)))
    macs = sum(int(n.replace(",", "")) for n in re.findall(r"([\d,]+) MACs", str(texts)))
    assert (params, macs) == (model.totals.params, model.totals.macs)
    shapes = {"×".join(map(str, shape)) for shape in model.graph.shapes}
    shown = [text for text in texts if re.fullmatch(r"\d+(×\d+)+", text)]
    assert len(shown) >= 2
    assert set(shown) <= shapes


@given(block_specs() | network_specs())
@settings(max_examples=8)
def test_no_text_of_any_model_lies_over_another(spec: ModelSpec) -> None:
    graph = replace(plan_of(spec, InputSpec(size=(64, 48))).graph, segments=())
    picture = picture_of(picture_data(Heading("title"), Observed(graph)))
    texts_of(picture)
    assert_no_line_crosses_a_text(picture)


def test_blocks_that_are_alike_are_one_row() -> None:
    texts = texts_of(picture_of(picture_data(Heading("title"), observed("network"))))
    for name in ("features.5–6 × 2", "features.8–10 × 3", "features.12–13 × 2"):
        assert name in texts
    assert "features: Sequential" in texts


def test_values_that_skip_modules_and_hostile_names_are_shown() -> None:
    data = picture_data(Heading("my_model.py:Net()"), own_model())
    content = draw(data, ".svg")
    texts = svg_texts(content)
    picture = picture_of(data)
    assert sorted(texts) == sorted(texts_of(picture))
    assert_no_line_crosses_a_text(picture)
    assert "<script>$\\frac$" in texts
    assert "\\u202e\\x1b[31m層" in texts
    assert any(text.startswith("WWW") and "…" in text for text in texts)
    assert is_visible(content.decode().replace("\n", ""))
    # enters down, cat from the row above, cat from the first row, the last module, and leaves
    assert texts.count("1×8×16×16") == 5
    assert {"input", "output 1", "output 2"} <= set(texts)
    assert "stages.0.0 … stages.2.0 × 3" in texts


def test_values_that_skip_the_same_row_have_lines_of_their_own() -> None:
    data = picture_data(Heading("title"), own_model())
    picture = picture_of(data)
    places = {corners[1][0] for corners in lines_of(picture) if len(corners) == 3}
    outputs = count(len(data.costs))  # each has a row of its own
    reach: dict[int, list[int]] = {}
    for wire in data.wires:
        source = -1 if wire.source is None else wire.source
        target = next(outputs) if wire.target is None else wire.target
        reach.setdefault(wire.value, [source]).append(target)
    skipping = [(ends[0], max(ends)) for ends in reach.values() if max(ends) > ends[0] + 1]
    most = max(sum(a <= row <= b for a, b in skipping) for row in range(-1, next(outputs)))
    assert len(places) == most == 3


def test_a_model_that_is_too_long_for_a_picture_is_refused() -> None:
    _, model = model_named("block")
    add = model.graph.ops[0]._replace(path="", type="")
    many = tuple(
        add._replace(function=f"f{n}", inputs=(n,), params=n) for n in range(MOST_ROWS + 1)
    )
    graph = replace(model.graph, ops=many, scopes=(), segments=())
    with pytest.raises(UserError, match=f"runs {MOST_ROWS + 1} modules and operations"):
        picture_data(Heading("title"), Observed(graph))
