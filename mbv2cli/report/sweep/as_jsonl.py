"""Members as lines of JSON."""

from __future__ import annotations

import json
from typing import BinaryIO

from mbv2cli.report.sweep.member_rows import MemberRows
from mbv2cli.search.found import Kept


class JsonlWriter:
    """Writes an object for each member, a line each."""

    def __init__(self, rows: MemberRows, file: BinaryIO) -> None:
        self._rows = rows
        self._file = file

    def write(self, kept: Kept) -> None:
        names = tuple(self._rows.types)
        members = zip(*self._rows.columns(kept), strict=True)
        lines = (json.dumps(dict(zip(names, one, strict=True))) + "\n" for one in members)
        self._file.write("".join(lines).encode())

    def close(self) -> None:
        pass
