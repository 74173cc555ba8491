from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import pytest
from pyarrow import parquet
from syrupy.assertion import SnapshotAssertion

from mbv2cli.report.page import Page, fitted
from tests.cli.test_process import LOADED, modules_of_commands
from tests.process import Result, main_with, mbv2, mbv2_here, python
from tests.search.test_front import undominated

GRID: Final = (
    *(
        "network",
        "--dtype",
        "int8",
        "--width-mult",
        "0.35:1.4:0.05",
        "--size",
        "96:256:16",
        "--expand",
        "3,4,6",
    ),
    *("--max-macs", "100M", "--max-params", "2M", "--max-peak", "512KiB"),
)
SPACE: Final = """
classes = 10
width_mult = [0.35, 0.5, "0.75:1:0.25"]
size = [64, "96x128"]
stages = [
    {t = 1, c = [8, 16]},
    {t = [0.01, 4, 6], c = [16, 24], n = [1, 2], s = 2, k = [3, 5]},
    {t = [4, 6], c = 40, s = 2, d = [1, 2]},
]
"""
SMALL: Final = ("sweep", "--in", "4,8", "--out", "8,16", "--size", "8")
FIGURES: Final = ("params", "macs", "peak", "flash", "activations", "layers", "receptive_field")
LIMITS: Final = (
    *("--max-macs", "12M", "--max-peak", "90KiB", "--where", "flash < peak", "--dtype", "int8"),
)


def fits(row: dict[str, Any]) -> list[bool]:
    """Return which of `LIMITS` a member keeps."""
    macs, peak, flash = (int(row[name]) for name in ("macs", "peak", "flash"))
    return [macs <= 12_000_000, peak <= 90 * 1024, flash < peak]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "space.toml").write_text(SPACE)
    return tmp_path


def sweep(folder: Path | None, *arguments: str) -> str:
    """Return what a sweep prints that goes well."""
    result = mbv2_here("sweep", *arguments, cwd=folder)
    assert (result.code, result.stderr) == (0, "")
    return result.stdout


def page_of(folder: Path, *arguments: str) -> Page:
    """Return the page that a sweep writes, before it is fitted to a terminal."""
    with patch("mbv2cli.cli.sweep.write") as write:
        sweep(folder, *arguments)
    page: Page = write.call_args.args[0]
    return page


def document(folder: Path | None, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(sweep(folder, *arguments, "--format", "json"))
    return found


def read_csv(path: Path) -> list[dict[str, Any]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def read_parquet(path: Path) -> list[dict[str, Any]]:
    rows: Rows = parquet.read_table(path).to_pylist()
    return rows


READERS: Final[dict[str, Callable[[Path], list[dict[str, Any]]]]] = {
    ".csv": read_csv,
    ".jsonl": read_jsonl,
    ".parquet": read_parquet,
}


Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """Return every member of the space that can be built, with its figures as ints."""
    folder = tmp_path_factory.mktemp("members")
    (folder / "space.toml").write_text(SPACE)
    sweep(folder, "--space", "space.toml", *LIMITS, "--all", "--output", "all.csv", "-q")
    found = read_csv(folder / "all.csv")
    return [{**row, **{name: int(row[name]) for name in FIGURES}} for row in found]


def feasible(rows: Rows) -> Rows:
    return [row for row in rows if row["feasible"] == "True"]


def figures_of(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("target", *FIGURES)}


def assert_one_sentence(result: Result, words: str) -> None:
    assert (result.code, result.stdout) == (2, ""), result
    assert result.stderr.startswith("mbv2: ")
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr
    assert words in result.stderr


def test_a_scheduler_that_does_not_answer_is_told(tmp_path: Path) -> None:
    result = main_with(
        "import mbv2cli.search.cluster as cluster; cluster.TIMEOUT = 1",
        *SMALL,
        *("--scheduler", "tcp://127.0.0.1:1", "--output", str(tmp_path / "x.csv")),
    )
    assert_one_sentence(result, "the Dask scheduler at tcp://127.0.0.1:1 cannot be used")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        GRID,
        ("network", "--width-mult", "0.1:1:0.1", "--size", "64:224:32", "--pareto", "peak,-macs"),
        (*GRID[:9], "--pareto", "layers,-receptive_field,peak", "--sort", "layers", "--top", "3"),
        (
            *("--in", "8:64:8", "--expand", "1:6:1", "--kernel", "3,5,7"),
            *("--size", "32", "--where", "macs < 9e6 and peak <= 20*params"),
        ),
        (*GRID[:-2], "--cdf", "--top", "1", "--peak-rule", "eager", "--dtype", "float32"),
        ("network", "--width-mult", "0.5,1", "--max-macs", "1", "--cdf", "--pareto", "macs,params"),
        ("--in", "4,8", "--expand", "0.1,6", "--convention", "fvcore", "--sort", "in"),
        ("mcunet_035_144",),
    ],
    ids=[
        "grid",
        "front",
        "front of three",
        "where",
        "distribution",
        "nothing fits",
        "some cannot be built",
        "one member",
    ],
)
def test_tables(arguments: tuple[str, ...], snapshot: SnapshotAssertion) -> None:
    assert sweep(None, *arguments) == snapshot


