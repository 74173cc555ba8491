"""Every format gives the names and shapes that its own library gives."""

from __future__ import annotations

import pickle
import sys
import zlib
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import nn

from mbv2cli.errors import UserError
from mbv2cli.specs.weights.content import of_bytes
from mbv2cli.specs.weights.onnx import read_onnx
from mbv2cli.specs.weights.read import read_weights
from mbv2cli.specs.weights.tensors import Tensor
from tests.specs.weights.files import (
    SMALL,
    onnx_bytes,
    safetensors_bytes,
    small_files,
    zip_bytes,
)


class Nested(nn.Module):
    """A module with a module, a parameter, a buffer and an integer of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
        self.scale = nn.Parameter(torch.ones(2, 2, dtype=torch.float16))
        self.register_buffer("table", torch.zeros(3, dtype=torch.int64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the result of the inner modules."""
        result: torch.Tensor = self.inner(x)
        return result


def named(value: Mapping[str, torch.Tensor], prefix: str = "") -> set[Tensor]:
    return {
        Tensor(f"{prefix}{name}", tuple(one.shape), str(one.dtype).removeprefix("torch."))
        for name, one in value.items()
    }


def read(path: Path) -> set[Tensor]:
    return set(read_weights(path).tensors)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_torch_save_of_a_state_dict(zipped: bool, protocol: int, tmp_path: Path) -> None:  # noqa: FBT001
    state = Nested().state_dict()
    content = {"epoch": 3, "state_dict": state, "lr": [0.1], "best": 1e-3, "note": None}
    path = tmp_path / "weights.pth"
    torch.save(content, path, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    assert read(path) == named(state, "state_dict.")


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_arrays_of_numpy(protocol: int, tmp_path: Path) -> None:
    state = Nested().state_dict()
    arrays = {name: one.numpy() for name, one in state.items()}
    (tmp_path / "arrays.pkl").write_bytes(pickle.dumps({"model": arrays}, protocol))
    assert read(tmp_path / "arrays.pkl") == named(state, "model.")


@pytest.mark.parametrize("zipped", [True, False])
def test_torch_save_of_a_module(zipped: bool, tmp_path: Path) -> None:  # noqa: FBT001
    module, path = Nested(), tmp_path / "module.pt"
    torch.save(module, path, _use_new_zipfile_serialization=zipped)
    assert read(path) == named(module.state_dict())


def test_the_state_of_an_optimizer_has_no_names(tmp_path: Path) -> None:
    module, path = Nested(), tmp_path / "weights.pth"
    state = {number: {"momentum_buffer": one} for number, one in enumerate(module.parameters())}
    optimizer = {"state": state, "param_groups": [{"lr": 0.1, "params": [*state]}]}
    torch.save({"model": module.state_dict(), "optimizer": optimizer}, path)
    assert read(path) == named(module.state_dict(), "model.")


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="TorchScript does not support it")
@pytest.mark.filterwarnings("ignore")
def test_torch_script(tmp_path: Path) -> None:
    module, path = Nested(), tmp_path / "script.pt"
    torch.jit.save(torch.jit.script(module), path)
    assert read(path) == named(module.state_dict())
    assert read_weights(path).format == "TorchScript archive"


def test_tensors_without_data(tmp_path: Path) -> None:
    with torch.device("meta"):
        state = Nested().state_dict()
    torch.save(state, tmp_path / "meta.pth")
    assert read(tmp_path / "meta.pth") == named(state)


def test_hdf5(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="h5py is not installed")
    path = tmp_path / "weights.h5"
    names = [f"group_{number}/inner/kernel:0" for number in range(200)]
    with h5py.File(path, "w") as file:
        for number, name in enumerate(names):
            file.create_dataset(name, (number, 2), "f2" if number % 2 else "i8")
        file.create_dataset("text", data=["a", "b"])
        file.attrs["layer_names"] = [name.encode() for name in names]
    assert read(path) == {
        Tensor(name, (number, 2), "float16" if number % 2 else "int64")
        for number, name in enumerate(names)
    }


def test_hdf5_of_a_newer_layout_is_one_sentence(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="h5py is not installed")
    path = tmp_path / "weights.h5"
    with h5py.File(path, "w", libver="latest") as file:
        file.create_dataset("kernel", (3, 2), "f4")
    with pytest.raises(UserError, match="save the weights again with h5py's libver='earliest'"):
        read_weights(path)


