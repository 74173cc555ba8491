"""Whether the planned and the observed graph are equal, operation by operation.

The two routes share what the user said, never what the code concludes from it. They share the
spec's values (channels, stride, expand ratio, kernel, dilation, activation, dropout, classes) and,
of a network, the scaled widths, the repeats and the strides and dilations of its blocks
(`NetworkSpec.blocks`, ``stem_channels``, ``head_channels``). Each route concludes by itself:
hidden channels, whether there is an expansion or a shortcut, padding, shapes, parameters, buffers,
MACs, the order of the operations and the values that go in.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from math import prod
from typing import TYPE_CHECKING, Final, NamedTuple

from mbv2cli.costs.memory import EAGER
from mbv2cli.costs.torchsummary_sizes import torchsummary_sizes
from mbv2cli.errors import DisagreementError, UserError
from mbv2cli.graph.graph import Graph, Scope
from mbv2cli.graph.ops import Op
from mbv2cli.graph.rows import Layer, layers_of
from mbv2cli.inspection import Plan
from mbv2cli.specs.run import RunSpec

if TYPE_CHECKING:
    from mbv2cli.nn.forward import ForwardRun
    from mbv2cli.nn.needed_memory import Needed
    from mbv2cli.nn.torchsummary_table import TorchsummaryRow, TorchsummaryTable

WORTH_THREADS: Final = 20 * 10**9
"""MACs from which on a forward pass gains from more than one thread, whatever else runs."""

MOST_ELEMENTS: Final = 2**60
"""Elements, each of up to 8 bytes, whose bytes are a number of 64 bits with a sign."""

_COMPARED: Final = (
    "input_shapes",
    "output_shape",
    "params",
    "trainable_params",
    "buffers",
    "macs",
)
"""Fields of an operation that are compared last, after what it is and what it takes."""


class Difference(NamedTuple):
    """Something that the plan and the forward pass both say, where they differ."""

    what: str
    planned: object
    observed: object

    def __str__(self) -> str:
        return f"{self.what}: planned {self.planned}, observed {self.observed}"


def confirmed_forward(plan: Plan, run: RunSpec) -> ForwardRun:
    """Run the forward pass of ``plan``; return it if it agrees. Loads torch.

    Raises `UserError` if it cannot run here, `DisagreementError` if anything differs.
    """
    from mbv2cli.nn.forward import forward

    _refuse_uncountable(plan)
    result = forward(plan.spec, plan.input_shape, run, _threads(plan))
    confirm(plan.graph, result)
    return result


def needed_memory(plan: Plan, run: RunSpec) -> Needed:
    """Return what the forward pass of ``plan`` needs at most. Loads torch.

    Raises `UserError` if the device or the element type cannot be used.
    """
    from mbv2cli.nn.device import needed_on_device

    return needed_on_device(run, plan.graph, plan.memory(EAGER).steps, _threads(plan))


def refuse_beyond_memory(plan: Plan, run: RunSpec) -> None:
    """Raise `UserError` if the forward pass of ``plan`` does not fit in memory. Loads torch."""
    from mbv2cli.nn import device

    device.refuse_beyond_memory(run, needed_memory(plan, run))


def _refuse_uncountable(plan: Plan) -> None:
    """Raise `UserError` if PyTorch or torchsummary cannot count bytes or elements in 64 bits."""
    elements = sum(prod(layer.output_shape) for layer in plan.layers)
    if elements > MOST_ELEMENTS:
        raise UserError(
            f"the layers put out {elements:.1e} elements, and PyTorch counts at most "
            f"{MOST_ELEMENTS:.1e}; try a smaller size or batch, or --no-forward"
        )


def _threads(plan: Plan) -> int | None:
    return 1 if plan.totals.macs < WORTH_THREADS else None


def confirm(planned: Graph, forward: ForwardRun) -> None:
    """Compare all that both routes know. Raises `DisagreementError` for the first difference."""
    for difference in differences(planned, forward):
        if difference.planned != difference.observed:
            raise DisagreementError(f"plan and forward pass disagree on the {difference}")


def differences(planned: Graph, forward: ForwardRun) -> Iterator[Difference]:
    """Yield every pair of claims, equal ones among them, in the order of the forward pass."""
    observed = forward.graph
    yield Difference("input shapes", planned.input_shapes, observed.input_shapes)
    for index, (plan, seen) in enumerate(zip_longest(planned.ops, observed.ops)):
        yield from _op_differences(index, plan, seen, planned, observed)
    for plan, seen in zip_longest(planned.scopes, observed.scopes):
        yield from _scope_differences(plan, seen)
    yield Difference("type that the model returns", planned.returns, observed.returns)
    yield Difference("values that the model returns", planned.outputs, observed.outputs)
    yield Difference("unused parameters and buffers", planned.unused, observed.unused)
    yield from _row_differences(layers_of(planned), forward.table.rows)
    yield from _total_differences(planned, forward.table)


def _op_differences(
    index: int, plan: Op | None, seen: Op | None, planned: Graph, observed: Graph
) -> Iterator[Difference]:
    yield Difference(f"operation {index + 1}", _op_text(plan), _op_text(seen))
    if plan is None or seen is None:
        return
    place = _place(plan)
    yield Difference(f"kind of {place}", plan.kind, seen.kind)
    yield from _attribute_differences(place, plan, seen)
    inputs = (_inputs_text(planned, plan), _inputs_text(observed, seen))
    if plan.inputs != seen.inputs:
        yield Difference(f"inputs of {place}", *inputs)
    for field in _COMPARED:
        name = f"{field.replace('_', ' ')} of {place}"
        yield Difference(name, getattr(plan, field), getattr(seen, field))


def _attribute_differences(place: str, plan: Op, seen: Op) -> Iterator[Difference]:
    kinds = type(plan.attributes), type(seen.attributes)
    yield Difference(f"kind of attributes of {place}", *(one.__name__ for one in kinds))
    if kinds[0] is kinds[1]:
        names = plan.attributes._fields
        for name, one, other in zip(names, plan.attributes, seen.attributes, strict=True):
            yield Difference(f"{name} of {place}", one, other)


def _scope_differences(plan: Scope | None, seen: Scope | None) -> Iterator[Difference]:
    if plan is None or seen is None or (plan.path, plan.type) != (seen.path, seen.type):
        yield Difference("module calls", _scope_text(plan), _scope_text(seen))
        return
    for name, one, other in zip(Scope._fields, plan, seen, strict=True):
        yield Difference(f"{name.replace('_', ' ')} of {_scope_text(plan)}", one, other)


def _row_differences(
    layers: tuple[Layer, ...], rows: tuple[TorchsummaryRow, ...]
) -> Iterator[Difference]:
    modules = [layer for layer in layers if not layer.is_functional]
    for layer, row in zip(modules, rows, strict=False):
        place = f"torchsummary's row {layer.name} ({layer.path})"
        yield Difference(f"name of {place}", layer.name, row.name)
        yield Difference(f"output shape of {place}", layer.output_shape, row.output_shape)
        yield Difference(f"parameters of {place}", layer.params, row.params)
    yield Difference("number of torchsummary's rows", len(modules), len(rows))


def _total_differences(planned: Graph, table: TorchsummaryTable) -> Iterator[Difference]:
    params = sum(op.params for op in planned.ops)
    trainable = sum(op.trainable_params for op in planned.ops)
    sizes = torchsummary_sizes(planned)
    yield Difference("total params of torchsummary", params, table.params)
    yield Difference("trainable params of torchsummary", trainable, table.trainable_params)
    yield Difference(
        "non-trainable params of torchsummary", params - trainable, table.non_trainable_params
    )
    for what, plan, seen in (
        ("input size", sizes.input_mb, table.input_mb),
        ("forward/backward pass size", sizes.forward_backward_mb, table.forward_backward_mb),
        ("params size", sizes.params_mb, table.params_mb),
        ("estimated total size", sizes.total_mb, table.total_mb),
    ):
        yield Difference(f"{what} of torchsummary in MB", f"{plan:.2f}", f"{seen:.2f}")


def _place(op: Op) -> str:
    """Return where an operation is: ``Conv2d features.2.conv.0.0``, ``add in features.3``."""
    if op.type:
        return f"{op.type} {op.path}"
    return f"{op.function} in {op.path or 'the model itself'}"


def _op_text(op: Op | None) -> str:
    """Return what an operation is and where: ``relu6 (ReLU6 features.0.2)``."""
    return "none" if op is None else f"{op.function} ({_place(op)})"


def _inputs_text(graph: Graph, op: Op) -> str:
    """Return which values go in: ``the input, the result of BatchNorm2d conv.3``."""
    inputs = len(graph.input_shapes)
    return " and ".join(
        "the input" if value < inputs else f"the result of {_place(graph.ops[value - inputs])}"
        for value in op.inputs
    )


def _scope_text(scope: Scope | None) -> str:
    return "none" if scope is None else f"{scope.type} {scope.path}".rstrip()
