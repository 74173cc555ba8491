from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from torch import Tensor, nn

from mbv2cli import InputSpec, MobileNetV2, NetworkSpec, plan_of
from mbv2cli.costs.figures import RECEPTIVE_FIELD
from mbv2cli.costs.layers import layer_figures
from mbv2cli.costs.receptive_field import geometries
from mbv2cli.inspection import Observed
from mbv2cli.nn.own import observe_module
from tests.strategies import network_specs


@pytest.mark.parametrize("output_stride", [8, 16, 32])
def test_the_jump_is_the_output_stride(output_stride: int) -> None:
    plan = plan_of(NetworkSpec(classes=0, output_stride=output_stride))
    seen = geometries(plan.graph)[-1]
    assert seen is not None
    assert seen.jump == (output_stride, output_stride)


def test_output_stride_of_a_size_that_does_not_divide() -> None:
    plan = plan_of(NetworkSpec(classes=0), InputSpec(size=(97, 97)))
    last = layer_figures(plan.graph, plan.layers, "float32")[-1]
    assert (last.jump, last.output_stride) == ((32, 32), 97 / 4)


@given(network_specs())
def test_the_receptive_field_is_where_gradients_reach(spec: NetworkSpec) -> None:
    # as few channels as can be, which no receptive field depends on
    fields = {"classes": 0, "act": "identity", "width_mult": 0.1, "depth_mult": 1.0}
    fields |= {"round_nearest": 1, "stem_scaling": "scaled", "head_scaling": "scaled"}
    fields |= {"hidden_nearest": 1, "se": 0.0}  # squeeze-excite sees every pixel
    fields["stages"] = [stage.model_copy(update={"act": None, "se": None}) for stage in spec.stages]
    fields["until"] = None  # an expansion that has become one of ratio 1
    spec = NetworkSpec.model_validate(
        {name: getattr(spec, name) for name in type(spec).model_fields} | fields
    )
    seen = geometries(plan_of(spec).graph)[-1]
    assert seen is not None
    field, jump = max(seen.receptive_field), max(seen.jump)
    if field > 150:
        return
    side = 2 * field + 4 * jump
    model = MobileNetV2(spec).eval().double()
    for parameter in model.parameters():
        torch.nn.init.constant_(parameter, 0.5)  # nothing cancels
    dummy = torch.zeros(1, spec.in_channels, 2 * side + 1, side, dtype=torch.double)
    dummy.requires_grad_()
    features = model(dummy)
    middle = features[0, 0, features.shape[2] // 2, features.shape[3] // 2]
    (gradient,) = torch.autograd.grad(middle, dummy)
    reached = gradient[0, 0].nonzero()
    extent = reached.amax(dim=0) - reached.amin(dim=0) + 1
    assert tuple(extent.tolist()) == seen.receptive_field


class Between(nn.Module):
    """A 3x3 convolution, a function or module, a 3x3 convolution."""

    def __init__(self, between: Callable[[Tensor], Tensor], channels: int = 8) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.between = between
        self.last = nn.Conv2d(channels, 8, 3, padding=1)

    def forward(self, x: Tensor) -> Any:
        return self.last(self.between(self.first(x)))


def observed(model: nn.Module, *shape: int) -> Observed:
    return Observed(observe_module(model, [torch.rand(shape or (1, 3, 20, 20))]).graph)


def shuffled(x: Tensor) -> Tensor:
    return x.view(1, 2, 4, *x.shape[2:]).transpose(1, 2).reshape(x.shape)


@pytest.mark.parametrize(
    ("between", "channels"),
    [
        (nn.MaxPool2d(3, 1, padding=1, dilation=2), 8),
        (nn.MaxPool2d(3, 2), 8),
        (nn.AvgPool2d(3, 2, 1, True), 8),  # noqa: FBT003  (where a maximum has its dilation)
        (nn.PReLU(), 8),
        (nn.Dropout2d(), 8),
        (lambda x: (x - torch.ones(8, 1, 1)) / 2, 8),
        (lambda x: torch.cat([x, x.sqrt()], 1), 16),
        (lambda x: x.chunk(2, 1)[1].contiguous(), 4),
        (lambda x: x.flatten(0, 1).unflatten(0, (1, 8)), 8),
        (lambda x: x.amax(1, keepdim=True), 1),
        (lambda x: x.mean(1)[:, None], 1),
        (shuffled, 8),
        (lambda x: x.permute(1, 0, 2, 3).transpose(-4, -3), 8),
    ],
)
def test_a_known_receptive_field_of_a_module_is_where_gradients_reach(
    between: Callable[[Tensor], Tensor], channels: int
) -> None:
    model = Between(between, channels)
    found = observed(model)
    assert found.uncounted(RECEPTIVE_FIELD) == ()
    for parameter in model.eval().parameters():
        nn.init.constant_(parameter, 0.5)  # nothing cancels
    dummy = (torch.rand(1, 3, 20, 20) + 5).requires_grad_()
    features = model(dummy)
    # a maximum sees the place of one element at a time
    columns = torch.autograd.grad(features[0, 0, features.shape[2] // 2].sum(), dummy)[0]
    reached = columns[0].abs().sum((0, 2)).nonzero()
    extent = int(reached.max() - reached.min()) + 1
    allowed = found.figure(RECEPTIVE_FIELD)
    assert extent == allowed if not isinstance(between, nn.MaxPool2d) else extent <= allowed


def test_the_dilation_of_a_pooling_counts() -> None:
    pool = nn.MaxPool2d(3, 1, padding=1, dilation=2)
    assert observed(Between(pool)).figure(RECEPTIVE_FIELD) == 9


@pytest.mark.parametrize("between", [nn.Softmax(1), lambda x: x.log_softmax(-3)])
def test_a_softmax_over_channels_changes_no_place(between: Callable[[Tensor], Tensor]) -> None:
    found = observed(Between(between))
    assert (found.figure(RECEPTIVE_FIELD), found.uncounted(RECEPTIVE_FIELD)) == (5, ())


def gate(x: Tensor) -> Tensor:
    return x * x.mean((2, 3))[:, :, None, None].expand_as(x)


@pytest.mark.parametrize("pooled", [lambda x: x.flatten(2).mean(2), lambda x: x.mean(3).mean(2)])
def test_what_comes_after_the_last_feature_map_does_not_count(pooled: Any) -> None:
    model = nn.Sequential(Between(gate), Calls(pooled), nn.Linear(8, 4), nn.Softmax(1))
    found = observed(model)
    assert (found.figure(RECEPTIVE_FIELD), found.uncounted(RECEPTIVE_FIELD)) == (5, ())


class Calls(nn.Module):
    def __init__(self, function: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Any:
        return self.function(x)


@pytest.mark.parametrize(
    ("between", "channels", "function"),
    [
        (nn.ConvTranspose2d(8, 8, 3, padding=1), 8, "conv_transpose2d"),
        (nn.Upsample(scale_factor=2), 8, "interpolate"),
        (nn.PixelUnshuffle(2), 32, "pixel_unshuffle"),
        (nn.Softmax(2), 8, "softmax"),
        (nn.GroupNorm(2, 8), 8, "group_norm"),
        (nn.BatchNorm2d(8, track_running_stats=False), 8, "batch_norm"),
        (nn.AdaptiveAvgPool2d(4), 8, "adaptive_avg_pool2d"),
        (lambda x: x[:, :, ::2], 8, "__getitem__"),
        (lambda x: x.transpose(2, 3), 8, "transpose"),
        (lambda x: x.permute(0, 1, 3, 2), 8, "permute"),
        (lambda x: x.flip(2), 8, "flip"),
        (lambda x: torch.cat([x, x], 2), 8, "cat"),
        (lambda x: x - x.mean((2, 3), keepdim=True), 8, "sub"),
        (lambda x: x.flatten(2).softmax(2).reshape(x.shape), 8, "reshape"),
    ],
)
def test_after_an_operation_without_a_rule_it_is_not_known(
    between: Callable[[Tensor], Tensor], channels: int, function: str
) -> None:
    assert observed(Between(between, channels)).uncounted(RECEPTIVE_FIELD) == (function,)


@pytest.mark.parametrize(
    ("model", "shape", "function"),
    [
        (nn.Conv1d(3, 4, 3), (1, 3, 8), "conv1d"),
        (nn.Conv3d(3, 4, 3), (1, 3, 8, 8, 8), "conv3d"),
        (nn.Linear(8, 8), (1, 7, 8), "linear"),
        (nn.Sequential(nn.Conv2d(3, 4, 2), Calls(lambda x: x.flatten(2))), (1, 3, 4, 4), "flatten"),
        (nn.Linear(8, 8), (1, 8), "linear"),
    ],
)
def test_without_a_last_feature_map_it_is_not_known(
    model: nn.Module, shape: tuple[int, ...], function: str
) -> None:
    assert observed(model, *shape).uncounted(RECEPTIVE_FIELD) == (function,)


def test_attention_has_no_receptive_field_that_is_known() -> None:
    assert observed(nn.TransformerEncoderLayer(8, 2, 8), 1, 7, 8).uncounted(RECEPTIVE_FIELD)


def test_an_image_needs_no_batch() -> None:
    found = observed(Between(nn.ReLU()), 3, 20, 20)
    assert (found.figure(RECEPTIVE_FIELD), found.uncounted(RECEPTIVE_FIELD)) == (5, ())
