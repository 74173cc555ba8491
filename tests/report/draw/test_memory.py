from __future__ import annotations

from dataclasses import replace

import pytest
from matplotlib.patches import Polygon

from mbv2cli.costs.memory import LAYERWISE, MEMORY_RULES
from mbv2cli.errors import UserError
from mbv2cli.inspection import Observed
from mbv2cli.report.draw.labels import name_text
from mbv2cli.report.draw.memory import picture_data, picture_of
from mbv2cli.report.picture import Heading
from mbv2cli.shown import shown
from mbv2cli.specs.units import bytes_texts
from tests.report.draw.geometry import MODELS, model_named, texts_of

RULES = {rule.name: rule for rule in MEMORY_RULES}


@pytest.mark.parametrize(
    ("name", "rule_name"),
    [
        *((name, LAYERWISE.name) for name in MODELS),
        *(("block:in=24,out=24", name) for name in RULES),
        ("network", "training"),
    ],
)
def test_no_text_lies_over_another_and_every_number_is_the_model_s(
    name: str, rule_name: str
) -> None:
    heading, model = model_named(name)
    data = picture_data(heading, model, RULES[rule_name], "int8")
    texts = texts_of(picture_of(data))
    text = " ".join(texts)
    use = model.memory(RULES[rule_name])
    culprit = model.layer_of(use.culprit)
    assert f"rule {rule_name}, int8, input {'×'.join(map(str, model.input_shape))}" in text
    behind = sorted((one.bytes for one in data.bands if one.is_of_peak), reverse=True)
    peak, *parts = bytes_texts([use.peak_bytes("int8"), *behind])
    assert f"Peak (▼): {peak}" in text
    role = "" if culprit.role == "other" else f", {culprit.role}"
    assert f"{culprit.path or culprit.type}{role}. A" in text.replace(" adds most", ". A")
    assert f"(dark): {' + '.join(parts)}." in text
    for part in data.stretches:
        if "WW" not in part.name:
            assert any(one.startswith(shown(name_text(part))) for one in texts), part


def test_names_of_single_steps_are_moved_apart() -> None:
    _, model = model_named("network")
    graph = replace(model.graph, segments=())
    data = picture_data(Heading("title"), Observed(graph), RULES["eager"], "float32")
    assert {"classifier.0", "classifier.1"} <= set(texts_of(picture_of(data)))


def test_more_storages_than_can_be_seen_are_drawn_together() -> None:
    heading, model = model_named("network:stages=t1c8n300")
    data = picture_data(heading, model, LAYERWISE, "int8")
    assert len(data.use.steps) > 600
    picture = picture_of(data)
    assert {
        f"{len(data.use.steps):,} operations: storages that are not dark are drawn together.",
        "Each place of the outline shows the largest of 2 operations in a row.",
    } <= set(texts_of(picture))
    outline, *dark = picture.findobj(Polygon)
    assert len(dark) == sum(one.is_of_peak for one in data.bands)
    corners = outline.get_xy()
    assert len(corners) < 1300
    assert corners[:, 1].max() == data.use.peak_bytes("int8")
    for step, one in enumerate(data.use.steps):
        here = corners[(corners[:, 0] <= step + 1) & (corners[:, 0] >= step - 1), 1]
        assert here.max() >= one.elements


def test_the_scale_has_round_amounts_below_the_peak() -> None:
    _, model = model_named("network")
    data = picture_data(Heading("title"), model, LAYERWISE, "float32")
    texts = texts_of(picture_of(data))
    assert [text for text in texts if text.endswith(" MiB")] == ["0 MiB", "2 MiB", "4 MiB"]
    assert data.use.peak_bytes("float32") == 5880 * 1024


def test_a_function_without_a_rule_is_named() -> None:
    _, model = model_named("block")
    data = picture_data(Heading("title"), model, LAYERWISE, "float32")
    data = data._replace(use=replace(data.use, unknown=("matmul",)))
    assert "At least this: the rule does not know matmul." in texts_of(picture_of(data))


def test_storages_that_live_too_long_for_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    heading, model = model_named("network")
    monkeypatch.setattr("mbv2cli.report.draw.limits.MOST_ALIVE", 6_000)
    assert picture_data(heading, model, LAYERWISE, "int8").bands
    with pytest.raises(UserError, match=r"153 storages under the rule training.* --peak-rule"):
        picture_data(heading, model, RULES["training"], "int8")
