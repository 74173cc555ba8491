"""One registry: a figure that is added to it is found everywhere."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.process import python

MADE_UP = """
from mbv2cli.costs import figures
figures.FIGURES = (
    *figures.FIGURES,
    figures.Figure(
        "made_up",
        "operations, made up",
        lambda model, _counting: len(model.graph.ops),
        better=figures.Better.SMALLER,
    ),
)
from mbv2cli.__main__ import main
"""


GRADED_EAGER = """
from dataclasses import replace
from mbv2cli.costs import figures
figures.FIGURES = tuple(
    replace(one, better=figures.Better.SMALLER) if one.name == "eager" else one
    for one in figures.FIGURES
)
from mbv2cli.__main__ import main
"""


def test_a_search_by_eager_memory_needs_no_eager_rule(tmp_path: Path) -> None:
    def printed(*words: str) -> str:
        code = f"import sys\nsys.argv = {['mbv2', *words]!r}\n{GRADED_EAGER}main()"
        result = python("-c", code, cwd=tmp_path)
        assert result.code == 0, result.stderr
        return result.stdout

    sweep = ("sweep", "network", "--width-mult", "0.5,1", "--size", "32", "--sort", "eager")
    in_int8 = (*sweep, "--dtype", "int8", "--format", "json")
    found = [member["eager"] for member in json.loads(printed(*in_int8))["top"]]
    summary = ("summary", "network", "--no-forward", "--dtype", "int8", "--size", "32")
    assert found == [
        int(printed(*summary, "--width-mult", width, "--print", "eager_bytes"))
        for width in ("0.5", "1")
    ]


def test_a_new_figure_is_everywhere_without_another_change(tmp_path: Path) -> None:
    def run(*words: str) -> tuple[int, str]:
        code = f"import sys\nsys.argv = {['mbv2', *words]!r}\n{MADE_UP}main()"
        result = python("-c", code, cwd=tmp_path)
        return result.code, result.stdout

    code, shown = run("check", "block", "--max-made-up", "7", "--no-forward")
    assert code == 1
    assert re.search(r"FAIL +made_up +8 +<= 7", shown)
    config = tmp_path / "mbv2.toml"
    config.write_text("[case.a]\nmax_made_up = '1k'\n")
    assert run("lock", "-q") == (0, "")
    assert "made_up = 8\n" in (tmp_path / "mbv2.lock").read_text("utf-8")
    assert run("check", "--no-forward")[0] == 0
    config.write_text("tolerance = {made_up = '1%', params = '1%'}\n[case.a]\nexpand = 1\n")
    code, shown = run("check", "--no-forward")
    assert code == 0  # every figure is smaller: also those without a tolerance of their own
    assert re.search(r"\n +made_up +5 +locked 8 +37\.5 % smaller\n", shown)
    config.write_text("tolerance = {made_up = '1%', params = '1%'}\n[case.a]\nexpand = 7\n")
    code, shown = run("check", "--no-forward")
    assert code == 1
    assert re.search(r"\n +made_up +8 +locked 8 +unchanged\n", shown)
    compared = run("compare", "block", "block:expand=1")[1]
    assert re.search(r"\nmade_up +8 +5 +-3 +37\.5 % smaller\n", compared)
    assert run("summary", "--no-forward", "--print", "made_up,params") == (0, "8\n1568\n")
    document = json.loads(run("summary", "--no-forward", "--format", "json")[1])
    assert document["totals"]["made_up"] == 8
    sweep = ("sweep", "--expand", "1,6", "--size", "8", "--sort", "made_up")
    code, shown = run(*sweep, "--max-made-up", "7")
    assert (code, "1 fail made_up <= 7" in shown) == (0, True)
    assert re.search(r"\n +macs .* made_up +target\n.* 5 block:expand=1,size=8\n", shown)
    members = json.loads(run(*sweep, "--format", "json")[1])["top"]
    assert [member["made_up"] for member in members] == [5, 8]
    assert run(*sweep, "--where", "made_up < 6", "--output", "m.csv", "-q")[0] == 0
    header, only = (tmp_path / "m.csv").read_text("utf-8").splitlines()
    assert (header.split(",")[-1], only.split(",")[-1]) == ("made_up", "5")
