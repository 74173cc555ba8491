from __future__ import annotations

import json
import tomllib
from itertools import groupby
from pathlib import Path

import pytest

from mbv2cli import InputSpec, NetworkSpec, Plan, UserError, plan_of, specs
from mbv2cli.costs.conventions import PARAM_CONVENTIONS, count
from mbv2cli.gate.presets import matching
from mbv2cli.graph.rows import Role
from mbv2cli.report.summary.report import confirmed, planned
from mbv2cli.specs import RunSpec
from mbv2cli.specs.network import PAPER_STAGES
from mbv2cli.specs.presets import families, presets
from mbv2cli.specs.reader import own_name, read_request, target_names
from tests.process import mbv2_here
from tests.reference_tables import rows, shape

FIGURES = rows("presets")
PRESETS = Path(specs.__file__).with_name("presets.toml")
GUIDES = PRESETS.parents[1] / "guides"
ABOUT = ("like", "family", "source", "aliases")
"""The keys of a preset that are no flags."""

SCALE = {"M": 10**6, "M truncated": 10**6, "G": 10**9, "MB": 10**6}


def plan_of_preset(name: str) -> Plan:
    request = read_request(name)
    return plan_of(request.spec, request.input)


def figure(plan: Plan, quantity: str) -> int:
    match quantity:
        case "MACs":
            return plan.totals.macs
        case "parameters":
            return plan.totals.params
        case "activations":
            return plan.totals.activations
        case "parameters incl. BatchNorm running statistics":
            return count(PARAM_CONVENTIONS[1], plan.graph.ops).total
        case "parameters without BatchNorm":
            return count(PARAM_CONVENTIONS[2], plan.graph.ops).total
        case "MB of weights and statistics in float32":
            return 4 * (plan.totals.params + plan.totals.buffers)
        case _:
            raise ValueError(quantity)


@pytest.mark.parametrize("row", FIGURES, ids=lambda row: f"{row['preset']} {row['quantity']}")
def test_published_figures(row: dict[str, str]) -> None:
    value = figure(plan_of_preset(row["preset"]), row["quantity"])
    if row["unit"] == "M truncated":
        assert value // 10**6 == int(row["value"])
    else:
        scaled = value / SCALE.get(row["unit"], 1)
        assert round(scaled, int(row["decimals"])) == float(row["value"])


@pytest.mark.parametrize("row", rows("variants"), ids=lambda row: row["target"])
def test_what_public_code_builds(row: dict[str, str]) -> None:
    plan = plan_of_preset(row["target"])
    height, _, width = row["size"].partition("x")
    assert plan.input_shape == (1, 3, int(height), int(width or height))
    assert plan.totals.params == int(row["params"])
    assert plan.totals.macs == int(row["conv_linear_macs"])
    assert plan.output_shape == shape(row["output"])


def test_every_preset_has_a_published_figure() -> None:
    assert {row["preset"] for row in FIGURES} == set(presets())


def test_the_paper_s_network_is_the_default() -> None:
    assert read_request("paper").spec == NetworkSpec()


def one_of_each_family() -> list[str]:
    return [matching(family)[0].name for family in families()]


@pytest.mark.parametrize("name", one_of_each_family())
def test_plan_and_forward_agree(name: str) -> None:
    request = read_request(f"{name}:size=64")
    assert confirmed(planned(request, RunSpec(device="cpu"))).forward is not None


@pytest.mark.parametrize("output_stride", ["8", "16", "32"])
def test_strides_and_dilations_are_deeplab_s(output_stride: str) -> None:
    name = "network:classes=0,size=513" if output_stride == "32" else f"deeplab_os{output_stride}"
    depthwise = [one for one in plan_of_preset(name).layers if one.role is Role.DEPTHWISE]
    published = [row for row in rows("output_stride") if row["output_stride"] == output_stride]
    expected = []
    for row, stage in zip(published, PAPER_STAGES, strict=True):
        expected.append((int(row["stride_of_first_block"]), int(row["dilation_of_first_block"])))
        expected += [(1, int(row["dilation_of_other_blocks"]))] * (stage.repeats - 1)
    assert [(one.stride, one.dilation) for one in depthwise] == [
        ((stride, stride), (dilation, dilation)) for stride, dilation in expected
    ]


def test_inline_settings_override_a_preset() -> None:
    request = read_request("mcunet_035_144:classes=2,size=96")
    assert isinstance(request.spec, NetworkSpec)
    assert (request.spec.classes, request.spec.head_channels) == (2, 448)
    assert request.input == InputSpec(size=(96, 96))


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("mobilenet_v2", "torchvision"),
        ("MobileNetV2", "torchvision"),
        ("MOBILENET-V2", "torchvision"),
        ("google/mobilenet_v2_1.0_224", "hf_100_224"),
        ("google/mobilenet_v2_0.75_160", "hf_075_160"),
        ("Google/MobileNet_V2_0.35_96", "hf_035_96"),
        ("google/mobilenet_v2_1.4_224", "hf_140_224"),
        ("timm/mobilenetv2_110d.ra_in1k", "mobilenetv2_110d"),
        ("mobilenetv2_1.00_224", "keras_100"),
        ("HF-100-224", "hf_100_224"),
        ("mobilenetv2_100:size=96", "mobilenetv2_100:size=96"),
        ("mobilenet_v2:size=96", "torchvision:size=96"),
        ("Network", "network"),
    ],
)
def test_other_codebases_names_are_targets(target: str, name: str) -> None:
    found, expected = read_request(target), read_request(name)
    assert (found.kind, found.spec, found.input) == (expected.kind, expected.spec, expected.input)
    assert found.target == target


