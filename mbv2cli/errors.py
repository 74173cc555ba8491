"""The exceptions that stop mbv2: a mistake of the user, or a bug in mbv2."""

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


def value_text(value: object, most: int = 60) -> str:
    """Return a value of the user as a message shows it: as Python or TOML has it, if it is short.

    Never fails: neither for numbers of many digits nor for tables nested deep.
    """
    try:
        # True and False are written as TOML has them
        text = str(value).lower() if isinstance(value, bool) else repr(value)
    except ValueError:  # Python writes no number of more than 4,300 digits
        return "a number of too many digits"
    except RecursionError:
        return "a value that is nested too deep"
    return text if len(text) <= most else f"{text[:most]}…"


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the valid name closest to ``name``, or ``""``."""
    matches = difflib.get_close_matches(name, list(valid), n=1)
    return f"; did you mean '{matches[0]}'?" if matches else ""
