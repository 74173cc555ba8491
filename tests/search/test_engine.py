from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from mbv2cli import UserError, plan_of
from mbv2cli.costs.conventions import MAC_CONVENTIONS, Convention
from mbv2cli.costs.figures import Counting
from mbv2cli.costs.memory import EAGER, ELEMENT_BYTES, LAYERWISE, MEMORY_RULES, MemoryRule
from mbv2cli.graph.graph import GraphInModel
from mbv2cli.inspection import Plan
from mbv2cli.search.engine import Engine
from mbv2cli.search.figures import COSTS, SIDES, WHOLE, figure_names
from mbv2cli.search.query import REPORTED
from mbv2cli.search.space import Space, read_space, read_space_file
from mbv2cli.search.tables import LARGEST, Digits
from mbv2cli.specs.reader import Request, read_request
from tests.search.test_space import Choices, settings_of, some_members, spaces, values_of

TABULATED: Final = 10**9
"""So many members are worth a table of every segment that is not too large."""

DIRECT: Final = 0
"""And no member is."""

LEAST: Final = 500
"""Members of each space that are planned one by one, a part of them under each rule."""

DRAWN: Final = 120
"""Members drawn for each convention; not all of them can be built."""

TINY_NAS: Final = """
classes = 10
in = 1
width_mult = [0.35, 0.5, 0.75, 1]
size = [64, 96, 128, "80x112"]
stages = [
    {t = 1, c = [8, 16, 24], k = [3, 5, 7]},
    {t = [3, 4, 6], c = [16, 24, 32], n = [1, 2, 3], s = 2, k = [3, 5, 7]},
    {t = [3, 4, 6], c = [24, 32, 40], n = [1, 2, 3], s = 2, k = [3, 5, 7]},
    {t = [3, 4, 6], c = [40, 64, 80], n = [1, 2, 3], s = 2, k = [3, 5, 7]},
    {t = [3, 4, 6], c = [80, 96], n = [1, 2, 3], k = [3, 5, 7]},
    {t = [3, 4, 6], c = [96, 160], n = [1, 2, 3], s = 2, k = [3, 5, 7]},
    {t = [3, 4, 6], c = [160, 320], k = [3, 5, 7]},
]
"""
# what cannot be built here: output strides that the strides do not reach, dilations beyond 1,024
# once strides become dilation, ratios that leave no hidden channel
HELD: Final = """
batch = [1, 3]
in = [1, 5]
act = ["relu", "gelu", "identity"]
dropout = [0, 0.5]
classes = [0, 10]
width_mult = [0.1, 1, 1.5]
depth_mult = [0.5, 1.7]
round_nearest = [1, 8]
output_stride = [8, 16]
stem = 16
stem_scaling = ["scaled", "fixed"]
head = 40
head_scaling = ["widen", "scaled", "fixed"]
size = [1, "17x40", "64x33"]
stages = [
    {t = [1, 2], c = [3, 16], n = [1, 2], s = [2, 4]},
    {t = [0.3, 2.5], c = [3, 16], n = [1, 3], s = 2, k = [1, 5]},
    {t = [6, 1], c = 16, n = [1, 2], s = [1, 2], d = [1, 2, 1000]},
    {t = 3, c = [16, 24], n = [1, 2], s = [1, 3], k = 7},
]
"""
WILD: Final = """
batch = [1, 2]
in = [1, 2]
act = ["silu", "hardswish", "leaky_relu"]
dropout = [0, 0.9]
classes = [0, 1]
expand = [0.02, 0.9, 1, 4]
width_mult = [0.05, 2]
depth_mult = 1.3
round_nearest = [1, 3]
stem = [1, 32]
head = [0, 1, 64]
head_scaling = ["widen", "scaled", "fixed"]
size = [1, "70x2", "31x32"]
stages = [
    {t = [1, 8], c = [1, 20], n = [1, 2, 3], s = [1, 2, 3], d = [1, 1024]},
    {t = [1, 0.5], c = [20, 24], n = [1, 2], s = [1, 2, 3], k = [1, 3, 9]},
    {t = 1, c = [2, 64], n = 2, s = [1, 3]},
]
"""
BLOCK: Final = """
target = "block"
batch = [1, 2]
in = [1, 3, 8, 24]
out = [1, 8, 24]
stride = "1:3:1"
expand = [0.04, 0.5, 1, 1.5, 6]
kernel = [1, 5]
dilation = [1, 1000]
act = ["relu", "relu6", "hardswish", "silu", "gelu", "leaky_relu", "identity"]
size = [1, "32x48", "97x3"]
"""
SPACES: Final = {"tiny-nas": TINY_NAS, "held": HELD, "wild": WILD, "block": BLOCK}


