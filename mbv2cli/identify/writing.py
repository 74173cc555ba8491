"""From what is read of a graph to its spec."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from mbv2cli.errors import UserError
from mbv2cli.identify.blocks import ReadBlock
from mbv2cli.identify.reading import Reading
from mbv2cli.inspection import ModelSpec
from mbv2cli.specs.block import BlockSpec
from mbv2cli.specs.network import NetworkSpec
from mbv2cli.specs.ratios import SqueezeRule, Widths, hidden_rule, squeeze_rule
from mbv2cli.specs.regroup import BlockFields, stages_of

_GATES: Final = ("sigmoid", "hardsigmoid")
_SHORTCUTS: Final = ("identity", "projection", "none")
_EXPANSIONS: Final = ("auto", "always")


def spec_of(reading: Reading, dropout: float) -> ModelSpec | None:
    """Return the spec that is nearest to what was read; None if nothing was."""
    if all(block.type == "conv" for block in reading.blocks):
        return None  # convolutions alone are no inverted residual
    try:
        if reading.stem is not None:
            return _network(reading, dropout)
        return _block(reading) if len(reading.blocks) == 1 else None
    except (UserError, ValueError):  # pydantic's error of a stage is a ValueError
        return None


def _block(reading: Reading) -> BlockSpec:
    (block,) = reading.blocks
    fields, network = _fields(reading)
    own = {**network, **{key: one for key, one in _own(fields[0]).items() if one is not None}}
    return BlockSpec.model_validate({**own, "in": block.in_channels})


def _own(fields: BlockFields) -> dict[str, object]:
    """Return the fields of a block alone: hidden channels or an expand ratio."""
    own = fields._asdict()
    del own["expand" if fields.hidden else "hidden"]
    return own


def _network(reading: Reading, dropout: float) -> NetworkSpec:
    fields, network = _fields(reading)
    values = {
        **network,
        "stages": stages_of(fields),
        "head": reading.head.out_channels if reading.head else 0,
        "classes": reading.classes,
        "round_nearest": 1,
        "dropout": dropout,
    }
    if (stem := reading.stem) is not None:
        values |= {"in": stem.in_channels, "stem": stem.out_channels, "stem_stride": stem.stride}
    if reading.classifier:
        *hidden, last = reading.classifier
        values["classifier_bias"] = last.bias
        for layer in hidden:
            values["classifier_hidden"] = layer.features
            values["classifier_hidden_bias"] = layer.bias
    return NetworkSpec.model_validate(values)


def _fields(reading: Reading) -> tuple[list[BlockFields], dict[str, object]]:
    """Return the fields of each block, and those of the network.

    A field that both may have is the network's where most blocks have it; the others have their
    own.
    """
    blocks = reading.blocks
    widths = [*map(_widths, blocks)]
    hidden, squeeze = hidden_rule(widths), squeeze_rule(widths)
    shortcut, shortcuts = _words(blocks, _SHORTCUTS, lambda block: block.shortcuts)
    expansion, expansions = _words(blocks, _EXPANSIONS, _expansions)
    ratios = [
        ratio for ratio, one in zip(squeeze.ratios, blocks, strict=True) if one.type == "inverted"
    ]
    se = max(ratios, key=ratios.count, default=0.0)
    fields = [
        BlockFields(
            ratio or 6,
            block.out_channels,
            block.stride,
            block.kernel,
            block.dilation,
            None if ratio else block.hidden_channels,
            block.type,
            None if block.act == reading.act else block.act,
            None if block.type != "inverted" or own_se == se else own_se,
            None if own_shortcut == shortcut else own_shortcut,
            None if block.type == "conv" or own_expansion == expansion else own_expansion,
        )
        for block, ratio, own_se, own_shortcut, own_expansion in zip(
            blocks, hidden.ratios, squeeze.ratios, shortcuts, expansions, strict=True
        )
    ]
    network: dict[str, object] = {
        "act": reading.act,
        "padding": reading.padding,
        "norm_eps": reading.norm_eps,
        "hidden_nearest": hidden.nearest,
        "se": se,
        "shortcut": shortcut,
        "expansion": expansion,
        **_squeeze_fields(blocks, squeeze),
    }
    return fields, network


def _widths(block: ReadBlock) -> Widths:
    squeezed = block.squeeze.channels if block.squeeze else 0
    is_wider = block.has_expansion or block.type == "fused"
    return Widths(block.in_channels, block.hidden_channels, squeezed, is_wider)


def _words(
    blocks: Sequence[ReadBlock],
    words: Sequence[str],
    allowed: Callable[[ReadBlock], Sequence[str]],
) -> tuple[str, list[str]]:
    """Return the word that most blocks allow, and the word of each block.

    A block that allows the word of the next one takes it if both have the same width: so a stage
    has one word.
    """
    every = [allowed(block) for block in blocks]
    most = max(words, key=lambda word: sum(word in one for one in every))
    found: list[str] = []
    width, following = 0, most
    for block, one in zip(reversed(blocks), reversed(every), strict=True):
        preferred = (*([following] if block.out_channels == width else []), most, *one)
        width, following = block.out_channels, next(word for word in preferred if word in one)
        found.append(following)
    return most, found[::-1]


def _expansions(block: ReadBlock) -> Sequence[str]:
    """Return the words of the field ``expansion`` that mean what was read."""
    if block.must_expand and block.type == "inverted":
        return ("always",)
    return _EXPANSIONS if block.has_expansion or block.type != "inverted" else ("auto",)


def _squeeze_fields(blocks: Sequence[ReadBlock], rule: SqueezeRule) -> dict[str, object]:
    given = [(block, block.squeeze) for block in blocks if block.squeeze]
    if not given:
        return {}
    gates = [squeeze.gate for _, squeeze in given if squeeze.gate in _GATES] or [_GATES[0]]
    fields: dict[str, object] = {
        "se_of": rule.of,
        "se_nearest": rule.nearest,
        "se_gate": max(gates, key=gates.count),
    }
    if any(squeeze.act != block.act for block, squeeze in given):
        acts = [squeeze.act or block.act for block, squeeze in given]
        fields["se_act"] = max(acts, key=acts.count)
    return fields
