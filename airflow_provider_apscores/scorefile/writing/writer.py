"""The table files of one score file."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING

from airflow_provider_apscores.scorefile.spec.tables import DELIVERIES, TABLES
from airflow_provider_apscores.scorefile.workers import Worker
from airflow_provider_apscores.scorefile.writing.formats import open_encoder
from airflow_provider_apscores.storage import Part, Staging

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_apscores.scorefile.columns.batch import Batch

#: Batches that may wait to be written. Writing a row group takes a thread longer than making a batch.
_WAITING = 2


class TablesWriter:
    """Writes one file per table and format.

    Two threads write while further batches are made: students take about as long as all other tables together.

    Args:
        staging: Where the files begin.
        workers: Two threads.
        formats: Formats of the files.
        stem: Name of the files without their ending.
        escape_formulas: See :func:`~.conversion.write_tables`.

    Attributes:
        rows: Rows by table.
        names: Names of the files by table and format.
        partition: Folders below that of each table, known at the end; see :meth:`final`.
        rejected_name: Name of the file for lines that could not be read whole. It is begun with the first of them.
        rejected_lines: Their number.
    """

    def __init__(
        self, staging: Staging, workers: Sequence[Worker], formats: Sequence[str], stem: str, escape_formulas: bool
    ) -> None:
        self._staging = staging
        self._workers = workers
        self._formats = formats
        self._stem = stem
        self._escape_formulas = escape_formulas
        self._pending: deque[list[Future[None]]] = deque()
        self.rows = dict.fromkeys(TABLES, 0)
        self.names = {table: {name: f"{table}/{stem}.{name}" for name in formats} for table in TABLES}
        # Every table has a file, also if it has no rows.
        self._encoders = [
            (table.name, open_encoder(name, table, staging.open(self.names[table.name][name]).write, escape_formulas))
            for name in formats
            for table in TABLES.values()
        ]
        self.partition = ""
        self.rejected_name = f"rejected/{stem}.txt"
        self.rejected_lines = 0
        self._rejected: Part | None = None

    def write(self, batch: Batch) -> None:
        """Queue the rows of a batch; the threads append them."""
        self._wait_for(_WAITING)
        self._pending.append(
            [
                self._workers[table != "students"].submit(encoder.write, batch.table(table))
                for table, encoder in self._encoders
                if batch.table(table).num_rows
            ]
        )
        for table in TABLES:
            self.rows[table] += batch.table(table).num_rows
        for _, line in batch.rejected:
            if self._rejected is None:
                self._rejected = self._staging.open(self.rejected_name)
            self._rejected.write(line + b"\n")
            self.rejected_lines += 1

    def finish(self) -> None:
        """Write all queued rows and close the files: they are complete afterwards."""
        self._wait_for(0)
        for _, encoder in self._encoders:
            encoder.close()

    def add_delivery(self, row: pa.RecordBatch) -> None:
        """Write the table ``deliveries``: one row about the file."""
        self.rows[DELIVERIES.name] = row.num_rows
        self.names[DELIVERIES.name] = {name: f"{DELIVERIES.name}/{self._stem}.{name}" for name in self._formats}
        for name, path in self.names[DELIVERIES.name].items():
            encoder = open_encoder(name, DELIVERIES, self._staging.open(path).write, self._escape_formulas)
            encoder.write(row)
            encoder.close()

    def final(self, name: str) -> str:
        """The name of a file or of a table's folder in the output, with the partition."""
        table, slash, file = name.partition("/")
        if not self.partition or table not in (*TABLES, DELIVERIES.name):
            return name
        return f"{table}/{self.partition}{slash}{file}"

    def _wait_for(self, batches: int) -> None:
        """Wait until at most *batches* are pending; raise what writing the others raised."""
        while len(self._pending) > batches:
            for each in self._pending.popleft():
                each.result()
