"""The exceptions that stop mbv2 (a mistake of the user, a bug in mbv2), and a warning."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping


class UserError(Exception):
    """Wrong usage, input or environment.

    The message is one sentence. It says what was wrong, what is allowed and what to try.
    """


class MistakesError(UserError):
    """Several mistakes, reported together."""

    def __init__(self, mistakes: Iterable[str]) -> None:
        self.mistakes = tuple(dict.fromkeys(mistakes))
        super().__init__(" ".join(self.mistakes))


class UnusableError(UserError):
    """A value of the run, such as ``device``, that this machine cannot use."""

    def __init__(self, key: str, problem: str) -> None:
        self.key = key
        self.problem = problem
        super().__init__(f"{key} {problem}")

    def written_at(self, places: Mapping[str, str]) -> UserError:
        """Return the error with the place where the user wrote the value, by its key."""
        return UserError(f"{places.get(self.key, self.key)} {self.problem}")


class DisagreementError(Exception):
    """The plan and the forward pass differ. This is a bug in mbv2, not a mistake of the user."""


class Notice(UserWarning):
    """Something that the user should know and that stops nothing. The message is one sentence."""


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
    """Return ``"; did you mean 'x'?"`` for the valid name closest to ``name``, or ``""``.

    Case does not matter.
    """
    by_small = {one.lower(): one for one in valid}
    matches = difflib.get_close_matches(name.lower(), by_small, n=1)
    return f"; did you mean '{by_small[matches[0]]}'?" if matches else ""


def text_of(error: BaseException) -> str:
    """Return the text of an error; "" if its class, which may be the user's, fails to make it."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001  (it may raise anything)
        return ""
