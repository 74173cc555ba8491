"""Other codebases' MobileNetV2 are named, and single faults in them are placed: `make zoo`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest
import torch
from torch import Tensor, nn

from mbv2cli.graph.graph import Graph
from mbv2cli.identify.identity import differs_from, identify
from mbv2cli.nn.own import observe_module
from mbv2cli.specs.reader import read_request
from tests.identify.test_identity import (
    FAULTS,
    ONE_FIELD,
    conv,
    depthwise,
    replaced,
    with_attribute,
)

TIMM: Final = [
    f"{start}{name}"
    for start, names in {
        "": "mobilenetv3_large_100 mobilenetv3_small_050 mobilenetv3_rw mnasnet_small "
        "semnasnet_100 spnasnet_100 fbnetc_100 efficientnet_b0 efficientnet_lite4 tinynet_e "
        "mobilenet_edgetpu_100 efficientnet_es",
        "tf_": "mobilenetv3_large_minimal_100 mobilenetv3_small_075 efficientnet_lite0 "
        "efficientnet_b0 efficientnet_el",
    }.items()
    for name in names.split()
]
"""Relatives in timm's families."""

pytestmark = [
    pytest.mark.zoo,
    # the codebases' own
    pytest.mark.filterwarnings("ignore"),
]


def observed(model: nn.Module, channels: int = 3) -> Graph:
    return observe_module(model, [torch.rand(1, channels, 64, 64)]).graph


def torchvision_s(**arguments: Any) -> Any:
    from torchvision.models import mobilenet_v2

    return mobilenet_v2(**arguments)


def timm_s(name: str, **arguments: Any) -> Any:
    import timm

    return timm.create_model(name, pretrained=False, **arguments)


def hugging_face_s(name: str = "ForImageClassification", **config: Any) -> Any:
    import transformers

    cls = getattr(transformers, f"MobileNetV2{name}")
    return cls(transformers.MobileNetV2Config(**config))


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({}, "torchvision"),
        ({"width_mult": 0.35}, "mobilenetv2_035"),
        ({"width_mult": 0.5}, "mobilenetv2_050"),
        ({"width_mult": 0.75}, "mobilenetv2_075"),
        ({"width_mult": 1.4}, "mobilenetv2_140"),
        ({"width_mult": 1.1}, "network:width_mult=1.1"),
        ({"num_classes": 10, "dropout": 0.5}, "network:classes=10"),
    ],
)
def test_torchvision_s_are_named(arguments: dict[str, Any], name: str) -> None:
    identity = identify(observed(torchvision_s(**arguments)))
    assert identity.is_proved
    assert name in identity.names


def test_the_name_that_people_know_is_first() -> None:
    assert identify(observed(torchvision_s())).names[0] == "torchvision"
    assert identify(observed(torchvision_s(norm_layer=nn.Identity))).nearest == "torchvision"


@pytest.mark.parametrize("size", ["035", "050", "075", "100", "110d", "120d", "140"])
def test_timm_s_are_named(size: str) -> None:
    name = f"mobilenetv2_{size}"
    assert name in identify(observed(timm_s(name))).names


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"output_stride": 16}, "network:output_stride=16"),
        ({"output_stride": 8}, "network:output_stride=8"),
        ({"num_classes": 0, "global_pool": ""}, "network:classes=0"),
        ({"in_chans": 1}, "network:in=1"),
    ],
)
def test_timm_s_with_arguments_are_named(arguments: dict[str, Any], name: str) -> None:
    graph = observed(timm_s("mobilenetv2_100", **arguments), arguments.get("in_chans", 3))
    assert identify(graph).names == (name,)