def test_a_space_file_and_a_sample_of_it(folder: Path, snapshot: SnapshotAssertion) -> None:
    arguments = ("--space", "space.toml", *LIMITS, "--top", "3")
    assert sweep(folder, *arguments) == snapshot(name="all")
    sample = sweep(folder, *arguments, "--sample", "500", "--seed", "3")
    assert sample == snapshot(name="sample")
    assert sweep(folder, *arguments, "--sample", "500", "--seed", "3") == sample
    assert sweep(folder, *arguments, "--sample", "500", "--seed", "4") != sample
    assert sweep(folder, *arguments, "--sample", "10G") == sweep(folder, *arguments)


def test_json(folder: Path, snapshot: SnapshotAssertion) -> None:
    arguments = ("--space", "space.toml", *LIMITS, "--top", "2", "--pareto", "peak,-macs", "--cdf")
    assert sweep(folder, *arguments, "--sample", "700", "--format", "json") == snapshot


WORDS: Final = r"\d[\d,.]*|network:\S+"
"""A number, or a target."""


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_a_terminal_of_any_width_breaks_no_number_and_no_target(folder: Path, width: int) -> None:
    impossible = ("network", "--width-mult", "0.1,1", "--max-peak", "9KiB", "--max-macs", "9k")
    three = ("--pareto", "layers,-receptive_field,peak")
    for arguments in (GRID, ("--space", "space.toml", "--cdf", *three), impossible):
        shown = page_of(folder, *arguments)
        plain = set(re.findall(WORDS, shown.text))
        for pieces in fitted(shown, width):
            line = "".join(text for text, *_ in pieces).rstrip()
            assert len(line) <= width or "network:" in line
            assert set(re.findall(WORDS, line)) <= plain | {str(width)}


def test_nobody_fits_an_impossible_limit(folder: Path) -> None:
    found = document(folder, "--space", "space.toml", "--max-macs", "1", "--output", "none.csv")
    assert (found["feasible"], found["top"], found["front"], found["quantiles"]) == (0, [], [], [])
    assert found["conditions"][0]["failed"] == found["buildable"] > 0
    assert len((folder / "none.csv").read_text().splitlines()) == 1


def test_nothing_is_listed_on_demand(folder: Path) -> None:
    listed = sweep(folder, "--space", "space.toml", *LIMITS, "--top", "1")
    unlisted = sweep(folder, "--space", "space.toml", *LIMITS, "--top", "0")
    assert listed.startswith(unlisted)
    assert "Top" not in unlisted


def test_members_that_fit_are_those_of_all(folder: Path, rows: Rows) -> None:
    found = document(
        folder, "--space", "space.toml", *LIMITS, "--output", "fits.csv", "--top", "1000"
    )
    assert {row["feasible"] for row in rows} == {"True", "False"}
    assert [row["feasible"] == "True" for row in rows] == [all(fits(row)) for row in rows]
    assert (found["tried"], found["buildable"]) == (found["size"], len(rows))
    assert found["buildable"] < found["size"]
    failed = [sum(not fits(row)[number] for row in rows) for number in range(3)]
    assert [one["failed"] for one in found["conditions"]] == failed
    assert found["feasible"] == len(feasible(rows)) > 40
    assert read_csv(folder / "fits.csv") == [
        {key: str(value) for key, value in row.items() if key != "feasible"}
        for row in feasible(rows)
    ]
    best_first = sorted(feasible(rows), key=lambda row: -row["macs"])
    assert found["top"] == list(map(figures_of, best_first))


