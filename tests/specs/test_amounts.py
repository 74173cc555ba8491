"""Amounts as people write them: one syntax in limits, in samples and in --where."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mbv2cli import UserError
from mbv2cli.gate.limits import Limits
from mbv2cli.search.where import read_where
from mbv2cli.specs.reader import Setting, read_spec
from mbv2cli.specs.units import read_bytes, read_count

COUNTS = {
    "2000": 2_000,
    "1_000_000": 1_000_000,
    "60e6": 60_000_000,
    "6E6": 6_000_000,
    "1.5e3": 1_500,
    "300k": 300_000,
    "300 k": 300_000,
    "2M": 2_000_000,
    "1.5G": 1_500_000_000,
    "2T": 2 * 10**12,
}
BYTES = {
    "2000": 2_000,
    "1_000_000": 1_000_000,
    "60e6": 60_000_000,
    "2000B": 2_000,
    "320KiB": 327_680,
    "320 kib": 327_680,
    "320kB": 320_000,
    "1.5MB": 1_500_000,
    "1MiB": 2**20,
    "2GiB": 2**31,
    "1TiB": 2**40,
}


@pytest.mark.parametrize(
    ("read", "figure", "text", "amount"),
    [(read_count, "macs", *one) for one in COUNTS.items()]
    + [(read_bytes, "peak", *one) for one in BYTES.items()],
)
def test_an_amount_means_the_same_everywhere(
    read: Callable[[object], object], figure: str, text: str, amount: int
) -> None:
    assert read(text) == amount
    limits = read_spec(Limits, [Setting(f"max_{figure}", text, "--max")])
    assert getattr(limits, f"max_{figure}") == amount
    values = {figure: np.array([amount - 1, amount, amount + 1])}
    assert read_where(f"{figure} <= {text}").holds(values).tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("key", "text", "words"),
    [
        ("max_peak", "320K", "write 320KiB (1,024 bytes each) or 320kB (1,000 bytes each)"),
        ("max_peak", "320k", "not '320k'"),
        ("max_flash", "1.5m", "write 1.5MiB (1,048,576 bytes each) or 1.5MB (1,000,000 bytes"),
        ("max_flash", "1G", "1GiB"),
        ("max_macs", "1,000,000", "must not have commas: write 1_000_000, not '1,000,000'"),
        ("max_peak", "320,000", "must not have commas: write 320_000, not '320,000'"),
        ("max_macs", "1,5M", "must be a count such as"),
        ("max_macs", "320KiB", "must be a count such as"),
        ("max_macs", "1e-3", "must be a count such as"),
        ("max_macs", "1.5", "must be a count such as"),
        ("max_macs", "2e6k", "must be a count such as"),
        ("max_macs", "1__0", "must be a count such as"),
        ("max_macs", "_1", "must be a count such as"),
        ("max_macs", "e6", "must be a count such as"),
        ("max_macs", "", "must be a count such as"),
    ],
)
def test_an_amount_that_may_mean_two_numbers_is_refused(key: str, text: str, words: str) -> None:
    with pytest.raises(UserError) as error:
        read_spec(Limits, [Setting(key, text, "--limit")])
    assert str(error.value).startswith("--limit ")
    assert words in str(error.value)


def test_a_condition_may_have_every_unit() -> None:
    where = read_where("macs < 60M and peak <= 320KiB and params < 2e6 and 2*flash > 1.5 kB")
    assert where.names == ("flash", "macs", "params", "peak")
    one: dict[str, Any] = {"macs": 60e6 - 1, "peak": 327_680, "params": 2e6 - 1, "flash": 751}
    cases: list[tuple[dict[str, Any], bool]] = [
        ({}, True),
        ({"macs": 60e6}, False),
        ({"peak": 327_681}, False),
        ({"params": 2e6}, False),
        ({"flash": 750}, False),
    ]
    for changed, holds in cases:
        values = {name: np.array([value]) for name, value in (one | changed).items()}
        assert where.holds(values).tolist() == [holds]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("peak < 320K", "write 320KiB (1,024 bytes each) or 320kB (1,000 bytes each), not '320K'"),
        ("2M > peak", "write 2MiB"),
        ("macs < 320KiB", "'320KiB' is not an amount of the figure that it is compared"),
        ("macs < 1.5", None),
        ("macs < 0.0001k", "is not an amount of the figure"),
        ("macs < '60M'", "is not an expression"),
        ("macs < 60Mx", "is not an expression"),
        ("60M < 70M", "there is no figure"),
    ],
)
def test_a_unit_that_does_not_suit_a_figure_is_refused(text: str, words: str | None) -> None:
    if words is None:
        assert read_where(text).names == ("macs",)
        return
    with pytest.raises(UserError) as error:
        read_where(text)
    assert str(error.value).startswith("--where")
    assert words in str(error.value)
