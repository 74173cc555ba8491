from __future__ import annotations

import pytest
import torch
from hypothesis import given

from mbv2cli import InputSpec, MobileNetV2, NetworkSpec, plan_of
from mbv2cli.costs.layers import layer_figures
from mbv2cli.costs.receptive_field import geometries
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
