from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mbv2cli import BlockSpec, InputSpec, NetworkSpec, Stage, UserError
from mbv2cli.specs.fields import HeadScaling
from mbv2cli.specs.network import scale_channels
from tests.reference_tables import rows
from tests.strategies import block_specs, network_specs


@given(block_specs())
def test_a_block_is_equal_to_one_made_of_its_own_keys(spec: BlockSpec) -> None:
    again = BlockSpec.model_validate(spec.model_dump(by_alias=True))
    assert again == spec
    assert hash(again) == hash(spec)


@given(network_specs())
def test_a_network_is_equal_to_one_made_of_its_own_keys(spec: NetworkSpec) -> None:
    assert NetworkSpec.model_validate(spec.model_dump(by_alias=True)) == spec


def test_specs_are_frozen() -> None:
    spec = BlockSpec()
    with pytest.raises(ValidationError, match="frozen"):
        spec.stride = 2  # type: ignore[misc]  # that it fails is the test


def test_hidden_channels_are_rounded_from_a_fractional_expand_ratio() -> None:
    assert BlockSpec(in_channels=10, expand=2.55).hidden_channels == round(10 * 2.55)


def test_no_expansion_at_ratio_one() -> None:
    assert not BlockSpec(expand=1).has_expansion
    assert BlockSpec(expand=1.5).has_expansion


@pytest.mark.parametrize(
    ("stride", "out", "shortcut"), [(1, 8, True), (2, 8, False), (1, 9, False)]
)
def test_shortcut_iff_stride_one_and_equal_channels(
    stride: int, out: int, *, shortcut: bool
) -> None:
    assert BlockSpec(in_channels=8, out_channels=out, stride=stride).has_shortcut is shortcut


def test_an_expand_ratio_that_leaves_no_hidden_channel_is_an_error() -> None:
    with pytest.raises(UserError, match="no hidden channel"):
        BlockSpec(in_channels=1, expand=0.2)


def test_default_stages_are_the_paper_s() -> None:
    table = [row for row in rows("paper_table2") if row["operator"] == "bottleneck"]
    published = tuple(Stage.model_validate({key: int(row[key]) for key in "tcns"}) for row in table)
    assert NetworkSpec().stages == published


@pytest.mark.parametrize("output_stride", [32, 16, 8])
def test_output_stride_trades_strides_for_dilation(output_stride: int) -> None:
    table = [row for row in rows("output_stride") if int(row["output_stride"]) == output_stride]
    blocks = iter(NetworkSpec(output_stride=output_stride).blocks)
    for stage, row in zip(NetworkSpec().stages, table, strict=True):
        first, *others = (next(blocks) for _ in range(stage.repeats))
        assert first.out_channels == int(row["stage_c"])
        assert first.stride == int(row["stride_of_first_block"])
        assert first.dilation == int(row["dilation_of_first_block"])
        assert all(block.dilation == int(row["dilation_of_other_blocks"]) for block in others)
        assert all(block.stride == 1 for block in others)


@pytest.mark.parametrize(
    ("channels", "width_mult", "scaled"),
    [
        (32, 0.35, 16),
        (16, 0.35, 8),
        (24, 0.75, 24),
        (64, 0.75, 48),
        (16, 1.4, 24),
        (1280, 1.4, 1792),
    ],
)
def test_scaled_channels_are_those_of_tf_slim(
    channels: int, width_mult: float, scaled: int
) -> None:
    assert scale_channels(channels, width_mult, 8) == scaled


def test_no_width_multiplier_below_one_makes_the_head_narrower() -> None:
    assert NetworkSpec(width_mult=0.35).head_channels == 1280


@given(network_specs(), st.sampled_from(get_args(HeadScaling)))
def test_no_head_stays_no_head_at_every_width(spec: NetworkSpec, scaling: HeadScaling) -> None:
    values = spec.model_dump(by_alias=True)
    without = NetworkSpec.model_validate({**values, "head": 0, "head_scaling": scaling})
    assert without.head_channels == 0
    assert without.blocks == spec.blocks


def test_the_message_of_a_wrong_head_says_what_0_means() -> None:
    with pytest.raises(UserError, match=r"head must be .* from 0 \(no head convolution\) to 65536"):
        NetworkSpec(head=-1)


@pytest.mark.parametrize(
    "size", [(224, 320), "224x320", [224, 320], "224*320", "224,320", "224 X 320", "224, 320"]
)
def test_input_sizes_are_height_and_width(size: object) -> None:
    assert InputSpec.model_validate({"size": size}).size == (224, 320)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"output_stride": 64},
            (
                "output_stride must be one of 8, 16, 32, not 64: the strides of stem and stages "
                "multiply to 32"
            ),
        ),
        (
            {"stages": "t1c50000", "width_mult": 2},
            (
                "block 0 of stages[0] at width_mult 2.0: out must be a whole number from 1 to "
                "65536, not 100000"
            ),
        ),
        (
            {"stages": "t1c8/t0.01c16"},
            (
                "block 0 of stages[1] at width_mult 1.0: expand 0.01 leaves no hidden channel; "
                "round(in × expand) must be at least 1, so for in = 8 try 0.12"
            ),
        ),
    ],
)
def test_a_combination_that_makes_no_network_is_explained(
    values: dict[str, object], message: str
) -> None:
    with pytest.raises(UserError) as error:
        NetworkSpec.model_validate(values)
    assert str(error.value) == message
