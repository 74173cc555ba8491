"""The rules `eager` and `training` against what PyTorch does, to the byte."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from mbv2cli import BlockSpec, InputSpec, NetworkSpec, plan_of
from mbv2cli.costs import memory
from mbv2cli.costs.memory import EAGER, TRAINING
from tests.nn.live_memory import eager_peak, model_of, saved_for_backward
from tests.strategies import block_specs, network_specs

inputs = st.builds(
    InputSpec,
    size=st.tuples(st.integers(1, 48), st.integers(1, 48)),
    batch=st.sampled_from([1, 4]),
)
specs = st.one_of(block_specs(), network_specs())


@given(spec=specs, input_=inputs)
def test_eager_is_what_lives(spec: BlockSpec | NetworkSpec, input_: InputSpec) -> None:
    plan = plan_of(spec, input_)
    predicted = plan.memory(EAGER).peak_bytes("float32")
    assert predicted == eager_peak(model_of(spec), torch.rand(plan.input_shape))


@given(spec=specs, input_=inputs)
def test_training_is_what_autograd_saves(spec: BlockSpec | NetworkSpec, input_: InputSpec) -> None:
    plan = plan_of(spec, input_)
    # BatchNorm refuses to train on a single value
    assume(all(batch_values(layer.output_shape) > 1 for layer in plan.layers if layer.buffers))
    predicted = plan.memory(TRAINING).peak_bytes("float32")
    assert predicted == saved_for_backward(model_of(spec), torch.rand(plan.input_shape))


def batch_values(shape: tuple[int, ...]) -> int:
    batch, _channels, height, width = shape
    return batch * height * width


@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
def test_other_element_types(dtype: str) -> None:
    spec = NetworkSpec(width_mult=0.35)
    plan = plan_of(spec, InputSpec(size=(64, 96), batch=2))
    torch_dtype = getattr(torch, dtype)
    for rule, measure in ((EAGER, eager_peak), (TRAINING, saved_for_backward)):
        model, dummy = model_of(spec).to(torch_dtype), torch.rand(plan.input_shape).to(torch_dtype)
        assert plan.memory(rule).peak_bytes(dtype) == measure(model, dummy)


def test_a_wrong_rule_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The measurement is no copy of the rule: without the clones of in-place ReLU6 it differs."""
    monkeypatch.setattr(memory, "_SAVES_ITS_ARGUMENT", frozenset())
    plan = plan_of(NetworkSpec(width_mult=0.35), InputSpec(size=(64, 64), batch=2))
    predicted = plan.memory(TRAINING).peak_bytes("float32")
    assert predicted < saved_for_backward(model_of(plan.spec), torch.rand(plan.input_shape))
