"""The modules against other codebases' networks: `make zoo`, in an environment of its own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from mbv2cli import MobileNetV2, NetworkSpec, plan_of
from mbv2cli.report.summary.report import confirmed, planned
from mbv2cli.specs import RunSpec
from mbv2cli.specs.presets import presets
from mbv2cli.specs.reader import read_request

pytestmark = [
    pytest.mark.zoo,
    # the codebases' own
    pytest.mark.filterwarnings("ignore"),
]

WIDTHS = (0.35, 0.5, 0.75, 1.0, 1.4)
THEIR_NAMES = {"torchvision": "mobilenet_v2", "efficientnet_b0_timm": "efficientnet_b0"}
"""The names of networks whose presets have other names."""

V2_S = (
    "cn_r2_k3_s1_e1_c24_skip/er_r4_k3_s2_e4_c48/er_r4_k3_s2_e4_c64/ir_r6_k3_s2_e4_c128_se0.25/"
    "ir_r9_k3_s1_e6_c160_se0.25/ir_r15_k3_s2_e6_c256_se0.25"
)
V2_B0 = (
    "cn_r1_k3_s1_e1_c16_skip/er_r2_k3_s2_e4_c32/er_r2_k3_s2_e4_c48/ir_r3_k3_s2_e4_c96_se0.25/"
    "ir_r5_k3_s1_e6_c112_se0.25/ir_r8_k3_s2_e6_c192_se0.25"
)
V3_FEATURES = (
    "h16c16_relu/h64c24s2_relu/h72c24_relu/h72c40s2k5_relu_se0.25/h120c40n2k5_relu_se0.25/"
    "h240c80s2/h200c80/h184c80n2/h480c112_se0.25/h672c112_se0.25"
)
V3_DILATED = f"stages={V3_FEATURES}/h672c160k5d2_se0.25/h960c160n2k5d2_se0.25"
V3_REDUCED = (
    f"stages={V3_FEATURES}/h672c80s2k5_se0.25/h480c80n2k5_se0.25,head=480,classifier_hidden=640"
)
B1 = "t1c16n2/t6c24n3s2/t6c40n3s2k5/t6c80n4s2/t6c112n4k5/t6c192n5s2k5/t6c320n2"
LINES = [
    ("efficientnet_v2_s", {}, f"network:stages={V2_S},stem=24,act=silu,norm_eps=0.001"),
    ("efficientnet_b1", {}, f"efficientnet_b0:stages={B1}"),
    ("mobilenet_v3_large", {"dilated": True}, f"mobilenet_v3_large:{V3_DILATED}"),
    ("mobilenet_v3_large", {"reduced_tail": True}, f"mobilenet_v3_large:{V3_REDUCED}"),
    ("timm efficientnetv2_s", {}, f"network:stages={V2_S},stem=24,act=silu"),
    (
        "timm tf_efficientnetv2_b0",
        {},
        f"network:stages={V2_B0},act=silu,padding=same,norm_eps=0.001,hidden_nearest=8",
    ),
]
"""Networks that are no presets: their names, their settings there, and targets that mean them."""

OF_CHECKPOINTS = {"fbnetc_100": {"bn_eps": 1e-3}}
"""What timm sets only where it loads a checkpoint."""


def presets_of(codebase: str) -> list[str]:
    return [name for name, preset in presets().items() if preset.source.startswith(codebase)]


def torchvision_s(width_mult: float) -> nn.Module:
    from torchvision.models import mobilenet_v2

    model: nn.Module = mobilenet_v2(width_mult=width_mult)
    return model


def timm_s(name: str, **settings: float) -> nn.Module:
    import timm

    model: nn.Module = timm.create_model(name, pretrained=False, **settings)
    return model


def theirs_of(name: str) -> nn.Module:
    """Return the network of torchvision or timm that a preset is."""
    from torchvision import models

    their_name = THEIR_NAMES.get(name, name)
    if presets()[name].source.startswith("timm"):
        return timm_s(their_name, **OF_CHECKPOINTS.get(name, {}))
    model: nn.Module = getattr(models, their_name)()
    return model


def ours(target: str) -> MobileNetV2:
    """Return the network of a target: a preset, with or without overrides."""
    spec = read_request(target).spec
    assert isinstance(spec, NetworkSpec)
    return MobileNetV2(spec)


def make_each_value_matter(model: nn.Module) -> None:
    """Give statistics and biases values of their own, where new networks have ones and zeros."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.running_var):
                assert tensor is not None
                nn.init.uniform_(tensor, 0.5, 1.5)
            for tensor in (module.bias, module.running_mean):
                assert tensor is not None
                nn.init.uniform_(tensor, -0.5, 0.5)
        if isinstance(module, nn.Linear | nn.Conv2d) and module.bias is not None:
            nn.init.uniform_(module.bias, -0.5, 0.5)


