from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mbv2cli import InputSpec, NetworkSpec, UserError, plan_of
from mbv2cli.cliffs import WIDTHS, plateaus
from mbv2cli.costs.memory import LAYERWISE, MEMORY_RULES, MemoryRule
from mbv2cli.report.cliffs import cliffs_of
from mbv2cli.specs.reader import read_request


def test_0_75_and_1_0_share_their_peak() -> None:
    found = plateaus(NetworkSpec(), InputSpec(), LAYERWISE, "int8")
    shared = next(one for one in found if one.peak_bytes == 1470 * 1024)
    widths = [width for network in shared.networks for width in network.widths]
    assert {0.75, 1.0} <= set(widths)
    assert [one.widest.widths[0] for one in found[1:]] == [1.11, 0.55]


@settings(max_examples=5)
@given(round_nearest=st.sampled_from([1, 4, 8, 16]), rule=st.sampled_from(MEMORY_RULES))
def test_every_width_is_there_once_with_its_own_figures(
    round_nearest: int, rule: MemoryRule
) -> None:
    spec, input_ = NetworkSpec(round_nearest=round_nearest), InputSpec(size=(64, 64))
    found = [
        (width, network.params, network.macs, plateau.peak_bytes)
        for plateau in plateaus(spec, input_, rule, "float16")
        for network in plateau.networks
        for width in network.widths
    ]
    assert [width for width, *_figures in found] == list(WIDTHS)
    for width, params, macs, peak in found[::10]:
        plan = plan_of(NetworkSpec(round_nearest=round_nearest, width_mult=width), input_)
        assert (params, macs) == (plan.totals.params, plan.totals.macs)
        assert peak == plan.memory(rule).peak_bytes("float16")


def test_a_block_has_no_cliffs() -> None:
    with pytest.raises(UserError, match="no width multiplier"):
        cliffs_of(read_request("block"), LAYERWISE, "int8")
