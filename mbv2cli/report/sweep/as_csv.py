"""Members as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any, BinaryIO

from mbv2cli.report.sweep.member_rows import MemberRows
from mbv2cli.search.found import Kept


class CsvWriter:
    """Writes a line for each member, after one of the columns' names."""

    def __init__(self, rows: MemberRows, file: BinaryIO) -> None:
        self._rows = rows
        self._file = file
        self._write([tuple(rows.types)])

    def write(self, kept: Kept) -> None:
        self._write(zip(*self._rows.columns(kept), strict=True))

    def close(self) -> None:
        pass

    def _write(self, lines: Iterable[Sequence[Any]]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(lines)
        self._file.write(text.getvalue().encode())
