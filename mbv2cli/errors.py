"""The exceptions that stop mbv2 (a mistake of the user, a bug in mbv2), and a warning."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Wrong usage, input or environment.

    The message is one sentence. It says what was wrong, what is allowed and what to try.
    """


class MistakesError(UserError):
    """Several mistakes, reported together."""

    def __init__(self, mistakes: Iterable[str]) -> None:
        self.mistakes = tuple(dict.fromkeys(mistakes))
        super().__init__(" ".join(self.mistakes))


class DisagreementError(Exception):
    """The plan and the forward pass differ. This is a bug in mbv2, not a mistake of the user."""


class Notice(UserWarning):
    """Something that the user should know and that stops nothing. The message is one sentence."""


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the valid name closest to ``name``, or ``""``."""
    matches = difflib.get_close_matches(name, list(valid), n=1)
    return f"; did you mean '{matches[0]}'?" if matches else ""
