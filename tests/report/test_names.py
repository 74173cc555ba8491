"""Names of users in every format: they are text, and change nothing around them."""

from __future__ import annotations

import io
import json
import re
import tomllib
from collections import Counter
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.cells import cell_len

from mbv2cli.gate.cases import Case, planned_result
from mbv2cli.gate.comparison import Side, compare
from mbv2cli.gate.drift import drift
from mbv2cli.gate.limits import Expectations
from mbv2cli.gate.lock import lock_text, parse_lock
from mbv2cli.gate.locked import LockedCase
from mbv2cli.gate.outcomes import CheckReport, LockUse, Outcome
from mbv2cli.report.compare import compare_report
from mbv2cli.report.formats import FORMATS, renderer
from mbv2cli.report.page import Column, Line, Page, Table, fitted, page
from mbv2cli.report.sweep.members import _cell
from mbv2cli.report.text import code, prose
from mbv2cli.shown import escaped, shown
from mbv2cli.specs import RunSpec
from mbv2cli.specs.reader import read_request
from tests.strategies import hostile_texts
from tests.test_shown import commands, unseen

WIDE = 10**6
MARKDOWN = MarkdownIt().enable(["table", "strikethrough"])

RESULT = planned_result(
    Case(
        "edge",
        read_request("block"),
        RunSpec(),
        Expectations.model_validate({"max_params": "1k"}),
        line=3,
    )
)
LOCKED = LockedCase.of(RESULT)


def check_report(name: str) -> CheckReport:
    """Return a report in which ``name`` names all that a user names: cases, files, a rule."""
    result = replace(RESULT, case=replace(RESULT.case, name=name))
    lock = LOCKED.model_copy(update={"peak_rule": name, "peak_dtype": name})
    return CheckReport(
        [
            Outcome(result, drift(lock, result, {}), LockUse.COMPARED),
            Outcome(replace(result, verdicts=()), None, LockUse.NO_CASE),
        ],
        Path(f"x{name}.toml"),
        Path(f"x{name.replace('/', '')}.lock"),
        [name],
        requires_lock=True,
    )


def text_of(result: str | Page) -> str:
    if isinstance(result, str):
        return result
    return "".join(f"{''.join(text for text, *_ in line)}\n" for line in fitted(result, WIDE))


def checked(name: str, form: str) -> str:
    return text_of(renderer("check", form)(check_report(name)))


def compared(name: str, form: str) -> str:
    assert RESULT.model
    comparison = compare(Side(name, RESULT.model), Side(f"{name}.toml", RESULT.model))
    report = compare_report(comparison, "layer", shows_every_row=False)
    return text_of(renderer("compare", form)(report))


@pytest.mark.parametrize("form", FORMATS["check"])
@given(name=hostile_texts)
def test_a_name_adds_no_line_no_command_and_no_sign_that_nobody_can_see(
    form: str, name: str
) -> None:
    text, plain = checked(name, form), checked("edge", form)
    assert unseen(text) == {"\n"}
    assert text.count("\n") == plain.count("\n")
    assert len(commands(text)) == len(commands(plain))
    text.encode()


@pytest.mark.parametrize("form", FORMATS["compare"])
@given(name=hostile_texts)
@example(name="###[error]x")
def test_so_do_the_names_of_two_models(form: str, name: str) -> None:
    text, plain = compared(name, form), compared("edge", form)
    assert unseen(text) == {"\n"}
    assert text.count("\n") == plain.count("\n")
    assert not commands(text)


@given(hostile_texts)
def test_json_holds_the_name_itself(name: str) -> None:
    document = json.loads(checked(name, "json"))
    assert {case["name"] for case in document["cases"]} == {name}
    assert document["removed"] == [name]


@given(hostile_texts)
def test_junit_is_xml_with_the_name_as_it_is_shown(name: str) -> None:
    suites = ET.fromstring(checked(name, "junit").encode())  # noqa: S314  (our own text)
    assert {case.get("name") for case in suites.iter("testcase")} == {shown(name)}
    assert {case.get("file") for case in suites.iter("testcase")} == {
        escaped(str(Path(f"x{name}.toml")))
    }
    plain = ET.fromstring(checked("edge", "junit"))  # noqa: S314
    assert [one.tag for one in suites.iter()] == [one.tag for one in plain.iter()]


