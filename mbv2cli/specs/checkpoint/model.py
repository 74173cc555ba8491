"""The model of a checkpoint as a TARGET: what its shapes tell, and what they do not.

Weights have no strides, dilations, activations, dropout and padding. These are assumed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

from mbv2cli.errors import UserError
from mbv2cli.specs.block import BlockSpec
from mbv2cli.specs.checkpoint.layers import Layer, counted, layers_of, plain_name
from mbv2cli.specs.checkpoint.relatives import relative_of
from mbv2cli.specs.checkpoint.schemes import Scheme, scheme_of
from mbv2cli.specs.checkpoint.structure import Block, OtherModelError, Structure, structure_of
from mbv2cli.specs.foreign import ForeignModel
from mbv2cli.specs.network import PAPER_STAGES, NetworkSpec
from mbv2cli.specs.origin import FieldOrigin, How, Origin
from mbv2cli.specs.presets import Preset
from mbv2cli.specs.ratios import SqueezeRule, Widths, squeeze_rule
from mbv2cli.specs.reader import Setting
from mbv2cli.specs.regroup import BlockFields, stages_of
from mbv2cli.specs.rounding import shortest_ratio
from mbv2cli.specs.weights.read import read_weights
from mbv2cli.specs.weights.tensors import Weights

_PAPER_STRIDES: Final = tuple(
    stage.stride if repeat == 0 else 1 for stage in PAPER_STAGES for repeat in range(stage.repeats)
)
"""The stride of each block of the paper's network."""

_NOT_IN_WEIGHTS: Final = "not in weights: the paper's"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint is. ``contents`` says what it has, by kind.

    The names of the presets of its codebase start with ``presets``. ``model`` is None if it is no
    MobileNetV2; ``why_not`` then says why: the end of a sentence.
    """

    what: str
    contents: str
    presets: str
    model: ForeignModel | None
    why_not: str = ""


def checkpoint_model(path: Path) -> ForeignModel:
    """Return the model of a checkpoint. Raises `UserError` if it is no MobileNetV2."""
    checkpoint = read_checkpoint(path)
    if checkpoint.model is None:
        raise UserError(
            f"{path} is a {checkpoint.what}, not a MobileNetV2: {checkpoint.why_not}; "
            f"mbv2 identify {path} says what it has"
        )
    return checkpoint.model


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint. Raises `UserError` if it cannot be read."""
    return checkpoint_of(path, read_weights(path))


def checkpoint_of(path: Path, weights: Weights) -> Checkpoint:
    """Return what the tensors of a file are. Raises `UserError` if no spec has their sizes."""
    layers = layers_of(weights)
    scheme = scheme_of(plain_name(layer.weight) for layer in layers)
    what = _what(scheme, weights)
    contents = _contents(weights, layers)
    try:
        structure = structure_of(layers, weights.layout)
    except OtherModelError as error:
        return Checkpoint(what, contents, scheme.presets, None, str(error))
    relative = relative_of(structure, scheme.codebase)
    origin = Origin(str(path), what, tuple(_origins(structure, scheme, relative)))
    if relative is None:
        model = _model(path, structure, scheme, origin)
    else:
        model = _model_of_relative(path, structure, relative, origin)
    return Checkpoint(what, contents, scheme.presets, model)


def _model_of_relative(
    path: Path, structure: Structure, preset: Preset, origin: Origin
) -> ForeignModel:
    """Return a preset with the input channels and the classes of a checkpoint."""
    classifier = structure.classifier
    own: dict[str, object] = {
        "in": structure.in_channels,
        "classes": classifier.out_channels if classifier else 0,
    }
    if classifier is None:
        own["classifier_hidden"] = 0
    own |= _classifier_bias(structure)
    return ForeignModel(NetworkSpec.noun, _settings(path, {**preset.values, **own}), origin)


def _classifier_bias(structure: Structure) -> dict[str, object]:
    """Return the field of a classifier that has no bias."""
    classifier = structure.classifier
    return {"classifier_bias": False} if classifier and not classifier.has_bias else {}


def _what(scheme: Scheme, weights: Weights) -> str:
    """Return what a file is: ``torchvision checkpoint (PyTorch file)``."""
    codebase = f"{scheme.codebase} " if scheme.codebase else ""
    return f"{codebase}checkpoint ({weights.format})"


def _contents(weights: Weights, layers: Sequence[Layer]) -> str:
    """Return what a file has: tensors, layers and, of a graph, operations."""
    parts = [f"{len(weights.tensors):,} tensor{'s' * (len(weights.tensors) != 1)}"]
    parts.append(counted(layers))
    if weights.operations:
        parts.append(", ".join(f"{number:,} {kind}" for kind, number in weights.operations[:8]))
    return "; ".join(parts)


