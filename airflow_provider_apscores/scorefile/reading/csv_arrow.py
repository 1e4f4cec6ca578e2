"""The cells of CSV records that are not plain, as pyarrow parses them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_apscores.scorefile.columns.arrays import text_parts
from airflow_provider_apscores.scorefile.reading.csv_cells import CellPlaces, Cells
from airflow_provider_apscores.scorefile.reading.csv_lines import Records

if TYPE_CHECKING:
    import pyarrow as pa

#: Bytes that are parsed together: they and their cells fit into a processor's cache.
_AT_A_TIME = 1 << 20


class Parsed(NamedTuple):
    """What pyarrow made of some records.

    Attributes:
        whole: Records that have as many cells as the header, ascending.
        cells: The cells of these; the rows are records.
        others: Records with another number of cells, or a quote out of place, ascending.
    """

    whole: Any
    cells: list[Cells]
    others: list[int]


def parse(records: Records, chosen: Any, places: CellPlaces, delimiter: str) -> Parsed:
    """Parse records.

    Args:
        records: Records of some lines.
        chosen: Which of them to parse, ascending.
        places: Where the cells under their header go.
        delimiter: What stands between cells.
    """
    import numpy as np

    columns = [*places.names, *places.second]
    cells: list[Cells] = []
    others: list[int] = []
    for rows, table in _tables(records, chosen, places, delimiter):
        if table is None:
            others.extend(rows.tolist())
            continue
        at = 0
        for batch in table.to_batches():
            cells.append(_cells(batch, rows[at : at + batch.num_rows], columns))
            at += batch.num_rows
    return Parsed(np.setdiff1d(chosen, others), cells, sorted(others))


def _tables(records: Records, chosen: Any, places: CellPlaces, delimiter: str) -> Iterator[tuple[Any, pa.Table | None]]:
    """Records and their cells; None for records that have not as many as the header."""
    import numpy as np
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    if not len(chosen):
        return
    wrong: list[int] = []

    def skip(row: Any) -> str:
        wrong.append(row.number - 1)
        return "skip"

    columns = [str(at) for at in (*places.names, *places.second)]
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(_text(records, chosen)),
            # No more threads than are at work already; without them, rows have numbers.
            read_options=arrow_csv.ReadOptions(
                column_names=[str(at) for at in range(len(places.size))], block_size=_AT_A_TIME, use_threads=False
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=delimiter, ignore_empty_lines=False, newlines_in_values=True, invalid_row_handler=skip
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(columns, pa.string()),
                include_columns=columns,
                strings_can_be_null=False,
                check_utf8=False,  # CsvLines.text is.
            ),
        )
    except pa.ArrowInvalid:
        table = None
    if table is not None and table.num_rows + len(wrong) == len(chosen):
        yield chosen[wrong], None
        yield np.delete(chosen, wrong), table
        return
    # A quote out of place takes in what follows.
    good = np.array([records.is_closed(row) for row in chosen])
    yield chosen[~good], None
    if not good.all():
        yield from _tables(records, chosen[good], places, delimiter)
    elif len(chosen) > 1:
        half = len(chosen) // 2
        yield from _tables(records, chosen[:half], places, delimiter)
        yield from _tables(records, chosen[half:], places, delimiter)
    else:
        yield chosen, None


def _text(records: Records, chosen: Any) -> bytes | memoryview:
    """The text of records. It is not copied where they follow each other."""
    import numpy as np

    lines = records.lines
    text = memoryview(lines.text)
    starts, ends = lines.text_starts[records.first[chosen]], lines.text_ends[records.last[chosen]]
    gaps = np.flatnonzero(starts[1:] != ends[:-1]) + 1
    runs = zip(starts[[0, *gaps]].tolist(), ends[[*(gaps - 1), -1]].tolist(), strict=True)
    parts = [text[start:end] for start, end in runs]
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _cells(batch: pa.RecordBatch, rows: Any, columns: list[int]) -> Cells:
    """The cells of a batch that are not empty, column by column."""
    import numpy as np

    letters, starts, stops, filled_rows, counts = [], [], [], [], []
    size = 0
    for column in batch.columns:
        offsets, data = text_parts(column)
        begin, end = int(offsets[0]), int(offsets[-1])
        filled = (offsets[1:] != offsets[:-1]).nonzero()[0] if end > begin else np.empty(0, np.int64)
        counts.append(len(filled))
        if end > begin:
            letters.append(data[begin:end])
            starts.append(offsets[:-1][filled] + np.int32(size - begin))
            stops.append(offsets[1:][filled] + np.int32(size - begin))
            filled_rows.append(rows[filled].astype(np.int32))
            size += end - begin
    none = np.empty(0, np.int32)
    return Cells(
        np.concatenate([np.empty(0, np.uint8), *letters]),
        np.concatenate([none, *starts]),
        np.concatenate([none, *stops]),
        np.repeat(np.array(columns, np.int32), counts),
        np.concatenate([none, *filled_rows]),
    )
