"""Other people's modules, seen by mbv2, torch and fvcore: `make zoo`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from mbv2cli.costs.conventions import CONV_LINEAR, count
from mbv2cli.costs.memory import EAGER, LAYERWISE, memory_use
from mbv2cli.identify.identity import identify
from mbv2cli.nn.own import observe_module
from mbv2cli.specs.reader import own_name
from tests.nn.live_memory import eager_peak
from tests.process import mbv2_here

pytestmark = [
    pytest.mark.zoo,
    # the codebases' own
    pytest.mark.filterwarnings("ignore"),
]


class Build(NamedTuple):
    """How to build a model, and the side of an image that it takes."""

    build: Callable[[], nn.Module]
    size: int = 64


def torchvision_s(name: str, size: int = 64, **arguments: Any) -> Build:
    def build() -> nn.Module:
        from torchvision import models

        model: nn.Module = models.get_model(name, weights=None, **arguments)
        return model

    return Build(build, size)


def timm_s(name: str, size: int = 64, **arguments: Any) -> Build:
    def build() -> nn.Module:
        import timm

        model: nn.Module = timm.create_model(name, pretrained=False, **arguments)
        return model

    return Build(build, size)


MODELS: Final = {
    **{
        f"torchvision {name}": torchvision_s(name)
        for name in (
            *("mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large", "mnasnet0_5"),
            *("resnet18", "resnet50", "resnext50_32x4d", "densenet121", "alexnet", "vgg11"),
            *("efficientnet_b0", "regnet_y_400mf", "regnet_x_400mf", "shufflenet_v2_x0_5"),
            *("squeezenet1_0", "squeezenet1_1", "convnext_tiny", "swin_t"),
        )
    },
    "torchvision googlenet": torchvision_s("googlenet", 96, init_weights=False),
    "torchvision inception_v3": torchvision_s("inception_v3", 128, init_weights=False),
    "torchvision vit_b_16": torchvision_s("vit_b_16", image_size=64),
    **{
        f"timm {name}": timm_s(name)
        for name in (
            *("mobilenetv2_035", "mobilenetv2_110d", "mobilenetv3_small_050", "lcnet_050"),
            *("mobilenetv4_conv_small", "tf_efficientnet_lite0", "efficientnet_es", "mixnet_s"),
            *("fbnetc_100", "spnasnet_100", "ghostnet_100", "repvgg_a0", "hrnet_w18_small"),
            *("resnest14d", "seresnet50", "skresnet18", "ecaresnet26t", "dla34", "cspresnet50"),
            *("regnetz_005", "semnasnet_075", "hardcorenas_a", "rexnet_100", "repvit_m0_9"),
            *("fasternet_t0", "convnextv2_atto", "edgenext_xx_small", "nf_regnet_b0"),
            *("selecsls42b", "resnetv2_50", "efficientvit_b0"),
        )
    },
    "timm vit_tiny": timm_s("vit_tiny_patch16_224", img_size=64),
    "timm swin_tiny": timm_s("swin_tiny_patch4_window7_224", 112, img_size=112),
    "timm gmlp_ti16": timm_s("gmlp_ti16_224", img_size=64),
}
every_model = pytest.mark.parametrize("name", MODELS)

LAYERS: Final = frozenset({"aten.convolution", "aten.addmm", "aten.mm"})
"""What torch calls convolutions and linear layers.

Its counter also counts ``aten.bmm`` and the like, which multiply values with values, as attention
does. The convention conv+linear has no rule for these: they are named, and the total is "at
least".
"""


@pytest.fixture(autouse=True)
def _attention_is_made_of_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no fused operation run for a whole encoder: no counter knows what is in it."""
    monkeypatch.setattr(torch.backends.mha, "_is_fastpath_enabled", False)


def numbers_of(model: nn.Module) -> dict[str, Tensor]:
    """Return copies of the numbers that looking at a model must not change."""
    state: dict[str, Tensor] = model.state_dict()
    random = {"random": torch.get_rng_state()}
    return {name: one.clone() for name, one in (state | random).items()}


def settings_of(model: nn.Module) -> list[tuple[object, ...]]:
    """Return mode, names of attributes, and hooks of each module."""
    return [
        (name, one.training, list(vars(one)), [list(hooks) for hooks in hooks_of(one)])
        for name, one in model.named_modules()
    ]


def hooks_of(module: nn.Module) -> list[Any]:
    return [value for name, value in vars(module).items() if name.endswith("_hooks")]


@every_model
def test_mbv2_torch_and_fvcore_agree(name: str) -> None:
    from fvcore.nn import FlopCountAnalysis
    from torch.utils.flop_counter import FlopCounterMode

    torch.manual_seed(0)
    model, image = MODELS[name].build(), torch.rand(1, 3, MODELS[name].size, MODELS[name].size)
    numbers, settings = numbers_of(model), settings_of(model)
    graph = observe_module(model, [image]).graph
    assert settings_of(model) == settings
    torch.testing.assert_close(numbers_of(model), numbers, rtol=0, atol=0, equal_nan=True)

    never_used = sum(one.numel() for key, one in model.named_parameters() if key in graph.unused)
    params = sum(one.numel() for one in model.parameters())
    assert sum(op.params for op in graph.ops) == params - never_used

    model.eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(image)
    flops = {str(operation): n for operation, n in counter.get_flop_counts()["Global"].items()}
    macs = count(CONV_LINEAR, graph.ops)
    assert 2 * macs.total == sum(flops[operation] for operation in LAYERS & flops.keys())
    assert flops.keys() <= LAYERS or macs.unknown

    operators = FlopCountAnalysis(model, image).unsupported_ops_warnings(enabled=False)
    fvcore = operators.uncalled_modules_warnings(enabled=False).by_operator()
    assert macs.total == fvcore["conv"] + fvcore["linear"]  # matmul and einsum stand beside them

    assert memory_use(EAGER, graph).peak_bytes("float32") == eager_peak(model, image)

    is_named = bool(identify(graph).names)
    assert is_named is (own_name(name.rsplit(maxsplit=1)[-1]) is not None)


def test_there_are_fifty_models() -> None:
    assert len(MODELS) >= 50


def test_each_peak_is_told_under_its_name() -> None:
    torch.manual_seed(0)
    graph = observe_module(torchvision_s("resnet18").build(), [torch.rand(1, 3, 64, 64)]).graph
    layerwise, eager = (
        memory_use(rule, graph).peak_bytes("float32") for rule in (LAYERWISE, EAGER)
    )
    command = ("summary", "torchvision.models:resnet18", "--size", "64")
    values = mbv2_here(*command, "--print", "layerwise_bytes,eager_bytes").stdout.split()
    assert values == [str(layerwise), str(eager)]
    told = f"{layerwise / 2**10:.2f} KiB layerwise, {eager / 2**10:.2f} KiB eager"
    assert f"Peak memory (float32): {told}" in mbv2_here(*command).stdout
