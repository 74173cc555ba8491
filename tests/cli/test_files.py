"""Outputs: whole or not at all, in the file that is meant, and in no other."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from mbv2cli.cli.files import write_file
from tests.cli.test_bad_input import assert_one_sentence
from tests.process import ENVIRONMENT, Result, mbv2_here

CONFIG: Final = "[case.stem]\nmax_params = '2k'\n"
SUMMARY: Final = ("summary", "--no-forward", "--print", "macs")
MACS: Final = "68640768\n"
SWEEP: Final = ("sweep", "--in", "4,8", "--size", "8", "-q")
MBV2: Final = (sys.executable, "-m", "mbv2cli")
NAMESPACE: Final = ("unshare", "--map-root-user", "--mount", "--pid", "--fork")
"""Runs a command as root of a namespace of its own, with the process number 1."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mbv2.toml").write_text(CONFIG)
    (tmp_path / "space.csv").write_text("width_mult = [0.5, 1]\nsize = 32\n")
    (tmp_path / "net.toml").write_text("size = 96\n")
    return tmp_path


def run(*command: str, cwd: Path) -> Result:
    done = subprocess.run(
        command, cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=60
    )
    return Result(done.returncode, done.stdout, done.stderr)


def shell(line: str, cwd: Path) -> Result:
    return run("sh", "-c", line.replace("mbv2 ", f"'{sys.executable}' -m mbv2cli "), cwd=cwd)


def in_namespace(line: str, cwd: Path) -> Result:
    if not shutil.which("unshare") or run(*NAMESPACE, "true", cwd=cwd).code:
        pytest.skip("unshare makes no namespace here")
    command = line.replace("mbv2 ", f"'{sys.executable}' -m mbv2cli ")
    return run(*NAMESPACE, "sh", "-c", f"set -e; {command}", cwd=cwd)


def with_permissions(*command: str, cwd: Path) -> Result:
    """Run a command that the modes of files stop, which stop no plain root."""
    if os.geteuid():
        return run(*command, cwd=cwd)
    if not shutil.which("setpriv"):
        pytest.skip("no setpriv here, and modes do not stop root")
    return run("setpriv", "--bounding-set=-dac_override,-dac_read_search", *command, cwd=cwd)


def files_of(folder: Path) -> dict[str, str]:
    """Return the content of every file of a folder: what a failed command must leave alone."""
    return {
        str(path): path.read_text(errors="replace") for path in folder.rglob("*") if path.is_file()
    }


# descriptors, pipes and devices


@pytest.mark.parametrize("name", ["/dev/fd/{}", "/proc/self/fd/{}", "/proc/thread-self/fd/{}"])
@pytest.mark.parametrize("is_link", [False, True], ids=["name", "link"])
def test_a_descriptor_is_written_as_the_caller_opened_it(
    tmp_path: Path, name: str, *, is_link: bool
) -> None:
    log = tmp_path / "log"
    for flag, expected in ((os.O_APPEND, f"first\n{MACS}"), (0, f"fi{MACS}")):
        log.write_text("first\n")
        descriptor = os.open(log, os.O_WRONLY | flag)
        os.lseek(descriptor, 2, os.SEEK_SET)
        file = Path(name.format(descriptor))
        if is_link:
            (tmp_path / f"link{flag}").symlink_to(file)
            file = tmp_path / f"link{flag}"
        assert mbv2_here(*SUMMARY, "--output", str(file)) == (0, "", "")
        os.close(descriptor)
        assert log.read_text() == expected


