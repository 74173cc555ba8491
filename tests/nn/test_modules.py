from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from mbv2cli import InvertedResidual, MobileNetV2, NetworkSpec
from mbv2cli.specs import BlockSpec
from tests.reference_tables import rows, shape


def test_state_dict_is_torchvision_s_in_order() -> None:
    state = MobileNetV2().state_dict()
    published = [(row["key"], shape(row["shape"])) for row in rows("torchvision_state_dict")]
    assert len(published) == 314
    assert [(key, tuple(value.shape)) for key, value in state.items()] == published


def test_shortcut_adds_the_input() -> None:
    block = InvertedResidual(BlockSpec(in_channels=8, out_channels=8)).eval()
    x = torch.rand(2, 8, 6, 5)
    with torch.no_grad():
        torch.testing.assert_close(block(x), x + block.conv(x))


def test_the_projection_is_linear() -> None:
    block = InvertedResidual(BlockSpec())
    assert isinstance(block.conv[-1], torch.nn.BatchNorm2d)


def test_no_classes_gives_the_feature_map() -> None:
    features = MobileNetV2(NetworkSpec(classes=0, width_mult=0.1)).eval()
    with torch.no_grad():
        assert features(torch.rand(1, 3, 64, 96)).shape == (1, 1280, 2, 3)


@pytest.mark.parametrize("classes", [0, 7])
def test_without_a_head_the_other_modules_keep_their_names(classes: int) -> None:
    spec = NetworkSpec(head=0, classes=classes)
    published = [(row["key"], shape(row["shape"])) for row in rows("torchvision_state_dict")]
    features = [(key, size) for key, size in published if not key.startswith("classifier.")]
    expected = [(key, size) for key, size in features if not key.startswith("features.18.")]
    classifier = {"classifier.1.weight": (7, 320), "classifier.1.bias": (7,)} if classes else {}
    state = {key: tuple(value.shape) for key, value in MobileNetV2(spec).state_dict().items()}
    assert list(state.items()) == [*expected, *classifier.items()]


def test_counters_that_replace_functions_see_the_pooling(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = nn.functional.adaptive_avg_pool2d
    pooled: list[tuple[int, ...]] = []

    def counted(x: Tensor, size: tuple[int, int]) -> Tensor:
        pooled.append(tuple(x.shape))
        return pool(x, size)

    monkeypatch.setattr(nn.functional, "adaptive_avg_pool2d", counted)
    with torch.no_grad():
        MobileNetV2(NetworkSpec(width_mult=0.1)).eval()(torch.rand(1, 3, 64, 64))
    assert pooled == [(1, 1280, 2, 2)]
