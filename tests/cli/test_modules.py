"""`mbv2 summary my_model.py:Net`, as people type it."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from tests.process import mbv2, mbv2_here

MODEL = """
from torch import nn

class Net(nn.Module):
    def __init__(self, width=1.0):
        super().__init__()
        self.conv = nn.Conv2d(3, int(8 * width), 3, padding=1, bias=False)
        self.aux = nn.Linear(3, 3)

    def forward(self, x):
        print("a line of the model")
        return self.conv(x).relu() @ x.new_ones(x.shape[-1], 2)

class Says(Net):
    def forward(self, x):
        return str(self.conv(x).shape)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "my_model.py").write_text(MODEL)
    return tmp_path


def test_the_table_of_a_module(folder: Path) -> None:
    result = mbv2_here("summary", "my_model.py:Net:width=0.5", "--size", "32", cwd=folder)
    assert (result.code, result.stderr) == (0, "a line of the model\n")
    for line in (
        "my_model.py:Net(width=0.5)",
        "Output shape: [1, 4, 32, 2] (observed)",
        "Total params: 108",
        "Not in the totals, because no operation uses them: aux.weight, aux.bias.",
        "MACs: at least 110,592 (convolutions + linear)",
        "Not counted, because the convention has no rule: matmul.",
        "Observed only: one forward pass, cpu, float32. There is no plan to compare with.",
    ):
        assert line in result.stdout.splitlines()
    assert "agree" not in result.stdout


def test_the_element_types_of_a_pass_are_told(tmp_path: Path) -> None:
    (tmp_path / "mixed.py").write_text(
        "import torch\nclass Net(torch.nn.Linear):\n    def forward(self, x):\n"
        "        with torch.autocast('cpu', dtype=torch.bfloat16):\n"
        "            return super().forward(x).float()\n"
    )
    target = "mixed.py:Net:in_features=8,out_features=8"
    result = mbv2_here("summary", target, "--input", "1x8", cwd=tmp_path)
    assert "Results are bfloat16 too, so the eager peak is not that of float32." in result.stdout
    assert "one forward pass, cpu, float32 and bfloat16." in result.stdout


def test_what_a_module_returns_beside_tensors_is_named(folder: Path) -> None:
    result = mbv2_here("summary", "my_model.py:Says", "--size", "32", cwd=folder)
    assert "Output shape: none (observed: a value of type str)" in result.stdout.splitlines()


def test_the_document_of_a_module(folder: Path) -> None:
    target = "my_model.py:Net"
    result = mbv2_here(*("summary", target, "--input", "2x3x8x8", "--format", "json"), cwd=folder)
    document = json.loads(result.stdout)
    assert (document["target"], document["kind"], document["spec"]) == (target, "module", None)
    assert document["input_shapes"] == [[2, 3, 8, 8]]
    assert document["output_shapes"] == [[2, 8, 8, 2]]
    assert document["forward"]["agrees"] is None
    assert document["unknown"] == ["matmul"]
    assert document["totals"]["receptive_field"] is None
    assert document["unused"] == ["aux.weight", "aux.bias"]
    assert document["identity"] is None
    assert document["totals"]["macs"] == 2 * 64 * 216


NETWORK = """
import torch
from mbv2cli import MobileNetV2, NetworkSpec

def same():
    return MobileNetV2()

def near():
    model = MobileNetV2()
    model.features[8].conv.append(torch.nn.ReLU6())
    return model

def ablated():
    model = MobileNetV2()
    model.features[8].has_shortcut = False
    return model

def own():
    return MobileNetV2(NetworkSpec(stem=40, stages="t1c16/t6c48n3s2"))
"""
WHERE = "cpu, float32; not compared: dropout 0.2"


