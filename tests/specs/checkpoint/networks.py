"""The names and shapes of the tensors of a network, as several codebases have them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple, TypeAlias

from mbv2cli import NetworkSpec
from mbv2cli.specs.block import BlockSpec
from mbv2cli.specs.weights.tensors import Layout, Tensor, Weights

Shapes: TypeAlias = Iterator[tuple[str, tuple[int, ...]]]


class Names(NamedTuple):
    """Names of a codebase: of the stem, of the roles of block ``i``, of head and classifier.

    ``{i}`` counts blocks from 0, ``{j}`` from 1, ``{stage}`` and ``{n}`` are stage and repeat.
    Each is a convolution and its norm. ``first`` has the names of a block without expansion.
    """

    stem: tuple[str, str]
    expansion: tuple[str, str]
    depthwise: tuple[str, str]
    projection: tuple[str, str]
    first: Mapping[str, tuple[str, str]]
    head: tuple[str, str]
    classifier: str
    dot: str = "."


def _hugging_face(name: str) -> tuple[str, str]:
    return f"mobilenet_v2.{name}.convolution", f"mobilenet_v2.{name}.normalization"


def _mmpretrain(name: str) -> tuple[str, str]:
    return f"backbone.{name}.conv", f"backbone.{name}.bn"


def _keras(name: str) -> tuple[str, str]:
    return f"{name}/{name}", f"{name}_BN/{name}_BN"


CODEBASES: Final[Mapping[str, Names]] = {
    "torchvision": Names(
        ("features.0.0", "features.0.1"),
        ("features.{j}.conv.0.0", "features.{j}.conv.0.1"),
        ("features.{j}.conv.1.0", "features.{j}.conv.1.1"),
        ("features.{j}.conv.2", "features.{j}.conv.3"),
        {
            "depthwise": ("features.{j}.conv.0.0", "features.{j}.conv.0.1"),
            "projection": ("features.{j}.conv.1", "features.{j}.conv.2"),
        },
        ("features.{end}.0", "features.{end}.1"),
        "classifier.1",
    ),
    "tonylins": Names(
        ("features.0.0", "features.0.1"),
        ("features.{j}.conv.0", "features.{j}.conv.1"),
        ("features.{j}.conv.3", "features.{j}.conv.4"),
        ("features.{j}.conv.6", "features.{j}.conv.7"),
        {
            "depthwise": ("features.{j}.conv.0", "features.{j}.conv.1"),
            "projection": ("features.{j}.conv.3", "features.{j}.conv.4"),
        },
        ("conv.0", "conv.1"),
        "classifier",
    ),
    "timm": Names(
        ("conv_stem", "bn1"),
        ("blocks.{stage}.{n}.conv_pw", "blocks.{stage}.{n}.bn1"),
        ("blocks.{stage}.{n}.conv_dw", "blocks.{stage}.{n}.bn2"),
        ("blocks.{stage}.{n}.conv_pwl", "blocks.{stage}.{n}.bn3"),
        {
            "depthwise": ("blocks.{stage}.{n}.conv_dw", "blocks.{stage}.{n}.bn1"),
            "projection": ("blocks.{stage}.{n}.conv_pw", "blocks.{stage}.{n}.bn2"),
        },
        ("conv_head", "bn2"),
        "classifier",
    ),
    "Hugging Face": Names(
        _hugging_face("conv_stem.first_conv"),
        _hugging_face("layer.{k}.expand_1x1"),
        _hugging_face("layer.{k}.conv_3x3"),
        _hugging_face("layer.{k}.reduce_1x1"),
        {
            "depthwise": _hugging_face("conv_stem.conv_3x3"),
            "projection": _hugging_face("conv_stem.reduce_1x1"),
        },
        _hugging_face("conv_1x1"),
        "classifier",
    ),
    "MMPretrain": Names(
        _mmpretrain("conv1"),
        _mmpretrain("layer{s}.{n}.conv.0"),
        _mmpretrain("layer{s}.{n}.conv.1"),
        _mmpretrain("layer{s}.{n}.conv.2"),
        {
            "depthwise": _mmpretrain("layer{s}.{n}.conv.0"),
            "projection": _mmpretrain("layer{s}.{n}.conv.1"),
        },
        _mmpretrain("conv2"),
        "head.fc",
    ),
    "Keras": Names(
        ("Conv1/Conv1", "bn_Conv1/bn_Conv1"),
        _keras("block_{i}_expand"),
        _keras("block_{i}_depthwise"),
        _keras("block_{i}_project"),
        {
            "depthwise": _keras("expanded_conv_depthwise"),
            "projection": _keras("expanded_conv_project"),
        },
        ("Conv_1/Conv_1", "Conv_1_bn/Conv_1_bn"),
        "predictions/predictions",
        "/",
    ),
}


def weights_of(spec: NetworkSpec, codebase: str) -> Weights:
    """Return the tensors of a network under the names of a codebase, in forward order."""
    names = CODEBASES[codebase]
    layout = Layout.HWIO if names.dot == "/" else Layout.OIHW
    tensors = [Tensor(name, shape, "float32") for name, shape in _shapes(spec, names)]
    return Weights("test", tuple(tensors), layout)


def alphabetical(weights: Weights) -> Weights:
    """Return the tensors in the order of their names, as safetensors and HDF5 have them."""
    return Weights(weights.format, tuple(sorted(weights.tensors)), weights.layout)


def _shapes(spec: NetworkSpec, names: Names) -> Shapes:
    conv = _of_keras if names.dot == "/" else _of_torch
    yield from conv(names.stem, spec.in_channels, spec.stem_channels, 3)
    channels = spec.stem_channels
    for place, block in _places(spec):
        roles = names.first if not block.has_expansion else names._asdict()
        own = {
            role: tuple(name.format(**place) for name in pair)
            for role, pair in roles.items()
            if role in _ROLES
        }
        if block.has_expansion:
            yield from conv(own["expansion"], channels, block.hidden_channels, 1)
        yield from conv(own["depthwise"], 0, block.hidden_channels, block.kernel)
        yield from conv(own["projection"], block.hidden_channels, block.out_channels, 1)
        channels = block.out_channels
    end = {"end": len(spec.blocks) + 1}
    if spec.head_channels:
        head = tuple(name.format(**end) for name in names.head)
        yield from conv(head, channels, spec.head_channels, 1)
        channels = spec.head_channels
    if spec.classes:
        kernel = (channels, spec.classes) if names.dot == "/" else (spec.classes, channels)
        yield f"{names.classifier}{names.dot}{'kernel' if names.dot == '/' else 'weight'}", kernel
        yield f"{names.classifier}{names.dot}bias", (spec.classes,)


_ROLES: Final = ("expansion", "depthwise", "projection")


def _places(spec: NetworkSpec) -> Iterator[tuple[dict[str, int], BlockSpec]]:
    number = 0
    for stage, repeats in enumerate(spec.repeats):
        for repeat in range(repeats):
            yield (
                {
                    "i": number,
                    "j": number + 1,
                    "k": number - 1,
                    "stage": stage,
                    "s": stage + 1,
                    "n": repeat,
                },
                spec.blocks[number],
            )
            number += 1


def _of_torch(names: tuple[str, ...], ins: int, outs: int, kernel: int) -> Shapes:
    yield f"{names[0]}.weight", (outs, ins or 1, kernel, kernel)
    for part in ("weight", "bias", "running_mean", "running_var"):
        yield f"{names[1]}.{part}", (outs,)
    yield f"{names[1]}.num_batches_tracked", ()


def _of_keras(names: tuple[str, ...], ins: int, outs: int, kernel: int) -> Shapes:
    if ins:
        yield f"{names[0]}/kernel:0", (kernel, kernel, ins, outs)
    else:
        yield f"{names[0]}/depthwise_kernel:0", (kernel, kernel, outs, 1)
    for part in ("beta", "gamma", "moving_mean", "moving_variance"):
        yield f"{names[1]}/{part}:0", (outs,)
