"""Settings that contradict others or do nothing: one sentence; and where the same text is right."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mbv2cli import BlockSpec, NetworkSpec, UserError
from mbv2cli.costs.figures import Counting
from mbv2cli.gate.config import read_config
from mbv2cli.identify.targets import structure_of
from mbv2cli.search.engine import Engine
from mbv2cli.search.query import REPORTED
from mbv2cli.search.space import read_space
from mbv2cli.specs.presets import presets
from mbv2cli.specs.reader import Setting, read_request, without_idle
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
    *(
        (
            f"network:until=features.3,{one}",
            f"no {part}, because the network stops after featu",
        )
        for one, part in (
            ("dropout=0.5", "classifier"),
            ("classifier_bias=false", "classifier"),
            ("classifier_hidden_bias=false", "classifier"),
            ("head_scaling=fixed", "head"),
        )
    ),
    ("network:classes=0,classifier_bias=false", "no classifier, because classes is 0; give"),
    ("network:classes=0,dropout=0.5", "network:dropout does nothing: there is no classifier, beca"),
    ("hf_100_224:classes=0,dropout=0.5", "there is no classifier, because classes is 0; give"),
    ("deeplab_os16:dropout=0.5", "there is no classifier, because classes is 0; give classes"),
    ("deeplab_os16:head_scaling=fixed", "there is no head, because head is 0; give head, or leave"),
    ("network:head=0,head_scaling=fixed", "network:head_scaling does nothing: there is no head"),
    ("network:classifier_hidden=0,classifier_hidden_bias=false", "there is no hidden linear layer"),
    ("network:se=0,se_of=hidden", "network:se_of does nothing: there is no squeeze-excite; give"),
    ("network:stages=t6c24_se0,se_of=hidden", "there is no squeeze-excite"),
    ("network:stages=t6c24_fused,se=0.25,se_nearest=8", "there is no squeeze-excite"),
    ("network:stages=t1c16/t6c24_se0.25,until=features.1,se_act=relu", "no squeeze-excite"),
    ("block:se=0,se_gate=hardsigmoid", "block:se_gate does nothing: there is no squeeze-excite"),
    ("block:type=fused,expansion=always", "only blocks of type inverted have an expansion; change"),
    ("network:stages=t6c24_fused/c24_conv,expansion=always", "only blocks of type inverted have"),
    ("network:stages=c24_conv,expand=4", "no stage has hidden channels of a ratio; change the"),
    ("network:stages=c24_conv,hidden_nearest=8", "no stage has hidden channels of a ratio; change"),
    ("network:stages=t1c16,expand=4", "every stage has the expand ratio 1, which it keeps; change"),
    ("network:until=features.1,expand=4", "every stage has the expand ratio 1, which it keeps"),
    ("network:until=features.0,expand=4", "there is no block, because the network stops after"),
    ("network:until=features.0,output_stride=16", "there is no block, because the network stops"),
    ("network:stages=t1c16/t6c24,depth_mult=2", "only stages between the first and the last take"),
    ("network:stages=t6c16h32", "has t and hidden, which both make the hidden channels; keep one"),
    ("network:stages=t1c8/h32t6c16s2", "[1] has t and hidden, which both make the hidden channels"),
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
        "network:stages=t6c24_se0.25/t6c32,se=0,se_of=hidden",
        "network:until=features.3,width_mult=0.5,stem_scaling=fixed,expand=4,depth_mult=2",
        "network:classes=0,head_scaling=fixed",
        "network:head=0,dropout=0.5,classifier_bias=false",
        "network:stem_scaling=fixed,head_scaling=fixed",  # at the width multiplier 1
        "network:stages=t6c24_fused/t1c24,expansion=always",
        "network:stages=c16_conv/t1c16/t4c24,expand=3,depth_mult=1.4",
        "deeplab_os16:until=features.3",
        "mobilenet_v3_large:until=features.3",
        "block:in=16,expand=2,hidden=32",  # agrees
        "network:stages=c24_conv/t1c16,hidden_nearest=8,expansion=always,se=0.25",
        "efficientnet_b0:stages=t6c24_fused",  # se is the preset's
        "network:stages=t6c24_fused/t6c24,se=0.25",
        "block:type=conv,expand=1",
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


@pytest.mark.parametrize(
    ("own", "flag", "target"),
    [
        ("dropout = 0.5\nclassifier_bias = false", ("classes", "0"), ""),
        ("dropout = 0.5\nhead_scaling = 'fixed'", ("until", "features.3"), ""),
        ("se = 0.25\nse_of = 'hidden'", ("se", "0"), ""),
        ("expand = 4", ("stages", "h20c24"), ""),
        ("dropout = 0.5", ("classes", "0"), "net.toml:width_mult=0.5"),
        ("target = 'network:dropout=0.5'\nwidth_mult = 0.5", ("classes", "0"), ""),
        ("expand = 4\nhidden_nearest = 8\nse = 0.2\nse_act = 'relu'", ("until", "features.0"), ""),
        ("expansion = 'always'\nshortcut = 'none'\ndepth_mult = 2", ("until", "features.0"), ""),
    ],
)
def test_a_flag_leaves_out_what_a_file_describes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: str, flag: tuple[str, str], target: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.toml").write_text(own)
    key, value = flag
    assert read_request(target or "net.toml", [Setting(key, value, f"--{key}")]).spec
    inline = f"net.toml:{key}={value}"
    assert read_request(inline).spec
    with pytest.raises(UserError, match="does nothing"):
        read_request(f"{inline},dropout=0.5,se_gate=sigmoid,expand=3")


@pytest.mark.parametrize(
    ("own", "key"),
    [
        ("classes = 0\ndropout = 0.5", "dropout"),
        ("target = 'network:classes=0'\ndropout = 0.5", "dropout"),
        ("target = 'network:classes=0,dropout=0.5'", "target: network:dropout"),
    ],
)
def test_a_file_may_not_describe_what_it_leaves_out(tmp_path: Path, own: str, key: str) -> None:
    path = tmp_path / "net.toml"
    path.write_text(own)
    with pytest.raises(UserError, match=f"net.toml: {key} does nothing: there is no classifier"):
        read_request(str(path))


def test_a_table_of_a_user_has_one_width_and_a_report_has_both(tmp_path: Path) -> None:
    path = tmp_path / "net.toml"
    path.write_text("stages = [{t = 6, c = 16, hidden = 32}]")
    with pytest.raises(UserError, match="has t and hidden, which both make the hidden channels"):
        read_request(str(path))
    report = mbv2_here("summary", "network:stages=c16h32", "--no-forward", "--format", "json")
    path = tmp_path / "report.json"
    path.write_text(report.stdout)
    assert read_request(str(path)).spec == read_request("network:stages=c16h32").spec


def test_cases_of_a_list_keep_what_one_of_them_uses(tmp_path: Path) -> None:
    path = tmp_path / "mbv2.toml"
    path.write_text(
        "[case.a]\ntarget = 'network'\nclasses = [0, 10]\ndropout = 0.5\nmax_params = 9\n"
    )
    specs: list[Any] = [case.request.spec for case in read_config(path).cases]  # type: ignore[union-attr]  # no module
    assert [(spec.classes, spec.dropout) for spec in specs] == [(0, 0.2), (10, 0.5)]
    path.write_text("[case.a]\ntarget = 'network'\nclasses = 0\ndropout = 0.5\nsize = [96, '64']\n")
    with pytest.raises(UserError, match=r"case.a.dropout does nothing: there is no classifier"):
        read_config(path)


@pytest.mark.parametrize(
    ("target", "flags", "targets"),
    [
        (
            "network",
            {"classes": "0,10", "dropout": "0.5"},
            ["network:classes=0", "network:classes=10,dropout=0.5"],
        ),
        (
            "network:dropout=0.5,head_scaling=fixed",
            {"classes": "0,10", "head": "0,64"},
            [
                "network:classes=0,head=0",
                "network:classes=0,head=64,head_scaling=fixed",
                "network:classes=10,dropout=0.5,head=0",
                "network:classes=10,dropout=0.5,head=64,head_scaling=fixed",
            ],
        ),
        ("block", {"se": "0,0.25", "se_of": "in"}, ["block:se=0.0", "block:se=0.25,se_of=in"]),
        (
            "block",
            {"expansion": "always", "type": "fused,inverted"},
            ["block:type=fused", "block:type=inverted,expansion=always"],
        ),
    ],
)
def test_the_target_of_a_member_has_no_setting_that_does_nothing(
    target: str, flags: dict[str, str], targets: list[str]
) -> None:
    space = read_space(target, [Setting(key, text, f"--{key}") for key, text in flags.items()])
    members = product(*(range(len(axis.values)) for axis in space.varied))
    assert [space.target(member) for member in members] == targets
    assert all(read_request(one).spec for one in targets)


@pytest.mark.parametrize("name", presets())
def test_a_preset_is_a_network_of_the_settings_that_do_something(name: str) -> None:
    spec = read_request(name).spec
    values = spec.model_dump(by_alias=True, exclude_defaults=True, mode="json")
    of_use = NetworkSpec.model_validate(without_idle("network", values))
    assert isinstance(spec, NetworkSpec)
    assert structure_of(of_use) == structure_of(spec)


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