@pytest.fixture(params=SPACES)
def space(request: pytest.FixtureRequest, tmp_path: Path) -> Space:
    path = tmp_path / "space.toml"
    path.write_text(SPACES[request.param])
    return read_space_file(path)


def digits_of(space: Space, members: list[tuple[int, ...]]) -> Digits:
    return np.array(members, np.intp).reshape(len(members), len(space.varied)).T


def random_digits(space: Space, count: int, seed: int) -> Digits:
    generator = np.random.default_rng(seed)
    return np.array([generator.integers(len(axis.values), size=count) for axis in space.varied])


def request_of(space: Space, member: Any) -> Request | None:
    """Return a member as any command reads it; None for what cannot be built."""
    try:
        return read_request(space.target(member))
    except UserError:
        return None


def planned(plan: Plan, counting: Counting) -> dict[str, int]:
    """Return the figures of a single graph, in ints."""
    graph = GraphInModel(plan.graph)
    return {figure.name: figure.value(graph, counting) for figure in COSTS.values()}


def assert_agrees(space: Space, digits: Digits, *countings: Counting) -> int:
    """Hold both ways of the engine against plans; return how many members there were plans of."""
    requests = [request_of(space, member) for member in digits.T.tolist()]
    existing = [request is not None for request in requests]
    plans = [plan_of(request.spec, request.input) if request else None for request in requests]
    for counting in countings:
        tabulated, direct = (
            Engine(space, REPORTED, counting, members) for members in (TABULATED, DIRECT)
        )
        assert tabulated.exist(digits).tolist() == direct.exist(digits).tolist() == existing
        looked_up, worked_out = (
            np.array(engine.values(digits)).T.tolist() for engine in (tabulated, direct)
        )
        for request, plan, *said in zip(requests, plans, looked_up, worked_out, strict=True):
            if request is not None and plan is not None:
                expected = planned(plan, counting)
                for figures in said:
                    found = dict(zip(REPORTED, figures, strict=True))
                    assert (request.target, found) == (request.target, expected)
    return sum(existing)


def test_random_members_have_the_figures_of_their_plans(space: Space) -> None:
    looked_at = 0
    for number, convention in enumerate(MAC_CONVENTIONS):
        rule = MEMORY_RULES[number % len(MEMORY_RULES)]
        dtype = list(ELEMENT_BYTES)[number % len(ELEMENT_BYTES)]
        digits = random_digits(space, DRAWN, seed=number)
        looked_at += assert_agrees(space, digits, Counting(convention.key, rule.name, dtype))
    assert looked_at >= LEAST


def test_one_of_the_two_ways_has_tables_and_the_other_none(space: Space) -> None:
    tabulated, direct = (
        Engine(space, REPORTED, Counting(), members) for members in (TABULATED, DIRECT)
    )
    assert None not in [part._table for part in tabulated._segments]
    assert {part._table for part in direct._segments} == {None}


def test_both_ways_agree_on_many_members(space: Space) -> None:
    digits = random_digits(space, 20_000, seed=1)
    for rule in MEMORY_RULES:
        tabulated, direct = (
            Engine(space, REPORTED, Counting("ptflops", rule.name), members)
            for members in (TABULATED, DIRECT)
        )
        exist = direct.exist(digits)
        for looked_up, worked_out in zip(
            tabulated.values(digits), direct.values(digits), strict=True
        ):
            assert np.array_equal(looked_up[exist], worked_out[exist])


def test_the_fields_that_are_numbers_are_figures_too(space: Space) -> None:
    names = [name for name in figure_names(space) if name not in (*REPORTED, *WHOLE)]
    assert set(names) > {side.name for side in SIDES}
    digits = random_digits(space, 200, seed=2)
    values = [one.tolist() for one in Engine(space, names, Counting(), DIRECT).values(digits)]
    for member, *found in zip(digits.T.tolist(), *values, strict=True):
        fields = {axis.key: value for axis, value in values_of(space, member) if axis.stage is None}
        height, width = fields["size"]
        fields |= {"height": height, "width": width, "size": max(height, width)}
        assert found == [fields[name] for name in names]


@given(spaces, st.sampled_from(MEMORY_RULES), st.sampled_from(MAC_CONVENTIONS))
def test_all_members_of_a_small_space_have_the_figures_of_their_plans(
    space: Space, rule: MemoryRule, convention: Convention
) -> None:
    digits = digits_of(space, some_members(space, 24))
    assert_agrees(space, digits, Counting(convention.key, rule.name))


