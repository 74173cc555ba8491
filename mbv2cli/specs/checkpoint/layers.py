"""From tensors to layers: convolutions, depthwise convolutions, norms and linear layers.

Names tell which tensors belong to one layer, and shapes tell what the layer is.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import takewhile
from math import prod
from typing import Final, NamedTuple

from mbv2cli.specs.weights.tensors import Layout, Tensor, Weights

_WRAPPERS: Final = frozenset(
    (
        *("state_dict", "model", "model_state_dict", "model_state", "model_weights", "net"),
        *("ema", "ema_model", "model_ema", "ema_state_dict", "state_dict_ema", "network"),
        *("module", "params", "params_ema", "weights"),
    )
)
"""What training programs put around the names of a model."""

_OPTIMIZERS: Final = frozenset(
    ("optim", "optimizer", "optimizers", "optimizer_state_dict", "optimizer_weights")
)
_DOTS: Final = re.compile(r"[./]")
_WORDS: Final = re.compile(r"[._/:]+")
_MOST_WORDS: Final = 40
_PARAMETRIZED: Final = re.compile(r"\.parametrizations\.(\w+)\.\w+$")
_VECTOR: Final = re.compile(
    r"(?:^|[._/:])(?:bias|beta|gamma|(?:running|moving)_(?:mean|var|variance))(?::\d+)?$"
)
"""The names of the vectors that have an element for each output of a layer."""
_KERNELS: Final = (2, 4)
"""The numbers of axes that a kernel may have."""


class LayerKind(StrEnum):
    """What a layer is, by the shape of its weights."""

    CONV = "convolution"
    DEPTHWISE = "depthwise convolution"
    LINEAR = "linear layer"
    NORM = "norm"


class Layer(NamedTuple):
    """A layer. ``path`` is its name, ``weight`` the name of its largest tensor.

    A norm has as many outputs as inputs and no kernel. ``other_sizes`` are the lengths of its
    vectors that should be the number of its outputs and are not: none, unless the file contradicts
    itself. ``place`` is its number in the file.
    """

    path: str
    weight: str
    kind: LayerKind
    in_channels: int
    out_channels: int
    kernel: tuple[int, int]
    has_bias: bool
    other_sizes: tuple[tuple[str, int], ...]
    place: int

    @property
    def words(self) -> tuple[str, ...]:
        """The words of its path."""
        return tuple(_WORDS.split(self.path)[:_MOST_WORDS])

    @property
    def is_pointwise(self) -> bool:
        """Whether it is a 1×1 convolution."""
        return self.kind is LayerKind.CONV and self.kernel == (1, 1)

    @property
    def shape_text(self) -> str:
        """Its channels: ``24 -> 144``."""
        return f"{self.in_channels} -> {self.out_channels}"


def layers_of(weights: Weights) -> tuple[Layer, ...]:
    """Return the layers of the model in a checkpoint, in the order of the file."""
    parts = _parts([one for one in _of_model(weights.tensors) if one.shape])
    found = (_layer(*part, weights.layout, place) for place, part in enumerate(parts))
    return tuple(layer for layer in found if layer)


def _parts(tensors: Sequence[Tensor]) -> Iterator[tuple[str, list[Tensor]]]:
    """Yield the path of each layer with its tensors.

    Names tell which tensors belong together. In a graph, the operation does: it takes a kernel and
    the bias, whatever their names are.
    """
    kernels = {one.operation: one for one in reversed(tensors) if len(one.shape) in _KERNELS}
    kernels.pop(None, None)
    paths = Counter(_parent(one.name) for one in kernels.values())
    groups: dict[str, list[Tensor]] = {}
    for tensor in tensors:
        kernel = kernels.get(tensor.operation, tensor)
        path = _parent(kernel.name)
        groups.setdefault(kernel.name if paths[path] > 1 else path, []).append(tensor)
    yield from groups.items()


def plain_name(name: str) -> str:
    """Return the name of a parameter, where PyTorch stores parts that it is worked out of."""
    return _PARAMETRIZED.sub(r".\1", name)


def natural(text: str) -> tuple[tuple[int, ...], str]:
    """Return what orders paths as a reader would: by their numbers, then by their text."""
    return tuple(int(number) for number in re.findall(r"\d{1,9}", text)), text


def shared_words(layers: Sequence[Layer]) -> tuple[str, ...]:
    """Return the first words that the paths of all layers have."""
    pairs = zip(*(layer.words for layer in layers), strict=False)
    return tuple(words[0] for words in takewhile(lambda words: len({*words}) == 1, pairs))


def are_beside(one: Layer, other: Layer) -> bool:
    """Return whether two layers have one parent."""
    return one.words[:-1] == other.words[:-1]


def _parent(name: str) -> str:
    name = plain_name(name)
    end = max(name.rfind("."), name.rfind("/"))
    return name[:end] if end > 0 else name


def _of_model(tensors: Sequence[Tensor]) -> Sequence[Tensor]:
    """Return the tensors of one model: a training program may have saved its moving average too.

    Of several models, that with most kernels is taken, and of equals the first.
    """
    models: dict[tuple[str, ...], list[Tensor]] = {}
    for tensor in tensors:
        models.setdefault(_wrapper(tensor.name), []).append(tensor)
    models.pop(("optimizer",), None)
    if not models:
        return ()
    found = max(models.values(), key=_kernels)
    return max(_side_by_side(found), key=_kernels)


def _kernels(tensors: Sequence[Tensor]) -> int:
    return sum(len(one.shape) == 4 for one in tensors)  # noqa: PLR2004


def _side_by_side(tensors: Sequence[Tensor]) -> Sequence[Sequence[Tensor]]:
    """Return the models with the same names beside each other, as teacher and student have them.

    Each has a convolution of an image: blocks have the names of other blocks too.
    """
    words = [tuple(_DOTS.split(one.name, maxsplit=_MOST_WORDS)) for one in tensors]
    # what the first and the last in order share, all share
    pairs = zip(min(words), max(words), strict=False)
    shared = len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))
    models: dict[str, list[Tensor]] = {}
    names: dict[str, set[tuple[str, ...]]] = {}
    for own, tensor in zip(words, tensors, strict=True):
        key = own[shared] if len(own) > shared else ""
        models.setdefault(key, []).append(tensor)
        names.setdefault(key, set()).add(own[shared + 1 :])
    whole = [key for key, model in models.items() if any(map(_is_of_image, model))]
    twice = [key for key in whole if [names[one] for one in whole].count(names[key]) > 1]
    return [models[key] for key in twice] or [tensors]


def _is_of_image(tensor: Tensor) -> bool:
    return len(tensor.shape) == 4 and tensor.shape[1] == 3 and tensor.shape[2] > 1  # noqa: PLR2004


def _wrapper(name: str) -> tuple[str, ...]:
    words: list[str] = []
    for word in _DOTS.split(name, maxsplit=_MOST_WORDS)[:-1]:
        if word in _OPTIMIZERS:
            return ("optimizer",)
        if word not in _WRAPPERS:
            break
        words.append(word)
    return tuple(words)


def _layer(path: str, tensors: Sequence[Tensor], layout: Layout, place: int) -> Layer | None:
    kernels = [one for one in tensors if len(one.shape) in _KERNELS]
    vectors = [one for one in tensors if len(one.shape) == 1]
    if kernels:
        kernel = max(kernels, key=lambda one: prod(one.shape))
        sizes = _kernel(kernel, layout)
        # a bias, or the vectors of a norm that some codebases store beside the kernel
        own = [one for one in vectors if one.shape[0] == sizes[2]]
        wrong = [one for one in vectors if one not in own and _is_of_outputs(one, kernel)]
        others = tuple((one.name, one.shape[0]) for one in wrong)
        return Layer(path, kernel.name, *sizes, bool(own or wrong), others, place)
    if len(vectors) < 2 or all(one.shape == (1,) for one in vectors):  # noqa: PLR2004
        return None  # a norm has a scale and a shift, or statistics; a scale of 1 quantizes
    first = vectors[0]
    size = first.shape[0]
    others = tuple((one.name, one.shape[0]) for one in vectors[1:] if one.shape[0] != size)
    norm = (LayerKind.NORM, size, size, (0, 0))
    return Layer(path, first.name, *norm, has_bias=False, other_sizes=others, place=place)


def _is_of_outputs(vector: Tensor, kernel: Tensor) -> bool:
    """Return whether a vector should have an element for each output of a kernel."""
    in_graph = vector.operation is not None and vector.shape != (1,)
    return (in_graph and vector.operation == kernel.operation) or bool(_VECTOR.search(vector.name))


def _kernel(tensor: Tensor, layout: Layout) -> tuple[LayerKind, int, int, tuple[int, int]]:
    """Return what the layer of a kernel is, with its input and output channels and its sides."""
    shape = tensor.shape
    if len(shape) == 2:  # noqa: PLR2004
        outs, ins = shape if layout is Layout.OIHW else shape[::-1]
        return LayerKind.LINEAR, ins, outs, (1, 1)
    if layout is Layout.HWIO:
        height, width, ins, outs = shape
        if "depthwise" in tensor.name and outs == 1:
            return LayerKind.DEPTHWISE, ins, ins, (height, width)
        return LayerKind.CONV, ins, outs, (height, width)
    outs, ins, height, width = shape
    if ins == 1 and (height, width) != (1, 1):
        return LayerKind.DEPTHWISE, outs, outs, (height, width)
    return LayerKind.CONV, ins, outs, (height, width)


def counted(layers: Iterable[Layer]) -> str:
    """Return what layers there are: ``52 convolutions, 17 of them depthwise; 1 linear layer``."""
    kinds = [layer.kind for layer in layers]
    depthwise = kinds.count(LayerKind.DEPTHWISE)
    convs, linears = kinds.count(LayerKind.CONV) + depthwise, kinds.count(LayerKind.LINEAR)
    return (
        f"{convs:,} convolution{'s' * (convs != 1)}, {depthwise:,} of them depthwise; "
        f"{linears:,} linear layer{'s' * (linears != 1)}"
    )
