"""What the README and the guides show is what happens.

``python -m tests.test_guides`` writes the real output, the tables and the pictures into them.
"""

from __future__ import annotations

import inspect
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from types import UnionType
from typing import Any, Final, NamedTuple, get_args, get_origin

import pytest
import typer
import yaml
from markdown_it import MarkdownIt
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from rich.text import Text

import mbv2cli
from mbv2cli.cli import ExitCode
from mbv2cli.cli.app import app
from mbv2cli.cli.guide import laid_out
from mbv2cli.costs.conventions import MAC_CONVENTIONS, Convention
from mbv2cli.costs.figures import FIGURES
from mbv2cli.costs.memory import ELEMENT_BYTES, MEMORY_RULES
from mbv2cli.gate.limits import Expectations, Limits, limit_key
from mbv2cli.guides import topic_names, topic_page, topics
from mbv2cli.report.formats import FORMATS
from mbv2cli.report.summary.values import VALUES
from mbv2cli.specs import BlockSpec, InputSpec, NetworkSpec, Stage
from mbv2cli.specs.base import Spec, allowed_values, keys
from mbv2cli.specs.stage_text import LETTERS, RATIO, WORDS
from tests.picture import picture
from tests.process import ENVIRONMENT, mbv2, mbv2_here, mbv2_shown, python
from tests.test_schema import DOCUMENTS

ROOT: Final = Path(__file__).parent.parent
README: Final = ROOT / "README.md"
GUIDES: Final = ROOT / "mbv2cli" / "guides"
PAGES: Final = (README, *sorted(GUIDES.glob("*.md")))
PICTURES: Final = tuple(ROOT / ".github" / f"{name}.svg" for name in ("block", "memory", "sweep"))
"""The pictures that the commands of a block draw."""
TERMINAL: Final = ROOT / ".github" / "summary.svg"
README_BYTES: Final = 20_000
DRAWN: Final = ("summary", "--in", "3", "--out", "64", "--expand", "6")
"""The command in the README's picture of a terminal."""


class Fence(NamedTuple):
    """A block of code, and the page that it is on."""

    page: Path
    language: str
    text: str

    @property
    def name(self) -> str:
        return f"{self.page.stem}: {self.text.splitlines()[0]}"


@cache
def _fences() -> tuple[Fence, ...]:
    return tuple(
        Fence(page, token.info, token.content)
        for page in PAGES
        for token in MarkdownIt().parse(page.read_text("utf-8"))
        if token.type == "fence"
    )


def fences(language: str) -> list[Fence]:
    """Return the blocks of this language."""
    return [fence for fence in _fences() if fence.language == language]


def each(language: str) -> pytest.MarkDecorator:
    """Run a test for each block of this language."""
    return pytest.mark.parametrize("fence", fences(language), ids=lambda fence: fence.name)


# Blocks of code: each is run.


def shown_of(line: str, folder: Path) -> str:
    """Return what a user sees of a line. mbv2 runs here, and a shell runs what follows."""
    found = re.fullmatch(r"mbv2 ([^|;&<>$`]*)(?: \| (.*)|; (echo .*))?", line)
    if found is None:
        return shell(line, folder)
    words, filters, echo = found.groups()
    status, shown = mbv2_shown(*shlex.split(words), cwd=folder)
    if filters:
        return shell(filters, folder, shown)
    return shown + (shell(f"(exit {status}); {echo}", folder) if echo else "")


