from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbv2cli.costs.memory import ELEMENT_BYTES, MEMORY_RULES, dtype_named, rule_named
from mbv2cli.report.formats import FORMATS, format_named
from mbv2cli.report.summary.view import WAYS, view_of
from mbv2cli.specs import BlockSpec, NetworkSpec, RunSpec
from mbv2cli.specs.fields import Activation, DType, HeadScaling, StemScaling
from mbv2cli.specs.words import ACTIVATION_SYNONYMS, DTYPE_SYNONYMS, listed

LISTS: list[tuple[Iterable[str], Mapping[str, str]]] = [
    (get_args(Activation), ACTIVATION_SYNONYMS),
    (get_args(DType), DTYPE_SYNONYMS),
    (get_args(StemScaling), {}),
    (get_args(HeadScaling), {}),
    ([rule.name for rule in MEMORY_RULES], {}),
    (WAYS, {}),
    *((formats, {}) for formats in FORMATS.values()),
]


@given(st.sampled_from(LISTS).flatmap(lambda one: st.tuples(st.just(one), st.data())))
def test_case_dashes_and_underscores_do_not_matter(
    drawn: tuple[tuple[Iterable[str], Mapping[str, str]], st.DataObject],
) -> None:
    (words, synonyms), data = drawn
    meanings = {**{word: word for word in words}, **synonyms}
    word = data.draw(st.sampled_from(sorted(meanings)))
    between = data.draw(st.lists(st.sampled_from(["", "-", "_"]), min_size=len(word)))
    upper = data.draw(st.lists(st.booleans(), min_size=len(word), max_size=len(word)))
    letters = (one.upper() if big else one for one, big in zip(word, upper, strict=True))
    written = "".join(map("".join, zip(letters, between, strict=False)))
    assert listed(written, words, synonyms) == meanings[word]


@pytest.mark.parametrize(("words", "synonyms"), LISTS)
def test_no_word_means_two_words(words: Iterable[str], synonyms: Mapping[str, str]) -> None:
    assert {listed(word, words, synonyms) for word in words} == set(words)
    assert set(synonyms.values()) <= set(words)


@pytest.mark.parametrize(
    ("written", "act"),
    [
        ("ReLU6", "relu6"),
        ("LeakyReLU", "leaky_relu"),
        ("swish", "silu"),
        ("h-swish", "hardswish"),
        ("Hard_Swish", "hardswish"),
        ("linear", "identity"),
    ],
)
def test_activations_have_the_names_of_other_codebases(written: str, act: str) -> None:
    assert BlockSpec.model_validate({"act": written}).act == act
    assert NetworkSpec.model_validate({"act": written}).act == act


@pytest.mark.parametrize(
    ("written", "dtype"),
    [
        ("fp16", "float16"),
        ("half", "float16"),
        ("f32", "float32"),
        ("float", "float32"),
        ("bf16", "bfloat16"),
        ("FP64", "float64"),
        ("qint8", "int8"),
    ],
)
def test_element_types_have_short_names(written: str, dtype: str) -> None:
    assert RunSpec.model_validate({"dtype": written}).dtype == dtype
    assert dtype_named(written) == dtype
    assert dtype in ELEMENT_BYTES


def test_every_list_of_words_is_read_so() -> None:
    assert NetworkSpec.model_validate({"head_scaling": "Fixed", "stem_scaling": "FIXED"}) == (
        NetworkSpec(head_scaling="fixed", stem_scaling="fixed")
    )
    assert RunSpec(device="CPU").device == "cpu"
    assert rule_named("InPlace_Depthwise").name == "inplace-depthwise"
    assert format_named("summary", "JSON") == "json"
    assert view_of("Stage", None) == view_of("stage", None)
