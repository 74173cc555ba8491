from __future__ import annotations

import pytest

from mbv2cli.costs.layers import By, grouped, layer_figures
from mbv2cli.costs.memory import LAYERWISE
from mbv2cli.inspection import Model
from mbv2cli.report.draw.cost import picture_data, picture_of
from mbv2cli.report.picture import Heading
from mbv2cli.specs.units import bytes_texts
from tests.report.draw.geometry import OWN, TARGETS, model_named, texts_of


def columns_of(model: Model) -> list[list[str]]:
    """Return the columns of a picture without titles: names, parameters, MACs, bytes."""
    texts = texts_of(picture_of(picture_data(Heading("title"), model, LAYERWISE, "float32")))
    start = next(n for n, text in enumerate(texts) if text.endswith("rule layerwise.")) + 1
    names = texts[start : texts.index("total") + 1]
    rest = texts[start + len(names) :]
    rows = len(names) + 1
    return [names, *(rest[n + 1 : n + rows] for n in range(0, len(rest), rows))]


@pytest.mark.parametrize("target", [one for one in TARGETS if not one.startswith("block")])
def test_every_number_of_a_network_is_that_of_its_stage(target: str) -> None:
    _, model = model_named(target)
    stages = grouped(layer_figures(model.graph, model.layers, "float32"), By.STAGE)
    names, params, macs, moved, alive = columns_of(model)
    assert [name.split(" × ")[0] for name in names] == [*(one.name for one in stages), "total"]
    assert params == [f"{n:,}" for n in (*(s.params for s in stages), model.totals.params)]
    assert macs == [f"{n:,}" for n in (*(s.macs for s in stages), model.totals.macs)]
    bytes_ = [one.moved_bytes for one in stages]
    assert moved == bytes_texts([*bytes_, sum(bytes_)])
    peaks = [one.layerwise_bytes or 0 for one in stages]
    assert alive == bytes_texts([*peaks, model.memory(LAYERWISE).peak_bytes("float32")])


@pytest.mark.parametrize("target", [one for one in TARGETS if one.startswith("block")])
def test_every_number_of_a_block_is_that_of_its_convolution(target: str) -> None:
    _, model = model_named(target)
    convs = [one for one in model.layers if one.macs or one.role == "shortcut"]
    names, _, macs, _, _ = columns_of(model)
    assert names == [*(str(one.role) for one in convs), "total"]
    assert macs == [f"{n:,}" for n in (*(one.macs for one in convs), model.totals.macs)]


def test_no_text_of_a_module_lies_over_another_and_all_costs_are_there() -> None:
    _, model = model_named(OWN)
    names, params, macs, *_ = columns_of(model)
    assert "stages.0.0 … stages.2.0 × 3: Conv2d + ReLU" in names
    assert (params[-1], macs[-1]) == (f"{model.totals.params:,}", f"{model.totals.macs:,}")