def copy_weights(source: nn.Module, target: nn.Module) -> None:
    """Copy all weights and statistics in order, whatever their names.

    timm's 1×1 convolution after the pooling of MobileNetV3 becomes a linear layer.
    """
    names = target.state_dict()
    weights = [
        one.flatten(1) if one.dim() == 4 and other.dim() == 2 else one
        for one, other in zip(source.state_dict().values(), names.values(), strict=True)
    ]
    assert [tuple(one.shape) for one in weights] == [tuple(one.shape) for one in names.values()]
    target.load_state_dict(dict(zip(names, weights, strict=True)))


def outputs_of(one: nn.Module, other: nn.Module) -> tuple[Tensor, Tensor]:
    """Return what both make of the same images."""
    images = torch.rand(2, 3, 96, 130)
    with torch.no_grad():
        outputs, others = one.eval()(images), other.eval()(images)
    assert outputs.std() > 0
    return outputs, others


def assert_same_outputs(one: nn.Module, other: nn.Module) -> None:
    assert torch.equal(*outputs_of(one, other))


@pytest.mark.parametrize("width_mult", WIDTHS)
def test_torchvision_s_weights_give_its_outputs(width_mult: float) -> None:
    theirs, own = torchvision_s(width_mult), ours(f"torchvision:width_mult={width_mult}")
    make_each_value_matter(theirs)
    copy_weights(theirs, own)
    assert_same_outputs(own, theirs)


@pytest.mark.parametrize("width_mult", WIDTHS)
def test_a_seed_gives_torchvision_s_weights(width_mult: float) -> None:
    torch.manual_seed(1)
    theirs = torchvision_s(width_mult)
    torch.manual_seed(1)
    own = ours(f"torchvision:width_mult={width_mult}")
    pairs = zip(own.state_dict().values(), theirs.state_dict().values(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_without_a_head_the_features_are_torchvision_s_up_to_the_last_block() -> None:
    theirs, own = torchvision_s(1.0), ours("torchvision:head=0,classes=0")
    make_each_value_matter(theirs)
    assert isinstance(theirs.features, nn.Sequential)
    backbone = theirs.features[:-1]
    copy_weights(backbone, own)
    assert_same_outputs(own, backbone)


def test_torchvision_s_checkpoint_loads_by_name() -> None:
    theirs, own = torchvision_s(1.0), MobileNetV2()
    make_each_value_matter(theirs)
    own.load_state_dict(theirs.state_dict(), strict=True)
    assert_same_outputs(own, theirs)


@pytest.mark.parametrize("name", [*presets_of("torchvision"), *presets_of("timm")])
def test_their_weights_give_their_outputs(name: str) -> None:
    theirs, own = theirs_of(name), ours(name)
    make_each_value_matter(theirs)
    copy_weights(theirs, own)
    outputs, expected = outputs_of(own, theirs)
    if "mobilenetv3" in name:
        # timm's 1×1 convolution after the pooling adds in another order than a linear layer
        assert (outputs - expected).abs().max() <= 1e-6 * expected.abs().max()
    else:
        assert torch.equal(outputs, expected)


@pytest.mark.parametrize("name", [*presets_of("torchvision"), *presets_of("timm")])
def test_their_parameters_and_macs_are_the_plan_s(name: str) -> None:
    theirs, request = theirs_of(name).eval(), read_request(name)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        theirs(torch.rand(1, 3, *request.input.size))
    totals = plan_of(request.spec, request.input).totals
    assert totals.params == sum(one.numel() for one in theirs.parameters())
    assert totals.macs == counter.get_total_flops() // 2


@pytest.mark.parametrize(("name", "settings", "target"), LINES)
def test_a_line_is_a_network_that_is_no_preset(
    name: str, settings: dict[str, bool], target: str
) -> None:
    from torchvision import models

    timm_name = name.removeprefix("timm ")
    is_timm_s = timm_name != name
    theirs = timm_s(timm_name) if is_timm_s else models.get_model(name, weights=None, **settings)
    own = ours(target)
    make_each_value_matter(theirs)
    copy_weights(theirs, own)
    assert_same_outputs(own, theirs)


@pytest.mark.parametrize("name", presets())
def test_plan_and_forward_agree(name: str) -> None:
    request = read_request(f"{name}:size=64")
    assert confirmed(planned(request, RunSpec(device="cpu"))).forward is not None


def test_both_have_many() -> None:
    assert (len(presets_of("torchvision")), len(presets_of("timm"))) == (8, 55)


@pytest.mark.parametrize("output_stride", [16, 8])
def test_timm_s_weights_give_its_outputs_at_other_strides(output_stride: int) -> None:
    theirs = timm_s("mobilenetv2_100", output_stride=output_stride)
    own = ours(f"mobilenetv2_100:output_stride={output_stride}")
    make_each_value_matter(theirs)
    copy_weights(theirs, own)
    assert_same_outputs(own, theirs)
    features = own.features(torch.rand(1, 3, 96, 128))
    assert features.shape[2:] == (96 // output_stride, 128 // output_stride)
