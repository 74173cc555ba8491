"""Any input: exit code 0, 1 or 2, a line for each mistake, only text, no more than it needs.

``make test`` runs a thousand inputs, always the same. ``make fuzz`` runs 100,000 others;
``make fuzz SEED=…`` runs them again. `assert_ends_well` runs the input that a failure shows.
"""

from __future__ import annotations

import functools
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from mbv2cli.cli.app import COMMANDS
from mbv2cli.report.draw import What
from tests.fuzz.files import (
    CONFIG,
    choices,
    configuration,
    json_text,
    lock,
    model,
    mutated_bytes,
    mutated_tree,
    report,
    toml_text,
)
from tests.fuzz.run import Content, Input, assert_ends_well, in_one_process
from tests.fuzz.words import (
    CHANGES,
    GOOD,
    bounded,
    edited,
    line,
    mutated,
    nasty,
    passed,
    pick,
    some,
    suiting,
    target,
    value,
)
from tests.process import as_in_a_fresh_process
from tests.specs.test_configurations import BACKBONE, GOOGLE, MCUNET_256KB, MMPRETRAIN
from tests.specs.weights.files import small_files

INPUTS: Final = int(os.environ.get("FUZZ_INPUTS", "1000"))
SEED: Final = os.environ.get("FUZZ_SEED", "0")
_SHARD: Final = 2_500
"""Largest number of inputs of a test, so that all processors have something to do."""


@pytest.fixture(autouse=True, scope="module")
def _one_process() -> Iterator[None]:
    with in_one_process():
        _right_files()
        for name in _REPORTED:
            report(name)
        yield


def command_line(draw: st.DrawFn) -> Input:
    """Return a command line with some changes, and files that are right."""
    words = mutated(draw, line(draw, pick(draw, tuple(COMMANDS))))
    columns = pick(draw, (None, None, None, None, 20, 80, 200))
    return Input(bounded(words, _right_files()), _right_files(), columns)


@functools.cache
def _right_files() -> Mapping[str, Content]:
    return {
        "mbv2.toml": toml_text(CONFIG).encode(),
        "mbv2.lock": toml_text(lock()).encode(),
        "m.toml": b'target = "network"\nsize = 96\n',
        "space.toml": b'target = "network"\nsize = [96, 128, 160]\nwidth_mult = "0.5:1:0.25"\n',
        "r.json": json_text(report("block")).encode(),
    }


def target_text(draw: st.DrawFn) -> Input:
    """Return a target with some changes, for a command that takes one."""
    text = target(draw, pick(draw, ("block", "network")))
    for _ in range(pick(draw, CHANGES)):
        text = edited(draw, text)
    files = {"m.toml": b"size = 96\n"}
    return Input(bounded([*pick(draw, _TAKE_TARGETS), text], files), files)


_TAKE_TARGETS: Final = (
    *(["summary"], ["counts"], ["memory"], ["sweep"], ["init"]),
    *(["explain"], ["explain", "--code"], ["explain", "block", "--compare"], ["identify"]),
    *(["identify", "network", "--expect"], ["fit", "--max-tflm", "99KiB"], ["memory", "--arena"]),
    *(["memory", "--patches", "2x2"], ["compare", "block", "--format", "html"], ["boards"]),
    *(["compare", "network"], ["check", "--max-params", "2M"], ["presets"]),
)


def _in_file(draw: st.DrawFn, tree: dict[str, Any], runs: tuple[tuple[str, str], ...]) -> Input:
    """Return a file with some changes, and a command line that reads it."""
    name, words = pick(draw, runs)
    if pick(draw, (*(False,) * 9, True)) and name in words:
        odd = draw(nasty).replace("/", "").replace("\0", "") + name
        name, words = odd, words.replace(name, "NAME")
    content = toml_text(mutated_tree(draw, tree)).encode("utf-8", "surrogatepass")
    files = {name: mutated_bytes(draw, content)}
    named = [word.replace("NAME", name) for word in words.split()]
    return Input(bounded(named, files), files)


def model_file(draw: st.DrawFn) -> Input:
    """Return a TOML file of a model, for a command that takes one."""
    return _in_file(draw, model(draw), _READ_MODELS)


_READ_MODELS: Final = tuple(
    ("m.toml", words)
    for words in (
        "summary m.toml",
        "summary m.toml --format json",
        "summary m.toml --by stage --format markdown",
        "summary m.toml:size=32 --format torchsummary",
        "counts m.toml",
        "memory m.toml",
        "init m.toml",
        "sweep m.toml --max-params 1M",
        "compare network m.toml",
        "compare m.toml block --format markdown",
        "check m.toml --max-params 2M --format github",
        "cliffs m.toml",
        "explain m.toml",
        "identify m.toml --format toml",
        "identify network --expect m.toml",
        "fit m.toml --board rp2040",
        "memory m.toml --board stm32f746 --arena --format json",
        "memory m.toml --patches 2x2",
        "compare m.toml network --format html --output out.html",
        "sweep m.toml --max-params 1M --format html",
    )
)


