"""The network JSON of once-for-all, ProxylessNAS and MCUNet, as a TARGET.

What each field does, and its default, is in once-for-all's ``ofa/utils/layers.py``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeGuard

from mbv2cli.errors import UserError, value_text
from mbv2cli.specs.block import adds_its_input, expands, hidden_channels, squeezed_channels
from mbv2cli.specs.fields import MAX_CHANNELS
from mbv2cli.specs.foreign import ForeignModel
from mbv2cli.specs.network import MAX_BLOCKS, STEM_KERNEL, STEM_STRIDE, NetworkSpec
from mbv2cli.specs.origin import FieldOrigin, How, Origin
from mbv2cli.specs.reader import Setting
from mbv2cli.specs.rounding import nearest_multiple

_NAMES: Final = ("ProxylessNASNets", "MobileNetV2", "MobileNetV3")
_ZERO: Final = "ZeroLayer"
_DIVISOR: Final = 8
"""The divisor of channels that these codebases use unless told otherwise."""

_CONV: Final[Mapping[str, object]] = {
    "name": "ConvLayer",
    "dilation": 1,
    "groups": 1,
    "bias": False,
    "has_shuffle": False,
    "use_se": False,
    "use_bn": True,
    "dropout_rate": 0,
    "ops_order": "weight_bn_act",
}
"""What a convolution of mbv2 has, under the names of these files."""

_HIDDEN_LAYER: Final[Mapping[str, object]] = {**_CONV, "use_bn": False}
"""What the hidden layer of a classifier has: a convolution on pooled values, without bias."""

_LINEAR: Final[Mapping[str, object]] = {
    "name": "LinearLayer",
    "use_bn": False,
    "act_func": None,
    "ops_order": "weight_bn_act",
}
"""What the classifier of mbv2 has."""

_BLOCK: Final[Mapping[str, object]] = {"groups": None}
"""What the convolutions of a block of mbv2 have."""

_OF_CONV: Final = frozenset({"in_channels", "out_channels", "kernel_size", "stride", "act_func"})
_OF_BLOCK: Final = _OF_CONV | {"name", "expand_ratio", "mid_channels", "use_se"}
_OF_LINEAR: Final = frozenset({"in_features", "out_features", "dropout_rate", "bias"})
"""The fields that are read."""

_EPS: Final = 1e-3
"""The epsilon of a network whose file names none (``build_from_config``)."""

_SE_RATIO: Final = 0.25
_SQUEEZE: Final[Mapping[str, object]] = {
    "se_of": "hidden",
    "se_nearest": _DIVISOR,
    "se_act": "relu",
    "se_gate": "hardsigmoid",
}
"""The squeeze-excite of these codebases (``SEModule``)."""

_GEOMETRY: Final[Mapping[str, int]] = {"kernel_size": 3, "stride": 1}
"""What a convolution has whose file names none."""

_CONV_ACT: Final = "relu"
_BLOCK_ACT: Final = "relu6"
"""The activations of a convolution and of a block whose file names none."""


def is_once_for_all(content: object) -> TypeGuard[Mapping[str, Any]]:
    """Return whether a JSON document is the network of one of these codebases."""
    return isinstance(content, dict) and {"first_conv", "blocks"} <= content.keys()


def once_for_all_model(path: Path, content: Mapping[str, Any]) -> ForeignModel:
    """Return the model of a file. Raises `UserError` if it is not a network of mbv2."""
    network = _Table(f"{path}: ", content)
    if content.get("name") not in (None, *_NAMES):
        raise UserError(
            f"{path}: name must be {' or '.join(_NAMES)}, not {value_text(content['name'])}; mbv2 "
            "has no other network"
        )
    stem = network.table("first_conv")
    stem.refuse_other(_CONV, _OF_CONV)
    stem.refuse_geometry(kernel_size=STEM_KERNEL)
    channels = stem.whole("out_channels")
    act = stem.get("act_func", _CONV_ACT)
    stages: list[_Stage] = []
    for block in _blocks(path, network):
        stage = _stage(block, channels)
        channels = stage.channels
        if stages and stage == stages[-1]._replace(repeats=1, stride=1):
            stages[-1] = stages[-1]._replace(repeats=stages[-1].repeats + 1)
        else:
            stages.append(stage)
    if not stages:
        raise UserError(f"{path}: blocks has no block; a network has at least one")
    head, hidden = _head(network, channels, act)
    numbers = (
        *(stem.whole("out_channels"), head),
        *(number for stage in stages for number in (stage.channels, stage.hidden or 0)),
    )
    values: dict[str, tuple[object, str]] = {
        "stages": ([stage.keys(act) for stage in stages], "blocks"),
        "in": (stem.whole("in_channels"), "first_conv.in_channels"),
        "stem": (stem.whole("out_channels"), "first_conv.out_channels"),
        "head": (head, "final_expand_layer" if hidden else "feature_mix_layer"),
        "act": (act, "first_conv.act_func"),
        **_classifier(network, hidden or head or channels),
    }
    values |= _of_relatives(stem, stages, hidden)
    fields = [FieldOrigin(key, How.READ, name) for key, (_, name) in values.items()]
    norm = content.get("bn")
    if isinstance(norm, dict) and "eps" in norm:
        values["norm_eps"] = (norm["eps"], "bn.eps")
        fields.append(FieldOrigin("norm_eps", How.READ, "bn.eps"))
    else:
        values["norm_eps"] = (_EPS, "bn")
        fields.append(FieldOrigin("norm_eps", How.ASSUMED, "the file has no bn.eps"))
    if "resolution" in content:
        values["size"] = (content["resolution"], "resolution")
        fields.append(FieldOrigin("size", How.READ, "resolution"))
    else:
        fields.append(FieldOrigin("size", How.ASSUMED, "the file has no resolution"))
    if any(number % _DIVISOR for number in numbers):
        values["round_nearest"] = (1, "blocks")
    settings = [Setting(key, value, f"{path}: {name}") for key, (value, name) in values.items()]
    origin = Origin(str(path), "once-for-all network", tuple(fields))
    return ForeignModel(NetworkSpec.noun, settings, origin)


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of the file. ``place`` comes before its keys in a message."""

    place: str
    content: Mapping[str, Any]

    def get(self, key: str, default: object = None) -> Any:
        return self.content.get(key, default)

    def table(self, key: str) -> _Table:
        """Return the table of a key. Raises `UserError` if it is not one."""
        found = self.content.get(key)
        if not isinstance(found, dict):
            raise UserError(f"{self.place}{key} must be a table, not {value_text(found)}")
        return _Table(f"{self.place}{key}.", found)

    def whole(self, key: str, default: int | None = None) -> int:
        """Return a whole number above 0. Raises `UserError` for anything else."""
        value = self.content.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_CHANNELS:
            raise UserError(
                f"{self.place}{key} must be a whole number from 1 to {MAX_CHANNELS}, not "
                f"{value_text(value)}"
            )
        return value

    def refuse_other(self, expected: Mapping[str, object], read: Collection[str]) -> None:
        """Raise `UserError` for a field that mbv2 cannot have, or does not know.

        ``expected`` has the only value of each field that is not ``read``.
        """
        for key, value in self.content.items():
            if key in read:
                continue
            if key not in expected:
                raise UserError(
                    f"{self.place}{key} is not a field that mbv2 knows (it knows "
                    f"{', '.join(sorted({*expected, *read}))})"
                )
            if value != expected[key]:
                raise UserError(
                    f"{self.place}{key} is {value_text(value)}, and a network of mbv2 has only "
                    f"{value_text(expected[key])} there"
                )

    def truth(self, key: str) -> bool:
        """Return a field that is false by default. Raises `UserError` if it is neither."""
        value = self.content.get(key, False)
        if not isinstance(value, bool):
            raise UserError(f"{self.place}{key} must be true or false, not {value_text(value)}")
        return value

    def refuse_geometry(self, **wanted: int) -> None:
        """Raise `UserError` if a convolution has another kernel or another stride."""
        for key, only in wanted.items():
            default = _GEOMETRY[key]
            if self.get(key, default) != only:
                raise UserError(
                    f"{self.place}{key} is {value_text(self.get(key, default))}, and a network of "
                    f"mbv2 has only {only} there"
                )

    def refuse_channels(self, key: str, channels: int) -> None:
        """Raise `UserError` if a layer does not take the channels that come in."""
        if self.get(key, channels) != channels:
            raise UserError(
                f"{self.place}{key} is {value_text(self.get(key))}, and {channels} channels come in"
            )

    def refuse_act(self, act: object, default: str) -> None:
        """Raise `UserError` if the activation is not the one of the first convolution."""
        own = self.get("act_func", default)
        if own != act:
            raise UserError(
                f"{self.place}act_func is {value_text(own)}, and first_conv has {value_text(act)}; "
                "in a network of mbv2, both have one activation"
            )


