"""Files that are right, and what can be wrong with them: a value, a line, a byte."""

from __future__ import annotations

import copy
import json
import tomllib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeAlias

from hypothesis import strategies as st

from tests.fuzz.run import Content, Kind
from tests.fuzz.words import (
    CHANGES,
    MODEL_PANELS,
    Flag,
    edited,
    key,
    nasty,
    pick,
    some,
    suiting,
    target,
    value,
)
from tests.process import mbv2_here


class Raw(str):
    """A value that stands in a file as it is."""

    __slots__ = ()


_DEEP: Final = 1_000
_NUMBERS: Final = (
    *(0, 1, -1, 3, 2**31, 2**63, 2**64, 10**30, 0.0, -0.0, 0.5, 1e300, 5e-324, True, False),
    *map(Raw, ("nan", "inf", "-inf", "1e400", "-1e400", "1E999999999", "1_0", "0o17", "0b1")),
    *map(Raw, (f"0x{'f' * 4_000}", "9" * 4_000, f"-{'9' * 5_000}", f"1{'0' * 400}")),
    *map(Raw, (f"0x{'f' * 4_000}", f"-0x{'f' * 9}", f"0o{'7' * 9_000}", f"0.{'1' * 4_000}")),
)
"""Numbers that programs read badly."""

_OTHERS: Final = (
    *("", [], {}, [[]], [{}], {"": 1}, [1, "a"], [0.5, 1.0], [True], ["1:4096:1"] * 3),
    *map(Raw, ("1979-05-27T07:32:00Z", "1979-05-27", "07:32:00", "null", "NaN", "''")),
    Raw("[" * _DEEP + "]" * _DEEP),
    Raw("{a=" * _DEEP + "1" + "}" * _DEEP),
    Raw('{"a":' * _DEEP + "1" + "}" * _DEEP),
    Raw("[" * 90 + "1" + "]" * 90),
    Raw("{a=" * 90 + "1" + "}" * 90),
    Raw(f"[{'1,' * 20_000}1]"),
    Raw(f"[{'{},' * 5_000}{{}}]"),
    [f"{start}:{start + 4_000}:1" for start in range(100)],
    list(range(1, 65)),
    [f"{side}x{side}" for side in range(1, 65)],
)
"""Other values that programs read badly."""

_LINES: Final = (
    *("[case]", "[[case]]", "[tool]", "tool = 5", "[case.edge]", "= 1", "in =", "# \x7f", "\ufeff"),
    *("in = 3", "size = [32, 48]", "size = '32x48'", "target = 'm.toml'", "target = 'network'"),
    *(".".join("a" * _DEEP) + " = 1", "[" + ".".join("a" * _DEEP) + "]", "'\x1b[31m' = 1"),
    *("x = '" + "y" * 100_000 + "'", "x = '''\n" + "y\n" * 16_000 + "'''", "x = '''", "\r", "\x00"),
    *("[tool." + "é.".encode().decode("latin-1") * 3 + "x]", '"\\ud800" = 1', '"\\u0000" = 1'),
    "\n".join(f"[case.c{number}]" for number in range(300)),
)

_PLAIN: Final = st.one_of(
    st.integers(-3, 300),
    st.floats(0, 2),
    st.lists(st.one_of(st.integers(1, 64), nasty), max_size=4),
    st.dictionaries(st.sampled_from(("a", "t", "c", "n", "", "8")), nasty, max_size=3),
)


def _typed(word: str) -> Any:
    """Return a word of a command line as the value of a file: a number where it is one."""
    for read in (int, float):
        try:
            return read(word)
        except ValueError:
            continue
    return word


def _stage(draw: st.DrawFn) -> dict[str, Any]:
    stage: dict[str, Any] = {"c": draw(st.integers(1, 64))}
    for name, choices in some(draw, tuple(_STAGE.items()), 0, 3):
        stage[name] = pick(draw, choices)
    return stage


_STAGE: Final[Mapping[str, tuple[float, ...]]] = {
    "t": (1, 2, 6, 0.5),
    "n": (1, 2, 3),
    "s": (1, 2),
    "kernel": (1, 3, 5),
    "dilation": (1, 2),
}


