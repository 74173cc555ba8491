"""The weights of our own modules are read back: squeeze-excite, hidden layers, expansions."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
import torch

from mbv2cli import MobileNetV2, NetworkSpec
from mbv2cli.identify.targets import structure_of
from mbv2cli.specs.checkpoint.model import checkpoint_of
from mbv2cli.specs.origin import How
from mbv2cli.specs.reader import KINDS, read_request, read_spec
from mbv2cli.specs.weights.tensors import Tensor, Weights

FILE: Final = Path("w.pth")


def network(target: str) -> NetworkSpec:
    spec = read_request(target).spec
    assert isinstance(spec, NetworkSpec)
    return spec


def weights_of(spec: NetworkSpec) -> Weights:
    """Return what the state dict of a network's module has."""
    with torch.device("meta"):
        state = MobileNetV2(spec).state_dict()
    tensors = (Tensor(name, tuple(one.shape), "float32") for name, one in state.items())
    return Weights("PyTorch file", tuple(tensors))


@pytest.mark.parametrize(
    "target",
    [
        *("mobilenet_v3_small", "efficientnet_b0", "fbnetc_100", "efficientnet_lite0"),
        *("network:expansion=always", "network:se=0.5,se_of=hidden", "network:hidden_nearest=8"),
        "network:classifier_hidden=64,classifier_hidden_bias=false",
    ],
)
def test_weights_tell_every_width(target: str) -> None:
    spec = network(target)
    checkpoint = checkpoint_of(FILE, weights_of(spec))
    assert checkpoint.model is not None, checkpoint.why_not
    kind, settings, origin = checkpoint.model
    read = read_spec(KINDS[kind], settings)
    assert isinstance(read, NetworkSpec)
    assert [
        (one.has_expansion, one.hidden_channels, one.squeezed_channels, one.out_channels)
        for one in read.blocks
    ] == [
        (one.has_expansion, one.hidden_channels, one.squeezed_channels, one.out_channels)
        for one in spec.blocks
    ]
    hidden = (read.classifier_hidden, read.classifier_hidden_bias)
    assert hidden == (spec.classifier_hidden, spec.classifier_hidden_bias)
    assert origin is not None
    assert ("se" in {field.key for field in origin.fields}) == any(b.has_se for b in spec.blocks)


@pytest.mark.parametrize(
    "target",
    [
        *("mobilenet_v3_small", "mobilenet_v3_large:in=1,classes=7", "mnasnet0_5", "mcunet_5fps"),
        "efficientnet_b0:classes=0,head=1280",
    ],
)
def test_weights_of_a_preset_have_its_strides_and_activations(target: str) -> None:
    checkpoint = checkpoint_of(FILE, weights_of(network(target)))
    assert checkpoint.model is not None, checkpoint.why_not
    kind, settings, origin = checkpoint.model
    read = read_spec(KINDS[kind], settings)
    assert isinstance(read, NetworkSpec)
    assert structure_of(read) == structure_of(network(target))
    assert origin is not None
    (why,) = {field.why for field in origin.fields if field.how is How.ASSUMED}
    assert why == f"not in weights: those of {target.partition(':')[0]}, which has these shapes"


def test_a_fused_block_is_not_read_from_weights() -> None:
    checkpoint = checkpoint_of(
        FILE, weights_of(network("network:stages=t1c16/t6c24n2s2_fused/t6c32"))
    )
    assert checkpoint.model is None
    assert "3x3 convolution over all channels before the last block" in checkpoint.why_not