def space(draw: st.DrawFn) -> Input:
    """Return a TOML file of a space, for a sweep."""
    return _in_file(draw, model(draw, choices), _READ_SPACES)


_READ_SPACES: Final = tuple(
    ("s.toml", words)
    for words in (
        "sweep --space s.toml",
        "sweep --space s.toml --pareto peak,-macs --format json",
        "sweep --space s.toml --where peak<=20*params --output out.csv --all",
        "sweep --space s.toml --cdf --max-params 1M --output out.jsonl",
        "sweep s.toml --fail-if-empty --max-peak 3KiB",
    )
)


def configuration_file(draw: st.DrawFn) -> Input:
    """Return the configuration of the gate, in a file of its own or beside other tools."""
    tree = configuration(draw)
    if draw(st.booleans()):
        return _in_file(draw, tree, _READ_CONFIGURATIONS)
    shared = {"project": {"name": "x"}, "tool": {"mbv2": tree}}
    return _in_file(draw, shared, _READ_SHARED)


_CHECKS: Final = tuple(
    f"check --format {name}" for name in ("table", "json", "github", "junit", "markdown")
)
_READ_CONFIGURATIONS: Final = (
    *(("mbv2.toml", words) for words in ("lock", "check e*", "lock -q", *_CHECKS)),
    *(
        ("mbv2.toml", words)
        for words in (
            *("boards", "boards mine", "boards --format json", "memory --board mine"),
            *("fit --board mine", "check block --board mine", "boards edge"),
        )
    ),
    ("c.toml", "check --config c.toml"),
    ("c.toml", "lock --config c.toml"),
)
_READ_SHARED: Final = tuple(("pyproject.toml", words) for words in ("lock", "init", *_CHECKS))


def locks(draw: st.DrawFn) -> Input:
    """Return a lock with some changes, beside the configuration that it belongs to."""
    content = toml_text(mutated_tree(draw, lock())).encode("utf-8", "surrogatepass")
    more = pick(draw, ("", 'tolerance = "2%"\n', "require_lock = true\n"))
    files = {
        "mbv2.lock": mutated_bytes(draw, content),
        "mbv2.toml": (more + toml_text(CONFIG)).encode(),
    }
    words = pick(draw, (*_CHECKS, "check edge -q --output out.md", "lock"))
    return Input(bounded(words.split(), files), files)


def json_report(draw: st.DrawFn) -> Input:
    """Return a JSON report with some changes, for a comparison."""
    tree = mutated_tree(draw, report(pick(draw, _REPORTED)))
    files = {"r.json": mutated_bytes(draw, json_text(tree).encode("utf-8", "surrogatepass"))}
    return Input(tuple(pick(draw, _READ_REPORTS).split()), files)


def foreign_file(draw: st.DrawFn) -> Input:
    """Return a configuration of another codebase with some changes, for a command that takes it."""
    if pick(draw, (True, True, False)):
        tree = mutated_tree(draw, dict(pick(draw, (GOOGLE, MCUNET_256KB))))
        text = json_text(tree)
    else:
        text = pick(draw, (MMPRETRAIN, BACKBONE, "[[1, 16, 1, 1], [6, 24, 2, 2]]"))
        for _ in range(pick(draw, CHANGES)):
            text = edited(draw, text)
    files = {"f.x": mutated_bytes(draw, text.encode("utf-8", "surrogatepass"))}
    return Input(bounded(pick(draw, _READ_FOREIGN).split(), files), files)


def checkpoint_file(draw: st.DrawFn) -> Input:
    """Return a checkpoint with some changes, for a command that takes it."""
    files = {"w.pth": mutated_bytes(draw, pick(draw, tuple(small_files().values())))}
    return Input(bounded(pick(draw, _READ_CHECKPOINTS).split(), files), files)


_READ_CHECKPOINTS: Final = (
    *("summary w.pth", "summary w.pth:classes=3 --format json", "counts w.pth", "identify w.pth"),
    *("identify w.pth --format json", "identify w.pth --expect w.pth", "identify w.pth --size 8"),
    *("check w.pth --max-params 2M", "compare w.pth network", "sweep w.pth --size 64,96"),
    *("explain w.pth", "fit w.pth --board rp2040", "memory w.pth --arena", "cliffs w.pth"),
    *("memory w.pth", "init w.pth", "identify w.pth --format toml", "identify w.pth --input 1x1"),
)

_READ_FOREIGN: Final = (
    *("summary f.x", "summary f.x --format json", "summary f.x:size=32 --format markdown"),
    *("counts f.x", "compare f.x network", "check f.x --max-params 2M", "init f.x", "cliffs f.x"),
    *("sweep f.x --width-mult 0.5,1", "memory f.x --size 32", "identify f.x --format toml"),
    *("explain f.x", "fit f.x --max-tflm 99KiB", "memory f.x --arena --format json"),
)

