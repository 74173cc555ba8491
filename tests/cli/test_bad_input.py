"""Every mistake: exit code 2, one sentence on stderr, nothing on stdout, no traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from mbv2cli.cli.files import outputs
from mbv2cli.errors import UserError
from tests.process import Result, mbv2_here

MISTAKES = [
    ("--in 0", "--in must be a whole number from 1"),
    ("--out -3", "--out must be"),
    ("--out many", "not 'many'"),
    ("--out 1.5", "whole number"),
    ("--out 99999999999999999999", "from 1 to 65536"),
    ("--stride 0", "--stride must be"),
    ("--stride x", "--stride must be"),
    ("--expand 0", "--expand must be a number above 0"),
    ("--expand -1", "--expand must be"),
    ("--expand nan", "not 'nan'"),
    ("--expand inf", "not 'inf'"),
    ("--expand 1e300", "up to 256"),
    ("--in 1 --expand 0.1", "no hidden channel"),
    ("--kernel 4", "--kernel must be an odd whole number"),
    ("--kernel 0", "--kernel must be an odd"),
    ("--dilation 0", "--dilation must be"),
    ("--act rellu", "did you mean 'relu'?"),
    ("--size 0", "--size must be"),
    ("--size -5", "--size must be"),
    ("--size 12x", "HEIGHTxWIDTH"),
    ("--size 1x2x3", "HEIGHTxWIDTH"),
    ("--size big", "HEIGHTxWIDTH"),
    ("--size 99999999", "from 1 to 65536"),
    ("--batch 0", "--batch must be"),
    ("--batch two", "--batch must be"),
    ("network --width-mult 0", "--width-mult must be"),
    ("network --width-mult nan", "--width-mult must be"),
    ("network --width-mult 1e9", "up to 16"),
    ("network --classes -1", "--classes must be"),
    ("network --round-nearest 0", "--round-nearest must be"),
    ("network --output-stride 64", "--output-stride must be one of 8, 16, 32"),
    ("network --output-stride wide", "--output-stride must be"),
    ("network --dropout 1", "--dropout must be"),
    ("nework", "did you mean 'network'?"),
    ("missing.toml", "cannot read missing.toml"),
    ("network:width=0.5", "network:width is not a key of a network"),
    ("network:width_mult", "is not TARGET:key=value"),
    ("network:width_mult=0.5,width_mult=1", "twice"),
    ("network --kernel 5", "--kernel belongs to a block, not to a network"),
    ("network --expand 0", "--expand must be a number above 0"),
    ("network --stages t1c16/6c24", "text such as t1c16/t6c24n2s2, not 't1c16/6c24'"),
    ("network --stages t1c16/t6c24t6", "gives t twice; give it once"),
    ("network --stages t1c16/t6", "--stages[1].c is missing"),
    ("network --stages t1c16k4", "--stages[0].kernel must be an odd"),
    ("--width-mult 0.5", "--width-mult belongs to a network, not to a block"),
    ("--width-mult 1", "for a network, write network as the TARGET"),
    ("--format jsn", "did you mean 'json'?"),
    ("--print prams", "did you mean 'params'?"),
    ("--print", "--print needs a value; try mbv2 summary -h"),
    ("--print macs --format json", "exclude each other"),
    ("--dtype float23", "did you mean 'float32'?"),
    ("--dtype int8", "no forward pass runs in int8"),
    ("--device gpu", "--device must be one of auto, cpu"),
    (
        "--device cuda",
        "--device cuda cannot be used: this machine has no CUDA device; use cpu, meta",
    ),
    ("--device cuda:99", "this machine has no CUDA device; use cpu, meta or auto\n"),
    ("--device gpu", "for a GPU, write cuda (NVIDIA) or mps (Apple)"),
    ("--act hswishh", "did you mean 'hardswish'?"),
    ("--format JSON --print macs", "--format json exclude each other"),
    ("network --head -1", "--head must be a whole number from 0 (no head convolution) to 65536"),
    ("--seed -1", "--seed must be"),
    ("--size 60000 --batch 1000", "--force"),
    ("--output missing/file.txt", "cannot write missing/file.txt"),
    ("--output .", "cannot write ."),
    ("--expnd 6", "--expand"),
    ("block extra", "extra"),
]


def assert_one_sentence(result: Result, words: str) -> None:
    assert result.code == 2, result
    assert result.stdout == ""
    assert result.stderr.startswith("mbv2: ")
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr
    assert words in result.stderr


@pytest.mark.parametrize(("arguments", "words"), MISTAKES, ids=[line for line, _ in MISTAKES])
def test_mistake(arguments: str, words: str, tmp_path: Path) -> None:
    assert_one_sentence(mbv2_here("summary", *arguments.split(), cwd=tmp_path), words)
    assert list(tmp_path.iterdir()) == []


def test_unknown_command() -> None:
    assert_one_sentence(mbv2_here("sumary"), "sumary")


def test_a_file_that_is_no_toml(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("in = 3\nclasses = =\n")
    result = mbv2_here("summary", "bad.toml", cwd=tmp_path)
    assert_one_sentence(result, "bad.toml is not valid TOML")
    assert "line 2" in result.stderr


PLACES = [
    (
        'device = "cuda"',
        "mbv2.toml: case.edge.device cuda cannot be used: this machine has no CUDA",
    ),
    ('device = ["cpu", "cuda:7"]', "mbv2.toml: case.edge.device cuda:7 cannot be used"),
    ("size = 60000\nbatch = 1000", "mbv2.toml: case.edge: the forward pass needs about"),
    ("seed = -1", "mbv2.toml: case.edge.seed must be"),
    ('dtype = "float23"', "mbv2.toml: case.edge.dtype must be"),
    ('size = "1x2x3"', "mbv2.toml: case.edge.size must be"),
    ("batch = 0", "mbv2.toml: case.edge.batch must be"),
    ('target = "block:batch=0"', "block:batch must be"),
]


@pytest.mark.parametrize(("text", "words"), PLACES, ids=[text for text, _ in PLACES])
def test_a_mistake_in_a_file_is_told_with_its_place_there(
    text: str, words: str, tmp_path: Path
) -> None:
    (tmp_path / "mbv2.toml").write_text(f"[case.edge]\n{text}\n")
    result = mbv2_here("check", cwd=tmp_path)
    assert_one_sentence(result, words)
    assert "--device" not in result.stderr


def test_a_flag_is_told_as_a_flag_by_check_too() -> None:
    result = mbv2_here("check", "--max-params", "2k", "--device", "cuda")
    assert_one_sentence(result, "--device cuda cannot be used: this machine has no CUDA device")


def test_a_file_with_an_unknown_key(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("clases = 3\n")
    result = mbv2_here("summary", "bad.toml", cwd=tmp_path)
    assert_one_sentence(result, "did you mean 'classes'?")


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_bytes(b"in = 3\xff\xfe\x00")
    assert_one_sentence(mbv2_here("summary", "bad.toml", cwd=tmp_path), "is not UTF-8 text")


def test_a_failed_run_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text("old")
    arguments = ("--device", "cuda:99", "--format", "json", "--output", "old.json")
    assert mbv2_here("summary", *arguments, cwd=tmp_path).code == 2
    assert (tmp_path / "old.json").read_text() == "old"


def test_a_full_disk_is_told() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    assert_one_sentence(
        mbv2_here("summary", "--no-forward", "--output", "/dev/full"), "No space left"
    )


@pytest.mark.parametrize(
    ("line", "formats"),
    [
        ("summary --no-forward --output a.json", "summary --no-forward --format json"),
        ("summary --no-forward --output a.CSV", "summary --no-forward --format csv"),
        ("summary --no-forward --output a.md", "summary --no-forward --format markdown"),
        ("counts --output a.json", "counts --format json"),
        ("memory --output a.json", "memory --format json"),
        ("cliffs --output a.json", "cliffs --format json"),
        ("presets --output a.json", "presets --format json"),
        ("compare block network --output a.md", "compare block network --format markdown"),
        ("check --max-params 2k --no-forward --output a.json", "check --format json"),
        ("check --max-params 2k --no-forward --output a.xml", "check --format junit"),
        ("memory --output a.txt", "memory"),
        ("memory --output a.log", "memory"),
        ("memory --output a", "memory"),
        ("memory --output a.json --format table", "memory"),
        ("memory --output a.svg --format json", "memory --format json"),
        ("summary --no-forward --print macs --output a.csv", "summary --no-forward --print macs"),
    ],
)
def test_the_suffix_of_the_output_chooses_the_format(
    line: str, formats: str, tmp_path: Path
) -> None:
    assert mbv2_here(*line.split(), cwd=tmp_path) == (0, "", "")
    (file,) = tmp_path.iterdir()
    command, *rest = formats.split()
    more = ["--max-params", "2k", "--no-forward"] if command == "check" else []
    assert file.read_text() == mbv2_here(command, *more, *rest).stdout


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("summary --output block.svg", "does not write .svg; give --format, one of table, json"),
        ("memory --output a.csv", "mbv2 memory does not write .csv; give --format, one of table"),
        ("counts --output a.xlsx", "mbv2 counts does not write .xlsx"),
        ("presets --output a.parquet", "mbv2 presets does not write .parquet"),
        ("compare block network --output a.xml", "mbv2 compare does not write .xml"),
        ("check --max-params 2k --output a.pdf", "one of table, json, github, junit, markdown"),
    ],
)
def test_a_file_of_another_kind_is_refused(line: str, words: str, tmp_path: Path) -> None:
    assert_one_sentence(mbv2_here(*line.split(), cwd=tmp_path), words)
    assert list(tmp_path.iterdir()) == []


def test_only_errors_of_the_file_are_told_as_errors_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(ConnectionRefusedError), outputs():
        raise ConnectionRefusedError
    for file, words in ((tmp_path / "b" / "a.csv", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(UserError, match=rf"cannot write {file}: {words}"), outputs() as opened:
            opened(file)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_an_error_of_the_file(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    full = tmp_path / "full.csv"
    full.symlink_to("/dev/full")
    with pytest.raises(UserError, match=f"cannot write {full}: No space"), outputs() as opened:
        opened(full).write(b"x" * 2**20)
