"""The nearest smaller number that keeps a limit: held against trying every number."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mbv2cli import plan_of
from mbv2cli.costs.figures import TFLM
from mbv2cli.costs.int8_graph import int8_graph
from mbv2cli.inspection import ModelSpec
from mbv2cli.nearest import MAX_OPS, Nearest, largest, least_arena, live_peak, scaled
from mbv2cli.specs import InputSpec, NetworkSpec
from tests.strategies import block_specs, network_specs


@given(st.sets(st.integers(1, 60)), st.integers(0, 60), st.integers(1, 20))
def test_the_largest_number_is_found_or_some_are_said_to_be_left_out(
    keeping: set[int], ceiling: int, tries: int
) -> None:
    tried = list[int]()

    def keeps(number: int) -> bool:
        tried.append(number)
        return number in keeping

    ops = MAX_OPS // max(tries, 4)
    found = largest(range(1, 61), keeps, lambda number: number <= ceiling, ops)
    allowed = sorted(number for number in keeping if number <= ceiling)
    if found.is_exact:
        assert found == Nearest(allowed[-1] if allowed else None, is_exact=True)
    else:
        assert found.number in {None, *allowed}
        assert len(tried) > max(tries, 4)
    assert len(tried) <= 2 * (MAX_OPS // ops)


models = st.tuples(
    st.one_of(block_specs(), network_specs()), st.tuples(st.integers(1, 40), st.integers(1, 40))
)


@settings(max_examples=40)
@given(models)
def test_an_arena_is_never_below_a_bound_that_grows_with_the_input(
    model: tuple[ModelSpec, tuple[int, int]],
) -> None:
    spec, size = model
    before = 0
    for side in range(1, max(size) + 1, 3):
        plan = plan_of(spec, scaled(InputSpec(size=size), side))
        bound = least_arena(spec, scaled(InputSpec(size=size), side))
        assert before <= bound
        if not int8_graph(plan.graph).unknown:
            assert bound <= plan.figure(TFLM)
        before = bound


@settings(max_examples=30)
@given(network_specs(), st.integers(1, 40))
def test_what_is_needed_at_one_moment_grows_with_the_classes(spec: NetworkSpec, side: int) -> None:
    size = InputSpec(size=side)
    some = [spec.model_copy(update={"classes": classes}) for classes in (1, 2, 17, 300, 2000)]
    peaks = [live_peak(one, size) for one in some]
    assert peaks == sorted(peaks)
