"""The two ways in which mbv2 stops: the user's mistake, and its own."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Wrong usage, input or environment.

    The message is one sentence: what was wrong, what is allowed, what to try.
    """


class MistakesError(UserError):
    """Several mistakes, told together."""

    def __init__(self, mistakes: Iterable[str]) -> None:
        self.mistakes = tuple(dict.fromkeys(mistakes))
        super().__init__(" ".join(self.mistakes))


class DisagreementError(Exception):
    """Plan and forward pass differ: a bug in mbv2, never the user's fault."""


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the valid name closest to ``name``, or ``""``."""
    matches = difflib.get_close_matches(name, list(valid), n=1)
    return f"; did you mean '{matches[0]}'?" if matches else ""