def test_an_archive_of_keras(tmp_path: Path) -> None:
    files = small_files()
    if "hdf5" not in files:
        pytest.skip("h5py is not installed")
    path = tmp_path / "model.keras"
    path.write_bytes(zip_bytes({"config.json": b"{}", "model.weights.h5": files["hdf5"]}))
    own = tmp_path / "weights.h5"
    own.write_bytes(files["hdf5"])
    assert read_weights(path).tensors == read_weights(own).tensors
    assert read_weights(path).format == "Keras archive"


def test_a_member_that_is_compressed(tmp_path: Path) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    pickle = (
        b"\x80\x02}X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n("
        b"(X\x07\x00\x00\x00storagectorch\nHalfStorage\ntQK\x00K\x05\x85tRs."
    )
    packed = packer.compress(pickle) + packer.flush()
    path = tmp_path / "weights.pth"
    path.write_bytes(zip_bytes({"m/data.pkl": packed}, method=8))
    assert read(path) == {Tensor("w", (5,), "float16")}


@pytest.mark.parametrize(
    ("nodes", "transposes", "shape"),
    [
        ([("Gemm", ["x", "a"])], True, (10, 16)),
        ([("Gemm", ["x", "a"])], False, (16, 10)),
        ([("MatMul", ["x", "a"])], True, (16, 10)),
        ([("MatMul", ["a", "x"])], True, (10, 16)),
        ([("Transpose", ["a"]), ("MatMul", ["x", "y"])], True, (10, 16)),
        ([("DequantizeLinear", ["a"]), ("MatMul", ["x", "y"])], True, (16, 10)),
        ([("Cast", ["a"]), ("Transpose", ["y"]), ("Gemm", ["x", "y"])], True, (16, 10)),
    ],
)
def test_onnx_says_which_way_round_a_kernel_is(
    nodes: list[tuple[str, list[str]]],
    transposes: bool,  # noqa: FBT001
    shape: tuple[int, int],
) -> None:
    content = of_bytes(onnx_bytes({"a": (10, 16)}, nodes, transposes=transposes))
    assert [one.shape for one in read_onnx(content).tensors] == [shape]


def test_onnx_has_the_bias_of_a_linear_layer_in_an_addition() -> None:
    nodes = [("MatMul", ["x", "a"]), ("Add", ["y", "b"])]
    kernel, bias = read_onnx(of_bytes(onnx_bytes({"a": (10, 16), "b": (16,)}, nodes))).tensors
    assert kernel.operation == bias.operation == 0


def test_onnx_in_the_order_of_its_nodes(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    shapes = {"b": (4, 3, 1, 1), "unused": (2,), "a": (8, 4)}
    path.write_bytes(onnx_bytes(shapes, [("Gemm", ["x", "a"]), ("Conv", ["x", "b"])]))
    weights = read_weights(path)
    assert [one.name for one in weights.tensors] == ["a", "b", "unused"]
    assert {one.name: one.shape for one in weights.tensors} == shapes
    assert dict(weights.operations) == {"Conv": 1, "Gemm": 1}


@pytest.mark.parametrize("kind", sorted(small_files()))
def test_the_same_network_in_every_format(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(small_files()[kind])
    sizes = sorted(sorted(one.shape) for one in read_weights(path).tensors)
    assert sizes == sorted(map(sorted, SMALL.values()))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (zip_bytes({"a.txt": b"a"}), "without data.pkl (PyTorch) and model.weights.h5 (Keras)"),
        (safetensors_bytes({"a": (9,)}, with_data=False), "it ends too early"),
        (safetensors_bytes({"a": (9,)})[:-40] + b"", "it ends too early"),
        (b"\x80\x02}", "it ends too early"),
        (b"\x80\x02\xff", "not a pickle that Python writes"),
        (onnx_bytes({}, []).replace(b"\x3a\x00", b"\x42\x00"), "it has no graph"),
    ],
)
def test_a_broken_file_is_one_sentence(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(content)
    with pytest.raises(UserError) as error:
        read_weights(path)
    assert str(error.value).startswith(f"{path} cannot be read: ")
    assert words in str(error.value)
