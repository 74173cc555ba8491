"""From layers to a stem, inverted residual blocks, a head and a classifier.

A block is found around its depthwise convolution: it has the layers whose names start with the
shortest common part of the names of a depthwise and a 1×1 convolution. Where names do not tell
blocks apart, the order and the channels of the convolutions do.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile
from typing import Final, NamedTuple

from mbv2cli.specs.checkpoint.after import Outside
from mbv2cli.specs.checkpoint.layers import Layer, LayerKind, are_beside, natural, shared_words
from mbv2cli.specs.network import MAX_BLOCKS, STEM_KERNEL
from mbv2cli.specs.weights.tensors import Layout

_MAX_CONVS: Final = 4 * MAX_BLOCKS
_STEM_WORDS: Final = ("first_conv", "conv_stem", "features.0", "conv1", "Conv1", "stem")


class OtherModelError(Exception):
    """The layers are not those of a MobileNetV2. The message says why: the end of a sentence."""


class Contradiction(NamedTuple):
    """Two tensors that disagree: the field that they are about, and what each says."""

    key: str
    why: str


class Block(NamedTuple):
    """The convolutions of an inverted residual block, its squeeze-excite and its norms.

    ``squeeze_norms`` are those between the two layers of squeeze-excite.
    """

    path: str
    expansion: Layer | None
    depthwise: Layer
    projection: Layer
    norms: tuple[Layer, ...]
    squeeze: tuple[Layer, ...] = ()
    squeeze_norms: tuple[Layer, ...] = ()

    @property
    def first(self) -> Layer:
        """The convolution that takes the input of the block."""
        return self.expansion or self.depthwise

    @property
    def in_channels(self) -> int:
        """Channels of the input."""
        return self.first.in_channels

    @property
    def hidden_channels(self) -> int:
        """Channels of the depthwise convolution."""
        return self.depthwise.out_channels

    @property
    def out_channels(self) -> int:
        """Channels of the output."""
        return self.projection.out_channels

    @property
    def squeezed_channels(self) -> int:
        """Channels inside squeeze-excite; 0 without it."""
        return self.squeeze[0].out_channels if self.squeeze else 0

    @property
    def layers(self) -> tuple[Layer, ...]:
        """All of its layers."""
        return (*self.convs, *self.squeeze, *self.norms, *self.squeeze_norms)

    @property
    def convs(self) -> tuple[Layer, ...]:
        """Its convolutions in forward order."""
        before = (self.expansion,) if self.expansion else ()
        return (*before, self.depthwise, self.projection)


@dataclass(frozen=True)
class Structure:
    """The layers of a checkpoint, by what they are. ``others`` have no part in a MobileNetV2."""

    stem: Layer | None
    blocks: tuple[Block, ...]
    head: Layer | None
    classifier_hidden: Layer | None
    classifier: Layer | None
    norms: tuple[Layer, ...]
    others: tuple[Layer, ...]

    @property
    def in_channels(self) -> int:
        """Channels of the input."""
        if self.stem is None:
            return self.blocks[0].in_channels
        return 1 if self.stem.kind is LayerKind.DEPTHWISE else self.stem.in_channels

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield the tensors that disagree with others."""
        yield from self._vectors()
        maker = self.stem
        for block in self.blocks:
            if maker is not None and block.in_channels != maker.out_channels:
                yield _disagree(block.first, maker)
            yield from _within(block)
            maker = block.projection
        last = self.classifier_hidden or self.head or maker
        taker = self.classifier
        if taker and last and taker.in_channels != last.out_channels:
            yield Contradiction(
                "classes",
                f"{taker.weight} takes {taker.in_channels} values, but {last.weight} makes "
                f"{last.out_channels} channels",
            )

    def _vectors(self) -> Iterator[Contradiction]:
        """Yield the biases and the vectors of norms that have not an element for each output."""
        for norm in self.norms:
            for name, size in norm.other_sizes[:1]:
                why = f"{name} has {size} elements, but {norm.weight} has {norm.out_channels}"
                yield Contradiction("channels", why)
        for key, layer in (*self._outer(), *self._inner()):
            for name, size in layer.other_sizes[:1]:
                makes = f"{layer.weight} makes {layer.out_channels} channels"
                yield Contradiction(key, f"{name} has {size} elements, but {makes}")
        yield from self._outer_norms()

    def _inner(self) -> Iterator[tuple[str, Layer]]:
        """Yield the layers of blocks, each with the field that it tells."""
        for block in self.blocks:
            yield from (("channels", one) for one in block.convs)
            yield from (("se", one) for one in block.squeeze)

    def _outer(self) -> Iterator[tuple[str, Layer]]:
        """Yield the layers outside blocks, each with the field that it tells."""
        for key, layer in (
            ("stem", self.stem),
            ("head", self.head),
            ("classifier_hidden", self.classifier_hidden),
            ("classes", self.classifier),
        ):
            if layer is not None:
                yield key, layer

    def _outer_norms(self) -> Iterator[Contradiction]:
        """Yield the norms outside blocks that fit no convolution there.

        A norm that has the parent of one convolution alone is of that convolution.
        """
        outer = list(self._outer())
        sizes = {self.in_channels, self.blocks[-1].out_channels}
        sizes |= {one.out_channels for one in (*(layer for _, layer in outer), *self.others)}
        inner = {norm.path for block in self.blocks for norm in block.norms}
        for norm in self.norms:
            if norm.path in inner or norm in self.others:
                continue
            beside = [one for one in (*outer, *self._inner()) if are_beside(norm, one[1])]
            if len(beside) == 1 and norm.words[1:]:
                key, layer = beside[0]
                if layer.out_channels == norm.out_channels:
                    continue
                made = f"{layer.weight} makes {layer.out_channels} channels"
            elif all(block.norms for block in self.blocks) and norm.out_channels not in sizes:
                key, made = "channels", "no convolution outside the blocks makes as many channels"
            else:
                continue
            yield Contradiction(key, f"{norm.weight} has {norm.out_channels} elements, but {made}")


