from __future__ import annotations

import pytest
import torch
import torchsummary
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mbv2cli import BlockSpec, InvertedResidual, MobileNetV2, NetworkSpec, UserError
from mbv2cli.nn import device
from mbv2cli.nn.forward import forward, observe
from mbv2cli.specs import RunSpec


def test_macs_are_half_of_torch_s_own_flops() -> None:
    model = MobileNetV2().eval()
    dummy = torch.rand(1, 3, 224, 224)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(dummy)
    assert 2 * sum(op.macs for op in observe(model, dummy).graph.ops) == counter.get_total_flops()


def test_looking_changes_nothing() -> None:
    model = MobileNetV2(NetworkSpec(width_mult=0.1)).train()
    model.features[0].eval()
    modes = [module.training for module in model.modules()]
    state = {key: value.clone() for key, value in model.state_dict().items()}
    attributes = [set(vars(module)) for module in model.modules()]
    dummy = torch.rand(2, 3, 32, 32)
    random_state = torch.random.get_rng_state()
    observe(model, dummy)
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert [set(vars(module)) for module in model.modules()] == attributes
    assert not any(hooks_of(module) for module in model.modules())
    assert torch.equal(torch.random.get_rng_state(), random_state)


def hooks_of(module: nn.Module) -> list[object]:
    return [*module._forward_hooks.values(), *module._forward_pre_hooks.values()]


def test_the_random_state_stays_and_the_hooks_go_when_the_forward_raises() -> None:
    model = InvertedResidual(BlockSpec())
    wrong = torch.rand(1, 7, 8, 8)
    random_state = torch.random.get_rng_state()
    with pytest.raises(RuntimeError):
        observe(model, wrong)
    assert torch.equal(torch.random.get_rng_state(), random_state)
    assert not any(hooks_of(module) for module in model.modules())


def test_a_forward_pass_leaves_the_random_state_and_repeats_itself() -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first = forward(BlockSpec(), (1, 3, 8, 8), RunSpec())
    assert torch.equal(torch.random.get_rng_state(), before)
    assert forward(BlockSpec(), (1, 3, 8, 8), RunSpec()) == first


def test_the_text_is_what_torchsummary_prints(capsys: pytest.CaptureFixture[str]) -> None:
    run = forward(BlockSpec(), (1, 3, 224, 224), RunSpec())
    torchsummary.summary(InvertedResidual(BlockSpec()), (3, 224, 224), batch_size=1, device="cpu")
    assert capsys.readouterr().out == run.table.text


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float64"])
def test_element_types(dtype: str) -> None:
    run = forward(BlockSpec(), (1, 3, 8, 8), RunSpec.model_validate({"dtype": dtype}))
    assert run.dtype == dtype


def test_the_meta_device() -> None:
    run = forward(NetworkSpec(), (1, 3, 224, 224), RunSpec(device="meta"))
    assert (run.device, run.output_shape) == ("meta", (1, 1000))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cuda:3", "device cuda:3 cannot be used: this machine has no cuda:3; use cpu, cuda:0"),
        ("mps", "device mps cannot be used: this machine has no MPS device; use cpu, cuda:0, "),
    ],
)
def test_a_device_that_this_machine_lacks(
    name: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "available_devices", lambda: ("cpu", "cuda:0", "meta"))
    with pytest.raises(UserError, match=words):
        device.resolve_device(name)