def test_no_two_targets_share_a_name_or_alias() -> None:
    aliases = [alias for preset in presets().values() for alias in preset.aliases]
    names = [*target_names(), *aliases]
    assert len({name.lower().replace("-", "_") for name in names}) == len(names)


def test_a_shell_completes_names_and_no_aliases() -> None:
    assert target_names() == ["block", "network", *presets()]


@pytest.mark.parametrize(
    ("typo", "hint"),
    [
        ("mobilenetv2_120", "did you mean 'mobilenetv2_120d'"),
        ("google/mobilenet_v2_1.0_225", "did you mean 'google/mobilenet_v2_1.0_224'"),
        ("MobileNetV4", "did you mean 'mobilenetv2'"),
        ("MobileNetV3", "is a family of presets; name one of them, such as mobilenet_v3_large"),
        ("nework", "did you mean 'network'"),
    ],
)
def test_a_typo_suggests_the_nearest_name_or_alias(typo: str, hint: str) -> None:
    with pytest.raises(UserError, match=hint):
        read_request(typo)


def table_of(name: str = "") -> str:
    """Return what `mbv2 presets` shows."""
    return mbv2_here(*filter(None, ("presets", name))).stdout


def test_the_presets_of_a_family_have_their_names_in_other_codebases() -> None:
    shown = " ".join(table_of("mobilenetv3").split())
    for name, preset in presets().items():
        is_shown = preset.family == "mobilenetv3" and bool(preset.aliases)
        assert (f" {name}: {', '.join(preset.aliases)}" in shown) is is_shown
    assert ": " not in table_of()


def test_the_guide_has_each_family() -> None:
    guide = (GUIDES / "targets.md").read_text("utf-8")
    assert [family for family in families() if f"`{family}`" not in guide] == []


def test_each_family_is_a_heading_above_its_presets() -> None:
    lines = [line.split(" ")[0] for line in table_of().splitlines()]
    for family in families():
        first = matching(family)[0].name
        assert lines[lines.index(family) - 1 : lines.index(family) + 2] == ["", family, first]


@pytest.mark.parametrize("name", ["mobilenet_v2", "GOOGLE/mobilenet_v2_1.0_224", "mcunet-in2"])
def test_an_alias_finds_its_preset(name: str) -> None:
    assert f"\n{own_name(name)} " in table_of(name)


@pytest.mark.parametrize("family", families())
def test_a_family_is_listed_by_its_name(family: str) -> None:
    expected = [name for name, preset in presets().items() if preset.family == family]
    assert [preset.name for preset in matching(family.upper().replace("_", "-"))] == expected


def test_a_name_that_is_no_family_s_is_a_text_or_a_glob() -> None:
    assert {preset.name for preset in matching("semnasnet")} < {
        preset.name for preset in matching("mnasnet")
    }
    assert [preset.name for preset in matching("tinynet_[ab]")] == ["tinynet_a", "tinynet_b"]


def test_a_wrong_family_is_told_with_the_families() -> None:
    with pytest.raises(UserError, match="did you mean 'mobilenetv3'") as error:
        matching("mobilnetv3")
    assert ", ".join(families()) in str(error.value)


def test_the_presets_of_a_family_follow_each_other() -> None:
    runs = [family for family, _ in groupby(preset.family for preset in presets().values())]
    assert runs == list(families())


def test_json_has_everything_about_each_preset() -> None:
    document = json.loads(mbv2_here("presets", "--format", "json").stdout)
    assert [(one["name"], one["family"], tuple(one["aliases"])) for one in document["presets"]] == [
        (name, preset.family, preset.aliases) for name, preset in presets().items()
    ]


def test_a_preset_parsed_alone_is_what_the_whole_file_says() -> None:
    """One is parsed alone, because most commands need one."""
    whole = tomllib.loads(PRESETS.read_text("utf-8"))
    assert list(presets()) == list(whole)
    for name, table in whole.items():
        preset = presets()[name]
        like = presets()[table["like"]].values if "like" in table else {}
        own = {key: table[key] for key in table if key not in ABOUT}
        assert (preset.aliases, preset.values) == (tuple(table.get("aliases", ())), {**like, **own})


@pytest.mark.parametrize("alpha", [0.35, 0.5, 0.75, 1.0, 1.3, 1.4])
def test_an_alias_of_keras_is_the_name_that_keras_gives_the_model(alpha: float) -> None:
    # keras/src/applications/mobilenet_v2.py: name = f"mobilenetv2_{alpha:0.2f}_{rows}"
    assert read_request(f"mobilenetv2_{alpha:0.2f}_224").spec == NetworkSpec(
        width_mult=alpha, dropout=0.0, padding="same", norm_eps=0.001
    )
