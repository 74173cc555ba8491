"""Command lines that are right, from the flags that mbv2 has, and what can be wrong with them."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple, TypeVar

from hypothesis import strategies as st
from typer.core import TyperOption

from mbv2cli.cli.app import COMMANDS, imported
from mbv2cli.errors import UserError
from mbv2cli.search.query import SearchOptions
from mbv2cli.specs import BlockSpec, InputSpec, NetworkSpec, RunSpec
from mbv2cli.specs.base import Spec, keys
from mbv2cli.specs.reader import target_names
from mbv2cli.specs.units import read_count

NASTY: Final = (
    *("", " ", "-", "--", "=", "0", "-1", "-0", "nan", "inf", "-inf", "1e400", "5e-324", "1e-400"),
    *("9" * 4_000, f"-{'9' * 5_000}", f"0x{'f' * 4_000}", f"1{'0' * 400}", f"0.{'3' * 4_000}"),
    *("2147483648", "9223372036854775808", "18446744073709551616", "1_000", "1__0", "0b1", "1e3"),
    *("½", "²", "١٢", "１", "−1", "–out", "é", "e\u0301", "日本", "💥", "İ", "\xa0", "\ufeff"),
    *("\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\u202eabc\u2069", "\x7f", "\x85", "\x9b1m"),
    *("\n", "a\nb", "\r", "\t", "a\tb", "\udc80", "\udcff.toml", "\x01", "\u200b", "\u061c"),
    *("\u2028", "\u0600", "`|<b>&amp;", "]]>", "::error::x", "%0A", "%s%n{0}{}", "$(id)"),
    *("[red]x[/red]", "[/]", ":smile:", "a" * 300, "a" * 70_000, "é" * 200, "a b " * 500),
    *("a," * 2_000, "1," * 5_000, f"{'x' * 200}.toml", "[" * 1_000, "(" * 1_000, "{" * 1_000),
    *(f"{'(' * 90}1{')' * 90}", "not " * 300, "-" * 3_000, "true", "None", "..", ".", "/", "~"),
    *("*", "[", "@file", "=1", "--x=1", "a.toml", "missing.json", "1,2", "1:2:1", "1:4096:1"),
    *("0:1:0.0000001", "3:1:1", "1:2:0", "1:2:-1", ":", "::", "1:", "1e9:2e9:1", "1x", "x"),
    *("ir_r2_k3_s2_e6_c24", f"ir_r{'9' * 30}_c8", "ir_e1e400_c8", "ds_c8_seinf", "ir__c8", "_c8"),
    *("c8s1x", "c8_se1e-999", "c8k0x7fs0d0", "h0c8", f"c8{'_relu' * 900}", "[[1,16,1,1],[]]"),
    *("t1c16", "t1c16/", "/" * 3_000, f"t6c24n999{'/t6c24n999' * 20}", f"t1c8{'/t1c8' * 99}"),
    *(
        "network:",
        "block:in=",
        "network:width_mult=0.5,",
        "a.b.c",
        "m.toml:",
        "m.toml:m.toml:size=1",
    ),
)
"""Words that programs read badly."""

CHARACTERS: Final = st.one_of(
    st.sampled_from([word for word in NASTY if len(word) == 1]),
    st.characters(codec="utf-8", exclude_characters="\0"),
)
nasty: Final = st.one_of(
    st.sampled_from(NASTY), st.text(CHARACTERS, max_size=5), st.integers().map(str)
)

Item = TypeVar("Item")


def pick(draw: st.DrawFn, items: Sequence[Item]) -> Item:
    """Return one of the items. Faster than `st.sampled_from`, which is made anew for each draw."""
    return items[draw(st.integers(0, len(items) - 1))]


def some(draw: st.DrawFn, items: Sequence[Item], least: int, most: int) -> list[Item]:
    """Return ``least`` to ``most`` of the items; an item can be there more than once."""
    return [pick(draw, items) for _ in range(draw(st.integers(least, most)))]


_NUMBERS: Final = ("1", "2", "3", "5", "7", "8", "16", "24", "32", "64", "100")
_AMOUNTS: Final = ("0", "1", "2k", "300k", "2M", "60e6", "1.5G", "1_000_000")
_PATHS: Final = ("mbv2.toml", "m.toml", "space.toml", "pyproject.toml", "other.toml")
GOOD: Final[Mapping[str, Sequence[str]]] = {
    "N": _NUMBERS,
    "X": ("1", "0.35", "0.5", "0.75", "1.4", "6", "3", "0.1"),
    "GRID": ("2x2", "best", "4", "3x1"),
    "BLOCK": ("features.2", "features.0"),
    "TARGET": ("network", "keras_100", "block:in=24", "network:features.3", "r.json", "m.toml"),
    "HxW": ("1", "32", "96", "160", "224", "32x48", "7x224"),
    "tNcN/…": (
        *("t1c16/t6c24n2s2", "t6c8k5d2", "t1c16/t6c24n2s2/t6c32n3s2/t6c64n4s2", "t2.5c8"),
        *("ds_r1_k3_s1_c16/ir_r2_k3_s2_e6_c24", "ir_r1_k5_s2_e4_c40_se0.25_nhs", "cn_r1_k1_s1_c8"),
        *("t6c24_se0.25_hardswish", "h72c24_fused", "c8s2x1_conv_noskip", "[[1, 16, 1, 1]]"),
        "er_r1_k3_s2_e4_c24_noskip",
    ),
    "SHAPE": ("1x64x224x224", "1x1000", "*x1000", "*x*x*x*"),
    "BYTES": ("1", "512KiB", "3MiB", "1.5MB", "320000"),
    "FILE": _PATHS,
    "REVISION": ("HEAD", "main", "-x"),
    "CONDITION": (
        *("macs < 60M", "macs < 60M and peak <= 320KiB", "not (params > 1e5 or flash < 2*params)"),
        *("width_mult == 0.5", "-peak < 3 < macs", "params % 7 == 1", "macs ** 2 > 10 ** 9"),
    ),
}
"""Values that are right, by the sign that the help shows for them."""

_RESULTS: Final[Mapping[str, Sequence[str]]] = {
    "--output": (
        "out",
        "out.json",
        "out.csv",
        "out.md",
        "out.xml",
        "out.jsonl",
        "missing/out.json",
    ),
    "--plot": ("no/out.png", "out.txt", "out.svg", "out.pdf"),
    "--board": ("stm32f746", "rp2040", "mine", "other"),
}
"""Names of files that mbv2 writes, and of boards."""

_ELSEWHERE: Final = ("--scheduler",)
"""Flags that no input has: they wait for other machines."""


class Flag(NamedTuple):
    """A flag, the words that can follow, and whether a list of them can; no words: no value."""

    name: str
    words: tuple[str, ...]
    takes_list: bool
    panel: str


@functools.cache
def flags(command: str) -> tuple[Flag, ...]:
    """Return the flags of a command of mbv2. New flags are among them by themselves."""
    built = imported(command)
    context: Any = built.make_context(command, [], resilient_parsing=True)
    return tuple(
        Flag(name, _words(name, option, context), "," in str(option.metavar), _panel(option))
        for option in built.get_params(context)
        if isinstance(option, TyperOption)
        for name in (*option.opts, *option.secondary_opts)
        if name not in _ELSEWHERE
    )


def _words(name: str, option: TyperOption, context: Any) -> tuple[str, ...]:
    if option.is_flag:
        return ()
    if name in _RESULTS:
        return tuple(_RESULTS[name])
    if name.startswith(("--max-", "--min-", "--sample")) and option.metavar == "N":
        return _AMOUNTS
    offered = [str(item.value) for item in option.shell_complete(context, "")]
    words = (*offered, *GOOD.get(str(option.metavar), () if offered else ("1",)))
    own = [model for model in _SPECS if name[2:].replace("-", "_") in keys(model)]
    return tuple(word for word in words if _is_read(own, name[2:].replace("-", "_"), word))


_SPECS: Final = (BlockSpec, NetworkSpec, InputSpec, RunSpec, SearchOptions)


def _is_read(models: Sequence[type[Spec]], key: str, word: str) -> bool:
    """Return whether a word is a right value of a field, if the flag is a field."""
    try:
        for model in models:
            model.model_validate({key: word})
    except UserError:
        return False
    return True


def _panel(option: TyperOption) -> str:
    return str(option.rich_help_panel or "")


def value(draw: st.DrawFn, flag: Flag, *, several: bool = False) -> str:
    """Return a right value of a flag; with ``several``, sometimes a list or a range."""
    word = pick(draw, flag.words)
    if flag.takes_list:
        return ",".join([word, *some(draw, flag.words, 0, 3)])
    if flag.name == "--sort":
        return pick(draw, ("", "-")) + word
    if several:
        words = ",".join([word, *some(draw, flag.words, 0, 3)])
        return pick(draw, (word, words, *_RANGES) if word[0].isdigit() else (word, words))
    return word


_RANGES: Final = ("8:32:8", "0.35:1.4:0.35", "1:3:1", "32:96:32", "1:40:1", "1:17:1", "1:4096:1")


@functools.cache
def suiting(command: str, kind: str, *panels: str) -> tuple[Flag, ...]:
    """Return the flags of a command that belong to a kind of model, or to none."""
    other = "Network" if kind == "block" else "Block"
    return tuple(
        flag
        for flag in flags(command)
        if flag.panel != other and (not panels or (flag.panel in panels and flag.words))
    )


def target(draw: st.DrawFn, kind: str) -> str:
    """Return a right target of a kind, often with settings."""
    name = "block" if kind == "block" else pick(draw, _NETWORKS)
    own = suiting("counts", kind, *MODEL_PANELS)
    chosen = dict.fromkeys(some(draw, own, 0, 3))
    settings = [f"{key(one)}={value(draw, one)}" for one in chosen]
    return f"{name}:{','.join(settings)}" if settings else name


MODEL_PANELS: Final = ("Block", "Network", "Block and network")
_NETWORKS: Final = ("network", "m.toml", *target_names()[2:])


def key(flag: Flag) -> str:
    """Return the key of a flag in a file."""
    return "output" if flag.name == "--expect" else flag.name[2:].replace("-", "_")


_NAMED: Final[Mapping[str, Sequence[str]]] = {
    "lock": (),
    "help": (*COMMANDS, "ci", "json", "numbers"),
    "presets": ("keras", "*_100", "[", "paper"),
    "boards": ("mine", "stm32f746", "nucleo", "rp"),
    "explain": ("macs", "network:features.3", "arena", "block", "network", "block:in=24"),
}
"""What commands take that take no target, or more than a target."""


def _arguments(draw: st.DrawFn, command: str, kind: str) -> list[str]:
    if command in _NAMED:
        names = _NAMED[command]
        return some(draw, names, 0, 1) if names else []
    match command:
        case "fit":
            return [target(draw, "network"), *pick(draw, _LIMITED)]
        case "draw":
            return [target(draw, kind), "--output", pick(draw, ("out.svg", "missing/out.png"))]
        case "compare":
            return [pick(draw, (target(draw, kind), "r.json")) for _ in range(2)]
        case "check":
            return some(draw, [target(draw, kind), "edge", "e*"], 0, 1)
        case _:
            return [target(draw, kind)]


_LIMITED: Final = (["--board", "stm32f746"], ["--max-tflm", "300KiB"], ["--max-flash", "1M"])


def line(draw: st.DrawFn, command: str) -> list[str]:
    """Return the words of a right command line."""
    kind = pick(draw, ("block", "network"))
    words = [command, *_arguments(draw, command, kind)]
    for flag in some(draw, suiting(command, kind), 0, 4):
        several = command == "sweep" and flag.panel in MODEL_PANELS
        words += [flag.name, *([value(draw, flag, several=several)] if flag.words else [])]
    return words


def edited(draw: st.DrawFn, text: str) -> str:
    """Return a text with one change."""
    at = draw(st.integers(0, len(text)))
    match pick(draw, ("insert", "append", "cut", "drop", "number", "repeat", "case")):
        case "insert":
            text = text[:at] + draw(nasty) + text[at:]
        case "append":
            text += draw(nasty)
        case "cut":
            text = text[:at]
        case "drop":
            text = text[:at] + text[at + 1 :]
        case "number":
            text = re.sub(r"\d+", lambda _: draw(nasty), text, count=1)
        case "repeat":
            text *= pick(draw, (2, 3, 300))
        case _:
            text = text.swapcase()
    return text


def mutated(draw: st.DrawFn, words: list[str]) -> list[str]:
    """Return the words of a line with none to three changes."""
    words = list(words)
    for _ in range(pick(draw, CHANGES)):
        at = draw(st.integers(0, max(len(words) - 1, 0)))
        match pick(draw, ("edit", "edit", "replace", "replace", *_MOVES)):
            case "edit":
                words[at : at + 1] = [edited(draw, word) for word in words[at : at + 1]]
            case "replace":
                words[at : at + 1] = [draw(nasty)]
            case "insert":
                words.insert(at, draw(nasty))
            case "drop":
                words[at : at + 1] = []
            case "repeat":
                words[at:at] = words[at : at + 1]
            case "swap":
                words[at : at + 2] = reversed(words[at : at + 2])
            case "join":
                words[at : at + 2] = ["=".join(words[at : at + 2])]
            case "graft":
                words[at:at] = line(draw, pick(draw, tuple(COMMANDS)))
    return words


CHANGES: Final = (0, 0, 1, 1, 1, 1, 2, 3)
"""Numbers of changes: a right input, one that is nearly right, and worse ones."""

_MOVES: Final = ("insert", "drop", "repeat", "swap", "join", "graft")

_BOUNDED: Final = {"--jobs": 1, "--verify": 0, "--sample": 20_000}
"""Flags whose value is work that the user asks for, with the largest value that an input has."""

_RANGE: Final = re.compile(
    r"(-?\d{1,12}(?:\.\d{1,12})?):(-?\d{1,12}(?:\.\d{1,12})?):(\d[\d.]{0,12})"
)
_ENUMERATED: Final = 2**17
"""Largest space that an input searches without a sample: more than 16 bits can number."""


def bounded(words: Sequence[str], files: Mapping[str, object]) -> tuple[str, ...]:
    """Return a line without a forward pass, and without the work that only its user bounds."""
    line = [passed(word) for word in words if not word.startswith("--scheduler")]
    line = [word for word in line if word != "--forward"]
    for at, word in enumerate(line):
        name, equals, value = word.partition("=")
        if name in _BOUNDED:
            if equals:
                line[at] = f"{name}={_at_most(value, _BOUNDED[name])}"
            elif at + 1 < len(line):
                line[at + 1] = _at_most(line[at + 1], _BOUNDED[name])
    for command in ("summary", "check"):
        if command in line:
            line.insert(line.index(command) + 1, "--no-forward")
    if "fit" in line:
        few = [word for word in _FEW_MEMBERS if word.partition("=")[0] not in line]
        line[line.index("fit") + 1 : line.index("fit") + 1] = few
    texts = [*line, *(one.decode("latin-1") for one in files.values() if isinstance(one, bytes))]
    if "sweep" in line and "--sample" not in line and _members(texts) > _ENUMERATED:
        line.insert(line.index("sweep") + 1, "--sample=2k")
    return tuple(line)


def passed(word: str) -> str:
    """Return a word as a system passes it to a program: without NUL, encoded, not too long."""
    word = word.replace("\0", "")[:_LONGEST]
    try:
        return word.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return json.dumps(word)


_FEW_MEMBERS: Final = ("--expand=6", "--padding=same", "--size=32,48")
"""Flags that make the space of `mbv2 fit` a small one, unless the line has them."""

_LONGEST: Final = 100_000
"""Characters of a word. Linux allows 131,072 bytes, and some systems fewer."""


def _at_most(value: str, most: int) -> str:
    try:
        asked = read_count(value)
    except (ValueError, ArithmeticError):
        return value
    return str(most) if isinstance(asked, int) and asked > most else value


def _members(texts: Sequence[str]) -> int:
    """Return at least the number of members of a space that has these texts."""
    members = 1
    for text in texts:
        if text.count(",") > 50:
            return _ENUMERATED + 1
        for line in text.splitlines():
            ranges = [_values(*found) for found in _RANGE.findall(line)]
            members *= line.count(",") + 1 + sum(ranges)
    return members


def _values(start: str, stop: str, step: str) -> int:
    try:
        return max(int((Decimal(stop) - Decimal(start)) / Decimal(step)), 0)
    except ArithmeticError:
        return 0
