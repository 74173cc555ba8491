"""Which codebase names tensors in this way."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from mbv2cli.specs.relatives import DEFAULT_EPS


class Scheme(NamedTuple):
    """A codebase: the name of a tensor that only it gives, and what its code gives a network.

    That is the dropout of the classifier, the epsilon of every BatchNorm, and the padding. The
    names of its presets start with ``presets``.
    """

    codebase: str
    presets: str
    name: str
    dropout: float
    norm_eps: float = DEFAULT_EPS
    padding: str = "torch"


_TENSORFLOW: Final = (1e-3, "same")
"""The epsilon and the padding that TensorFlow's networks have, and those converted from them."""

_SCHEMES: Final = (
    Scheme("torchvision", "torchvision", r"(?:^|\.)features\.\d+\.conv\.\d+\.0\.weight", 0.2),
    Scheme("tonylins", "paper", r"(?:^|\.)features\.\d+\.conv\.\d+\.weight", 0.0),
    Scheme("timm", "mobilenetv2_", r"(?:^|\.)blocks\.\d+\.\d+\.conv_dw\.weight", 0.0),
    Scheme(
        "Hugging Face",
        "hf_",
        r"(?:^|\.)conv_stem\.first_conv\.convolution\.weight",
        0.8,
        *_TENSORFLOW,
    ),
    Scheme("MMPretrain", "paper", r"(?:^|\.)layer\d\.\d+\.conv\.\d+\.conv\.weight", 0.0),
    Scheme("once-for-all", "mcunet_", r"(?:^|\.)mobile_inverted_conv\.depth_conv\.", 0.0, 1e-3),
    Scheme(
        "TF-slim", "tfslim_", r"MobilenetV2/expanded_conv(?:_\d+)?/depthwise", 0.2, *_TENSORFLOW
    ),
    Scheme("Keras", "keras_", r"(?:^|/)(?:expanded_conv|block_\d+)_depthwise/", 0.0, *_TENSORFLOW),
    Scheme("Keras", "keras_", r"(?:^|/)depthwise_conv2d(?:_\d+)?/vars/0$", 0.0, *_TENSORFLOW),
)
_OF_OTHERS: Final = Scheme("", "paper", "", 0.2)


def scheme_of(names: Iterable[str]) -> Scheme:
    """Return the scheme of names; that without a codebase if no known one fits."""
    every = list(names)
    for scheme in _SCHEMES:
        pattern = re.compile(scheme.name)
        if any(pattern.search(name) for name in every):
            return scheme
    return _OF_OTHERS
