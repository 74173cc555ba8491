"""Every preset and every random network is named; each single fault is placed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import pytest
import torch
from hypothesis import assume, given
from torch import Tensor, nn

from mbv2cli import BlockSpec, InputSpec, InvertedResidual, MobileNetV2, NetworkSpec, plan_of
from mbv2cli.graph.build import planned_graph
from mbv2cli.graph.graph import Graph
from mbv2cli.graph.segments import segments_of
from mbv2cli.identify.identity import Identity, differs_from, identify
from mbv2cli.nn.own import observe_module
from mbv2cli.specs.presets import presets
from mbv2cli.specs.reader import read_request
from tests.strategies import block_specs, input_specs, network_specs

IMAGE: Final = (1, 3, 64, 64)


def network_of(target: str) -> NetworkSpec:
    spec = read_request(target).spec
    assert isinstance(spec, NetworkSpec)
    return spec


def observed(model: nn.Module, shape: tuple[int, ...] = IMAGE) -> Graph:
    return observe_module(model, [torch.rand(shape)]).graph


@pytest.mark.parametrize("name", presets())
def test_each_preset_is_named(name: str) -> None:
    identity = identify(planned_graph(network_of(name), IMAGE))
    assert identity.is_proved
    assert name in identity.names


LAST_OF_FAMILY: Final = {preset.family: name for name, preset in presets().items()}


@pytest.mark.parametrize("name", LAST_OF_FAMILY.values())
def test_a_preset_built_as_a_module_is_named(name: str) -> None:
    assert name in identify(observed(MobileNetV2(network_of(name)))).names


@given(network_specs(), input_specs)
def test_the_spec_of_a_network_is_read_back(spec: NetworkSpec, input_: InputSpec) -> None:
    assume(has_residual(spec))
    identity = identify(plan_of(spec, input_).graph)
    assert identity.is_proved


def test_a_convolution_with_a_shortcut_is_a_block_and_has_no_expansion() -> None:
    stages = "t6c8/c8k1_conv/t1c8n2/c8k1_conv"
    for expansion in ("auto", "always"):
        spec = NetworkSpec.model_validate({"stages": stages, "expansion": expansion, "head": 0})
        assert identify(planned_graph(spec, IMAGE)).is_proved


@given(network_specs())
def test_a_spec_that_is_read_from_an_input_holds_for_another(spec: NetworkSpec) -> None:
    assume(has_residual(spec))
    read = identify(planned_graph(spec, (1, spec.in_channels, 128, 128))).spec
    assert read is not None
    assert differs_from(planned_graph(spec, (2, spec.in_channels, 45, 70)), read) == ()


@given(block_specs(), input_specs)
def test_the_spec_of_a_block_is_read_back(spec: BlockSpec, input_: InputSpec) -> None:
    assume(spec.type != "conv")  # which is a layer of any network
    assert identify(plan_of(spec, input_).graph).is_proved


def has_residual(spec: NetworkSpec) -> bool:
    """Return whether a network has a block that is not a plain convolution.

    A depthwise convolution of one channel is one.
    """
    blocks = [placed.spec for placed in segments_of(spec) if isinstance(placed.spec, BlockSpec)]
    return any(block.type != "conv" and block.hidden_channels > 1 for block in blocks)


@given(network_specs())
def test_a_name_is_a_target_of_the_same_network(spec: NetworkSpec) -> None:
    for name in identify(planned_graph(spec, (1, spec.in_channels, 96, 96))).names:
        named = planned_graph(read_request(name).spec, (1, spec.in_channels, 96, 96))
        assert differs_from(named, spec) == ()


def test_a_scaled_network_has_a_short_name() -> None:
    spec = NetworkSpec(width_mult=0.6, classes=7)
    assert identify(planned_graph(spec, IMAGE)).names == ("network:width_mult=0.6,classes=7",)


@pytest.mark.parametrize(
    "target",
    [
        "network:output_stride=16",
        "network:width_mult=0.6,head_scaling=scaled,output_stride=8,in=1",
        "network:classes=2,expand=3",
    ],
)
def test_a_network_with_other_fields_has_a_short_name(target: str) -> None:
    graph = planned_graph(network_of(target), (1, network_of(target).in_channels, 64, 64))
    assert identify(graph).names == (target,)


def test_of_equal_presets_torchvision_is_first() -> None:
    assert identify(observed(MobileNetV2())).names[0] == "torchvision"
    without_dropout = planned_graph(NetworkSpec(classes=2, dropout=0, stem=24), IMAGE)
    assert identify(without_dropout).nearest == "torchvision"


class PoolsToo(nn.Module):
    """Returns a feature map and something that is pooled: its own average, or another one's."""

    def __init__(self, *, other: bool) -> None:
        super().__init__()
        self.features, self.other = MobileNetV2(NetworkSpec(classes=0)), other

    def forward(self, x: Tensor) -> Any:
        y = self.features(x)
        return y, (x if self.other else y).mean((2, 3))