@pytest.mark.parametrize(
    ("name", "sentence", "cell", "identity"),
    [
        (
            "same",
            f"It is torchvision. Plan and forward pass agree: the same 151 operations, {WHERE}.",
            "agrees with the plan of torchvision (cpu, float32); not compared: dropout 0.2",
            ("torchvision", None, True),
        ),
        (
            "near",
            (
                "Observed only: one forward pass, cpu, float32. Nearest preset: torchvision; 1 "
                "place differs (mbv2 identify says where)."
            ),
            "observed only (cpu, float32); nearest preset: torchvision; 1 place differs",
            (None, "torchvision", False),
        ),
        (
            "ablated",
            (
                "It is a MobileNetV2 of its own. Plan and forward pass agree: the same 150 "
                f"operations, {WHERE}. Nearest preset: torchvision; 1 place differs (mbv2 identify "
                "says where)."
            ),
            (
                "agrees with the plan of a MobileNetV2 of its own (cpu, float32); not compared: "
                "dropout 0.2; nearest preset: torchvision; 1 place differs"
            ),
            (None, "torchvision", True),
        ),
        (
            "own",
            (
                "It is a MobileNetV2 of its own. Plan and forward pass agree: the same 39 "
                f"operations, {WHERE}."
            ),
            (
                "agrees with the plan of a MobileNetV2 of its own (cpu, float32); not compared: "
                "dropout 0.2"
            ),
            (None, None, True),
        ),
    ],
)
def test_the_verdict_says_which_network_it_is(
    tmp_path: Path, name: str, sentence: str, cell: str, identity: tuple[str, str, bool]
) -> None:
    (tmp_path / "nets.py").write_text(NETWORK)
    table, markdown, text = (
        mbv2_here(*f"summary nets.py:{name} --size 32 --format {one}".split(), cwd=tmp_path).stdout
        for one in ("table", "markdown", "json")
    )
    assert " ".join(table.split()).endswith(sentence)
    assert f"| Forward pass | {cell} |" in markdown
    part = json.loads(text)["identity"]
    assert (next(iter(part["names"]), None), part["nearest"], part["agrees"]) == identity
    assert part["remarks"] == ["dropout 0.2"]


@pytest.mark.parametrize("format_name", ["csv", "markdown", "torchsummary"])
def test_other_formats_of_a_module(folder: Path, format_name: str) -> None:
    result = mbv2_here(*("summary", "my_model.py:Net", "--format", format_name), cwd=folder)
    assert result.code == 0
    assert "Conv2d-1" in result.stdout
    assert "a line of the model" not in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("summary my_model.py:Net --no-forward", "only a forward pass shows its layers"),
        ("summary my_model.py:Net --out 8", "is part of the TARGET: my_model.py:Net:out=8"),
        ("identify my_model.py", "for a module, name its class too: my_model.py:Net"),
        ("cliffs my_model.py:Net", "a module has no plan; give a block, a network or a preset"),
        ("sweep my_model.py:Net", "a module has no plan; give a block, a network or a preset"),
        ("explain my_model.py:Net", "a module has no plan; give a block, a network or a preset"),
        ("init my_model.py:Net", 'write module = "my_model.py:Net" and limits into a case of'),
        ("counts network --input 1x3x8x8", "--input belongs to a module of your own"),
        ("identify network --input 1x3x8x8", "--input belongs to a module of your own"),
        ("summary network --input 1x3x8x8", "--input belongs to a module of your own"),
        ("summary my_model.py:Net --input 1x4x8x8", "the forward pass fails in Conv2d conv"),
    ],
)
def test_mistakes(folder: Path, arguments: str, message: str) -> None:
    result = mbv2_here(*arguments.split(), cwd=folder)
    assert (result.code, result.stdout) == (2, "")
    assert message in result.stderr.splitlines()[-1]


def test_a_module_is_not_replaced_by_an_output(folder: Path) -> None:
    (folder / "link.txt").symlink_to("my_model.py")
    for command in ("summary", "identify"):
        result = mbv2_here(command, "my_model.py:Net", "--output", "link.txt", cwd=folder)
        assert result.code == 2
        assert "which is the same file" in result.stderr
    assert (folder / "my_model.py").read_text() == MODEL


