"""What `mbv2 presets` has to tell, as data."""

from __future__ import annotations

from dataclasses import dataclass

from mbv2cli.plan import Plan, plan_of
from mbv2cli.plan.memory import LAYERWISE, memory_use
from mbv2cli.specs.presets import Preset, presets
from mbv2cli.specs.reader import read_request


@dataclass(frozen=True, slots=True)
class PresetFigures:
    """A preset and what it costs at its own size, batch 1; the peak is layerwise, int8."""

    preset: Preset
    plan: Plan
    peak_bytes: int


def preset_figures() -> tuple[PresetFigures, ...]:
    """Return the figures of every preset. Loads no torch."""
    return tuple(map(_figures, presets().values()))


def _figures(preset: Preset) -> PresetFigures:
    request = read_request(preset.name)
    plan = plan_of(request.spec, request.input)
    return PresetFigures(preset, plan, memory_use(LAYERWISE, plan).peak_bytes("int8"))
