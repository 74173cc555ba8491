"""Stages in the notations of other codebases."""

from __future__ import annotations

import pytest

from mbv2cli import NetworkSpec, UserError
from mbv2cli.specs.network import PAPER_STAGES
from mbv2cli.specs.reader import Setting, read_request

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
        "[(1,16,1,1),(6,24,2,2),(6,32,3,2),(6,64,4,2),(6,96,3,1),(6,160,3,2),(6,320,1,1)]",
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
        ("ir_r1_k3_s2x1_e6_c24", "t6c24s2x1"),
        ("cn_r1_k1_s1_c960_nsw", "c960k1_conv_silu_noskip"),
        ("cn_r2_k3_s1_e1_c24_skip", "c24n2_conv_skip"),
    ],
)
def test_timm_s_notation_is_the_letters(timm: str, letters: str) -> None:
    assert stages_of(timm) == stages_of(letters)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("er_r1_k3_s1_e4_c24_fc24_noskip", "mbv2 has no 'fc24' of timm's notation"),
        ("ir_r1_k3_s1_e4_gs64_c24", "mbv2 has no 'gs64' of timm's notation"),
        ("dsa_r1_k3_s1_c64", "mbv2 has no 'dsa' of timm's notation; it has ir, ds, er, cn"),
        ("uir_r1_a3_k3_s2_e4_c32", "mbv2 has no 'uir' of timm's notation; it has ir, ds, er, cn"),
        ("t6c24_noskip_proj", "'t6c24_noskip_proj' gives shortcut twice; give it once"),
        ("ir_r1_k3_s1_e6_c24_s2", "'ir_r1_k3_s1_e6_c24_s2' gives s twice; give it once"),
        ("[[1,16,1,1],[3,16,16,0,'RE',1]]", "[1] must be a row of t, c, n and s, such as [6, 24"),
        ("[[3, 24, 3, 2, 3]]", "for other columns, write text such as h72c40s2k5_relu_se0.25"),
    ],
)
def test_what_no_field_has_is_told(text: str, words: str) -> None:
    with pytest.raises(UserError) as error:
        read_request("network", [Setting("stages", text, "--stages")])
    assert words in str(error.value)
