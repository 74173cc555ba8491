"""Pages at any width: no cell is cut, and what is left out is said."""

from __future__ import annotations

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbv2cli.report.page import BAD, BOLD, DIM, GOOD, Column, Line, Table, fitted, page

WIDTHS = st.integers(1, 120)
WORDS = st.text(st.sampled_from("abc019,.日本é[]"), min_size=1, max_size=12)
CELLS = st.one_of(
    st.just(""),
    st.integers(0, 10**12).map("{:,}".format),
    st.lists(WORDS, max_size=3).map(" ".join),
)
ENDS = st.sampled_from(["", "a", "本\nab"])
STYLES = st.sampled_from(["", BOLD, DIM, GOOD, BAD])


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """Draw tables with titles that differ, of one line or two, and with at least one column."""
    height = draw(st.integers(0, 4))
    cells = st.lists(CELLS, min_size=height, max_size=height)
    columns = [
        Column(
            f"{number}#{draw(ENDS)}",
            draw(cells),
            is_number=draw(st.booleans()),
            rank=draw(st.integers(0, 5)),
            styles=draw(st.one_of(st.just(()), st.lists(STYLES, min_size=height, max_size=height))),
        )
        for number in range(draw(st.integers(1, 6)))
    ]
    return Table(columns, draw(st.lists(STYLES, min_size=height, max_size=height)))


def shown_lines(table: Table | Line, width: int | None) -> list[str]:
    return ["".join(text for text, *_ in pieces) for pieces in fitted(page([table]), width)]


def screen_width(text: str) -> int:
    return sum(2 if sign in "日本" else 1 for sign in text)


def one_line(column: Column) -> str:
    return column.title.replace("\n", " ")


def without_spaces(texts: list[str]) -> list[str]:
    return ["".join(text.split(" ")) for text in texts]


def rows_of(columns: list[Column]) -> list[str]:
    """Return what the cells of each row are, side by side, without spaces."""
    rows = zip(*(column.cells for column in columns), strict=True)
    return without_spaces(["".join(row) for row in rows])


@given(tables())
def test_a_pipe_gets_every_column(table: Table) -> None:
    height = 1 + max(column.title.count("\n") for column in table.columns)
    lines = page([table]).text.split("\n")[:-1]
    assert without_spaces(lines[height:]) == rows_of(list(table.columns))
    titles = {word for column in table.columns for word in column.title.split("\n")}
    assert titles <= set(chain.from_iterable(line.split() for line in lines[:height]))


@given(tables(), WIDTHS)
def test_a_terminal_gets_whole_columns_and_the_titles_of_the_others(
    table: Table, width: int
) -> None:
    lines = shown_lines(table, width)
    sentence = " ".join(lines).partition("Not shown in ")[2]
    hidden = [column for column in table.columns if one_line(column) in sentence]
    shown = [column for column in table.columns if column not in hidden]
    if hidden:
        titles = ", ".join(map(one_line, hidden))
        assert " ".join(sentence.split()) == f"{width} columns: {titles}."
    height = 1 + max(column.title.count("\n") for column in shown)
    rows = lines[height : height + len(table.styles)]
    assert without_spaces(rows) == rows_of(shown)
    assert shown
    assert all(column.rank > 0 for column in hidden)


@given(tables(), WIDTHS)
def test_a_line_is_longer_than_the_terminal_only_if_it_cannot_be_shorter(
    table: Table, width: int
) -> None:
    too_long = {line for line in shown_lines(table, width) if screen_width(line) > width}
    assert too_long <= set(shown_lines(table, 1))


@given(tables(), WIDTHS)
def test_a_column_is_left_out_only_if_it_does_not_fit(table: Table, width: int) -> None:
    sentence = " ".join(shown_lines(table, width)).partition("Not shown in ")[2]
    hidden = [column for column in table.columns if one_line(column) in sentence]
    used = sum(column.width + 1 for column in table.columns if column not in hidden)
    for column in hidden:
        more_important = sum(
            one.width + 1 for one in table.columns if one not in hidden and one.rank <= column.rank
        )
        assert more_important + column.width > width
        assert used + column.width > width


@given(tables(), WIDTHS)
def test_cells_of_a_column_start_or_end_at_the_same_place(table: Table, width: int) -> None:
    column = table.columns[0]._replace(rank=0)
    alone = Table([column._replace(is_number=True)], table.styles)
    widths = {screen_width(line) for line in shown_lines(alone, width) if line}
    assert len(widths) <= 1
    both = Table([column._replace(is_number=False), Column("|", ["|"] * len(column.cells))])
    assert len({screen_width(line) for line in shown_lines(both, None) if "|" in line}) == 1