def structure_of(layers: Sequence[Layer], layout: Layout) -> Structure:
    """Return what layers are in a MobileNetV2. Raises `OtherModelError`."""
    return _Reading(layers, layout).structure()


class _Reading:
    """The layers, sorted by what they may be."""

    def __init__(self, layers: Sequence[Layer], layout: Layout) -> None:
        self.layers = layers
        self.layout = layout
        self.stem = _stem_of(layers)
        self.depthwise = [
            one for one in layers if one.kind is LayerKind.DEPTHWISE and one is not self.stem
        ]
        self.pointwise = [one for one in layers if one.is_pointwise]
        self.norms = tuple(one for one in layers if one.kind is LayerKind.NORM)
        self._refuse_others()

    def _refuse_others(self) -> None:
        if len(self.layers) > 2 * _MAX_CONVS:
            raise OtherModelError(f"it has {len(self.layers):,} layers")
        if not self.depthwise or not self.pointwise:
            raise OtherModelError("it has no depthwise convolution with 1x1 convolutions around it")
        if self.stem is not None and self.stem.kernel != (STEM_KERNEL, STEM_KERNEL):
            height, width = self.stem.kernel
            raise OtherModelError(
                f"its first convolution, {self.stem.weight}, has a kernel of {height}x{width}, and "
                f"that of a MobileNetV2 has one of {STEM_KERNEL}x{STEM_KERNEL}"
            )

    def structure(self) -> Structure:
        """Return the structure. Raises `OtherModelError`."""
        named = self._named_blocks()
        blocks = self._in_order(named) if named else list(self._chained_blocks())
        _refuse_other_blocks(blocks, self.stem)
        inside = {layer.path for block in blocks for layer in block.layers}
        outside = [
            one
            for one in self.layers
            if one.path not in inside and one is not self.stem and one.kind is not LayerKind.NORM
        ]
        if named:
            _refuse_parts_of_a_block(outside, blocks)
            blocks = self._with_norms(blocks)
        trunk = [one for one in (self.stem, *(block.depthwise for block in blocks)) if one]
        after = Outside(trunk, blocks[-1].projection, outside, self.norms).after()
        others = [one for one in outside if one not in after]
        _refuse_between(others, blocks, self.stem)
        _refuse_other_chain(self.stem, blocks)
        # mbv2 has no norm in squeeze-excite, and none after the head
        others += [norm for block in blocks for norm in block.squeeze_norms]
        others += _spare_norms([self.stem, after.head], blocks, self.norms) if named else []
        return Structure(self.stem, tuple(blocks), *after, self.norms, tuple(others))

    def _with_norms(self, blocks: Sequence[Block]) -> list[Block]:
        """Return blocks with the norms that stand beside their convolutions under other names."""
        folders = [_shared_folder(block.convs) for block in blocks]
        if "" in folders or len({*folders}) < len(folders):
            return list(blocks)
        return [
            block
            if block.norms
            else block._replace(
                norms=tuple(
                    one
                    for one in self.norms
                    if one.path.startswith(folder) and one not in block.squeeze_norms
                )
            )
            for block, folder in zip(blocks, folders, strict=True)
        ]

    def _named_blocks(self) -> list[Block] | None:
        """Return the blocks that names tell apart; None if they do not."""
        around: dict[tuple[str, ...], list[Layer]] = {}
        stem_words = self.stem.words[:-1] if self.stem else ()
        for layer in self.layers:
            if layer is self.stem or (
                layer.kind is LayerKind.NORM and stem_words and layer.words[:-1] == stem_words
            ):
                continue
            words = layer.words
            for end in range(len(words)):
                around.setdefault(words[:end], []).append(layer)
        blocks = [_block_around(layer, around) for layer in self.depthwise]
        return None if None in blocks else [block for block in blocks if block]

    def _in_order(self, blocks: list[Block]) -> list[Block]:
        """Return blocks so that each takes what the one before makes, if an order does that."""
        by_name = sorted(blocks, key=lambda block: natural(block.path))
        by_place = sorted(blocks, key=lambda block: block.depthwise.place)
        return next((one for one in (by_name, by_place) if _is_chain(self.stem, one)), by_name)

    def _chained_blocks(self) -> Iterator[Block]:
        """Yield the blocks by the order and the channels of the convolutions."""
        depthwise, pointwise = self.depthwise, self.pointwise
        if self.layout is Layout.HWIO:  # the file has its names in alphabetical order
            depthwise = sorted(depthwise, key=lambda one: natural(one.path))
            pointwise = sorted(pointwise, key=lambda one: natural(one.path))
        left = iter(pointwise)
        channels = self.stem.out_channels if self.stem else pointwise[0].in_channels
        for layer in depthwise:
            expansion = next(left, None) if layer.out_channels != channels else None
            projection = next(left, None)
            if expansion and (expansion.in_channels, expansion.out_channels) != (
                channels,
                layer.out_channels,
            ):
                raise OtherModelError(_unchained(expansion, channels, layer))
            if projection is None or projection.in_channels != layer.out_channels:
                raise OtherModelError(_unprojected(projection, layer))
            yield Block(layer.path, expansion, layer, projection, ())
            channels = projection.out_channels


