"""Whether plan and forward pass tell the same, layer by layer."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import NamedTuple

from mbv2cli.errors import DisagreementError
from mbv2cli.nn.records import ForwardRun, ModuleCall, TorchsummaryRow
from mbv2cli.plan import Layer, Plan
from mbv2cli.plan.torchsummary_sizes import TorchsummarySizes, torchsummary_sizes
from mbv2cli.specs import RunSpec


class _Claim(NamedTuple):
    """The same thing, told by the plan and seen in the forward pass."""

    what: str
    planned: object
    seen: object


def confirmed_forward(plan: Plan, run: RunSpec) -> ForwardRun:
    """Run the forward pass of ``plan``; return it if it agrees. Loads torch.

    Raises `UserError` where it cannot run here, `DisagreementError` where it differs.
    """
    from mbv2cli.nn.forward import forward

    result = forward(plan.spec, plan.input_shape, run)
    confirm(plan, torchsummary_sizes(plan.layers, plan.input_shape), result)
    return result


def confirm(plan: Plan, sizes: TorchsummarySizes, forward: ForwardRun) -> None:
    """Compare all that both routes know. Raises `DisagreementError` on the first difference."""
    for claim in _claims(plan, sizes, forward):
        if claim.planned != claim.seen:
            raise DisagreementError(
                f"plan and forward pass disagree on the {claim.what}: "
                f"planned {claim.planned}, seen {claim.seen}"
            )


def _claims(plan: Plan, sizes: TorchsummarySizes, forward: ForwardRun) -> Iterator[_Claim]:
    planned = [layer for layer in plan.layers if not layer.is_functional]
    seen = zip_longest(forward.calls, forward.table.rows)
    for layer, (call, row) in zip(planned, seen, strict=False):
        yield from _layer_claims(layer, call, row)
    yield _Claim("number of module calls", len(planned), len(forward.calls))
    yield _Claim("number of torchsummary rows", len(planned), len(forward.table.rows))
    yield _Claim("output shape", plan.output_shape, forward.output_shape)
    yield from _total_claims(plan, sizes, forward)


def _layer_claims(
    layer: Layer, call: ModuleCall | None, row: TorchsummaryRow | None
) -> Iterator[_Claim]:
    if row is not None:
        yield _Claim("name of a layer", layer.name, row.name)
        yield _Claim(f"output shape of {layer.name}", layer.output_shape, row.output_shape)
        yield _Claim(f"parameters of {layer.name}", layer.params, row.params)
    if call is not None:
        yield _Claim(f"path of {layer.name}", layer.path, call.path)
        yield _Claim(f"type of {layer.name}", layer.type, call.type)
        yield _Claim(f"input shape of {layer.name}", layer.input_shape, call.input_shape)
        yield _Claim(f"output shape of {layer.name}", layer.output_shape, call.output_shape)
        yield _Claim(f"parameters of {layer.name}", layer.params, call.params)
        yield _Claim(
            f"trainable parameters of {layer.name}", layer.trainable_params, call.trainable_params
        )
        yield _Claim(f"buffers of {layer.name}", layer.buffers, call.buffers)
        yield _Claim(f"MACs of {layer.name}", layer.macs, call.macs)


def _total_claims(plan: Plan, sizes: TorchsummarySizes, forward: ForwardRun) -> Iterator[_Claim]:
    totals, table = plan.totals, forward.table
    yield _Claim("total params", totals.params, table.params)
    yield _Claim("trainable params", totals.trainable_params, table.trainable_params)
    yield _Claim("non-trainable params", totals.non_trainable_params, table.non_trainable_params)
    yield _Claim("MACs", totals.macs, sum(call.macs for call in forward.calls))
    for what, planned, seen in (
        ("input size", sizes.input_mb, table.input_mb),
        ("forward/backward pass size", sizes.forward_backward_mb, table.forward_backward_mb),
        ("params size", sizes.params_mb, table.params_mb),
        ("estimated total size", sizes.total_mb, table.total_mb),
    ):
        yield _Claim(f"{what} in MB", f"{planned:.2f}", f"{seen:.2f}")