def test_pooling_of_what_is_returned_is_no_difference() -> None:
    identity = identify(observed(PoolsToo(other=False)))
    assert identity.names == ("network:classes=0",)
    assert identity.remarks == ("the global pooling of the result, which is returned too",)
    assert identify(observed(PoolsToo(other=True))).names == ()


def replaced(path: str, module: nn.Module) -> Callable[[Any], None]:
    parent, _, name = path.rpartition(".")
    return lambda model: setattr(model.get_submodule(parent), name, module)


def with_attribute(path: str, name: str, value: Any) -> Callable[[Any], None]:
    return lambda model: setattr(model.get_submodule(path), name, value)


def conv(in_: int, out: int, kernel: int = 1, **more: Any) -> nn.Conv2d:
    return nn.Conv2d(in_, out, kernel, **{"bias": False, **more})


def depthwise(channels: int, kernel: int = 3, **more: Any) -> nn.Conv2d:
    padding = {"padding": kernel // 2, "groups": channels}
    return conv(channels, channels, kernel, **{**padding, **more})


def strides_moved(block: int) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        expansion, depth = model.features[block].conv[0][0], model.features[block].conv[1][0]
        expansion.stride, depth.stride = depth.stride, expansion.stride

    return change


def appended(path: str, module: nn.Module) -> Callable[[Any], None]:
    return lambda model: model.get_submodule(path).append(module)


class AddsTwice(nn.Module):
    def __init__(self, block: Any) -> None:
        super().__init__()
        self.conv = block.conv

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x + self.conv(x) + x
        return y


class AddsTheExpansion(AddsTwice):
    def forward(self, x: Tensor) -> Tensor:
        wide = self.conv[0](x)
        y: Tensor = self.conv[3](self.conv[2](self.conv[1](wide)))
        z: Tensor = y + wide[:, : y.shape[1]]
        return z


class Multiplies(AddsTwice):
    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x * self.conv(x)
        return y


class AddsHalf(AddsTwice):
    def forward(self, x: Tensor) -> Tensor:
        return torch.add(x, self.conv(x), alpha=0.5)


class AddsOnce(AddsTwice):
    def forward(self, x: Tensor) -> Tensor:
        return torch.add(x, self.conv(x), alpha=1)


class Shuffles(nn.Module):
    """Mixes channels without a weight: two views and a transposition."""

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        return x.view(batch, 2, channels // 2, height, width).transpose(1, 2).reshape(x.shape)


class Transposes(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(2, 3)


class Pads(nn.Module):
    """Pads with a value, on sides that are no sides of TensorFlow's padding, or too early."""

    def __init__(self, conv: nn.Conv2d, *sides: int, value: float = 0) -> None:
        super().__init__()
        self.conv, self.sides, self.value = conv, sides, value

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.pad(x, self.sides, value=self.value)
        y: Tensor = self.conv(x)
        return y


class PadsAndActs(Pads):
    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(nn.functional.relu6(nn.functional.pad(x, self.sides)))
        return y


class Drops(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.dropout(x, 0.2)  # in eval mode too: training is true by default


class Returns(nn.Module):
    """Returns the feature map too, or nothing else."""

    def __init__(self, model: Any, *, both: bool) -> None:
        super().__init__()
        self.features, self.classifier, self.both = model.features, model.classifier, both

    def forward(self, x: Tensor) -> Any:
        x = self.features(x)
        y = self.classifier(x.mean((2, 3)))
        return (y, x) if self.both else x


def padded(path: str, cls: type[Pads], *sides: int, **more: float) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        conv = model.get_submodule(path)
        conv.padding = (0, 0)
        replaced(path, cls(conv, *sides, **more))(model)

    return change


def wrapped(block: int, cls: Callable[[Any], nn.Module]) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        model.features[block] = cls(model.features[block])

    return change


def swapped(path: str) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        unit = model.get_submodule(path)
        unit[1], unit[2] = unit[2], unit[1]

    return change


def set_in(owner: Callable[[Any], Any], name: str, value: Any) -> Callable[[Any], None]:
    return lambda model: setattr(owner(model), name, value)


def all_of(*changes: Callable[[Any], None]) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        for one in changes:
            one(model)

    return change


def without_shortcut(block: int) -> Callable[[Any], None]:
    return with_attribute(f"features.{block}", "has_shortcut", value=False)


FAULTS: Final[dict[str, tuple[Callable[[Any], None], str, str]]] = {
    "no shortcut": (without_shortcut(8), "features.8", "the addition is missing"),
    "no shortcut in the last stage": (without_shortcut(15), "features.15", "the addition is"),
    "a shortcut too many": (
        all_of(
            set_in(lambda model: model.features[11], "has_shortcut", value=True),
            set_in(lambda model: model.features[11].conv, "3", nn.BatchNorm2d(96)),
            set_in(lambda model: model.features[11].conv, "2", conv(384, 64)),
            set_in(lambda model: model.features[11].conv, "3", nn.BatchNorm2d(64)),
            set_in(lambda model: model.features[12].conv[0], "0", conv(64, 576)),
            set_in(lambda model: model.features[12], "has_shortcut", value=False),
        ),
        "features.11",
        "the addition is one too many",
    ),
    "the stride in the expansion": (strides_moved(4), "features.4", "strides in the expansion"),
    "the stride in the expansion, later": (strides_moved(14), "features.14", "strides in the"),
    "a stride of 1": (
        with_attribute("features.7.conv.1.0", "stride", (1, 1)),
        "features.7.conv.1.0",
        "stride 1, not 2",
    ),
    "a stem of stride 1": (
        with_attribute("features.0.0", "stride", (1, 1)),
        "features.0.0",
        "stride 1, not 2",
    ),
    "a larger stem": (
        replaced("features.0.0", conv(3, 32, 5, stride=2, padding=2)),
        "features.0.0",
        "kernel 5",
    ),
    "a larger kernel": (
        replaced("features.5.conv.1.0", depthwise(192, 5)),
        "features.5.conv.1.0",
        "kernel 5",
    ),
    "a dilated depthwise convolution": (
        replaced("features.9.conv.1.0", depthwise(384, dilation=2, padding=2)),
        "features.9.conv.1.0",
        "dilation 2, not 1",
    ),
    "no padding": (
        replaced("features.2.conv.1.0", depthwise(96, stride=2, padding=0)),
        "features.2.conv.1.0",
        "padding 0x0, not same",
    ),
    "a dense convolution": (
        replaced("features.3.conv.1.0", conv(144, 144, 3, padding=1)),
        "features.3.conv.1.0",
        "groups 1, not depthwise",
    ),
    "two groups": (
        replaced("features.3.conv.1.0", conv(144, 144, 3, padding=1, groups=2)),
        "features.3.conv.1.0",
        "groups 2, not depthwise",
    ),
    "a grouped expansion": (
        replaced("features.6.conv.0.0", conv(32, 192, groups=2)),
        "features.6.conv.0.0",
        "groups 2",
    ),
    "a wider projection kernel": (
        replaced("features.6.conv.2", conv(192, 32, 3, padding=1)),
        "features.6.conv.2",
        "kernel 3",
    ),
    **{
        f"bias in {path}": (replaced(path, module), path, "bias yes, not no")
        for path, module in {
            "features.0.0": conv(3, 32, 3, stride=2, padding=1, bias=True),
            "features.2.conv.0.0": conv(16, 96, bias=True),
            "features.2.conv.1.0": depthwise(96, stride=2, bias=True),
            "features.2.conv.2": conv(96, 24, bias=True),
            "features.18.0": conv(320, 1280, bias=True),
        }.items()
    },
    "no bias in the classifier": (
        replaced("classifier.1", nn.Linear(1280, 1000, bias=False)),
        "classifier.1",
        "bias no",
    ),
    **{
        f"an activation after the projection of block {block}": (
            appended(f"features.{block}.conv", nn.ReLU6()),
            f"features.{block}.conv.{place}",
            "the activation relu6 is one too many",
        )
        for block, place in ((1, 3), (5, 4), (17, 4))
    },
    **{
        f"no activation in {path}": (
            replaced(f"{path}.2", nn.Identity()),
            place,
            "the activation is missing",
        )
        for path, place in {
            "features.0": "features.0",
            "features.5.conv.0": "features.5",
            "features.5.conv.1": "features.5",
            "features.18": "features.18",
        }.items()
    },
    **{
        f"another activation in {path}": (
            replaced(path, nn.ReLU()),
            path,
            "activation relu, not relu6",
        )
        for path in ("features.0.2", "features.4.conv.0.2", "features.4.conv.1.2", "features.18.2")
    },
    **{
        f"no BatchNorm in {path}": (
            replaced(path, nn.Identity()),
            place,
            "the BatchNorm is missing",
        )
        for path, place in {
            "features.0.1": "features.0",
            "features.6.conv.1.1": "features.6",
            "features.6.conv.3": "features.6",
            "features.18.1": "features.18",
        }.items()
    },
    "BatchNorm without weights": (
        replaced("features.6.conv.3", nn.BatchNorm2d(32, affine=False)),
        "features.6.conv.3",
        "affine parameters no, not yes",
    ),
    "BatchNorm with statistics of the batch": (
        replaced("features.6.conv.3", nn.BatchNorm2d(32, track_running_stats=False)),
        "features.6.conv.3",
        "statistics of the batch yes, not no",
    ),
    "group normalisation": (
        replaced("features.6.conv.3", nn.GroupNorm(4, 32)),
        "features.6.conv.3",
        "group_norm",
    ),
    "the activation before BatchNorm": (swapped("features.5.conv.0"), "features.5", ""),
    "the input is added twice": (wrapped(8, AddsTwice), "features.8", "the addition is one too"),
    "the expansion is added": (wrapped(8, AddsTheExpansion), "features.8", "the addition takes"),
    "a product instead of the addition": (wrapped(8, Multiplies), "features.8", "mul"),
    "a hidden layer in the classifier": (
        lambda model: setattr(
            model, "classifier", nn.Sequential(nn.Linear(1280, 64), nn.Linear(64, 1000))
        ),
        "classifier.0",
        "the linear layer is one too many",
    ),
    "more hidden channels": (
        all_of(
            set_in(lambda model: model.features[5].conv[0], "0", conv(32, 200)),
            set_in(lambda model: model.features[5].conv[0], "1", nn.BatchNorm2d(200)),
            set_in(lambda model: model.features[5].conv[1], "0", depthwise(200)),
            set_in(lambda model: model.features[5].conv[1], "1", nn.BatchNorm2d(200)),
            set_in(lambda model: model.features[5].conv, "2", conv(200, 32)),
        ),
        "features.5.conv.0.0",
        "output channels 200, not 192",
    ),
    "half of a block is added": (wrapped(8, AddsHalf), "features.8", "factor 0.5, not 1"),
    "channels are shuffled": (
        appended("features.4.conv", Shuffles()),
        "features.4.conv.4",
        "transpose is one too many",
    ),
    "height and width are exchanged": (
        appended("features.4.conv", Transposes()),
        "features.4.conv.4",
        "transpose is one too many",
    ),
    "padding with ones": (
        padded("features.4.conv.1.0", Pads, 1, 1, 1, 1, value=1.0),
        "features.4.conv.1.0",
        "pad",
    ),
    "padding at the start": (
        padded("features.4.conv.1.0", Pads, 1, 0, 1, 0),
        "features.4.conv.1.0",
        "padding (1, 0)",
    ),
    "padding before the activation": (
        padded("features.4.conv.1.0", PadsAndActs, 1, 1, 1, 1),
        "features.4.conv.1.0",
        "pad",
    ),
    "a dropout that drops": (
        appended("features.4.conv", Drops()),
        "features.4.conv.4",
        "dropout is one too many",
    ),
    "shared weights": (
        lambda model: setattr(
            model.features[9].conv[2], "weight", model.features[8].conv[2].weight
        ),
        "features.9.conv.2",
        "parameters of its own 0, not 24,576",
    ),
    "pooling of a part": (
        lambda model: setattr(model, "forward", partial(pooled_in_part, model)),
        "the model itself",
        "avg_pool2d",
    ),
    "a second head": (
        appended("features", nn.Conv2d(1280, 1280, 1)),
        "features.19",
        "one too many",
    ),
    "squeeze-excite": (
        appended("features.5.conv.1", nn.Sequential(nn.Conv2d(192, 8, 1), nn.Conv2d(8, 192, 1))),
        "features.5",
        "one too many",
    ),
}


ONE_FIELD: Final = {
    "a stem of stride 1": "network:stem_stride=1",
    "no bias in the classifier": "mobilenetv2b_w1",
}
"""The faults that are a network of their own."""


@pytest.mark.parametrize("name", FAULTS)
def test_a_single_fault_is_placed(name: str) -> None:
    change, place, what = FAULTS[name]
    model = MobileNetV2()
    change(model)
    graph = observed(model)
    found = differs_from(graph, NetworkSpec())
    assert any(one.place.startswith(place) and what in one.what for one in found), found
    # nothing is told of the blocks that have no fault
    block = ".".join(place.split(".")[:2])
    assert len({".".join(one.place.split(".")[:2]) for one in found} - {block}) <= 1, found
    nearest = identify(graph)
    if name in ONE_FIELD:
        assert nearest.names == (ONE_FIELD[name],)
        return
    assert nearest.names == ()
    assert nearest.nearest in identify(planned_graph(NetworkSpec(), IMAGE)).names
    assert nearest.distance == found


def test_a_factor_of_one_is_the_plain_addition() -> None:
    model = MobileNetV2()
    wrapped(8, AddsOnce)(model)
    assert differs_from(observed(model), NetworkSpec()) == ()


def pooled_in_part(model: Any, x: Tensor) -> Any:
    x = model.features(nn.functional.interpolate(x, scale_factor=1.5))  # 3×3 at the end
    return model.classifier(nn.functional.avg_pool2d(x, 2).flatten(1))


@pytest.mark.parametrize("both", [True, False])
def test_another_output_is_no_agreement(both: bool) -> None:  # noqa: FBT001
    found = differs_from(observed(Returns(MobileNetV2(), both=both)), NetworkSpec())
    assert any("returns" in fault.what or "missing" in fault.what for fault in found)


def test_there_are_more_than_forty_faults() -> None:
    assert len(FAULTS) >= 40


def test_other_networks_are_no_mobilenet() -> None:
    for model in (
        nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten()),
        nn.Sequential(*(conv(3, 3, 3, groups=3) for _ in range(4))),
        nn.Flatten(),
    ):
        identity = identify(observed(model))
        assert (identity.spec, identity.names, identity.nearest) == (None, (), None)


class TensorFlowPadding(nn.Module):
    """A block as TensorFlow has it: padding on one side, a larger epsilon, in other modules."""

    def __init__(self) -> None:
        super().__init__()
        self.widen, self.bn1 = conv(8, 48), nn.BatchNorm2d(48, eps=1e-3, momentum=0.01)
        self.depth = depthwise(48, stride=2, padding=0)
        self.bn2 = nn.BatchNorm2d(48, eps=1e-3, momentum=0.01)
        self.narrow, self.bn3 = conv(48, 16), nn.BatchNorm2d(16, eps=1e-3, momentum=0.01)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.relu6(self.bn1(self.widen(x)))
        x = self.depth(nn.functional.pad(x, (0, 1, 0, 1)))
        y: Tensor = self.bn3(self.narrow(nn.functional.hardtanh(self.bn2(x), 0.0, 6.0)))
        return y


def test_another_codebase_writes_the_same_block() -> None:
    identity: Identity = identify(observed(TensorFlowPadding(), (1, 8, 32, 32)))
    assert identity.names == ("block:in=8,out=16,stride=2,act=relu6,padding=same,norm_eps=0.001",)
    assert identity.remarks == ()


def test_a_block_built_as_a_module() -> None:
    block = BlockSpec.model_validate({"in": 16, "out": 16, "expand": 3})
    graph = observed(InvertedResidual(block), (1, 16, 8, 8))
    assert identify(graph).names == ("block:in=16,out=16,expand=3",)


class _Token(nn.Module):
    """An operation on a parameter alone, as transformers have for their class token."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 1, 4))
        self.conv = nn.Conv2d(3, 3, 3, groups=3)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x).mean() + self.token.expand(len(x), -1, -1)
        return y


def _near_block(kernel: int, act: nn.Module) -> nn.Module:
    """Return a block with what no block of ours has."""
    depthwise = nn.Conv2d(6, 6, kernel, padding=kernel // 2, groups=6, bias=False)
    return nn.Sequential(
        *(nn.Conv2d(3, 6, 3, 2, 1, bias=False), nn.BatchNorm2d(6), nn.ReLU()),
        *(depthwise, nn.BatchNorm2d(6), act),
        *(nn.Conv2d(6, 8, 1, bias=False), nn.BatchNorm2d(8)),
    )


@pytest.mark.parametrize(
    "module", [_Token(), _near_block(2, nn.ReLU()), _near_block(3, nn.Sigmoid())]
)
def test_what_no_spec_has_is_not_named(module: nn.Module) -> None:
    assert not identify(observed(module, (1, 3, 16, 16))).names
