"""A module of the user's own as a case: read, checked, locked, compared with its lock."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tomllib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import torch

from mbv2cli import MobileNetV2, NetworkSpec
from mbv2cli.costs.figures import FLASH, graded_figures
from mbv2cli.errors import MistakesError, UserError
from mbv2cli.gate.cases import CaseResult, confirmed_result, planned_result
from mbv2cli.gate.config import Config, read_config
from mbv2cli.gate.drift import Cause, Drift, drift
from mbv2cli.gate.git import commit_of, extract, root_of
from mbv2cli.gate.lock import lock_text, parse_lock
from mbv2cli.gate.locked import LockedModule
from mbv2cli.gate.outcomes import CheckReport, LockUse, outcomes_of_config
from mbv2cli.nn.load import threads_left
from mbv2cli.report.check.sentences import broken_text, drift_lines
from mbv2cli.specs.module import ModuleRequest
from mbv2cli.specs.reader import Request

NET: Final = """
import os, random, signal, sys, threading, time, warnings
import torch
from torch import nn
from layers import CHANNELS, seen

print("imported")
seen.append(len(seen))


class Net(nn.Module):
    def __init__(self, width=1.0, stride=1, first=0):
        super().__init__()
        assert len(seen) == 1, "the module sees what another case has left"
        channels = int(CHANNELS * width)
        self.features = nn.Sequential(
            nn.Conv2d(3, channels, 3, 2, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU6(),
            nn.Conv2d(channels, channels, 3, stride, 1, groups=channels, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.head = nn.Linear(channels, 10)

    def forward(self, x):
        return self.head(self.features(x).flatten(2).mean(2))


class Attention(nn.Module):
    def forward(self, x):
        return x @ x


class Holder:
    def __init__(self, held):
        self.held = held


class Holds(nn.Linear):
    def __init__(self):
        super().__init__(8, 8)

    def forward(self, x):
        return Holder(super().forward(x))


class Sums(nn.Linear):
    def __init__(self):
        super().__init__(8, 8)

    def forward(self, x):
        return super().forward(x).sum()


def raises():
    raise ValueError("first line\\nsecond line")


def stops():
    class Stop(BaseException):
        pass

    raise Stop("at once")


def quits():
    sys.exit(3)


def quits_at_once():
    os._exit(0)


def closes():
    raise GeneratorExit


class Nameless(Exception):
    def __str__(self):
        return 1 / 0


class RaisesNameless(nn.Linear):
    def __init__(self):
        super().__init__(8, 8)

    def forward(self, x):
        raise Nameless


def scripted():
    warnings.simplefilter("ignore")  # PyTorch's, that scripts are of the past
    return nn.Sequential(torch.jit.script(nn.Linear(8, 8)))


class HasNoMode(nn.Linear):
    def __init__(self):
        super().__init__(8, 8)

    def train(self, mode=True):
        raise NotImplementedError("one mode")


def replaces():
    torch.rand = None
    return nn.Linear(8, 8)


def leaves_a_thread(daemon=False):
    threading.Thread(target=time.sleep, args=(0.3,), name="worker", daemon=daemon).start()
    return nn.Linear(8, 8)


def changes():
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    torch.set_grad_enabled(False)
    torch.manual_seed(1)
    random.seed(1)
    os.environ["LEFT_BY_A_MODULE"] = "1"
    os.chdir("/")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    sys.excepthook = sys.stdin = None
    sys.setrecursionlimit(2000)
    warnings.simplefilter("error")
    nn.Conv2d.forward = nn.functional.relu6 = lambda *arguments: 1 / 0
    nn.modules.module.register_module_forward_hook(
        lambda module, *_: None if type(module) is nn.Identity else 1 / 0
    )
    del sys.modules["mbv2cli.errors"]
    return nn.Identity()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder whose folders a and b have files of the same names."""
    for name, channels in (("a", 16), ("b", 32)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "net.py").write_text(NET)
        (tmp_path / name / "layers.py").write_text(f"CHANNELS = {channels}\nseen = []\n")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for thread in threads_left():
        thread.join()


def config_of(folder: Path, cases: str) -> Config:
    path = folder / "mbv2.toml"
    path.write_text(cases)
    return read_config(path)


def checked(folder: Path, cases: str) -> CheckReport:
    config = config_of(folder, cases)
    return outcomes_of_config(config, config.cases, confirmed_result, config.path)


def results(folder: Path, cases: str) -> dict[str, CaseResult]:
    return {one.result.case.name: one.result for one in checked(folder, cases).outcomes}


# Cases.


def test_every_limit_holds_or_breaks(folder: Path) -> None:
    limits = {
        "output": '"1x10"',
        "max_params": 810,
        "max_macs": "600k",
        "max_peak": '"200KiB"',
        "max_tflm": 1_000_000,
        "max_flash": 904,
        "max_activations": "33k",
        "max_layers": 6,
        "min_receptive_field": 7,
    }
    assert {key[4:] for key in limits if key != "output"} == {
        figure.name for figure in graded_figures()
    }
    shared = '[case.net]\nmodule = "a/net.py:Net"\ninput = "1x3x64x64"\npeak_rule = "eager"\n'
    keys = "".join(f"{key} = {str(value).replace('k', '000')}\n" for key, value in limits.items())
    (result,) = results(folder, shared + keys).values()
    broken = [verdict.what for verdict in result.verdicts if not verdict.holds]
    assert broken == ["tflm"]  # it has no rule for the mean of a flattened map
    (result,) = results(folder, shared + "max_params = 809\nmin_receptive_field = 8\n").values()
    assert [verdict.holds for verdict in result.verdicts] == [False] * 2


def test_a_matrix_of_arguments_and_inputs(folder: Path) -> None:
    found = results(
        folder,
        """
        [case.net]
        module = "a/net.py:Net"
        arguments.width = [0.5, 1.0]
        arguments.first = [[1, 2]]
        input = ["1x3x8x8", "2x3x16x16"]
        """,
    )
    assert {name: result.model and result.model.input_shape for name, result in found.items()} == {
        "net[width=0.5,input=1x3x8x8]": (1, 3, 8, 8),
        "net[width=0.5,input=2x3x16x16]": (2, 3, 16, 16),
        "net[width=1.0,input=1x3x8x8]": (1, 3, 8, 8),
        "net[width=1.0,input=2x3x16x16]": (2, 3, 16, 16),
    }
    sources = [result.case.request for result in found.values()]
    assert all(isinstance(one, ModuleRequest) for one in sources)
    assert sources[0].target == "a/net.py:Net:width=0.5,first=[1, 2]"


def state_of_process() -> tuple[object, ...]:
    return (
        *({"net", "layers"} & set(sys.modules), list(sys.path), dict(os.environ), Path.cwd()),
        *(random.getstate(), sys.excepthook, sys.stdin, sys.getrecursionlimit(), os._exit),
        *(signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM), warnings.filters[:]),
        *(torch.get_default_dtype(), torch.empty(0).device, torch.is_grad_enabled()),
        *(torch.nn.Conv2d.forward, torch.nn.functional.relu6, sys.modules.get("mbv2cli.errors")),
    )


def test_cases_do_not_see_each_other(folder: Path) -> None:
    before = state_of_process()
    seed = torch.get_rng_state()
    found = results(
        folder,
        """
        [case.changes]
        module = "a/net.py:changes"
        [case.a]
        module = "a/net.py:Net"
        size = 8
        [case.again]
        target = "a/net.py:Net:width=0.5"
        size = 8
        [case.b]
        module = "b/net.py:Net"
        size = 8
        [case.spec]
        size = 8
        """,
    )
    assert [result.failure for result in found.values()] == [""] * 5
    assert {name: one.model and one.model.totals.params for name, one in found.items()} == {
        "changes": 0,
        "a": 810,
        "again": 410,
        "b": 1610,
        "spec": 1568,
    }
    assert state_of_process() == before
    assert torch.equal(torch.get_rng_state(), seed)


@pytest.mark.parametrize(
    ("case", "failure"),
    [
        ('"a/net.py:raises"', "a/net.py:raises cannot be built: ValueError: first line"),
        ('"a/net.py:stops"', "a/net.py:stops fails: Stop: at once"),
        ('"a/net.py:quits"', "a/net.py:quits ends the process: SystemExit(3)"),
        ('"a/net.py:quits_at_once"', "a/net.py:quits_at_once ends the process: os._exit(0)"),
        ('"a/net.py:closes"', "a/net.py:closes fails: GeneratorExit"),
        ('"a/net.py:RaisesNameless"', "the forward pass fails in RaisesNameless: Nameless; --in"),
        ('"a/net.py:scripted"\ninput = "1x8"', "the module 0 is a script of TorchScript, which "),
        ('"a/net.py:HasNoMode"', "a/net.py:HasNoMode fails: NotImplementedError: one mode"),
        ('"a/net.py:replaces"', "replaces torch.rand, and then mbv2 cannot run it: TypeError: "),
        ('"a/net.py:leaves_a_thread"\ninput = "1x8"', "leaves a thread that runs: worker; end it"),
        (
            '"a/net.py:leaves_a_thread:daemon=true"\ninput = "1x8"',
            "leaves a thread that runs: worker; end it, because it would run beside",
        ),
        ('"a/net.py:Net"\ninput = "1x4x8x8"', "the forward pass fails in Conv2d features.0: "),
        ('"a/net.py:Nett"', "a/net.py has no 'Nett'"),
        ('"c/net.py:Net"', "there is no file "),
        ('"torch.nn:Sequential"', "Sequential runs no operation: it returns what it was given"),
    ],
)
@pytest.mark.usefixtures("capfd")
def test_what_stops_a_module_is_the_failure_of_its_case(
    folder: Path, case: str, failure: str
) -> None:
    report = checked(folder, f"[case.bad]\nmodule = {case}\n[case.good]\nmax_params = 2000\n")
    bad, good = report.outcomes
    assert failure in bad.result.failure
    assert "\n" not in bad.result.failure
    assert (bad.holds, good.holds, report.holds) == (False, True, False)


def test_a_limit_of_what_cannot_be_counted_does_not_hold(folder: Path) -> None:
    cases = '[case.at]\nmodule = "a/net.py:Attention"\nmax_macs = "1M"\n'
    (result,) = results(folder, cases).values()
    (verdict,) = result.verdicts
    assert (verdict.holds, verdict.actual) == (False, 0)
    (result,) = results(folder, cases.replace("max_macs", "max_activations")).values()
    assert result.holds
    cases = cases.replace('max_macs = "1M"', "min_receptive_field = 4")
    (result,) = results(folder, cases).values()
    assert broken_text(result.verdicts[0]) == (
        "receptive_field is at least 1, expected >= 4 (not known): no rule counts matmul"
    )


@pytest.mark.parametrize(
    ("case", "mistake"),
    [
        ('module = "network"', 'module must name a class or a function, such as "my_model.py:Net"'),
        ("module = 3", 'module must be a target such as "network", not 3'),
        ('module = "a.py:N"\ntarget = "block"', "module and target both name the model"),
        ('module = "a.py:N"\ncheckpoint = "w.pth"', "module and checkpoint both name the model"),
        (
            'checkpoint = "network"',
            "must be a file of weights, such as \"weights.pth\", not 'network'",
        ),
        ('checkpoint = "w.pth"', "case.x.checkpoint: there is no file w.pth"),
        ('checkpoint = "net.toml"', 'checkpoint must be a file of weights, such as "weights.pth"'),
        ('module = "a.py:N:w=1"\narguments.w = 2', "gives w already; give it once"),
        ('module = "a.py:N"\narguments = 2', "arguments must be a table such as {width = 0.5}"),
        ('module = "a.py:N"\narguments = []', "arguments must be a table such as {width = 0.5}"),
        ('module = "a.py:N"\narguments.w = []', "arguments.w is an empty list; give a value"),
        ('module = "a.py:N"\ninput = 2', 'input must be a shape such as "1x3x64x64", not 2'),
        ('module = "a.py:N"\ninput = "1x"', "case.x.input must be a shape such as 1x3x224x224"),
        ('module = "a.py:N"\ninputs = []', 'inputs must be a list such as ["1x3x64x64", '),
        ('module = "a.py:N"\ninput = "1"\ninputs = ["1"]', "both give the input; give one"),
        ('module = "a.py:N"\ninput = "1"\nsize = 8', "case.x.input and mbv2.toml: case.x.size ex"),
        ('module = "a.py:N"\nwidth_mult = 1', "is part of the TARGET: a.py:N:width_mult=1"),
        ('module = "a.py:N"\nfeatures = {8 = "1x2x3x4"}', "no plan says which layers of a module"),
        ('target = "network"\ninput = "1x3x8x8"', "input belongs to a module of your own"),
        ('target = "network"\narguments.w = 2', "arguments.w belongs to a module of your own"),
    ],
)
def test_mistakes_are_told_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str, mistake: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.toml").write_text("classes = 3\n")
    (tmp_path / "mbv2.toml").write_text(f"[case.x]\n{case}\n")
    with pytest.raises(MistakesError) as error:
        read_config(Path("mbv2.toml"))
    assert mistake in str(error.value)
    assert "mbv2.toml: case.x" in str(error.value)


def test_a_package_is_found_from_the_folder_of_the_configuration(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    (result,) = results(folder / "b", '[case.net]\nmodule = "net:Net"\nsize = 8\n').values()
    assert result.failure == ""
    assert result.model
    assert result.model.totals.params == 1610


def test_a_checkpoint_is_a_case_of_its_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(MobileNetV2(NetworkSpec(classes=3)).state_dict(), folder / "weights.pth")
    monkeypatch.chdir("/")
    (case,) = config_of(folder, '[case.x]\ncheckpoint = "weights.pth"\nsize = 96\n').cases
    assert isinstance(case.request, Request)
    assert isinstance(case.request.spec, NetworkSpec)
    assert case.request.spec.classes == 3
    assert planned_result(case).holds


def test_without_a_forward_pass_a_module_is_not_checked(folder: Path) -> None:
    (case,) = config_of(folder, '[case.net]\nmodule = "a/net.py:Net"\n').cases
    with pytest.raises(UserError, match="only a forward pass shows its layers"):
        planned_result(case)


# Lock and drift.

LOCKED: Final = '[case.net]\nmodule = "a/net.py:Net"\narguments.width = 0.5\nsize = 16\n'


def locked(folder: Path, cases: str = LOCKED) -> str:
    config = config_of(folder, cases)
    text = lock_text(map(confirmed_result, config.cases))
    config.lock.write_text(text)
    return text


def drift_after(folder: Path, before: str, after: str, cases: str = LOCKED) -> Drift | None:
    """Return the drift after a change of the code."""
    (outcome,) = _changed(folder, before, after, cases).outcomes
    assert outcome.lock_use is LockUse.COMPARED
    return outcome.drift


def _changed(folder: Path, before: str, after: str, cases: str) -> CheckReport:
    text = NET.replace(before, after)
    assert before == after or text != NET
    (folder / "a" / "net.py").write_text(text)
    return checked(folder, cases)


def test_what_is_written_is_read_and_nothing_drifts(folder: Path) -> None:
    text = locked(folder)
    assert text == locked(folder)
    assert drift_after(folder, "", "") is None
    content = tomllib.loads(text)
    assert content["version"] == 3
    assert content["case"]["net"]["arguments"] == {"width": 0.5}
    assert content["case"]["net"]["operations"][-1] == (
        "head Linear linear linear out=[1,10] params=90 macs=80"
    )
    (case,) = parse_lock(text, "mbv2.lock").values()
    assert isinstance(case, LockedModule)
    assert case.measured == case.snapshot.figures


def test_an_output_without_a_tensor_or_without_a_side_is_locked(folder: Path) -> None:
    cases = "".join(
        f'[case.{name}]\nmodule = "a/net.py:{name}"\ninput = "1x8"\n' for name in ("Holds", "Sums")
    )
    content = tomllib.loads(locked(folder, cases))["case"]
    assert {name: (case["output"], case["returns"]) for name, case in content.items()} == {
        "Holds": ("", "Holder of no tensor"),
        "Sums": ("", "Tensor of sum"),
    }
    assert [one.drift for one in checked(folder, cases).outcomes] == [None, None]


def test_a_lock_without_modules_keeps_its_version(folder: Path) -> None:
    assert tomllib.loads(locked(folder, "[case.block]\nexpand = 6\n"))["version"] == 2


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("3, stride, 1", "3, 2, 1", "Conv2d features.3: output_shape 1x8x8x8 -> 1x8x4x4, "),
        ("3, stride, 1", "3, 2, 1", "stride 1x1 -> 2x2"),
        ("nn.ReLU6()", "nn.ReLU()", "ReLU features.2: type ReLU6 -> ReLU"),
        ("(channels, 10)", "(channels, 10, bias=False)", "Linear head: params 90 -> 80, bias true"),
        ("self.head(", "2 * self.head(", "mul is new (1x10, 0 params)"),
        (".mean(2)", ".mean(-1)", "mean: arguments dim=2 -> dim=-1"),
        ("            nn.ReLU6(),\n", "", "Conv2d features.2: type ReLU6 -> Conv2d"),
        (
            "return self.head(self.features(x)",
            "return self.head(self.features(x * x)",
            "mul is new",
        ),
    ],
)
def test_a_drift_names_the_operation_that_changed(
    folder: Path, before: str, after: str, told: str
) -> None:
    locked(folder)
    found = drift_after(folder, before, after)
    assert found is not None
    assert (found.holds, found.cause) == (False, Cause.CHANGED)
    *_returns, line = drift_lines(found)
    assert line.startswith("first layer that differs: ")
    assert told in line


def test_a_drift_tells_arguments_and_what_is_returned(folder: Path) -> None:
    locked(folder)
    found = drift_after(folder, "", "", LOCKED.replace("0.5", "1.0"))
    assert found is not None
    assert next(drift_lines(found)) == "changed: arguments.width 0.5 -> 1.0"
    returned = "(y := self.head(self.features(x).flatten(2).mean(2)), y.relu())"
    found = drift_after(folder, "self.head(self.features(x).flatten(2).mean(2))", returned)
    assert found is not None
    lines = list(drift_lines(found))
    assert lines[0] == "changed: returns Tensor of Linear head -> tuple of Linear head, relu"


def test_a_lock_without_arguments_is_read_and_told_as_a_drift(folder: Path) -> None:
    """As a lock was before the arguments of every operation were recorded."""
    text = locked(folder)
    (folder / "mbv2.lock").write_text(text.replace(' arguments=\\"dim=2\\"', ""))
    assert (folder / "mbv2.lock").read_text() != text
    found = drift_after(folder, "", "")
    assert found is not None
    told = "first layer that differs: mean: arguments none -> dim=2"
    assert list(drift_lines(found)) == [told]


def test_a_tolerance_allows_what_costs_no_more(folder: Path) -> None:
    locked(folder)
    tolerant = f'tolerance = "1%"\n{LOCKED}'
    cheaper = drift_after(folder, "nn.ReLU6()", "nn.ReLU()", tolerant)
    assert cheaper is not None
    assert cheaper.holds
    dearer = drift_after(folder, "groups=channels", "groups=1", tolerant)
    assert dearer is not None
    assert not dearer.holds


def test_a_module_in_place_of_a_spec_is_a_drift(folder: Path) -> None:
    locked(folder, "[case.net]\nexpand = 6\n")
    found = drift_after(folder, "", "")
    assert found is not None
    assert "changed: kind block -> module" in list(drift_lines(found))


def test_a_case_that_does_not_run_is_not_compared(folder: Path) -> None:
    locked(folder)
    (outcome,) = _changed(folder, "class Net", "class Other", LOCKED).outcomes
    assert (outcome.lock_use, outcome.drift, outcome.holds) == (LockUse.NOT_RUN, None, False)


@pytest.mark.parametrize(
    ("before", "after", "cause"),
    [
        ("params = 410", "params = 411", Cause.RECOUNTED),
        ("out=[1,10]", "out=[1,11]", Cause.CHANGED),
        ("out=[1,10]", "out=[1,-1]", Cause.NOT_A_MODEL),
        ("head Linear", "head", Cause.NOT_A_MODEL),
        ("from=", "to=", None),
        ('"1x3x16x16"', '"1x0"', Cause.NOT_A_MODEL),
        ("kernel=[3,3]", "kernel=[[3]]", Cause.CHANGED),
        ("kernel=[3,3]", 'kernel=\\"x\\"', Cause.CHANGED),
        ("kernel=[3,3]", "core=[3,3]", Cause.NOT_A_MODEL),
        ("conv2d out=[1,8,8,8]", "conv2d out=[1,8,8,8] from=[]", Cause.NOT_A_MODEL),
        ("conv2d out=[1,8,8,8]", "conv2d out=[1,8,8,8] from=[9]", Cause.NOT_A_MODEL),
    ],
)
def test_an_edited_lock_is_told_as_a_drift(
    folder: Path, before: str, after: str, cause: Cause | None
) -> None:
    text = locked(folder)
    changed = text.replace(before, after)
    (case,) = parse_lock(changed, "mbv2.lock").values()
    found = drift(case, confirmed_result(config_of(folder, LOCKED).cases[0]), {})
    assert (found and found.cause) is cause or (cause is None and changed == text)


def test_flash_counts_a_bias_once(folder: Path) -> None:
    (folder / "a" / "bias.py").write_text(
        "from torch import nn\n"
        "def net(bias): return nn.Sequential(nn.Conv2d(3, 8, 3, bias=bias), nn.BatchNorm2d(8))\n"
        "def conv(): return nn.Conv2d(3, 8, 3)\n"
    )
    found = results(
        folder,
        '[case.net]\nmodule = "a/bias.py:net"\narguments.bias = [true, false]\n'
        '[case.conv]\nmodule = "a/bias.py:conv"\n',
    )
    assert [one.model and one.model.figure(FLASH) for one in found.values()] == [216 + 32] * 3


# Another revision.


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)  # noqa: S607


def test_files_of_a_revision_are_written_and_stay_inside(folder: Path, tmp_path: Path) -> None:
    (folder / "in").symlink_to("a/net.py")
    (folder / "out").symlink_to("/etc/passwd")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "one")
    (folder / "a" / "net.py").write_text("")
    tree = tmp_path / "tree"
    tree.mkdir()
    assert root_of(folder / "a").samefile(folder)
    extract(commit_of("HEAD", folder), folder, tree)
    assert (tree / "a" / "net.py").read_text() == NET
    assert (tree / "in").read_text() == NET
    assert not (tree / "out").exists()
    assert (folder / "a" / "net.py").read_text() == ""
