from __future__ import annotations

import json

import pytest
from syrupy.assertion import SnapshotAssertion

from mbv2cli.costs.memory import ELEMENT_BYTES
from tests.process import mbv2_here


@pytest.mark.parametrize(
    "arguments",
    [
        ("memory", "network"),
        ("memory", "--act", "gelu", "--batch", "2"),
        ("memory", "--size", "4", "--format", "json"),
        ("cliffs", "network"),
        ("cliffs", "tfslim_100", "--size", "96", "--peak-rule", "eager", "--dtype", "float32"),
        ("presets",),
    ],
    ids=" ".join,
)
def test_what_a_caller_gets(arguments: tuple[str, ...], snapshot: SnapshotAssertion) -> None:
    assert mbv2_here(*arguments) == snapshot


@pytest.mark.parametrize(
    "arguments",
    [
        ("memory", "network"),
        ("memory",),
        ("cliffs", "network:round_nearest=1"),
        ("presets",),
        ("counts", "mobilenetv2_120d"),
    ],
    ids=" ".join,
)
def test_it_fits_80_columns(arguments: tuple[str, ...]) -> None:
    assert max(map(len, mbv2_here(*arguments).stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    "target",
    ["network", "block", "network:width_mult=0.35,size=96", "block:in=8,out=8,size=2048,batch=64"],
)
def test_a_table_has_one_unit_and_names_culprits_by_their_path(target: str) -> None:
    assert_peaks_are_those_of_json(target, ["float32", "float16", "int8"])


@pytest.mark.parametrize("dtype", ELEMENT_BYTES)
def test_dtype_shows_this_element_type_alone(dtype: str) -> None:
    lines = assert_peaks_are_those_of_json("network", [dtype], "--dtype", dtype).splitlines()
    assert [line.strip() for line in lines if line.strip() in (*ELEMENT_BYTES, "16 bits")] == [
        dtype,
        dtype,
    ]


def assert_peaks_are_those_of_json(target: str, dtypes: list[str], *flags: str) -> str:
    """Compare the row of each rule with the JSON document; return what the table shows."""
    rules = json.loads(mbv2_here("memory", target, "--format", "json").stdout)["rules"]
    shown = mbv2_here("memory", target, *flags).stdout
    rows = {line.split()[0]: line.split() for line in shown.splitlines() if line}
    units = rows["Activation"][2 : 2 + len(dtypes)]
    assert units == [units[0]] * len(dtypes)
    size = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}[units[0]]
    for rule in rules:
        peaks = [f"{rule['peak_bytes'][dtype] / size:,.2f}" for dtype in dtypes]
        assert rows[rule["rule"]][1:] == [*peaks, f"{rule['path']},", rule["role"]]
    return shown


def test_json_has_the_timeline_of_every_rule() -> None:
    document = json.loads(mbv2_here("memory", "network", "--format", "json").stdout)
    peaks = {rule["rule"]: rule["peak_bytes"]["int8"] for rule in document["rules"]}
    assert peaks == {
        "layerwise": 1_505_280,
        "inplace-depthwise": 1_404_928,
        "eager": 2_759_680,
        "training": 19_586_496,
    }
    for rule in document["rules"]:
        assert max(step["elements"] for step in rule["timeline"]) == rule["peak_bytes"]["int8"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("cliffs block", "a block has no width multiplier"),
        ("cliffs network --peak-rule layrwise", "did you mean 'layerwise'?"),
        ("cliffs network --dtype int9", "did you mean 'int8'?"),
        ("memory nework", "did you mean 'network'?"),
        ("memory --format csv", "--format must be one of table, json"),
        ("presets kerass", "no preset has 'kerass' in its name, and no family of presets"),
        ("presets --dtype int9", "did you mean 'int8'?"),
        ("presets --max-peak much", "--max-peak must be bytes such as 512KiB"),
        ("memory --dtype int9", "did you mean 'int8'?"),
        ("memory --dtype int8 --format json", "--dtype does nothing with --format json"),
        ("presets --format yaml", "--format must be one of table, json"),
        ("summary --by stge", "did you mean 'stage'?"),
        ("summary --columns macs,prams", "did you mean 'params'?"),
        ("summary --by kind --columns path", "has no column 'path' by kind"),
        ("summary --columns macs --format json", "--columns does nothing with --format json"),
        ("summary --by kind --format torchsummary", "--by does nothing with"),
        ("summary --by kind --print macs", "give one or the other"),
        ("summary --convention torchinf", "did you mean 'torchinfo'?"),
        ("summary network --head-scaling none", "--head-scaling must be one of widen, scaled"),
        ("summary network --depth-mult 0", "--depth-mult must be a number above 0"),
    ],
)
def test_mistakes(line: str, words: str) -> None:
    result = mbv2_here(*line.split())
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr.startswith("mbv2: ")
    assert result.stderr.count("\n") == 1
    assert words in result.stderr


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("keras", [f"keras_{width}" for width in ("035", "050", "075", "100", "130", "140")]),
        ("KERAS_1", ["keras_100", "keras_130", "keras_140"]),
        ("hf*96", ["hf_035_96"]),
        (
            "mcunet_*fps* --max-peak 95KiB --dtype int8",
            ["mcunet_10fps", "mcunet_5fps", "mcunet_5fps_vww"],
        ),
        ("--max-peak 320KiB", ["mcunet_10fps"]),
        ("hf --max-peak 320KiB --dtype float16", ["hf_035_96"]),
        ("hf_035 --max-peak 135KiB --dtype int8", ["hf_035_96"]),
        ("hf_035 --max-peak 135KiB --dtype int8 --peak-rule training", []),
        ("torchvision --max-params 1", []),
    ],
)
def test_presets_are_chosen_by_name_and_limits(line: str, names: list[str]) -> None:
    result = mbv2_here("presets", *line.split(), "--format", "json")
    assert (result.code, result.stderr) == (0, "")
    assert [one["name"] for one in json.loads(result.stdout)["presets"]] == names


def test_cliffs_counts_as_every_command_does() -> None:
    document = json.loads(mbv2_here("cliffs", "network", "--format", "json").stdout)
    assert (document["rule"], document["dtype"]) == ("layerwise", "float32")
