"""The plan: what a spec costs on an input, in closed form."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Final, TypeAlias

from mbv2cli.plan.layers import Layer, Shape
from mbv2cli.plan.walk import model_layers
from mbv2cli.specs.block import BlockSpec
from mbv2cli.specs.network import NetworkSpec
from mbv2cli.specs.run import InputSpec

ModelSpec: TypeAlias = BlockSpec | NetworkSpec

Timeline: TypeAlias = tuple[int | None, ...]
"""A figure for each layer of a plan; None for one that is no step of what is told."""

DEFAULT_INPUT: Final = InputSpec()


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

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """Every layer, containers and functional operations among them."""
        return model_layers(self.spec, self.input_shape)

    @property
    def output_shape(self) -> Shape:
        """Shape of what the last layer puts out."""
        return self.layers[-1].output_shape

    @property
    def macs_per_sample(self) -> int:
        """MACs of one input of the batch."""
        return self.totals.macs // self.input_shape[0]

    @cached_property
    def totals(self) -> Totals:
        """Sums over the layers."""
        return totals_of(self.layers)


def plan_of(spec: ModelSpec, input: InputSpec = DEFAULT_INPUT) -> Plan:
    """Return the plan of ``spec`` on ``input``, by default one input of 224×224."""
    input_shape = (input.batch, spec.in_channels, *input.size)
    return Plan(spec, input_shape)


def totals_of(layers: Iterable[Layer]) -> Totals:
    """Return the sums over ``layers``."""
    params = trainable_params = buffers = macs = activations = 0
    for layer in layers:
        params += layer.params
        trainable_params += layer.trainable_params
        buffers += layer.buffers
        macs += layer.macs
        if layer.multiplies:
            activations += prod(layer.output_shape)
    return Totals(params, trainable_params, params - trainable_params, buffers, macs, activations)
