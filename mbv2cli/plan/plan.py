"""The plan: what a spec costs on an input, in closed form."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import TypeAlias

from mbv2cli.plan.layers import Layer, Shape
from mbv2cli.plan.walk import block_layers, network_layers
from mbv2cli.spec.block import BlockSpec
from mbv2cli.spec.input import InputSpec
from mbv2cli.spec.network import NetworkSpec

ModelSpec: TypeAlias = BlockSpec | NetworkSpec


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the layers, for the whole batch.

    ``macs`` are those of convolutions and linear layers; ``activations`` the elements that
    they put out (timm's and fvcore's meaning). ``buffers`` are BatchNorm's running statistics
    and its counts of batches.
    """

    params: int
    trainable_params: int
    non_trainable_params: int
    buffers: int
    macs: int
    activations: int


@dataclass(frozen=True)
class Plan:
    """The layers of ``spec`` on an input of ``input_shape``, in forward order."""

    spec: ModelSpec
    input_shape: Shape
    layers: tuple[Layer, ...]

    @property
    def output_shape(self) -> Shape:
        """Shape of what the last layer puts out."""
        return self.layers[-1].output_shape

    @cached_property
    def totals(self) -> Totals:
        """Sums over the layers."""
        return _totals(self.layers)


def plan_of(spec: ModelSpec, input: InputSpec | None = None) -> Plan:
    """Return the plan of ``spec`` on ``input``, by default one input of 224×224."""
    input = input or InputSpec()
    input_shape = (input.batch, spec.in_channels, *input.size)
    walk = block_layers if isinstance(spec, BlockSpec) else network_layers
    return Plan(spec, input_shape, walk(spec, input_shape))


def _totals(layers: Iterable[Layer]) -> Totals:
    params = trainable_params = buffers = macs = activations = 0
    for layer in layers:
        params += layer.params
        trainable_params += layer.trainable_params
        buffers += layer.buffers
        macs += layer.macs
        if layer.macs:
            activations += prod(layer.output_shape)
    return Totals(params, trainable_params, params - trainable_params, buffers, macs, activations)
