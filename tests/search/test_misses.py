"""Why no member fits: each figure and each change is held against plans."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mbv2cli import nearest, plan_of
from mbv2cli.costs.figures import TFLM, Counting, combining_figures, figure_named
from mbv2cli.costs.memory import MEMORY_RULES
from mbv2cli.nearest import scaled
from mbv2cli.search.misses import Change, Miss, Misses, misses
from mbv2cli.search.query import Bound, Draw, Ordering, Query
from mbv2cli.search.run import in_this_process, search
from mbv2cli.search.space import read_space
from mbv2cli.search.where import read_where
from mbv2cli.specs.reader import Setting, read_request
from tests.process import mbv2_here
from tests.search.test_space import settings_of

SPACE = read_space("network", settings_of({"width_mult": [0.35, 0.75, 1], "size": "64,96"}))
LITERAL = (
    *("network", "--width-mult", "0.35:1:0.05", "--size", "96:160:16", "--dtype", "int8"),
    *("--max-peak", "320KiB", "--max-flash", "1MiB", "--max-macs", "60M"),
)
EXTREMES = {
    "classes": "0",
    "size": "1",
    "width_mult": "0.01",
    "dtype": "int8",
    "peak_rule": "inplace-depthwise",
}
"""The value of each field that makes a model smallest."""

countings = st.builds(
    Counting,
    convention=st.just("conv+linear"),
    rule=st.sampled_from([rule.name for rule in MEMORY_RULES]),
    dtype=st.sampled_from(["float32", "int8"]),
)


def bounds_of(share: float, counting: Counting) -> list[Bound]:
    """Return a limit for each figure: a share of the smallest member's, so that none keeps it."""
    plan = plan_of(read_request(SPACE.target((0, 0))).spec)
    return [
        Bound(
            figure.name,
            int(plan.figure(figure, counting) * (1 / share if is_minimum else share)),
            is_minimum,
        )
        for figure in combining_figures()
        for is_minimum in [figure.better is not figure_named("macs").better]
    ]


def query_of(*bounds: Bound, counting: Counting, where: str | None = None) -> Query:
    return Query(
        space=SPACE,
        draw=Draw(SPACE.size),
        counting=counting,
        bounds=bounds,
        where=read_where(where) if where else None,
        order=Ordering("macs"),
        top=1,
    )


def misses_of(query: Query) -> Misses | None:
    return misses(query, search(query, in_this_process(query), _ignore, _ignore).result)


def _ignore(_: object) -> None:
    pass


def amount_with(miss: Miss, counting: Counting, field: str, value: str) -> int | None:
    """Return the figure of a member with another value of a field, planned by its target."""
    if field == "dtype":
        counting = counting._replace(dtype=value)
    if field == "peak_rule":
        counting = counting._replace(rule=value)
    flags = [] if field in ("dtype", "peak_rule") else [Setting(field, value, field)]
    request = read_request(miss.member.target, flags)
    return plan_of(request.spec, request.input).figure(figure_named(miss.bound.figure), counting)


@pytest.mark.parametrize(
    ("line", "change"),
    [
        ("network --width-mult 0.1 --size 64 --classes 2 --max-tflm 64KiB", "size 64 -> 62"),
        ("network:size=224 --width-mult 0.35 --classes 2 --max-tflm 320KiB", "size 224 -> 146"),
        ("network:size=64x200 --width-mult 0.35 --max-tflm 30KiB", "size 64x200 -> 22x70"),
        ("--in 16 --out 24 --stride 2 --size 32 --kernel 3 --max-tflm 160KiB", "size 32 -> 31"),
    ],
)
def test_no_nearer_input_keeps_a_limit_of_the_arena(line: str, change: str) -> None:
    # the arena of PyTorch's padding is smallest where few feature maps have an even side
    shown = mbv2_here("sweep", *line.split(), "--format", "json").stdout
    (limit,) = json.loads(shown)["misses"]["limits"]
    (found,) = (one for one in limit["changes"] if one["field"] == "size")
    assert f"size {found['before']} -> {found['after']}" == change
    assert limit["left_out"] == []
    request = read_request(limit["target"])
    bound = int(limit["condition"].split()[-1])
    larger = max(request.input.size)
    for side in range(max(map(int, found["after"].split("x"))), larger):
        arena = plan_of(request.spec, scaled(request.input, side)).figure(TFLM)
        assert (arena <= bound) is (str(side) in found["after"].split("x"))


def test_values_that_are_left_out_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest, "MAX_OPS", 1)
    line = "network --width-mult 0.35 --classes 2 --size 224 --max-tflm 320KiB"
    shown = " ".join(mbv2_here("sweep", *line.split()).stdout.split())
    assert "Not every value of width_mult was tried: that takes too long." in shown


def test_no_change_is_said_to_keep_an_arena_that_is_not_known() -> None:
    words = ["sweep", "network:act=gelu", "--width-mult", "0.35,1", "--max-tflm", "700KiB"]
    shown = " ".join(mbv2_here(*words).stdout.split())
    assert "tflm is not known: no rule for an operation. No change was tried." in shown
    assert "nough" not in shown
    shown = " ".join(mbv2_here(*words, "--max-macs", "10M").stdout.split())
    assert "Enough: size" in shown
    assert "every limit holds" not in shown


def next_value(change: Change) -> str | None:
    """Return the value of a field that is a step nearer to the member's own than the change."""
    match change.field:
        case "classes" | "size":
            return str(int(change.after) + 1)
        case "width_mult":
            return f"{float(change.after) + 0.01:.2f}"
        case _:
            return None