def test_a_file_that_a_module_imports_is_not_replaced_by_an_output(folder: Path) -> None:
    (folder / "layers").mkdir()
    (folder / "layers" / "own.py").write_text("import torch\n\nRelu = torch.nn.ReLU\n")
    (folder / "net.py").write_text("import layers.own\n\nNet = layers.own.Relu\n")
    result = mbv2_here("counts", "net.py:Net", "--output", "layers/own.py", cwd=folder)
    assert result.code == 2
    assert "layers/own.py, which is the same file" in result.stderr


@pytest.mark.parametrize("command", ["summary", "identify"])
def test_a_device_that_cannot_be_used_is_named_as_it_was_typed(command: str, folder: Path) -> None:
    result = mbv2_here(command, "my_model.py:Net", "--device", "cuda", cwd=folder)
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr.startswith("mbv2: --device cuda cannot be used: this machine has no CUDA")


def test_nothing_is_loaded_for_a_mistake(folder: Path) -> None:
    (folder / "my_model.py").write_text("open('ran', 'w')\n")
    for arguments in ("--no-forward", "--out 8", "--input 0", "--convention x"):
        mbv2_here("summary", "my_model.py:Net", *arguments.split(), cwd=folder)
    assert not (folder / "ran").exists()


def test_counts_say_at_least_where_a_convention_does_not_know_a_function(folder: Path) -> None:
    result = mbv2_here("counts", "my_model.py:Net", "--input", "1x3x8x8", cwd=folder)
    assert (result.code, result.stderr) == (0, "a line of the model\n")
    assert "conv+linear                 at least 13,824 MACs" in result.stdout
    assert "Not counted, because the convention has no rule: matmul." in result.stdout
    arguments = ("counts", "my_model.py:Net", "--input", "1x3x8x8", "--format", "json")
    document = json.loads(mbv2_here(*arguments, cwd=folder).stdout)
    assert (document["kind"], document["spec"]) == ("module", None)
    assert document["macs"][0]["total"] == 64 * 216
    assert document["macs"][0]["unknown"] == ["matmul"]


def test_memory_of_a_module(folder: Path) -> None:
    (folder / "two.py").write_text(
        "from torch import nn\n\nclass Net(nn.Module):\n    def forward(self, x, y):\n"
        "        return (x + y).erf()\n"
    )
    arguments = ("--input", "1x3x8x8", "--input", "1x3x8x8")
    result = mbv2_here("memory", "two.py:Net", *arguments, cwd=folder)
    assert result.code == 0
    assert "At least this: the rule does not know erf." in result.stdout
    assert "No sizes of torchsummary: torchsummary multiplies the sizes" in result.stdout
    document = json.loads(
        mbv2_here("memory", "two.py:Net", *arguments, "--format", "json", cwd=folder).stdout
    )
    assert document["torchsummary_pass_size"] is None
    unknown = {rule["rule"]: rule["unknown"] for rule in document["rules"]}
    assert unknown["layerwise"] == []
    assert unknown["training"] == ["erf"]


GATED = """
[case.mine]
module = "my_model.py:Net"
input = "1x3x8x8"
output = "1x8x8x2"
max_params = 200

[case.broken]
module = "my_model.py:Nett"
"""


@pytest.fixture
def gated(folder: Path) -> Path:
    (folder / "mbv2.toml").write_text(GATED)
    return folder


