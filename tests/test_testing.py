from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mbv2cli import BlockSpec, InputSpec, NetworkSpec, UserError, check


def test_what_holds_gives_the_plan() -> None:
    plan = check(BlockSpec(), expect={"output": "1x64x*x*", "max_params": "2k"})
    assert plan.totals.params == 1568
    assert check(BlockSpec(), InputSpec(size=(8, 8)), expect="1x64x8x8", forward=True)


def test_what_is_broken_is_the_message() -> None:
    with pytest.raises(AssertionError) as error:
        check(NetworkSpec(), expect={"output": "1x10", "max_params": "3M", "max_macs": "400M"})
    assert str(error.value).splitlines()[1:] == [
        "output is 1x1000, expected 1x10",
        "params is 3,504,872, expected <= 3,000,000 (16.8 % over)",
    ]


def test_a_limit_that_is_none_is_a_user_error() -> None:
    with pytest.raises(UserError, match="max_prams"):
        check(BlockSpec(), expect={"max_prams": 3})


MODEL = """
from torch import nn

def net(channels=4):
    return nn.Sequential(nn.Conv2d(3, channels, 3, bias=False), nn.BatchNorm2d(channels))
"""


def test_a_module_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    model = check("model.py:net", "1x3x8x8", expect={"output": "1x4x6x6", "max_params": 116})
    assert model.totals.params == 116
    with pytest.raises(
        AssertionError, match=r"model.py:net\(channels=8\)\nparams is 232, expected"
    ):
        check("model.py:net:channels=8", "1x3x8x8", expect={"max_params": 116})
    with pytest.raises(AssertionError, match="cannot be built: RuntimeError"):
        check("model.py:net:channels=-1", expect="1x4x6x6")
    assert check("network:classes=3", expect="1x3").totals.params < 2_300_000


def test_a_module_that_exists_is_left_as_it_is() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5)).double()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    seed = torch.get_rng_state()
    assert check(module, ["2x3x8x8"], expect="2x4x6x6").input_shape == (2, 3, 8, 8)
    with pytest.raises(AssertionError) as error:
        check(module, "1x3x8x8", expect={"output": "1x4x8x8", "max_params": 100})
    assert str(error.value).splitlines() == [
        "Sequential",
        "output is 1x4x6x6, expected 1x4x8x8",
        "params is 120, expected <= 100 (20.0 % over)",
    ]
    with pytest.raises(AssertionError, match="the forward pass fails in Conv2d 0: "):
        check(module, "1x4x8x8", expect="1x4x6x6")
    assert module.training
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
    assert torch.equal(torch.get_rng_state(), seed)


@pytest.mark.parametrize(
    ("model", "input_", "message"),
    [
        (nn.ReLU(), InputSpec(), 'the input of a module is a shape, such as "1x3x64x64"'),
        (nn.ReLU(), "1xx3", "must be a shape such as 1x3x224x224"),
        (BlockSpec(), "1x3x64x64", "the input of a spec is an InputSpec"),
        (3, (), "a int is not a model: give a spec, a torch.nn.Module or a TARGET"),
    ],
)
def test_what_is_no_model_or_no_input(model: Any, input_: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check(model, input_, expect="1x3x8x8")


def test_features_of_a_module_are_a_user_error() -> None:
    with pytest.raises(UserError, match="no plan says which layers of a module are its stages"):
        check(nn.ReLU(), expect={"features": {8: "1x3x8x8"}})