# powers of two, so that products end well below and well above 2^60
huge = st.one_of(st.integers(0, 16).map(lambda power: 2**power), st.integers(1, 65_536))
huge_blocks = st.fixed_dictionaries(
    {
        **dict.fromkeys(("in", "out", "batch"), huge),
        "size": st.tuples(huge, huge).map(list),
        "stride": st.integers(1, 64),
        "expand": st.sampled_from([0.001, 1, 1.5, 6, 256]),
    }
)


HUGE: Final = {"in": 65_536, "out": 1, "batch": 65_536, "size": [65_536, 65_536], "stride": 1}


@example({**HUGE, "in": 1, "out": 2_048, "expand": 1}, LAYERWISE, "float64", "peak")
@example({**HUGE, "expand": 1}, LAYERWISE, "int8", "peak")
@example({**HUGE, "stride": 64, "expand": 0.001}, EAGER, "int8", "peak")
@given(
    huge_blocks,
    st.sampled_from(MEMORY_RULES),
    st.sampled_from(["float64", "int8"]),
    st.sampled_from(REPORTED),
)
def test_figures_are_exact_or_refused(
    block: dict[str, Any], rule: MemoryRule, dtype: str, figure: str
) -> None:
    # a choice of sizes makes arrays, which overflow silently where Python's ints do not
    choices = {key: [value, 1] for key, value in block.items() if key in ("in", "size", "batch")}
    space = read_space("block", settings_of({**block, **choices}))
    largest = (0,) * len(space.varied)
    request = request_of(space, largest)
    assume(request is not None)
    assert request
    counting = Counting(rule=rule.name, dtype=dtype)
    right = planned(plan_of(request.spec, request.input), counting)[figure]
    try:
        engine = Engine(space, [figure], counting, DIRECT)
    except UserError:
        assert right > LARGEST >> 17  # bounds are those of a block with an expansion
    else:
        assert int(engine.values(digits_of(space, [largest, largest]))[0][1]) == right
        assert right <= LARGEST


# few of these can be built: a ratio that leaves a hidden channel of many channels alone, and
# channels that a width multiplier takes beyond all that a block may have
@pytest.mark.parametrize(
    ("target", "choices"),
    [
        ("block", {"in": [8, 4_096], "expand": [0.0004, 6]}),
        ("network", {"stem": [16, 4_096], "expand": [0.0004, 6], "stages": "t1c8/t3c16"}),
        ("network", {"stem": [16, 4_096], "stages": [{"t": [0.0004, 6], "c": 16}]}),
        ("network", {"width_mult": [1, 1.5], "stages": [{"c": 8}, {"c": [8, 65_536]}]}),
        ("network", {"width_mult": [1, 1.5], "stem": [8, 65_536], "stages": "t1c8"}),
        ("network", {"se": [0, 0.25], "stages": [{"c": 8, "type": ["inverted", "fused"]}]}),
        ("block", {"se": [0, 0.25], "type": ["inverted", "fused"]}),
    ],
    ids=[
        "block",
        "expand",
        "ratio of a stage",
        "channels of the last stage",
        "channels of the stem",
        "squeeze-excite of a network",
        "squeeze-excite of a block",
    ],
)
def test_some_members_at_the_bounds_can_be_built(target: str, choices: Choices) -> None:
    space = read_space(target, settings_of({**choices, "size": 8}))
    assert space.size == 4
    assert 0 < assert_agrees(space, digits_of(space, some_members(space, 4)), Counting()) < 4


def test_what_is_too_large_to_be_exact_is_told() -> None:
    choices = {"in": [1, 65_536], "out": 65_536, "size": 65_536, "batch": 4_096}
    space = read_space("block", settings_of(choices))
    with pytest.raises(UserError, match=r"macs of the largest members may exceed 2\^60"):
        Engine(space, ["macs"], Counting(), DIRECT)
    with pytest.raises(UserError, match=r"exceed 2\^60"):
        Engine(space, REPORTED, Counting(), TABULATED)
    assert Engine(space, ["params"], Counting(), DIRECT).figures == ("params",)


def test_strides_that_multiply_beyond_2_to_the_60_are_told() -> None:
    space = read_space("network", settings_of({"stages": "/".join(["t1c8s64"] * 11)}))
    with pytest.raises(UserError, match=r"exceed 2\^60"):
        Engine(space, REPORTED, Counting(), DIRECT)


def test_a_table_that_would_take_minutes_is_refused() -> None:
    widths = ",".join(str(number / 1000) for number in range(1, 2100))
    stages = [{"t": 6, "c": "1:2100:1"}]
    space = read_space("network", settings_of({"width_mult": widths, "stages": stages}))
    with pytest.raises(UserError, match=r"s1\.c, width_mult have 4,4.* combinations"):
        Engine(space, ["params"], Counting(), DIRECT)
