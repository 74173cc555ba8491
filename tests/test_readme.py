"""What the README shows is what happens.

``python -m tests.test_readme`` writes the real output into it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, Final, get_args, get_origin

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from pydantic import BaseModel

from mbv2cli.specs.base import Spec
from tests.process import ENVIRONMENT, python
from tests.test_schema import DOCUMENTS

README: Final = Path(__file__).parent.parent / "README.md"


PICTURE: Final = README.parent / ".github" / "sweep.svg"


def fences(language: str) -> list[str]:
    """Return the code blocks of this language."""
    return [token.content for token in _tokens() if token.info == language]


def _tokens() -> list[Token]:
    return [t for t in MarkdownIt().parse(README.read_text("utf-8")) if t.type == "fence"]


def shell(line: str, folder: Path) -> str:
    """Return what a user sees of a line: both streams, as a terminal would mix them."""
    bin_folder = str(Path(sys.executable).parent)
    done = subprocess.run(
        ["sh", "-c", line],  # noqa: S607  (the shell of the machine)
        cwd=folder,
        env={**ENVIRONMENT, "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        check=False,
    )
    return done.stdout


def transcript(fence: str, folder: Path) -> str:
    """Run the commands of a console block; return the block as it should be."""
    for toml in fences("toml"):
        name = toml.splitlines()[0].removeprefix("# ")
        (folder / name).write_text(toml, "utf-8")
    lines: list[str] = []
    for line in fence.splitlines():
        if line.startswith("$ "):
            shown = shell(line.removeprefix("$ "), folder).splitlines()
            lines += [line, *(output.rstrip() for output in shown)]
    return "\n".join(lines) + "\n"


def field_rows(
    model: type[BaseModel], shown: set[type[BaseModel]], prefix: str = ""
) -> Iterator[str]:
    """Yield a row for each field, those of a part after its whole and only the first time."""
    for name, field in model.model_fields.items():
        yield f"| `{prefix}{name}` | {field.description} |"
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


def field_table(document: type[BaseModel]) -> str:
    """Return the table of JSON fields."""
    return "\n".join(["| field | meaning |", "| --- | --- |", *field_rows(document, set())]) + "\n"


@pytest.mark.parametrize("fence", fences("console"), ids=lambda fence: fence.splitlines()[0])
def test_console_blocks_show_what_happens(fence: str, tmp_path: Path) -> None:
    assert transcript(fence, tmp_path) == fence
    if fence in drawings():
        assert (tmp_path / PICTURE.name).read_bytes() == PICTURE.read_bytes()


def drawings() -> list[str]:
    """Return the blocks that draw the README's picture."""
    return [fence for fence in fences("console") if f"--plot {PICTURE.name}" in fence]


def test_one_block_draws_the_picture() -> None:
    assert len(drawings()) == 1


def test_python_block_prints_what_the_text_block_shows() -> None:
    assert python("-c", fences("python")[0]) == (0, fences("text")[0], "")


@pytest.mark.parametrize("code", fences("python")[1:])
def test_other_python_blocks_run_silently(code: str) -> None:
    assert python("-c", code) == (0, "", "")


def test_recipes_run(tmp_path: Path) -> None:
    if shutil.which("jq") is None:
        pytest.skip("no jq here")
    recipes = next(fence for fence in fences("sh") if "jq" in fence)
    result = shell(f"set -e\n{recipes}\necho done", tmp_path)
    assert re.fullmatch(r"fits\n(\d+\tfeatures\S+\n){5}done\n", result), result
    assert "| Total params | 3,504,872 |" in (tmp_path / "summary.md").read_text("utf-8")


@pytest.mark.parametrize("command", DOCUMENTS)
def test_every_json_field_is_explained(command: str) -> None:
    assert field_table(DOCUMENTS[command]) in README.read_text("utf-8")


def write() -> None:
    """Put the real output into the README."""
    text = README.read_text("utf-8")
    with tempfile.TemporaryDirectory() as folder:
        for fence in fences("console"):
            text = text.replace(
                f"```console\n{fence}```", f"```console\n{transcript(fence, Path(folder))}```"
            )
        shutil.copy(Path(folder) / PICTURE.name, PICTURE)
    shown = python("-c", fences("python")[0]).stdout
    text = re.sub(r"```text\n.*?```", lambda _: f"```text\n{shown}```", text, flags=re.DOTALL)
    for command, document in DOCUMENTS.items():
        mark = f"<!-- fields of {command} -->\n\n"
        before, _, after = text.partition(mark)
        rest = re.sub(r"\A(\|.*\n)*", "", after)
        text = f"{before}{mark}{field_table(document)}{rest}"
    README.write_text(text, "utf-8")


if __name__ == "__main__":
    write()
