from __future__ import annotations

import contextlib
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbv2cli import NetworkSpec, UserError
from mbv2cli.errors import MistakesError
from mbv2cli.gate.cases import Case
from mbv2cli.gate.config import case_lines, find_config, lock_beside, read_config
from mbv2cli.specs.reader import Request, read_request

MATRIX = """
forward = false

[case.one]
expand = 6

[ case."the edge" ]  # quoted
target = "network"
width_mult = [0.5, 0.75, 1.0]
size = [160, "96x128"]
stages = [{t = 1, c = 16}, {t = 6, c = 24, n = 2, s = 2}]
max_params = "4M"
"""


def request_of(case: Case) -> Request:
    assert isinstance(case.request, Request)
    return case.request


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "mbv2.toml"
    path.write_text(MATRIX)
    return path


def test_lists_make_a_matrix(config: Path) -> None:
    read = read_config(config)
    assert not read.forward
    assert [case.name for case in read.cases][:3] == [
        "one",
        "the edge[width_mult=0.5,size=160]",
        "the edge[width_mult=0.5,size=96x128]",
    ]
    assert len(read.cases) == 1 + 3 * 2
    last = request_of(read.cases[-1])
    assert isinstance(last.spec, NetworkSpec)
    assert (last.spec.width_mult, len(last.spec.stages)) == (1.0, 2)
    assert last.input.size == (96, 128)
    assert [case.line for case in read.cases[:2]] == [4, 7]


def test_the_file_is_found_upwards(config: Path) -> None:
    deep = config.parent / "a" / "b"
    deep.mkdir(parents=True)
    assert find_config(deep) == config


def test_pyproject_holds_it_too(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text("[project]\nname = 'x'\n\n[tool.mbv2.case.stem]\nmax_params = '2k'\n")
    read = read_config(find_config(tmp_path))
    assert [(case.name, case.line) for case in read.cases] == [("stem", 4)]


def test_a_pyproject_without_our_table_is_passed_by(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    with pytest.raises(UserError, match=r"there is no mbv2\.toml"):
        find_config(tmp_path)


def test_a_target_file_is_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").write_text("classes = 3\n")
    path = tmp_path / "mbv2.toml"
    path.write_text('[case.tiny]\ntarget = "tiny.toml:width_mult=0.5"\n')
    spec = request_of(read_config(path).cases[0]).spec
    assert isinstance(spec, NetworkSpec)
    assert (spec.classes, spec.width_mult) == (3, 0.5)


@pytest.mark.parametrize("target", ["MobileNetV2:size=96", "nets:old/tiny.toml:size=96"])
def test_the_target_of_a_case_is_any_target(tmp_path: Path, target: str) -> None:
    (tmp_path / "nets:old").mkdir()
    (tmp_path / "nets:old" / "tiny.toml").write_text('target = "mobilenet_v2"\n')
    path = tmp_path / "mbv2.toml"
    path.write_text(f'[case.any]\ntarget = "{target}"\n')
    request = request_of(read_config(path).cases[0])
    assert (request.spec, request.input.size) == (NetworkSpec(), (96, 96))


def test_a_target_is_what_it_is_elsewhere_and_may_be_a_list(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "tiny.toml").write_text("classes = 3\n")
    path = tmp_path / "mbv2.toml"
    targets = ["block:expand=4", "keras_035:size=96", "deep/tiny.toml:width_mult=0.5,batch=2"]
    path.write_text(f"[case.a]\ntarget = {targets}\n")
    cases = read_config(path).cases
    assert [case.name for case in cases] == [f"a[target={target}]" for target in targets]
    files = [*targets[:2], f"{tmp_path}/{targets[2]}"]
    for case, target in zip(cases, files, strict=True):
        assert case.request == read_request(target)


def test_a_case_of_a_network_names_it_as_its_target(tmp_path: Path) -> None:
    path = tmp_path / "mbv2.toml"
    path.write_text("[case.a]\nwidth_mult = 0.5\n")
    with pytest.raises(UserError) as error:
        read_config(path)
    assert str(error.value).endswith('for a network, write the line target = "network" in the case')


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("nework", "there is no target 'nework'"),
        ("none.toml", "cannot read"),
        ("network:size", "cannot read 'size'"),
    ],
)
def test_what_is_no_target_is_named_with_its_place(tmp_path: Path, value: str, words: str) -> None:
    path = tmp_path / "mbv2.toml"
    path.write_text(f"[case.a]\ntarget = {value!r}\n")
    with pytest.raises(UserError, match=words) as error:
        read_config(path)
    assert str(error.value).startswith(f"{path}: case.a.target: ")