def model(draw: st.DrawFn, setting: Setting | None = None) -> dict[str, Any]:
    """Return a right model. Each of its values is one, or a ``setting``."""
    kind = pick(draw, ("block", "network"))
    tree: dict[str, Any] = {"target": target(draw, kind).replace("m.toml", "network")}
    for flag in some(draw, suiting("sweep", kind, *MODEL_PANELS), 0, 4):
        tree[key(flag)] = (setting or one_value)(draw, flag)
    if kind == "network" and draw(st.booleans()):
        tree["stages"] = [_stage(draw) for _ in range(draw(st.integers(1, 4)))]
    return tree


Setting: TypeAlias = Callable[[st.DrawFn, Flag], Any]


def one_value(draw: st.DrawFn, flag: Flag) -> Any:
    """Return a right value of a key."""
    return _typed(value(draw, flag))


def values(draw: st.DrawFn, flag: Flag) -> Any:
    """Return a right list of values of a key."""
    return [one_value(draw, flag) for _ in range(draw(st.integers(1, 4)))]


def choices(draw: st.DrawFn, flag: Flag) -> Any:
    """Return a list of values, or the text of a list or of a range."""
    if draw(st.booleans()):
        return values(draw, flag)
    return _typed(value(draw, flag, several=True))


def configuration(draw: st.DrawFn) -> dict[str, Any]:
    """Return a right configuration of the gate."""
    tree = dict(some(draw, _SETTINGS, 0, 2))
    names = some(draw, ("edge", "small", "é"), 1, 2)
    cases = {name: _case(draw) for name in names}
    if not draw(st.booleans()):
        return {**tree, "case": cases}
    boards = some(draw, ("mine", "mine", "é", "a b", "rp2040"), 1, 2)
    if draw(st.booleans()):
        cases[names[0]]["board"] = boards[0]
    return {**tree, "board": {name: _board(draw) for name in boards}, "case": cases}


_SETTINGS: Final[tuple[tuple[str, Any], ...]] = (
    ("forward", True),
    ("require_lock", True),
    ("tolerance", "2%"),
    ("tolerance", "10k"),
    ("tolerance", {"params": "1%", "peak": "4KiB"}),
)


def _board(draw: st.DrawFn) -> dict[str, Any]:
    return {name: pick(draw, ("200KiB", 320_000, "1.5MB")) for name in ("sram", "flash")}


def _case(draw: st.DrawFn) -> dict[str, Any]:
    case = model(draw, pick(draw, (one_value, one_value, values)))
    for flag in some(draw, suiting("check", "block", "Limits", "Run"), 0, 3):
        if flag.name != "--config":
            case[key(flag)] = one_value(draw, flag)
    if pick(draw, (False, False, True)):
        case["features"] = {"8": "*x*x*x*", "16": "1x96x14x14"}
    return case


CONFIG: Final = {"case": {"edge": {"target": "network", "size": 96, "max_params": "4M"}}}
"""A configuration whose case has a lock."""