def shell(line: str, folder: Path, stdin: str = "") -> str:
    """Return what a user sees of a line: both streams, as a terminal would mix them."""
    bin_folder = str(Path(sys.executable).parent)
    done = subprocess.run(
        ["sh", "-c", line],  # noqa: S607  (the shell of the machine)
        cwd=folder,
        input=stdin,
        env={**ENVIRONMENT, "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        check=False,
    )
    return done.stdout


def files() -> list[Fence]:
    """Return the blocks that are files: the first line is a comment with the name."""
    modules = [fence for fence in fences("python") if re.match(r"# \w+\.py\n", fence.text)]
    return [*fences("toml"), *modules]


def transcript(fence: Fence, folder: Path) -> str:
    """Run the commands of a console block; return the block as it should be.

    The files of the same page are in the folder.
    """
    for file in files():
        if file.page == fence.page:
            (folder / file.text.splitlines()[0].removeprefix("# ")).write_text(file.text, "utf-8")
    lines: list[str] = []
    for line in fence.text.splitlines():
        if line.startswith("$ "):
            shown = shown_of(line.removeprefix("$ "), folder).splitlines()
            lines += [line, *(output.rstrip() for output in shown)]
    return "\n".join(lines) + "\n"


@each("console")
def test_console_blocks_show_what_happens(fence: Fence, tmp_path: Path) -> None:
    assert transcript(fence, tmp_path) == fence.text
    for picture_ in pictures_of(fence) if has_release_of_the_pictures() else ():
        assert (tmp_path / picture_.name).read_bytes() == picture_.read_bytes()


def has_release_of_the_pictures() -> bool:
    """Return whether matplotlib is the release that drew the pictures: others differ."""
    return f'"matplotlib=={version("matplotlib")}"' in (ROOT / "pyproject.toml").read_text("utf-8")


def pictures_of(fence: Fence) -> list[Path]:
    """Return the pictures of the repository that the commands of a block draw."""
    return [one for one in PICTURES if re.search(rf"^\$ .* {one.name}\b", fence.text, re.MULTILINE)]


def test_each_picture_is_drawn_by_one_block() -> None:
    assert sorted(one for fence in fences("console") for one in pictures_of(fence)) == [*PICTURES]


def test_the_picture_of_the_terminal_shows_what_happens() -> None:
    assert TERMINAL.read_text("utf-8") == terminal_picture()


def terminal_picture() -> str:
    """Return the picture of a terminal in which a command of the README ran."""
    shown = mbv2(*DRAWN, FORCE_COLOR="1", TERM="xterm-256color").stdout
    return picture(f"mbv2 {' '.join(DRAWN)}", shown)


def test_python_blocks_run() -> None:
    shown, *silent = (fence for fence in fences("python") if fence not in files())
    (expected,) = fences("text")
    assert python("-c", shown.text) == (0, expected.text, "")
    each_alone = f"for text in {[fence.text for fence in silent]!r}: exec(text, {{}})"
    assert python("-c", each_alone) == (0, "", "")


def test_recipes_run(tmp_path: Path) -> None:
    if shutil.which("jq") is None:
        pytest.skip("no jq here")
    (recipes,) = (fence for fence in fences("sh") if "jq" in fence.text)
    result = shell(f"set -e\n{recipes.text}\necho done", tmp_path)
    assert re.fullmatch(r"fits\n(\d+\tfeatures\S+\n){5}done\n", result), result
    assert "| Total params | 3,504,872 |" in (tmp_path / "summary.md").read_text("utf-8")


def test_the_readme_starts_with_the_commands_that_set_everything_up() -> None:
    first = fences("sh")[0]
    assert first.page == README
    commands = [line.partition("#")[0].strip() for line in first.text.splitlines()]
    assert commands == ["make demo", "make test"]


@each("yaml")
def test_yaml_blocks_are_files_that_parse(fence: Fence) -> None:
    assert re.match(r"# \S+\.ya?ml\n", fence.text)
    assert yaml.safe_load(fence.text)


def test_actions_that_workflows_use_are_there() -> None:
    used = re.findall(r"uses: \./tools/mbv2/(\S+)", "".join(f.text for f in fences("yaml")))
    assert used
    assert all((ROOT / path / "action.yml").is_file() for path in used)


# Tables: each is made of the code, between marks.


def table(titles: str, rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table with these titles, which are separated by commas."""
    names = titles.split(", ")
    lines = [names, ["---"] * len(names), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines)


def code(*names: str) -> str:
    """Return names in the type of code."""
    return ", ".join(f"`{name}`" for name in names)


def guide_table() -> str:
    """Return a link to each guide."""
    links = (
        (f"[`{topic}`](mbv2cli/guides/{topic}.md)", sentence)
        for topic, sentence in topics().items()
    )
    return table("guide, about", links)


def figure_table() -> str:
    """Return the figures of the registry."""
    return table(
        "figure, field, unit, limit, meaning",
        (
            (
                code(figure.name),
                code(figure.field),
                figure.unit.value,
                code(limit_key(figure)) if figure.better else "",
                f"{_capitalised(figure.description)}.",
            )
            for figure in FIGURES
        ),
    )


def value_list() -> str:
    """Return the fields of ``--print``."""
    return f"{code(*VALUES)}\n"


def rule_table() -> str:
    """Return the memory rules."""
    return table(
        "rule, what counts, source",
        ((code(rule.name), _capitalised(rule.counts), rule.source) for rule in MEMORY_RULES),
    )


def element_table() -> str:
    """Return the element types."""
    return table("element type, bytes", ((code(k), str(v)) for k, v in ELEMENT_BYTES.items()))


def convention_table() -> str:
    """Return the conventions of MACs."""
    return table(
        "convention, unit, reported by, what counts, note",
        (
            (code(one.key), one.unit, one.reported_by, _what_counts(one), one.quirk)
            for one in MAC_CONVENTIONS
        ),
    )


def _what_counts(convention: Convention) -> str:
    factor = f"{convention.factor} × " if convention.factor != 1 else ""
    additions = (addition.what for addition in convention.additions)
    return " + ".join((f"{factor}MACs of convolutions and linear layers", *additions))


def limit_table() -> str:
    """Return the keys of the limits of a case."""
    return table(
        "key, value, meaning",
        (
            (code(key), _sentence_part(allowed_values(field)), str(field.description))
            for key, field in keys(Expectations).items()
        ),
    )


def format_table() -> str:
    """Return the formats of each command."""
    return table(
        "command, formats", ((f"`mbv2 {c}`", code(*names)) for c, names in FORMATS.items())
    )


def name_table() -> str:
    """Return what each public name is."""
    return table(
        "name, what it is",
        ((code(name), _first_line(getattr(mbv2cli, name))) for name in mbv2cli.__all__),
    )


def _first_line(thing: object) -> str:
    return (inspect.getdoc(thing) or "").partition("\n\n")[0].replace("\n", " ").replace("``", "`")


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def _sentence_part(text: str) -> str:
    return text.replace("{", "`{").replace("}", "}`") if "{" in text else text


MODEL_FLAGS: Final = frozenset(
    f"--{key.replace('_', '-')}"
    for spec in (BlockSpec, NetworkSpec, InputSpec)
    for key in keys(spec)
)
LIMIT_FLAGS: Final = frozenset(f"--{key.replace('_', '-')}" for key in keys(Limits))


class Flag(NamedTuple):
    """A flag of a command, as its help shows it."""

    names: tuple[str, ...]
    metavar: str
    default: str
    meaning: str

    @property
    def row(self) -> tuple[str, ...]:
        """The cells of the flag in a table."""
        words = f" {self.metavar}" if self.metavar else ""
        names = ", ".join(f"`{name}{words}`" for name in self.names)
        return names, self.default, self.meaning


def command_names() -> list[str]:
    """Return the names of all commands."""
    group: Any = typer.main.get_command(app)
    return list(group.commands)


@cache
def flags_of(command: str) -> tuple[Flag, ...]:
    """Return the flags of a command."""
    group: Any = typer.main.get_command(app)
    with group.make_context("mbv2", [command], resilient_parsing=True) as context:
        _name, loaded, _rest = group.resolve_command(context, [command])
    options = (one for one in loaded.params if one.param_type_name == "option")
    return tuple(_flag(one) for one in options if not one.hidden and one.name != "help")


def _flag(option: Any) -> Flag:
    meaning, _, default = " ".join((option.help or "").split()).partition(" [default: ")
    default = default.removesuffix("]")
    if not default and option.show_default and option.default not in (None, False, True):
        default = str(option.default)
    names = sorted((*option.opts, *option.secondary_opts), key=lambda name: -len(name))
    return Flag(tuple(names), option.metavar or "", default, meaning)


def flag_table(flags: Iterable[Flag]) -> str:
    """Return flags with their defaults."""
    return table("flag, default, meaning", (flag.row for flag in flags))


def model_flags() -> str:
    """Return the flags that every command with a target has."""
    return flag_table(flag for flag in flags_of("summary") if flag.names[0] in MODEL_FLAGS)


def spec_table(spec: type[Spec]) -> str:
    """Return the fields of a spec with their values and defaults."""
    rows = (
        (code(key), allowed_values(field), _default_text(key, field), str(field.description))
        for key, field in keys(spec).items()
    )
    return table("key, values, default, meaning", rows)


def stage_table() -> str:
    """Return the fields of a stage with their letters and words."""
    letters = {key: [letter] for letter, key in LETTERS.items()}
    for word, (key, _value) in WORDS.items():
        letters.setdefault(key, []).append(f"_{word}")
    letters["se"] = [f"_{RATIO}0.25"]
    rows = (
        (
            code(key),
            code(*letters[key]),
            allowed_values(field),
            _default_text(key, field),
            str(field.description),
        )
        for key, field in keys(Stage).items()
    )
    return table("key, in text, values, default, meaning", rows)


def _default_text(key: str, field: FieldInfo) -> str:
    if key == "stages":
        return "the paper's"
    if field.is_required() or field.default is None or field.default is PydanticUndefined:
        return ""
    return str(field.default).lower() if isinstance(field.default, bool) else f"{field.default}"


def limit_flags() -> str:
    """Return the flags of limits."""
    return flag_table(flag for flag in flags_of("check") if flag.names[0] in LIMIT_FLAGS)


def own_flags() -> str:
    """Return the flags of each command that are neither of a model nor of limits."""
    shared = MODEL_FLAGS | LIMIT_FLAGS
    own = {
        command: [flag for flag in flags_of(command) if flag.names[0] not in shared]
        for command in command_names()
    }
    return "\n".join(
        f"## mbv2 {command}\n\n{flag_table(flags)}" for command, flags in own.items() if flags
    )


def field_tables() -> str:
    """Return the JSON fields of each document."""
    return "\n".join(
        f"## mbv2 {command}\n\n{table('field, meaning', field_rows(document, set()))}"
        for command, document in DOCUMENTS.items()
    )


def field_rows(
    model: type[BaseModel], shown: set[type[BaseModel]], prefix: str = ""
) -> Iterator[tuple[str, str]]:
    """Yield a row for each field, those of a part after its whole and only the first time."""
    for name, field in model.model_fields.items():
        yield code(f"{prefix}{name}"), str(field.description)
        for part in _parts(field.annotation):
            if part not in shown:
                shown.add(part)
                many = get_origin(field.annotation) is tuple
                yield from field_rows(part, shown, f"{prefix}{name}{'[]' if many else ''}.")


def _parts(annotation: Any) -> Iterator[type[BaseModel]]:
    if get_origin(annotation) in (UnionType, tuple):
        for inner in get_args(annotation):
            yield from _parts(inner)
    elif (
        isinstance(annotation, type)
        and issubclass(annotation, BaseModel)
        and not issubclass(annotation, Spec)  # the flags' own help tells these
    ):
        yield annotation


TABLES: Final[Mapping[str, Callable[[], str]]] = {
    "guides": guide_table,
    "figures": figure_table,
    "fields of --print": value_list,
    "memory rules": rule_table,
    "element types": element_table,
    "conventions": convention_table,
    "limits": limit_table,
    "formats": format_table,
    "names of the package": name_table,
    "flags of a model": model_flags,
    "flags of limits": limit_flags,
    "fields of a block": lambda: spec_table(BlockSpec),
    "fields of a stage": stage_table,
    "fields of a network": lambda: spec_table(NetworkSpec),
    "flags of each command": own_flags,
    "fields of each document": field_tables,
}
"""What stands between the marks of each name."""

MARKED: Final = re.compile(r"<!-- (.+?) -->\n\n(.*?)\n?<!-- end -->\n", re.DOTALL)


def marked_tables() -> dict[str, str]:
    """Return the tables of all pages, by name."""
    found = [MARKED.findall(page.read_text("utf-8")) for page in PAGES]
    return {name: text for tables in found for name, text in tables}


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_those_of_the_code(name: str) -> None:
    assert marked_tables()[name] == TABLES[name](), "run: python -m tests.test_guides"


def test_every_flag_of_a_command_is_in_a_table() -> None:
    text = (GUIDES / "flags.md").read_text("utf-8")
    for command in command_names():
        for flag in flags_of(command):
            assert all(f"`{name}" in text for name in flag.names), (command, flag.names)


def test_every_exit_code_is_explained() -> None:
    text = (GUIDES / "exit-codes.md").read_text("utf-8")
    assert re.findall(r"^\| (\d+) \|", text, re.MULTILINE) == [str(int(one)) for one in ExitCode]


# Pages.


def test_the_readme_is_short() -> None:
    assert README.stat().st_size <= README_BYTES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8"))
    own = [link for link in links if not link.startswith("https://")]
    assert [link for link in own if not (page.parent / link).is_file()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pages_install_from_this_repository_and_name_no_path_of_a_machine(page: Path) -> None:
    assert (
        re.findall(r"pip install (?:'?mbv2)\b|/home/|/tmp/|/Users/", page.read_text("utf-8")) == []
    )


@pytest.mark.parametrize("topic", topic_names())
def test_help_shows_each_guide(topic: str) -> None:
    code_, shown, errors = mbv2_here("help", topic)
    assert (code_, errors) == (0, "")
    assert topic_page(topic) in shown
    assert "<!--" not in shown


def test_help_lists_each_guide_with_its_first_sentence() -> None:
    shown = " ".join(mbv2_here("help").stdout.split())
    assert "Guides (mbv2 help TOPIC):" in shown
    for topic, sentence in topics().items():
        assert f"{topic} {sentence}" in shown
        assert re.fullmatch(r"[^`]+\.", sentence)


def test_help_about_another_word_names_the_nearest_guide() -> None:
    code_, shown, errors = mbv2_here("help", "memori")
    assert (code_, shown) == (ExitCode.WRONG_USAGE, "")
    assert errors.startswith("mbv2: there is no help about 'memori'; did you mean 'memory'? (the ")


def test_help_shows_a_command_and_the_guide_of_the_same_name() -> None:
    shown = mbv2_here("help", "memory").stdout
    assert shown == f"{mbv2_here('memory', '--help').stdout}\n{topic_page('memory')}"


def test_help_lays_out_a_guide_at_a_terminal() -> None:
    shown = mbv2_here("help", "exit-codes", FORCE_COLOR="1", COLUMNS="80").stdout
    assert "\x1b[" in shown
    assert "| code |" not in shown
    assert "A check failed" in shown


@pytest.mark.parametrize("width", [40, 60, 80, 100])
@pytest.mark.parametrize("topic", topic_names())
def test_a_guide_at_a_terminal_fits_and_cuts_no_word(topic: str, width: int) -> None:
    lines = Text.from_ansi(laid_out(topic_page(topic), width)).plain.split("\n")
    assert max(len(line.rstrip()) for line in lines) <= width
    shown = " ".join(" ".join(lines).split())
    words = {word for word in table_words(topic_page(topic)) if len(word) < width - len("field: ")}
    assert {word for word in words if word not in shown} == set()
    for number in re.findall(r"(?<![\w.,])\d[\d,.]*\d (?:KiB|MiB|ms|MB)\b", topic_page(topic)):
        assert number in shown


def table_words(markdown: str) -> set[str]:
    """Return the words in the cells of all tables."""
    tokens = MarkdownIt().enable("table").parse(markdown)
    cells = (cell for opening, cell in pairwise(tokens) if opening.type in ("th_open", "td_open"))
    return {
        word
        for cell in cells
        for word in "".join(one.content for one in cell.children or ()).split()
    }


def write() -> None:
    """Put the real output, the tables and the pictures into the pages."""
    for page in PAGES:
        text = page.read_text("utf-8")
        text = MARKED.sub(lambda mark: _with_table(mark[1]), text)
        for fence in fences("console"):
            if fence.page == page:
                with tempfile.TemporaryDirectory() as folder:
                    shown = transcript(fence, Path(folder))
                    for picture_ in pictures_of(fence):
                        shutil.copy(Path(folder) / picture_.name, picture_)
                text = text.replace(f"```console\n{fence.text}```", f"```console\n{shown}```")
        page.write_text(text, "utf-8")
    (shown_text,) = fences("text")
    page = shown_text.page
    code = next(fence.text for fence in fences("python") if fence.page == page)
    printed = python("-c", code).stdout
    text = page.read_text("utf-8").replace(
        f"```text\n{shown_text.text}```", f"```text\n{printed}```"
    )
    page.write_text(text, "utf-8")
    TERMINAL.write_text(terminal_picture(), "utf-8")


def _with_table(name: str) -> str:
    return f"<!-- {name} -->\n\n{TABLES[name]()}\n<!-- end -->\n"


if __name__ == "__main__":
    write()
