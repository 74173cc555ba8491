"""A MobileNetV2, as data, and the rules that scale it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property, lru_cache
from itertools import accumulate
from math import ceil
from operator import mul
from typing import Annotated, Any, Final, NamedTuple, Self

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from mbv2cli.errors import UserError
from mbv2cli.specs import relatives
from mbv2cli.specs.base import FrozenModel, Spec, bad_combination
from mbv2cli.specs.block import BlockSpec, sides_of
from mbv2cli.specs.fields import (
    MAX_EXPAND,
    Activation,
    ActivationWord,
    Allowed,
    BlockTypeWord,
    Channels,
    Classes,
    DepthMult,
    Dilation,
    Expand,
    Expansion,
    ExpansionWord,
    GateWord,
    HeadChannels,
    HeadScaling,
    HeadScalingWord,
    HiddenFeatures,
    Kernel,
    ModulePath,
    NormEps,
    OptionalActivation,
    OptionalChannels,
    OptionalExpansion,
    OptionalRatio,
    OptionalShortcut,
    PaddingWord,
    Probability,
    Ratio,
    RatioOfWord,
    Repeats,
    Shortcut,
    ShortcutWord,
    StemScaling,
    StemScalingWord,
    Stride,
    Truth,
    WidthMult,
    added,
)
from mbv2cli.specs.idle import choices_of, refuse_idle, stand_together
from mbv2cli.specs.rounding import nearest_multiple
from mbv2cli.specs.stage_text import read_stages

STEM_STRIDE: Final = 2
"""Stride of the first convolution in the paper (Table 2)."""

STEM_KERNEL: Final = 3
"""Side of the first convolution's kernel (paper, Table 2)."""


class Stage(FrozenModel):
    """A row of the paper's Table 2: n blocks with c output channels; the first has stride s."""

    expand: Expand = Field(
        6,
        validation_alias="t",
        serialization_alias="t",
        description="Expand ratio t of the blocks.",
    )
    out_channels: Channels = Field(
        validation_alias="c",
        serialization_alias="c",
        description="Output channels, before the width multiplier.",
    )
    repeats: Repeats = Field(
        1,
        validation_alias="n",
        serialization_alias="n",
        description="Number of blocks, before the depth multiplier.",
    )
    stride: Stride = Field(
        1, validation_alias="s", serialization_alias="s", description="Stride of the first block."
    )
    kernel: Kernel = Field(3, description="Side of the depthwise kernel, an odd number.")
    dilation: Dilation = Field(1, description="Dilation of the depthwise convolutions.")
    hidden: OptionalChannels = added(
        None,
        "Hidden channels before the width multiplier, instead of in × t (MobileNetV3 lists them).",
    )
    type: BlockTypeWord = added(
        "inverted",
        "Type of the blocks: inverted, fused (EfficientNet-EdgeTPU) or conv (EfficientNetV2).",
    )
    act: OptionalActivation = added(None, "Activation of the blocks; by default the network's.")
    se: OptionalRatio = added(None, "Squeeze-excite ratio; by default the network's.")
    shortcut: OptionalShortcut = added(None, "Shortcuts; by default the network's.")
    expansion: OptionalExpansion = added(None, "Whether t = 1 expands; by default the network's.")

    @model_validator(mode="before")
    @classmethod
    def _fill_expand(cls, values: Any) -> Any:
        """Set t = 1 for a plain convolution."""
        if not isinstance(values, Mapping) or values.get("type") != "conv":
            return values
        return {**{key: values[key] for key in values if key != "expand"}, "t": 1}


PAPER_STAGES: Final = tuple(
    Stage(expand=t, out_channels=c, repeats=n, stride=s)
    for t, c, n, s in (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    )
)
"""The stages of arXiv 1801.04381, Table 2."""

MAX_STAGES: Final = 100
MAX_BLOCKS: Final = 1_000
"""Most blocks of a network: far above any real one."""


def _stages_of_user(value: object, info: ValidationInfo) -> object:
    """Read stages; where a user wrote them, their keys have to be those of a stage.

    Without a place, Python code made the stages, whose keys may be the names of fields too.
    """
    return read_stages(value, (info.context or {}).get("stages"))


