"""The modules against other codebases' networks: `make zoo`, in an environment of its own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from mbv2cli import MobileNetV2, NetworkSpec
from mbv2cli.specs.reader import read_request

pytestmark = [
    pytest.mark.zoo,
    # the codebases' own
    pytest.mark.filterwarnings("ignore"),
]

WIDTHS = (0.35, 0.5, 0.75, 1.0, 1.4)
TIMM = ("035", "050", "075", "100", "110d", "120d", "140")


def torchvision_s(width_mult: float) -> nn.Module:
    from torchvision.models import mobilenet_v2

    model: nn.Module = mobilenet_v2(width_mult=width_mult)
    return model


def timm_s(name: str, **settings: int) -> nn.Module:
    import timm

    model: nn.Module = timm.create_model(name, pretrained=False, **settings)
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
        one.flatten(1) if one.dim() == 4 and other.dim() == 2 else one  # noqa: PLR2004
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


@pytest.mark.parametrize("name", [f"mobilenetv2_{size}" for size in TIMM])
def test_timm_s_weights_give_its_outputs(name: str) -> None:
    theirs, own = timm_s(name), ours(name)
    make_each_value_matter(theirs)
    copy_weights(theirs, own)
    assert_same_outputs(own, theirs)


@pytest.mark.parametrize("output_stride", [16, 8])
def test_timm_s_weights_give_its_outputs_at_other_strides(output_stride: int) -> None:
    theirs = timm_s("mobilenetv2_100", output_stride=output_stride)
    own = ours(f"mobilenetv2_100:output_stride={output_stride}")
    make_each_value_matter(theirs)
    copy_weights(theirs, own)
    assert_same_outputs(own, theirs)
    features = own.features(torch.rand(1, 3, 96, 128))
    assert features.shape[2:] == (96 // output_stride, 128 // output_stride)
