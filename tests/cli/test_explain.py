from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from hypothesis import given
from syrupy.assertion import SnapshotAssertion

from mbv2cli import BlockSpec, InputSpec, plan_of
from mbv2cli.nn.own import observe_module
from mbv2cli.report.explain_code import block_code
from mbv2cli.report.text import class_name
from tests.process import mbv2_here
from tests.specs.weights.files import SMALL, safetensors_bytes
from tests.strategies import block_specs


def words_of(*arguments: str) -> str:
    """Return what a command prints, with one space between words."""
    return " ".join(mbv2_here("explain", *arguments).stdout.split())


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("network:features.3",),
        ("--stride", "2", "--expand", "1", "--dilation", "2"),
        ("network",),
        ("network:width_mult=0.5:features.2", "--compare", "block:in=16,out=16"),
        ("--code",),
    ],
    ids=" ".join,
)
def test_what_a_caller_gets(arguments: tuple[str, ...], snapshot: SnapshotAssertion) -> None:
    assert mbv2_here("explain", *arguments) == snapshot


@pytest.mark.parametrize(
    ("question", "arguments", "answer"),
    [
        ("what does expand do", "--in 16 --out 16", "Expand ratio 6: round(16 x 6) = 96 channels."),
        ("what does expand 3 do", "--in 16 --out 16", "expand 3 16 -> 48 -> 48 -> 16"),
        ("why are the ends linear", "", "few channels cannot keep what is lost (section 3.2"),
        ("when is there a shortcut", "", "have the same shape: stride 1 and equal channels"),
        ("why is there none here", "--stride 2", "Here the stride is 2, and the input has 3"),
        ("why is there one here", "--in 24 --out 24", "input and output have 24 channels each"),
        ("what does stride 2 do", "--stride 2", "224x224 become 112x112 pixels"),
        ("why is it cheap", "--in 24 --out 24", "the block would need 23.58 times as many MACs"),
    ],
)
def test_a_student_s_question_is_answered_on_one_screen(
    question: str, arguments: str, answer: str
) -> None:
    lines = mbv2_here("explain", *arguments.split()).stdout.splitlines()
    assert answer in words_of(*arguments.split()), question
    assert len(lines) <= 48  # a prompt above and below, on a screen of 50 lines


@pytest.mark.parametrize(
    ("arguments", "said", "unsaid"),
    [
        ("--act identity", "No activation follows: the field act is identity.", "BatchNorm, ide"),
        ("--act relu6", "channels to 0 and values above 6 to 6; with many channels", "small"),
        ("--act silu", "silu makes negative values of single channels small; with", "silu sets"),
        ("--in 64 --expand 0.25", "the middle is not wider than the input", "with many channels"),
        ("--kernel 1 --dilation 2", "filtered alone, with 1 weight.", "spreads"),
        ("--in 1 --out 1 --expand 1", "The only channel is filtered", "1 channels"),
        ("--in 3 --shortcut projection", "input and output differ in channels", "equal channels"),
        ("block:type=fused,in=24,out=24,kernel=1", "0.98 times the MACs", "widens"),
        ("mobilenet_v3_large", "Stages are those of the target.", "Table 2"),
        ("network", "Stages are rows of Table 2 of the paper", "of the target"),
        ("network:stages=t1c16", "changes the size or the channels.", "later blocks"),
    ],
)
def test_no_sentence_is_false(arguments: str, said: str, unsaid: str) -> None:
    words = words_of(*arguments.split())
    assert said in words
    assert unsaid not in words


def test_the_numbers_of_a_change_are_those_of_its_plan() -> None:
    for key, value in (("stride", 2), ("expand", 1), ("expand", 3), ("kernel", 5)):
        totals = plan_of(BlockSpec.model_validate({key: value})).totals
        row = re.search(rf"{key} {value} .*? (\S+) +(\S+) +\S+ [KM]iB", mbv2_here("explain").stdout)
        assert row
        assert (row[1], row[2]) == (f"{totals.params:,}", f"{totals.macs:,}")


@given(block_specs())
def test_the_code_of_a_block_is_the_block(spec: BlockSpec) -> None:
    names: dict[str, type[torch.nn.Module]] = {}
    exec(block_code(spec, (1, spec.in_channels, 8, 8)), names)  # noqa: S102  (our own text)
    module, x = names[class_name(spec)](), torch.rand(1, spec.in_channels, 8, 8)
    graph = observe_module(module, [x]).graph
    planned = plan_of(spec, InputSpec(size=(8, 8))).graph
    assert [op._replace(path="") for op in graph.ops] == [
        op._replace(path="") for op in planned.ops
    ]


@pytest.mark.parametrize("subject", ["macs", "MACs", "torchsummary", "params", "memory", "ci"])
def test_a_subject_shows_its_guide(subject: str) -> None:
    assert mbv2_here("explain", subject).stdout.startswith("# ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("network:features.18", "its blocks are features.1 to features.17"),
        ("network:feature.3", "feature.3 is not a block of the network; its blocks"),
        ("block:features.1", "a block has no features.1; try network:features.1"),
        ("network --code", "--code is for a block, not for a network; try mbv2 explain network:f"),
        ("network --compare block", "--compare is for a block"),
        ("--compare network", "and network is a network; try network:features.3"),
        ("--compare block --code", "--compare does nothing"),
        ("macs --in 4", "which takes no --in"),
        ("macs --output x.txt", "which takes no --output"),
        ("nework:features.3", "did you mean 'network'?"),
        ("macz", "no target and no guide 'macz'; did you mean 'macs'?"),
        ("blok", "did you mean 'block'?"),
    ],
)
def test_mistakes(arguments: str, words: str) -> None:
    result = mbv2_here("explain", *arguments.split())
    assert (result.code, result.stdout) == (2, "")
    assert words in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "command",
    [
        "summary {} --no-forward",
        "counts {}",
        "memory {}",
        "cliffs {}",
        "explain {}",
        "explain {}:features.1",
    ],
)
def test_every_page_about_a_checkpoint_says_what_is_assumed(command: str, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(safetensors_bytes(SMALL))
    result = mbv2_here(*command.format("w.safetensors").split(), cwd=tmp_path)
    assert result.code == 0
    text = " ".join(result.stdout.split())
    assert "Read from w.safetensors: " in text
    assert "assumed: strides, dilation, act" in text