@pytest.mark.parametrize("order", ["-peak", "receptive_field", "-width_mult"])
def test_the_top_is_sorted(folder: Path, rows: Rows, order: str) -> None:
    name, sign = order.removeprefix("-"), -1 if order.startswith("-") else 1
    found = document(folder, "--space", "space.toml", *LIMITS, f"--sort={order}", "--top", "40")
    first = sorted(feasible(rows), key=lambda row: sign * float(row[name]))[:40]
    assert found["top"] == list(map(figures_of, first))


@pytest.mark.parametrize("figures", ["peak,-macs", "params,-receptive_field", "-macs,peak,flash"])
def test_the_front_is_that_of_the_members(folder: Path, rows: Rows, figures: str) -> None:
    found = document(folder, "--space", "space.toml", *LIMITS, "--pareto", figures, "--top", "1")
    orderings = [(one.removeprefix("-"), one.startswith("-")) for one in figures.split(",")]
    points = [
        tuple(-row[name] if most else row[name] for name, most in orderings)
        for row in feasible(rows)
    ]
    members = zip(points, feasible(rows), undominated(points, points), strict=True)
    front = sorted(((point, row) for point, row, alone in members if alone), key=lambda one: one[0])
    assert found["front"] == [figures_of(row) for _point, row in front]
    assert found["front_size"] == len(front) > 1


def test_the_distribution_is_that_of_the_members(folder: Path, rows: Rows) -> None:
    found = document(folder, "--space", "space.toml", *LIMITS, "--cdf")
    assert [one["percent"] for one in found["quantiles"]] == list(range(0, 101, 10))
    for name in FIGURES:
        values = sorted(row[name] for row in feasible(rows))
        deciles = [values[max(0, ceil(len(values) * tenth / 10) - 1)] for tenth in range(11)]
        assert [one[name] for one in found["quantiles"]] == deciles


@pytest.mark.parametrize("every", [(), ("--all",)], ids=["fit", "all"])
def test_files_of_members_hold_the_same(folder: Path, every: tuple[str, ...]) -> None:
    found = {}
    for suffix, reader in READERS.items():
        path = folder / f"members{suffix}"
        sweep(folder, "--space", "space.toml", *LIMITS, *every, "--output", path.name, "-q")
        found[suffix] = reader(path)
    assert found[".jsonl"] == found[".parquet"]
    assert len(found[".jsonl"]) > 10
    as_text = [{key: str(value) for key, value in row.items()} for row in found[".jsonl"]]
    assert found[".csv"] == as_text
    names = ["target", "width_mult", "height", "width", "s1.c", "s2.t", "s2.c", "s2.n", "s2.kernel"]
    names += ["s3.t", "s3.dilation", *FIGURES, *(["feasible"] if every else [])]
    assert [list(row) for row in found[".jsonl"]] == [names] * len(found[".jsonl"])


def test_columns_of_words_and_of_mixed_numbers(folder: Path) -> None:
    arguments = ("--act", "relu,silu", "--expand", "1,2.5", "--size", "8,8x16")
    for suffix, reader in READERS.items():
        sweep(folder, *arguments, "--output", f"mixed{suffix}")
        found = reader(folder / f"mixed{suffix}")
        columns = [
            (row["act"], float(row["expand"]), int(row["height"]), int(row["width"]))
            for row in found
        ]
        # expand is before act, and size after both: members go through the last of them first
        assert columns == [
            (act, expand, 8, width)
            for expand in (1.0, 2.5)
            for act in ("relu", "silu")
            for width in (8, 16)
        ]


def test_a_file_is_replaced_and_only_as_a_whole(folder: Path) -> None:
    (folder / "old.csv").write_text("old")
    broken = main_with(BROKEN_SWEEP, *SMALL, "--output", str(folder / "old.csv"))
    assert broken.code == 3
    assert (folder / "old.csv").read_text() == "old"
    sweep(folder, *SMALL[1:], "--output", "old.csv")
    assert len(read_csv(folder / "old.csv")) == 4
    assert sorted(path.name for path in folder.iterdir()) == ["old.csv", "space.toml"]