def test_standard_output_and_error_may_be_an_output(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("first\n")
    line = f"mbv2 {' '.join(SUMMARY)} --output"
    assert shell(f"{line} /dev/stdout >> log", tmp_path) == (0, "", "")
    assert (tmp_path / "log").read_text() == f"first\n{MACS}"
    assert shell(f"{line} /dev/stdout | cat", tmp_path) == (0, MACS, "")
    assert shell(f"{line} /dev/stderr", tmp_path) == (0, "", MACS)


def test_the_output_of_another_process_is_appended_to(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("first\n")
    with (
        (tmp_path / "log").open("a") as log,
        subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=log
        ) as other,
    ):
        result = mbv2_here(*SUMMARY, "--output", f"/proc/{other.pid}/fd/1")
        other.communicate(b"\n")
    assert result == (0, "", "")
    assert (tmp_path / "log").read_text() == f"first\n{MACS}"


@contextmanager
def pipe() -> Iterator[tuple[Path, int]]:
    read, write = os.pipe()
    try:
        yield Path(f"/dev/fd/{write}"), read
    finally:
        os.close(write)


@pytest.mark.parametrize(
    ("line", "suffix"),
    [
        ("summary --no-forward --format json --output", ".json"),
        ("counts --output", ""),
        ("memory --output", ""),
        ("presets mcu --output", ""),
        ("compare block block:expand=4 --output", ""),
        ("check --no-forward --output", ""),
        ("sweep --in 4,8 --size 8 -q --output", ".csv"),
        ("sweep --in 4,8 --size 8 -q --output", ".jsonl"),
        ("sweep --in 4,8 --size 8 -q --output", ".parquet"),
        ("sweep --in 4,8 --size 8 -q --plot", ".svg"),
    ],
)
def test_every_output_may_be_a_pipe(folder: Path, line: str, suffix: str) -> None:
    with pipe() as (output, read):
        (folder / f"pipe{suffix}").symlink_to(output)
        result = mbv2_here(*line.split(), f"pipe{suffix}", cwd=folder)
    assert result == (0, "", "")
    with os.fdopen(read, "rb") as stream:
        piped = stream.read()
    assert mbv2_here(*line.split(), f"file{suffix}", cwd=folder).code == 0
    assert piped == (folder / f"file{suffix}").read_bytes()
    assert piped


def test_a_lock_and_a_step_summary_may_be_pipes(folder: Path) -> None:
    with pipe() as (output, read):
        (folder / "mbv2.lock").symlink_to(output)
        assert mbv2_here("lock", "-q", cwd=folder) == (0, "", "")
    with os.fdopen(read) as stream:
        lock = stream.read()
    (folder / "mbv2.lock").unlink()
    assert mbv2_here("lock", "-q", cwd=folder) == (0, "", "")
    assert (folder / "mbv2.lock").read_text() == lock
    with pipe() as (output, read):
        assert mbv2_here(*CHECK, cwd=folder, GITHUB_STEP_SUMMARY=str(output)).stderr == ""
    with os.fdopen(read) as stream:
        assert stream.read().startswith("**mbv2 check: 1 case")


def test_a_pipe_that_no_one_reads_is_silent() -> None:
    with pipe() as (output, read):
        os.close(read)
        result = mbv2_here("presets", "--format", "json", "--output", str(output))
    assert result == (0, "", "")


def test_a_descriptor_that_is_not_open_or_only_read_is_refused(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    os.close(descriptor)
    for file, words in ((f"/dev/fd/{descriptor}", "Bad file"), ("/dev/full", "No space left")):
        result = mbv2_here(*SUMMARY, "--output", file)
        assert_one_sentence(result, f"cannot write {file}: {words}")


# the unfinished file


def test_a_planted_link_leads_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even with a name that is guessed."""
    monkeypatch.setattr(os, "urandom", bytes)
    victim = tmp_path / "victim"
    victim.write_text("theirs")
    (tmp_path / f".a.txt.{os.getpid()}.unfinished").symlink_to(victim)
    assert mbv2_here(*SUMMARY, "--output", "a.txt", cwd=tmp_path) == (0, "", "")
    guessed = tmp_path / f".mbv2-{'00' * 8}.unfinished"
    guessed.symlink_to(victim)
    result = mbv2_here(*SUMMARY, "--output", "a.txt", cwd=tmp_path)
    assert_one_sentence(result, "cannot write a.txt: File exists")
    assert victim.read_text() == "theirs"
    assert guessed.is_symlink()
    assert (tmp_path / "a.txt").read_text() == MACS


HALFWAY: Final = """
import sys
from pathlib import Path
from mbv2cli.cli.files import outputs

with outputs() as opened:
    file = opened(Path("a.txt"))
    file.write(b"one ")
    file.flush()
    print("half", flush=True)
    sys.stdin.readline()
    file.write(b"two")
"""
"""A process that stands still once half of its output is written."""


def test_two_processes_of_one_number_write_whole_files(tmp_path: Path) -> None:
    assert in_namespace("test $$ = 1", tmp_path).code == 0
    with subprocess.Popen(
        [*NAMESPACE, sys.executable, "-c", HALFWAY],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as first:
        assert first.stdout
        assert first.stdout.readline() == b"half\n"
        assert in_namespace(f"exec mbv2 {' '.join(SUMMARY)} --output a.txt", tmp_path).code == 0
        assert (tmp_path / "a.txt").read_text() == MACS
        first.communicate(b"\n")
    assert first.returncode == 0
    assert (tmp_path / "a.txt").read_text() == "one two"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_new_file_has_the_mode_of_any_new_file(tmp_path: Path) -> None:
    for mask in (0o022, 0o077, 0o002):
        before = os.umask(mask)
        try:
            assert mbv2_here(*SUMMARY, "--output", f"{mask}.txt", cwd=tmp_path).code == 0
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / f"{mask}.txt").stat().st_mode) == 0o666 & ~mask


def test_a_file_keeps_mode_owner_and_attributes(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    for mode in (0o600, 0o640, 0o666, 0o755):
        file.write_text("old")
        file.chmod(mode)
        assert mbv2_here(*SUMMARY, "--output", str(file)) == (0, "", "")
        assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == (MACS, mode)
    try:
        os.setxattr(file, "user.mbv2", b"kept")
    except (OSError, AttributeError):
        pytest.skip("no extended attributes here")
    is_root = os.geteuid() == 0
    owner = (12345, 54321) if is_root else (os.geteuid(), os.getegid())
    os.chown(file, *owner)
    inode = file.stat().st_ino
    assert mbv2_here(*SUMMARY, "--output", str(file)) == (0, "", "")
    assert file.stat().st_ino != inode
    assert os.getxattr(file, "user.mbv2") == b"kept"
    assert (file.stat().st_uid, file.stat().st_gid) == owner


def test_a_file_system_without_attributes_takes_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(_file: object) -> list[str]:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    monkeypatch.setattr(os, "listxattr", unsupported, raising=False)
    for _ in range(2):
        assert mbv2_here(*SUMMARY, "--output", "a.txt", cwd=tmp_path) == (0, "", "")


def test_a_name_may_be_as_long_as_a_name_can_be(tmp_path: Path) -> None:
    name = "n" * 255
    for _ in range(2):
        assert mbv2_here(*SUMMARY, "--output", name, cwd=tmp_path) == (0, "", "")
    assert files_of(tmp_path) == {str(tmp_path / name): MACS}
    result = mbv2_here(*SUMMARY, "--output", f"{name}n", cwd=tmp_path)
    assert_one_sentence(result, "File name too long")


def test_the_other_names_of_a_file_keep_its_content(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("old")
    (tmp_path / "new").hardlink_to(tmp_path / "old")
    assert mbv2_here(*SUMMARY, "--output", "new", cwd=tmp_path) == (0, "", "")
    assert files_of(tmp_path) == {str(tmp_path / "old"): "old", str(tmp_path / "new"): MACS}


def test_a_link_stays_and_its_file_is_written(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "link").symlink_to("far/file")
    (tmp_path / "link-to-link").symlink_to("link")
    for _ in ("the link leads to nothing", "to a file"):
        assert mbv2_here(*SUMMARY, "--output", "link-to-link", cwd=tmp_path) == (0, "", "")
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "link-to-link").is_symlink()
        assert [path.name for path in (tmp_path / "far").iterdir()] == ["file"]
    assert (tmp_path / "far" / "file").read_text() == MACS


# files that cannot be replaced


IN_PLACE: Final = (
    "mbv2: {} cannot be replaced, so mbv2 wrote it in place; a kill at such a moment leaves a "
    "part of the content\n"
)


def test_a_file_in_a_folder_without_permission_is_written_in_place(tmp_path: Path) -> None:
    for name, text in (("short", "old"), ("long", "old" * 99)):
        (tmp_path / name).write_text(text)
    tmp_path.chmod(0o555)
    try:
        for name in ("short", "long"):
            line = (*MBV2, *SUMMARY, "--output", name)
            result = with_permissions(*line, cwd=tmp_path)
            assert result == (0, "", IN_PLACE.format(name))
        new = with_permissions(*MBV2, *SUMMARY, "--output", "new", cwd=tmp_path)
        assert_one_sentence(new, "cannot write new: Permission denied")
        (tmp_path / "long").chmod(0o444)
        read_only = with_permissions(*MBV2, *SUMMARY, "--output", "long", cwd=tmp_path)
        assert_one_sentence(read_only, "cannot write long: Permission denied")
    finally:
        tmp_path.chmod(0o755)
    assert files_of(tmp_path) == {str(tmp_path / name): MACS for name in ("short", "long")}


def test_a_mounted_file_is_written_in_place(tmp_path: Path) -> None:
    for name in ("outside", "inside"):
        (tmp_path / name).write_text("old" * 99)
    line = f"mount --bind outside inside; mbv2 {' '.join(SUMMARY)} --output inside"
    assert in_namespace(line, tmp_path) == (0, "", IN_PLACE.format("inside"))
    assert files_of(tmp_path) == {
        str(tmp_path / "outside"): MACS,
        str(tmp_path / "inside"): "old" * 99,
    }


def test_a_file_system_that_is_read_only_is_told(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("old")
    line = (
        "mount --bind . .; mount -o remount,bind,ro . .; cd ../$(basename $PWD); "
        f"for name in old new; do mbv2 {' '.join(SUMMARY)} --output $name || true; done"
    )
    result = in_namespace(line, tmp_path)
    assert result.stderr.splitlines() == [
        f"mbv2: cannot write {name}: Read-only file system" for name in ("old", "new")
    ]
    assert files_of(tmp_path) == {str(tmp_path / "old"): "old"}


# an output that is an input


INPUTS: Final = [
    ("summary net.toml --no-forward --format csv --output {}", "net.toml"),
    ("counts net.toml --format json --output {}", "net.toml"),
    ("memory net.toml --size 32 --format json --output {}", "net.toml"),
    ("cliffs net.toml --format json --output {}", "net.toml"),
    ("summary above.toml --no-forward --format csv --output {}", "net.toml"),
    ("compare net.toml network --format json --output {}", "net.toml"),
    ("compare network report.json --format json --output {}", "report.json"),
    ("compare --lock HEAD --format json --output {}", "mbv2.lock"),
    ("identify net.toml --format toml --output {}", "net.toml"),
    ("sweep --space space.csv --output {}", "space.csv"),
    ("sweep net.toml --output {}", "net.toml"),
    ("check --no-forward --format json --output {}", "mbv2.toml"),
    ("check --no-forward --format json --output {}", "mbv2.lock"),
    ("check --no-forward --config mbv2.toml --format junit --output {}", "mbv2.toml"),
]


@pytest.mark.parametrize(("line", "name"), INPUTS, ids=[f"{line} {name}" for line, name in INPUTS])
def test_an_output_that_is_an_input_is_refused(folder: Path, line: str, name: str) -> None:
    (folder / "above.toml").write_text('target = "net.toml"\n')
    (folder / "here").mkdir()
    mbv2_here("lock", cwd=folder)
    mbv2_here("summary", "--no-forward", "--output", "report.json", cwd=folder)
    if line.startswith("compare --lock"):
        git = ("git", "-c", "user.name=a", "-c", "user.email=a@b")
        for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "first")):
            assert run(*git, *words, cwd=folder).code == 0
    (folder / "here" / "link.csv").symlink_to(f"../{name}")
    (folder / "here" / "hard.csv").hardlink_to(folder / name)
    before = files_of(folder)
    names = [] if line == "sweep net.toml --output {}" else [name, f"here/../{name}"]
    for output in (*names, "here/link.csv", "here/hard.csv"):
        result = mbv2_here(*line.format(output).split(), cwd=folder)
        assert_one_sentence(result, f"cannot write {output}: mbv2 reads ")
        assert f"{name}, which is the same file" in result.stderr
        assert files_of(folder) == before


def test_a_lock_over_its_own_configuration_is_refused(folder: Path) -> None:
    (folder / "a.lock").write_text(CONFIG)
    (folder / "b.toml").write_text(CONFIG)
    (folder / "b.lock").symlink_to("b.toml")
    for name, lock in (("a.lock", "a.lock"), ("b.toml", "b.lock")):
        result = mbv2_here("lock", "--config", name, cwd=folder)
        assert_one_sentence(result, f"cannot write {lock}: mbv2 reads {name}, which is the same")
        assert (folder / name).read_text() == CONFIG


def test_a_lock_that_is_not_there_yet_is_no_output_of_check(folder: Path) -> None:
    result = mbv2_here("check", "--no-forward", "--output", "mbv2.lock", cwd=folder)
    assert_one_sentence(result, "cannot write mbv2.lock: mbv2 reads ")
    assert not (folder / "mbv2.lock").exists()


@pytest.mark.parametrize(
    "line", ["summary net.toml --no-forward --output net.toml", "check --output mbv2.toml"]
)
def test_a_result_is_no_toml_file(folder: Path, line: str) -> None:
    before = files_of(folder)
    assert_one_sentence(mbv2_here(*line.split(), cwd=folder), "does not write .toml")
    assert files_of(folder) == before


def test_standard_output_that_is_the_input_is_refused(folder: Path) -> None:
    line = "mbv2 summary net.toml --no-forward --output /dev/stdout >> net.toml"
    assert_one_sentence(shell(line, folder), "cannot write /dev/stdout: mbv2 reads net.toml")
    assert (folder / "net.toml").read_text() == "size = 96\n"


def test_an_earlier_run_is_forgotten(folder: Path) -> None:
    for _ in range(2):
        for line in (
            "summary --no-forward --output a.json",
            "compare a.json network --output b.json",
        ):
            assert mbv2_here(*line.split(), cwd=folder) == (0, "", "")


# several outputs


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Let every file be full at this size."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


MANY: Final = ("sweep", "--in", "1:99:1", "--size", "8", "-q")


@pytest.mark.parametrize(
    ("line", "full"),
    [
        ((*MANY, "--output", "a.csv", "--plot", "a.svg"), "a.csv"),
        ((*MANY, "--top", "1", "--in", "4,8", "--output", "a.csv", "--plot", "a.svg"), "a.svg"),
        ((*MANY, "--output", "a.parquet", "--plot", "a.png"), "a.parquet"),
        ((*MANY, "--output", "a.jsonl"), "a.jsonl"),
        (("presets", "--format", "json", "--output", "a.json"), "a.json"),
        (("lock",), "mbv2.lock"),
    ],
)
@pytest.mark.parametrize("old", [True, False], ids=["old", "new"])
def test_a_full_file_leaves_every_output_alone(
    folder: Path, line: Sequence[str], full: str, *, old: bool
) -> None:
    for name in ("a.csv", "a.svg", "a.json", "a.jsonl", "a.parquet", "a.png") if old else ():
        (folder / name).write_text("old")
    before = files_of(folder)
    with file_size_limit(400):
        result = mbv2_here(*line, cwd=folder)
    assert_one_sentence(result, "cannot write ")
    assert f"{full}: File too large" in result.stderr
    assert files_of(folder) == before


MEMORY: Final = ("memory", "--size", "8", "--arena", "--format", "json")


@pytest.mark.parametrize("command", [SWEEP, MEMORY], ids=["sweep", "memory"])
def test_a_full_device_for_one_output_leaves_the_other_alone(
    folder: Path, command: Sequence[str]
) -> None:
    (folder / "full.svg").symlink_to("/dev/full")
    (folder / "full.csv").symlink_to("/dev/full")
    for output, plot, words in (
        ("a.csv", "full.svg", "cannot write full.svg: No space left"),
        ("full.csv", "a.svg", "cannot write full.csv: No space left"),
        ("a.csv", "no/a.svg", "cannot write no/a.svg: No such file"),
    ):
        result = mbv2_here(*command, "--output", output, "--plot", plot, cwd=folder)
        assert_one_sentence(result, words)
        assert not {"a.csv", "a.svg"} & {path.name for path in folder.iterdir()}


def test_a_full_disk_leaves_both_outputs_alone(folder: Path) -> None:
    (folder / "small").mkdir()
    (folder / "a.svg").write_text("old")
    line = (
        "mount -t tmpfs -o size=64k none small; echo old > small/a.csv; cd small; "
        "mbv2 sweep --in 1:999:1 --size 8 -q --output a.csv --plot ../a.svg || true; "
        "ls -A; cat a.csv"
    )
    result = in_namespace(line, folder)
    assert result.stderr == "mbv2: cannot write a.csv: No space left on device\n"
    assert result.stdout == "a.csv\nold\n"
    assert (folder / "a.svg").read_text() == "old"
    assert not list(folder.glob(".mbv2-*"))


def test_a_full_disk_leaves_a_mounted_file_and_the_other_output_alone(folder: Path) -> None:
    (folder / "small").mkdir()
    for name in ("one", "two"):
        (folder / name).write_text("old\n")
    code = (
        "from mbv2cli.cli.files import *\n"
        "with outputs() as opened:\n"
        "    for name in ('one', 'two'): opened(Path(name)).write(b'x' * 99999)"
    )
    line = (
        "mount -t tmpfs -o size=64k none small; echo old > small/two; mount --bind small/two two; "
        f"'{sys.executable}' -c \"{code}\" || cat one two"
    )
    result = in_namespace(line, folder)
    assert result.stderr.endswith("UserError: cannot write two: No space left on device\n")
    assert result.stdout == "old\nold\n"
    assert not list(folder.glob(".mbv2-*"))


@pytest.mark.parametrize("command", [SWEEP, MEMORY], ids=["sweep", "memory"])
def test_two_outputs_are_two_files(folder: Path, command: Sequence[str]) -> None:
    (folder / "a.svg").symlink_to("a.csv")
    result = mbv2_here(*command, "--output", "a.csv", "--plot", "a.svg", cwd=folder)
    assert_one_sentence(result, "cannot write a.svg: a.csv is the same file; write to two files")
    assert not (folder / "a.csv").exists()


def test_init_writes_all_its_files_or_none(tmp_path: Path) -> None:
    init = ("init", "--github", "--pre-commit")
    with file_size_limit(200):
        assert_one_sentence(
            mbv2_here(*init, cwd=tmp_path), "cannot write mbv2.toml: File too large"
        )
    assert list(tmp_path.iterdir()) == []
    (tmp_path / ".github").write_text("a file")
    assert_one_sentence(mbv2_here(*init, cwd=tmp_path), "cannot make the folder .github")
    assert [path.name for path in tmp_path.iterdir()] == [".github"]


# the summary of a job, and the lock


CHECK: Final = ("check", "--no-forward", "--format", "github")


@pytest.mark.parametrize(("limit", "code"), [("2k", 0), ("1k", 1)])
def test_a_step_summary_that_cannot_be_written_is_a_warning(
    folder: Path, limit: str, code: int
) -> None:
    (folder / "mbv2.toml").write_text(f"[case.stem]\nmax_params = '{limit}'\n")
    whole = mbv2_here(*CHECK, cwd=folder)
    assert whole.code == code
    for name, words in (
        (".", "Is a directory"),
        ("/dev/full", "No space left on device"),
        ("no/a.md", "No such file or directory"),
        ("mbv2.toml", "mbv2 reads"),
    ):
        result = mbv2_here(*CHECK, cwd=folder, GITHUB_STEP_SUMMARY=name)
        assert result[:2] == whole[:2]
        sentence = f"mbv2: the summary of the job lacks the report: cannot write {name}: {words}"
        assert result.stderr.startswith(sentence)
        assert result.stderr.count("\n") == 1


def test_a_lock_that_is_a_link_to_nothing_is_told_and_written_through(folder: Path) -> None:
    lock = folder / "mbv2.lock"
    lock.symlink_to("gone")
    for line in (("check", "--no-forward"), ("compare", "--lock", "HEAD")):
        result = mbv2_here(*line, cwd=folder)
        assert_one_sentence(result, "mbv2.lock is a link to gone, which does not exist")
        assert "run mbv2 lock" in result.stderr
    assert mbv2_here("lock", cwd=folder) == (0, "wrote mbv2.lock: 1 case\n", "")
    assert lock.is_symlink()
    assert (folder / "gone").read_text().startswith("# The accepted figures")
    locked = mbv2_here("check", "--no-forward", "--format", "json", cwd=folder)
    assert '"lock": "compared"' in locked.stdout
    lock.unlink()
    lock.symlink_to("mbv2.lock")
    for command in ("check --no-forward", "lock"):
        result = mbv2_here(*command.split(), cwd=folder)
        assert_one_sentence(result, "Too many levels of symbolic links")


# targets that are no files


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (".", "Is a directory"),
        ("no/a", "No such file or directory"),
        ("file/a", "Not a directory"),
        ("loop", "Too many levels of symbolic links"),
        ("loop/a", "Too many levels of symbolic links"),
        ("far", "No such file or directory"),
    ],
)
def test_a_place_that_takes_no_file_is_told(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("pool")
    (tmp_path / "pool").symlink_to("loop")
    (tmp_path / "far").symlink_to("no/a")
    before = sorted(tmp_path.iterdir())
    result = mbv2_here(*SUMMARY, "--output", name, cwd=tmp_path)
    assert_one_sentence(result, f"cannot write {name}: {words}")
    assert sorted(tmp_path.iterdir()) == before


def test_a_file_that_is_written_twice_has_the_second_content(tmp_path: Path) -> None:
    for text in ("a longer first content", "second"):
        write_file(text, tmp_path / "a")
    assert files_of(tmp_path) == {str(tmp_path / "a"): "second"}
