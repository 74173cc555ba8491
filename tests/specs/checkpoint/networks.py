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
        *(
            tuple(f"mobilenet_v2.{name}.{part}" for part in ("convolution", "normalization"))
            for name in (
                "conv_stem.first_conv",
                "layer.{k}.expand_1x1",
                "layer.{k}.conv_3x3",
                "layer.{k}.reduce_1x1",
            )
        ),
        {
            role: (
                f"mobilenet_v2.conv_stem.{name}.convolution",
                f"mobilenet_v2.conv_stem.{name}.normalization",
            )
            for role, name in (("depthwise", "conv_3x3"), ("projection", "reduce_1x1"))
        },
        ("mobilenet_v2.conv_1x1.convolution", "mobilenet_v2.conv_1x1.normalization"),
        "classifier",
    ),
    "MMPretrain": Names(
        ("backbone.conv1.conv", "backbone.conv1.bn"),
        *(
            (
                f"backbone.layer{{s}}.{{n}}.conv.{number}.conv",
                f"backbone.layer{{s}}.{{n}}.conv.{number}.bn",
            )
            for number in range(3)
        ),
        {
            role: (
                f"backbone.layer{{s}}.{{n}}.conv.{number}.conv",
                f"backbone.layer{{s}}.{{n}}.conv.{number}.bn",
            )
            for number, role in enumerate(("depthwise", "projection"))
        },
        ("backbone.conv2.conv", "backbone.conv2.bn"),
        "head.fc",
    ),
    "Keras": Names(
        ("Conv1/Conv1", "bn_Conv1/bn_Conv1"),
        *(
            (
                f"block_{{i}}_{role}/block_{{i}}_{role}",
                f"block_{{i}}_{role}_BN/block_{{i}}_{role}_BN",
            )
            for role in ("expand", "depthwise", "project")
        ),
        {
            role: (
                f"expanded_conv_{name}/expanded_conv_{name}",
                f"expanded_conv_{name}_BN/expanded_conv_{name}_BN",
            )
            for role, name in (("depthwise", "depthwise"), ("projection", "project"))
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
