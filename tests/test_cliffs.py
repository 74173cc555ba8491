from __future__ import annotations

import json
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mbv2cli import InputSpec, NetworkSpec, UserError, plan_of
from mbv2cli.cliffs import WIDTHS, walk
from mbv2cli.costs.memory import LAYERWISE, MEMORY_RULES, MemoryRule
from mbv2cli.report.cliffs import as_json, as_table, cliffs_of
from mbv2cli.specs.reader import read_request
from tests.process import mbv2_here


def test_0_75_and_1_0_share_their_peak() -> None:
    found = walk(NetworkSpec(), InputSpec(), LAYERWISE, "int8").plateaus
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
        for plateau in walk(spec, input_, rule, "float16").plateaus
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


# round_nearest 1 leaves few channels at small widths: a ratio of 0.05 then leaves no hidden channel
TOO_NARROW: Final = "network:stages=t1c16/t0.05c40n2,round_nearest=1,output_stride=2"
TOO_WIDE: Final = "network:stages=t1c8/t1c50000"


@pytest.mark.parametrize(
    ("target", "side", "widths", "nearest"),
    [
        (TOO_NARROW, "below", WIDTHS[85:], 0.66),
        (TOO_WIDE, "above", WIDTHS[:19], 1.31),
    ],
)
def test_widths_that_cannot_be_built_are_left_out(
    target: str, side: str, widths: tuple[float, ...], nearest: float
) -> None:
    request = read_request(target)
    report = cliffs_of(request, LAYERWISE, "int8")
    (left_out,) = report.walk.unbuildable
    assert (left_out.side, left_out.widths, left_out.nearest) == (side, widths, nearest)
    walked = [
        width
        for plateau in report.walk.plateaus
        for network in plateau.networks
        for width in network.widths
    ]
    assert sorted((*walked, *left_out.widths), reverse=True) == list(WIDTHS)
    for width in widths:
        with pytest.raises(UserError, match="at width_mult"):
            read_request(f"{target},width_mult={width}")
    next_to_it = widths[0] if side == "below" else widths[-1]
    assert f" at width_mult {next_to_it}: " in left_out.reason
    text = " ".join(as_table(report).text.split())
    assert f"width_mult {side} {nearest:.2f} cannot be built: block " in text
    assert json.loads(as_json(report))["unbuildable"] == [
        {"widths": list(widths), "nearest": nearest, "reason": left_out.reason}
    ]


def test_a_network_that_no_width_can_build_is_refused() -> None:
    request = read_request("network:stages=t1c1/t0.1c3,round_nearest=1,width_mult=16")
    with pytest.raises(UserError, match=r"cannot be built at any width_mult from 0\.10 to 1\.50: "):
        cliffs_of(request, LAYERWISE, "int8")


def test_no_flag_is_listed_that_cliffs_ignore() -> None:
    shown = mbv2_here("cliffs", "-h").stdout
    flags = ("--width-mult", "--out ", "--stride", "--kernel", "--dilation")
    assert [flag for flag in flags if flag in shown] == []
    # a preset has a width of its own, which cliffs do not need
    assert mbv2_here("cliffs", "mcunet_035_144").code == 0