def test_quiet_prints_nothing_and_writes_the_file(folder: Path) -> None:
    assert sweep(folder, *SMALL[1:], "-q", "--output", "members.jsonl") == ""
    assert len(read_jsonl(folder / "members.jsonl")) == 4


def test_every_target_is_one_for_other_commands(folder: Path) -> None:
    found = document(
        folder, "--space", "space.toml", *LIMITS, "--pareto", "peak,-macs", "--top", "9"
    )
    members = [found["top"][0], found["top"][-1], found["front"][0], found["front"][-1]]
    for member in members:
        summary = mbv2_here("summary", member["target"], "--no-forward", "--print", "params,macs")
        assert summary == (0, f"{member['params']}\n{member['macs']}\n", "")


def test_a_preset_is_a_base_for_members(folder: Path) -> None:
    found = document(folder, "mcunet_035_144", "--classes", "2,10", "--size", "96:144:48")
    assert (found["base"], found["size"]) == ("mcunet_035_144", 4)
    target = found["top"][0]["target"]
    assert target == "mcunet_035_144:classes=10,size=144"
    summary = mbv2_here("summary", target, "--no-forward", "--print", "macs")
    assert int(summary.stdout) == found["top"][0]["macs"]


@pytest.mark.parametrize("limit", ["200", "5"], ids=["some fit", "none fits"])
def test_several_processes_find_the_same(folder: Path, limit: str) -> None:
    arguments = (
        *("--in", "1:64:1", "--out", "1:48:1", "--expand", "1:6:1", "--kernel", "1:9:2"),
        *("--stride", "1:3:1", "--size", "8,9", "--max-macs", "9k", "--max-params", limit),
        *("--pareto", "peak,-macs", "--cdf"),
    )
    one = sweep(folder, *arguments, "--output", "one.csv")
    assert "Tried 552,960" in one  # three tasks
    assert ("Why no member fits" in one) == (limit == "5")
    two = mbv2("sweep", *arguments, "--jobs", "2", "--output", "two.csv", cwd=folder)
    assert two == (0, one, "")
    assert (folder / "one.csv").read_text() == (folder / "two.csv").read_text()


BROKEN_SWEEP: Final = """
import mbv2cli.search.segments as segments
right = segments.BlockSegment.of_structure
segments.BlockSegment.of_structure = lambda *given: [one + 1 for one in right(*given)]
"""
BROKEN_RULE: Final = """
from mbv2cli.graph import ops
right = ops.norm_params
ops.norm_params = lambda channels: right(channels) + 1
"""
BUG: Final = "mbv2: a bug in mbv2, please report it: "


def test_members_are_verified_by_forward_passes() -> None:
    arguments = (*SMALL[1:], "--verify", "3", "--top", "1")
    last = sweep(None, *arguments).splitlines()[-1]
    found = document(None, *arguments)
    assert 3 <= found["verified"] <= 4  # three at random, and the one that is listed
    assert last == (
        f"Verified: {found['verified']} members built and run; sweep, plan and forward pass agree."
    )


def test_a_sweep_that_disagrees_with_the_plan_exits_3() -> None:
    result = main_with(BROKEN_SWEEP, *SMALL)
    assert (result.code, result.stdout) == (3, "")
    assert result.stderr.startswith(f"{BUG}sweep and plan disagree on params of block:in=8,out=16")
    assert result.stderr.count("\n") == 1


def test_a_forward_pass_that_disagrees_exits_3() -> None:
    assert main_with(BROKEN_RULE, *SMALL).code == 0  # sweep and plan share their rules
    result = main_with(BROKEN_RULE, *SMALL, "--verify", "1")
    assert (result.code, result.stdout) == (3, "")
    assert result.stderr.startswith(f"{BUG}block:in=")
    assert "plan and forward pass disagree on the params of" in result.stderr
    assert result.stderr.count("\n") == 1