_REPORTED: Final = ("block", "network", "network:size=96")
_READ_REPORTS: Final = (
    "compare r.json network",
    "compare block r.json",
    "compare r.json r.json",
    "compare r.json network --format json",
    "compare r.json block --size 32",
    "compare r.json network --by stage --format markdown --all",
)


def condition(draw: st.DrawFn) -> Input:
    """Return a sweep whose condition has some changes."""
    text = pick(draw, (*GOOD["CONDITION"], *_CONDITIONS))
    for _ in range(pick(draw, CHANGES)):
        text = edited(draw, text)
    return Input(("sweep", "--in=8:32:8", "--where", passed(text)))


_CONDITIONS: Final = (
    "macs < 60M",
    "in == 8 or out in (1, 64) and not stride > 1",
    "(params + flash) / 3 - peak * 2 != 1.5e6 % 7",
    "1 <= size <= 224 and height == width",
    "params ** 2 ** 2 > 1e99",
    "peak // 3 < 9007199254740993",
)


def picture(draw: st.DrawFn) -> Input:
    """Return a command line that draws, with some changes."""
    words = [*pick(draw, _DRAW), "--size", pick(draw, ("32", "1", "64x8"))]
    for _ in range(pick(draw, CHANGES)):
        at = draw(st.integers(0, len(words) - 1))
        words[at] = edited(draw, words[at])
    files = {"m.toml": b'target = "network"\nsize = 96\n', "out.svg": b"", "x" * 251 + ".svg": b""}
    return Input(bounded(words, files), files)


_DRAW: Final = (
    *(["draw", "block", "--what", what, "--output", "out.svg"] for what in What),
    *(["draw", "network", "--what", what, "--output", "out.png"] for what in What),
    ["draw", "m.toml", "--output", "m.toml"],
    ["draw", "m.toml", "--output", "x" * 251 + ".svg"],
    ["memory", "network", "--arena", "--plot", "out.svg"],
    ["summary", "block", "--format", "html", "--output", "out.html"],
)


def forward_pass(draw: st.DrawFn) -> Input:
    """Return a command line with a forward pass of a tiny model, and with a change."""
    command = pick(draw, (["summary"], ["check", "--max-params", "2M"]))
    words = [*command, pick(draw, _TINY)]
    own = suiting(command[0], "block", "Run", "Output")
    for flag in some(draw, [one for one in own if one.name not in _HEAVY], 0, 3):
        words += [flag.name, value(draw, flag)]
    if draw(st.booleans()):
        words[-1:] = [edited(draw, words[-1])]
    return Input(tuple(map(passed, words)))


_TINY: Final = (
    "block:in=3,out=8,size=8",
    "block:in=4,out=4,expand=1,size=7x9,batch=2",
    "block:in=2,out=3,kernel=5,stride=2,dilation=2,act=gelu,size=1",
    "network:width_mult=0.1,size=32,classes=3",
    "network:stages=t1c8/t2c8n2s2,stem=8,head=0,classes=0,size=16",
)
_HEAVY: Final = ("--config", "--device")
"""Flags whose values decide how large a model is, or how long it takes to start."""


KINDS: Final[Mapping[str, tuple[Callable[[st.DrawFn], Input], int]]] = {
    "command lines": (command_line, 26),
    "targets": (target_text, 10),
    "models": (model_file, 8),
    "foreign files": (foreign_file, 5),
    "checkpoints": (checkpoint_file, 2),
    "spaces": (space, 10),
    "configurations": (configuration_file, 15),
    "locks": (locks, 10),
    "reports": (json_report, 10),
    "conditions": (condition, 2),
    "forward passes": (forward_pass, 1),
    "pictures": (picture, 1),
}
"""What is fuzzed, and its share of the inputs in percent."""


def _shards() -> Iterator[tuple[str, int, int]]:
    for kind, (_inputs, percent) in KINDS.items():
        wanted = INPUTS * percent // 100
        shards = max(1, -(-wanted // _SHARD))
        yield from ((kind, shard, -(-wanted // shards)) for shard in range(shards))


@pytest.mark.parametrize(("kind", "shard", "count"), tuple(_shards()))
def test_every_input_ends_well(
    kind: str, shard: int, count: int, record_property: Callable[[str, object], None]
) -> None:
    inputs, _percent = KINDS[kind]
    codes: Counter[int] = Counter()

    @seed(f"{SEED} {kind} {shard}")
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(st.composite(inputs)())
    def ends_well(one: Input) -> None:
        codes[assert_ends_well(one)] += 1

    with as_in_a_fresh_process():  # what mbv2 remembers of all inputs takes a gigabyte
        ends_well()
    record_property(kind, dict(codes))
