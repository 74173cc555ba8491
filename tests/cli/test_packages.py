"""Packages that are missing, broken, hidden by another file, or of another version."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mbv2cli.cli.packages import _keeps, _numbers
from tests.process import Result, main_with, mbv2

SEARCH = ("sweep", "--in", "4", "--out", "8", "--expand", "2")


def fake(folder: Path, name: str, code: str, version: str | None = None) -> None:
    """Write a package into ``folder``: only a file or, with ``version``, as pip installs it."""
    (folder / f"{name}.py").write_text(code)
    if version is not None:
        metadata = folder / f"{name}-{version}.dist-info" / "METADATA"
        metadata.parent.mkdir()
        metadata.write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def mbv2_with(folder: Path, *arguments: str, cwd: Path | None = None) -> Result:
    """Run mbv2 where the packages of ``folder`` are found first."""
    paths = (str(folder), *filter(None, (os.environ.get("PYTHONPATH"),)))
    return mbv2(*arguments, cwd=cwd, PYTHONPATH=os.pathsep.join(paths))


@pytest.mark.parametrize(
    ("name", "arguments", "install"),
    [
        ("torch", ("summary",), "'torch>="),
        ("torch", ("check", "--max-params", "2k"), "'torch>="),
        ("torch", (*SEARCH, "--verify", "1"), "'torch>="),
        ("torchsummary", ("summary",), "'torchsummary==1.5.1'"),
        ("numpy", ("summary",), "'numpy>="),
        ("numpy", SEARCH, "'numpy>="),
        ("psutil", ("summary",), "'psutil>="),
        ("tomli_w", ("lock",), "'tomli-w>="),
        ("matplotlib", (*SEARCH, "--plot", "a.svg"), "'matplotlib>="),
        ("pyarrow", (*SEARCH, "--output", "a.parquet"), "'pyarrow>="),
        ("distributed", (*SEARCH, "--scheduler", "tcp://127.0.0.1:1"), "'distributed>="),
        ("typer", ("presets",), "'typer<"),
        ("pydantic", ("presets",), "'pydantic>="),
    ],
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    name: str, arguments: tuple[str, ...], install: str, tmp_path: Path
) -> None:
    (tmp_path / "mbv2.toml").write_text("forward = false\n[case.edge]\n")
    result = main_with(f"import os; os.chdir({str(tmp_path)!r}); sys.modules[{name!r}] = None",
                       *arguments)  # fmt: skip
    assert (result.code, result.stdout) == (2, "")
    package = name.replace("_", "-")
    start = f"mbv2: {package} is not installed; install it with: pip install {install}"
    assert result.stderr.startswith(start)
    assert result.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["mbv2.toml"]


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("raise ImportError('no good\\n\\nsee above')", "ImportError: no good"),
        ("raise OSError('libx.so: cannot open')", "OSError: libx.so: cannot open"),
        ("import os; os.nothing", "AttributeError: module 'os' has no attribute 'nothing'"),
        ("raise RuntimeError", "RuntimeError"),
        ("def (:", "SyntaxError: invalid syntax ("),
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise SystemExit(1)", "SystemExit: 1"),
        ("from torch import nn", "ImportError: cannot import name 'nn' from partially"),
        ("", "ImportError: cannot import name 'Tensor' from 'torch'"),
        ("Tensor = nn = 0", "ModuleNotFoundError: No module named 'torch.nn'"),
    ],
)
def test_a_broken_package_is_named_with_the_cause(code: str, cause: str, tmp_path: Path) -> None:
    fake(tmp_path, "torch", code, version="2.9")
    result = mbv2_with(tmp_path, "summary")
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"mbv2: torch cannot be imported: {cause}")
    assert "; install it again with: pip install --force-reinstall 'torch>=" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_package_of_another_version_is_named_with_both_versions(tmp_path: Path) -> None:
    fake(tmp_path, "torchsummary", "", version="1.4")
    result = mbv2_with(tmp_path, "summary")
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr == (
        "mbv2: torchsummary 1.4 is installed, and mbv2 needs ==1.5.1; install it with: "
        "pip install 'torchsummary==1.5.1'\n"
    )


@pytest.mark.parametrize(("name", "code"), [("torch", ""), ("torch", "import torch.nn")])
def test_a_file_of_the_user_that_hides_a_package_is_named(
    name: str, code: str, tmp_path: Path
) -> None:
    fake(tmp_path, name, code)
    result = mbv2("summary", cwd=tmp_path)
    assert (result.code, result.stdout) == (2, "")
    file = tmp_path / f"{name}.py"
    assert result.stderr.startswith(f"mbv2: {file} is imported in place of the package {name} (")
    assert f"; rename {file}" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        *(("--help",), ("summary", "--no-forward"), ("counts", "network"), ("memory", "network")),
        *(("check", "--max-params", "2k", "--no-forward"), ("compare", "network", "keras_100")),
        *(("identify",), ("explain",), ("boards", "rp2040"), ("explain", "network")),
        ("compare", "block", "network", "--format", "html", "--output", os.devnull),
        ("fit", "--board", "rp2040", "--size", "32", "--width-mult", "0.35"),
    ],
)
def test_what_needs_no_package_goes_on_without_it(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    heavy = ("torch", "torchsummary", "numpy", "psutil", "tomli_w", "rich", "matplotlib")
    for name in heavy:
        fake(tmp_path, name, "raise OSError('broken')")
    result = mbv2_with(tmp_path, *arguments)
    assert (result.code, result.stderr) == (0, "")


def test_a_sweep_goes_on_without_what_it_does_not_need(tmp_path: Path) -> None:
    for name in ("torch", "torchsummary", "psutil", "tomli_w", "rich", "pyarrow"):
        fake(tmp_path, name, "raise OSError('broken')")
    result = mbv2_with(tmp_path, *SEARCH)
    assert (result.code, result.stderr) == (0, "")


def test_versions_are_compared_as_numbers() -> None:
    assert _keeps(_numbers("2.10.1+cpu"), ">=", _numbers("2.9"))
    assert _keeps(_numbers("1.5.1.0"), "==", _numbers("1.5.1"))
    assert not _keeps(_numbers("0.30.0rc1"), "<", _numbers("0.30"))
