"""Environment variables of the libraries that mbv2 imports."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from mbv2cli.errors import UserError, value_text

_USABLE: Final = {
    "OMP_NUM_THREADS": r"[1-9]\d{0,3}(,[1-9]\d{0,3})*",
    "TORCH_CPP_LOG_LEVEL": r"[0-3]|INFO|WARNING|ERROR|FATAL",
}
"""What the values of variables look like that a library can work with."""

_UNUSED: Final = ("OMP_", "GOMP_")
"""The starts of other variables that change no result, and print warnings if they are wrong."""


def forget_unusable() -> None:
    """Remove variables that would make torch or its threads print warnings as they are imported."""
    for name, value in list(os.environ.items()):
        pattern = _USABLE.get(name)
        if name.startswith(_UNUSED) if pattern is None else not re.fullmatch(pattern, value):
            del os.environ[name]


@contextmanager
def settings_of(library: str, *starts: str) -> Iterator[None]:
    """Raise an error of the block as a `UserError` if a variable of ``library`` is its cause.

    The names of such variables start with one of ``starts``, and the error has the name or the
    value in its text.
    """
    try:
        yield
    except (ImportError, UserError):
        raise
    except Exception as error:
        text = str(error)
        for name, value in os.environ.items():
            if name.startswith(starts) and value and (name in text or value in text):
                raise UserError(
                    f"{library} cannot work with the environment variable {name}, which is "
                    f"{value_text(value)}; unset the variable or correct the value"
                ) from None
        raise