@pytest.mark.parametrize("tf_padding", [True, False])
@pytest.mark.parametrize(
    ("config", "name"),
    [
        ({"num_labels": 1001}, "hf_100_224"),
        ({"num_labels": 1001, "depth_multiplier": 0.75}, "hf_075_160"),
        ({"num_labels": 1001, "depth_multiplier": 0.35}, "hf_035_96"),
        ({"num_labels": 1001, "depth_multiplier": 1.4}, "hf_140_224"),
        ({"depth_multiplier": 1.2}, "network:width_mult=1.2,classes=2"),
        (
            {"depth_multiplier": 0.5, "finegrained_output": False},
            "network:width_mult=0.5,head_scaling=scaled,classes=2",
        ),
        ({"output_stride": 16}, "network:output_stride=16,classes=2"),
        ({"expand_ratio": 3}, "network:classes=2,expand=3"),
        ({"hidden_act": "relu"}, "network:classes=2,act=relu"),
    ],
)
def test_hugging_face_s_are_named(config: dict[str, Any], name: str, *, tf_padding: bool) -> None:
    identity = identify(observed(hugging_face_s(**config, tf_padding=tf_padding)))
    assert identity.is_proved
    if name.startswith("hf_"):
        assert (name if tf_padding else f"{name}:padding=torch") in identity.names
        return
    own = f"{'padding=same,' * tf_padding}norm_eps=0.001"
    start, _, expand = name.partition(",expand=")
    assert f"{start},{own}{f',expand={expand}' * bool(expand)}" in identity.names


def test_the_backbone_of_hugging_face_is_named() -> None:
    """It returns its feature map, and by default also the feature map's global pooling."""
    identity = identify(observed(hugging_face_s("Model")))
    assert "hf_100_224:classes=0" in identity.names
    assert "the global pooling of the result, which is returned too" in identity.remarks


def test_a_segmentation_differs_in_its_head_alone() -> None:
    model = hugging_face_s("ForSemanticSegmentation", output_stride=16)
    identity = identify(observed(model))
    assert not identity.is_proved
    places = {fault.place.partition(".")[0] for fault in identity.faults}
    assert places == {"segmentation_head", "the model itself"}
    assert identity.names == ()


@pytest.mark.parametrize(
    "name",
    ["mobilenet_v3_large", "mobilenet_v3_small", "mnasnet0_5", "mnasnet1_0", "efficientnet_b0"],
)
def test_torchvision_s_relatives_are_named(name: str) -> None:
    from torchvision import models

    identity = identify(observed(getattr(models, name)()))
    assert identity.is_proved
    assert identity.names[0] == name


@pytest.mark.parametrize("name", TIMM)
def test_timm_s_relatives_are_named(name: str) -> None:
    identity = identify(observed(timm_s(name)))
    assert identity.is_proved
    assert any(one.partition(":")[0] in (name, f"{name}_timm") for one in identity.names)


@pytest.mark.parametrize("name", sorted({*FAULTS} - {*ONE_FIELD}))
def test_a_single_fault_in_torchvision_s_is_placed(name: str) -> None:
    change, place, what = FAULTS[name]
    model = torchvision_s()
    change(model)
    for block in model.modules():
        if hasattr(block, "has_shortcut"):  # as mbv2's own module names it
            block.use_res_connect = block.has_shortcut
    assert_placed(observed(model), "torchvision", place, what)


