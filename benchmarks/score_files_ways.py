"""Ways to turn a score file into three tables; each runs in a process of its own.

    python benchmarks/score_files_ways.py WAY FILE OUTPUT

What all give is in score_files_wanted.py, or in score_files_whole.py for the whole tables; the ways themselves are in a
module for each library, which loads it only when it is its turn.
"""

import sys
from pathlib import Path

from score_files_duckdb import csv_duckdb, duckdb_substring, duckdb_tuned
from score_files_pandas import csv_pandas, csv_pandas_pyarrow, pandas_read_fwf, pandas_read_fwf_tuned, pandas_slices
from score_files_polars import csv_polars, csv_polars_lazily, polars_binary_slices, polars_pieces, polars_slices
from score_files_pyarrow import csv_pyarrow
from score_files_python import csv_python_dicts, python_dicts, python_slices
from score_files_whole_duckdb import csv_duckdb_whole, duckdb_whole
from score_files_whole_pandas import csv_pandas_whole, pandas_read_fwf_whole
from score_files_whole_polars import csv_polars_whole, polars_whole


def ours(source, output):
    from airflow_provider_apscores.scorefile import write_tables

    write_tables(source, output, stem="table")


def ours_after_a_download(source, output):
    """The digest is known, as it is to Airflow's parse task behind a download."""
    from airflow_provider_apscores.scorefile import write_tables

    write_tables(source, output, stem="table", sha256=Path(f"{source}.sha256").read_text())


def reading_bytes(source, output):
    """No way to read anything: what the file costs by itself."""
    with open(source, "rb") as file:
        while file.read(1 << 24):
            pass


_OURS = [reading_bytes, ours, ours_after_a_download]

#: By the kind of file, and whether the whole tables are asked for.
WAYS = {
    ("txt", False): [
        *_OURS,
        polars_slices,
        polars_binary_slices,
        polars_pieces,
        duckdb_substring,
        duckdb_tuned,
        python_dicts,
        python_slices,
        pandas_slices,
        pandas_read_fwf_tuned,
        pandas_read_fwf,
    ],
    ("csv", False): [
        *_OURS,
        csv_polars_lazily,
        csv_polars,
        csv_duckdb,
        csv_pyarrow,
        csv_pandas_pyarrow,
        csv_pandas,
        csv_python_dicts,
    ],
    ("txt", True): [*_OURS, polars_whole, duckdb_whole, pandas_read_fwf_whole],
    ("csv", True): [*_OURS, csv_polars_whole, csv_duckdb_whole, csv_pandas_whole],
}


def peak_megabytes():
    """The most memory that this process had.

    Not ``ru_maxrss`` where that can be helped: it begins at the peak of the process that started this one.
    """
    try:
        status = Path("/proc/self/status").read_text()
    except FileNotFoundError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)  # bytes on macOS
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    globals()[sys.argv[1]](sys.argv[2], sys.argv[3])
    print(peak_megabytes())