class _Stage(NamedTuple):
    """Blocks of one kind; all but the first have stride 1.

    ``hidden`` is None where the expand ratio gives the hidden channels.
    """

    expand: float
    channels: int
    repeats: int
    stride: int
    kernel: int
    act: object
    hidden: int | None
    has_se: bool
    has_shortcuts: bool
    expands_always: bool

    def keys(self, act: object) -> dict[str, object]:
        """Return the stage under the keys of a file; ``act`` is the network's."""
        values: dict[str, object] = {
            **dict(zip(("t", "c", "n", "s", "kernel"), self, strict=False)),
            "act": None if self.act == act else self.act,
            "se": _SE_RATIO if self.has_se else None,
            "shortcut": None if self.has_shortcuts else "none",
            "expansion": "always" if self.expands_always else None,
            "hidden": self.hidden,
        }
        return {key: value for key, value in values.items() if value is not None}


def _of_relatives(
    stem: _Table, stages: Iterable[_Stage], hidden: int
) -> dict[str, tuple[object, str]]:
    """Return the values that torchvision's network does not need, with their names in the file."""
    values: dict[str, tuple[object, str]] = {}
    if stem.get("stride", 1) != STEM_STRIDE:
        values["stem_stride"] = (stem.get("stride", 1), "first_conv.stride")
    if hidden:
        values["classifier_hidden"] = (hidden, "feature_mix_layer")
        values["classifier_hidden_bias"] = (False, "feature_mix_layer")
    if any(stage.has_se for stage in stages):
        values |= {key: (value, "blocks") for key, value in _SQUEEZE.items()}
    return values