@pytest.mark.parametrize(
    ("size", "sizes"),
    [
        ("[32]", [(32, 32)]),
        ("'32x48'", [(32, 48)]),
        ("['32x32', '48x48']", [(32, 32), (48, 48)]),
        ("[32, '48x48']", [(32, 32), (48, 48)]),
        ("[32, 48, 64]", [(32, 32), (48, 48), (64, 64)]),
    ],
)
def test_a_list_of_sizes_is_a_list_of_cases(
    tmp_path: Path, size: str, sizes: list[tuple[int, int]]
) -> None:
    path = tmp_path / "mbv2.toml"
    path.write_text(f"[case.a]\nsize = {size}\n")
    assert [request_of(case).input.size for case in read_config(path).cases] == sizes


def test_a_list_of_two_whole_numbers_is_no_size_and_both_spellings_are_told(
    tmp_path: Path,
) -> None:
    path = tmp_path / "mbv2.toml"
    path.write_text("[case.a]\nsize = [32, 48]\n")
    with pytest.raises(UserError) as error:
        read_config(path)
    assert str(error.value) == (
        f'{path}: case.a.size must be "32x48" for one input, or ["32x32", "48x48"] for two '
        "cases, not [32, 48]"
    )


@pytest.mark.parametrize(
    ("name", "lock"),
    [
        ("mbv2.toml", "mbv2.lock"),
        ("pyproject.toml", "mbv2.lock"),
        ("other.toml", "other.lock"),
    ],
)
def test_each_configuration_has_a_lock_of_its_own(name: str, lock: str) -> None:
    assert lock_beside(Path("a") / name) == Path("a") / lock


@pytest.mark.parametrize("key", ["forward", "require_lock"])
def test_what_is_true_or_false_is_nothing_else(tmp_path: Path, key: str) -> None:
    path = tmp_path / "mbv2.toml"
    path.write_text(f"{key} = 'yes'\n[case.a]\n")
    with pytest.raises(UserError, match=f"{key} must be true or false, not 'yes'"):
        read_config(path)


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    path = tmp_path / "mbv2.toml"
    path.write_text(
        "forwrd = true\n[case.good]\nexpand = 2\n[case.a]\nexpand = 0\nmax_params = 'many'\n"
        "dtype = 'int9'\n[case.b]\ntarget = 'nework'\n[case.c]\nwidth_mult = 1\n"
        "[case.d]\nmax_prams = 3\n[case.e]\nsize = []\n[case.f]\ntarget = 3\n"
        "[case.g]\nsize = [96, 160, '96']\n[case.\"a\\tb\"]\n"
    )
    with pytest.raises(MistakesError) as error:
        read_config(path)
    reported = [mistake.removeprefix(f"{path}: ") for mistake in error.value.mistakes]
    assert all(str(path) in mistake for mistake in error.value.mistakes)
    for words, sentence in zip(
        [
            "forwrd is not a key",
            "case.a.expand must be",
            "case.a.dtype must be",
            "case.a.max_params must be",
            "case.b.target: there is no target 'nework'",
            "case.c.width_mult belongs to a network",
            "case.d.max_prams is not a key of a case; did you mean 'max_params'?",
            "case.e.size is an empty list",
            "case.f.target must be a target",
            "a case is named 'a\\tb'",
            "2 cases have the name 'g[size=96]'",
        ],
        reported,
        strict=True,
    ):
        assert sentence.startswith(words)


toml_values = st.recursive(
    st.one_of(
        st.booleans(),
        st.integers(-(2**62), 2**62),
        st.floats(allow_nan=False),
        st.sampled_from(["network", "block", "2M", "1x3", "x", "", "int8", "é\n"]),
    ),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)
toml_keys = st.sampled_from(
    ["target", "expand", "size", "stages", "max_params", "output", "features", "dtype", "zz", "in"]
)


def toml_text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'.replace("\n", "\\n")
    if isinstance(value, list):
        return f"[{', '.join(map(toml_text, value))}]"
    return repr(value)


@given(st.dictionaries(toml_keys, toml_values, max_size=5), st.integers(0, 200))
def test_any_table_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, table: dict[str, object], cut: int
) -> None:
    path = tmp_path_factory.mktemp("config") / "mbv2.toml"
    lines = "".join(f"{key} = {toml_text(value)}\n" for key, value in table.items())
    path.write_text(f"[case.random]\n{lines}", "utf-8")
    tomllib.loads(path.read_text("utf-8"))
    refused_or_read(path)
    path.write_bytes(path.read_bytes()[:cut])
    refused_or_read(path)


def refused_or_read(path: Path) -> None:
    with contextlib.suppress(UserError):
        assert read_config(path).cases


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
