"""The process of `mbv2 compare --git`: files of a revision take the place of the repository."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from mbv2cli.graph.record import graph_of
from mbv2cli.nn.own_process import _answer, _moved

NET = "from torch import nn\nfrom lib_of_mine import WIDTH\nnet = nn.Conv2d(3, WIDTH, 1)\n"


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return a task whose repository has another library than its revision."""
    for name, width in (("root", 8), ("tree", 4)):
        (tmp_path / name / "src").mkdir(parents=True)
        (tmp_path / name / "net.py").write_text(NET)
        (tmp_path / name / "src" / "lib_of_mine.py").write_text(f"WIDTH = {width}\n")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path / "tree")
    monkeypatch.delitem(sys.modules, "lib_of_mine", raising=False)
    folders = {name: str(tmp_path / name) for name in ("root", "tree")}
    return {
        **folders,
        "target": "net.py:net",
        "origin": "net.py",
        "folder": folders["tree"],
        "inputs": ["1x3x8x8"],
    }


def test_a_folder_of_the_path_is_that_of_the_revision(task: dict[str, Any]) -> None:
    sys.path.insert(0, f"{task['root']}/src")
    answer = _answer(task)
    assert graph_of(answer["graph"]).output_shape == (1, 4, 8, 8)


def test_a_library_of_the_repository_itself_is_told(
    task: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "root" / "src")  # as an editable installation does
    monkeypatch.syspath_prepend(str(tmp_path / "link"))
    error = _answer(task)["error"]
    assert error.startswith("net.py:net imports lib_of_mine from ")
    del sys.modules["lib_of_mine"]


def test_a_module_that_fails_is_a_sentence(task: dict[str, Any]) -> None:
    assert _answer(task)["error"].startswith("net.py:net cannot be imported: ModuleNotFound")


def test_installed_packages_stay_where_they_are(tmp_path: Path) -> None:
    tree = Path("/tree")
    assert _moved(str(tmp_path), tmp_path, tree) == "/tree"
    assert _moved(str(tmp_path / "src"), tmp_path, tree) == "/tree/src"
    for other in (tmp_path / ".venv/lib/site-packages", Path(sys.prefix) / "lib", Path("/other")):
        assert _moved(str(other), tmp_path, tree) == str(other)
    assert _moved(f"{sys.prefix}/lib", Path(sys.prefix).parent, tree) == f"{sys.prefix}/lib"