def _stem_of(layers: Sequence[Layer]) -> Layer | None:
    """Return the first convolution that is neither 1×1 nor depthwise.

    With one input channel, the kernel of a stem looks like that of a depthwise convolution.
    """
    dense = [one for one in layers if one.kind is LayerKind.CONV and not one.is_pointwise]
    if dense:
        return min(dense, key=lambda one: (one.place if _is_stem(one) else len(layers), one.place))
    like_it = [one for one in layers if one.kind is LayerKind.DEPTHWISE and _is_stem(one)]
    return next((one for one in like_it if "first_conv" in one.path), next(iter(like_it), None))


def _is_stem(layer: Layer) -> bool:
    return any(word in f"{layer.path}." for word in (f"{one}." for one in _STEM_WORDS))


def _block_around(layer: Layer, around: dict[tuple[str, ...], list[Layer]]) -> Block | None:
    """Return the block of a depthwise convolution; None if names do not tell which it is."""
    words = layer.words
    for end in range(len(words), -1, -1):
        members = around.get(words[:end], [])
        if any(one.is_pointwise for one in members):
            if not _is_alone(members):
                return None
            # squeeze-excite may stand beside the names that the convolutions share
            wider = around.get(words[: end - 1], []) if end > 1 else []
            has_more = _is_alone(wider) and not _squeeze(layer, members) and _squeeze(layer, wider)
            return _block(".".join(words[:end]), layer, wider if has_more else members)
    return None


def _is_alone(members: Sequence[Layer]) -> bool:
    return sum(one.kind is LayerKind.DEPTHWISE for one in members) == 1