LAYER: Final = "mobilenet_v2.layer"
HUGGING_FACE_FAULTS: Final[dict[str, tuple[Callable[[Any], None], str, str]]] = {
    **{
        f"no shortcut in layer {number}": (
            with_attribute(f"{LAYER}.{number}", "use_residual", value=False),
            f"{LAYER}.{number}",
            "the addition is missing",
        )
        for number in (1, 6, 14)
    },
    **{
        f"stride 1 in layer {number}": (
            with_attribute(f"{LAYER}.{number}.conv_3x3.convolution", "stride", (1, 1)),
            f"{LAYER}.{number}.conv_3x3",
            "stride 1, not 2",
        )
        for number in (0, 2, 12)
    },
    **{
        f"a kernel of 5 in layer {number}": (
            replaced(f"{LAYER}.{number}.conv_3x3.convolution", depthwise(channels, 5, padding=0)),
            f"{LAYER}.{number}.conv_3x3",
            "kernel 5, not 3",
        )
        for number, channels in ((3, 192), (8, 384), (15, 960))
    },
    **{
        f"a dense convolution in layer {number}": (
            replaced(f"{LAYER}.{number}.conv_3x3.convolution", conv(channels, channels, 3)),
            f"{LAYER}.{number}.conv_3x3",
            "groups 1, not depthwise",
        )
        for number, channels in ((1, 144), (4, 192))
    },
    **{
        f"bias in {path}": (replaced(path, module), path, "bias yes, not no")
        for path, module in {
            f"{LAYER}.3.expand_1x1.convolution": conv(32, 192, bias=True),
            f"{LAYER}.5.conv_3x3.convolution": depthwise(192, stride=2, bias=True),
            f"{LAYER}.9.reduce_1x1.convolution": conv(384, 96, bias=True),
            "mobilenet_v2.conv_1x1.convolution": conv(320, 1280, bias=True),
        }.items()
    },
    **{
        f"no activation in {path}": (
            replaced(f"{path}.activation", nn.Identity()),
            path.rpartition(".")[0],
            "the activation is missing",
        )
        for path in (f"{LAYER}.2.expand_1x1", f"{LAYER}.7.conv_3x3")
    },
    **{
        f"another activation in {path}": (
            replaced(f"{path}.activation", nn.Hardswish()),
            path,
            "activation hardswish, not relu6",
        )
        for path in (f"{LAYER}.2.expand_1x1", "mobilenet_v2.conv_1x1")
    },
    **{
        f"an activation after the projection of layer {number}": (
            replaced(
                f"{LAYER}.{number}.reduce_1x1.normalization",
                nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU6()),
            ),
            f"{LAYER}.{number}.reduce_1x1",
            "the activation relu6 is one too many",
        )
        for number, channels in ((0, 24), (10, 96))
    },
    **{
        f"no BatchNorm in layer {number}": (
            replaced(f"{LAYER}.{number}.reduce_1x1.normalization", nn.Identity()),
            f"{LAYER}.{number}",
            "the BatchNorm is missing",
        )
        for number in (2, 11)
    },
    "no bias in the classifier": (
        replaced("classifier", nn.Linear(1280, 1001, bias=False)),
        "classifier",
        "bias no, not yes",
    ),
}


@pytest.mark.parametrize("name", HUGGING_FACE_FAULTS)
def test_a_single_fault_in_hugging_face_s_is_placed(name: str) -> None:
    change, place, what = HUGGING_FACE_FAULTS[name]
    model = hugging_face_s(num_labels=1001)
    change(model)
    assert_placed(observed(model), "hf_100_224", place, what)


def assert_placed(graph: Graph, target: str, place: str, what: str) -> None:
    """Assert that a difference is told at its place, and that at most one other block has any."""
    found = differs_from(graph, read_request(target).spec)
    assert any(one.place.startswith(place) and what in one.what for one in found), found
    parts = 3 if place.startswith(LAYER) else 2
    # an epsilon and a padding throughout are told of the model itself
    blocks = {tuple(one.place.split(".")[:parts]) for one in found if "." in one.place}
    assert len(blocks - {tuple(place.split(".")[:parts])}) <= 1, found
    assert target not in identify(graph).names


def test_there_are_sixty_faults() -> None:
    assert len(FAULTS) + len(HUGGING_FACE_FAULTS) >= 60


def test_other_networks_are_not_named() -> None:
    for name in ("lcnet_050", "mobilenet_edgetpu_v2_xs", "fbnetv3_b"):
        assert identify(observed(timm_s(name))).names == ()


def test_a_wrong_addition_is_no_agreement(monkeypatch: pytest.MonkeyPatch) -> None:
    model = torchvision_s()

    def forward(self: Any, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x) + x if self.use_res_connect else self.conv(x)
        return y - 0.1

    monkeypatch.setattr(type(model.features[3]), "forward", forward)
    identity = identify(observed(model))
    assert (identity.names, identity.nearest) == ((), "torchvision")
    assert {fault.place for fault in identity.distance} >= {"features.3", "features.17"}
