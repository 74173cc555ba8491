"""The named networks: those of a family or a name, their figures, those that keep limits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from mbv2cli.costs.figures import PEAK, Counting
from mbv2cli.errors import UserError, nearest
from mbv2cli.gate.boards import BoardFit, fit_of
from mbv2cli.gate.limits import Expectations, verdicts
from mbv2cli.inspection import Plan, plan_of
from mbv2cli.specs.presets import Preset, families, presets
from mbv2cli.specs.reader import read_request


@dataclass(frozen=True, slots=True)
class PresetFigures:
    """A preset and its plan at its own size, batch 1. ``counting`` says how the peak is counted."""

    preset: Preset
    plan: Plan
    counting: Counting

    @property
    def peak_bytes(self) -> int:
        """Peak of activation memory."""
        return self.plan.figure(PEAK, self.counting)


@dataclass(frozen=True, slots=True)
class PresetList:
    """Presets, and the limits that each of them keeps."""

    figures: tuple[PresetFigures, ...]
    limits: Expectations

    @property
    def fits(self) -> tuple[BoardFit, ...]:
        """Each preset on the board of the limits; nothing without a board."""
        found = (fit_of(one.plan, self.limits) for one in self.figures)
        return tuple(fit for fit in found if fit)


def matching(name: str) -> tuple[Preset, ...]:
    """Return the presets of the family ``name``, or those that have the text ``name`` in a name.

    Without such a family, a glob fits whole names. Aliases are names too. Raises `UserError` if
    there is no preset.
    """
    found = _of_family(name.lower().replace("-", "_")) or _named(name.lower())
    if not found:
        hint = nearest(name, [*families(), *presets()])
        raise UserError(
            f"no preset has '{name}' in its name, and no family of presets has this name; the "
            f"families are {', '.join(families())}{hint}"
        )
    return found


def _of_family(family: str) -> tuple[Preset, ...]:
    return tuple(preset for preset in presets().values() if preset.family == family)


def _named(text: str) -> tuple[Preset, ...]:
    glob = text if any(sign in text for sign in "*?[") else f"*{text}*"
    return tuple(
        preset
        for preset in presets().values()
        if any(fnmatchcase(one.lower(), glob) for one in (preset.name, *preset.aliases))
    )


def preset_figures(chosen: Iterable[Preset], counting: Counting) -> tuple[PresetFigures, ...]:
    """Return the figures of presets. Loads no torch."""
    return tuple(_figures(preset, counting) for preset in chosen)


def within(figures: Iterable[PresetFigures], limits: Expectations) -> tuple[PresetFigures, ...]:
    """Return the presets that keep all limits."""
    return tuple(
        one
        for one in figures
        if all(verdict.holds for verdict in verdicts(limits, one.plan, one.counting.dtype))
    )


def _figures(preset: Preset, counting: Counting) -> PresetFigures:
    request = read_request(preset.name)
    return PresetFigures(preset, plan_of(request.spec, request.input), counting)
