"""A sweep and a check with the same limits agree on every member."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mbv2cli.costs.memory import MEMORY_RULES
from tests.process import mbv2_here

SPACE = ("network", "--width-mult", "0.35,1", "--size", "64,96")
limits = st.fixed_dictionaries(
    {},
    optional={
        "--max-peak": st.integers(80, 2_000).map("{}KiB".format),
        "--max-macs": st.integers(5_000, 60_000).map("{}k".format),
        "--max-flash": st.integers(1_500, 4_000).map("{}kB".format),
        "--min-receptive-field": st.sampled_from(["491", "492"]),
        "--peak-rule": st.sampled_from([rule.name for rule in MEMORY_RULES]),
        "--dtype": st.sampled_from(["float32", "int8"]),
    },
)


@settings(max_examples=8)
@given(limits)
@example({"--max-peak": "540KiB"})  # with the default element type and rule
def test_members_that_fit_pass_a_check_and_the_others_fail(
    tmp_path_factory: pytest.TempPathFactory, limits: dict[str, str]
) -> None:
    flags = [word for flag in limits.items() for word in flag]
    folder = tmp_path_factory.mktemp("sweep")
    sweep = ("sweep", *SPACE, *flags, "--output", "all.jsonl", "--all", "--format", "json")
    result = mbv2_here(*sweep, cwd=folder)
    assert (result.code, result.stderr) == (0, "")
    listed = [one["target"] for one in json.loads(result.stdout)["top"]]
    members = read(folder / "all.jsonl")
    assert sorted(listed) == sorted(one["target"] for one in members if one["feasible"])
    for one in members:
        limited = [*flags, "--max-layers", "999"]  # a check needs a limit
        check = mbv2_here("check", one["target"], *limited, "--no-forward", "-q")
        assert (check.code == 0) == one["feasible"], check


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
