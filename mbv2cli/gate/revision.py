"""A module of the user's own at another revision of its repository."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from mbv2cli.errors import UserError
from mbv2cli.gate.comparison import Side
from mbv2cli.gate.git import commit_of, extract, root_of
from mbv2cli.graph.record import graph_of
from mbv2cli.inspection import Observed
from mbv2cli.specs.files import working_folder
from mbv2cli.specs.module import ModuleRequest

SECONDS_TO_END: Final = 5
"""How long a process may take to end after its answer."""

MAX_ANSWER: Final = 64 * 2**20
"""Most bytes of an observed graph."""


def side_at_revision(request: ModuleRequest, revision: str, tree: Path) -> Side:
    """Return a module as it was at a git revision.

    The files of the revision are written into the empty folder ``tree``, which takes the place of
    the root of the repository. The module runs there, in a process of its own: only the text of
    its graph comes back. Raises `UserError`.
    """
    name = f"{request.target} at {revision}"
    source = request.source
    working = working_folder()
    folder = Path(source.origin).parent if source.is_file else source.folder or working
    if not folder.is_dir():
        raise UserError(f"{request.target}: there is no folder {folder}")
    folder = Path(os.path.realpath(folder))
    root = Path(os.path.realpath(root_of(folder)))
    extract(commit_of(revision, root), root, tree)
    here = _in_tree(Path(os.path.realpath(working)), root, tree)
    origin = source.origin
    if source.is_file:
        file = tree / folder.relative_to(root) / Path(source.origin).name
        origin = os.path.relpath(file, here)
    task = {
        "target": request.target,
        "origin": origin,
        "folder": str(_in_tree(folder, root, tree)),
        "inputs": [one.text for one in request.inputs],
        "root": str(root),
        "tree": str(tree),
    }
    answer = _answer(task, here, name)
    try:
        return Side(name, Observed(graph_of(answer["graph"]), str(answer["doubt"])))
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{name}: its process gave no graph") from None


def _in_tree(folder: Path, root: Path, tree: Path) -> Path:
    """Return the place of a folder of the repository in the tree; the tree if it has none."""
    place = tree / folder.relative_to(root) if folder.is_relative_to(root) else tree
    return place if place.is_dir() else tree


def _answer(task: dict[str, Any], here: Path, name: str) -> dict[str, Any]:
    path = [os.path.abspath(entry) for entry in sys.path]  # noqa: PTH100  (links stay)
    code = (
        f"import sys; sys.path[:] = {path!r}; from mbv2cli.nn.own_process import answer; answer()"
    )
    try:
        process = subprocess.Popen(  # noqa: S603  (our own code)
            [sys.executable, "-c", code],
            cwd=here,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise UserError(f"{name}: a process cannot start: {error.strerror}") from None
    with process:
        try:
            text = _exchanged(process, json.dumps(task).encode() + b"\n")
        finally:
            process.kill()
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        raise UserError(
            f"{name}: its process ended with exit code {process.returncode}, without a graph"
        ) from None
    if not isinstance(answer, dict):
        raise UserError(f"{name}: its process gave no graph")
    if "error" in answer:
        raise UserError(f"{name}: {answer['error']}")
    return answer


def _exchanged(process: subprocess.Popen[bytes], task: bytes) -> bytes:
    """Return the answer to a task. The process ends when its standard input is closed."""
    if process.stdin is None or process.stdout is None:
        raise TypeError("a process without pipes")
    with suppress(OSError):  # a process that is dead gives no answer
        process.stdin.write(task)
        process.stdin.flush()
    text = process.stdout.read(MAX_ANSWER)
    with suppress(subprocess.TimeoutExpired):
        process.wait(SECONDS_TO_END)
    return text