def test_ctrl_c_tells_what_was_found_and_writes_no_file(folder: Path) -> None:
    result = main_with(
        "from mbv2cli.search import members, run\n"
        "members.CHUNK = run.CHUNKS = run.CHUNK = 1\n"
        "right = run.search_task\n"
        "def interrupted(query, number):\n"
        "    if number == 3: raise KeyboardInterrupt\n"
        "    return right(query, number)\n"
        "run.search_task = interrupted",
        *SMALL,
        *("--output", str(folder / "members.csv"), "--format", "json"),
    )
    assert result.code == 130
    assert result.stderr == f"mbv2: interrupted, {folder / 'members.csv'} is not written\n"
    found = json.loads(result.stdout)
    assert (found["complete"], found["tried"], found["size"]) == (False, 3, 4)
    assert [path.name for path in folder.iterdir()] == ["space.toml"]


HEAVY: Final = {"torch", "torchsummary", "psutil", "matplotlib", "distributed", "pyarrow", "dask"}


def test_a_sweep_loads_no_torch(folder: Path) -> None:
    space = str(folder / "space.toml")
    loaded = modules_of_commands(("sweep", "--space", space, *LIMITS, "--pareto", "peak,-macs"))
    assert not loaded & HEAVY
    assert "numpy" in loaded
    assert not modules_of_commands(("sweep", *SMALL[1:], "--format", "json")) & HEAVY


def test_help_loads_no_numpy() -> None:
    assert not modules_of_commands(("sweep", "--help")) & {"numpy", *HEAVY}


def test_a_mistake_in_the_space_loads_no_numpy() -> None:
    result = python(
        "-c",
        "import sys; sys.argv = ['mbv2', 'sweep', '--width-mult', '3:1:1', 'network']\n"
        "from mbv2cli.__main__ import main\n"
        "try: main()\n"
        f"except SystemExit as end: assert end.code == 2\n{LOADED}",
    )
    assert not set(json.loads(result.stdout)) & {"numpy", *HEAVY}
    assert_one_sentence(result._replace(code=2, stdout=""), "'3:1:1' has no values")


A: Final = "--in 4,8"
MISTAKES: Final = [
    ("network --width-mult 3:1:1", "--width-mult: '3:1:1' has no values"),
    ("network --width-mult 1:2", "'1:2' is not a range; write start:stop:step"),
    ("network --width-mult 0.1:9:0.001", "so use a larger step"),
    ("network --kernel 3,5", "--kernel belongs to a block"),
    ("--width-mult 0.5,1", "--width-mult belongs to a network"),
    ("network --act relu,rellu6", "did you mean 'relu6'?"),
    ("nework --width-mult 0.5,1", "did you mean 'network'?"),
    ("--space space.toml network", "--space space.toml has a target of its own"),
    ("--space missing.toml", "cannot read missing.toml"),
    ("--space empty.toml", "empty.toml: size is an empty list"),
    ("--space stages.toml", "stages.toml: stages[1].kernl is not a key of a stage"),
    ("--space broken.toml", "broken.toml is not valid TOML"),
    (
        "--in 1:4096:1 --out 1:4096:1 --size 8:13:1",
        "100,663,296 members; without --sample, at most 100,000,000 are allowed",
    ),
    ("--in 65536 --out 65536 --size 65536 --batch 999", "exceed 2^60"),
    (f"{A} --sort mac", "--sort: there is no figure 'mac'"),
    (f"{A} --sort=", "--sort: there is no figure ''"),
    (f"{A} --pareto peak,-mac", "--pareto: there is no figure 'mac'"),
    (f"{A} --pareto peak", "two or three different figures, such as peak,-macs, not 'peak'"),
    (f"{A} --pareto peak,macs,params,flash", "--pareto takes two or three different figures"),
    (f"{A} --pareto peak,-peak", "--pareto takes two or three different figures"),
    (f"{A} --where mac<3", "--where: there is no figure 'mac'"),
    (f"{A} --where macs<100Q", "--where 'macs<100Q' is not an expression"),
    (f"{A} --where peak<320K", "'320K'"),
    (f"{A} --where macs<320KiB", "'320KiB' is not an amount of the figure"),
    (f"{A} --max-peak 320K", "--max-peak is ambiguous: write 320KiB (1,024 bytes each) or 320kB"),
    (f"{A} --max-macs 1,000", "--max-macs must not have commas: write 1_000, not '1,000'"),
    (f"{A} --max-peak 1,000", "--max-peak must not have commas: write 1_000, not '1,000'"),
    (f"{A} --where __import__('os').system('touch${{IFS}}x')<macs", "--where cannot be used"),
    (f"{A} --where open('x','w').write('x')<macs", "--where cannot be used"),
    (f"{A} --output missing/x.csv", "cannot write missing/x.csv: No such file or directory"),
    (f"{A} --output folder.csv", "cannot write folder.csv: Is a directory"),
    (f"{A} --output space.toml/x.csv", "cannot write space.toml/x.csv"),
    (f"{A} --output members.xlsx", "--output must end in .parquet, .csv, .jsonl"),
    (f"{A} --all", "--all needs --output FILE"),
    (f"{A} --jobs 2 --scheduler tcp://127.0.0.1:1", "--jobs and --scheduler exclude each other"),
    (f"{A} --scheduler nowhere", "such as tcp://127.0.0.1:8786"),
    (f"{A} --jobs 0", "--jobs must be a whole number from 1 to 256"),
    (f"{A} --sample 0", "--sample must be a count from 1 to 10G"),
    (f"{A} --seed -1", "--seed must be"),
    (f"{A} --max-peak 3Q", "--max-peak must be bytes"),
    (f"{A} --peak-rule eagr", "did you mean 'eager'?"),
    (f"{A} --convention fvcor", "did you mean 'fvcore'?"),
    (f"{A} --format csv", "--format must be one of table, json"),
    (f"{A} --smple 3", "--sample"),
    (f"{A} --size 60000 --batch 1000 --verify 1", "GiB of memory"),
]


