from __future__ import annotations

import pytest

from mbv2cli import BlockSpec, InputSpec, NetworkSpec, UserError, check


def test_what_holds_gives_the_plan() -> None:
    plan = check(BlockSpec(), expect={"output": "1x64x*x*", "max_params": "2k"})
    assert plan.totals.params == 1568
    assert check(BlockSpec(), InputSpec(size=(8, 8)), expect="1x64x8x8", forward=True)


def test_what_is_broken_is_the_message() -> None:
    with pytest.raises(AssertionError) as error:
        check(NetworkSpec(), expect={"output": "1x10", "max_params": "3M", "max_macs": "400M"})
    assert str(error.value).splitlines()[1:] == [
        "output is 1x1000, expected 1x10",
        "params is 3,504,872, expected <= 3,000,000 (16.8 % over)",
    ]


def test_a_limit_that_is_none_is_a_user_error() -> None:
    with pytest.raises(UserError, match="max_prams"):
        check(BlockSpec(), expect={"max_prams": 3})
