from __future__ import annotations

import json
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from mbv2cli import nearest
from mbv2cli.costs.figures import TFLM
from mbv2cli.costs.memory import ELEMENT_BYTES
from mbv2cli.inspection import plan_of
from mbv2cli.nearest import scaled, with_fields
from mbv2cli.report.arena import arena_report, as_page
from mbv2cli.report.page import fitted
from mbv2cli.specs import InputSpec
from mbv2cli.specs.reader import read_request
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
        ("memory", "network", "--arena", "--max-tflm", "320KiB"),
        ("memory", "network", "--patches", "4x4"),
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


# The arena.


def test_the_arena_is_the_figure_and_every_buffer_is_in_it() -> None:
    document = json.loads(mbv2_here("memory", "network", "--arena", "--format", "json").stdout)
    arena = document["arena"]
    printed = mbv2_here("summary", "network", "--no-forward", "--print", "tflm_bytes").stdout
    assert arena["arena_bytes"] == int(printed) == 2_451_840
    assert max(one["offset"] + one["bytes"] for one in arena["buffers"]) == arena["arena_bytes"]
    assert arena["fragmentation_bytes"] == arena["arena_bytes"] - arena["live_peak_bytes"] == 0
    assert arena["pad_bytes"] == 946_560
    assert [pad["layer"] for pad in arena["pads"]][:2] == ["features.0.0", "features.2.conv.1.0"]
    assert arena["savings"] == [{"fields": {"padding": "same"}, "arena_bytes": 1_505_280}]


@pytest.mark.parametrize("width", [30, 40, 60])
def test_the_arena_breaks_no_number_on_a_narrow_terminal(width: int) -> None:
    request = read_request("network")
    report = arena_report(request, plan_of(request.spec, request.input), 320 * 1024)
    lines = ["".join(piece.text for piece in line) for line in fitted(as_page(report), width)]
    assert max(map(len, lines)) <= width
    assert any("1,247,616 1,204,224" in line for line in lines)


@pytest.mark.parametrize(
    ("line", "texts"),
    [
        ("network:size=128 --max-tflm 320KiB", ["size=102", "padding=same,size=104"]),
        ("network:until=features.4.conv.0,size=97 --max-tflm 100KiB", ["size=58"]),
        ("network:head=0,classes=0,size=64x200,padding=same --max-tflm 60KiB", ["size=24x78"]),
        ("network:size=64x200 --max-tflm 200KiB", ["size=46x146"]),
        ("network --max-tflm 1500KiB", ["size=222"]),  # padding=same alone is enough
    ],
)
def test_what_would_help_is_the_largest_input(line: str, texts: list[str]) -> None:
    words = ("memory", *line.split(), "--arena")
    arena = json.loads(mbv2_here(*words, "--format", "json").stdout)["arena"]
    fields = [one["fields"] for one in arena["savings"] if "size" in one["fields"]]
    assert texts == [",".join(f"{name}={value}" for name, value in one.items()) for one in fields]
    assert arena["left_out"] == []
    rows = {line.split()[0] for line in mbv2_here(*words).stdout.splitlines() if line.strip()}
    assert rows.issuperset(texts)
    spec, size = read_request(words[1]).spec, read_request(words[1]).input
    for one in fields:
        changed = with_fields(spec, {"padding": one.get("padding", spec.padding)})
        found = InputSpec(size=one["size"]).size
        sides = range(max(found), max(size.size))
        inputs = [scaled(size, side) for side in sides]
        are_kept = [plan_of(changed, one).figure(TFLM) <= arena["limit_bytes"] for one in inputs]
        assert inputs[0].size == found
        assert are_kept == [True] + [False] * (len(inputs) - 1)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            "network --max-tflm 1KiB",
            (
                "No change that was tried keeps the limit. Tried: each smaller size and each "
                "smaller width_mult in steps of 0.05, with and without padding=same."
            ),
        ),
        (
            "block:padding=same,in=64,size=4 --max-tflm 1B",
            (
                "What would help: nothing. No change that was tried keeps the limit. Tried: each "
                "smaller size."
            ),
        ),
        ("block", "What would help: nothing. padding=same does not make the arena smaller."),
        ("block:size=1,padding=same --max-tflm 1B", "What would help: no change was tried."),
    ],
)
def test_that_nothing_helps_is_told(line: str, sentence: str) -> None:
    assert sentence in " ".join(mbv2_here("memory", *line.split(), "--arena").stdout.split())