Stages = Annotated[
    tuple[Stage, ...],
    BeforeValidator(_stages_of_user),
    Field(min_length=1, max_length=MAX_STAGES),
    Allowed(
        f"a list of 1 to {MAX_STAGES} stages, each a table such as "
        "{t = 6, c = 24, n = 2, s = 2}, or text such as t1c16/t6c24n2s2"
    ),
]
StagesExpand = Annotated[Expand | None, Allowed(f"a number above 0 and up to {MAX_EXPAND}")]
Until = Annotated[ModulePath | None, Allowed("the path of a module, such as features.7")]
OutputStride = Annotated[int, Allowed("a whole number such as 32, 16 or 8")]


def scale_channels(channels: int, width_mult: float, divisor: int) -> int:
    """Return ``channels × width_mult`` rounded to a multiple of ``divisor``.

    The result is at least ``divisor`` and at least 90 % of the unrounded value (TF-slim's
    ``make_divisible``, which torchvision and Keras use too).
    """
    return nearest_multiple(channels * width_mult, divisor)


def scaled_repeats(repeats: int, depth_mult: float) -> int:
    """Return the repeats of a stage that is neither the first nor the last (timm's rule)."""
    return ceil(repeats * depth_mult)


def refuse_too_many_blocks(count: int) -> None:
    """Raise `UserError` if no network may have this number of blocks."""
    if count > MAX_BLOCKS:
        raise UserError(
            f"the stages have {count:,} blocks together; at most {MAX_BLOCKS:,} are allowed, so "
            "use fewer repeats n, or a smaller depth_mult"
        )


def scaled_stem(stem: int, scaling: StemScaling, width_mult: float, divisor: int) -> int:
    """Return the output channels of the first convolution."""
    return stem if scaling == "fixed" else scale_channels(stem, width_mult, divisor)


def scaled_head(head: int, scaling: HeadScaling, width_mult: float, divisor: int) -> int:
    """Return the output channels of the head (paper, section 6.1.1: widen); 0 stays 0."""
    if not head:
        return 0
    match scaling:
        case "fixed":
            return head
        case "scaled":
            return scale_channels(head, width_mult, divisor)
        case "widen":
            return scale_channels(head, max(1.0, width_mult), divisor)


def stage_expand(own: float, every: float | None) -> float:
    """Return the expand ratio of a stage: ``every`` if given, else its ``own``.

    A stage whose own ratio is 1 keeps it: it has no expansion to widen (paper, Table 2).
    """
    return own if every is None or own == 1 else every


_AFTER_UNTIL: Final = ("classes", "classifier_hidden", "head")

EXPANSION_PATH: Final = ".conv.0"
"""Where the expansion of a block is, after the path of the block."""


class StageGeometry(NamedTuple):
    """Stride and dilation of the first block of a stage, and dilation of its other blocks."""

    stride: int
    first_dilation: int
    dilation: int


def cumulative_strides(strides: Iterable[int], stem_stride: int = STEM_STRIDE) -> list[int]:
    """Return input size ÷ feature map size after the stem and after each stage."""
    return list(accumulate(strides, mul, initial=stem_stride))


def possible_output_strides(strides: Iterable[int], stem_stride: int = STEM_STRIDE) -> list[int]:
    """Return the allowed output strides: 8, 16 and 32 if stages reach them, and the final one."""
    reached = cumulative_strides(strides, stem_stride)
    return sorted({stride for stride in reached if stride in (8, 16, 32)} | {reached[-1]})


def hold_output_stride(
    strides: Iterable[int], output_stride: int, stem_stride: int = STEM_STRIDE
) -> Iterator[StageGeometry]:
    """Yield the stride and dilations of each stage, so that strides stop at ``output_stride``.

    A stage after that point has stride 1 and its stride multiplies the dilation. Its first
    block keeps the dilation of the stage before; its other blocks take the new dilation
    (TF-slim, DeepLab, Hugging Face).
    """
    reached, dilation = stem_stride, 1
    for stride in strides:
        first_dilation = dilation
        if reached == output_stride:
            dilation *= stride
            yield StageGeometry(1, first_dilation, dilation)
        else:
            reached *= stride
            yield StageGeometry(stride, first_dilation, dilation)


