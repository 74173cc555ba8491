"""The fields that blocks and networks share for the relatives of MobileNetV2: default and meaning.

Each is there once, so that both say the same. `added` leaves it out of JSON at its default.
"""

from __future__ import annotations

from typing import Any, Final

from mbv2cli.specs.fields import added

DEFAULT_EPS: Final = 1e-5
"""The epsilon of a BatchNorm in PyTorch."""

EXPANSION: Final[Any] = added(
    "auto",
    "auto: no expansion at ratio 1 (paper). always: an expansion at ratio 1 too "
    "(gluon-cv, Paddle).",
)
SHORTCUT: Final[Any] = added(
    "identity",
    "identity: where stride is 1 and in = out (paper). projection: also a 1×1 convolution "
    "where in and out differ (pytorch-cifar). none: no shortcut (timm's noskip).",
)
SE: Final[Any] = added(0.0, "Squeeze-excite ratio; 0 is none (MobileNetV3 and EfficientNet: 0.25).")
SE_OF: Final[Any] = added(
    "in",
    "in: se is a ratio of the block's input channels (EfficientNet). hidden: of the hidden "
    "channels (MobileNetV3).",
)
SE_NEAREST: Final[Any] = added(
    1, "Squeezed channels are rounded to a multiple of this (MobileNetV3: 8)."
)
SE_ACT: Final[Any] = added(
    None, "Activation inside squeeze-excite (MobileNetV3: relu); by default the block's."
)
SE_GATE: Final[Any] = added(
    "sigmoid", "Gate of squeeze-excite: sigmoid (EfficientNet) or hardsigmoid (MobileNetV3)."
)
PADDING: Final[Any] = added(
    "torch",
    "torch: the same padding on both sides. same: TensorFlow's, which pads strided "
    "convolutions on one side (Keras, timm's tf_ models).",
)
NORM_EPS: Final[Any] = added(
    DEFAULT_EPS, "Epsilon of every BatchNorm (TensorFlow and MobileNetV3: 0.001)."
)
HIDDEN_NEAREST: Final[Any] = added(
    1, "Hidden channels are in × t to the nearest multiple of this (timm: 8)."
)
