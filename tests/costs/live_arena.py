"""What TensorFlow Lite Micro allocates for a module: converted, quantised to int8, and planned.

Runs in the environment of ``make arena``. ``python -m tests.costs.live_arena TARGET …`` prints the
arena of targets beside the figure tflm, and what Arm's Vela says. Without a target, it writes
``tests/reference/int8_graph.csv``: the operations and the arena of each of `EXAMPLES`.
"""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Final, NamedTuple

import torch
from torch import nn

from tests.reference_tables import REFERENCE

RESULTS: Final = sys.stderr
"""The tools write on standard output."""

BYTES: Final = {"INT8": 1, "FLOAT32": 4}
CALIBRATIONS: Final = 2
ARENA_SIZE: Final = 64 * 2**20
ALLOCATED: Final = re.compile(r"Arena allocation head (\d+) bytes.*?tail (\d+) bytes", re.DOTALL)


class Tensor(NamedTuple):
    """A tensor of the flatbuffer that the runtime must place: its number, shape and type."""

    number: int
    shape: tuple[int, ...]
    type: str

    @property
    def size(self) -> int:
        """The bytes of the tensor."""
        return prod(self.shape) * BYTES[self.type]


class LiveOp(NamedTuple):
    """An operation of the flatbuffer, and the tensors that are not constants."""

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


class Live(NamedTuple):
    """The operations of the flatbuffer, the bytes of the arena's head and tail, and the file."""

    ops: tuple[LiveOp, ...]
    head_bytes: int
    tail_bytes: int
    flatbuffer: bytes

    @property
    def counts(self) -> str:
        """How often each operation occurs, as the reference table has it."""
        counts = Counter(op.name for op in self.ops)
        return " ".join(f"{name}={counts[name]}" for name in sorted(counts))


def live_arena(module: nn.Module, input_shape: tuple[int, ...]) -> Live:
    """Return what TFLM allocates for ``module`` on an input of (batch, channels, height, width)."""
    flatbuffer = with_weights_inside(quantized(module, input_shape))
    return Live(operations(flatbuffer), *allocated(flatbuffer), flatbuffer)


def ops_text(ops: Iterable[tuple[str, int]]) -> str:
    """Return names of operations with the bytes that each writes, as the table has them."""
    return " ".join(f"{name}:{size}" for name, size in ops)


def quantized(module: nn.Module, input_shape: tuple[int, ...]) -> bytes:
    """Return the int8 flatbuffer that LiteRT's converter and quantizer make of ``module``.

    Two passes in train mode come first: with fresh statistics, TFLM refuses the scales. So it does
    if a ReLU cuts every feature of a linear layer to zero: no weight is negative there. No bias is
    zero, as in a trained network: the converter leaves a bias of zeros out.
    """
    import litert_torch
    from ai_edge_quantizer import quantizer, recipe

    for one in module.modules():
        if isinstance(one, nn.BatchNorm2d):
            one.momentum = 1
        elif isinstance(one, nn.Linear):
            one.weight.data.abs_()
            if one.bias is not None:
                one.bias.data.add_(0.01)
    batch, *sides = input_shape
    if any(isinstance(one, nn.BatchNorm2d) for one in module.modules()):
        module.train()
        for _ in range(2):
            module(torch.rand(max(batch, 4), *sides))
    module.eval()
    batch, channels, height, width = input_shape
    is_image = module(torch.rand(input_shape)).dim() == len(input_shape)
    outputs = [0] if is_image else None
    wrapped = litert_torch.to_channel_last_io(module, args=[0], outputs=outputs).eval()
    example = torch.rand(batch, height, width, channels)
    float_model = litert_torch.convert(wrapped, (example,))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "float.tflite"
        float_model.export(str(path))
        asked = quantizer.Quantizer(str(path), recipe.static_wi8_ai8())
        name = next(iter(inputs_of(path)))
        samples = [{name: torch.rand(example.shape).numpy()} for _ in range(CALIBRATIONS)]
        statistics = asked.calibrate({"serving_default": samples})
        return bytes(asked.quantize(statistics).quantized_model)


def inputs_of(path: Path) -> Sequence[str]:
    """Return the names of the inputs of the signature."""
    from ai_edge_litert.interpreter import Interpreter

    [signature] = Interpreter(str(path)).get_signature_list().values()
    names: Sequence[str] = signature["inputs"]
    return names