def _block(path: str, depthwise: Layer, members: Sequence[Layer]) -> Block:
    squeeze = _squeeze(depthwise, members)
    members = [one for one in members if one not in squeeze]
    pointwise = [one for one in members if one.is_pointwise]
    every = [one for one in members if one.kind is LayerKind.NORM]
    of_squeeze = tuple(
        one
        for one in every
        if squeeze
        and one.out_channels == squeeze[0].out_channels
        and are_beside(one, squeeze[0])
        and not are_beside(one, depthwise)
    )
    norms = tuple(one for one in every if one not in of_squeeze)
    kinds = (LayerKind.NORM, LayerKind.DEPTHWISE)
    other = next((one for one in members if one.kind not in kinds and not one.is_pointwise), None)
    if len(pointwise) > 2 or other is not None:  # noqa: PLR2004  (expansion and projection)
        surplus = other or pointwise[-1]
        raise OtherModelError(
            f"{surplus.weight} is one layer more than an inverted residual block has"
        )
    if len(pointwise) == 1:
        return Block(path, None, depthwise, pointwise[0], norms, squeeze, of_squeeze)
    expansion, projection = pointwise
    hidden = depthwise.out_channels
    if hidden not in (expansion.out_channels, projection.in_channels) and hidden in (
        projection.out_channels,
        expansion.in_channels,
    ):
        expansion, projection = projection, expansion
    return Block(path, expansion, depthwise, projection, norms, squeeze, of_squeeze)


def _squeeze(depthwise: Layer, members: Sequence[Layer]) -> tuple[Layer, ...]:
    """Return the two layers of squeeze-excite: with biases, from the hidden channels and back."""
    hidden = depthwise.out_channels
    mixing = [one for one in members if one.is_pointwise or one.kind is LayerKind.LINEAR]
    layers = [one for one in mixing if one.has_bias]
    others = [one for one in members if one.is_pointwise and one not in layers]
    for one, two in pairwise(layers):
        is_pair = one.in_channels == two.out_channels == hidden
        if is_pair and one.out_channels == two.in_channels and (others or len(layers) > 2):  # noqa: PLR2004
            return one, two
    return ()


def _is_chain(stem: Layer | None, blocks: Sequence[Block]) -> bool:
    start = stem is None or stem.out_channels == blocks[0].in_channels
    return start and all(one.out_channels == two.in_channels for one, two in pairwise(blocks))


def _unchained(expansion: Layer, channels: int, layer: Layer) -> str:
    return (
        f"{expansion.weight} ({expansion.shape_text} channels) does not lead from {channels} "
        f"channels to the {layer.out_channels} of {layer.weight}"
    )


def _unprojected(projection: Layer | None, layer: Layer) -> str:
    if projection is None:
        return f"no 1x1 convolution follows {layer.weight}"
    return (
        f"{projection.weight} ({projection.shape_text} channels) does not take the "
        f"{layer.out_channels} channels of {layer.weight}"
    )


def _refuse_other_blocks(blocks: Sequence[Block], stem: Layer | None) -> None:
    if len(blocks) > 1 and stem is None:
        raise OtherModelError("it has no convolution before the first block")
    if len(blocks) > 1 and all(block.expansion is None for block in blocks):
        raise OtherModelError(
            f"none of its {len(blocks)} blocks has an expansion, as in MobileNetV1"
        )
    for block in blocks:
        height, width = block.depthwise.kernel
        if height != width or height % 2 == 0:
            raise OtherModelError(
                f"{block.depthwise.weight} has a kernel of {height}x{width}, and an inverted "
                "residual block of mbv2 has one of equal, odd sides"
            )


def _refuse_parts_of_a_block(outside: Sequence[Layer], blocks: Sequence[Block]) -> None:
    """Raise `OtherModelError` for a block that lacks its depthwise convolution or its projection.

    The names of its other convolutions are like those of the other blocks.
    """
    expansions = {_pattern(block.expansion) for block in blocks if block.expansion}
    for block in blocks:
        only, hidden = block.projection, block.hidden_channels
        expands = only.out_channels == hidden != only.in_channels
        if block.expansion is None and expands and _pattern(only) in expansions:
            raise OtherModelError(_unprojected(None, block.depthwise))
    patterns = {_pattern(conv) for block in blocks for conv in block.convs}
    parts = [one for one in outside if _pattern(one) in patterns]
    if not parts or not all(one.is_pointwise for one in outside if one.kind is LayerKind.CONV):
        return
    like_it = [one for one in blocks if len(one.depthwise.words) == len(parts[0].words)]
    before = [one for one in like_it if natural(one.first.path) < natural(parts[0].path)]
    number = blocks.index(before[-1]) + 2 if before else 1
    names = " and ".join(one.weight for one in parts[:2])
    raise OtherModelError(
        f"block {number} has no depthwise convolution beside {names}, and a block of a MobileNetV2 "
        "has one"
    )


def _pattern(layer: Layer) -> str:
    return re.sub(r"\d+", "#", layer.path)