def _blocks(path: Path, network: _Table) -> Iterator[_Table]:
    """Yield the blocks that compute something: a block of a zero layer passes its input on."""
    blocks = network.get("blocks")
    if not isinstance(blocks, list) or len(blocks) > MAX_BLOCKS:
        raise UserError(f"{path}: blocks must be a list of up to {MAX_BLOCKS:,} blocks")
    for number in range(len(blocks)):
        place = f"{path}: blocks[{number}]"
        if not isinstance(blocks[number], dict):
            raise UserError(f"{place} must be a table, not {value_text(blocks[number])}")
        block = _Table(f"{place}.", blocks[number])
        conv = block.get(_conv_key(block))
        if not (conv is None or (isinstance(conv, dict) and conv.get("name") == _ZERO)):
            yield block


def _conv_key(block: _Table) -> str:
    """Return the key of a block's convolutions, which newer files call ``conv``."""
    return "conv" if "conv" in block.content else "mobile_inverted_conv"


def _stage(block: _Table, channels: int) -> _Stage:
    """Return a block as a stage of its own. ``channels`` come in. Raises `UserError`."""
    conv = block.table(_conv_key(block))
    conv.refuse_other(_BLOCK, _OF_BLOCK)
    conv.refuse_channels("in_channels", channels)
    out, stride = conv.whole("out_channels"), conv.whole("stride", 1)
    expand, hidden, expands_always = _expand(conv, channels)
    if conv.truth("use_se"):
        _refuse_other_squeeze(conv, hidden or hidden_channels(channels, expand))
    return _Stage(
        expand,
        out,
        1,
        stride,
        conv.whole("kernel_size", 3),
        conv.get("act_func", _BLOCK_ACT),
        hidden,
        conv.truth("use_se"),
        _keeps_shortcuts(block, channels, out, stride),
        expands_always,
    )


