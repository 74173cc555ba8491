from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np
import pytest
import tomli_w
from hypothesis import assume, example, given
from hypothesis import strategies as st

from mbv2cli import BlockSpec, InputSpec, NetworkSpec, Stage, UserError, plan_of
from mbv2cli.costs.figures import Counting, figure_named
from mbv2cli.search.engine import Engine
from mbv2cli.search.query import REPORTED
from mbv2cli.search.space import Space, read_space, read_space_file
from mbv2cli.specs.base import keys
from mbv2cli.specs.fields import (
    BlockType,
    Expansion,
    Gate,
    HeadScaling,
    Padding,
    RatioOf,
    Shortcut,
    StemScaling,
)
from mbv2cli.specs.idle import IdleError
from mbv2cli.specs.network import PAPER_STAGES
from mbv2cli.specs.presets import presets
from mbv2cli.specs.reader import Request, Setting, read_request
from mbv2cli.specs.stage_text import LETTERS, WORDS, read_stages
from tests import strategies
from tests.strategies import activations, expand_ratios, odd_kernels

Choices = dict[str, Any]
"""Keys and what a user gives for them: a value, a list of values, or stages of such."""

# ratios below 1 leave some blocks of few channels without a hidden one: not all members exist
ratios = st.one_of(st.just(1), expand_ratios, st.sampled_from([0.01, 0.125, 0.5, 2.5]))
dilations = st.sampled_from([1, 2, 3, 700])
# a list of two ints would be ambiguous
sizes = st.one_of(
    st.integers(1, 70).map(str), st.tuples(st.integers(1, 70), st.integers(1, 70)).map(list)
)
strides = st.sampled_from([1, 1, 2, 3, "2x1", "1x2"])
_INPUT: Final[Choices] = {"size": sizes, "batch": st.integers(1, 3)}
_RELATIVES: Final[Choices] = {
    "hidden_nearest": st.sampled_from([1, 3, 8]),
    "expansion": st.sampled_from(get_args(Expansion)),
    "shortcut": st.sampled_from(get_args(Shortcut)),
    "se": st.sampled_from([0, 0.25, 0.5]),
    "se_of": st.sampled_from(get_args(RatioOf)),
    "se_nearest": st.sampled_from([1, 8]),
    "se_act": activations,
    "se_gate": st.sampled_from(get_args(Gate)),
    "padding": st.sampled_from(get_args(Padding)),
    "norm_eps": st.sampled_from([1e-5, 1e-3]),
}
"""Fields that blocks and networks have for the relatives of MobileNetV2."""

_NETWORK: Final[Choices] = {
    **_INPUT,
    "in": st.integers(1, 5),
    "width_mult": st.floats(0.05, 2.5),
    "depth_mult": st.floats(0.1, 2.5),
    "expand": ratios,
    "classes": st.integers(0, 12),
    "round_nearest": st.integers(1, 16),
    "output_stride": st.sampled_from([2, 4, 8, 16, 32]),
    "dropout": st.sampled_from([0, 0.2, 0.5]),
    "stem": st.integers(1, 40),
    "head": st.integers(0, 64),
    "stem_scaling": st.sampled_from(get_args(StemScaling)),
    "head_scaling": st.sampled_from(get_args(HeadScaling)),
    "act": activations,
    "stem_stride": strides,
    "classifier_hidden": st.integers(0, 9),
    "classifier_hidden_bias": st.booleans(),
    "classifier_bias": st.booleans(),
    **_RELATIVES,
}
_BLOCK: Final[Choices] = {
    **_INPUT,
    "in": st.integers(1, 20),
    "out": st.integers(1, 20),
    "stride": strides,
    "expand": ratios,
    "kernel": odd_kernels,
    "dilation": dilations,
    "act": activations,
    "type": st.sampled_from(get_args(BlockType)),
    "hidden": st.integers(1, 60),
    **_RELATIVES,
}


