"""What all pictures share: their formats, their colours, and how they become a file."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mbv2cli.errors import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PNG_DOTS_PER_INCH: Final = 200
"""An 8 inch picture has 1,600 pixels: sharp on a slide, and in a README at half the size."""

# of Okabe and Ito, told apart by colour-blind people too
SKY, ORANGE, GREEN, BLUE = "#56b4e9", "#e69f00", "#009e73", "#0072b2"
VERMILION, PURPLE, BLACK = "#d55e00", "#cc79a7", "#000000"

_STYLE: Final[Any] = {"svg.hashsalt": "mbv2"}  # the same picture is the same file


def refuse_undrawable(path: Path, flag: str) -> None:
    """Raise `UserError` for a name of another format, and `ImportError` without matplotlib.

    ``flag`` gave the name.
    """
    if path.suffix.lower() not in (".svg", ".png"):
        raise UserError(f"{flag} must end in .svg or .png, not '{path.name}'")
    import matplotlib.figure  # noqa: F401  (only to see whether it is there)


def saved(make: Callable[[], Figure], suffix: str, style: Any) -> bytes:
    """Return a picture as the content of a file whose name ends in ``.svg`` or ``.png``.

    ``style`` has matplotlib's parameters, under which ``make`` runs.
    """
    from matplotlib import rc_context

    with rc_context({**_STYLE, **style}):
        file = io.BytesIO()
        form = suffix.lower().removeprefix(".")
        metadata = {"Date": None} if form == "svg" else None
        make().savefig(file, format=form, dpi=PNG_DOTS_PER_INCH, metadata=metadata)
    return file.getvalue()
