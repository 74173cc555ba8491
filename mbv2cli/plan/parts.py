"""A model's figures from those of its parts, each worked out once.

Parts that are alike, in a model or in a thousand, cost what one costs: this is how many models
are looked at. The figures are those of the parts' own layers, summed and joined.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from mbv2cli.plan.geometry import Geometry, geometries
from mbv2cli.plan.layers import Shape
from mbv2cli.plan.memory import MEMORY_RULES, MemoryRule, memory_use
from mbv2cli.plan.plan import ModelSpec, Plan, totals_of
from mbv2cli.plan.walk import Part, PlacedPart, part_layers, parts
from mbv2cli.plan.weights import layer_flash_bytes
from mbv2cli.specs.block import BlockSpec
from mbv2cli.specs.network import NetworkSpec

_LOCAL: Final = {rule.name: rule.of_layer for rule in MEMORY_RULES if rule.of_layer}
"""The rules whose peak is the highest of the parts."""


class StageFigures(NamedTuple):
    """The sums over a stage, and its peaks as `ModelFigures` has them."""

    name: str
    params: int
    macs: int
    peaks: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """What a model costs; peaks in elements, by the name of the rule, of the local rules only.

    ``layers`` counts the rows that torchsummary has; ``feature_maps`` holds what the last block
    at each stride puts out.
    """

    output_shape: Shape
    params: int
    macs: int
    activations: int
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
    activations: int
    flash_bytes: int
    layers: int
    geometry: Geometry | None
    peaks: tuple[int, ...]


def model_figures(spec: ModelSpec, input_shape: Shape) -> ModelFigures:
    """Return the figures of ``spec`` on an input of ``input_shape``."""
    placed = parts(spec)
    found = _figures_of(placed, input_shape)
    field, jump = 1, 1
    maps: dict[int, Shape] = {}
    for (_stage, _path, part), one in zip(placed, found, strict=True):
        if one.geometry:
            field += (one.geometry.receptive_field - 1) * jump
            jump *= one.geometry.jump
        if isinstance(part, BlockSpec):
            maps[jump] = one.output_shape
    containers = len(spec.blocks) if isinstance(spec, NetworkSpec) else 0
    return ModelFigures(
        output_shape=found[-1].output_shape,
        params=sum(one.params for one in found),
        macs=sum(one.macs for one in found),
        activations=sum(one.activations for one in found),
        flash_bytes=sum(one.flash_bytes for one in found),
        layers=sum(one.layers for one in found) + containers,
        receptive_field=field,
        peaks=_peaks(found),
        feature_maps=maps,
    )


def stage_figures(spec: ModelSpec, input_shape: Shape) -> tuple[StageFigures, ...]:
    """Return the figures of each stage of ``spec``, in forward order."""
    placed = parts(spec)
    stages: dict[str, list[_PartFigures]] = {}
    for place, one in zip(placed, _figures_of(placed, input_shape), strict=True):
        stages.setdefault(place.stage, []).append(one)
    return tuple(
        StageFigures(
            name,
            sum(one.params for one in members),
            sum(one.macs for one in members),
            _peaks(members),
        )
        for name, members in stages.items()
    )


def peak_elements(rule: MemoryRule, plan: Plan, figures: ModelFigures) -> int:
    """Return the peak of ``plan``, whose figures these are: of all layers where it must be."""
    return figures.peaks[rule.name] if rule.of_layer else memory_use(rule, plan).peak


def _figures_of(placed: Iterable[PlacedPart], input_shape: Shape) -> list[_PartFigures]:
    found: list[_PartFigures] = []
    shape = input_shape
    for place in placed:
        found.append(_part_figures(place.part, shape))
        shape = found[-1].output_shape
    return found


def _peaks(members: Iterable[_PartFigures]) -> dict[str, int]:
    return dict(
        zip(_LOCAL, map(max, zip(*(one.peaks for one in members), strict=True)), strict=True)
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
        activations=totals.activations,
        flash_bytes=sum(map(layer_flash_bytes, layers)),
        layers=sum(not layer.is_functional for layer in layers),
        geometry=geometries(layers)[-1],
        peaks=tuple(max(used for used in timeline if used is not None) for timeline in live),
    )