def _model(path: Path, structure: Structure, scheme: Scheme, origin: Origin) -> ForeignModel:
    blocks = list(_block_specs(path, structure))
    squeeze = squeeze_rule([_widths(one) for one in structure.blocks])
    of_codebase = {"padding": scheme.padding, "norm_eps": scheme.norm_eps}
    if structure.stem is None:
        (block,) = blocks
        own = block.model_dump(
            by_alias=True,
            include={"in_channels", "out_channels", "expand", "kernel", "expansion"},
        )
        own |= _squeeze_fields(squeeze, squeeze.ratios[0]) | of_codebase
        return ForeignModel(BlockSpec.noun, _settings(path, own), origin)
    values = {
        "in": structure.in_channels,
        "stem": structure.stem.out_channels,
        "stages": [
            stage.model_dump(by_alias=True)
            for stage in stages_of(
                BlockFields(
                    one.expand,
                    one.out_channels,
                    one.stride,
                    one.kernel,
                    se=ratio or None,
                    expansion="always" if one.expansion == "always" else None,
                )
                for one, ratio in zip(blocks, squeeze.ratios, strict=True)
            )
        ],
        "head": structure.head.out_channels if structure.head else 0,
        "classes": structure.classifier.out_channels if structure.classifier else 0,
        "round_nearest": 1,
        "dropout": scheme.dropout,
        **of_codebase,
        **_classifier_bias(structure),
        **_squeeze_fields(squeeze, 0.0),
    }
    if hidden := structure.classifier_hidden:
        values["classifier_hidden"] = hidden.out_channels
        values["classifier_hidden_bias"] = hidden.has_bias
    return ForeignModel(NetworkSpec.noun, _settings(path, values), origin)


def _widths(block: Block) -> Widths:
    return Widths(
        block.in_channels, block.hidden_channels, block.squeezed_channels, bool(block.expansion)
    )


def _squeeze_fields(rule: SqueezeRule, ratio: float) -> dict[str, object]:
    """Return the fields of squeeze-excite; ``ratio`` is that of all blocks, 0 in a network."""
    if not any(rule.ratios):
        return {}
    own = {"se": ratio} if ratio else {}
    return {**own, "se_of": rule.of, "se_nearest": rule.nearest}


def _settings(path: Path, values: Mapping[str, object]) -> list[Setting]:
    return [Setting(key, value, f"{path}: {key}") for key, value in values.items()]


def _block_specs(path: Path, structure: Structure) -> Iterator[BlockSpec]:
    """Yield the blocks, each with the stride that is assumed. Raises `UserError`."""
    act = "relu" if structure.stem is None else "relu6"
    channels = structure.stem.out_channels if structure.stem else structure.blocks[0].in_channels
    strides = _strides(structure)
    for block, stride in zip(structure.blocks, strides, strict=True):
        hidden = block.hidden_channels
        try:
            yield BlockSpec.model_validate(
                {
                    "in": channels,
                    "out": block.out_channels,
                    "expand": shortest_ratio(channels, hidden) if block.expansion else 1,
                    "kernel": block.depthwise.kernel[0],
                    "stride": stride,
                    "act": act,
                    "expansion": "always" if block.expansion and hidden == channels else "auto",
                }
            )
        except UserError as error:
            raise UserError(f"{path}: {block.depthwise.weight}: {error}") from None
        channels = block.out_channels


def _strides(structure: Structure) -> Sequence[int | tuple[int, int]]:
    """Return the paper's stride of each block.

    Of a network with another number of blocks, the first block of each width has the stride of
    the paper's stage with the same number.
    """
    blocks = structure.blocks
    if structure.stem is None:
        return (1,)
    if len(blocks) == len(_PAPER_STRIDES):
        return _PAPER_STRIDES
    strides: list[int | tuple[int, int]] = []
    widths = groupby(blocks, key=lambda block: block.out_channels)
    for number, (_width, of_width) in enumerate(widths):
        first = PAPER_STAGES[number].stride if number < len(PAPER_STAGES) else 1
        strides += [first, *(1 for _ in [*of_width][1:])]
    return strides


def _origins(
    structure: Structure, scheme: Scheme, relative: Preset | None
) -> Iterator[FieldOrigin]:
    """Yield how each field is known. A field that two tensors contradict is not read."""
    contradicted = list(structure.contradictions())
    keys = {one.key for one in contradicted}
    yield from (one for one in _read(structure) if one.key not in keys)
    yield from (FieldOrigin(one.key, How.CONTRADICTED, one.why) for one in contradicted)
    if relative is not None:
        yield from _assumed_of_relative(structure, relative)
    else:
        yield from _assumed(structure, scheme)
    yield from _left_out(structure)