def test_check_says_what_a_module_does_not_keep_and_checks_the_others(gated: Path) -> None:
    result = mbv2_here("check", cwd=gated)
    assert (result.code, result.stderr) == (1, "a line of the model\n")
    assert [" ".join(line.split()) for line in result.stdout.splitlines()] == [
        "Case and figure Actual Expected Distance",
        "FAIL mine",
        "output 1x8x8x2 1x8x8x2",
        "FAIL params 216 <= 200 8.0 % over",
        "FAIL broken",
        "my_model.py:Nett: my_model.py has no 'Nett' (it has Net, Says); did you",
        "mean 'Net'?",
        "",
        "2 cases: 2 failed (observed only)",
        "drift is not checked: there is no mbv2.lock; run mbv2 lock",
    ]


def test_the_formats_of_a_check_of_modules(gated: Path) -> None:
    def shown(format_name: str) -> str:
        result = mbv2_here("check", "--format", format_name, cwd=gated)
        assert result.code == 1
        return result.stdout

    mine, broken = json.loads(shown("json"))["cases"]
    assert (mine["kind"], mine["spec"], mine["forward_ran"]) == ("module", None, True)
    assert mine["verdicts"][1]["actual"] == 216
    assert (broken["forward_ran"], broken["verdicts"], broken["lock"]) == (False, [], "not run")
    (failure,) = broken["failures"]
    assert failure.startswith("my_model.py:Nett: my_model.py has no 'Nett'")
    assert f"title=mbv2%3A broken::{failure}" in shown("github")
    junit = shown("junit")
    assert 'tests="2" failures="2" errors="0"' in junit
    assert f'message="{failure}"' in junit
    assert f"| **FAIL** | `broken` | {failure} | | | |" in shown("markdown").replace("\\_", "_")


def test_check_of_one_module_with_limits_as_flags(folder: Path) -> None:
    arguments = ("check", "my_model.py:Net:width=0.5", "--input", "1x3x8x8", "--max-params")
    assert mbv2_here(*arguments, "108", cwd=folder).code == 0
    result = mbv2_here(*arguments, "107", cwd=folder)
    assert result.code == 1
    assert "1 case: 1 failed (observed only)" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("check --no-forward", "mbv2.toml: case.mine: my_model.py:Net is Python code: only a for"),
        ("check mine --no-forward", "shows its layers; leave out --no-forward"),
        ("check --input 1x3x8x8", "--input needs a limit beside it"),
        ("check my_model.py:Net --max-params 2k --no-forward", "leave out --no-forward"),
        ("lock", "case.broken: my_model.py:Nett: my_model.py has no 'Nett'"),
        ("compare my_model.py:Net network --by stage", "--by stage is for blocks and networks"),
        ("compare network block --input 1x3x8x8", "--input belongs to a module of your own"),
        ("compare --git HEAD network", "--git compares the code of a module"),
        ("compare --git HEAD my_model.py:Net network", "compare --git takes one module, not 2"),
        ("compare --git HEAD --lock HEAD mine", "give one of them"),
        ("compare --git HEAD my_model.py:Net", "not a git repository"),
        ("compare --git HEAD nothing/my_model.py:Net", "there is no folder nothing"),
    ],
)
def test_mistakes_at_the_gate(gated: Path, arguments: str, message: str) -> None:
    result = mbv2_here(*arguments.split(), cwd=gated, GIT_CEILING_DIRECTORIES=str(gated.parent))
    assert (result.code, result.stdout) == (2, "")
    assert message in result.stderr.splitlines()[-1]


def test_a_file_that_forbids_a_forward_pass_forbids_its_modules(gated: Path) -> None:
    (gated / "mbv2.toml").write_text(f"forward = false\n{GATED}")
    for command in ("check", "lock"):
        result = mbv2_here(command, cwd=gated)
        assert (result.code, result.stdout) == (2, "")
        assert result.stderr.endswith("shows its layers; leave out forward = false\n")


