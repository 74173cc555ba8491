"""Two independent routes, one graph: random models agree, and each single fault is seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest
import torch
from hypothesis import given
from torch import Tensor, nn
from torch.nn import functional

from mbv2cli import BlockSpec, InputSpec, NetworkSpec
from mbv2cli.confirm import confirmed_forward
from mbv2cli.costs import torchsummary_sizes
from mbv2cli.errors import DisagreementError
from mbv2cli.graph import build, ops
from mbv2cli.graph.graph import GraphBuilder
from mbv2cli.graph.ops import Act, Dropout, Kind, Norm, Pool
from mbv2cli.inspection import ModelSpec, plan_of
from mbv2cli.nn.modules import ConvBNAct, InvertedResidual, MobileNetV2
from mbv2cli.specs.run import RunSpec
from tests.strategies import block_specs, input_specs, network_specs

CPU: Final = RunSpec(device="cpu")
SMALL: Final = InputSpec(size=(32, 48))
NETWORK: Final = NetworkSpec.model_validate(
    {
        "stages": "t1c8/t6c16n2s2/t6c24n2d2",
        "width_mult": 0.5,
        "classes": 10,
        "round_nearest": 4,
        "act": "leaky_relu",
    }
)


def confirm(spec: ModelSpec, input_: InputSpec = SMALL) -> None:
    """Compare here too, so that the test does not rest on the comparison that it tests."""
    plan = plan_of(spec, input_)
    forward = confirmed_forward(plan, CPU)
    assert forward.graph.ops == plan.graph.ops
    assert forward.graph.scopes == plan.graph.scopes
    assert forward.graph.outputs == plan.graph.outputs
    assert forward.output_shape == plan.output_shape
    names = [layer.name for layer in plan.layers if not layer.is_functional]
    assert [row.name for row in forward.table.rows] == names


@given(block_specs(), input_specs)
def test_a_block_agrees(spec: BlockSpec, input_: InputSpec) -> None:
    confirm(spec, input_)


@given(network_specs(), input_specs)
def test_a_network_agrees(spec: NetworkSpec, input_: InputSpec) -> None:
    confirm(spec, input_)


def test_the_network_of_the_faults_agrees() -> None:
    confirm(NETWORK)


Fault = Callable[[pytest.MonkeyPatch], None]


def after_init(cls: type[nn.Module], change: Callable[[Any], None]) -> Fault:
    """Change each module of a class once it is built."""

    def fault(patch: pytest.MonkeyPatch) -> None:
        right = cls.__init__

        def init(self: Any, *args: Any, **kwargs: Any) -> None:
            right(self, *args, **kwargs)
            change(self)

        patch.setattr(cls, "__init__", init)

    return fault


def forward_of(cls: type[nn.Module], forward: Callable[[Any, Tensor], Any]) -> Fault:
    """Put another forward method into a class."""
    return lambda patch: patch.setattr(cls, "forward", forward)


def in_every(kind: type[nn.Module], name: str, value: Any) -> Callable[[nn.Module], None]:
    """Set an attribute of every module of a kind inside another one."""

    def change(module: nn.Module) -> None:
        for one in module.modules():
            if isinstance(one, kind):
                setattr(one, name, value)

    return change


def depthwise(name: str, value: Any) -> Fault:
    def change(block: Any) -> None:
        conv = block.conv[-3][0]
        if conv.kernel_size != (1, 1):
            setattr(conv, name, value)

    return after_init(InvertedResidual, change)


def undilated(block: Any) -> None:
    conv = block.conv[-3][0]
    conv.dilation = (1, 1)
    conv.padding = (conv.kernel_size[0] // 2,) * 2


def swap(position: int, module: Callable[[], nn.Module]) -> Fault:
    def change(block: Any) -> None:
        block[position] = module()

    return after_init(ConvBNAct, change)


def swap_norm_and_act(block: Any) -> None:
    block[1], block[2] = block[2], block[1]


def drop_norm(block: Any) -> None:
    block[1] = nn.Identity()


def share_weights(model: Any) -> None:
    model.features[2].conv[0][0].weight = model.features[3].conv[0][0].weight


def freeze_one(model: Any) -> None:
    model.features[1].conv[0][1].bias.requires_grad_(requires_grad=False)


def pooled(pool: Callable[[Tensor], Tensor]) -> Callable[[Any, Tensor], Tensor]:
    def forward(self: Any, x: Tensor) -> Tensor:
        found: Tensor = self.classifier(pool(self.features(x)))
        return found

    return forward


def without_last_block(self: Any, x: Tensor) -> Tensor:
    for index, module in enumerate(self.features):
        if index != 5:
            x = module(x)
    return x


def conv_twice(self: Any, x: Tensor) -> Any:
    self.conv(x)
    y = self.conv(x)
    return x + y if self.has_shortcut else y


def from_expansion(self: Any, x: Tensor) -> Any:
    if not self.has_shortcut:
        return self.conv(x)
    y = x
    for index, module in enumerate(self.conv):
        y = module(y)
        if index == 2:
            narrow = y
    return narrow + y


def in_place_of_the_shortcut(self: Any, x: Tensor) -> Tensor:
    y: Tensor = self.conv(x)
    return y.add_(x) if self.has_shortcut else y


def conv_of(self: Any, x: Tensor) -> Tensor:
    y: Tensor = self.conv(x)
    return y


RIGHT_FORWARD: Final = MobileNetV2.forward
average = functional.adaptive_avg_pool2d

MODULE_FAULTS: Final[dict[str, Fault]] = {
    # wiring
    "the shortcut is dropped": forward_of(InvertedResidual, conv_of),
    "the shortcut adds the result to itself": forward_of(
        InvertedResidual, lambda self, x: (y := self.conv(x)) + y if self.has_shortcut else y
    ),
    "the shortcut starts at the projection": forward_of(InvertedResidual, from_expansion),
    "the shortcut is in place": forward_of(InvertedResidual, in_place_of_the_shortcut),
    "the operands are swapped": forward_of(
        InvertedResidual, lambda self, x: self.conv(x) + x if self.has_shortcut else self.conv(x)
    ),
    "a shortcut where the stride is 2": after_init(
        InvertedResidual, lambda block: setattr(block, "has_shortcut", False)
    ),
    "the model returns a tuple": forward_of(MobileNetV2, lambda s, x: (RIGHT_FORWARD(s, x),)),
    # kinds
    "the shortcut multiplies": forward_of(
        InvertedResidual, lambda self, x: x * self.conv(x) if self.has_shortcut else self.conv(x)
    ),
    "the shortcut subtracts": forward_of(
        InvertedResidual, lambda self, x: x - self.conv(x) if self.has_shortcut else self.conv(x)
    ),
    "pooling takes the maximum": forward_of(
        MobileNetV2, pooled(lambda x: functional.adaptive_max_pool2d(x, (1, 1)).flatten(1))
    ),
    "pooling is a mean": forward_of(MobileNetV2, pooled(lambda x: x.mean((2, 3)))),
    "the activation is ReLU": swap(2, lambda: nn.ReLU(inplace=True)),
    "the activation is Hardswish": swap(2, lambda: nn.Hardswish(inplace=True)),
    "BatchNorm is missing": after_init(ConvBNAct, drop_norm),
    "BatchNorm comes after the activation": after_init(ConvBNAct, swap_norm_and_act),
    # extra and missing operations
    "an operation that does nothing": forward_of(InvertedResidual, lambda s, x: conv_of(s, x) + 0),
    "a copy": forward_of(MobileNetV2, pooled(lambda x: average(x.clone(), (1, 1)).flatten(1))),
    "an activation after the projection": after_init(
        InvertedResidual, lambda block: block.conv.append(nn.ReLU6(inplace=True))
    ),
    "the convolutions run twice": forward_of(InvertedResidual, conv_twice),
    "no dropout": after_init(MobileNetV2, lambda m: m.classifier.__delitem__(0)),
    "a block is left out": forward_of(MobileNetV2, without_last_block),
    "flattening to another shape": forward_of(
        MobileNetV2, pooled(lambda x: average(x, (1, 1)).reshape(x.shape[0], -1))
    ),
    "an identity": after_init(MobileNetV2, lambda m: m.classifier.append(nn.Identity())),
    # attributes
    "the stride is ignored": depthwise("stride", (1, 1)),
    "the dilation is ignored, the padding with it": after_init(InvertedResidual, undilated),
    "the padding wraps around": after_init(
        MobileNetV2, in_every(nn.Conv2d, "padding_mode", "circular")
    ),
    "another negative slope": swap(2, lambda: nn.LeakyReLU(0.2, inplace=True)),
    "the activation is not in place": swap(2, nn.LeakyReLU),
    "another epsilon": after_init(ConvBNAct, in_every(nn.BatchNorm2d, "eps", 1e-3)),
    "another momentum": after_init(ConvBNAct, in_every(nn.BatchNorm2d, "momentum", 0.01)),
    "another dropout": after_init(MobileNetV2, in_every(nn.Dropout, "p", 0.5)),
    "dropout in place": after_init(MobileNetV2, in_every(nn.Dropout, "inplace", value=True)),
    "pooling to another size": forward_of(
        MobileNetV2, pooled(lambda x: average(x, (1, None)).mean(3).flatten(1))
    ),
    # parameters and buffers
    "a convolution has a bias": after_init(
        ConvBNAct,
        lambda block: setattr(block[0], "bias", nn.Parameter(torch.zeros(block[0].out_channels))),
    ),
    "BatchNorm without weights": after_init(
        MobileNetV2,
        lambda m: m.features[0].__setitem__(1, nn.BatchNorm2d(16, affine=False)),
    ),
    "BatchNorm without statistics": after_init(
        ConvBNAct,
        lambda block: block.__setitem__(
            1, nn.BatchNorm2d(block[1].num_features, track_running_stats=False)
        ),
    ),
    "a bias is frozen": after_init(MobileNetV2, freeze_one),
    "two convolutions share their weights": after_init(MobileNetV2, share_weights),
    "an unused parameter": after_init(
        InvertedResidual, lambda block: setattr(block, "extra", nn.Parameter(torch.zeros(3)))
    ),
    "an unused buffer": after_init(
        InvertedResidual, lambda block: block.register_buffer("extra", torch.zeros(3))
    ),
    "a second parameter of a convolution": after_init(
        ConvBNAct, lambda block: setattr(block[0], "extra", nn.Parameter(torch.zeros(3)))
    ),
    "the classifier has no bias": after_init(
        MobileNetV2, lambda m: m.classifier.__setitem__(1, nn.Linear(1280, 10, bias=False))
    ),
    "the module raises": forward_of(InvertedResidual, lambda _self, x: x @ torch.zeros(1, 1)),
}


def builder_fault(name: str, fault: Any) -> Fault:
    return lambda patch: patch.setattr(build, name, fault)


def rule_fault(name: str) -> Fault:
    right = getattr(ops, name)
    return lambda patch: patch.setattr(ops, name, lambda *given: right(*given) + 1)


def swapped_add(g: GraphBuilder, path: str, x: int, y: int) -> int:
    shape = g.shapes[x]
    return g.op(Kind.ADD, "add", ops.Arithmetic(), (y, x), (shape, shape), shape, path)


def doubled_add(g: GraphBuilder, path: str, x: int, y: int) -> int:
    shape = g.shapes[x]
    return g.op(Kind.ADD, "add", ops.Arithmetic(), (y, y), (shape, shape), shape, path)


def one_group() -> Fault:
    right = build.same
    return builder_fault("same", lambda *given, **more: right(*given, **more)._replace(groups=1))


def scope_left_out(lost: str) -> Fault:
    right = GraphBuilder.module

    def module(g: GraphBuilder, path: str, type_: str, *given: Any, **more: Any) -> None:
        if type_ != lost:
            right(g, path, type_, *given, **more)

    return lambda patch: patch.setattr(GraphBuilder, "module", module)


BUILDER_FAULTS: Final[dict[str, Fault]] = {
    **{
        f"the rule {name} is off by one": rule_fault(name)
        for name in (
            *("same_padding", "conv_side", "conv_weights", "conv_macs", "linear_params"),
            *("linear_macs", "norm_params", "norm_buffers"),
        )
    },
    "the shortcut is left out": builder_fault("add", lambda _g, _path, _x, y: y),
    "the operands are swapped": builder_fault("add", swapped_add),
    "the depthwise convolution has one group": one_group(),
    **{
        f"the scope of {module} is left out": scope_left_out(module)
        for module in ("ConvBNAct", "InvertedResidual", "MobileNetV2")
    },
    "the shortcut adds the result to itself": builder_fault("add", doubled_add),
    "no activation": builder_fault("activation", lambda _g, _path, x, _act: x),
    "no BatchNorm": builder_fault("norm", lambda _g, _path, x, *_eps: x),
    "another epsilon": builder_fault("_BATCH_NORM", Norm(eps=1e-3)),
    "pooling to another size": builder_fault("_GLOBAL", Pool(output=(1, 2))),
    "a linear layer without bias": builder_fault("Linear", lambda bias: ops.Linear(not bias)),
    "dropout drops": builder_fault("Dropout", lambda p: Dropout(p, training=True)),
    "flattening from another dimension": builder_fault(
        "_FLATTEN", ops.Rearrangement("2", view=True)
    ),
    "another negative slope": lambda patch: patch.setitem(
        build.ACTIVATIONS,
        "leaky_relu",
        build.Activation("leaky_relu", "LeakyReLU", Act(inplace=True, parameter=0.2)),
    ),
    "another stride of the stem": lambda patch: patch.setattr(NetworkSpec, "stem_strides", (1, 1)),
    "another kernel of the stem": builder_fault("STEM_KERNEL", 5),
    "torchsummary's bytes of an element": lambda patch: patch.setattr(
        torchsummary_sizes, "BYTES_PER_ELEMENT", 4.1
    ),
}


@pytest.mark.parametrize("fault", MODULE_FAULTS)
def test_a_single_fault_in_the_modules_is_seen(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of(NETWORK, SMALL)
    MODULE_FAULTS[fault](monkeypatch)
    with pytest.raises(DisagreementError, match=r"features\.\d|classifier|the model"):
        confirmed_forward(plan, CPU)


@pytest.mark.parametrize("fault", BUILDER_FAULTS)
def test_a_single_fault_in_the_builder_is_seen(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    BUILDER_FAULTS[fault](monkeypatch)
    plan = plan_of(NETWORK, SMALL)
    with pytest.raises(DisagreementError, match=r"planned .*, observed "):
        confirmed_forward(plan, CPU)


WITHOUT_HEAD: Final = NETWORK.model_copy(update={"head": 0})


def test_a_network_without_a_head_agrees() -> None:
    confirm(WITHOUT_HEAD)


def head_of(model: Any) -> None:
    model.features.append(ConvBNAct(12, 12, act="leaky_relu"))


def test_a_head_that_the_plan_has_not_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of(WITHOUT_HEAD, SMALL)
    after_init(MobileNetV2, head_of)(monkeypatch)
    with pytest.raises(DisagreementError, match=r"Conv2d features\.6\.0"):
        confirmed_forward(plan, CPU)


def test_the_first_difference_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    MODULE_FAULTS["the stride is ignored"](monkeypatch)
    with pytest.raises(DisagreementError) as error:
        confirmed_forward(plan_of(NETWORK, SMALL), CPU)
    assert str(error.value) == (
        "plan and forward pass disagree on the stride of Conv2d features.2.conv.1.0: "
        "planned (2, 2), observed (1, 1)"
    )
