"""Searches by a figure of whole models, against the plans of all members."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mbv2cli import UserError
from mbv2cli.costs.figures import TFLM, Counting
from mbv2cli.inspection import plan_of
from mbv2cli.search.figures import BOUNDS
from mbv2cli.search.query import Bound, Draw, Keep, Ordering, Query
from mbv2cli.search.run import in_this_process, search
from mbv2cli.search.space import Space, read_space
from mbv2cli.search.where import read_where
from mbv2cli.specs.reader import read_request
from tests.search.test_brute_force import figures_of, key, members_of
from tests.search.test_front import undominated
from tests.search.test_space import settings_of
from tests.strategies import network_specs

KNOWN_ACTS = ("relu", "relu6", "hardswish", "silu")
"""Activations that the int8 graph has rules for."""

spaces = st.fixed_dictionaries(
    {
        "size": st.lists(st.integers(20, 60).map(str), min_size=1, max_size=3),
        "padding": st.sampled_from(["torch", "same", "torch,same"]),
        "stages": st.lists(
            st.fixed_dictionaries(
                {"t": st.just([1, 4]), "c": st.just([8, 12])},
                optional={"s": st.just([1, 2]), "se": st.just([0, 0.25]), "k": st.just([3, 5])},
            ),
            min_size=1,
            max_size=2,
        ),
    },
    optional={"act": st.lists(st.sampled_from(KNOWN_ACTS), min_size=1, max_size=2, unique=True)},
).map(lambda choices: read_space("network", settings_of({**choices, "stem": 8, "head": 0})))

orderings = st.builds(Ordering, st.sampled_from(["tflm", "macs"]), st.booleans())


def planned(space: Space) -> dict[tuple[int, ...], Any]:
    """Return the figures of members by their plans: all of them, or some of a large space."""
    members = members_of(space, draw_of(space))
    return {member: figures_of(space, member, Counting()) for member in members}


def draw_of(space: Space) -> Draw:
    return Draw(space.size) if space.size <= 60 else Draw(60, seed=1)


@given(
    space=spaces,
    place=st.integers(0, 59),
    is_minimum=st.booleans(),
    order=orderings,
    has_front=st.booleans(),
    where=st.sampled_from([None, "tflm > 20000 or macs % 2 == 0"]),
    keep=st.sampled_from(Keep),
)
def test_no_member_is_lost_and_every_amount_is_that_of_the_plan(
    *,
    space: Space,
    place: int,
    is_minimum: bool,
    order: Ordering,
    has_front: bool,
    where: str | None,
    keep: Keep,
) -> None:
    figures = planned(space)
    limit = list(figures.values())[place % len(figures)]["tflm"]
    front = (Ordering("tflm"), Ordering("macs", descending=True)) if has_front else ()
    query = Query(
        *(space, draw_of(space), Counting(), (Bound("tflm", limit, is_minimum),)),
        *(read_where(where) if where else None, order, 5, front),
        keep=keep,
    )
    kept: list[Any] = []
    result = search(query, in_this_process(query), kept.append, lambda _: None).result

    def fits(one: Any) -> bool:
        holds = one["tflm"] >= limit if is_minimum else one["tflm"] <= limit
        return bool(holds and (not where or one["tflm"] > 20000 or one["macs"] % 2 == 0))

    drawn = members_of(space, query.draw)
    fit = [member for member in drawn if fits(figures[member])]
    assert result.feasible == len(fit)
    different = list(dict.fromkeys(fit))
    best = sorted(different, key=lambda member: key(figures[member], order))
    assert list(result.best) == best[:5]
    points = [tuple(key(figures[member], one) for one in front) for member in different]
    is_kept = undominated(points, points) if front else [False] * len(points)
    assert set(result.front) == {m for m, on in zip(different, is_kept, strict=True) if on}
    for emitted in kept:
        column = emitted.members.values[query.reported.index("tflm")].tolist()
        assert column == [figures[tuple(member)]["tflm"] for member in emitted.members]


@given(network_specs(), st.integers(8, 70))
def test_the_bound_is_never_above_the_amount(spec: Any, side: int) -> None:
    plan = plan_of(spec, _input(side))
    assume(not plan.uncounted(TFLM, Counting()))
    bound = plan.figure(BOUNDS["tflm"], Counting())
    assert bound <= plan.figure(TFLM, Counting())


def _input(side: int) -> Any:
    return read_request(f"network:size={side}").input


def test_a_figure_that_is_not_known_is_refused() -> None:
    space = read_space("network", settings_of({"act": ["relu6", "gelu"], "size": ["32"]}))
    query = Query(space, Draw(2), Counting(), (), None, Ordering("tflm"), 5)
    with pytest.raises(UserError, match="tflm of network:act=gelu,size=32 is not known: there is"):
        search(query, in_this_process(query), lambda _: None, lambda _: None)