@settings(max_examples=40)
@given(st.floats(0.05, 0.95), countings, st.data())
def test_each_change_is_enough_and_is_the_smallest(
    share: float, counting: Counting, data: st.DataObject
) -> None:
    bound = data.draw(st.sampled_from(bounds_of(share, counting)))
    found = misses_of(query_of(bound, counting=counting))
    if found is None:  # the smallest input is 64×64, not that of the limits
        return
    (miss,) = found.limits
    figure = figure_named(bound.figure)
    figures = [one.plan.figure(figure, counting) for one in every_member()]
    best = (max if bound.is_minimum else min)(figures)
    assert (miss.met, miss.amount) == (sum(map(bound.holds, figures)), best)
    for change in miss.changes:
        assert amount_with(miss, counting, change.field, change.after) == change.amount
        assert bound.holds(change.amount)
        assert change.fits
        nearer = next_value(change)
        if nearer is not None and nearer != change.before:
            assert not bound.holds(amount_with(miss, counting, change.field, nearer))
    for field in set(miss.tried) - {change.field for change in miss.changes}:
        assert not bound.holds(amount_with(miss, counting, field, EXTREMES[field]))
    if miss.parts:
        assert figure.start + sum(part.amount for part in miss.parts) == miss.amount
        amounts = [part.amount for part in miss.parts]
        assert amounts == sorted(amounts, reverse=True)
    elif not miss.met:
        assert miss.culprit
        assert miss.culprit.op is not None


@dataclass(frozen=True)
class _Planned:
    plan: Any


def every_member() -> list[_Planned]:
    requests = [
        read_request(SPACE.target((width, size))) for width in range(3) for size in range(2)
    ]
    return [_Planned(plan_of(request.spec, request.input)) for request in requests]


def test_the_question_of_a_microcontroller_has_an_answer() -> None:
    result = mbv2_here("sweep", *LITERAL)
    assert (result.code, result.stderr) == (0, "")
    text = " ".join(result.stdout.split())
    assert "flash <= 1,024.00 KiB: no member keeps it. The nearest is 1,654.50 KiB" in text
    assert "Largest parts of 1,654.50 KiB: classifier 1,253.91 KiB (76%)" in text
    assert "Enough: classes 1000 -> 497, with 1,023.79 KiB; then every limit holds." in text
    assert "macs <= 60,000,000: 41 members keep it. The smallest is 11,934,128" in text
    assert "0 feasible" not in mbv2_here("sweep", *LITERAL, "--classes", "497").stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--max-macs 9", "No single change of classes, size or width_mult is enough."),
        (
            "--max-peak 300KiB",
            "The peak is at features.2.conv.1.0 (depthwise), 1x48x48x48 -> 1x48x24x24.",
        ),
        ("--max-peak 300KiB", "Enough: dtype float32 -> int8, with 135.00 KiB"),
        (
            "--max-peak 510KiB",
            "Enough: peak_rule layerwise -> inplace-depthwise, with 504.00 KiB",
        ),
        (
            "--max-macs 12M --max-params 3M --min-receptive-field 495",
            "receptive_field >= 495: no member keeps it. The nearest is 491",
        ),
        (
            "--max-macs 12M --where macs>12000000",
            "No member keeps both macs <= 12,000,000 and macs>12000000.",
        ),
    ],
)
def test_what_a_report_says(arguments: str, words: str) -> None:
    space = ("network", "--width-mult", "0.35,1", "--size", "96,128")
    result = mbv2_here("sweep", *space, *arguments.split())
    assert words in " ".join(result.stdout.split())


def test_limits_that_exclude_each_other_are_told() -> None:
    space = read_space("block", settings_of({"kernel": [3, 5, 7], "in": [8, 16], "size": 8}))
    params = plan_of(read_request("block:kernel=3,in=8").spec).totals.params
    bounds = (
        Bound("params", params),
        Bound("macs", 10**9),
        Bound("receptive_field", 7, is_minimum=True),
    )
    query = replace(query_of(*bounds, counting=Counting()), space=space, draw=Draw(space.size))
    found = misses_of(query)
    assert found is not None
    assert found.exclusive == ((bounds[0], bounds[2]),)
    assert [miss.met for miss in found.limits] == [1, 6, 2]
    assert found.nearest
    # a kernel of 5: 5/7 of the receptive field, and a few more parameters than those allowed
    assert found.nearest.target == "block:in=8,kernel=5,size=8"
    assert found.factor == pytest.approx(7 / 5)
    words = "Each limit has members that keep it. The nearest member to all limits breaks a limit"
    flags = ("--kernel", "3,5,7", "--in", "8,16", "--size", "8", "--max-params", str(params))
    shown = mbv2_here("sweep", *flags, "--min-receptive-field", "7").stdout
    assert f"{words} by a factor of 1.40: block:in=8,kernel=5,size=8" in " ".join(shown.split())
    assert f"No member keeps both params <= {params:,} and receptive_field >= 7." in shown


def test_only_an_empty_result_without_an_interruption_has_misses() -> None:
    counting = Counting()
    assert misses_of(query_of(Bound("macs", 10**12), counting=counting)) is None
    assert misses_of(query_of(counting=counting, where="macs < 0")) is None
    kept = misses_of(query_of(Bound("macs", 10**12), counting=counting, where="macs < 0"))
    assert kept is not None
    assert (kept.nearest, kept.exclusive) == (None, ())


@pytest.mark.parametrize(
    ("limit", "flags", "code"),
    [("1", (), 0), ("1", ("--fail-if-empty",), 1), ("1G", ("--fail-if-empty",), 0)],
)
def test_an_empty_result_fails_on_demand(
    tmp_path: Path, limit: str, flags: tuple[str, ...], code: int
) -> None:
    result = mbv2_here("sweep", "--max-macs", limit, *flags, "-q", cwd=tmp_path)
    assert result == (code, "", "")
