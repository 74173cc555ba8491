"""The targets that mean a spec: a preset, or a few fields."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from math import prod
from typing import Final

from mbv2cli.errors import UserError
from mbv2cli.graph.segments import Classifier, Expansion, Head, SegmentSpec, segments_of
from mbv2cli.specs.block import BlockSpec
from mbv2cli.specs.fields import written
from mbv2cli.specs.idle import IdleError
from mbv2cli.specs.network import EXPANSION_PATH, NetworkSpec
from mbv2cli.specs.presets import presets
from mbv2cli.specs.reader import read_request

_SCALINGS: Final = (
    ("scaled", "widen"),
    ("scaled", "scaled"),
    ("scaled", "fixed"),
    ("fixed", "fixed"),
)
"""Which of stem and head the width multiplier scales: torchvision's way, and others' ways."""

_HELD: Final = (16, 8)
"""Output strides that replace strides by dilation."""

_OWN: Final = (
    *("in_channels", "classes", "act", "stem_stride", "expansion", "shortcut", "se", "se_of"),
    *("se_nearest", "se_act", "se_gate", "classifier_hidden", "classifier_hidden_bias"),
    *("classifier_bias", "padding", "norm_eps"),
)
"""The fields of a network that neither scale it nor are of one stage."""

_OF_USE: Final = ("in_channels", "classes", "classifier_bias", "padding", "norm_eps")
"""The fields that people change in a network that has a name."""


def structure_of(spec: NetworkSpec) -> tuple[object, ...]:
    """Return all that makes a network what it is, but for its dropout and its paths.

    Several expand ratios give the same hidden channels; a network that stops after an expansion
    ends as one with a head does.
    """
    return spec.in_channels, *(_structure(placed.spec) for placed in segments_of(spec))


def _structure(segment: SegmentSpec) -> object:
    match segment:
        case Expansion():
            return Head(segment.hidden_channels, segment.act, segment.norm_eps)
        case Classifier():
            if segment.hidden:
                return replace(segment, dropout=0.0)
            return replace(segment, dropout=0.0, act="", hidden_bias=True)
        case BlockSpec():
            return _block_structure(segment)
    return segment


def _block_structure(block: BlockSpec) -> object:
    if block.type == "conv" and block.kernel == 1 and block.strides == (1, 1):
        return Head(block.out_channels, block.act, block.norm_eps)
    squeeze = (block.squeezed_channels, block.squeeze_act, block.se_gate) if block.has_se else ()
    return (
        *(block.type, block.out_channels, block.kernel, block.strides, block.dilation, block.act),
        0 if block.type == "conv" else block.hidden_channels,
        *(block.has_expansion, block.has_shortcut, block.projects_shortcut, squeeze),
        *(block.pads_apart, block.norm_eps),
    )


@cache
def preset_networks() -> Mapping[str, NetworkSpec]:
    """Return the networks among the presets; of equal ones, the name that people know is first."""
    return dict(networks_of(presets()))


def networks_of(names: Iterable[str]) -> Iterator[tuple[str, NetworkSpec]]:
    """Yield the presets of these names that are networks; the name that people know is first."""
    for name in sorted(names, key=lambda name: name != "torchvision"):
        spec = read_request(name).spec
        if isinstance(spec, NetworkSpec):
            yield name, spec


def scaled_target(spec: NetworkSpec) -> str:
    """Return ``network:width_mult=0.6,classes=10`` if that is the network; "" if none is."""
    paper = NetworkSpec()
    is_like = all(block.kernel == 3 and block.type == "inverted" for block in spec.blocks)  # noqa: PLR2004  (the paper's)
    if not is_like or len(spec.blocks) > len(paper.blocks):
        return ""
    widths = sorted(
        {round(step / 100, 2) for step in range(5, 205)},
        key=lambda width: abs(width - spec.blocks[-1].out_channels / _paper_channels(spec)),
    )[:24]
    changed = _changes(paper, spec, _OWN)
    expand = {block.expand for block in spec.blocks if block.has_expansion}
    if len(expand) == 1:
        changed["expand"] = expand.pop()
    output_stride = _output_stride(spec)
    is_held = output_stride in _HELD and any(block.dilation > 1 for block in spec.blocks)
    held = {"output_stride": output_stride} if is_held else {}
    wanted = structure_of(spec)
    for ending in _endings(paper, spec, {**held, **changed}):
        for stem_scaling, head_scaling in _SCALINGS:
            for width in widths:
                fields = {
                    "width_mult": width,
                    "stem_scaling": stem_scaling,
                    "head_scaling": head_scaling,
                    **ending,
                }
                if _is_structure(fields, wanted):
                    return _target("network", fields)
    return ""


def _paper_channels(spec: NetworkSpec) -> int:
    """Return the output channels of the paper's block where ``spec`` has its last one."""
    blocks = NetworkSpec().blocks
    return blocks[min(len(spec.blocks), len(blocks)) - 1].out_channels


