"""The layers after the blocks: a head and a classifier, if they are those of a MobileNetV2.

The head of a segmentation, a detection or a transformer is none: its layers are told apart by what
they take and make, by the norms beside them, and by their place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mbv2cli.specs.checkpoint.layers import Layer, LayerKind, are_beside, shared_words


class After(NamedTuple):
    """The head, the classifier's hidden layer and its last one."""

    head: Layer | None
    classifier_hidden: Layer | None
    classifier: Layer | None


class Outside(NamedTuple):
    """The layers outside stem and blocks, and all norms.

    ``trunk`` has the stem and the depthwise convolutions, ``last`` is the last projection.
    """

    trunk: Sequence[Layer]
    last: Layer
    layers: Sequence[Layer]
    norms: Sequence[Layer]

    def after(self) -> After:
        """Return the layers after the blocks. A head of another kind is none of them."""
        channels = self.last.out_channels
        pointwise = [one for one in self.layers if one.is_pointwise]
        linears = [one for one in self.layers if one.kind is LayerKind.LINEAR]
        head = self._head(channels)
        is_last = head is not None and not linears and len(self.layers) == 1
        if is_last and head and head.has_bias and self.norms:
            return After(None, None, head)  # a classifier that is a 1×1 convolution
        features = head.out_channels if head else channels
        rest = [*linears, *(one for one in pointwise if one is not head)]
        fitting = [one for one in rest if one.in_channels == features]
        wrong = linears if len(linears) == 1 and linears[0].in_channels % features else []
        first = next(iter([*fitting, *wrong]), None)
        second = next((one for one in rest if first and _is_second(first, one)), None)
        found = After(head, first, second) if second else After(head, None, first)
        return found if self._is_classifier(found, features) else After(head, None, None)

    def _head(self, channels: int) -> Layer | None:
        """Return the last convolution before the pooling.

        It stands beside the blocks, or is the only convolution that takes their channels: ASPP has
        several.
        """
        takers = [
            one
            for one in self.layers
            if one.kind is not LayerKind.LINEAR and one.in_channels == channels
        ]
        shared = shared_words(self.trunk)
        beside = [one for one in takers if shared and one.words[: len(shared)] == shared]
        found = (beside or takers)[:1] if beside or len(takers) == 1 else []
        return next((one for one in found if one.is_pointwise), None)

    def _is_classifier(self, after: After, features: int) -> bool:
        """Return whether nothing follows a classifier, and nothing but a head is before it.

        Other linear layers are heads beside it: they take the features, or what such a layer makes.
        """
        if after.classifier is None:
            return True
        others = [one for one in self.layers if one not in after]
        dense = [one for one in others if one.kind is not LayerKind.LINEAR]
        own = [one for one in after[1:] if one]
        if any(one.is_pointwise for one in own) and (dense or any(map(self._has_norm, own))):
            return False
        last = after.classifier
        start = self.last.place
        before = [
            one
            for one in others
            if start < one.place < last.place
            and not (one.kind is LayerKind.LINEAR and one.in_channels == features)
        ]
        makes = {one.out_channels for one in self.layers if one.kind is LayerKind.LINEAR}
        aside = [
            one
            for one in others
            if one.in_channels == last.out_channels
            or one.out_channels == features
            or one.in_channels not in {features, *makes}
        ]
        return not before and not any(one.kind is LayerKind.LINEAR for one in aside)

    def _has_norm(self, layer: Layer) -> bool:
        """Return whether a norm with as many elements stands beside a layer."""
        return any(
            are_beside(norm, layer) and norm.out_channels == layer.out_channels
            for norm in self.norms
        )


def _is_second(first: Layer, layer: Layer) -> bool:
    """Return whether a layer is the last of a classifier whose hidden layer is ``first``."""
    takes = layer is not first and layer.in_channels == first.out_channels
    return takes and (layer.kind is LayerKind.LINEAR or layer.has_bias)
