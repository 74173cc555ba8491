"""Hugging Face's ``config.json`` with the model type ``mobilenet_v2``, as a TARGET.

What each field does is in transformers' ``modeling_mobilenet_v2.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, Final, TypeGuard

from mbv2cli.errors import UserError, value_text
from mbv2cli.specs.block import BlockSpec
from mbv2cli.specs.fields import MAX_CHANNELS
from mbv2cli.specs.foreign import ForeignModel
from mbv2cli.specs.network import PAPER_STAGES, NetworkSpec
from mbv2cli.specs.origin import FieldOrigin, How, Origin
from mbv2cli.specs.reader import Setting, read_spec

_MODEL_TYPE: Final = "mobilenet_v2"
_CLASSIFIER: Final = "MobileNetV2ForImageClassification"
_BACKBONE: Final = "MobileNetV2Model"

_FIELDS: Final[Mapping[str, tuple[str, object]]] = {
    "num_channels": ("in", 3),
    "image_size": ("size", 224),
    "depth_multiplier": ("width_mult", 1.0),
    "depth_divisible_by": ("round_nearest", 8),
    "expand_ratio": ("expand", 6),
    "output_stride": ("output_stride", 32),
    "hidden_act": ("act", "relu6"),
    "classifier_dropout_prob": ("dropout", 0.8),
    "layer_norm_eps": ("norm_eps", 0.001),
}
"""The fields that have a key of mbv2, with that key and the default of MobileNetV2Config."""


@dataclass(frozen=True, slots=True)
class _Config:
    """The fields of a file, which may leave out those that have their defaults."""

    path: Path
    content: Mapping[str, Any]

    def place(self, name: str) -> str:
        """Return the place of a field in a message."""
        return f"{self.path}: {name}"

    def truth(self, name: str) -> bool:
        """Return a field that is true by default. Raises `UserError` if it is neither."""
        value = self.content.get(name, True)
        if not isinstance(value, bool):
            raise UserError(f"{self.place(name)} must be true or false, not {value_text(value)}")
        return value


def is_hugging_face(content: object) -> TypeGuard[Mapping[str, Any]]:
    """Return whether a JSON document is a configuration of transformers, of any model."""
    return isinstance(content, dict) and "model_type" in content


def hugging_face_model(path: Path, content: Mapping[str, Any]) -> ForeignModel:
    """Return the model of a configuration. Raises `UserError` if it is not a network of mbv2."""
    config = _Config(path, content)
    if content["model_type"] != _MODEL_TYPE:
        raise UserError(
            f"{config.place('model_type')} is {value_text(content['model_type'])}; mbv2 reads "
            f"{_MODEL_TYPE}"
        )
    settings, fields = _settings(config)
    settings += _expansions(config)
    classes, of_classes = _classes(config)
    settings += [
        Setting("head_scaling", "widen" if config.truth("finegrained_output") else "scaled", ""),
        classes,
    ]
    padding, of_padding = _padding(config)
    settings, of_channels = _with_its_channels(config, [*settings, padding])
    origins = {one.key: one for one in (*fields, *of_classes, *of_channels, of_padding)}
    origin = Origin(str(path), "Hugging Face configuration", tuple(origins.values()))
    return ForeignModel(NetworkSpec.noun, settings, origin)


def _settings(config: _Config) -> tuple[list[Setting], list[FieldOrigin]]:
    """Return the fields that have a key of mbv2, and how each is known."""
    settings: list[Setting] = []
    fields: list[FieldOrigin] = []
    for name, (key, default) in _FIELDS.items():
        if name in config.content:
            fields.append(FieldOrigin(key, How.READ, name))
        else:
            fields.append(FieldOrigin(key, How.ASSUMED, _ABSENT))
        value = config.content.get(name, default)
        if (key, value) != ("expand", 6):  # the ratio that the stages have
            settings.append(Setting(key, value, config.place(name)))
    return settings, fields


_ABSENT: Final = "not in the file: the default of MobileNetV2Config"


def _classes(config: _Config) -> tuple[Setting, list[FieldOrigin]]:
    """Return the setting of ``classes``, and how it is known. Raises `UserError`."""
    content = config.content
    names = content.get("architectures") or [_CLASSIFIER]
    if names == [_BACKBONE]:
        why = f"{_BACKBONE} pools its output, and a network without classes does not"
        setting = Setting("classes", 0, config.place("architectures"))
        return setting, [FieldOrigin("classes", How.ASSUMED, why)]
    if names != [_CLASSIFIER]:
        raise UserError(
            f"{config.place('architectures')} must be {_CLASSIFIER} or {_BACKBONE}, not "
            f"{value_text(names)}; mbv2 has no other head: try the preset deeplab_os16 for the "
            "backbone of DeepLab"
        )
    labels, number = content.get("id2label"), content.get("num_labels")
    if isinstance(labels, dict):
        setting = Setting("classes", len(labels), config.place("id2label"))
        if number not in (None, len(labels)):
            why = f"num_labels is {value_text(number)}, and id2label with {len(labels)} labels wins"
            return setting, [FieldOrigin("classes", How.CONTRADICTED, why)]
        return setting, [FieldOrigin("classes", How.READ, "id2label")]
    if number is not None:
        setting = Setting("classes", number, config.place("num_labels"))
        return setting, [FieldOrigin("classes", How.READ, "num_labels")]
    return Setting("classes", 2, ""), [FieldOrigin("classes", How.ASSUMED, _ABSENT)]


def _padding(config: _Config) -> tuple[Setting, FieldOrigin]:
    """Return the setting of ``padding``, and how it is known."""
    name = "tf_padding"
    setting = Setting("padding", "same" if config.truth(name) else "torch", config.place(name))
    if name in config.content:
        return setting, FieldOrigin("padding", How.READ, name)
    return setting, FieldOrigin("padding", How.ASSUMED, _ABSENT)


def _expansions(config: _Config) -> Iterator[Setting]:
    """Yield the settings of expansions at ratio 1.

    ``first_layer_is_expansion`` false gives the first block one. Every other block has one.
    """
    name, place = "first_layer_is_expansion", config.place("expand_ratio")
    if not config.truth(name):
        yield Setting("expansion", "always", config.place(name))
    elif config.content.get("expand_ratio") == 1:
        first, *others = (stage.model_dump(by_alias=True) for stage in PAPER_STAGES)
        yield Setting("stages", [{**first, "expansion": "auto"}, *others], place)
        yield Setting("expansion", "always", place)


def _with_its_channels(
    config: _Config, settings: list[Setting]
) -> tuple[list[Setting], list[FieldOrigin]]:
    """Return settings that give the channels of Hugging Face's rule, which rounds twice.

    Where the rule of mbv2 gives others, the settings name each number. Raises `UserError` if a
    block has hidden channels that its expand ratio does not give.
    """
    spec = read_spec(NetworkSpec, settings)
    rule = _Rule(spec.width_mult, spec.round_nearest, _min_depth(config))
    stem, *outputs, head = map(
        rule.scaled, (spec.stem, *(stage.out_channels for stage in PAPER_STAGES), spec.head)
    )
    if spec.head_scaling == "widen" and spec.width_mult < 1:
        head = spec.head
    fields: list[FieldOrigin] = []
    if [spec.stem_channels, *_stage_channels(spec), spec.head_channels] != [stem, *outputs, head]:
        stages = [
            {**stage.model_dump(by_alias=True), "c": channels}
            for stage, channels in zip(spec.stages, outputs, strict=True)
        ]
        place, why = config.place("depth_multiplier"), "depth_multiplier scales each channel number"
        explicit = {"stem": stem, "stages": stages, "head": head, "width_mult": 1.0}
        explicit |= {"round_nearest": 1, "head_scaling": "fixed"}
        settings = [*settings, *(Setting(key, value, place) for key, value in explicit.items())]
        fields = [FieldOrigin(key, How.READ, why) for key in explicit]
        spec = read_spec(NetworkSpec, {setting.key: setting for setting in settings}.values())
    if any(block.hidden_channels != rule.hidden(block) for block in spec.blocks[1:]):
        place = config.place("depth_divisible_by")
        settings = [*settings, Setting("hidden_nearest", spec.round_nearest, place)]
        spec = read_spec(NetworkSpec, {setting.key: setting for setting in settings}.values())
    for number, block in enumerate(spec.blocks[1:], 1):
        hidden = rule.hidden(block)
        if block.hidden_channels != hidden:
            raise UserError(
                f"{config.place('expand_ratio')} {block.expand} gives block {number} {hidden} "
                f"hidden channels, a multiple of depth_divisible_by; a block of mbv2 has "
                f"{block.hidden_channels}"
            )
    return settings, fields


@dataclass(frozen=True, slots=True)
class _Rule:
    """How Hugging Face scales channels."""

    multiplier: float
    divisor: int
    least: int

    def scaled(self, channels: int) -> int:
        """Return the channels that a layer of the paper has (``apply_depth_multiplier``)."""
        return self.divisible(round(channels * self.multiplier))

    def hidden(self, block: BlockSpec) -> int:
        """Return the hidden channels of a block."""
        return self.divisible(round(block.in_channels * block.expand))

    def divisible(self, channels: int) -> int:
        """Return a multiple of the divisor (``make_divisible``)."""
        divisor = self.divisor
        near = max(self.least, int(channels + divisor / 2) // divisor * divisor)
        return near if near >= 0.9 * channels else near + divisor


def _stage_channels(spec: NetworkSpec) -> list[int]:
    """Return the output channels of each stage."""
    ends = accumulate(spec.repeats)
    return [spec.blocks[end - 1].out_channels for end in ends]


def _min_depth(config: _Config) -> int:
    value = config.content.get("min_depth", 8)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_CHANNELS:
        raise UserError(
            f"{config.place('min_depth')} must be a whole number from 0 to {MAX_CHANNELS}, not "
            f"{value_text(value)}"
        )
    return value
