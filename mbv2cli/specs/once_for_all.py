"""The network JSON of once-for-all, ProxylessNAS and MCUNet, as a TARGET.

What each field does, and its default, is in once-for-all's ``ofa/utils/layers.py``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeGuard

from mbv2cli.errors import UserError, value_text
from mbv2cli.specs.block import adds_its_input, expands, hidden_channels
from mbv2cli.specs.fields import MAX_CHANNELS
from mbv2cli.specs.foreign import ForeignModel
from mbv2cli.specs.network import MAX_BLOCKS, STEM_KERNEL, STEM_STRIDE, NetworkSpec
from mbv2cli.specs.origin import FieldOrigin, How, Origin
from mbv2cli.specs.reader import Setting

_NAMES: Final = ("ProxylessNASNets", "MobileNetV2")
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

_LINEAR: Final[Mapping[str, object]] = {
    "name": "LinearLayer",
    "bias": True,
    "use_bn": False,
    "act_func": None,
    "ops_order": "weight_bn_act",
}
"""What the classifier of mbv2 has."""

_BLOCK: Final[Mapping[str, object]] = {"use_se": False, "groups": None}
"""What the convolutions of a block of mbv2 have."""

_OF_CONV: Final = frozenset({"in_channels", "out_channels", "kernel_size", "stride", "act_func"})
_OF_BLOCK: Final = _OF_CONV | {"name", "expand_ratio", "mid_channels"}
_OF_LINEAR: Final = frozenset({"in_features", "out_features", "dropout_rate"})
"""The fields that are read."""

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
    stem.refuse_geometry(STEM_KERNEL, STEM_STRIDE)
    channels = stem.whole("out_channels")
    act = stem.get("act_func", _CONV_ACT)
    stages: list[_Stage] = []
    for block in _blocks(path, network):
        stage = _stage(block, channels, act)
        channels = stage.channels
        if stages and stage == stages[-1]._replace(repeats=1, stride=1):
            stages[-1] = stages[-1]._replace(repeats=stages[-1].repeats + 1)
        else:
            stages.append(stage)
    if not stages:
        raise UserError(f"{path}: blocks has no block; a network has at least one")
    head = _head(network, channels, act)
    numbers = (stem.whole("out_channels"), head, *(stage.channels for stage in stages))
    values: dict[str, tuple[object, str]] = {
        "stages": ([stage.keys() for stage in stages], "blocks"),
        "in": (stem.whole("in_channels"), "first_conv.in_channels"),
        "stem": (stem.whole("out_channels"), "first_conv.out_channels"),
        "head": (head, "feature_mix_layer"),
        "act": (act, "first_conv.act_func"),
        **_classifier(network, head or channels),
    }
    fields = [FieldOrigin(key, How.READ, name) for key, (_, name) in values.items()]
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

    def refuse_geometry(self, kernel: int, stride: int) -> None:
        """Raise `UserError` if a convolution has another kernel or another stride."""
        for key, default, only in (("kernel_size", 3, kernel), ("stride", 1, stride)):
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
                "a network of mbv2 has one activation"
            )


class _Stage(NamedTuple):
    """Blocks of one kind; all but the first have stride 1."""

    expand: float
    channels: int
    repeats: int
    stride: int
    kernel: int

    def keys(self) -> dict[str, float]:
        """Return the stage under the keys of a file."""
        return dict(zip(("t", "c", "n", "s", "kernel"), self, strict=True))


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


def _stage(block: _Table, channels: int, act: object) -> _Stage:
    """Return a block as a stage of its own. ``channels`` come in. Raises `UserError`."""
    conv = block.table(_conv_key(block))
    conv.refuse_other(_BLOCK, _OF_BLOCK)
    conv.refuse_channels("in_channels", channels)
    conv.refuse_act(act, _BLOCK_ACT)
    out, stride = conv.whole("out_channels"), conv.whole("stride", 1)
    stage = _Stage(_expand(conv, channels), out, 1, stride, conv.whole("kernel_size", 3))
    shortcut = block.get("shortcut")
    name = shortcut.get("name") if isinstance(shortcut, dict) else shortcut
    if name not in (None, _ZERO, "IdentityLayer"):
        raise UserError(f"{block.place}shortcut is {value_text(name)}; mbv2 has only IdentityLayer")
    has_shortcut = name == "IdentityLayer"
    if has_shortcut != adds_its_input(stride, channels, out):
        raise UserError(
            f"{block.place}shortcut is {'IdentityLayer' if has_shortcut else 'missing'}; a block "
            f"of mbv2 adds its input exactly if stride is 1 and in = out, and this block has "
            f"stride {stride}, {channels} in, {out} out"
        )
    return stage


def _expand(conv: _Table, channels: int) -> float:
    """Return the expand ratio of a block. Raises `UserError` if mbv2 does not have it."""
    ratio, middle = conv.get("expand_ratio", 6), conv.get("mid_channels")
    if (
        isinstance(ratio, bool)
        or not isinstance(ratio, int | float)
        or not 0 < ratio <= MAX_CHANNELS
    ):
        raise UserError(f"{conv.place}expand_ratio must be a number, not {value_text(ratio)}")
    if middle is None:
        return ratio
    hidden = conv.whole("mid_channels")
    exact = ratio if hidden_channels(channels, ratio) == hidden else hidden / channels
    if expands(exact) != expands(ratio):
        raise UserError(
            f"{conv.place}expand_ratio is {value_text(ratio)} with mid_channels {hidden} of "
            f"{channels}; a block of mbv2 expands exactly if the ratio is not 1"
        )
    return exact


def _head(network: _Table, channels: int, act: object) -> int:
    """Return the channels of the last convolution, 0 without one. Raises `UserError`."""
    if network.get("final_expand_layer") is not None:
        raise UserError(
            f"{network.place}final_expand_layer is not part of a network of mbv2, which has one "
            "convolution between the blocks and the pooling"
        )
    if network.get("feature_mix_layer") is None:
        return 0
    layer = network.table("feature_mix_layer")
    layer.refuse_other(_CONV, _OF_CONV)
    layer.refuse_geometry(1, 1)
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
    return {
        "classes": (layer.whole("out_features"), "classifier.out_features"),
        "dropout": (layer.get("dropout_rate", 0), "classifier.dropout_rate"),
    }
