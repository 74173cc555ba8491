"""Random valid specs, small enough to run."""

from __future__ import annotations

from typing import get_args

from hypothesis import strategies as st

from mbv2cli.specs import BlockSpec, InputSpec, NetworkSpec, Stage
from mbv2cli.specs.fields import Activation, HeadScaling, StemScaling
from mbv2cli.specs.network import PAPER_STAGES, cumulative_strides, heights

activations = st.sampled_from(get_args(Activation))
odd_kernels = st.sampled_from([1, 3, 5, 7])
# at least 0.6, so that even one channel leaves one hidden channel
expand_ratios = st.one_of(st.integers(1, 8), st.floats(0.6, 8))


def block_specs() -> st.SearchStrategy[BlockSpec]:
    def block(
        in_channels: int, *, keep_channels: bool, out_channels: int, **rest: object
    ) -> BlockSpec:
        out = in_channels if keep_channels else out_channels
        return BlockSpec.model_validate({"in": in_channels, "out": out, **rest})

    return st.builds(
        block,
        in_channels=st.integers(1, 20),
        keep_channels=st.booleans(),
        out_channels=st.integers(1, 20),
        stride=st.integers(1, 4),
        expand=expand_ratios,
        kernel=odd_kernels,
        dilation=st.integers(1, 3),
        act=activations,
    )


stages = st.fixed_dictionaries(
    {
        "t": expand_ratios,
        "c": st.integers(1, 24),
        "n": st.integers(1, 3),
        "s": st.integers(1, 3),
        "kernel": odd_kernels,
        "dilation": st.integers(1, 2),
    }
).map(Stage.model_validate)


@st.composite
def network_specs(draw: st.DrawFn) -> NetworkSpec:
    own_stages = draw(st.one_of(st.just(PAPER_STAGES), st.lists(stages, min_size=1, max_size=4)))
    reached = cumulative_strides(heights(own_stages))
    output_strides = sorted({s for s in reached if s in (8, 16, 32)} | {reached[-1]})
    return NetworkSpec(
        stages=tuple(own_stages),
        in_channels=draw(st.integers(1, 5)),
        width_mult=draw(st.floats(0.05, 1.5)),
        depth_mult=draw(st.one_of(st.just(1.0), st.floats(0.1, 1.6))),
        expand=draw(st.one_of(st.none(), expand_ratios)),
        classes=draw(st.integers(0, 12)),
        round_nearest=draw(st.integers(1, 16)),
        output_stride=draw(st.sampled_from(output_strides)),
        dropout=draw(st.floats(0, 0.9)),
        stem=draw(st.integers(1, 40)),
        stem_scaling=draw(st.sampled_from(get_args(StemScaling))),
        head=draw(st.integers(0, 64)),
        head_scaling=draw(st.sampled_from(get_args(HeadScaling))),
        act=draw(activations),
    )


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
