"""What a process of `mbv2 compare --git` runs: a module among the files of another revision.

The process ends with the one that started it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from shutil import rmtree
from threading import Thread
from types import ModuleType
from typing import IO, Any, Final

_PACKAGES: Final = frozenset({"site-packages", "dist-packages"})


def answer() -> None:
    """Read a task from standard input, as JSON; write the observed graph, or the error.

    What the module prints goes to standard error. Standard input stays open as long as the
    process that waits for the answer lives.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever sends it means that process
    stdout = os.dup(1)
    os.dup2(2, 1)
    task = json.loads(sys.stdin.buffer.readline())
    Thread(target=_end_with, args=(sys.stdin.buffer, task["tree"]), daemon=True).start()
    with open(stdout, "wb") as out:  # noqa: PTH123  (a descriptor)
        out.write(json.dumps(_answer(task)).encode())
    os._exit(0)  # whatever threads the module has left


def _end_with(stream: IO[bytes], tree: str) -> None:
    """End this process, whatever it does, when the other end is closed; remove its files."""
    stream.read()
    rmtree(tree, ignore_errors=True)
    os._exit(0)


def _answer(task: Mapping[str, Any]) -> dict[str, Any]:
    from mbv2cli.errors import UserError
    from mbv2cli.graph.record import record_of
    from mbv2cli.nn.own import run_module
    from mbv2cli.specs.module import ModuleRequest, module_source, read_input
    from mbv2cli.specs.run import RunSpec

    source = module_source(task["target"])
    if source is None:
        return {"error": f"{task['target']} is not a module"}
    folder = Path(task["folder"])
    source = replace(source, origin=task["origin"], folder=folder)
    root, before = Path(task["root"]), set(sys.modules)
    sys.path[:] = [_moved(entry, root, Path(task["tree"])) for entry in sys.path]
    try:
        ran = run_module(ModuleRequest(source, tuple(map(read_input, task["inputs"]))), RunSpec())
    except UserError as error:
        return {"error": str(error)}
    except Exception as error:  # noqa: BLE001  (no traceback ever reaches a user)
        return {"error": f"a bug in mbv2, please report it: {type(error).__name__}: {error}"}
    for name in set(sys.modules) - before:
        if file := _file_in(root, name, sys.modules[name]):
            return {
                "error": f"{task['target']} imports {name} from {file}, not from the revision: the "
                "package is installed in editable mode; name its file, such as my_model.py:Net"
            }
    return {"graph": record_of(ran.graph), "doubt": ran.doubt}


def _moved(entry: str, root: Path, tree: Path) -> str:
    """Return an entry of the path: a folder of the repository in its place in the tree."""
    path = Path(entry).absolute()
    return str(tree / path.relative_to(root)) if _is_own(root, path) else str(path)


def _file_in(root: Path, name: str, module: ModuleType) -> str:
    """Return the file of a module that the repository itself has, or ""."""
    file = getattr(module, "__file__", None)
    if not isinstance(file, str) or name.partition(".")[0] == "mbv2cli":
        return ""
    return file if _is_own(root, Path(os.path.realpath(file))) else ""


def _is_own(root: Path, path: Path) -> bool:
    """Return whether a path is in the repository, and not of packages that are installed there."""
    return (
        path.is_relative_to(root)
        and not path.is_relative_to(sys.prefix)
        and _PACKAGES.isdisjoint(path.parts)
    )
