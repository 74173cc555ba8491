"""Any value in the place of any other, in a configuration and in its lock: exit 0, 1 or 2."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, Final

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from tests.process import mbv2_here

CONFIG: Final = """
forward = false
require_lock = true
tolerance = {params = "2%", peak = "10KiB"}
[case.block]
expand = 4
[case.network]
target = "network:dropout=0.1"
width_mult = [0.5, 1.0]
size = "96x128"
output = "1x1000"
features = {8 = "1x*x*x*"}
max_params = "4M"
max_peak = 10000000
peak_rule = "eager"
[case.stages]
target = "network"
stages = [{t = 1, c = 16}, {t = 6, c = 24, n = 2, s = 2}]
"""

Path_ = tuple[str | int, ...]

values: Final = st.recursive(
    st.one_of(
        st.booleans(),
        st.integers(),
        st.integers(-(10**400), 10**4000),
        st.floats(),
        st.text(max_size=8),
        st.sampled_from(
            [
                "network",
                "block",
                "2M",
                "1x3",
                "1x3x8x8",
                "1x3x" + "9" * 4000,
                "²x1",
                "int8",
                "",
                "2%",
            ]
        ),
        st.just(date(2020, 2, 29)),
    ),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)


def places(value: Any, place: Path_ = ()) -> Iterator[Path_]:
    """Yield the place of each value at every depth."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, one in inner:
        yield (*place, key)
        if isinstance(one, dict | list):
            yield from places(one, (*place, key))


def put(content: dict[str, Any], place: Path_, value: object) -> str:
    """Return the text of ``content`` with another value at a place."""
    changed = copy.deepcopy(content)
    table: Any = changed
    for key in place[:-1]:
        table = table[key]
    table[place[-1]] = value
    return tomli_w.dumps(changed)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("any")
    (folder / "mbv2.toml").write_text(CONFIG)
    assert mbv2_here("lock", cwd=folder).code == 0
    (folder / "good.lock").write_bytes((folder / "mbv2.lock").read_bytes())
    return folder


def assert_mistakes_are_told(folder: Path, *formats: str) -> None:
    result = mbv2_here("check", *formats, cwd=folder)
    assert result.code in (0, 1, 2), result
    if result.code == 2:
        assert result.stdout == ""
        assert result.stderr
    else:
        assert result.stderr == ""
    assert all(line.startswith("mbv2: ") for line in result.stderr.splitlines())


@given(st.data())
def test_any_value_in_a_configuration(folder: Path, data: st.DataObject) -> None:
    content = tomllib.loads(CONFIG)
    place = data.draw(st.sampled_from(list(places(content))))
    text = put(content, place, data.draw(values))
    (folder / "mbv2.lock").write_bytes((folder / "good.lock").read_bytes())
    (folder / "mbv2.toml").write_text(text, "utf-8")
    assert_mistakes_are_told(folder, "--no-forward")


@given(st.data(), st.sampled_from(["table", "json", "github", "junit", "markdown"]))
def test_any_value_in_a_lock(folder: Path, data: st.DataObject, form: str) -> None:
    content = tomllib.loads((folder / "good.lock").read_text("utf-8"))
    place = data.draw(st.sampled_from(list(places(content))))
    (folder / "mbv2.toml").write_text(CONFIG)
    (folder / "mbv2.lock").write_text(put(content, place, data.draw(values)), "utf-8")
    assert_mistakes_are_told(folder, "--format", form)
