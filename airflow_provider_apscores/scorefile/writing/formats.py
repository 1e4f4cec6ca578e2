"""Rows to bytes: Parquet, CSV, JSON Lines."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.scorefile.columns.arrays import cast_to_schema, string_scalar, strings
from airflow_provider_apscores.scorefile.spec.tables import Table

if TYPE_CHECKING:
    import pyarrow as pa

#: The formats, which are the endings of their files as well.
FORMATS = ("parquet", "csv", "jsonl")

#: Columns that people filter by or that are sorted, so that readers can skip pieces of a file. In other columns every
#: piece would have the same lowest and highest value.
_STATISTICS = frozenset({"college_code", "report_date", "record_number"})

#: Types with few different values, which dictionaries make smaller at no cost.
_SMALL = frozenset({"int8", "int16", "date32"})

#: Rows in a piece of a Parquet file (a row group): more than in a batch, since readers are slow with short ones, but
#: not many, since the other tables wait while one is written.
_ROW_GROUP = 1 << 15

#: Bytes that are written at a time: pyarrow writes Parquet in small pieces, and each write waits for the interpreter.
_WRITTEN = 1 << 18

#: What spreadsheets run as a formula, at the beginning of a cell (OWASP, "CSV Injection").
_FORMULA = r"^[=+\-@\t\r]"


class Encoder(Protocol):
    """Encodes the rows of one file."""

    def write(self, rows: pa.RecordBatch) -> None:
        """Append rows, at least one."""

    def close(self) -> None:
        """Write the rows that are still held back: the bytes are complete afterwards."""


def read_formats(formats: str | Sequence[str]) -> tuple[str, ...]:
    """Return the formats of an argument, each once; a text is one format.

    Raises:
        ConfigurationError: There is none, or one is not known.
    """
    formats = tuple(dict.fromkeys([formats] if isinstance(formats, str) else formats))
    unknown = [each for each in formats if each not in FORMATS]
    if unknown or not formats:
        raise ConfigurationError(f"Formats of tables are {', '.join(FORMATS)}; not {', '.join(unknown) or 'none'}.")
    return formats


def open_encoder(name: str, table: Table, write: Callable[[bytes], Any], escape_formulas: bool) -> Encoder:
    """Begin a file of *table* in the format *name*; *write* takes its bytes in order."""
    if name == "csv":
        return _Csv(table, write, escape_formulas)
    return _Parquet(table, write) if name == "parquet" else _JsonLines(table, write)


class _Stream:
    """The methods of a file that pyarrow calls."""

    closed = False

    def __init__(self, write: Callable[[bytes], Any]) -> None:
        self._write = write
        self._at = 0

    def write(self, data: bytes) -> int:
        self._write(data)
        self._at += len(data)
        return len(data)

    def tell(self) -> int:
        return self._at

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


class _Parquet:
    """zstd; dictionaries and statistics only where readers gain from them, since both cost time in every column."""

    def __init__(self, table: Table, write: Callable[[bytes], Any]) -> None:
        self._table = table
        self._stream = _Stream(write)
        self._out: Any = None
        self._writer: Any = None
        self._held: list[pa.RecordBatch] = []

    def write(self, rows: pa.RecordBatch) -> None:
        self._held.append(rows)
        if sum(each.num_rows for each in self._held) >= _ROW_GROUP:
            self._write_held()

    def close(self) -> None:
        self._write_held()
        self._writer.close()
        self._out.close()

    def _write_held(self) -> None:
        import pyarrow as pa

        self._begin()
        if self._held:
            # One dictionary for the whole row group; otherwise pyarrow writes the words out.
            rows = pa.Table.from_batches(self._held).unify_dictionaries()
            self._held = []
            self._writer.write_table(rows, row_group_size=rows.num_rows)
            # Arrow keeps memory that one thread allocates and another frees: some 30 MB.
            pa.default_memory_pool().release_unused()

    def _begin(self) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        if self._writer is not None:
            return
        self._out = pa.BufferedOutputStream(pa.PythonFile(self._stream, mode="w"), _WRITTEN)
        schema = self._table.schema(encoded=True)
        self._writer = parquet.ParquetWriter(
            self._out,
            schema,
            compression="zstd",
            compression_level=1,
            write_batch_size=_ROW_GROUP,
            use_dictionary=[each.name for each in self._table.columns if each.repeats or each.type in _SMALL],
            write_statistics=[each.name for each in schema if each.name in _STATISTICS],
            # Readers see plain strings, however a column is encoded here.
            store_schema=False,
        )


class _Csv:
    """A header, then values, quoted where needed; null is empty."""

    def __init__(self, table: Table, write: Callable[[bytes], Any], escape_formulas: bool) -> None:
        from pyarrow import csv

        self._escape_formulas = escape_formulas
        self._schema = table.schema()
        self._writer = csv.CSVWriter(_Stream(write), self._schema)

    def write(self, rows: pa.RecordBatch) -> None:
        rows = cast_to_schema(rows, self._schema)
        self._writer.write_batch(_without_formulas(rows) if self._escape_formulas else rows)

    def close(self) -> None:
        self._writer.close()


class _JsonLines:
    """One object per line with every column; null where there is no value."""

    def __init__(self, table: Table, write: Callable[[bytes], Any]) -> None:
        self._write = write

    def write(self, rows: pa.RecordBatch) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        parts: list[Any] = []
        for at, field in enumerate(rows.schema):
            parts += [string_scalar(f"{', ' if at else '{'}{json.dumps(field.name)}: "), _json(rows.column(at))]
        lines = pc.binary_join_element_wise(*parts, string_scalar("}\n"), string_scalar(""))
        # The text of all lines together is the data buffer of the column.
        offsets, values = lines.buffers()[1:]
        length = int(pa.Array.from_buffers(pa.int32(), len(lines) + 1, [None, offsets])[len(lines)].as_py())
        self._write(values.slice(0, length).to_pybytes())

    def close(self) -> None:
        pass


def _without_formulas(rows: pa.RecordBatch) -> pa.RecordBatch:
    """The rows with an apostrophe before text that a spreadsheet would run as a formula."""
    import pyarrow as pa
    import pyarrow.compute as pc

    def escaped(column: pa.Array) -> pa.Array:
        if not pa.types.is_string(column.type):
            return column
        formula = pc.match_substring_regex(column, _FORMULA)
        return pc.if_else(formula, pc.binary_join_element_wise(string_scalar("'"), column, string_scalar("")), column)

    return pa.RecordBatch.from_arrays([escaped(column) for column in rows.columns], schema=rows.schema)


def _json(column: pa.Array) -> pa.StringArray:
    """Each value of a column as JSON text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = column.cast(pa.string())
    if not (pa.types.is_string(column.type) or pa.types.is_temporal(column.type)):
        return pc.fill_null(column.cast(pa.string()), string_scalar("null"))
    text = column.cast(pa.string())
    if pc.any(pc.match_substring_regex(text, r'["\\[:cntrl:]]')).as_py():
        escaped = strings(
            [None if value is None else json.dumps(value, ensure_ascii=False) for value in text.to_pylist()]
        )
    else:
        escaped = pc.binary_join_element_wise(string_scalar('"'), text, string_scalar('"'), string_scalar(""))
    return pc.fill_null(escaped, string_scalar("null"))
