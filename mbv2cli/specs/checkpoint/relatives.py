"""The preset that has the shapes of a checkpoint, and says what weights do not tell.

The paper's strides, activation and padding are those of a MobileNetV2, not of its relatives.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from mbv2cli.specs.checkpoint.structure import Structure
from mbv2cli.specs.network import NetworkSpec
from mbv2cli.specs.presets import Preset, presets
from mbv2cli.specs.reader import read_request

_PAPER_BLOCKS = 17
_PAPER_KERNEL = 3


class _BlockShape(NamedTuple):
    """What the weights of a block tell, beside its input channels."""

    hidden_channels: int
    out_channels: int
    kernel: int
    squeezed_channels: int
    has_expansion: bool


def relative_of(structure: Structure, codebase: str) -> Preset | None:
    """Return the preset with these shapes, one of ``codebase`` first; None for a MobileNetV2.

    Classes and input channels may differ: people change them.
    """
    if structure.stem is None or _may_be_paper(structure):
        return None
    shapes = (_outer(structure), [*_blocks(structure)])
    same = [one for one in _alike(structure) if _shapes_of(one) == shapes]
    return min(same, key=lambda one: not one.source.startswith(codebase), default=None)


def _may_be_paper(structure: Structure) -> bool:
    """Return whether a network has as many blocks as the paper's, and nothing that it has not."""
    return (
        len(structure.blocks) == _PAPER_BLOCKS
        and structure.classifier_hidden is None
        and not any(block.squeeze for block in structure.blocks)
        and all(block.depthwise.kernel[0] == _PAPER_KERNEL for block in structure.blocks)
    )


def _alike(structure: Structure) -> Iterator[Preset]:
    """Yield the presets that have squeeze-excite and a hidden layer where the checkpoint has them.

    To read a preset takes longer than to look at its values.
    """
    has_squeeze = any(block.squeeze for block in structure.blocks)
    for preset in presets().values():
        values = preset.values
        if has_squeeze is _has_squeeze(values) and (
            structure.classifier is None
            or bool(structure.classifier_hidden) is bool(values.get("classifier_hidden"))
        ):
            yield preset


def _has_squeeze(values: Mapping[str, object]) -> bool:
    return bool(values.get("se")) or "_se0" in str(values.get("stages"))


def _outer(structure: Structure) -> tuple[int, int, int]:
    layers = (structure.stem, structure.head, structure.classifier_hidden)
    stem, head, hidden = (layer.out_channels if layer else 0 for layer in layers)
    return stem, head, hidden


def _blocks(structure: Structure) -> Iterator[_BlockShape]:
    for block in structure.blocks:
        yield _BlockShape(
            block.hidden_channels,
            block.out_channels,
            block.depthwise.kernel[0],
            block.squeezed_channels,
            block.expansion is not None,
        )


def _shapes_of(preset: Preset) -> tuple[tuple[int, int, int], list[_BlockShape]] | None:
    """Return the shapes of a preset; None if it has blocks of another type."""
    spec = read_request(preset.name).spec
    if not isinstance(spec, NetworkSpec) or any(one.type != "inverted" for one in spec.blocks):
        return None
    outer = (spec.stem_channels, spec.head_channels if spec.head else 0, spec.classifier_hidden)
    blocks = [
        _BlockShape(
            one.hidden_channels,
            one.out_channels,
            one.kernel,
            one.squeezed_channels,
            one.has_expansion,
        )
        for one in spec.blocks
    ]
    return outer, blocks