@given(hostile_texts)
def test_an_annotation_of_github_has_its_own_escapes(name: str) -> None:
    lines = [line for line in checked(name, "github").splitlines() if line.startswith("::")]
    found = [
        re.fullmatch(r"::(\w+) file=([^:,]+),(?:line=3,)?title=([^:,]+)::(.*)", line)
        for line in lines
    ]
    for one in found:
        assert one is not None
        assert percent_decoded(one[3]) == shown(f"mbv2: {name}")
    assert [one[1] for one in found if one] == ["error", "warning", "error"]
    assert percent_decoded(found[0][2] if found[0] else "") == escaped(str(Path(f"x{name}.toml")))


def percent_decoded(text: str) -> str:
    """Undo what actions/toolkit escapes."""
    for escape, sign in (("%3A", ":"), ("%2C", ","), ("%0A", "\n"), ("%0D", "\r"), ("%25", "%")):
        text = text.replace(escape, sign)
    return text


def elements(markdown: str) -> Counter[str]:
    """Return how often each element is there; text and line breaks are no elements."""
    return Counter(
        token.type for token in flat(MARKDOWN.parse(markdown)) if token.type not in NO_ELEMENTS
    )


NO_ELEMENTS = {"text", "softbreak", "inline"}


def flat(tokens: list[Token]) -> list[Token]:
    return [one for token in tokens for one in (token, *(token.children or []))]


@given(hostile_texts)
def test_markdown_has_the_name_as_code_and_no_other_element(name: str) -> None:
    for write in (checked, compared):
        text = write(name, "markdown")
        assert elements(text) == elements(write("edge", "markdown"))
        codes = [one.content for one in flat(MARKDOWN.parse(text)) if one.type == "code_inline"]
        assert shown(name) in codes


@given(hostile_texts)
def test_code_and_prose_in_a_cell_are_the_text_itself(text: str) -> None:
    for write in (code, prose):
        table = f"| a | b |\n| --- | --- |\n| {write(text)} | x |\n"
        tokens = flat(MARKDOWN.parse(table))
        (cell,) = [one for one in tokens if one.type == "inline"][2:-1]
        rendered = "".join(one.content for one in cell.children or [])
        assert rendered.strip() == shown(text).strip()  # Markdown trims every space of a cell
        assert {one.type for one in cell.children or []} <= {"text", "code_inline"}


@given(hostile_texts)
def test_a_lock_is_toml_that_reads_back_the_same_names(name: str) -> None:
    name = name.encode(errors="replace").decode()
    result = replace(RESULT, case=replace(RESULT.case, name=name))
    text = lock_text([result])
    assert unseen(text) == {"\n"}
    assert list(tomllib.loads(text)["case"]) == [name]
    assert parse_lock(text, "mbv2.lock")[name].same_as(LOCKED)


@given(st.lists(hostile_texts, min_size=1, max_size=5), st.sampled_from([None, 10, 40, 120]))
def test_a_page_has_one_line_for_each_row_and_aligned_columns(
    names: list[str], width: int | None
) -> None:
    marks = Column("", ["|"] * len(names), rank=0)
    shown_page = page([Table([Column("name", names), marks]), Line(names[0])])
    lines = ["".join(text for text, *_ in line) for line in fitted(shown_page, width)]
    rows = lines[1 : 1 + len(names)]
    assert not any(map(unseen, lines))
    assert not any(map(commands, lines))
    assert all(row.endswith("|") for row in rows)
    assert len({cell_len(row) for row in rows}) == 1
    assert [row[:-1].strip() for row in rows] == [shown(name).strip() for name in names]


@given(hostile_texts)
def test_a_cell_of_csv_is_one_line_and_no_formula(name: str) -> None:
    import csv

    target = f"{name}.toml"
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerow([_cell(target), 1])
    assert len(stream.getvalue().splitlines()) == 1
    ((cell, _one),) = csv.reader(io.StringIO(stream.getvalue()))
    assert cell in {escaped(target), escaped(f"./{target}")}
    assert cell[0] not in "=+-@"
