"""What the shell offers while a command line is typed, asked as bash asks."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.process import ENVIRONMENT, Result, mbv2_here

LOCK_OF = '[case.edge]\ntarget = "network"\n[case.edgy]\nexpand = 3\n[case.stem]\n'


def asked(line: str, cwd: Path | None = None) -> Result:
    """Return what bash gets for ``line``, whose last word is not whole yet.

    Bash takes ``:`` and ``=`` for words of their own.
    """
    words = re.findall(r"[:=]|[^\s:=]+", line)
    last = len(words) if line.endswith(" ") else len(words) - 1
    return mbv2_here(
        cwd=cwd,
        _MBV2_COMPLETE="complete_bash",
        COMP_WORDS="\n".join(words),
        COMP_CWORD=str(last),
    )


def offered(line: str, cwd: Path | None = None) -> list[str]:
    code, stdout, stderr = asked(line, cwd)
    assert (code, stderr) == (0, "")
    return stdout.split()


OFFERED = [
    ("mbv2 su", ["summary"]),
    ("mbv2 help sw", ["sweep"]),
    ("mbv2 summary --wid", ["--width-mult"]),
    ("mbv2 summary --force --batc", ["--batch"]),
    ("mbv2 summary --no-forward --qui", ["--quiet"]),
    ("mbv2 summary --by stage --qui", ["--quiet"]),
    ("mbv2 summary --format j", ["json"]),
    ("mbv2 summary --format=j", ["json"]),
    ("mbv2 summary --print para", ["params", "params_mb"]),
    ("mbv2 summary --print params,ma", ["params,macs"]),
    ("mbv2 summary --print params,para", ["params,params_mb"]),
    ("mbv2 summary --columns name,output_sh", ["name,output_shape"]),
    ("mbv2 summary --by kind --columns kind,lay", ["kind,layers", "kind,layerwise_bytes"]),
    ("mbv2 summary --by st", ["stage"]),
    ("mbv2 summary --device c", ["cpu", "cuda"]),
    ("mbv2 summary --dtype floa", ["float32", "float16", "float64"]),
    ("mbv2 summary --act rel", ["relu", "relu6"]),
    ("mbv2 cliffs --dtype i", ["int8"]),
    ("mbv2 cliffs --peak-rule in", ["inplace-depthwise"]),
    ("mbv2 check --peak-rule e", ["eager"]),
    ("mbv2 sweep --sort ma", ["macs"]),
    ("mbv2 sweep --sort -ma", ["-macs"]),
    ("mbv2 sweep network --sort width", ["width", "width_mult"]),
    ("mbv2 sweep --sort width", ["width"]),
    ("mbv2 sweep --pareto peak,-ma", ["peak,-macs"]),
    ("mbv2 sweep --pareto peak,pe", []),
    ("mbv2 presets mcunet_0", ["mcunet_035_144"]),
    ("mbv2 presets tinynet", ["tinynet", *(f"tinynet_{size}" for size in "abcde")]),
    ("mbv2 summary net", ["network"]),
    ("mbv2 summary network:stem", ["stem_stride=", "stem=", "stem_scaling="]),
    ("mbv2 summary network:stem=16,stem", ["16,stem_stride=", "16,stem_scaling="]),
    ("mbv2 memory block:act=le", ["leaky_relu"]),
    ("mbv2 sweep mobilenetv2_100:ba", ["batch="]),
    ("mbv2 summary network:nothing=", []),
    ("mbv2 summary nework:", []),
    ("mbv2 compare block mobilenetv2_11", ["mobilenetv2_110d"]),
    ("mbv2 compare network network:width", ["width_mult="]),
]


@pytest.mark.parametrize(("line", "words"), OFFERED, ids=[line for line, _ in OFFERED])
def test_what_is_offered(line: str, words: list[str]) -> None:
    assert offered(line) == words


def test_all_keys_are_offered_after_a_colon() -> None:
    assert {"in=", "out=", "act=", "size="} <= set(offered("mbv2 summary block:"))
    assert "out=" not in offered("mbv2 summary network:")


def test_keys_where_bash_does_not_split_words() -> None:
    result = mbv2_here(
        _MBV2_COMPLETE="complete_bash", COMP_WORDS="mbv2 summary block:str", COMP_CWORD="2"
    )
    assert result == (0, "block:stride=\n", "")


def test_cases_are_offered(tmp_path: Path) -> None:
    (tmp_path / "mbv2.toml").write_text(LOCK_OF)
    (tmp_path / "other.toml").write_text("[case.other]\n")
    assert mbv2_here("lock", cwd=tmp_path).code == 0
    assert offered("mbv2 check edg", tmp_path) == ["edge", "edgy"]
    assert offered("mbv2 check --config other.toml ot", tmp_path) == ["other"]
    assert offered("mbv2 compare --lock main st", tmp_path) == ["stem"]
    assert "block" in offered("mbv2 compare ", tmp_path)


@pytest.mark.parametrize("command", ["summary", "check", "compare"])
@pytest.mark.parametrize("content", ["", "[case.edge]\nexpand = 0\n", "case = =\n", "\xff"])
def test_a_broken_configuration_breaks_no_completion(
    command: str, content: str, tmp_path: Path
) -> None:
    for name in ("mbv2.toml", "mbv2.lock", "pyproject.toml"):
        (tmp_path / name).write_text(content, "latin-1")
    for rest in ("", " ", " --", " --lock main ", " mbv2.toml:", " x.toml:"):
        assert asked(f"mbv2 {command}{rest}", tmp_path)[::2] == (0, "")


def test_bash_itself_gets_the_words() -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash here")
    script = """
        eval "$(_MBV2_COMPLETE=source_bash mbv2)"
        compopt() { echo "compopt $1 $2"; }
        COMP_WORDS=(mbv2 summary network : wid) COMP_CWORD=4
        _mbv2_completion mbv2
        echo "${COMPREPLY[@]}"
        COMP_WORDS=(mbv2 summ) COMP_CWORD=1
        _mbv2_completion mbv2
        echo "${COMPREPLY[@]}"
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [bash, "--norc", "-c", script],
        env={**ENVIRONMENT, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    # no space after the key, whose value follows; a space after the command
    assert (done.stdout, done.stderr) == ("compopt -o nospace\nwidth_mult=\nsummary\n", "")


def test_the_script_that_is_shown_is_the_one_that_runs() -> None:
    run = mbv2_here(_MBV2_COMPLETE="source_bash").stdout
    assert "compopt -o nospace" in run
    shown = mbv2_here("--show-completion", "bash", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert (shown.code, shown.stdout.split()) == (0, run.split())
