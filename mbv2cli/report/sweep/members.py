"""Members of a search as the rows of a file: CSV, JSON lines or Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

from mbv2cli.errors import UserError
from mbv2cli.search.partial import Kept
from mbv2cli.search.query import Keep, Query
from mbv2cli.search.space import Space
from mbv2cli.shown import escaped

ROW_GROUP: Final = 2**17
"""Smallest number of members in a row group of Parquet: smaller groups are slow to read."""


_FORMULAS: Final = ("=", "+", "-", "@")
"""How a cell starts that a spreadsheet computes."""


class MemberWriter(Protocol):
    """Writes members to an open file, in the order in which it gets them."""

    def write(self, kept: Kept) -> None:
        """Write members."""

    def close(self) -> None:
        """Write what is still to be written. The file itself stays open."""


class MemberRows:
    """Members as columns: target, values of the varied axes, figures."""

    def __init__(self, query: Query) -> None:
        self._space = query.space
        self._axes = tuple(_axis_columns(query.space))
        self._figures = query.reported
        self._has_feasible = query.keep is Keep.BUILDABLE

    @property
    def types(self) -> dict[str, type]:
        """The name and type of each column."""
        types: dict[str, type] = {"target": str}
        types |= {column.name: column.type for column in self._axes}
        types |= dict.fromkeys(self._figures, int)
        return types | ({"feasible": bool} if self._has_feasible else {})

    def columns(self, kept: Kept) -> list[list[Any]]:
        """Return the columns of members, in the order of `types`."""
        members = kept.members
        digits = members.digits.tolist()
        axes = ([one.values[digit] for digit in digits[one.number]] for one in self._axes)
        figures = (figure.tolist() for figure in members.values)
        feasible = [kept.fits.tolist()] if self._has_feasible else []
        return [[self._space.target(member) for member in members], *axes, *figures, *feasible]

    def text_columns(self, kept: Kept) -> list[list[Any]]:
        """Return the columns of members, with targets of which every sign can be seen."""
        targets, *others = self.columns(kept)
        if _cell(self._space.base) != self._space.base:
            targets = list(map(_cell, targets))
        return [targets, *others]


@dataclass(frozen=True, slots=True)
class _AxisColumn:
    """The value of a column for each value of an axis. The axis is the varied one at ``number``."""

    name: str
    number: int
    values: Sequence[Any]

    @property
    def type(self) -> type:
        """The type of all values; numbers are floats if one of them is."""
        types = {type(value) for value in self.values}
        return types.pop() if len(types) == 1 else float


def _axis_columns(space: Space) -> Iterator[_AxisColumn]:
    for number, axis in enumerate(space.varied):
        if axis.key == "size":
            yield _AxisColumn("height", number, [height for height, _ in axis.values])
            yield _AxisColumn("width", number, [width for _, width in axis.values])
        else:
            yield _AxisColumn(axis.name, number, axis.values)


class _CsvWriter:
    """Writes a line of column names, then a line for each member."""

    def __init__(self, rows: MemberRows, file: BinaryIO) -> None:
        self._rows = rows
        self._file = file
        self._write([tuple(rows.types)])

    def write(self, kept: Kept) -> None:
        self._write(zip(*self._rows.text_columns(kept), strict=True))

    def close(self) -> None:
        pass

    def _write(self, lines: Iterable[Sequence[Any]]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(lines)
        self._file.write(text.getvalue().encode())


def _cell(target: str) -> str:
    """Return a target on one line. A spreadsheet takes no file for a formula: ``./=net.toml``."""
    return escaped(f"./{target}" if target.startswith(_FORMULAS) else target)


class _JsonlWriter:
    """Writes a JSON object on a line for each member."""

    def __init__(self, rows: MemberRows, file: BinaryIO) -> None:
        self._rows = rows
        self._file = file

    def write(self, kept: Kept) -> None:
        names = tuple(self._rows.types)
        members = (
            dict(zip(names, one, strict=True))
            for one in zip(*self._rows.columns(kept), strict=True)
        )
        self._file.write("".join(f"{json.dumps(one)}\n" for one in members).encode())

    def close(self) -> None:
        pass


class _ParquetWriter:
    """Writes members in row groups. Raises `ImportError` without pyarrow."""

    def __init__(self, rows: MemberRows, file: BinaryIO) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        types = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
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

        columns = self._rows.text_columns(Kept.joined(self._pending))
        self._writer.write_table(table(columns, schema=self._schema))
        self._pending = []


_WRITERS: Final[Mapping[str, Callable[[MemberRows, BinaryIO], MemberWriter]]] = {
    ".parquet": _ParquetWriter,
    ".csv": _CsvWriter,
    ".jsonl": _JsonlWriter,
}


def refuse_other_suffixes(path: Path) -> None:
    """Raise `UserError` if the name of the file does not end in a format of ours."""
    if path.suffix.lower() not in _WRITERS:
        raise UserError(f"--output must end in {', '.join(_WRITERS)}, not '{path.name}'")


def member_writer(path: Path, query: Query, file: BinaryIO) -> MemberWriter:
    """Return what writes members to ``file``, in the format that the name ``path`` ends in.

    Raises `ImportError` without the package that the format needs.
    """
    return _WRITERS[path.suffix.lower()](MemberRows(query), file)