def _own_output_stride(values: dict[str, Any]) -> int:
    return cumulative_strides(heights(values["stages"]), sides_of(values["stem_stride"])[0])[-1]


def heights(stages: Iterable[Stage]) -> list[int]:
    """Return the stride of each stage over the height."""
    return [sides_of(stage.stride)[0] for stage in stages]


class NetworkSpec(Spec):
    """A MobileNetV2: stem, stages of inverted residual blocks, head, pooling, classifier.

    The width multiplier scales the stem and the stages. It scales the head only if it is above
    1 (paper, section 6.1.1). ``stem_scaling`` and ``head_scaling`` change these two rules. The
    depth multiplier is timm's (``decode_arch_def`` with ``fix_first_last``). Raises `UserError`
    for values that are out of bounds or that do not make a network together.
    """

    noun = "network"

    stages: Stages = Field(PAPER_STAGES, description="Stages, each a row of the paper's Table 2.")
    in_channels: Channels = Field(
        3, validation_alias="in", serialization_alias="in", description="Input channels."
    )
    width_mult: WidthMult = Field(1.0, description="Width multiplier α: scales channels.")
    depth_mult: DepthMult = Field(
        1.0, description="Scales the repeats of all stages but the first and the last, rounded up."
    )
    expand: StagesExpand = Field(
        None, description="Replaces the expand ratio of every stage, except where it is 1."
    )
    classes: Classes = Field(
        1000, description="Number of classes; 0 leaves out pooling and classifier."
    )
    round_nearest: Channels = Field(
        8, description="Scaled channels are rounded to a multiple of this."
    )
    stem_stride: Stride = added(
        STEM_STRIDE, "Stride of the first convolution (paper: 2; CIFAR variants: 1)."
    )
    output_stride: OutputStride = Field(
        default_factory=_own_output_stride,
        description="Input size ÷ last feature map size; 16 and 8 replace strides by dilation.",
    )
    dropout: Probability = Field(0.2, description="Dropout probability before the classifier.")
    stem: Channels = Field(
        32, description="Channels of the first convolution, before the width multiplier."
    )
    head: HeadChannels = Field(
        1280,
        description="Channels of the head, the last 1×1 convolution, before the width multiplier; "
        "0 leaves out the head.",
    )
    stem_scaling: StemScalingWord = Field(
        "scaled", description="scaled: α scales the stem. fixed: α does not."
    )
    head_scaling: HeadScalingWord = Field(
        "widen",
        description="widen: α scales the head if α is above 1. scaled: α scales the head. "
        "fixed: α does not.",
    )
    act: ActivationWord = Field("relu6", description="Activation function.")
    hidden_nearest: Channels = relatives.HIDDEN_NEAREST
    expansion: ExpansionWord = relatives.EXPANSION
    shortcut: ShortcutWord = relatives.SHORTCUT
    se: Ratio = relatives.SE
    se_of: RatioOfWord = relatives.SE_OF
    se_nearest: Channels = relatives.SE_NEAREST
    se_act: OptionalActivation = relatives.SE_ACT
    se_gate: GateWord = relatives.SE_GATE
    classifier_hidden: HiddenFeatures = added(
        0,
        "Features of a hidden linear layer in the classifier, not scaled; 0 is none "
        "(MobileNetV3: 1280).",
    )
    classifier_hidden_bias: Truth = added(
        default=True,
        description="Whether the hidden linear layer has a bias (timm's mobilenetv3_rw: not).",
    )
    classifier_bias: Truth = added(
        default=True, description="Whether the last linear layer has a bias (imgclsmob: not)."
    )
    padding: PaddingWord = relatives.PADDING
    norm_eps: NormEps = relatives.NORM_EPS
    until: Until = added(
        None,
        "Stop after this module, without classifier: a block, such as features.7, or its "
        "expansion, such as features.14.conv.0 (backbones of FOMO and SSD).",
    )

    @model_validator(mode="before")
    @classmethod
    def _stop_at_until(cls, values: Any, info: ValidationInfo) -> Any:
        """Leave out what comes after ``until``. Raises `UserError` if the user asks for it."""
        if not isinstance(values, Mapping) or values.get("until") is None:
            return values
        places = info.context or {}
        for key in _AFTER_UNTIL:
            asked = key in values and not str(places.get(key, "")).startswith("preset ")
            if asked and str(values[key]) != "0":
                raise UserError(
                    f"until {values['until']} stops before {key} {values[key]}; leave out {key} or "
                    "until"
                )
        return {**values, **dict.fromkeys(_AFTER_UNTIL, 0)}

    @field_validator("output_stride")
    @classmethod
    def _is_reached(cls, output_stride: int, info: ValidationInfo) -> int:
        strides = heights(info.data.get("stages", PAPER_STAGES))
        stem_stride = sides_of(info.data.get("stem_stride", STEM_STRIDE))[0]
        possible = possible_output_strides(strides, stem_stride)
        reached = cumulative_strides(strides, stem_stride)
        if output_stride not in possible:
            raise bad_combination(
                f"must be one of {', '.join(map(str, possible))}, not {output_stride}: the strides "
                f"of stem and stages multiply to {reached[-1]}"
            )
        return output_stride

    @model_validator(mode="after")
    def _has_valid_blocks(self, info: ValidationInfo) -> Self:
        refuse_too_many_blocks(sum(self.repeats))
        _ = self.blocks
        if info.context:
            stages = [*self._built_stages] or self.stages
            refuse_idle(info.context, choices_of(self), [*map(choices_of, stages)])
            self._refuse_contradictions(info.context)
        if self.until is not None:
            self._refuse_other_paths()
        return self

    @property
    def _built_stages(self) -> Iterator[Stage]:
        """The stages that have a block before the network stops."""
        last = MAX_BLOCKS if self.until is None else int(self.until.split(".")[1])
        first_blocks = accumulate(self.repeats, initial=1)
        return (s for s, first in zip(self.stages, first_blocks, strict=False) if first <= last)

    def _refuse_contradictions(self, places: Mapping[str, str]) -> None:
        """Raise `UserError` if a user asks for a layer and leaves no place for it."""
        together = stand_together(places, "classes", "classifier_hidden")
        if together and not self.classes and self.classifier_hidden:
            raise UserError(
                f"classifier_hidden {self.classifier_hidden} is a layer of the classifier, and "
                "classes 0 leaves the classifier out; give classes, or leave classifier_hidden out"
            )
        if stand_together(places, "stages", "se") and self.se and not self._may_squeeze:
            raise UserError(
                "se is for blocks of type inverted: no published network has squeeze-excite in "
                "other blocks; leave se out, or give a stage the type inverted"
            )

    @property
    def _may_squeeze(self) -> bool:
        return any(stage.type == "inverted" for stage in self.stages)

    def _refuse_other_paths(self) -> None:
        """Raise `UserError` if ``until`` is not a path of the network."""
        if self.until not in self.paths:
            inside = [path for path in self.paths if path.endswith(EXPANSION_PATH)]
            expansions = f", or the expansion of a block, such as {inside[-1]}" if inside else ""
            without = [n for n, block in enumerate(self.blocks, 1) if not block.has_expansion]
            lacking = f" (block {', '.join(map(str, without))} has none)" if without else ""
            raise UserError(
                f"until must be one of features.0 to features.{len(self.blocks)}{expansions}"
                f"{lacking if inside else ''}, not {self.until!r}"
            )

    @property
    def stem_channels(self) -> int:
        """Output channels of the first convolution."""
        return scaled_stem(self.stem, self.stem_scaling, self.width_mult, self.round_nearest)

    @property
    def stem_strides(self) -> tuple[int, int]:
        """Stride of the first convolution (height, width)."""
        return sides_of(self.stem_stride)

    @property
    def paths(self) -> tuple[str, ...]:
        """The modules after which the network may stop: stem, blocks and their expansions."""
        expansions = (
            f"features.{number}{EXPANSION_PATH}"
            for number, block in enumerate(self.blocks, start=1)
            if block.has_expansion
        )
        return (*(f"features.{number}" for number in range(len(self.blocks) + 1)), *expansions)

    @property
    def head_channels(self) -> int:
        """Output channels of the head, the last 1×1 convolution; 0 if there is no head."""
        return scaled_head(self.head, self.head_scaling, self.width_mult, self.round_nearest)

    @cached_property
    def repeats(self) -> tuple[int, ...]:
        """Number of blocks of each stage."""
        last = len(self.stages) - 1
        return tuple(
            stage.repeats if number in (0, last) else scaled_repeats(stage.repeats, self.depth_mult)
            for number, stage in enumerate(self.stages)
        )

    @cached_property
    def blocks(self) -> tuple[BlockSpec, ...]:
        """The inverted residual blocks in forward order, with scaled channels.

        Raises `UserError` if scaling makes a block invalid.
        """
        blocks: list[BlockSpec] = []
        channels, style = self.stem_channels, self._style
        geometries = hold_output_stride(
            heights(self.stages), self.output_stride, self.stem_strides[0]
        )
        rows = zip(self.stages, self.repeats, geometries, strict=True)
        for number, (stage, repeats, geometry) in enumerate(rows):
            out = self._scaled(stage.out_channels)
            for repeat in range(repeats):
                first = repeat == 0
                dilation = geometry.first_dilation if first else geometry.dilation
                try:
                    block = _block(
                        stage,
                        style,
                        expand=stage_expand(stage.expand, self.expand),
                        hidden=stage.hidden and self._scaled(stage.hidden),
                        in_channels=channels,
                        out_channels=out,
                        stride=held_stride(stage.stride, geometry) if first else 1,
                        dilation=stage.dilation * dilation,
                    )
                except UserError as error:
                    place = f"block {repeat} of stages[{number}] at width_mult {self.width_mult}"
                    raise UserError(f"{place}: {error}") from None
                blocks.append(block)
                channels = out
        return tuple(blocks)

    def _scaled(self, channels: int) -> int:
        return scale_channels(channels, self.width_mult, self.round_nearest)

    @property
    def _style(self) -> _Style:
        return _Style(*(getattr(self, name) for name in _Style._fields))


