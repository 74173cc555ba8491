"""Settings that contradict others or do nothing: one sentence; and where the same text is right."""

from __future__ import annotations

import numpy as np
import pytest

from mbv2cli import BlockSpec, NetworkSpec, UserError
from mbv2cli.costs.figures import Counting
from mbv2cli.search.engine import Engine
from mbv2cli.search.query import REPORTED
from mbv2cli.search.space import read_space
from mbv2cli.specs.reader import Setting, read_request
from tests.process import mbv2_here

WRONG = [
    ("block:type=conv,expand=6", "a block of type conv has no hidden channels; leave expand out"),
    ("block:type=conv,hidden=6", "a block of type conv has no hidden channels; leave hidden out"),
    ("block:type=conv,hidden_nearest=8", "no hidden channels; leave hidden_nearest out"),
    ("block:type=conv,expansion=always", "no hidden channels; leave expansion out"),
    ("block:hidden=18,hidden_nearest=8", "give expand, not hidden, or leave hidden_nearest out"),
    ("block:se_gate=hardsigmoid", "block:se_gate does nothing: there is no squeeze-excite; give"),
    ("network:se_of=hidden,se_act=relu", "network:se_of does nothing: there is no squeeze-excite"),
    (
        "network:stages=t6c24_conv",
        "[0] has type conv, a convolution without hidden channels; leave",
    ),
    ("network:stages=c24_conv_always", "no hidden channels; leave expansion out"),
    ("network:stages=t4h20c24", "[0] has t and hidden, which both make the hidden channels; keep"),
    ("network:stages=h20c24,expand=4", "every stage has hidden channels of its own; change"),
    ("mobilenet_v3_large:expand=4", "every stage has hidden channels of its own; change"),
    ("efficientnet_b0_timm:se=0", "every stage has se of its own; change the stages"),
    (
        "network:classes=0,classifier_hidden=20",
        "classifier_hidden 20 is a layer of the classifier, and classes 0 leaves",
    ),
    ("network:stages=t6c24_fused/c24_conv,se=0.25", "se is for blocks of type inverted: no"),
    ("network:classifier_hidden_bias=false", "no hidden linear layer; give classifier_hidden"),
]


@pytest.mark.parametrize(("target", "words"), WRONG)
def test_what_does_nothing_is_told_in_one_sentence(target: str, words: str) -> None:
    code, out, error = mbv2_here("summary", target, "--no-forward")
    assert (code, out, error.count("\n")) == (2, "", 1)
    assert words in error


@pytest.mark.parametrize(
    "target",
    [
        "mobilenet_v3_large:classes=0",  # the hidden layer is the preset's
        "mobilenet_v3_large:se_gate=sigmoid",
        "efficientnet_b0:se_of=hidden",
        "network:stages=t6c24_se0.25/t6c32,se_act=relu",
        "network:classes=0,classifier_hidden=0",
        "network:stages=c24_conv/t1c16,hidden_nearest=8,expansion=always,se=0.25",
        "efficientnet_b0:stages=t6c24_fused",  # se is the preset's
        "network:stages=t6c24_fused/t6c24,se=0.25",
        "block:type=conv,expand=1",
        "block:se=0,se_gate=hardsigmoid",  # a member of a sweep over se
    ],
)
def test_what_follows_from_a_preset_or_is_a_member_of_a_sweep_is_right(target: str) -> None:
    assert read_request(target).spec


def test_a_flag_leaves_out_the_classifier_of_a_file() -> None:
    settings = [Setting("classes", 0, "--classes")]
    own = [Setting("classifier_hidden", 20, "net.toml: classifier_hidden")]
    places = {one.key: one.place for one in (*settings, *own)}
    values = {one.key: one.value for one in (*settings, *own)}
    assert NetworkSpec.model_validate(values, context=places).classes == 0


def test_json_of_a_spec_is_read_whatever_its_fields_are() -> None:
    block = BlockSpec(se_gate="hardsigmoid", hidden_nearest=8)
    assert BlockSpec.model_validate_json(block.model_dump_json(by_alias=True)) == block


@pytest.mark.parametrize(
    ("target", "key", "values"),
    [
        ("block", "se_gate", ["sigmoid", "hardsigmoid"]),
        ("mobilenet_v3_large", "expand", [3, 6]),
        ("network", "classifier_hidden_bias", [True, False]),
    ],
)
def test_no_sweep_varies_what_does_nothing(target: str, key: str, values: list[object]) -> None:
    with pytest.raises(UserError, match="does nothing"):
        read_space(target, [Setting(key, values, f"--{key.replace('_', '-')}")])


@pytest.mark.parametrize(
    ("flags", "feasible", "wrong"),
    [
        (("--hidden", "18,20", "--expand", "2,6"), 1, 3),
        (("--type", "conv,inverted", "--expand", "1,6"), 3, 1),
        (("--type", "conv,inverted"), 2, 0),
        (("--se", "0,0.25", "--se-gate", "sigmoid,hardsigmoid"), 4, 0),
    ],
)
def test_members_that_contradict_themselves_cannot_be_built(
    flags: tuple[str, ...], feasible: int, wrong: int
) -> None:
    code, out, _ = mbv2_here("sweep", "block", *flags, "--top", "9")
    assert code == 0
    assert f"Tried {feasible + wrong}: {feasible} feasible" in out
    assert (f"{wrong} cannot be built" in out) is (wrong > 0)


def test_a_sweep_tells_where_no_block_may_have_squeeze_excite() -> None:
    stages = [{"c": 8, "type": ["fused", "inverted"]}]
    space = read_space(
        "network", [Setting("stages", stages, "--stages"), Setting("se", [0, 0.25], "--se")]
    )
    members = [(se, kind) for se in (0, 1) for kind in (0, 1)]
    digits = np.array(members, np.intp).T
    assert Engine(space, REPORTED, Counting(), 0).exist(digits).tolist() == [
        True,
        True,
        False,
        True,
    ]
    with pytest.raises(UserError, match="se is for blocks of type inverted"):
        read_request(space.target((1, 0)))