def test_values_that_are_left_out_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest, "MAX_OPS", 1)
    words = ("memory", "network", "--arena", "--max-tflm")
    shown = " ".join(mbv2_here(*words, "1500KiB").stdout.split())
    assert "Not every smaller width_mult was tried: that takes too long. A larger one" in shown
    shown = " ".join(mbv2_here(*words, "1KiB").stdout.split())
    assert "Tried: each smaller size and some smaller width_mult in steps of 0.05, with" in shown


def test_a_model_of_many_operations_says_what_was_not_tried() -> None:
    target = f"network:stages={'/'.join(['t6c64n100'] * 3)}"
    result = mbv2_here("memory", target, "--arena", "--max-tflm", "1KiB")
    shown = " ".join(result.stdout.split())
    assert "Not tried, because that takes too long: a smaller size or width_mult." in shown


def test_an_operation_without_a_rule_has_no_arena() -> None:
    words = ("memory", "network:act=gelu", "--arena")
    assert "not known: there is no rule for gelu" in mbv2_here(*words).stdout
    arena = json.loads(mbv2_here(*words, "--format", "json").stdout)["arena"]
    assert (arena["arena_bytes"], arena["unknown"], arena["buffers"]) == (None, ["gelu"], [])


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_the_picture_of_the_arena_has_a_box_for_each_buffer(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"arena{suffix}"
    words = ("memory", "network", "--size", "32", "--arena", "--plot", str(path))
    assert mbv2_here(*words).code == 0
    content = path.read_bytes()
    assert len(content) > 10_000
    if suffix == ".svg":
        buffers = json.loads(mbv2_here(*words[:5], "--format", "json").stdout)["arena"]["buffers"]
        assert content.count(b'<g id="patch_') >= len(buffers)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--max-tflm", "1MiB"), "--max-tflm does nothing without --arena"),
        (("--plot", "a.svg"), "--plot does nothing without --arena"),
        (("--arena", "--plot", "a.pdf"), "--plot must end in .svg or .png"),
        (("--arena", "--dtype", "float32"), "--arena is of the int8 model"),
        (("--arena", "--max-tflm", "3K"), "--max-tflm is ambiguous"),
        (("--act", "gelu", "--arena", "--plot", "a.svg"), "no rule for gelu"),
    ],
    ids=" ".join,
)
def test_what_the_arena_refuses(words: tuple[str, ...], message: str, tmp_path: Path) -> None:
    result = mbv2_here("memory", *words, cwd=tmp_path)
    assert (result.code, result.stdout) == (2, "")
    assert message in result.stderr
    assert not list(tmp_path.iterdir())


def test_a_figure_without_a_rule_is_null_and_refused_by_print() -> None:
    words = ("summary", "network:act=gelu", "--no-forward", "--size", "32")
    document = json.loads(mbv2_here(*words, "--format", "json").stdout)
    assert document["totals"]["tflm_bytes"] is None
    result = mbv2_here(*words, "--print", "tflm_bytes")
    assert result.code == 2
    assert "the figure has no rule for gelu" in result.stderr


# Patches.


def test_patches_are_told_in_sentences_and_in_json() -> None:
    words = ("memory", "network", "--patches", "4x4", "--patch-until", "features.4")
    shown = " ".join(mbv2_here(*words).stdout.split())
    assert "Patches: 4x4, up to features.4: 171.50 KiB (175,616 bytes) in int8" in shown
    assert "Without patches: 1,372.00 KiB" in shown
    found = json.loads(mbv2_here(*words, "--dtype", "float32", "--format", "json").stdout)
    assert found["patches"]["peak_bytes"] == 4 * 175_616
    assert found["patches"]["extra_macs"] == 27_919_344


def test_patches_may_cost_less() -> None:
    target = "network:stages=t1c16k1s2/t6c24k1s2,size=31"
    words = ("memory", target, "--patches", "2x2", "--patch-until", "features.2")
    shown = " ".join(mbv2_here(*words).stdout.split())
    assert "what no stride reads, and cost 193,024 MACs less: 2,164,224 become 1,971,200" in shown


def test_without_a_block_the_best_one_is_found() -> None:
    words = ("memory", "network", "--patches", "4", "--format", "json")
    assert json.loads(mbv2_here(*words).stdout)["patches"]["until"] == "features.4"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--patch-until", "features.4"), "--patch-until does nothing without --patches"),
        (("--patches", "4x"), "--patches must be best or a grid such as 4x4, not '4x'"),
        (("--patches", "0"), "--patches must be best"),
        (("--patches", "4", "--arena"), "leave one of them out"),
        (("--patches", "4", "--patch-until", "feature.4"), "did you mean"),
    ],
    ids=" ".join,
)
def test_what_patches_refuse(words: tuple[str, ...], message: str) -> None:
    result = mbv2_here("memory", "network", *words)
    assert (result.code, result.stdout) == (2, "")
    assert message in result.stderr
