"""How fast score files become tables, compared with Polars, DuckDB and pandas on one generated file.

    pip install . -r benchmarks/requirements.txt
    python benchmarks/score_files.py --records 100000 --runs 5
    python benchmarks/score_files.py --records 1000000 --runs 5 --kind csv

Each way runs in its own process, from a file in the page cache to three tables, imports included. The ways take turns,
so that a busy machine slows all of them. The median counts. Every value of every column is compared.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import score_files_data
import score_files_ways
import score_files_whole

HERE = Path(__file__).parent


def measure(way, source, output):
    """Return wall-clock seconds, processor seconds, and peak megabytes."""
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir()
    begin = time.perf_counter()
    command = [sys.executable, HERE / "score_files_ways.py", way, source, output]
    program = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    said = program.stdout.read()
    _, status, usage = os.wait4(program.pid, 0)
    seconds = time.perf_counter() - begin
    program.returncode = os.waitstatus_to_exitcode(status)
    if program.returncode:
        raise SystemExit(f"{way} failed")
    return seconds, usage.ru_utime + usage.ru_stime, float(said)


def shape_of(output):
    """What the tables of a way hold, to compare."""
    import duckdb

    def of(table, query):
        files = f"{output}/{table}/*.parquet"
        return duckdb.sql(query.format(f"read_parquet('{files}')")).fetchall()[0]

    # In any order of rows; as text, so that the types of one library are as good as those of another.
    return tuple(
        of(
            table,
            "SELECT count(*), sum(hash(concat_ws('|', "
            + ", ".join(f"coalesce({column}::VARCHAR, chr(1))" for column in score_files_whole.COLUMNS[table])
            + "))::HUGEINT) FROM {}",
        )
        for table in ("students", "exam_scores", "awards")
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--kind", choices=["txt", "csv"], default="txt")
    parser.add_argument("--without", action="append", default=[], metavar="WAY", help="leave this way out")
    parser.add_argument("--only", action="append", default=[], metavar="WAY", help="run only this way and ours")
    parser.add_argument("--file", type=Path, help="keep the generated file here, and use it again")
    asked = parser.parse_args()
    ways = [way.__name__ for way in score_files_ways.WAYS[asked.kind] if way.__name__ not in asked.without]
    if asked.only:
        ways = [way for way in ways if way in ("ours", *asked.only)]
    with tempfile.TemporaryDirectory() as folder:
        source, output = asked.file or Path(folder, f"scores.{asked.kind}"), Path(folder, "tables")
        if not source.exists():
            score_files_data.write(asked.records, source, asked.kind)
        Path(f"{source}.sha256").write_text(score_files_whole.digest_of(source))
        found = {way: [] for way in ways}
        shapes = {}
        for _ in range(asked.runs):
            for way in ways:
                found[way].append(measure(way, source, output))
                if way != "reading_bytes":
                    shapes[way] = shape_of(output)
        size = source.stat().st_size
    if len(set(shapes.values())) > 1:
        raise SystemExit(f"The tables differ: {shapes}")
    ours = [statistics.median(column) for column in zip(*found["ours"], strict=True)]
    records = shapes["ours"][0][0]
    print(f"{records:,} records, {size / 1e6:,.0f} MB {asked.kind}, median of {asked.runs}\n")
    print("| way | seconds | times ours | processor seconds | times ours | peak MB |")
    print("|---|---:|---:|---:|---:|---:|")
    for way, runs in found.items():
        clock, processor, peak = (statistics.median(column) for column in zip(*runs, strict=True))
        ratios = clock / ours[0], processor / ours[1]
        print(f"| {way} | {clock:.2f} | {ratios[0]:.2f} | {processor:.2f} | {ratios[1]:.2f} | {peak:.0f} |")


if __name__ == "__main__":
    main()