def changed_targets(spec: NetworkSpec) -> Iterator[str]:
    """Yield ``PRESET:classes=10`` and other changes of presets that are the network."""
    wanted = structure_of(spec)
    for name, preset in preset_networks().items():
        pairs = zip(spec.blocks, preset.blocks, strict=False)
        if len(spec.blocks) > len(preset.blocks) or any(
            one.out_channels != other.out_channels for one, other in pairs
        ):
            continue
        values = preset.model_dump(by_alias=True)
        for changes in _endings(preset, spec, _changes(preset, spec, _OF_USE)):
            kept = {key: one for key, one in values.items() if not _is_left_out(key, changes)}
            if _is_structure({**kept, **changes}, wanted):
                yield _target(name, changes)


def _is_left_out(key: str, changes: Mapping[str, object]) -> bool:
    return "until" in changes and key in ("head", "classes", "classifier_hidden")


def _endings(
    whole: NetworkSpec, spec: NetworkSpec, changes: Mapping[str, object]
) -> Iterator[dict[str, object]]:
    """Yield the changes with what makes a network end where ``spec`` ends."""
    if spec.classes or len(spec.blocks) == len(whole.blocks):
        head = {} if bool(spec.head) == bool(whole.head) else {"head": spec.head}
        yield {**head, **changes}
    if not spec.classes and len(spec.blocks) <= len(whole.blocks):
        number = len(spec.blocks)
        until = f"features.{number + 1}{EXPANSION_PATH}" if spec.head else f"features.{number}"
        rest = {key: value for key, value in changes.items() if key != "classes"}
        yield {**rest, "until": until}


def _is_structure(fields: Mapping[str, object], wanted: tuple[object, ...]) -> bool:
    try:
        return structure_of(NetworkSpec.model_validate(dict(fields))) == wanted
    except UserError:
        return False


def _changes(base: NetworkSpec, spec: NetworkSpec, names: tuple[str, ...]) -> dict[str, object]:
    """Return the fields in which ``spec`` differs from ``base``, by their keys."""
    keys = {name: NetworkSpec.model_fields[name].serialization_alias or name for name in names}
    pairs = ((key, getattr(base, name), getattr(spec, name)) for name, key in keys.items())
    return {key: own for key, other, own in pairs if own != other}


def _output_stride(spec: NetworkSpec) -> int:
    """Return input size ÷ last feature map size, as the strides of the blocks have it."""
    return prod([spec.stem_strides[0], *(block.strides[0] for block in spec.blocks)])


def _target(name: str, fields: Mapping[str, object]) -> str:
    """Return a target with these fields, but for those that do nothing beside the others."""
    usual = {"width_mult": 1.0, "stem_scaling": "scaled", "head_scaling": "widen"}
    if name == "network":
        usual["expand"] = 6
    given = [f"{key}={written(value)}" for key, value in fields.items() if usual.get(key) != value]
    target = f"{name}:{','.join(given)}" if given else name
    try:
        read_request(target)
    except IdleError as idle:
        return _target(name, {key: one for key, one in fields.items() if key != idle.key})
    return target


def block_target(spec: BlockSpec) -> str:
    """Return ``block:in=16,out=24``, which means the block of a spec."""
    values = spec.model_dump(by_alias=True)
    defaults = BlockSpec().model_dump(by_alias=True)
    left_out = "expand" if spec.hidden is not None or spec.type == "conv" else ""
    given = {
        key: value
        for key, value in values.items()
        if key in ("in", "out") or (value != defaults.get(key) and key != left_out)
    }
    return _target("block", given)
