"""Ways to turn a score file into the whole tables; each runs in a process of its own.

    python benchmarks/score_files_ways.py WAY FILE OUTPUT

score_files_whole.py says what all of them make. Each library has a module, which imports it only when it runs.
"""

import sys
from pathlib import Path

from score_files_whole_duckdb import csv_duckdb_whole, duckdb_whole
from score_files_whole_pandas import csv_pandas_whole, pandas_read_fwf_whole
from score_files_whole_polars import csv_polars_whole, polars_whole


def ours(source, output):
    from airflow_provider_apscores.scorefile import write_tables

    write_tables(source, output, stem="table")


def ours_after_a_download(source, output):
    """The digest is known, as it is to a parse task after a download."""
    from airflow_provider_apscores.scorefile import write_tables

    write_tables(source, output, stem="table", sha256=Path(f"{source}.sha256").read_text())


def reading_bytes(source, output):
    """Reading the bytes alone, for comparison."""
    with open(source, "rb") as file:
        while file.read(1 << 24):
            pass


_OURS = [reading_bytes, ours, ours_after_a_download]

#: By the kind of file.
WAYS = {
    "txt": [*_OURS, polars_whole, duckdb_whole, pandas_read_fwf_whole],
    "csv": [*_OURS, csv_polars_whole, csv_duckdb_whole, csv_pandas_whole],
}


def peak_megabytes():
    """The most memory that this process had.

    ``ru_maxrss`` is the last resort: it begins at the peak of the process that started this one.
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
