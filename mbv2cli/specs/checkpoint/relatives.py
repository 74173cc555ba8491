"""The preset that has the shapes of a checkpoint, and says what weights do not tell.

The paper's strides, activation and padding are those of a MobileNetV2, not of its relatives.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from mbv2cli.specs.checkpoint.structure import Structure
from mbv2cli.specs.network import PAPER_STAGES, NetworkSpec, scale_channels
from mbv2cli.specs.presets import Preset, presets
from mbv2cli.specs.reader import read_request

_PAPER_BLOCKS: Final = 17
_PAPER_KERNEL: Final = 3
_CHANNELS: Final = re.compile(r"c(\d+)")


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
    last = structure.blocks[-1].out_channels
    candidates = (one for one in presets().values() if may_end_with(one, last))
    same = [one for one in candidates if _shapes_of(one, structure) == shapes]
    return min(same, key=lambda one: not one.source.startswith(codebase), default=None)


def _may_be_paper(structure: Structure) -> bool:
    """Return whether a network has as many blocks as the paper's, and nothing that it has not."""
    return (
        len(structure.blocks) == _PAPER_BLOCKS
        and structure.classifier_hidden is None
        and not any(block.squeeze for block in structure.blocks)
        and all(block.depthwise.kernel[0] == _PAPER_KERNEL for block in structure.blocks)
    )


def may_end_with(preset: Preset, channels: int) -> bool:
    """Return whether the last block of a preset may have so many output channels.

    To look takes a hundredth of the time of reading the preset.
    """
    stages, width = preset.values.get("stages", ""), preset.values.get("width_mult", 1.0)
    if not isinstance(stages, str) or not isinstance(width, float) or "until" in preset.values:
        return True
    outputs = _CHANNELS.findall(stages) or [PAPER_STAGES[-1].out_channels]
    divisor = preset.values.get("round_nearest", 8)
    return not isinstance(divisor, int) or channels == scale_channels(
        int(outputs[-1]), width, divisor
    )


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


def _shapes_of(
    preset: Preset, structure: Structure
) -> tuple[tuple[int, int, int], list[_BlockShape]] | None:
    """Return the shapes of a preset, without a classifier if the checkpoint has none.

    None if it has blocks of another type.
    """
    spec = read_request(preset.name).spec
    if not isinstance(spec, NetworkSpec) or any(one.type != "inverted" for one in spec.blocks):
        return None
    hidden = spec.classifier_hidden if structure.classifier else 0
    outer = (spec.stem_channels, spec.head_channels if spec.head else 0, hidden)
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
