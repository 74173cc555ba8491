"""Stages in the notations of other codebases."""

from __future__ import annotations

import pytest

from mbv2cli import NetworkSpec, UserError
from mbv2cli.specs.network import PAPER_STAGES
from mbv2cli.specs.reader import read_request

TIMM_MOBILENETV2 = (
    "ds_r1_k3_s1_c16/ir_r2_k3_s2_e6_c24/ir_r3_k3_s2_e6_c32/ir_r4_k3_s2_e6_c64/"
    "ir_r3_k3_s1_e6_c96/ir_r3_k3_s2_e6_c160/ir_r1_k3_s1_e6_c320"
)


def stages_of(text: str) -> object:
    spec = NetworkSpec.model_validate({"stages": text})
    return spec.stages


@pytest.mark.parametrize(
    "text",
    [
        TIMM_MOBILENETV2,
        TIMM_MOBILENETV2.replace("/", " / "),
        "[[1,16,1,1],[6,24,2,2],[6,32,3,2],[6,64,4,2],[6,96,3,1],[6,160,3,2],[6,320,1,1]]",
        "t1c16/t6c24n2s2/t6c32n3s2/t6c64n4s2/t6c96n3/t6c160n3s2/t6c320",
    ],
)
def test_each_notation_has_the_stages_of_the_paper(text: str) -> None:
    assert stages_of(text) == PAPER_STAGES


@pytest.mark.parametrize(
    ("timm", "letters"),
    [
        ("ds_r1_k3_s1_e1_c16", "t1c16"),  # timm ignores the ratio of ds, which expands nothing
        ("ds_r2_k5_s2_e3_c16_noskip", "t1c16n2s2k5_noskip"),
        ("ir_r1_k3_s1_e1_c16", "t1c16_always"),
        ("ir_r2_k5_s2_e2.5_c24_se0.25_nre", "t2.5c24n2s2k5_relu_se0.25"),
        ("ir_r1_k3_s1_e6_c24_nhs", "t6c24_hardswish"),
        ("ir_r1_k3_s1_e6_c24_nsw", "t6c24_swish"),
        ("er_r1_k3_s2_e8_c32", "t8c32s2_fused"),
        ("cn_r1_k1_s1_c960_nsw", "c960k1_conv_silu_noskip"),
        ("cn_r2_k3_s1_e1_c24_skip", "c24n2_conv_skip"),
    ],
)
def test_timm_s_notation_is_the_letters(timm: str, letters: str) -> None:
    assert stages_of(timm) == stages_of(letters)


@pytest.mark.parametrize("text", ["er_r1_k3_s1_e4_c24_fc24_noskip", "ir_r1_k3_s1_e4_gs64_c24"])
def test_what_no_field_has_is_told(text: str) -> None:
    wrong = "fc24" if "fc" in text else "gs64"
    with pytest.raises(UserError, match=f"mbv2 has no '{wrong}' of timm's notation"):
        read_request(f"network:stages={text}")
