"""How much a picture can show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mbv2cli.costs.outline import Stretch
from mbv2cli.errors import UserError
from mbv2cli.report.picture import Heading

MOST_ROWS: Final = 200
"""More rows than these nobody reads, and a PNG cannot be as high."""


def refuse_too_many(heading: Heading, parts: Sequence[Stretch]) -> None:
    """Raise `UserError` for more stretches than a picture has rows."""
    if len(parts) > MOST_ROWS:
        raise UserError(
            f"{heading.title} runs {len(parts)} modules and operations one after the other, and "
            f"this picture shows at most {MOST_ROWS}; try --what memory"
        )