def test_compare_a_module_with_another(folder: Path) -> None:
    arguments = ("compare", "my_model.py:Net", "my_model.py:Net:width=0.5", "--size", "8")
    result = mbv2_here(*arguments, "--exit-code", "--format", "json", cwd=folder)
    assert result.code == 1
    document = json.loads(result.stdout)
    assert (document["a"]["kind"], document["a"]["spec"]) == ("module", None)
    assert document["fields"] == []
    macs = next(one for one in document["totals"] if one["what"] == "macs (at least)")
    assert (macs["before"], macs["after"]) == (64 * 216, 64 * 108)
    assert document["layers"][0]["after"]["path"] == "conv"


def test_a_module_that_is_a_network_does_not_differ_from_it(folder: Path) -> None:
    (folder / "ours.py").write_text(
        "from mbv2cli import MobileNetV2, NetworkSpec\nnet = MobileNetV2(NetworkSpec(classes=3))\n"
    )
    arguments = ("compare", "ours.py:net", "network:classes=3", "--size", "32", "--exit-code")
    result = mbv2_here(*arguments, cwd=folder)
    assert (result.code, result.stderr) == (0, "")
    assert (
        "Nothing differs: every field, every figure and every layer is the same." in result.stdout
    )


def test_compare_a_case_of_a_module_with_its_lock_at_a_revision(folder: Path) -> None:
    (folder / "mbv2.toml").write_text('[case.mine]\nmodule = "my_model.py:Net"\nsize = 8\n')
    assert mbv2_here("lock", cwd=folder).code == 0
    committed(folder)
    (folder / "my_model.py").write_text(MODEL.replace("padding=1", "padding=2, dilation=2"))
    assert mbv2_here("lock", cwd=folder).code == 0
    result = mbv2_here("compare", "--lock", "HEAD", "mine", "--exit-code", cwd=folder)
    assert result.code == 1
    assert "conv dilation 1x1 -> 2x2, padding 1x1 -> 2x2" in result.stdout
    assert "macs (at least)" in result.stdout


def committed(folder: Path) -> None:
    for arguments in ("init -q", "add .", "commit -qm one"):
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments.split()]
        subprocess.run(command, cwd=folder, check=True)


def test_compare_a_module_with_another_revision_of_it(
    folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    committed(folder)
    (folder / "my_model.py").write_text(MODEL.replace("padding=1", "padding=2, dilation=2"))
    temporary = tmp_path_factory.mktemp("temporary")
    arguments = ("compare", "--git", "HEAD", "my_model.py:Net", "--size", "8", "--exit-code")
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    result = mbv2_here(*arguments, cwd=folder)
    assert (result.code, result.stderr) == (1, "a line of the model\n")
    assert "a line of the model" in capfd.readouterr().err  # of the process of the revision
    assert "A: my_model.py:Net at HEAD" in result.stdout
    assert "conv dilation 1x1 -> 2x2, padding 1x1 -> 2x2" in result.stdout
    assert list(temporary.iterdir()) == []
    assert [one.name for one in folder.glob("[!.]*")] == ["my_model.py"]


def test_a_thread_that_a_module_leaves_does_not_keep_mbv2_from_ending(folder: Path) -> None:
    (folder / "threads.py").write_text(
        "import threading, time\nfrom torch import nn\n"
        "def net():\n    threading.Thread(target=time.sleep, args=(60,), name='late').start()\n"
        "    return nn.ReLU()\n"
    )
    start = time.monotonic()
    result = mbv2("check", "threads.py:net", "--max-params", "0", cwd=folder)
    assert time.monotonic() - start < 50
    assert result.code == 1
    assert "leaves a thread that runs: late" in result.stdout


def test_a_change_within_a_second_is_seen_and_no_bytecode_is_left(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text("import part\nNet = part.Net\n")
    for classes in (4, 5):
        code = f"import torch\ndef Net(): return torch.nn.Linear(3, {classes})\n"
        (tmp_path / "part.py").write_text(code)
        command = "summary net.py:Net --input 1x3 --print output_shape"
        result = mbv2(*command.split(), cwd=tmp_path)
        assert result == (0, f"1x{classes}\n", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.py", "part.py"]