def _refuse_between(others: Sequence[Layer], blocks: Sequence[Block], stem: Layer | None) -> None:
    """Raise `OtherModelError` for a layer of another kind between the blocks."""
    between = [one for one in others if _is_between(one, blocks, stem)]
    if not between:
        return
    linear = next((one for one in between if one.kind is LayerKind.LINEAR), None)
    one, more = linear or between[0], len(between) - 1
    rest = f", as {more} more layer{'s are' if more > 1 else ' is'}" if more else ""
    if one.kind is LayerKind.CONV and not one.is_pointwise:
        height, width = one.kernel
        raise OtherModelError(
            f"{one.weight} is a {height}x{width} convolution over all channels before the last "
            "block, as a fused block has one; mbv2 reads no fused block from weights"
        )
    raise OtherModelError(
        f"{one.weight} is a {one.kind} between the blocks{rest}, and a MobileNetV2 has nothing but "
        "inverted residual blocks there"
    )


def _is_between(layer: Layer, blocks: Sequence[Block], stem: Layer | None) -> bool:
    """Return whether a layer stands between the stem and the last block.

    The order of the file tells it, or the number of the layer in what has the blocks too: a file
    may have its names in alphabetical order.
    """
    places = [block.depthwise.place for block in blocks]
    start = blocks[0].first.place
    if stem is not None:
        start = min(start, stem.place)
    if places == sorted(places) and start < layer.place < blocks[-1].projection.place:
        return True
    shared = shared_words([block.depthwise for block in blocks])
    own, last = (_number_after(shared, one) for one in (layer, blocks[-1].first))
    return own is not None and last is not None and own < last


def _number_after(words: tuple[str, ...], layer: Layer) -> int | None:
    """Return the number that follows the first words of a path; None if other words do."""
    rest = layer.words[len(words) :] if layer.words[: len(words)] == words else ()
    return int(rest[0]) if rest and rest[0].isdecimal() else None


def _shared_folder(layers: Sequence[Layer]) -> str:
    """Return the names before the last that all layers have, with a dot or a slash after each."""
    names = [re.findall(r"[^./]*[./]", layer.path) for layer in layers]
    shared = takewhile(lambda one: len({*one}) == 1, zip(*names, strict=False))
    return "".join(one[0] for one in shared)


def _refuse_other_chain(stem: Layer | None, blocks: Sequence[Block]) -> None:
    """Raise `OtherModelError` for blocks that are not in a row, as branches are not.

    One such place is a contradiction: a tensor may be wrong.
    """
    makers = [*([stem] if stem else []), *(block.projection for block in blocks)]
    takers = [block.first for block in (blocks if stem else blocks[1:])]
    breaks = [
        _disagree(taker, maker)
        for maker, taker in zip(makers, takers, strict=False)
        if taker.in_channels != maker.out_channels
    ]
    if len(breaks) > 1:
        raise OtherModelError(
            f"its blocks are not in a row: {breaks[0].why}, and {len(breaks) - 1} more"
        )


def _spare_norms(
    convs: Sequence[Layer | None], blocks: Sequence[Block], norms: Sequence[Layer]
) -> list[Layer]:
    """Return the norms outside blocks beside one for each convolution there."""
    inner = {norm for block in blocks for norm in (*block.norms, *block.squeeze_norms)}
    spare = [norm for norm in norms if norm not in inner]
    for conv in filter(None, convs):
        fitting = [norm for norm in spare if norm.out_channels == conv.out_channels]
        beside = [norm for norm in fitting if are_beside(norm, conv)]
        if not fitting or not all(block.norms for block in blocks):
            return []
        spare.remove((beside or fitting)[0])
    return spare


def _disagree(taker: Layer, maker: Layer) -> Contradiction:
    return Contradiction(
        "channels",
        f"{taker.weight} takes {taker.in_channels} channels, but {maker.weight} makes "
        f"{maker.out_channels}",
    )


def _within(block: Block) -> Iterator[Contradiction]:
    for maker, taker in pairwise(block.convs):
        if maker.out_channels != taker.in_channels:
            yield _disagree(taker, maker)
    if block.norms:
        wanted = Counter(one.out_channels for one in block.convs)
        seen = Counter(one.out_channels for one in block.norms)
        for size in seen - wanted:
            norm = next(one for one in block.norms if one.out_channels == size)
            sizes = ", ".join(str(one.out_channels) for one in block.convs)
            yield Contradiction(
                "channels",
                f"{norm.weight} has {size} elements, but the convolutions of its block make "
                f"{sizes} channels",
            )
        for size in wanted - seen if not seen - wanted else ():
            yield Contradiction(
                "channels", f"no norm of {block.path} has the {size} channels of a convolution"
            )