class _Style(NamedTuple):
    """The fields of a network that its blocks take over, unless their stage has its own."""

    act: Activation
    expansion: Expansion
    shortcut: Shortcut
    se: float
    hidden_nearest: int
    se_of: str
    se_nearest: int
    se_act: Activation | None
    se_gate: str
    padding: str
    norm_eps: float


_OF_STAGE: Final = ("act", "expansion", "shortcut", "se")
"""The fields of a network that a stage may have too."""


def held_stride(stride: int | tuple[int, int], geometry: StageGeometry) -> int | tuple[int, int]:
    """Return the stride of the first block of a stage, 1 where dilation replaces it.

    Raises `UserError` if dilation cannot replace it.
    """
    height, width = sides_of(stride)
    if geometry.stride == height:
        return stride
    if height != width:
        raise UserError(
            f"output_stride cannot replace the stride {height}x{width} by dilation, which is one "
            "number; leave output_stride out"
        )
    return geometry.stride


@lru_cache(maxsize=4096)
def _block(
    stage: Stage,
    style: _Style,
    *,
    expand: float,
    hidden: int | None,
    in_channels: int,
    out_channels: int,
    stride: int | tuple[int, int],
    dilation: int,
) -> BlockSpec:
    """Return the block of these fields. Equal blocks are validated once."""
    own = {key: value for key in _OF_STAGE if (value := getattr(stage, key)) is not None}
    values = {
        **style._asdict(),
        **own,
        # under their keys, which a mistake names
        "in": in_channels,
        "out": out_channels,
        "stride": stride,
        "kernel": stage.kernel,
        "dilation": dilation,
        "type": stage.type,
        **({"expand": expand} if hidden is None else {"hidden": hidden}),
    }
    # the network's own is for the blocks that may have it
    if stage.type != "inverted" and stage.se is None:
        values["se"] = 0.0
    if stage.type == "conv":
        values |= {"hidden_nearest": 1, "expansion": stage.expansion or "auto"}
    return BlockSpec.model_validate(values)
