from __future__ import annotations

import pytest

from mbv2cli.gate.case_lines import case_lines

MINE = ("case",)
SHARED = ("tool", "mbv2", "case")


@pytest.mark.parametrize(
    ("text", "prefix", "lines"),
    [
        ("forward = true\n\n[case.a]\nx = 1\n[case.b]\n", MINE, {"a": 3, "b": 5}),
        ("\r\n  [ case . 'the edge' ]  # words\r\nx = 1\r\n", MINE, {"the edge": 2}),
        (r'[case."a\"b"]', MINE, {'a"b': 1}),
        ("[case]\na.x = 1\na.y = 2\nb = {x = 1}\n", MINE, {"a": 2, "b": 4}),
        ("case.a.x = 1\ncase.b = {x = 1}\n", MINE, {"a": 1, "b": 2}),
        ("case = {a = {x = 1}, b = {}}\n", MINE, {"a": 1, "b": 1}),
        ("[case.a.features]\n16 = '*'\n[case.a]\n", MINE, {"a": 1}),
        ("x = '''\n[case.no]\n'''\n[case.a]\n", MINE, {"a": 4}),
        ("[case.a]\nx = [\n  1,\n]\n# words\n[case.b]\n", MINE, {"a": 1, "b": 6}),
        ("x = 'a\u2028b\x85c'\n[case.a]\n", MINE, {"a": 2}),
        ("[tool.mbv2.case.a]\n[tool.other.case.b]\n[case.c]\n", SHARED, {"a": 1}),
        ("[tool.mbv2]\nforward = true\ncase.a = {}\n", SHARED, {"a": 3}),
        ("case = 3\n", MINE, {}),
        ("", MINE, {}),
    ],
)
def test_the_line_is_where_a_case_is_first_mentioned(
    text: str, prefix: tuple[str, ...], lines: dict[str, int]
) -> None:
    assert case_lines(text, prefix) == lines
