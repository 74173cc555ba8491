"""Pages for a browser, without a browser: their text, their figures, and hostile names."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings

from mbv2cli.inspection import Observed, plan_of
from mbv2cli.report import compare_html
from mbv2cli.report.draw.pictures import draw_shapes, heading_of
from mbv2cli.report.html.skeleton import HtmlPage, Section, page_text
from mbv2cli.report.page import Line
from mbv2cli.report.summary import html as summary_html
from mbv2cli.report.summary.html import as_html
from mbv2cli.report.summary.report import SummaryReport
from mbv2cli.report.sweep import html as sweep_html
from mbv2cli.search.grid import MAX_GRID
from mbv2cli.specs import BlockSpec, RunSpec
from mbv2cli.specs.reader import read_request
from tests.process import mbv2_here
from tests.report.html_pages import PageParser
from tests.strategies import hostile_texts
from tests.test_shown import unseen

MODULE = """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.SiLU())
        self.head = nn.Linear(8, 10)

    def forward(self, x):
        return self.head(self.stem(x).mean((2, 3)))
"""
SMALL = "classes = 5\nhead = 8\nstages = [{t = 1, c = 8}]\n"
PLANNED = (
    *("block", "block:in=24,out=24", "block:expand=1", "block:stride=2", "block:dilation=3"),
    *("network", "network:width_mult=0.35,size=96", "network:stages=t1c8k5/t3c16s2k7n9"),
)
SWEEP = (
    *("sweep", "network", "--size", "96:224:64", "--width-mult", "0.35,0.5,1"),
    *("--pareto", "peak,-macs", "--max-params", "3M"),
)
LIMIT = 300_000
LAYERS = "A row for each layer and operation, in forward order"
FIGURES = "Every figure, and how it is counted"


@pytest.fixture
def module(tmp_path: Path) -> str:
    (tmp_path / "own.py").write_text(MODULE)
    return f"{tmp_path / 'own.py'}:Net"


def page_of(*arguments: str, cwd: Path | None = None) -> str:
    result = mbv2_here(*arguments, "--format", "html", cwd=cwd)
    assert (result.code, result.stderr) == (0, "")
    return result.stdout


def json_of(*arguments: str) -> Any:
    return json.loads(mbv2_here(*arguments, "--format", "json").stdout)


def assert_whole(page: str) -> None:
    """Assert that a page is well-formed, small and ASCII, and that it refers to no other file."""
    parsed = PageParser(page)
    assert len(page) <= LIMIT
    assert page.isascii()
    assert "://" not in page
    assert "src" not in parsed.attributes
    assert not re.search(r'href="[^#]', page)
    assert not any(name.startswith("on") for name in parsed.attributes)
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    for reference in (r"url\(#([^)]+)\)", r' (?:href|for|aria-\w+by)="#?([^"]+)"'):
        assert set(re.findall(reference, page)) <= set(ids)
    assert {"html", "title", "h1", "main", "footer", "caption"} <= set(parsed.elements)


def assert_figures_of_json(page: str, document: Any) -> None:
    parsed = PageParser(page)
    names = [cell.text for cell in parsed.column(FIGURES, "Figure")]
    amounts = [cell.amount for cell in parsed.column(FIGURES, "Amount")]
    shown = dict(zip(names, amounts, strict=True))
    for name, amount in document["totals"].items():
        assert shown[name] == text_or_none(amount)
    for peak in document["memory"]:
        assert shown[f"{peak['rule'].replace('-', '_')}_bytes"] == str(peak["peak_bytes"])
    columns = {"Param #": "params", "MACs": "macs", "Layerwise float32 KiB": "layerwise_bytes"}
    for heading, field in columns.items():
        found = [int(cell.amount or 0) for cell in parsed.column(LAYERS, heading)]
        assert found == [one[field] or 0 for one in document["layers"]]


def text_or_none(amount: object) -> str | None:
    return None if amount is None else str(amount)


@pytest.mark.parametrize("target", PLANNED)
def test_a_page_is_whole_and_has_the_figures_of_json(target: str) -> None:
    arguments = ("summary", target, "--no-forward")
    with without_matplotlib():  # which takes most of the time
        page = page_of(*arguments)
    assert_whole(page)
    assert_figures_of_json(page, json_of(*arguments))
    assert "matplotlib is not installed; run pip install" in page
    assert "<svg" not in page


@contextmanager
def without(package: str, *loaded: str) -> Iterator[None]:
    """Run the block as if a package were not installed, and the loaded modules were not loaded.

    What the block imports stays: PyTorch breaks the process if it is imported twice.
    """
    modules: dict[str, Any] = sys.modules  # None stops an import
    before = {name: modules.pop(name) for name in (package, *loaded) if name in modules}
    modules[package] = None
    try:
        yield
    finally:
        del modules[package]
        modules.update(before)


def without_matplotlib() -> AbstractContextManager[None]:
    return without("matplotlib")


def test_a_package_that_matplotlib_lacks_is_the_reason_for_no_pictures() -> None:
    draw_shapes(heading_of(read_request("block")), plan_of(BlockSpec()), ".svg")
    loaded = [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]
    with without("numpy", *loaded):
        page = page_of("summary", "--no-forward")
    assert "matplotlib cannot be imported (import of numpy halted" in page


@pytest.mark.parametrize("target", ["block:dilation=3", "mcunet_035_144"])
def test_a_page_with_pictures_is_whole(target: str) -> None:
    page = page_of("summary", target, "--no-forward", "--dtype", "int8")
    assert_whole(page)
    parsed = PageParser(page)
    assert parsed.elements.count("svg") == parsed.elements.count("figcaption") == 4
    assert parsed.attributes.count("clip-path") >= 4
    assert "int8" in page


def test_the_page_of_the_largest_network_has_a_row_for_each_block() -> None:
    with without_matplotlib():
        page = page_of("summary", "network:stages=t1c8n1000", "--no-forward")
    assert_whole(page)
    rows = PageParser(page).tables["A row for each block"]
    assert len(rows) == 1003
    assert re.search(
        r"A table with [78],\d{3} rows would make the page larger than 300 kB, so", page
    )


def test_the_page_of_a_module_of_1200_layers_has_a_row_for_each() -> None:
    request = read_request("network:stages=t6c8n134")
    graph = replace(plan_of(request.spec, request.input).graph, segments=())
    report = SummaryReport(request, RunSpec(), Observed(graph))
    with without_matplotlib():
        page = as_html(report, "mbv2 summary")
    assert_whole(page)
    rows = PageParser(page).tables[LAYERS]
    assert len(rows) == len(report.model.layers) > 1200


def test_the_table_of_a_module_that_is_too_large_has_a_row_for_each_kind(module: str) -> None:
    with without_matplotlib(), patch.object(summary_html, "_MOST_OF_TABLE", 1_000):
        page = page_of("summary", module, "--input", "1x3x8x8")
    assert "so this table has a row for each kind. --format csv has every row." in page
    assert "A row for each kind of operation" in PageParser(page).tables


def test_a_picture_without_room_says_how_to_draw_it() -> None:
    with patch.object(summary_html, "MOST_BYTES", 30_000):
        page = page_of("summary", "block", "--no-forward")
    assert len(page) <= 30_000
    assert 0 < page.count("<svg") < 4
    assert "there is no picture, because it would make the page larger" in page
    assert "mbv2 draw --what roofline draws it." in page


def test_a_picture_that_cannot_be_drawn_says_why(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("from torch import nn\n\nRelu = nn.ReLU\n")
    page = page_of("summary", "own.py:Relu", "--input", "1x3x4x4", cwd=tmp_path)
    assert_whole(page)
    assert "there is no picture; own.py:Relu() has no convolution" in page


def test_the_page_of_a_module_has_the_figures_of_json(module: str) -> None:
    arguments = ("summary", module, "--input", "1x3x32x32")
    with without_matplotlib():
        page = page_of(*arguments)
    assert_whole(page)
    assert_figures_of_json(page, json_of(*arguments))
    assert "Observed only" in page


@pytest.mark.parametrize("arguments", [SWEEP, ("compare", "network", "network:output_stride=8")])
def test_a_sweep_and_a_comparison_are_whole(arguments: tuple[str, ...]) -> None:
    assert_whole(page_of(*arguments))


def test_rows_of_stages_and_blocks_have_the_figures_of_json() -> None:
    with without_matplotlib():
        parsed = PageParser(page_of("summary", "network", "--no-forward"))
    document = json_of("summary", "network", "--no-forward")
    in_stage: dict[str, set[str]] = {}
    for layer in document["layers"]:
        in_stage.setdefault(layer["stage"], set()).add(layer["block"])
    several = {block for blocks in in_stage.values() if len(blocks) > 1 for block in blocks}
    inner = [one for one in document["blocks"] if one["name"] in several]
    for depth, groups in (("0", document["stages"]), ("1", inner)):
        for heading, field in (("Param #", "params"), ("MACs", "macs")):
            found = [cell.amount for cell in parsed.column(LAYERS, heading, depth)]
            assert found == [str(one[field]) for one in groups]


def test_by_and_columns_choose_rows_and_columns() -> None:
    arguments = ("summary", "network", "--no-forward", "--by", "kind", "--columns", "name,macs")
    with without_matplotlib():
        parsed = PageParser(page_of(*arguments))
    rows = parsed.tables["A row for each kind of operation"]
    kinds = json_of("summary", "network", "--no-forward")["kinds"]
    assert [tuple(cell.text for cell in row.cells) for row in rows] == [
        (kind["name"], f"{kind['macs']:,}" if kind["macs"] else "") for kind in kinds
    ]


def test_the_page_shows_the_command_that_makes_it(tmp_path: Path) -> None:
    (tmp_path / "my net.toml").write_text("classes = 5\n")
    arguments = ("summary", "my net.toml", "--no-forward", "--output", "a page.HTML")
    with without_matplotlib():
        assert mbv2_here(*arguments, cwd=tmp_path) == (0, "", "")
    page = (tmp_path / "a page.HTML").read_text()
    assert PageParser(page).texts["code"] == [
        "mbv2 summary 'my net.toml' --no-forward --output 'a page.HTML'"
    ]


def test_a_variable_that_matplotlib_refuses_is_a_mistake_of_the_user() -> None:
    from tests.process import mbv2

    result = mbv2("summary", "--no-forward", "--format", "html", MPLBACKEND="nonsense")
    assert (result.code, result.stdout) == (2, "")
    assert "MPLBACKEND" in result.stderr


def members_of(data: Any) -> Iterator[tuple[str, int]]:
    """Yield the target and the place of each member of the grid, as the script makes them."""
    for place, texts in enumerate(product(*data["fields"])):
        idle = data["idles"][data["idle"][place]]
        kept = "".join(text for number, text in enumerate(texts) if number not in idle)
        yield data["base"] + kept.replace(",", ":", 1), place


def test_a_slider_shows_no_setting_that_does_nothing() -> None:
    page = page_of("sweep", "network:dropout=0.5", "--classes", "0,10")
    expected = [("network:classes=0", 0), ("network:classes=10,dropout=0.5", 1)]
    assert list(members_of(PageParser(page).data)) == expected


def test_every_member_of_the_sliders_has_the_figures_of_its_target() -> None:
    page = page_of(*SWEEP)
    data = PageParser(page).data
    document = json_of(*SWEEP, "--top", "100")
    feasible = {one["target"]: one for one in document["top"]}
    members = list(members_of(data))
    assert len(members) == document["size"] == len(data["state"])
    fits = [target for target, place in members if data["states"][data["state"][place]] == "fits"]
    assert sorted(fits) == sorted(feasible)
    for target, place in members:
        printed = mbv2_here("summary", target, "--no-forward", "--print", "params,macs").stdout
        assert [data["figures"][number][place].replace(",", "") for number in (0, 1)] == (
            printed.split()
        )
    assert "fails params <= 3,000,000" in data["states"]


def test_the_tables_and_points_of_a_sweep_are_those_of_json() -> None:
    parsed = PageParser(page_of(*SWEEP))
    document = json_of(*SWEEP)
    for caption, rows in parsed.tables.items():
        if caption.startswith(("Pareto", "Top")):
            members = document["front" if caption.startswith("Pareto") else "top"]
            assert [row.cells[0].text for row in rows] == [one["target"] for one in members]
            for name in ("macs", "params", "peak", "flash"):
                amounts = [cell.amount for cell in parsed.column(caption, name)]
                assert amounts == [str(one[name]) for one in members]
    points = [text for text in parsed.texts["title"] if ": macs" in text]
    assert [text.split(": ")[0] for text in points] == [one["target"] for one in document["front"]]


def test_a_member_that_cannot_be_built_says_so() -> None:
    arguments = ("--in", "4", "--expand", "0.1,1,6", "--max-params", "500")
    data = PageParser(page_of("sweep", *arguments)).data
    states = [data["states"][number] for number in data["state"]]
    assert states == ["cannot be built", "fits", "fails params <= 500"]
    assert [texts[0] for texts in data["figures"]] == [""] * len(data["figures"])
    assert "" not in [text for texts in data["figures"] for text in texts[1:]]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--in", "1:2001:1"), f"members, and sliders show at most {MAX_GRID:,}"),
        (("--in", "1:2001:1", "--sample", "9"), "a sample was searched"),
        ((), "no field has several values"),
        (("--in", "1,2", "--max-params", "1"), "Why no member fits"),
    ],
)
def test_a_sweep_without_sliders_or_members_says_why(
    arguments: tuple[str, ...], words: str
) -> None:
    page = page_of("sweep", *arguments)
    assert_whole(page)
    assert words in page


def test_the_largest_grid_is_a_small_page() -> None:
    page = page_of("sweep", "network", "--in", "1:20:1", "--size", "32:222:10", "--stem", "8:40:8")
    assert len(PageParser(page).data["state"]) == MAX_GRID
    assert len(page) <= LIMIT


def test_the_page_of_a_sweep_is_an_output_like_others(tmp_path: Path) -> None:
    assert mbv2_here("sweep", "--in", "1,3", "--output", "a.html", cwd=tmp_path) == (0, "", "")
    assert_whole((tmp_path / "a.html").read_text())
    both = ("--format", "html", "--output", "a.csv")
    result = mbv2_here("sweep", "--in", "1,3", *both, cwd=tmp_path)
    assert_whole(result.stdout)
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--output", "a.html", "--format", "json"), "--output a.html is for --format html"),
        (("--output", "a.html", "--all"), "--all needs --output FILE"),
        (("--output", "no/such/a.html"), "cannot write no/such/a.html"),
        (("--output", "a.xlsx"), "--output must end in .parquet, .csv, .jsonl"),
    ],
)
def test_mistakes(arguments: tuple[str, ...], words: str, tmp_path: Path) -> None:
    result = mbv2_here("sweep", "--in", "1,3", *arguments, cwd=tmp_path)
    assert (result.code, result.stdout) == (2, "")
    assert words in result.stderr


def test_a_comparison_has_the_figures_and_layers_of_json() -> None:
    arguments = ("compare", "block", "block:expand=1")
    parsed = PageParser(page_of(*arguments))
    document = json_of(*arguments)
    caption = "Every figure of both models"
    for side, field in (("A", "before"), ("B", "after")):
        amounts = [cell.amount for cell in parsed.column(caption, side)][1:]
        assert amounts == [str(one[field]) for one in document["totals"]]
        rows = f"Layers that differ: {len(document['layers'])} of 9"
        macs = [cell.amount for cell in parsed.column(rows, f"{side} MACs")]
        of_json = [one[field] and one[field]["macs"] for one in document["layers"]]
        assert macs == list(map(text_or_none, of_json))
    assert "Nothing differs" in page_of("compare", "block", "block:in=3")


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        (compare_html, ("compare", "network", "network:width_mult=0.5")),
        (sweep_html, ("sweep", "--in", "1:200:1", "--top", "200")),
    ],
)
def test_rows_without_room_are_counted(module: ModuleType, arguments: tuple[str, ...]) -> None:
    rows = page_of(*arguments).count("<tr>")
    with patch.object(module, "MOST_BYTES", 48_000):
        page = page_of(*arguments)
    assert 40_000 < len(page) <= 48_000
    found = re.search(r"(\d+) more rows are not here, because they would make the page", page)
    assert found
    assert page.count("<tr>") + int(found[1]) == rows


def hostile_page(name: str) -> str:
    section = Section(name, f"<p>{name.isascii()}</p>")
    return page_text(HtmlPage(name, (Line(name),), (section,), {"name": name}), name)


PLAIN_PAGE = PageParser(hostile_page("x"))


@given(hostile_texts)
@settings(max_examples=20)
@example("</script><script>x")
@example("<!--<script>]]>&lt;")
@example("\x1b\u202e\n\0")
def test_a_name_is_text_wherever_it_stands(name: str) -> None:
    page = hostile_page(name)
    parsed = PageParser(page)
    assert parsed.elements == PLAIN_PAGE.elements
    assert parsed.attributes == PLAIN_PAGE.attributes
    assert parsed.data == {"name": name}
    assert "<" not in parsed.texts["script"][0]
    assert unseen(page) == {"\n"}


def test_hostile_files_and_modules_are_text(tmp_path: Path) -> None:
    folder = tmp_path / "x<"
    folder.mkdir()
    (folder / "script><script>alert(1)<\x1b.toml").write_text(SMALL)
    target = "x</script><script>alert(1)<\x1b.toml"
    module = "x</script><script>alert(1)<.py"
    for path in (module, "plain.py"):
        (tmp_path / path).write_text("from torch import nn\n\nNet = nn.Identity\n")
    plain = tmp_path / "plain.toml"
    plain.write_text(SMALL)
    more = ("--size", "32,64", "--pareto", "macs,-peak")
    hostile = PageParser(page_of("sweep", target, *more, cwd=tmp_path))
    harmless = PageParser(page_of("sweep", "plain.toml", *more, cwd=tmp_path))
    assert hostile.elements == harmless.elements
    assert hostile.data["base"] == "x</script><script>alert(1)<\\x1b.toml"
    hostile, harmless = (
        PageParser(page_of("summary", f"{path}:Net", cwd=tmp_path)) for path in (module, "plain.py")
    )
    assert hostile.elements == harmless.elements
    assert "x</script><script>alert(1)<.py:Net()" in hostile.texts["h1"]