def _lists_of(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(values, min_size=1, max_size=3)


def _some_of(choices: Choices, at_most: int) -> st.SearchStrategy[Choices]:
    return st.lists(st.sampled_from(sorted(choices)), unique=True, max_size=at_most).flatmap(
        lambda names: st.fixed_dictionaries({name: _lists_of(choices[name]) for name in names})
    )


_stages = st.fixed_dictionaries(
    {"t": _lists_of(ratios), "c": _lists_of(st.integers(1, 24))},
    optional={
        "n": _lists_of(st.integers(1, 3)),
        "s": _lists_of(strides),
        "k": _lists_of(odd_kernels),
        "dilation": _lists_of(dilations),
    },
)
_widths = st.one_of(
    st.fixed_dictionaries({"t": _lists_of(ratios)}),
    st.fixed_dictionaries({"hidden": _lists_of(st.integers(1, 40))}),
)
_relatives = st.fixed_dictionaries(
    {"c": _lists_of(st.integers(1, 24))},
    optional={
        "n": _lists_of(st.integers(1, 3)),
        "s": _lists_of(strides),
        "type": _lists_of(st.sampled_from(get_args(BlockType))),
        "act": _lists_of(activations),
        "se": _lists_of(st.sampled_from([0, 0.25])),
        "shortcut": _lists_of(st.sampled_from(get_args(Shortcut))),
        "expansion": _lists_of(st.sampled_from(get_args(Expansion))),
    },
)
_stages_of_relatives = st.builds(lambda width, rest: width | rest, _widths, _relatives)


def _of_use(kind: str, choices: Choices) -> Choices:
    """Return choices in which each field may do something: mbv2 refuses the others."""
    stages: list[Choices] = choices.get("stages", [])
    found = dict(choices)
    if any(key.startswith("se_") for key in found) and not any("se" in one for one in stages):
        found.setdefault("se", [0, 0.25])
    if "classifier_hidden_bias" in found:
        found.setdefault("classifier_hidden", [0, 3])
    return _without_idle(kind, found)


def _without_idle(kind: str, choices: Choices) -> Choices:
    try:
        read_space(kind, settings_of(choices))
    except IdleError as idle:
        return _without_idle(kind, {key: one for key, one in choices.items() if key != idle.key})
    return choices


block_choices = _some_of(_BLOCK, 4).map(lambda choices: _of_use("block", choices))
network_choices = st.builds(
    lambda fields, stages: _of_use("network", {**fields, **({"stages": stages} if stages else {})}),
    _some_of(_NETWORK, 4),
    st.lists(st.one_of(_stages, _stages_of_relatives), max_size=3),
)


def settings_of(choices: Choices) -> list[Setting]:
    return [Setting(key, value, f"--{key}") for key, value in choices.items()]


spaces = st.one_of(
    st.builds(lambda choices: read_space("block", settings_of(choices)), block_choices),
    st.builds(lambda choices: read_space("network", settings_of(choices)), network_choices),
)


def some_members(space: Space, count: int) -> list[tuple[int, ...]]:
    """Return all members of a small space, and ``count`` of a larger one."""
    radices = [len(axis.values) for axis in space.varied]
    if space.size <= count:
        return list(product(*map(range, radices)))
    generator = random.Random(space.size)  # noqa: S311  (which of them does not matter)
    return [tuple(map(generator.randrange, radices)) for _ in range(count)]


def values_of(space: Space, member: Sequence[int]) -> list[tuple[Any, Any]]:
    """Return each axis with the value that a member has there."""
    numbers = iter(member)
    return [
        (axis, axis.values[next(numbers) if len(axis.values) > 1 else 0]) for axis in space.axes
    ]


def settings_of_member(space: Space, member: Sequence[int]) -> list[Setting]:
    """Return what the target of a member has to say, without the text of a target."""
    settings: list[Setting] = []
    stages: list[dict[str, Any]] = [{} for _ in range(space.stages)]
    for axis, value in values_of(space, member):
        if axis.explicit and axis.stage is None:
            settings.append(Setting(axis.key, value, axis.key))
        elif axis.explicit and axis.given:
            stages[axis.stage][axis.key] = value
    return [*settings, Setting("stages", stages, "stages")] if any(stages) else settings


def _read_of_use(base: str, settings: Sequence[Setting]) -> Request:
    try:
        return read_request(base, settings)
    except IdleError as idle:
        return _read_of_use(base, [one for one in settings if one.key != idle.key])


def assert_targets_name_members(space: Space) -> None:
    for member in some_members(space, 12):
        try:
            expected = _read_of_use(space.base, settings_of_member(space, member))
        except UserError:
            with pytest.raises(UserError):
                read_request(space.target(member))
        else:
            request = read_request(space.target(member))
            assert (request.kind, request.spec) == (expected.kind, expected.spec)
            assert request.input == expected.input


@given(spaces)
def test_the_target_of_a_member_is_read_as_its_values(space: Space) -> None:
    assert_targets_name_members(space)


@given(spaces)
def test_the_axes_have_what_a_member_s_spec_has(space: Space) -> None:
    for member in some_members(space, 12):
        target = space.target(member)
        try:
            request = read_request(target)
        except UserError:
            continue
        spec = request.spec
        named = {text.partition("=")[0] for text in target.partition(":")[2].split(",")}
        for axis, value in values_of(space, member):
            if axis.explicit and axis.stage is None and axis.key not in named:
                continue  # it does nothing in this member
            owner: Any = request.input if axis.key in keys(InputSpec) else spec
            if axis.stage is not None and isinstance(spec, NetworkSpec):
                owner = spec.stages[axis.stage]
            fields = type(owner).model_fields.items()
            name = next(n for n, one in fields if axis.key in (n, one.serialization_alias))
            is_of_block = name == "expand" and isinstance(owner, BlockSpec | Stage)
            if is_of_block and (owner.type == "conv" or owner.hidden is not None):
                continue  # the ratio is 1, or follows from the hidden channels
            assert value in (getattr(owner, name), None)  # None: follows from the stages


@given(st.sampled_from(list(presets())), _some_of(_NETWORK, 3))
def test_members_of_a_preset_keep_its_own_settings(name: str, choices: Choices) -> None:
    try:
        space = read_space(name, settings_of(_of_use("network", choices)))
    except UserError as error:
        assume("does nothing" not in str(error))  # every stage of some presets has the field
        raise
    assert space.base == name
    assert_targets_name_members(space)


TINY: Final = """
in = 1
classes = 2
stages = [{t = 1, c = 8}, {t = 4, c = 16, n = 2, s = 2, kernel = 5, dilation = 2}]
size = "32x48"
"""


def test_members_of_a_file_keep_its_own_settings(tmp_path: Path) -> None:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    space = read_space(str(path), settings_of({"classes": [3, 4], "width_mult": "0.5:1:0.25"}))
    assert (space.size, space.stages) == (6, 2)
    assert space.target((2, 1)) == f"{path}:width_mult=1.0,classes=4"
    request = read_request(space.target((2, 0)))
    assert request.input == InputSpec(size=(32, 48))
    assert_targets_name_members(space)


def test_inline_settings_are_told_in_every_target() -> None:
    space = read_space("paper:classes=7,size=64x96", settings_of({"width_mult": [0.5, 1]}))
    assert [space.target((number,)) for number in (0, 1)] == [
        "paper:width_mult=0.5,classes=7,size=64x96",
        "paper:width_mult=1.0,classes=7,size=64x96",
    ]


@given(network_choices)
def test_a_space_file_is_read_as_flags_are(
    tmp_path_factory: pytest.TempPathFactory, choices: Choices
) -> None:
    path = tmp_path_factory.mktemp("space") / "space.toml"
    path.write_text(tomli_w.dumps(choices))
    assert read_space_file(path) == read_space("network", settings_of(choices))


def test_a_space_file_names_its_target_and_flags_win_over_it(tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").write_text(TINY)
    path = tmp_path / "space.toml"
    target = "tiny.toml:in=2,batch=3"  # found beside the space file, wherever mbv2 runs
    path.write_text(tomli_w.dumps({"target": target, "classes": [5, 6], "in": 4}))
    space = read_space_file(path, settings_of({"classes": "7,8,9"}))
    assert [(axis.name, axis.values) for axis in space.varied] == [("classes", (7, 8, 9))]
    assert space.target((2,)) == f"{tmp_path}/tiny.toml:in=4,classes=9,batch=3"


def test_the_target_of_a_space_file_is_relative_to_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "nets:old"
    folder.mkdir()
    (folder / "tiny.toml").write_text(TINY)
    (folder / "space.toml").write_text('target = "tiny.toml:in=2"\nclasses = [5, 6]\n')
    space = read_space_file(folder / "space.toml")
    assert space.target((1,)) == f"{folder}/tiny.toml:in=2,classes=6"
    assert read_space(str(folder / "tiny.toml")).target(()) == f"{folder}/tiny.toml"
    assert_targets_name_members(space)


@pytest.mark.parametrize("base", ["network", "paper", "block", "keras_050:classes=3"])
def test_a_space_file_takes_every_target(tmp_path: Path, base: str) -> None:
    path = tmp_path / "space.toml"
    path.write_text(tomli_w.dumps({"target": base, "size": ["32", "48"]}))
    assert read_space_file(path) == read_space(base, settings_of({"size": "32,48"}))


@given(st.one_of(network_choices, block_choices.map(lambda choices: {"target": "block"} | choices)))
@example({"target": "block", "size": ["1", "2"]})  # other commands read one size, 1×2
def test_a_target_that_is_a_file_with_lists_names_each_field_that_varies(
    tmp_path_factory: pytest.TempPathFactory, choices: Choices
) -> None:
    path = tmp_path_factory.mktemp("target") / "t.toml"
    path.write_text(tomli_w.dumps(choices))
    space = read_space(str(path))
    members = some_members(space, 8)
    digits = np.array(members, np.intp).reshape(len(members), len(space.varied)).T
    engine = Engine(space, REPORTED, Counting(), 0)
    figures = zip(*(one.tolist() for one in engine.values(digits)), strict=True)
    for member, exists, amounts in zip(members, engine.exist(digits), figures, strict=True):
        if not exists:
            with pytest.raises(UserError):
                read_request(space.target(member))
            continue
        request = read_request(space.target(member))
        plan = plan_of(request.spec, request.input)
        assert amounts == tuple(plan.figure(figure_named(name), Counting()) for name in REPORTED)


@pytest.mark.parametrize(
    ("width_mult", "target"),
    [
        ([0.5, 1], "t.toml:width_mult=0.5"),
        ([0.5], "t.toml:width_mult=0.5"),
        ("0.5,1", "t.toml:width_mult=0.5"),
        ("0.5:1:0.5", "t.toml:width_mult=0.5"),
        ("0.5", "t.toml"),
        (0.5, "t.toml"),
    ],
)
def test_a_field_of_a_target_file_is_named_if_other_commands_cannot_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width_mult: object, target: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("t.toml").write_text(tomli_w.dumps({"width_mult": width_mult}))
    space = read_space("t.toml")
    assert space.target((0,) * len(space.varied)) == target
    spec = read_request(target).spec
    assert isinstance(spec, NetworkSpec)
    assert spec.width_mult == 0.5


@pytest.mark.parametrize("is_space_file", [True, False])
def test_a_size_of_two_numbers_is_refused_with_both_spellings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_space_file: bool
) -> None:
    monkeypatch.chdir(tmp_path)

    def read(written: str, **flags: str) -> Space:
        Path("t.toml").write_text(f"classes = 3\nsize = {written}\n")
        given = settings_of(flags)
        return (
            read_space_file(Path("t.toml"), given) if is_space_file else read_space("t.toml", given)
        )

    with pytest.raises(UserError) as error:
        read("[32, 48]")
    assert str(error.value) == (
        't.toml: size = [32, 48] may be one input or two sizes; write size = "32x48" for one input '
        'of that height and width, or size = ["32x32", "48x48"] for two sizes'
    )
    axes = {axis.key: axis.values for axis in read('"32x48"').axes}
    assert axes["size"] == ((32, 48),)
    two = ((32, 32), (48, 48))
    assert {axis.key: axis.values for axis in read('["32x32", "48x48"]').axes}["size"] == two
    assert read("[32, 48]", size="64").size == 1  # the flag replaces the value of the file


def test_members_are_counted_and_axes_named() -> None:
    stages = [{"t": 1, "c": [8, 16]}, {"t": [3, 6], "c": 24, "k": [3, 5, 7]}]
    space = read_space("network", settings_of({"stages": stages, "size": "96:128:32"}))
    assert space.size == 2 * 2 * 3 * 2
    assert [axis.name for axis in space.varied] == ["size", "s1.c", "s2.t", "s2.kernel"]
    assert read_space("block").size == 1
    assert read_space("block").target(()) == "block"


def test_expand_replaces_the_ratio_of_every_stage_but_those_of_1() -> None:
    space = read_space("network", settings_of({"expand": [3, 4.5, 1]}))
    for number, ratio in enumerate((3, 4.5, 1)):
        spec = read_request(space.target((number,))).spec
        assert isinstance(spec, NetworkSpec)
        first, *others = spec.blocks
        assert (first.expand, {block.expand for block in others}) == (1, {ratio})


@given(strategies.network_specs(), ratios)
def test_expand_is_a_shorthand_for_the_ratios_of_the_stages(
    spec: NetworkSpec, ratio: float
) -> None:
    values = spec.model_dump(by_alias=True)
    replaced = [
        {**stage, "t": stage["t"] if stage["t"] == 1 else ratio} for stage in values["stages"]
    ]
    try:
        expected = NetworkSpec.model_validate({**values, "expand": None, "stages": replaced})
    except UserError:
        with pytest.raises(UserError):
            NetworkSpec.model_validate({**values, "expand": ratio})
    else:
        assert NetworkSpec.model_validate({**values, "expand": ratio}).blocks == expected.blocks


def test_stages_are_read_from_one_word() -> None:
    word = "t1c16/t6c24n2s2k5d2/t2.5c32"
    request = read_request(f"network:stages={word}")
    assert isinstance(request.spec, NetworkSpec)
    assert request.spec.stages == (
        Stage(expand=1, out_channels=16),
        Stage(expand=6, out_channels=24, repeats=2, stride=2, kernel=5, dilation=2),
        Stage(expand=2.5, out_channels=32),
    )
    assert read_space("network", settings_of({"stages": word})).target(()).endswith(word)
    assert read_request(f"network:stages={word.upper()}").spec == request.spec
    assert read_request("network:stages=k5s2c16t1").spec == (
        read_request("network:stages=t1c16s2k5").spec
    )


@given(st.lists(strategies.stages, min_size=1, max_size=4))
def test_stages_round_trip_through_one_word(stages: list[Stage]) -> None:
    tables = [
        stage.model_dump(by_alias=True, exclude={"expand"} if stage.hidden else set())
        for stage in stages
    ]
    target = read_space("network", settings_of({"stages": tables})).target(())
    spec = read_request(target).spec
    assert isinstance(spec, NetworkSpec)
    assert spec.stages == tuple(stages)


@pytest.mark.parametrize("ratio", [1 / 300, 2 / 3, 1.25e-05, 0.00001862645149230957])
def test_a_ratio_of_many_digits_round_trips(ratio: float) -> None:
    # 65,536 channels leave a hidden one even so
    stages = [{"t": [ratio, 6], "c": 16}]
    space = read_space("network", settings_of({"stages": stages, "stem": 65_536}))
    assert_targets_name_members(space)
    spec = read_request(space.target((0,))).spec
    assert isinstance(spec, NetworkSpec)
    assert spec.stages[0].expand == ratio


def test_letters_stand_for_the_keys_of_a_stage() -> None:
    of_words = {key for key, _ in WORDS.values()} | {"se"}
    assert {*LETTERS.values(), *of_words} == set(keys(Stage))
    letters = {"t": 4, "c": 16, "n": 2, "s": 2, "k": 5, "d": 2}
    spelled = {"t": 4, "c": 16, "n": 2, "s": 2, "kernel": 5, "dilation": 2}
    assert read_stages([letters, spelled]) == [spelled, spelled]
    assert NetworkSpec.model_validate({"stages": [letters]}).stages == (
        Stage.model_validate(spelled),
    )
    assert read_space("network", settings_of({"stages": [letters]})) == (
        read_space("network", settings_of({"stages": [spelled]}))
    )


@pytest.mark.parametrize(
    ("stages", "words"),
    [
        ([{"t": 1, "c": 8, "kernl": 5}], "--stages[0].kernl is not a key of a stage"),
        ([{"t": 1, "c": 8, "kernl": 5}], "did you mean 'kernel'?"),
        ([{"t": 1, "c": 8}, {"t": 1, "c": 8, "m": 2}], "--stages[1].m is not a key"),
        ([{"t": 1}], "--stages[0].c is missing"),
        ([{"t": 1, "out": 8}], "--stages[0].out is not a key; c is (the keys of a stage are t, c"),
        ([{"c": []}], "--stages[0].c is an empty list"),
        ([{"c": [8, 0]}], "--stages[0].c must be a whole number"),
        ([{"c": "8:4:1"}], "--stages[0].c: '8:4:1' has no values"),
        ([{"c": 8, "k": [3, 4]}], "--stages[0].kernel must be an odd"),
        ([{"c": 8, "t": [1, "six"]}], "--stages[0].t must be a number above 0"),
        ([{"c": 8, "k": 3, "kernel": 5}], "--stages[0] has k and kernel, which are the same"),
        ([3], "--stages[0] must be a table"),
        ([], "--stages must be a list"),
        ([{"c": 8}] * 101, "--stages must be a list of 1 to 100 stages"),
        ([{"t": 1, "c": "1:4096:1"}] * 9, "--stages has more than 32,768 values; give fewer"),
        (3, "--stages must be a list"),
        ("t1c8/c", "--stages must be a list"),
        ("t1c8t1", "--stages: 't1c8t1' gives t twice; give it once"),
        ("t1c8/x6c16", "--stages[1].x is not a key of a stage"),
        ("", "--stages must be a list"),
    ],
)
def test_what_is_no_stage_is_told_with_its_place(stages: object, words: str) -> None:
    with pytest.raises(UserError) as error:
        read_space("network", settings_of({"stages": stages}))
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("target", "choices", "words"),
    [
        ("network", {"kernel": [3, 5]}, "--kernel belongs to a block"),
        ("block", {"width_mult": [1, 2]}, "--width_mult belongs to a network"),
        ("block", {"stages": "t1c8"}, "--stages belongs to a network"),
        ("network", {"widht_mult": [1, 2]}, "did you mean 'width_mult'?"),
        ("nework", {}, "did you mean 'network'?"),
        ("network:size=0", {}, "network:size must be"),
        ("network:width_mult=1:2:1", {"width_mult": []}, "--width_mult is an empty list"),
    ],
)
def test_mistakes_are_told_before_anything_is_counted(
    target: str, choices: Choices, words: str
) -> None:
    with pytest.raises(UserError) as error:
        read_space(target, settings_of(choices))
    assert words in str(error.value)


def test_what_a_space_file_lacks_is_told_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "space.toml"
    path.write_text("width_mult = [0.5, 1]\nsize = []\n")
    with pytest.raises(UserError, match=r"space\.toml: size is an empty list"):
        read_space_file(path)
    with pytest.raises(UserError, match=r"cannot read .*missing\.toml"):
        read_space_file(tmp_path / "missing.toml")


def test_the_paper_s_stages_are_axes_without_a_choice() -> None:
    space = read_space("network")
    axes = {(axis.key, axis.stage): axis for axis in space.axes}
    assert space.stages == len(PAPER_STAGES)
    for number, stage in enumerate(PAPER_STAGES):
        for key, value in stage.model_dump(by_alias=True).items():
            assert axes[key, number].values == (value,)
    assert space.varied == ()


def test_a_block_has_every_field_of_its_spec() -> None:
    assert {axis.key for axis in read_space("block").axes} == {*keys(BlockSpec), *keys(InputSpec)}
