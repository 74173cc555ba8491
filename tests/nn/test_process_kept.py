"""What is put back of the process after the user's code has run."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from typing import Any

import pytest
import torch

from mbv2cli.nn.process_kept import names_kept, process_kept


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the process cannot be copied")
def test_a_copy_of_the_process_ends_with_the_block() -> None:
    with process_kept():
        warnings.simplefilter("ignore")  # Python's, on threads
        copy = os.fork()
    assert copy != 0
    assert os.waitpid(copy, 0)[1] == 0


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no alarms")
def test_no_alarm_is_left() -> None:
    before = signal.getitimer(signal.ITIMER_REAL)[0]
    with process_kept():
        signal.setitimer(signal.ITIMER_REAL, before or 100)
    assert bool(signal.getitimer(signal.ITIMER_REAL)[0]) is bool(before)


def test_standard_error_is_open_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    with open(os.devnull, "w") as stream:  # noqa: PTH123
        monkeypatch.setattr(sys, "stderr", stream)
        with process_kept():
            sys.stderr.close()
        assert not sys.stderr.closed


def test_what_pytorch_replaces_itself_is_not_the_users_doing() -> None:
    names: Any = torch
    seed, rand = names.manual_seed, names.rand
    with names_kept() as replaced:
        names.manual_seed = torch.random.seed  # as PyTorch's compiler does when it is imported
        names.rand = lambda *_sides: 1 / 0
    assert replaced == ["torch.rand"]
    assert (names.manual_seed, names.rand) == (seed, rand)