def _refuse_other_squeeze(conv: _Table, hidden: int) -> None:
    """Raise `UserError` if the codebase squeezes to other channels than mbv2."""
    own = nearest_multiple(hidden // 4, _DIVISOR)
    squeezed = squeezed_channels(hidden, _SE_RATIO, _DIVISOR)
    if own != squeezed:
        raise UserError(
            f"{conv.place}use_se is true with {hidden} hidden channels: once-for-all squeezes them "
            f"to {own}, and mbv2 to {squeezed}"
        )


def _keeps_shortcuts(block: _Table, channels: int, out: int, stride: int) -> bool:
    """Return false if a block leaves out the shortcut that it could have. Raises `UserError`."""
    shortcut = block.get("shortcut")
    name = shortcut.get("name") if isinstance(shortcut, dict) else shortcut
    if name not in (None, _ZERO, "IdentityLayer"):
        raise UserError(f"{block.place}shortcut is {value_text(name)}; mbv2 has only IdentityLayer")
    may_have_one = adds_its_input(stride, channels, out)
    if name == "IdentityLayer" and not may_have_one:
        raise UserError(
            f"{block.place}shortcut is IdentityLayer; a block of mbv2 adds its input only if "
            f"stride is 1 and in = out, and this block has stride {stride}, {channels} in, "
            f"{out} out"
        )
    return name == "IdentityLayer" or not may_have_one


def _expand(conv: _Table, channels: int) -> tuple[float, int | None, bool]:
    """Return the expand ratio of a block, its hidden channels, and whether it always expands.

    The hidden channels are None where the ratio gives them. Raises `UserError`.
    """
    ratio, middle = conv.get("expand_ratio", 6), conv.get("mid_channels")
    if (
        isinstance(ratio, bool)
        or not isinstance(ratio, int | float)
        or not 0 < ratio <= MAX_CHANNELS
    ):
        raise UserError(f"{conv.place}expand_ratio must be a number, not {value_text(ratio)}")
    if middle is None:
        return ratio, None, False
    hidden = conv.whole("mid_channels")
    if not expands(ratio):
        if hidden != channels:
            raise UserError(
                f"{conv.place}expand_ratio is {value_text(ratio)} with mid_channels {hidden} of "
                f"{channels}; a block without an expansion has as many hidden channels as inputs"
            )
        return ratio, None, False
    if hidden_channels(channels, ratio) == hidden:
        return ratio, None, False
    return ratio, hidden, hidden == channels


def _head(network: _Table, channels: int, act: object) -> tuple[int, int]:
    """Return the channels of the head and the features of a hidden layer; 0 without one.

    Raises `UserError`. MobileNetV3 has both: its ``feature_mix_layer`` takes pooled values. In
    the other networks it is the last convolution.
    """
    if network.get("final_expand_layer") is None:
        return _pointwise(network, "feature_mix_layer", channels, act, _CONV), 0
    head = _pointwise(network, "final_expand_layer", channels, act, _CONV)
    return head, _pointwise(network, "feature_mix_layer", head, act, _HIDDEN_LAYER)


def _pointwise(
    network: _Table, key: str, channels: int, act: object, expected: Mapping[str, object]
) -> int:
    """Return the output channels of a 1×1 convolution, 0 without one. Raises `UserError`."""
    if network.get(key) is None:
        return 0
    layer = network.table(key)
    layer.refuse_other(expected, _OF_CONV)
    layer.refuse_geometry(kernel_size=1, stride=1)
    layer.refuse_channels("in_channels", channels)
    layer.refuse_act(act, _CONV_ACT)
    return layer.whole("out_channels")


def _classifier(network: _Table, channels: int) -> dict[str, tuple[object, str]]:
    """Return the values of ``classes`` and ``dropout``, each with its name in the file."""
    if network.get("classifier") is None:
        return {"classes": (0, "classifier")}
    layer = network.table("classifier")
    layer.refuse_other(_LINEAR, _OF_LINEAR)
    layer.refuse_channels("in_features", channels)
    own = layer.get("bias", True)
    bias = {} if own is True else {"classifier_bias": (own, "classifier.bias")}
    return {
        "classes": (layer.whole("out_features"), "classifier.out_features"),
        "dropout": (layer.get("dropout_rate", 0), "classifier.dropout_rate"),
        **bias,
    }
