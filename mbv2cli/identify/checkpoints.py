"""Which MobileNetV2 a checkpoint is, as far as the shapes of its tensors tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from mbv2cli.identify.faults import Fault
from mbv2cli.identify.identity import FAR, Identity
from mbv2cli.identify.targets import block_target, networks_of, preset_networks, scaled_target
from mbv2cli.inspection import ModelSpec
from mbv2cli.specs.block import BlockSpec
from mbv2cli.specs.checkpoint.model import Checkpoint
from mbv2cli.specs.checkpoint.relatives import may_end_with
from mbv2cli.specs.network import NetworkSpec
from mbv2cli.specs.origin import How, Origin
from mbv2cli.specs.presets import presets
from mbv2cli.specs.reader import Request


class _BlockShape(NamedTuple):
    """What the weights of a block tell."""

    in_channels: int
    hidden_channels: int
    out_channels: int
    kernel: int
    squeezed_channels: int
    has_expansion: bool


def identify_checkpoint(path: Path, checkpoint: Checkpoint, request: Request | None) -> Identity:
    """Return what a checkpoint is. ``request`` is its model; None if it is no MobileNetV2."""
    origin = (request and request.origin) or Origin(str(path), checkpoint.what)
    spec = request.spec if request else None
    faults = tuple(_contradictions(origin))
    names = tuple(_names(spec, checkpoint.presets)) if spec and not faults else ()
    nearest = None if names or spec is None else _nearest(spec)
    return Identity(
        spec,
        faults,
        names,
        nearest,
        tuple(shape_differences(spec, preset_networks()[nearest])) if spec and nearest else (),
        checkpoint.contents,
        0,
        (),
        origin,
        checkpoint.why_not,
    )


def differs_in_shape(identity: Identity, expected: ModelSpec) -> tuple[Fault, ...]:
    """Return where the shapes of a checkpoint differ from those of ``expected``."""
    if identity.spec is None:
        return (Fault("the checkpoint", f"not a MobileNetV2: {identity.reason}"),)
    return (*identity.faults, *shape_differences(identity.spec, expected))


def shape_differences(seen: ModelSpec, expected: ModelSpec) -> Iterator[Fault]:
    """Yield the fields that weights tell and in which two specs differ."""
    if isinstance(seen, NetworkSpec) and isinstance(expected, NetworkSpec):
        yield from _of_networks(seen, expected)
    elif seen.noun != expected.noun:
        yield Fault("the checkpoint", f"a {seen.noun}, not a {expected.noun}")
    else:
        yield from _of_blocks("the block", _shapes(seen)[0], _shapes(expected)[0])


def _of_networks(seen: NetworkSpec, expected: NetworkSpec) -> Iterator[Fault]:
    pairs = (
        ("the stem", "input channels", seen.in_channels, expected.in_channels),
        ("the stem", "output channels", seen.stem_channels, expected.stem_channels),
        ("the head", "output channels", seen.head_channels, expected.head_channels),
        (
            "the classifier",
            "features of the hidden layer",
            seen.classifier_hidden,
            expected.classifier_hidden,
        ),
        ("the classifier", "classes", seen.classes, expected.classes),
    )
    for number, own, other in _pairs(_shapes(seen), _shapes(expected)):
        if own is None or other is None:
            what = "missing" if own is None else "one too many"
            yield Fault(f"block {number}", what)
        else:
            yield from _of_blocks(f"block {number}", own, other)
    for place, name, own_size, other_size in pairs:
        if own_size != other_size:
            yield Fault(place, f"{name} {own_size:,}, not {other_size:,}")


def _pairs(
    seen: Sequence[_BlockShape], expected: Sequence[_BlockShape]
) -> Iterator[tuple[int, _BlockShape | None, _BlockShape | None]]:
    """Yield the blocks beside each other, with a number: so that most are equal, if one lacks."""
    if len(seen) == len(expected):
        yield from zip(range(1, len(seen) + 1), seen, expected, strict=True)
        return
    matcher = SequenceMatcher(None, expected, seen, autojunk=False)
    for _code, start, stop, from_, to in matcher.get_opcodes():
        pairs = zip_longest(seen[from_:to], expected[start:stop])
        for number, (own, other) in enumerate(pairs, (from_ if start == stop else start) + 1):
            yield number, own, other


def _of_blocks(place: str, seen: _BlockShape, expected: _BlockShape) -> Iterator[Fault]:
    for key, own, other in zip(_BlockShape._fields, seen, expected, strict=True):
        if own != other and key != "has_expansion":
            yield Fault(place, f"{key.replace('_', ' ')} {own}, not {other}")
    if seen.has_expansion != expected.has_expansion:
        yield Fault(place, "an expansion" if seen.has_expansion else "no expansion")


def _shapes(spec: ModelSpec) -> Sequence[_BlockShape]:
    blocks = (spec,) if isinstance(spec, BlockSpec) else spec.blocks
    return [
        _BlockShape(
            one.in_channels,
            one.hidden_channels,
            one.out_channels,
            one.kernel,
            one.squeezed_channels,
            one.has_expansion,
        )
        for one in blocks
    ]


def _names(spec: ModelSpec, codebase: str) -> Iterator[str]:
    """Yield the targets with these shapes, first those whose names start with ``codebase``."""
    if isinstance(spec, BlockSpec):
        yield block_target(spec)
        return
    last = spec.blocks[-1].out_channels
    candidates = (preset.name for preset in presets().values() if may_end_with(preset, last))
    networks = networks_of(candidates)
    same = [name for name, one in networks if not any(shape_differences(spec, one))]
    yield from sorted(same, key=lambda name: not name.startswith(codebase))
    if not same and (target := scaled_target(spec)):
        yield target


def _nearest(spec: ModelSpec) -> str | None:
    """Return the preset with most of the shapes; None if no preset has half of the blocks."""
    if isinstance(spec, BlockSpec):
        return None
    blocks = _shapes(spec)

    def distance(name: str) -> tuple[int, int]:
        other = _shapes(preset_networks()[name])
        unlike = sum(one != two for one, two in zip_longest(blocks, other))
        return unlike, len([*shape_differences(spec, preset_networks()[name])])

    name = min(preset_networks(), key=distance)
    return name if distance(name)[0] < FAR * len(preset_networks()[name].blocks) else None


def _contradictions(origin: Origin) -> Iterator[Fault]:
    return (Fault(one.key, one.why) for one in origin.fields if one.how is How.CONTRADICTED)
