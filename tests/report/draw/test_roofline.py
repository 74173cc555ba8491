from __future__ import annotations

from dataclasses import replace
from math import prod

import pytest

from mbv2cli.errors import UserError
from mbv2cli.inspection import Observed
from mbv2cli.report.draw.roofline import picture_data, picture_of
from mbv2cli.report.picture import Heading
from mbv2cli.shown import shown
from tests.report.draw.geometry import MODELS, model_named, texts_of

COLUMNS = ["Layer", "Kind", "MACs of each", "MACs per byte"]


@pytest.mark.parametrize("name", MODELS)
def test_no_text_lies_over_another_and_each_row_has_the_numbers_of_its_layer(name: str) -> None:
    heading, model = model_named(name)
    data = picture_data(heading, model, "int8", None)
    texts = texts_of(picture_of(data))
    cells = texts[texts.index("Layer") + len(COLUMNS) :]
    layers = {shown(one.path): one for one in model.layers if one.macs}
    for start in range(0, len(cells), 5):
        number, name, kind, macs, intensity = cells[start : start + 5]
        assert number == str(start // 5 + 1)
        if "…" not in name:
            layer = layers[name.split(" and ")[0]]
            op = model.graph.ops[layer.op or 0]
            moved = sum(map(prod, (*op.input_shapes, op.output_shape))) + op.params
            assert (kind, macs) == (layer.kind, f"{layer.macs:,}")
            assert intensity == f"{layer.macs / moved:,.2f}"
    assert len(cells) == 5 * min(8, len(data.points))


def test_numbers_of_points_that_lie_on_each_other_do_not() -> None:
    _, model = model_named("network")
    data = picture_data(Heading("title"), model, "float32", None)
    near = tuple(data.points[0]._replace(intensity=4 + n / 100) for n in range(8))
    texts = texts_of(picture_of(data._replace(points=near)))
    assert all(texts.count(number) == 2 for number in "1234678")  # beside the point, in the table


def test_a_ridge_divides_the_layers() -> None:
    _, model = model_named("network")
    data = picture_data(Heading("title"), model, "float32", 4.0)
    left = [one for one in data.points if one.intensity < 4]
    text = (
        f"4 MACs while it moves a byte: {sum(len(one.layers) for one in left)} of 53 layers are to "
        f"the left and wait for memory. They have {sum(one.all_macs for one in left):,} of "
        "300,774,272 MACs."
    )
    assert text in " ".join(texts_of(picture_of(data)))
    assert "53 of 53 layers" in " ".join(texts_of(picture_of(data._replace(ridge=1e6))))


def test_a_model_without_convolutions_has_no_roofline() -> None:
    _, model = model_named("block")
    first = model.graph.ops[0]
    graph = replace(model.graph, ops=(first._replace(macs=0),), scopes=(), segments=())
    with pytest.raises(UserError, match="title has no convolution and no linear layer"):
        picture_data(Heading("title"), Observed(graph), "float32", None)