@cache
def lock() -> dict[str, Any]:
    """Return the lock of `CONFIG`."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "mbv2.toml").write_bytes(toml_text(CONFIG).encode())
        mbv2_here("lock", cwd=Path(folder))
        return tomllib.loads((Path(folder) / "mbv2.lock").read_text("utf-8"))


@cache
def report(target: str) -> dict[str, Any]:
    """Return the report of `mbv2 summary`, without its long lists."""
    shown = mbv2_here("summary", target, "--no-forward", "--by", "stage", "--format", "json")
    content: dict[str, Any] = json.loads(shown.stdout)
    return {key: value for key, value in content.items() if not isinstance(value, list)}


def toml_text(tree: Mapping[str, Any], path: tuple[str, ...] = ()) -> str:
    """Return a tree as TOML: a table for each mapping."""
    lines = [f"[{'.'.join(map(_toml_key, path))}]"] if path else []
    tables = {key: value for key, value in tree.items() if isinstance(value, dict)}
    lines += [f"{_toml_key(k)} = {_toml_value(v)}" for k, v in tree.items() if k not in tables]
    return "\n".join((*lines, "")) + "".join(
        toml_text(value, (*path, key)) for key, value in tables.items()
    )


def _toml_key(key: str) -> str:
    is_bare = key.isascii() and key.replace("_", "").replace("-", "").isalnum()
    return key if is_bare else json.dumps(key, ensure_ascii=False)


def _toml_value(value: Any) -> str:
    match value:
        case Raw() | bool() | str():
            return str(value) if isinstance(value, Raw) else json.dumps(value, ensure_ascii=False)
        case list():
            return f"[{', '.join(map(_toml_value, value))}]"
        case dict():
            return (
                f"{{{', '.join(f'{_toml_key(k)} = {_toml_value(v)}' for k, v in value.items())}}}"
            )
        case _:
            return str(value)


def json_text(value: Any) -> str:
    """Return a tree as JSON, with `Raw` values as they are."""
    match value:
        case Raw():
            return str(value)
        case list():
            return f"[{', '.join(map(json_text, value))}]"
        case dict():
            items = (f"{json.dumps(key)}: {json_text(item)}" for key, item in value.items())
            return f"{{{', '.join(items)}}}"
        case _:
            return json.dumps(value)


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each list or mapping in a tree, with the index or key of each item."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for at, item in items:
        yield tree, at
        if isinstance(item, dict | list):
            yield from _places(item)


def mutated_tree(draw: st.DrawFn, tree: dict[str, Any]) -> dict[str, Any]:
    """Return a tree with none to three changes, at any depth."""
    tree = copy.deepcopy(tree)
    for _ in range(pick(draw, CHANGES)):
        if places := list(_places(tree)):
            _change(draw, *pick(draw, places))
    return tree


def _change(draw: st.DrawFn, holder: Any, at: Any) -> None:
    match pick(draw, ("alter", "alter", "replace", "replace", *_WAYS)):
        case "alter":
            holder[at] = _altered(draw, holder[at])
        case "replace":
            holder[at] = _bad(draw)
        case "delete":
            del holder[at]
        case "wrap":
            holder[at] = pick(draw, ([holder[at]], {"a": holder[at]}, []))
        case "add" if isinstance(holder, dict):
            holder[draw(nasty)] = _bad(draw)
        case "rename" if isinstance(holder, dict):
            holder[draw(nasty)] = holder.pop(at)
        case "copy" if isinstance(holder, dict):
            holder[draw(nasty)] = copy.deepcopy(holder[at])
        case _:
            holder[at] = [holder[at], _bad(draw)]


def _bad(draw: st.DrawFn) -> Any:
    """Return any value, which later changes do not share."""
    match pick(draw, ("number", "number", "number", "other", "other", "text", "text", "plain")):
        case "number":
            return pick(draw, _NUMBERS)
        case "other":
            return copy.deepcopy(pick(draw, _OTHERS))
        case "text":
            return draw(nasty)
        case _:
            return draw(_PLAIN)


def _altered(draw: st.DrawFn, value: Any) -> Any:
    """Return another value of the same type."""
    if isinstance(value, str):
        return edited(draw, value)
    return pick(draw, _NUMBERS) if isinstance(value, int | float) else _bad(draw)


_WAYS: Final = ("delete", "wrap", "add", "rename", "copy")


def mutated_bytes(draw: st.DrawFn, content: bytes) -> Content:
    """Return the content of a file, mostly as it is, else with a change of lines or of bytes."""
    at = draw(st.integers(0, len(content)))
    match pick(draw, (*("",) * 8, "line", "line", "line", "cut", "flip", "insert", "odd")):
        case "line":
            start = content.rfind(b"\n", 0, at) + 1
            added = pick(draw, _LINES).encode("utf-8", "surrogatepass")
            return content[:start] + added + b"\n" + content[start:]
        case "cut":
            return content[:at]
        case "flip":
            return content[:at] + bytes([draw(st.integers(0, 255))]) + content[at + 1 :]
        case "insert":
            return content[:at] + draw(nasty).encode("utf-8", "surrogatepass") + content[at:]
        case "odd":
            utf16 = content.decode("utf-8", "replace").encode("utf-16")
            bom = b"\xef\xbb\xbf" + content
            odd: tuple[Content, ...] = (bom, utf16, content * 2, b"", *Kind)
            return pick(draw, odd)
        case _:
            return content
