"""Random valid specs, small enough to run."""

from __future__ import annotations

from typing import Final, get_args

from hypothesis import strategies as st

from mbv2cli.specs import BlockSpec, InputSpec, NetworkSpec, Stage
from mbv2cli.specs.block import sides_of
from mbv2cli.specs.fields import (
    Activation,
    BlockType,
    Expansion,
    Gate,
    HeadScaling,
    Padding,
    RatioOf,
    Shortcut,
    StemScaling,
)
from mbv2cli.specs.network import PAPER_STAGES, cumulative_strides, heights

activations = st.sampled_from(get_args(Activation))
block_types = st.sampled_from([*get_args(BlockType), "inverted", "inverted"])
odd_kernels = st.sampled_from([1, 3, 5, 7])
# at least 0.6, so that even one channel leaves one hidden channel
expand_ratios = st.one_of(st.integers(1, 8), st.floats(0.6, 8))


strides = st.one_of(st.integers(1, 3), st.tuples(st.integers(1, 3), st.integers(1, 3)))
se_ratios = st.sampled_from([0.0, 0.25, 0.5])

_STYLE: Final[dict[str, st.SearchStrategy[object]]] = {
    "hidden_nearest": st.sampled_from([1, 8]),
    "expansion": st.sampled_from(get_args(Expansion)),
    "shortcut": st.sampled_from(get_args(Shortcut)),
    "se": se_ratios,
    "se_of": st.sampled_from(get_args(RatioOf)),
    "se_nearest": st.sampled_from([1, 8]),
    "se_act": st.one_of(st.none(), activations),
    "se_gate": st.sampled_from(get_args(Gate)),
    "padding": st.sampled_from(get_args(Padding)),
    "norm_eps": st.sampled_from([1e-5, 1e-3]),
}
"""The fields that a block and a network have alike. Half of the specs have none of them."""

styles: st.SearchStrategy[dict[str, object]] = st.one_of(
    st.just({}), st.fixed_dictionaries({}, optional=_STYLE)
)


def _width(type_: str) -> st.SearchStrategy[dict[str, object]]:
    """Return what widens a block: a ratio, hidden channels or, in a convolution, nothing."""
    if type_ == "conv":
        return st.just({})
    ratios = st.fixed_dictionaries({"expand": expand_ratios})
    return st.one_of(ratios, ratios, st.fixed_dictionaries({"hidden": st.integers(1, 40)}))


@st.composite
def block_specs(draw: st.DrawFn) -> BlockSpec:
    channels, type_ = draw(st.integers(1, 20)), draw(block_types)
    values = {
        "in": channels,
        "out": channels if draw(st.booleans()) else draw(st.integers(1, 20)),
        "type": type_,
        "stride": draw(strides),
        "kernel": draw(odd_kernels),
        "dilation": draw(st.integers(1, 3)),
        "act": draw(activations),
        **draw(_width(type_)),
        **draw(styles),
    }
    if type_ != "inverted":
        values.pop("se", None)
    if type_ == "conv":
        values.pop("hidden_nearest", None)
        values.pop("expansion", None)
    return BlockSpec.model_validate(values)


@st.composite
def _stages(draw: st.DrawFn) -> Stage:
    type_ = draw(block_types)
    own = {
        "act": activations,
        "shortcut": _STYLE["shortcut"],
        "expansion": _STYLE["expansion"],
        **({"se": se_ratios} if type_ == "inverted" else {}),
    }
    values = {
        "type": type_,
        "c": draw(st.integers(1, 24)),
        "n": draw(st.integers(1, 3)),
        "s": draw(strides),
        "kernel": draw(odd_kernels),
        "dilation": draw(st.integers(1, 2)),
        **draw(_width(type_)),
        **draw(st.one_of(st.just({}), st.fixed_dictionaries({}, optional=own))),
    }
    if type_ == "conv":
        values.pop("expansion", None)
    return Stage.model_validate(values)


_CLASSIFIER: Final[dict[str, st.SearchStrategy[object]]] = {
    "classifier_hidden": st.integers(0, 9),
    "classifier_hidden_bias": st.booleans(),
    "classifier_bias": st.booleans(),
}

stages = _stages()


stem_strides: st.SearchStrategy[int | tuple[int, int]] = st.sampled_from([2, 2, 1, (2, 1)])


@st.composite
def network_specs(draw: st.DrawFn) -> NetworkSpec:
    """Draw a network; one in three stops at a module."""
    own_stages = draw(st.one_of(st.just(PAPER_STAGES), st.lists(stages, min_size=1, max_size=4)))
    stem_stride = draw(stem_strides)
    reached = cumulative_strides(heights(own_stages), sides_of(stem_stride)[0])
    output_strides = [reached[-1]]
    if all(side == other for side, other in map(sides_of, (one.stride for one in own_stages))):
        output_strides += sorted({s for s in reached if s in (8, 16, 32)})
    values = {
        "stages": own_stages,
        "in": draw(st.integers(1, 5)),
        "width_mult": draw(st.floats(0.05, 1.5)),
        "depth_mult": draw(st.one_of(st.just(1.0), st.floats(0.1, 1.6))),
        "expand": draw(st.one_of(st.none(), expand_ratios)),
        "round_nearest": draw(st.integers(1, 16)),
        "stem_stride": stem_stride,
        "output_stride": draw(st.sampled_from(output_strides)),
        "stem": draw(st.integers(1, 40)),
        "stem_scaling": draw(st.sampled_from(get_args(StemScaling))),
        "act": draw(activations),
        **draw(styles),
    }
    ending = {
        "classes": draw(st.integers(0, 12)),
        "dropout": draw(st.floats(0, 0.9)),
        "head": draw(st.integers(0, 64)),
        "head_scaling": draw(st.sampled_from(get_args(HeadScaling))),
        **draw(st.one_of(st.just({}), st.fixed_dictionaries(_CLASSIFIER))),
    }
    spec = NetworkSpec.model_validate({**values, **ending})
    if draw(st.integers(0, 2)):
        return spec
    return NetworkSpec.model_validate({**values, "until": draw(st.sampled_from(spec.paths))})


input_specs = st.builds(
    InputSpec, size=st.tuples(st.integers(1, 40), st.integers(1, 40)), batch=st.integers(1, 3)
)


_SIGNS = st.one_of(
    st.sampled_from("\x1b\x00\x7f\x85\x9b\u202e\u2066\u200b\u061c\u2028\ufeff\ufffe\u3164\udcff"),
    st.sampled_from("`|<>&[](){}*_~!:#@$\\%,=;+-'\" \n\r\t"),
    st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp", "Zs", "Cn", "Co"]),
    st.characters(),
)
_PIECES = st.sampled_from(
    (
        *("\n::error::x", "::error file=a::b", "##[error]x", "##vso[task]", "```", "<b>", "&lt;"),
        *(
            "[a](http://b)",
            "**x**",
            "</testcase>",
            "\x1b[31m",
            "\x1b]8;;http://x\x07",
            "http://b.c",
        ),
        *("中文", "Ελληνικά", "e\u0301", "👍🏽", "a" * 300),
    )
)
hostile_texts = st.lists(st.one_of(_SIGNS, _PIECES), min_size=1, max_size=8).map("".join)
"""Names that are made to be more than text."""