def _read(structure: Structure) -> Iterator[FieldOrigin]:
    """Yield the fields that shapes tell, each with a tensor that tells it."""
    first = structure.blocks[0]
    if structure.stem:
        for key in ("in", "stem"):
            yield FieldOrigin(key, How.READ, structure.stem.weight)
    many = len(structure.blocks)
    rest = f" and {many - 1} more" if many > 1 else ""
    yield FieldOrigin("channels", How.READ, f"{first.projection.weight}{rest}")
    expansions = [block.expansion for block in structure.blocks if block.expansion]
    why = f"{expansions[0].weight} and {len(expansions) - 1} more" if expansions else "none"
    yield FieldOrigin("expand", How.READ, why)
    yield FieldOrigin("kernel", How.READ, f"{first.depthwise.weight}{rest}")
    squeezed = [block.squeeze[0].weight for block in structure.blocks if block.squeeze]
    if squeezed:
        rest = f" and {len(squeezed) - 1} more" if len(squeezed) > 1 else ""
        yield FieldOrigin("se", How.READ, f"{squeezed[0]}{rest}")
    if structure.classifier_hidden:
        yield FieldOrigin("classifier_hidden", How.READ, structure.classifier_hidden.weight)
    if structure.stem:
        yield from _read_after(structure)


def _read_after(structure: Structure) -> Iterator[FieldOrigin]:
    """Yield ``head`` and ``classes``: none are read if the file has other layers in their place."""
    for key, layer, absent in (
        ("head", structure.head, "no such convolution"),
        ("classes", structure.classifier, "no classifier"),
    ):
        if layer is not None:
            yield FieldOrigin(key, How.READ, layer.weight)
        elif not structure.others:
            yield FieldOrigin(key, How.READ, absent)


def _assumed_of_relative(structure: Structure, preset: Preset) -> Iterator[FieldOrigin]:
    """Yield the fields that no weights tell, and that a preset with the same shapes does."""
    why = f"not in weights: those of {preset.name}, which has these shapes"
    keys = ("strides", "dilation", "act", "size", "shortcut", "padding", "norm_eps")
    squeeze = ("se_act", "se_gate") if any(block.squeeze for block in structure.blocks) else ()
    dropout = ("dropout",) if structure.classifier else ()
    for key in (*keys, *squeeze, *dropout):
        yield FieldOrigin(key, How.ASSUMED, why)


def _assumed(structure: Structure, scheme: Scheme) -> Iterator[FieldOrigin]:
    """Yield the fields that no weights tell."""
    is_block = structure.stem is None
    why = "not in weights: the default of a block" if is_block else _NOT_IN_WEIGHTS
    for key in (
        ("stride", "dilation", "act", "size", "shortcut")
        if is_block
        else ("strides", "dilation", "act", "size", "shortcut")
    ):
        yield FieldOrigin(key, How.ASSUMED, why)
    if any(block.squeeze for block in structure.blocks):
        why = "not in weights: the block's activation, and a sigmoid"
        for key in ("se_act", "se_gate"):
            yield FieldOrigin(key, How.ASSUMED, why)
    if structure.classifier and not is_block:
        of = f"{scheme.codebase}'s" if scheme.codebase else "the paper's"
        yield FieldOrigin("dropout", How.ASSUMED, f"not in weights: {of}")
    of = f"{scheme.codebase}'s" if scheme.codebase else "PyTorch's"
    for key in ("padding", "norm_eps"):
        yield FieldOrigin(key, How.ASSUMED, f"not in weights: {of}")


def _left_out(structure: Structure) -> Iterator[FieldOrigin]:
    """Yield what the spec leaves out of the file."""
    if not structure.norms:
        why = "the file has none: they are folded into the convolutions, or left out"
        yield FieldOrigin("norms", How.ASSUMED, why)
    elif biased := _biased(structure):
        why = f"{biased.path} has one, and convolutions of mbv2 have none"
        yield FieldOrigin("bias", How.LEFT_OUT, why)
    if structure.others:
        number = len(structure.others) - 1
        more = f" and {number:,} more" if number else ""
        what = "" if structure.classifier else "; the spec is the backbone alone"
        why = f"{structure.others[0].path}{more}{what}"
        yield FieldOrigin("other layers", How.LEFT_OUT, why)


def _biased(structure: Structure) -> Layer | None:
    """Return the first convolution that has a bias beside its norm; None if none has."""
    convs = [conv for block in structure.blocks for conv in block.convs]
    every = [one for one in (structure.stem, *convs, structure.head) if one]
    return next((one for one in every if one.has_bias), None)