@pytest.mark.parametrize(("arguments", "words"), MISTAKES, ids=[line for line, _ in MISTAKES])
def test_mistake(arguments: str, words: str, folder: Path) -> None:
    (folder / "folder.csv").mkdir()
    (folder / "empty.toml").write_text("width_mult = [0.5, 1]\nsize = []\n")
    (folder / "stages.toml").write_text("stages = [{c = 8}, {c = [8, 9], kernl = 3}]\n")
    (folder / "broken.toml").write_text("size = [[\n")
    before = sorted(folder.rglob("*"))
    # what a sweep would write if it got that far
    output = () if "--output" in arguments or "--all" in arguments else ("--output", "left.csv")
    assert_one_sentence(mbv2_here("sweep", *arguments.split(), *output, cwd=folder), words)
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("suffix", READERS)
def test_a_full_disk_is_told(tmp_path: Path, suffix: str) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    (tmp_path / f"full{suffix}").symlink_to("/dev/full")
    result = mbv2_here(*SMALL, "--output", f"full{suffix}", cwd=tmp_path)
    assert_one_sentence(result, f"cannot write full{suffix}: No space left on device")


def test_words_may_be_written_in_several_ways() -> None:
    grid = ("network", "--size", "32,64")
    written = sweep(None, *grid, "--dtype", "Half", "--format", "JSON")
    assert written == sweep(None, *grid, "--dtype", "float16", "--format", "json")


NONSENSE: Final = {
    **dict.fromkeys(("NUMEXPR_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "abc"),
    "NUMEXPR_NUM_THREADS": "0",
    "MKL_NUM_THREADS": "-1",
    "NPY_DISABLE_CPU_FEATURES": "abc",
}


def test_variables_with_nonsense_that_do_no_harm_are_ignored(tmp_path: Path) -> None:
    arguments = ("sweep", "--in", "1:9:1", "--where", "macs > 3 and in != 4", "--jobs", "2")
    result = mbv2(*arguments, cwd=tmp_path, **NONSENSE)
    assert (result.code, result.stderr) == (0, "")
    assert "Tried 9: 8 feasible" in result.stdout


@pytest.mark.parametrize(
    ("variable", "value"),
    [("NUMPY_MADVISE_HUGEPAGE", "abc"), ("NPY_DISABLE_CPU_FEATURES", "X86_V2")],
)
def test_a_variable_that_stops_numpy_is_named(variable: str, value: str, tmp_path: Path) -> None:
    if python("-c", "import numpy", cwd=tmp_path, **{variable: value}).code == 0:
        pytest.skip(f"this numpy starts with {variable}={value}")
    result = mbv2("sweep", "--in", "1:9:1", cwd=tmp_path, **{variable: value})
    assert_one_sentence(result, f"numpy cannot work with the environment variable {variable}")
