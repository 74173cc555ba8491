"""The help: short, with examples that work, and fitted to a terminal."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mbv2cli.cli.app import COMMANDS, GROUPS, imported
from mbv2cli.cli.help_page import ROOT_HELP, Help, help_page
from mbv2cli.guides import topic_names, topic_page
from mbv2cli.report.page import Page, fitted
from mbv2cli.specs import BlockSpec, NetworkSpec
from mbv2cli.specs.base import keys
from tests.process import mbv2_here
from tests.specs.weights.files import SMALL, safetensors_bytes

HELPS = {"": Help(ROOT_HELP), **{name: imported(name).about for name in COMMANDS}}
EXAMPLES = sorted({example for about in HELPS.values() for example in about.examples})


def page_of(name: str) -> Page:
    """Return the help of a command."""
    command: Any = imported(name)
    context = command.context_class(command, info_name=f"mbv2 {name}")
    context.help_option_names = ["-h", "--help"]
    return help_page(command, context, command.about, {})


def lines_of(name: str, width: int | None) -> list[str]:
    return ["".join(piece.text for piece in line) for line in fitted(page_of(name), width)]


@pytest.mark.parametrize("name", HELPS)
def test_a_help_starts_with_a_sentence_and_examples(name: str) -> None:
    result = mbv2_here(*name.split(), "-h")
    assert (result.code, result.stderr) == (0, "")
    does, usage, examples = result.stdout.split("\n\n")[:3]
    assert re.fullmatch(r"[A-Z][^\[\]<>]*\.", does)
    assert usage.startswith(f"Usage: mbv2 {name or 'COMMAND'}")
    assert examples.startswith("Examples:\n  mbv2 ")
    assert len(does) <= 160
    for noise in ("<bool>", "<str>", "TEXT", "[bold]", "[dim]", "│"):
        assert noise not in result.stdout
    guide = f"\n{topic_page(name)}" if name in topic_names() else ""
    assert mbv2_here("help", *name.split()) == (0, result.stdout + guide, "")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository with the files that the examples read."""
    folder = tmp_path_factory.mktemp("examples")
    (folder / "mbv2.toml").write_text('[case.edge]\ntarget = "network"\n[case.stem]\n')
    (folder / "space.toml").write_text('target = "network"\nwidth_mult = [0.35, 0.5]\n')
    (folder / "weights.pth").write_bytes(safetensors_bytes(SMALL))
    (folder / "my_model.py").write_text("from mbv2cli import MobileNetV2 as Net\n")
    assert mbv2_here("lock", cwd=folder).code == 0
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    for words in (("init", "-b", "main"), ("add", "."), ("commit", "-m", "lock")):
        subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)  # noqa: S607
    return folder


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_works_when_pasted(example: str, repository: Path, tmp_path: Path) -> None:
    program, *words = shlex.split(example.partition(" && ")[0])
    assert program == "mbv2"
    result = mbv2_here(*words, cwd=tmp_path if words[0] == "init" else repository)
    assert (result.code, result.stderr) == (0, ""), result


@pytest.mark.parametrize("width", [60, 80, 200])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_help_fits_a_terminal(name: str, width: int) -> None:
    lines = lines_of(name, width)
    assert max(map(len, lines)) <= width
    assert {f"  {example}" for example in HELPS[name].examples} <= set(lines)
    labels = [line for line in lines if re.match(r"  -", line)]
    options: list[Any] = [one for one in imported(name).params if not getattr(one, "hidden", False)]
    flags = [flag for one in options for flag in one.opts if flag.startswith("--")]
    for flag in flags:
        assert any(re.search(rf"{flag}(,| |$)", label) for label in labels), flag
    if "Arguments:" in lines:
        assert re.match(r"  [A-Z][A-Z |…-]*  \S+ \S+", lines[lines.index("Arguments:") + 1])


@pytest.mark.parametrize("name", ["summary", "counts", "memory", "check", "sweep"])
def test_ten_flags_come_first(name: str) -> None:
    lines = lines_of(name, 80)
    first = lines[lines.index("Options:") + 1 :]
    first = first[: first.index("")]
    flags = [line for line in first if line.startswith("  -")]
    assert len(flags) == 11  # ten, and --help
    assert flags[-1].split()[:2] == ["-h,", "--help"]
    assert [line for line in lines if line.startswith("More options (")]


def test_the_help_of_summary_is_short() -> None:
    assert len(lines_of("summary", 80)) <= 90


@pytest.mark.parametrize("name", ["summary", "explain", "check"])
def test_the_help_names_every_flag_of_a_field(name: str) -> None:
    text = " ".join(lines_of(name, 80))
    options = {flag for one in imported(name).params for flag in one.opts}
    named = re.search(r"Further fields \(mbv2 help fields\): (.*)", text)
    assert named
    every = {*keys(BlockSpec), *keys(NetworkSpec)}
    flags = {f"--{key.replace('_', '-')}" for key in every} & options
    words = f"{text.replace(',', '')} "
    assert {flag for flag in flags if f"{flag} " not in words} == set()


def test_the_first_flags_are_flags() -> None:
    for name, about in HELPS.items():
        if name:
            flags = {flag for one in imported(name).params for flag in (*one.opts, *_off(one))}
            assert set(about.first) <= flags


def _off(parameter: Any) -> list[str]:
    return list(parameter.secondary_opts)


def test_commands_are_grouped_by_what_people_do() -> None:
    shown = mbv2_here("-h").stdout
    order = ["Inspect:", "summary ", "counts ", "memory ", "Choose:", "presets ", "cliffs "]
    order += ["sweep ", "Gate:", "check ", "lock ", "compare "]
    listed = shown[shown.index("Inspect:") :]
    places = [listed.index(word if word.endswith(":") else f"\n  {word}") for word in order]
    assert places == sorted(places)
    assert list(GROUPS)[:3] == ["Inspect", "Choose", "Gate"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("check", ("--max-peak BYTES", "such as 512KiB", "--peak-rule NAME", "default: layerwise")),
        ("check", ("--dtype NAME", "[default: float32]", "--expect SHAPE", "--max-params N")),
        ("cliffs", ("--peak-rule NAME", "[default: layerwise]", "--dtype NAME", "float32]")),
        ("presets", ("--max-peak BYTES", "[default: layerwise]", "--dtype NAME", "float32]")),
        ("sweep", ("--max-flash BYTES", "--sort [-]FIGURE", "[default: -macs]")),
        ("summary", ("--size HxW", "[default: 224x224]", "[default: forward]")),
    ],
)
def test_flags_have_units_and_defaults(line: str, words: tuple[str, ...]) -> None:
    shown = " ".join(mbv2_here(line, "-h").stdout.split())
    for one in words:
        assert one in shown
