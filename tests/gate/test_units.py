from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbv2cli import UserError
from mbv2cli.gate.expectations import Expectations, fits, pattern_text


def limit(key: str, value: object) -> object:
    return getattr(Expectations.model_validate({key: value}), key)


@pytest.mark.parametrize(
    ("text", "count"),
    [("2000", 2000), ("300k", 300_000), ("2M", 2_000_000), ("1.5G", 1_500_000_000), (7, 7)],
)
def test_counts(text: object, count: int) -> None:
    assert limit("max_params", text) == count


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("512KiB", 524_288),
        ("25MiB", 26_214_400),
        ("1.5MB", 1_500_000),
        ("320kB", 320_000),
        ("1 GiB", 2**30),
        ("100", 100),
        ("100B", 100),
        ("2k", 2000),
    ],
)
def test_bytes(text: object, count: int) -> None:
    assert limit("max_peak", text) == count


@pytest.mark.parametrize("text", ["", "k", "2KiB", "-1", "1e3", "1.0000001k", "nan", True, 1.5, -3])
def test_what_is_no_count(text: object) -> None:
    with pytest.raises(UserError, match="max_params must be a count such as 2000"):
        limit("max_params", text)


@pytest.mark.parametrize("text", ["", "2Q", "KiB", "-5MiB", "0.3B", [3]])
def test_what_is_no_size(text: object) -> None:
    with pytest.raises(UserError, match="max_peak must be bytes such as 512KiB"):
        limit("max_peak", text)


@given(st.lists(st.one_of(st.none(), st.integers(1, 9999)), min_size=1, max_size=5))
def test_a_pattern_is_read_as_it_is_written(sizes: list[int | None]) -> None:
    assert limit("output", pattern_text(tuple(sizes))) == tuple(sizes)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=5), st.data())
def test_a_star_fits_every_size(shape: list[int], data: st.DataObject) -> None:
    hidden = data.draw(st.lists(st.booleans(), min_size=len(shape), max_size=len(shape)))
    pattern = tuple(None if hide else size for size, hide in zip(shape, hidden, strict=True))
    assert fits(tuple(shape), pattern)
    assert not fits((*shape, 1), pattern)
    if not all(hidden):
        assert not fits(tuple(size + 1 for size in shape), pattern)


@pytest.mark.parametrize("text", ["1x", "axb", "1x-2", "", 3])
def test_what_is_no_shape(text: object) -> None:
    with pytest.raises(UserError, match="output must be a shape such as 1x64x224x224"):
        limit("output", text)