def with_weights_inside(flatbuffer: bytes) -> bytes:
    """Return the file with its buffers inside: TFLM would place those outside as activations."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(bytearray(flatbuffer), 0))
    for buffer in model.buffers:
        if buffer.offset > 1:
            buffer.data = list(flatbuffer[buffer.offset : buffer.offset + buffer.size])
            buffer.offset = buffer.size = 0
    builder = flatbuffers.Builder(len(flatbuffer))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def operations(flatbuffer: bytes) -> tuple[LiveOp, ...]:
    """Return the operations of a flatbuffer, in the order in which they run."""
    from ai_edge_litert import schema_py_generated as schema

    names = {
        number: name for name, number in vars(schema.BuiltinOperator).items() if name.isupper()
    }
    types = {number: name for name, number in vars(schema.TensorType).items() if name.isupper()}
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(bytearray(flatbuffer), 0))
    [graph] = model.subgraphs

    def tensors(numbers: Sequence[int]) -> tuple[Tensor, ...]:
        return tuple(
            Tensor(int(n), tuple(map(int, graph.tensors[n].shape)), types[graph.tensors[n].type])
            for n in numbers
            if n >= 0 and model.buffers[graph.tensors[n].buffer].data is None
        )

    codes = [
        names[max(code.builtinCode, code.deprecatedBuiltinCode)] for code in model.operatorCodes
    ]
    return tuple(
        LiveOp(codes[op.opcodeIndex], tensors(op.inputs), tensors(op.outputs))
        for op in graph.operators
    )


def allocated(flatbuffer: bytes) -> tuple[int, int]:
    """Return the bytes of the arena's head and tail, as TFLM's recording interpreter says."""
    from tflite_micro.python.tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(flatbuffer, arena_size=ARENA_SIZE)
    with standard_error() as lines:
        interpreter.print_allocations()
    found = ALLOCATED.search("".join(lines))
    assert found, lines
    return int(found[1]), int(found[2])


@contextmanager
def standard_error() -> Iterator[list[str]]:
    """Yield a list that has, afterwards, what the process wrote on standard error."""
    text: list[str] = []
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile("w+") as file:
        os.dup2(file.fileno(), 2)
        try:
            yield text
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            text.append(file.read())


def _write_table() -> None:
    from tests.costs.int8_modules import EXAMPLES

    with (REFERENCE / "int8_graph.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["module", "tflm_head_bytes", "ops"])
        for name, example in EXAMPLES.items():
            torch.manual_seed(0)
            try:
                live = live_arena(example.module(), example.input_shape)
            except RuntimeError as error:  # TFLM has no kernel for an operation
                table.writerow([name, "", str(error)])
                continue
            ops = ops_text((op.name, op.outputs[0].size) for op in live.ops)
            table.writerow([name, live.head_bytes, ops])


def _target_lines(targets: Sequence[str]) -> Iterator[str]:
    from mbv2cli import MobileNetV2, NetworkSpec
    from mbv2cli.costs.figures import TFLM
    from mbv2cli.inspection import plan_of
    from mbv2cli.nn.modules import block_module
    from mbv2cli.specs.reader import read_request

    yield "tflm      measured  difference  Vela's SRAM  its difference  target"
    for target in targets:
        request = read_request(target)
        spec, plan = request.spec, plan_of(request.spec, request.input)
        live = live_arena(
            MobileNetV2(spec) if isinstance(spec, NetworkSpec) else block_module(spec),
            plan.input_shape,
        )
        expected, vela = plan.figure(TFLM), vela_sram_bytes(live.flatbuffer)
        yield (
            f"{expected:<9} {live.head_bytes:<9} {expected - live.head_bytes:<11} "
            f"{vela:<12} {vela - expected:<15} {target}"
        )


def vela_sram_bytes(flatbuffer: bytes) -> int:
    """Return the SRAM that Vela plans for an Ethos-U55 with 128 MACs a cycle."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(flatbuffer)
        vela = Path(sys.executable).with_name("vela")
        options = ["--accelerator-config", "ethos-u55-128", "--output-dir", folder]
        subprocess.run([vela, *options, path], check=True, capture_output=True)
        (summary,) = Path(folder).glob("*_summary_*.csv")
        with summary.open(encoding="utf-8", newline="") as file:
            (row,) = csv.DictReader(file)
    return round(float(row["sram_memory_used"]) * 1024)


if __name__ == "__main__":
    if sys.argv[1:]:
        lines = list(_target_lines(sys.argv[1:]))
        print("\n".join(lines), file=RESULTS)
    else:
        _write_table()