@given(tables(), st.one_of(st.none(), WIDTHS))
def test_no_line_ends_with_a_space(table: Table, width: int | None) -> None:
    assert not any(line.endswith(" ") for line in shown_lines(table, width))


@given(st.lists(WORDS, min_size=1, max_size=20), WIDTHS, st.sampled_from(["", "    "]))
def test_a_sentence_is_wrapped_between_words(words: list[str], width: int, indent: str) -> None:
    line = Line(" ".join(words), GOOD, indent)
    shown = [pieces for (pieces,) in fitted(page([line]), width)]
    assert " ".join(text.strip(" ") for text, *_ in shown) == line.text
    assert {style for _, style, _ in shown} == {GOOD}
    for text, *_ in shown:
        rest = text.strip(" ")
        fits = screen_width(text) <= width
        assert fits or " " not in rest or "]" in line.text  # a shape is one word


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("shape [1, 64, 224, 224] of it", 10, ["shape", "[1, 64, 224, 224]", "of it"]),
        ("a peak of 1,470.00 KiB here", 20, ["a peak of", "1,470.00 KiB here"]),
        ("peaks of 6.86 M, 5 kilos", 13, ["peaks of", "6.86 M, 5", "kilos"]),
        ("  two spaces first", 13, ["  two spaces", "first"]),
        ("日本語 日本語", 12, ["日本語", "日本語"]),
        ("日本語 日本語", 13, ["日本語 日本語"]),
        ("", 1, [""]),
    ],
)
def test_numbers_keep_their_unit_and_shapes_are_whole(
    text: str, width: int, lines: list[str]
) -> None:
    assert shown_lines(Line(text), width) == lines


def test_a_narrow_terminal_shows_narrow_cells_before_it_leaves_out_a_column() -> None:
    path = Column("path", ["features.2.conv"], rank=1, narrow=[".conv"])
    table = Table([Column("n", ["1"]), path])
    assert shown_lines(table, 17) == ["n path", "1 features.2.conv"]
    assert shown_lines(table, 16) == ["n path", "1 .conv"]
    assert shown_lines(table, 6) == ["n", "1", "Not", "shown", "in 6", "columns:", "path."]


def test_a_terminal_too_narrow_for_the_columns_of_rank_0_shows_other_lines() -> None:
    columns = [Column("a", ["1,234"]), Column("b", ["5,678"], narrow=["5.7"]), Column("c", ["9"])]
    columns[2] = columns[2]._replace(rank=1)
    table = Table(columns, narrow=[Line("a 1,234, b 5,678", "", "  ")])
    assert shown_lines(table, None) == ["a     b     c", "1,234 5,678 9"]
    assert shown_lines(table, 9)[:2] == ["a     b", "1,234 5.7"]
    assert shown_lines(table, 8) == ["a 1,234,", "  b", "  5,678"]
    assert shown_lines(table._replace(narrow=()), 8)[:2] == ["a     b", "1,234 5.7"]


def test_titles_that_are_equal_are_both_said_to_be_left_out() -> None:
    shares = [Column("Share", ["1 %"], rank=rank) for rank in (1, 2)]
    lines = shown_lines(Table([Column("name", ["block"]), *shares]), 11)
    assert lines[:2] == ["name  Share", "block 1 %"]
    assert " ".join(lines[2:]) == "Not shown in 11 columns: Share."


def test_a_note_stands_below_its_row_and_is_wrapped() -> None:
    note = Line("  as layerwise, but shorter", DIM, "  ")
    table = Table([Column("rule", ["layerwise", "eager"])], notes={0: [note]})
    assert shown_lines(table, 15) == [
        "rule",
        "layerwise",
        "  as layerwise,",
        "  but shorter",
        "eager",
    ]


def test_a_cell_has_its_own_style_or_that_of_its_row() -> None:
    columns = [Column("a", ["1", "2"], styles=[BAD, ""]), Column("b", ["3", "4"])]
    title, *rows = fitted(page([Table(columns, [DIM, BOLD])]))
    assert [style for text, style, _ in title if text != " "] == [BOLD, BOLD]
    assert [[style for text, style, _ in row if text != " "] for row in rows] == [
        [BAD, DIM],
        [BOLD, BOLD],
    ]
