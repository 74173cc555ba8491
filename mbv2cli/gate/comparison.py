"""Two models side by side: totals, and their layers aligned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import NamedTuple

from mbv2cli.plan import Layer, Plan
from mbv2cli.plan.memory import MEMORY_RULES, memory_use
from mbv2cli.plan.parts import model_figures
from mbv2cli.specs.units import Unit


class Difference(NamedTuple):
    """A figure of both sides. Bytes are those of float32, flash apart."""

    what: str
    before: int
    after: int
    unit: Unit = Unit.COUNT

    @property
    def change(self) -> int:
        """How much more the second side has."""
        return self.after - self.before


class LayerPair(NamedTuple):
    """A layer of both sides; None where one side has none."""

    before: Layer | None
    after: Layer | None

    @property
    def differs(self) -> bool:
        """Whether they do, in more than the number in their name and their place."""
        return _substance(self.before) != _substance(self.after)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both sides, the differences of their totals, and every pair of layers."""

    before_name: str
    after_name: str
    before: Plan
    after: Plan
    totals: tuple[Difference, ...]
    layers: tuple[LayerPair, ...]

    @property
    def differs(self) -> bool:
        """Whether anything does."""
        return any(pair.differs for pair in self.layers)


def compare(before_name: str, before: Plan, after_name: str, after: Plan) -> Comparison:
    """Return both plans side by side."""
    return Comparison(
        before_name,
        after_name,
        before,
        after,
        totals=tuple(_totals(before, after)),
        layers=tuple(_aligned(before.layers, after.layers)),
    )


def _totals(before: Plan, after: Plan) -> Iterator[Difference]:
    old, new = before.totals, after.totals
    old_figures, new_figures = (model_figures(p.spec, p.input_shape) for p in (before, after))
    yield Difference("params", old.params, new.params)
    yield Difference("macs", old.macs, new.macs)
    yield Difference("activations", old.activations, new.activations)
    for rule in MEMORY_RULES:
        first, second = (memory_use(rule, plan).peak_bytes("float32") for plan in (before, after))
        yield Difference(f"peak ({rule.name})", first, second, Unit.BYTES)
    yield Difference("flash", old_figures.flash_bytes, new_figures.flash_bytes, Unit.BYTES)
    yield Difference("receptive_field", old_figures.receptive_field, new_figures.receptive_field)


def _aligned(before: Sequence[Layer], after: Sequence[Layer]) -> Iterator[LayerPair]:
    """Pair layers of the same path and type, in order; those between stand alone."""
    matcher = SequenceMatcher(
        None, list(map(_place, before)), list(map(_place, after)), autojunk=False
    )
    for tag, old_start, old_end, new_start, new_end in matcher.get_opcodes():
        old, new = before[old_start:old_end], after[new_start:new_end]
        if tag == "equal":
            yield from map(LayerPair, old, new)
        else:
            yield from (LayerPair(layer, None) for layer in old)
            yield from (LayerPair(None, layer) for layer in new)


def _substance(layer: Layer | None) -> Layer | None:
    return layer and layer._replace(name=None, stage="", block="")


def _place(layer: Layer) -> tuple[str, str]:
    return layer.path, layer.type
