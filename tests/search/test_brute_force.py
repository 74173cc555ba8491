"""A search finds what the plans of all members, made one by one, say.

`make test` looks at a few random spaces. ``HYPOTHESIS_PROFILE=spaces`` looks at 2,000.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from math import prod
from typing import Any, Final

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from mbv2cli import UserError, plan_of
from mbv2cli.costs.conventions import MAC_CONVENTIONS
from mbv2cli.costs.figures import Counting, figure_named
from mbv2cli.costs.memory import ELEMENT_BYTES, MEMORY_RULES
from mbv2cli.search.figures import WHOLE
from mbv2cli.search.members import CHUNK, digits_of_chunk
from mbv2cli.search.partial import front_in_order
from mbv2cli.search.query import REPORTED, Bound, Draw, Ordering, Query, draw_of
from mbv2cli.search.run import in_this_process, search
from mbv2cli.search.space import Space, read_space
from mbv2cli.search.where import Where, read_where
from mbv2cli.specs.reader import read_request
from tests.search.test_front import undominated
from tests.search.test_space import Choices, settings_of, spaces, values_of

AT_MOST: Final = 150
"""Members of a space that are planned one by one: all of a small space, a sample of a large one."""

LARGE: Final = 2**16
"""Combinations of values that a number of two bytes cannot tell apart."""

Figures = dict[str, Any]


def range_of(most: int, least_values: int, step: int) -> st.SearchStrategy[str]:
    """Return ranges of many values."""
    return st.tuples(st.integers(1, 9), st.integers(least_values, most)).map(
        lambda drawn: f"{drawn[0]}:{drawn[0] + (drawn[1] - 1) * step}:{step}"
    )


# each of these has a table of more than 65,536 combinations
large_choices: st.SearchStrategy[tuple[str, Choices]] = st.one_of(
    st.tuples(
        st.just("block"),
        st.fixed_dictionaries(
            {"in": range_of(4_000, 1_400, 1), "expand": st.just("0.25:14:0.25")},
            optional={"out": st.just([1, 7]), "act": st.just("relu,gelu,silu")},
        ),
    ),
    st.tuples(
        st.just("network"),
        st.fixed_dictionaries(
            {
                "width_mult": st.just("0.01:2:0.01"),
                "stages": range_of(400, 340, 3).map(
                    lambda c: [{"c": [8, 16], "t": 1}, {"t": [1, 3.5], "c": c, "s": 2}]
                ),
            },
            optional={"round_nearest": st.just([1, 8]), "expand": st.just([0.1, 6])},
        ),
    ),
)
large_spaces = large_choices.map(lambda drawn: read_space(drawn[0], settings_of(drawn[1])))

names = st.sampled_from([*REPORTED, "in", "height", "batch"])
orderings = st.builds(Ordering, names, st.booleans())
fronts = st.sampled_from([0, 2, 3]).flatmap(
    lambda count: st.lists(
        orderings, min_size=count, max_size=count, unique_by=lambda one: one.figure
    ).map(tuple)
)
conditions = st.sampled_from(
    [
        None,
        "macs < 60 * params",
        "peak / 4 % 3 != 1 or in >= 2",
        "not (batch in (1, 3)) and layers > 5",
        "flash * params > macs or height ** 0.5 < 5",
    ]
)


@given(
    # mostly small spaces, which are searched as a whole
    space=st.one_of(spaces, spaces, large_spaces),
    counting=st.builds(
        Counting,
        st.sampled_from([one.key for one in MAC_CONVENTIONS]),
        st.sampled_from([one.name for one in MEMORY_RULES]),
        st.sampled_from(list(ELEMENT_BYTES)),
    ),
    limits=st.lists(
        st.tuples(st.sampled_from(REPORTED), st.booleans(), st.integers(0, AT_MOST)), max_size=2
    ),
    where=conditions,
    order=orderings,
    top=st.integers(0, 9),
    front=fronts,
    seed=st.integers(0, 2**63 - 1),
)
def test_a_search_finds_what_the_plans_of_all_members_say(
    *,
    space: Space,
    counting: Counting,
    limits: list[tuple[str, bool, int]],
    where: str | None,
    order: Ordering,
    top: int,
    front: tuple[Ordering, ...],
    seed: int,
) -> None:
    draw = draw_of(space, AT_MOST, seed)
    drawn = members_of(space, draw)
    planned = {member: figures_of(space, member, counting) for member in drawn}
    buildable = [member for member in drawn if planned[member]]
    # a limit is the figure of some member, so that it is kept by some and broken by others
    bounds = tuple(
        Bound(name, planned[buildable[place % len(buildable)]][name], is_minimum)
        for name, is_minimum, place in limits
        if buildable
    )
    query = Query(
        space, draw, counting, bounds, read_where(where) if where else None, order, top, front
    )
    result = search(query, in_this_process(query), _ignore, _ignore).result
    holds = [[keeps(planned[member], one) for one in query.conditions] for member in buildable]
    fit = [member for member, held in zip(buildable, holds, strict=True) if all(held)]
    assert (result.tried, result.buildable, result.feasible) == (
        draw.count,
        len(buildable),
        len(fit),
    )
    failed = [sum(not held[number] for held in holds) for number in range(len(query.conditions))]
    assert list(result.failed) == failed
    different = list(dict.fromkeys(fit))
    best = sorted(different, key=lambda member: key(planned[member], order))  # stable
    assert list(result.best) == best[:top]
    points = [tuple(key(planned[member], one) for one in front) for member in different]
    expected = {
        member
        for member, is_kept in zip(different, undominated(points, points), strict=True)
        if is_kept and front
    }
    assert set(result.front) == expected
    in_order = [
        tuple(key(planned[member], one) for one in front)
        for member in front_in_order(query, result.front)
    ]
    assert in_order == sorted(in_order)
    for members in (result.best, result.front):
        for member, *values in zip(members, *(one.tolist() for one in members.values), strict=True):
            assert values == [planned[member][name] for name in query.searched]


def members_of(space: Space, draw: Draw) -> list[tuple[int, ...]]:
    chunks = (digits_of_chunk(space, draw, chunk) for chunk in range(-(-draw.count // CHUNK)))
    return [tuple(member) for digits in chunks for member in digits.T.tolist()]


def figures_of(space: Space, member: Sequence[int], counting: Counting) -> Figures:
    """Return all figures of a member, planned alone; none for what cannot be built."""
    try:
        request = read_request(space.target(member))
    except UserError:
        return {}
    plan = plan_of(request.spec, request.input)
    fields = {axis.key: value for axis, value in values_of(space, member) if axis.stage is None}
    return {
        **{name: plan.figure(figure_named(name), counting) for name in (*REPORTED, *WHOLE)},
        **{name: fields[name] for name in ("in", "batch")},
        "height": request.input.size[0],
    }


def keeps(figures: Figures, condition: Bound | Where) -> bool:
    if isinstance(condition, Bound):
        amount = figures[condition.figure]
        if condition.is_minimum:
            return bool(amount >= condition.limit)
        return bool(amount <= condition.limit)
    text = re.sub(r"\bin\b(?! \()", "in_", condition.text)
    exact = {f"{name}_" if name == "in" else name: Fraction(one) for name, one in figures.items()}
    return bool(eval(text, {}, exact))  # noqa: S307  (our own text)


def key(figures: Figures, ordering: Ordering) -> Any:
    value = figures[ordering.figure]
    return -value if ordering.descending else value


def _ignore(_: object) -> None:
    pass


@given(large_spaces)
@example(read_space("block", settings_of({"in": "1:4096:1", "expand": "1:17:1"})))
def test_these_spaces_have_large_tables(space: Space) -> None:
    assert space.size > LARGE
    lengths = {axis.name: len(axis.values) for axis in space.axes}
    of_block = prod(lengths.get(name, 1) for name in ("in", "expand"))
    of_network = prod(lengths.get(name, 1) for name in ("s2.c", "width_mult", "round_nearest"))
    assert max(of_block, of_network) > LARGE
    assert np.min_scalar_type(LARGE) == np.uint32
