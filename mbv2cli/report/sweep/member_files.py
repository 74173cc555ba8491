"""Files of members: from the name of a file to its writer."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Protocol, assert_never

from mbv2cli.errors import UserError
from mbv2cli.report.sweep.member_rows import MemberRows
from mbv2cli.search.found import Kept


class MemberWriter(Protocol):
    """Writes members to an open file, in the order in which it gets them."""

    def write(self, kept: Kept) -> None:
        """Write members."""

    def close(self) -> None:
        """Write what is still to be written; the file itself stays open."""


class MemberFormat(StrEnum):
    """The formats of files of members, by the end of a file's name."""

    PARQUET = ".parquet"
    CSV = ".csv"
    JSONL = ".jsonl"

    def writer(self, rows: MemberRows, file: BinaryIO) -> MemberWriter:
        """Return what writes ``rows`` to ``file``. Raises `UserError` if it is not installed."""
        match self:
            case MemberFormat.PARQUET:
                from mbv2cli.report.sweep.as_parquet import ParquetWriter

                return ParquetWriter(rows, file)
            case MemberFormat.CSV:
                from mbv2cli.report.sweep.as_csv import CsvWriter

                return CsvWriter(rows, file)
            case MemberFormat.JSONL:
                from mbv2cli.report.sweep.as_jsonl import JsonlWriter

                return JsonlWriter(rows, file)
            case _:
                assert_never(self)


def member_format(path: Path) -> MemberFormat:
    """Return the format that a file's name asks for. Raises `UserError` if it is none of ours."""
    suffix = path.suffix.lower()
    if suffix not in list(MemberFormat):
        raise UserError(f"--output must end in {', '.join(MemberFormat)}, not '{path.name}'")
    return MemberFormat(suffix)
