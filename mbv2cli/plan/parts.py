"""A model's figures from those of its parts, each worked out once.

Parts that are alike, in a model or in a thousand, cost what one costs: this is how many models
are looked at. The figures are those of the parts' own layers, summed and joined.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from mbv2cli.plan.geometry import Geometry, geometries
from mbv2cli.plan.layers import Shape
from mbv2cli.plan.memory import MEMORY_RULES
from mbv2cli.plan.plan import ModelSpec, totals_of
from mbv2cli.plan.walk import Part, part_layers, parts
from mbv2cli.plan.weights import layer_flash_bytes
from mbv2cli.spec.block import BlockSpec
from mbv2cli.spec.network import NetworkSpec

_LOCAL: Final = {rule.name: rule.of_layer for rule in MEMORY_RULES if rule.of_layer}
"""The rules whose peak is the highest of the parts."""


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """What a model costs; peaks in elements, by the name of the rule, of the local rules only.

    ``layers`` counts the rows that torchsummary has; ``feature_maps`` holds what the last block
    at each stride puts out.
    """

    output_shape: Shape
    params: int
    macs: int
    flash_bytes: int
    layers: int
    receptive_field: int
    peaks: Mapping[str, int]
    feature_maps: Mapping[int, Shape]


class _PartFigures(NamedTuple):
    """The same of a part; its geometry is None where it sees the whole input."""

    output_shape: Shape
    params: int
    macs: int
    flash_bytes: int
    layers: int
    geometry: Geometry | None
    peaks: tuple[int, ...]


def model_figures(spec: ModelSpec, input_shape: Shape) -> ModelFigures:
    """Return the figures of ``spec`` on an input of ``input_shape``."""
    params = macs = flash = layers = 0
    field, jump = 1, 1
    shape = input_shape
    peaks = [0] * len(_LOCAL)
    maps: dict[int, Shape] = {}
    for part in parts(spec):
        found = _part_figures(part, shape)
        shape = found.output_shape
        params += found.params
        macs += found.macs
        flash += found.flash_bytes
        layers += found.layers
        peaks = [max(pair) for pair in zip(peaks, found.peaks, strict=True)]
        if found.geometry:
            field += (found.geometry.receptive_field - 1) * jump
            jump *= found.geometry.jump
        if isinstance(part, BlockSpec):
            maps[jump] = shape
            layers += isinstance(spec, NetworkSpec)  # the block's own row
    return ModelFigures(
        shape, params, macs, flash, layers, field, dict(zip(_LOCAL, peaks, strict=True)), maps
    )


@lru_cache(maxsize=2**16)
def _part_figures(part: Part, input_shape: Shape) -> _PartFigures:
    layers = part_layers(part, input_shape)
    totals = totals_of(layers)
    live = ([rule(layer) for layer in layers] for rule in _LOCAL.values())
    return _PartFigures(
        output_shape=layers[-1].output_shape,
        params=totals.params,
        macs=totals.macs,
        flash_bytes=sum(map(layer_flash_bytes, layers)),
        layers=sum(not layer.is_functional for layer in layers),
        geometry=geometries(layers)[-1],
        peaks=tuple(max(used for used in timeline if used is not None) for timeline in live),
    )
