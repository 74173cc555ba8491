"""Pages in headless Chromium, with and without JavaScript. Without Chromium they are skipped."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, Locator, Page, Request, sync_playwright

from tests.process import mbv2_here

CHROMIUM: Final = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on the PATH; on Debian: apt-get install chromium"
)

HOSTILE: Final = "x</script><script>alert(1)<\x1b.toml"
SWEEP: Final = ("--size", "96,160,224", "--width-mult", "0.35,0.5,1", "--pareto", "peak,-macs")


CONTRASTS: Final = """() => {
  const light = colour => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map(part => part / 255)
      .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
  };
  const ground = element => {
    const { backgroundColor } = getComputedStyle(element);
    return /, 0\\)$/.test(backgroundColor) ? ground(element.parentElement) : backgroundColor;
  };
  const isText = node => node.nodeType === Node.TEXT_NODE && node.data.trim();
  return [...document.querySelectorAll("body *")]
    .filter(one => one.getClientRects().length && [...one.childNodes].some(isText))
    .map(one => {
      const style = getComputedStyle(one);
      const pair = [light(one.tagName === "text" ? style.fill : style.color), light(ground(one))];
      return [Math.max(...pair) / Math.min(...pair), one.textContent];
    });
}"""
"""Returns the contrast of each text with its ground, by the definition of WCAG 2."""

A4_BETWEEN_MARGINS: Final = round((210 - 2 * 12) / 25.4 * 96)
"""Pixels from left to right on a sheet."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    (folder / "x<").mkdir()
    (folder / HOSTILE).write_text("classes = 5\nhead = 8\nstages = [{t = 1, c = 8}]\n")
    commands = {
        "summary": ("summary", "network", "--no-forward"),
        "sweep": ("sweep", "network", *SWEEP),
        "compare": ("compare", "network", "network:width_mult=0.5"),
        "hostile": ("sweep", HOSTILE, *SWEEP),
        "hostile-summary": ("summary", HOSTILE, "--no-forward"),
    }
    for name, arguments in commands.items():
        result = mbv2_here(*arguments, "--output", f"{name}.html", cwd=folder)
        assert (result.code, result.stderr) == (0, "")
    return {name: folder / f"{name}.html" for name in commands}


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Yield a tab. What it writes to a console, or asks for beside its own file, is a fault."""
    context = browser.new_context()
    faults: list[str] = []
    tab = context.new_page()
    tab.on("console", lambda message: faults.append(message.text))
    tab.on("pageerror", lambda error: faults.append(str(error)))
    tab.on("dialog", lambda dialog: faults.append(dialog.message))
    tab.on("request", lambda request: faults.append(request.url) if is_outside(request) else None)
    yield tab
    context.close()
    assert faults == []


def is_outside(request: Request) -> bool:
    return not request.is_navigation_request()


def opened(page: Page, file: Path) -> Page:
    page.goto(file.as_uri())
    return page


def names_of(page: Page) -> list[str]:
    """Return the first cell of each visible row of the table that sorts."""
    return page.locator("table.sortable tbody tr:visible > th").all_inner_texts()


def heading(page: Page, title: str) -> Locator:
    return page.locator("table.sortable").first.locator("thead th", has_text=title)


def test_no_page_has_a_fault_and_no_table_is_cut(page: Page, files: dict[str, Path]) -> None:
    for file in files.values():
        opened(page, file)
        page.get_by_role("button").first.click()
        for width in (1400, 800):
            page.set_viewport_size({"width": width, "height": 900})
            sizes = "elements => elements.map(one => [one.scrollWidth, one.clientWidth])"
            for needed, there in page.locator("html, .wide").evaluate_all(sizes):
                assert needed <= there


def roles_of(page: Page) -> list[str]:
    """Return what a screen reader is told that each element is."""
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    return [node["role"]["value"] for node in nodes]


def test_a_heading_sorts_by_mouse_and_by_keyboard(page: Page, files: dict[str, Path]) -> None:
    opened(page, files["summary"])
    roles = roles_of(page)
    assert roles.count("rowheader") == page.locator("tbody tr").count() > 200
    assert roles.count("columnheader") == page.locator("thead th").count() > 8
    at_first = names_of(page)
    macs = heading(page, "MACs")
    macs.get_by_role("button").click()
    assert macs.get_attribute("aria-sort") == "descending"
    cells = page.locator("table.sortable tbody tr:visible > td:nth-child(5)")
    amounts = [int(text.replace(",", "")) for text in cells.all_inner_texts() if text]
    assert amounts == sorted(amounts, reverse=True)
    assert "Sorted by MACs" in page.get_by_role("status").inner_text()
    page.keyboard.press("Enter")
    assert macs.get_attribute("aria-sort") == "ascending"
    page.keyboard.press("Space")
    assert macs.get_attribute("aria-sort") == "none"
    assert names_of(page) == at_first
    heading(page, "Path").get_by_role("button").focus()
    page.keyboard.press("Enter")
    paths = page.locator("table.sortable tbody tr:visible > td:last-child").all_inner_texts()
    assert paths[0] == "classifier.0"
    assert paths.index("features.2") < paths.index("features.10")


def test_a_group_folds_by_mouse_and_by_keyboard(page: Page, files: dict[str, Path]) -> None:
    opened(page, files["summary"])
    at_first = names_of(page)
    stage = page.get_by_role("button", name="s2", exact=True)
    stage.click()
    assert stage.get_attribute("aria-expanded") == "false"
    folded = names_of(page)
    assert folded[folded.index("s2") + 1] == "s3"
    page.keyboard.press("Enter")
    assert names_of(page) == at_first
    block = page.get_by_role("button", name="features.2", exact=True)
    block.focus()
    page.keyboard.press("Space")
    folded = names_of(page)
    assert folded[folded.index("features.2") + 1] == "features.3"
    page.get_by_role("button", name="Fold all", exact=True).click()
    assert len(names_of(page)) == 10
    page.get_by_role("button", name="Fold blocks", exact=True).click()
    assert "features.3" in names_of(page)
    assert "Conv2d-1" in names_of(page)  # of the stem, a stage of one block
    assert "Conv2d-10" not in names_of(page)
    page.emulate_media(media="print")
    assert len(names_of(page)) == len(at_first)
    assert page.locator(".tools:visible").count() == 0


def test_the_sliders_show_the_members_of_the_sweep(page: Page, files: dict[str, Path]) -> None:
    opened(page, files["sweep"])
    member = page.locator("#member")
    assert member.inner_text() == "network:width_mult=1.0,size=224: fits."
    width = page.get_by_role("slider", name="width_mult")
    width.press("ArrowLeft")
    assert width.get_attribute("aria-valuetext") == "0.5"
    box = page.get_by_role("slider", name="size").bounding_box()
    assert box
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert member.inner_text() == "network:width_mult=0.5,size=160: fits."
    printed = mbv2_here(
        *("summary", "network:width_mult=0.5,size=160", "--no-forward"),
        *("--print", "params,macs"),
    )
    shown = [page.locator(f"[data-figure='{number}']").inner_text() for number in (0, 1)]
    assert [text.replace(",", "") for text in shown] == printed.stdout.split()


def test_the_front_is_read_by_mouse_and_by_keyboard(page: Page, files: dict[str, Path]) -> None:
    opened(page, files["sweep"])
    read_out = page.locator("#read-out")
    points = page.locator(".point")
    points.nth(1).hover()
    assert read_out.inner_text() == points.nth(1).get_attribute("aria-label")
    points.first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert read_out.inner_text() == points.nth(2).get_attribute("aria-label")
    page.keyboard.press("End")
    assert read_out.inner_text() == points.last.get_attribute("aria-label")
    assert page.locator(".point[tabindex='0']").count() == 1


def test_every_text_can_be_read(page: Page, files: dict[str, Path]) -> None:
    for name in ("summary", "sweep"):
        opened(page, files[name])
        page.emulate_media(color_scheme="light")
        light = page.evaluate(CONTRASTS)
        page.emulate_media(color_scheme="dark")
        dark = page.evaluate(CONTRASTS)
        assert len(light) == len(dark) > 50
        assert min(light + dark)[0] >= 4.5, min(light + dark)
        assert light != dark


@pytest.mark.parametrize("name", ["summary", "sweep"])
def test_tab_reaches_every_control_and_shows_where_it_is(
    page: Page, files: dict[str, Path], name: str
) -> None:
    opened(page, files[name])
    controls = page.locator("button:visible, input:visible, .wide, .point[tabindex='0']")
    number = controls.count()
    assert number > 5
    controls.evaluate_all("all => all.forEach(one => { one.onfocus = () => one.dataset.seen = 1 })")
    for _ in range(number):
        page.keyboard.press("Tab")
        style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert style == "solid"
    assert page.locator("[data-seen]").count() == number


def test_a_page_prints_on_a4_in_light_colours(page: Page, files: dict[str, Path]) -> None:
    page.emulate_media(media="print", color_scheme="dark")
    page.set_viewport_size({"width": A4_BETWEEN_MARGINS, "height": 1000})
    ends = "all => Math.max(...all.map(one => one.getBoundingClientRect().right))"
    for name in ("compare", "summary"):
        opened(page, files[name])
        assert page.locator("body *").evaluate_all(ends) <= A4_BETWEEN_MARGINS
        assert min(page.evaluate(CONTRASTS))[0] >= 4.5
    assert page.locator("tr").first.evaluate("one => getComputedStyle(one).breakInside") == "avoid"
    page.emulate_media(media="print", color_scheme="light")
    printed = page.pdf(prefer_css_page_size=True)
    sheets = re.findall(rb"/MediaBox \[([^]]+)\]", printed)
    assert 3 <= len(sheets) < 12
    assert set(sheets) == {b"0 0 594.95996 841.91998"}


def test_without_javascript_everything_is_there(browser: Browser, files: dict[str, Path]) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    for name, pictures in (("summary", 4), ("sweep", 1)):
        opened(page, files[name])
        rows = page.locator("tbody tr").count() - page.locator("#sliders tbody tr").count()
        assert page.locator("tbody tr:visible").count() == rows > 10
        assert page.get_by_role("button").count() == 0
        assert page.locator("input:visible").count() == 0
        assert page.locator("svg:visible").count() == pictures
    context.close()
