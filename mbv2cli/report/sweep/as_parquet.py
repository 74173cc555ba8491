"""Members as Parquet."""

from __future__ import annotations

from typing import BinaryIO, Final

from mbv2cli.errors import UserError
from mbv2cli.report.sweep.member_rows import MemberRows
from mbv2cli.search.found import Kept

ROW_GROUP: Final = 2**17
"""Members of a row group, at least: smaller ones make a file slow to read."""


class ParquetWriter:
    """Writes members in row groups. Raises `UserError` where pyarrow is not installed."""

    def __init__(self, rows: MemberRows, file: BinaryIO) -> None:
        try:
            import pyarrow as pa
            from pyarrow import parquet
        except ImportError:
            raise UserError(
                "a .parquet file needs pyarrow; install it with pip install 'mbv2[parquet]', or "
                "write .csv or .jsonl"
            ) from None
        types = {
            str: pa.string(),
            int: pa.int64(),
            float: pa.float64(),
            bool: pa.bool_(),
        }
        self._rows = rows
        self._schema = pa.schema({name: types[one] for name, one in rows.types.items()})
        self._writer = parquet.ParquetWriter(file, self._schema)
        self._pending: list[Kept] = []

    def write(self, kept: Kept) -> None:
        self._pending.append(kept)
        if sum(len(one.members) for one in self._pending) >= ROW_GROUP:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if not self._pending:
            return
        from pyarrow import table

        columns = self._rows.columns(Kept.joined(self._pending))
        self._writer.write_table(table(columns, schema=self._schema))
        self._pending = []
