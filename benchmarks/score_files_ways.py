"""Ways to turn a score file into three tables; each runs in a process of its own.

    python benchmarks/score_files_ways.py WAY FILE OUTPUT

All give the same rows: ``students`` with every field but fillers, ``exam_scores`` with a row for each filled slot,
its four-digit year and its title by code and year, and ``awards``. Ours gives more than that (types, statuses, notes,
problems, digests); the others are not asked for it.
"""

import csv
import sys
from pathlib import Path

from airflow_provider_apscores.scorefile import CSV_COLUMNS, EXAMS, LAYOUT_950

STUDENT = [
    field
    for name, field in LAYOUT_950.fields.items()
    if name not in LAYOUT_950.slot_names and not name.startswith("filler")
]
SLOT = ["admin_year", "exam_code", "exam_grade", "irregularity_1", "irregularity_2"]
REPORT_YEAR = 2025


def title(code, year):
    for exam in EXAMS:
        if exam.code == code and (exam.first_year or 0) <= year <= (exam.last_year or 9999):
            return exam.title
    return None


TITLES = [
    (exam.code, year, title(exam.code, year))
    for exam in {exam.code: exam for exam in EXAMS}.values()
    for year in range(REPORT_YEAR - 98, REPORT_YEAR + 2)
    if title(exam.code, year)
]


def ours(source, output):
    from airflow_provider_apscores.scorefile import write_tables

    write_tables(source, output, stem="table")


def reading_bytes(source, output):
    """No way to read anything: what the file costs by itself."""
    with open(source, "rb") as file:
        while file.read(1 << 24):
            pass


# -- pandas ------------------------------------------------------------------------------------------------------------


def pandas_read_fwf(source, output):
    _pandas(source, output, [field for name, field in LAYOUT_950.fields.items() if not name.startswith("filler")])


def _pandas(source, output, fields):
    """A hundred thousand records at a time: a million at once would need more than ten gigabytes."""
    import pandas as pd

    chunks = pd.read_fwf(
        source,
        colspecs=[(field.start - 1, field.end) for field in fields],
        names=[field.name for field in fields],
        dtype=str,
        header=None,
        chunksize=100_000,
    )
    _pandas_tables(pd, chunks, output)


def pandas_slices(source, output):
    """Tuned: lines as one column of text, sliced."""
    import pandas as pd

    fields = [field for name, field in LAYOUT_950.fields.items() if not name.startswith("filler")]

    def chunks():
        lines = pd.read_csv(
            source,
            header=None,
            names=["line"],
            dtype=str,
            sep="\x01",
            quoting=3,
            skipinitialspace=False,
            chunksize=100_000,
        )
        for chunk in lines:
            cut = {field.name: chunk["line"].str[field.span].str.strip().replace("", None) for field in fields}
            yield pd.DataFrame(cut)

    _pandas_tables(pd, chunks(), output)


def _pandas_tables(pd, chunks, output):
    titles = pd.DataFrame(TITLES, columns=["exam_code", "admin_year", "exam_title"])
    for number, frame in enumerate(chunks):
        exams = pd.concat(
            frame[["ap_id", *(f"{name}_{slot:02}" for name in SLOT)]]
            .set_axis(["ap_id", *SLOT], axis=1)
            .assign(position=slot)
            .dropna(subset=["exam_code"])
            for slot in range(1, 31)
        )
        two = exams["admin_year"].astype(int)
        exams["admin_year"] = REPORT_YEAR + 1 - (REPORT_YEAR + 1 - two) % 100
        exams["score"] = exams.pop("exam_grade").astype("Int8")
        exams = exams.merge(titles, on=["exam_code", "admin_year"], how="left")
        awards = pd.concat(
            frame[["ap_id", f"award_type_{slot}", f"award_year_{slot}"]]
            .set_axis(["ap_id", "award_type", "award_year"], axis=1)
            .assign(position=slot)
            .dropna(subset=["award_type"])
            for slot in range(1, 7)
        )
        tables = {"students": frame[[field.name for field in STUDENT]], "exam_scores": exams, "awards": awards}
        for table, rows in tables.items():
            place = Path(output) / table
            place.mkdir(parents=True, exist_ok=True)
            rows.to_parquet(place / f"{number:03}.parquet", index=False)


# -- pure Python -------------------------------------------------------------------------------------------------------


def python_dicts(source, output):
    """What public scripts do: a dict of every field of a line, then rows of CSV."""
    titles = {(code, year): name for code, year, name in TITLES}
    headings = {
        "students": [field.name for field in STUDENT],
        "exam_scores": ["ap_id", "position", *SLOT[:2], "score", *SLOT[3:], "exam_title"],
        "awards": ["ap_id", "position", "award_type", "award_year"],
    }
    files, writers = [], {}
    for table, heading in headings.items():
        place = Path(output) / table
        place.mkdir(parents=True, exist_ok=True)
        files.append(open(place / "table.csv", "w", newline=""))  # noqa: SIM115
        writers[table] = csv.DictWriter(files[-1], heading, extrasaction="ignore")
        writers[table].writeheader()
    with open(source, encoding="ascii") as lines:
        for line in lines:
            record = {name: line[field.start - 1 : field.end].strip() for name, field in LAYOUT_950.fields.items()}
            writers["students"].writerow(record)
            for slot in range(1, 31):
                exam = {name: record[f"{name}_{slot:02}"] for name in SLOT}
                if not exam["exam_code"]:
                    continue
                year = REPORT_YEAR + 1 - (REPORT_YEAR + 1 - int(exam["admin_year"])) % 100
                exam.update(ap_id=record["ap_id"], position=slot, admin_year=year, score=exam["exam_grade"])
                exam["exam_title"] = titles.get((exam["exam_code"], year), "")
                writers["exam_scores"].writerow(exam)
            for slot in range(1, 7):
                award = {name: record[f"{name}_{slot}"] for name in ("award_type", "award_year")}
                if award["award_type"]:
                    writers["awards"].writerow({"ap_id": record["ap_id"], "position": slot, **award})
    for file in files:
        file.close()


def python_slices(source, output):
    """The same, tuned: nothing is sliced that is not written."""
    titles = {(code, year): name for code, year, name in TITLES}
    spans = [field.span for field in STUDENT]
    exam, award = LAYOUT_950.fields["admin_year_01"].start - 1, LAYOUT_950.fields["award_type_1"].start - 1
    files, writers = [], []
    for table in ("students", "exam_scores", "awards"):
        place = Path(output) / table
        place.mkdir(parents=True, exist_ok=True)
        files.append(open(place / "table.csv", "w", newline=""))  # noqa: SIM115
        writers.append(csv.writer(files[-1]))
    writers[0].writerow([field.name for field in STUDENT])
    writers[1].writerow(["ap_id", "position", *SLOT[:2], "score", *SLOT[3:], "exam_title"])
    writers[2].writerow(["ap_id", "position", "award_type", "award_year"])
    with open(source, encoding="ascii") as lines:
        for line in lines:
            writers[0].writerow([line[span].strip() for span in spans])
            ap_id = line[:8].strip()
            for slot in range(30):
                start = exam + slot * 11
                code = line[start + 2 : start + 4].strip()
                if not code:
                    continue
                year = REPORT_YEAR + 1 - (REPORT_YEAR + 1 - int(line[start : start + 2])) % 100
                rest = [
                    line[start + 4].strip(),
                    line[start + 5 : start + 7].strip(),
                    line[start + 7 : start + 9].strip(),
                ]
                writers[1].writerow([ap_id, slot + 1, year, code, *rest, titles.get((code, year), "")])
            for slot in range(6):
                start = award + slot * 4
                if line[start : start + 2].strip():
                    writers[2].writerow([ap_id, slot + 1, line[start : start + 2], line[start + 2 : start + 4]])
    for file in files:
        file.close()


# -- DuckDB ------------------------------------------------------------------------------------------------------------


def _duckdb(output, wide, slots, prepare=()):
    import duckdb

    base = duckdb.connect()
    base.execute("CREATE TABLE titles (exam_code VARCHAR, admin_year INTEGER, exam_title VARCHAR)")
    base.executemany("INSERT INTO titles VALUES (?, ?, ?)", TITLES)
    for statement in prepare:
        base.execute(statement)
    for table in ("students", "exam_scores", "awards"):
        (Path(output) / table).mkdir(parents=True, exist_ok=True)

    def copy(query, table):
        base.execute(f"COPY ({query}) TO '{output}/{table}/table.parquet' (FORMAT parquet, COMPRESSION zstd)")

    copy(wide, "students")
    year = f"{REPORT_YEAR + 1} - (({REPORT_YEAR + 1} - y::INTEGER) % 100)"
    copy(
        f"SELECT e.*, t.exam_title FROM (SELECT ap_id, position, {year} AS admin_year, exam_code, "
        f"score::TINYINT AS score, irregularity_1, irregularity_2 FROM ({slots['exam']})) e "
        "LEFT JOIN titles t ON t.exam_code = e.exam_code AND t.admin_year = e.admin_year",
        "exam_scores",
    )
    copy(slots["award"], "awards")


def _duckdb_txt(source, output, relation, prepare):
    def cut(start, width):
        return f"nullif(trim(substring(line, {start}, {width})), '')"

    wide = f"SELECT {', '.join(f'{cut(f.start, f.width)} AS {f.name}' for f in STUDENT)} FROM {relation}"
    exams = (
        f"SELECT {cut(1, 8)} AS ap_id, s + 1 AS position, {cut('539 + 11 * s', 2)} AS y, {cut('541 + 11 * s', 2)} AS "
        f"exam_code, {cut('543 + 11 * s', 1)} AS score, {cut('544 + 11 * s', 2)} AS irregularity_1, "
        f"{cut('546 + 11 * s', 2)} AS irregularity_2 FROM {relation}, range(30) r(s) "
        "WHERE substring(line, 541 + 11 * s, 2) <> '  '"
    )
    awards = (
        f"SELECT {cut(1, 8)} AS ap_id, s + 1 AS position, {cut('189 + 4 * s', 2)} AS award_type, "
        f"{cut('191 + 4 * s', 2)} AS award_year FROM {relation}, range(6) r(s) "
        "WHERE substring(line, 189 + 4 * s, 2) <> '  '"
    )
    _duckdb(output, wide, {"exam": exams, "award": awards}, prepare)


def duckdb_substring(source, output):
    _duckdb_txt(source, output, _duckdb_lines(source), ())


def duckdb_tuned(source, output):
    """The lines are scanned once and kept in memory."""
    _duckdb_txt(source, output, "lines", [f"CREATE TEMP TABLE lines AS SELECT * FROM {_duckdb_lines(source)}"])


def _duckdb_lines(source):
    return (
        f"read_csv('{source}', columns={{'line': 'VARCHAR'}}, delim='\x01', quote='', escape='', header=false, "
        "auto_detect=false)"
    )


def csv_duckdb(source, output):
    names = {name: heading for heading, name in CSV_COLUMNS if name}
    columns = {f"c{at}": "VARCHAR" for at in range(len(CSV_COLUMNS))}
    place = {name: f"c{at}" for at, (_, name) in enumerate(CSV_COLUMNS) if name}
    assert names.keys() == place.keys()
    prepare = [
        f"CREATE TEMP TABLE wide AS SELECT * FROM read_csv('{source}', header=true, delim=',', quote='\"', "
        f"columns={columns}, auto_detect=false)"
    ]

    def cut(name):
        return f"nullif(trim({place[name]}), '')"

    wide = f"SELECT {', '.join(f'{cut(f.name)} AS {f.name}' for f in STUDENT)} FROM wide"
    exams = " UNION ALL ".join(
        f"SELECT {cut('ap_id')} AS ap_id, {slot} AS position, {place[f'admin_year_{slot:02}']} AS y, "
        f"{place[f'exam_code_{slot:02}']} AS exam_code, {cut(f'exam_grade_{slot:02}')} AS score, "
        f"{cut(f'irregularity_1_{slot:02}')} AS irregularity_1, {cut(f'irregularity_2_{slot:02}')} AS irregularity_2 "
        f"FROM wide WHERE {cut(f'exam_code_{slot:02}')} IS NOT NULL"
        for slot in range(1, 31)
    )
    awards = " UNION ALL ".join(
        f"SELECT {cut('ap_id')} AS ap_id, {slot} AS position, {place[f'award_type_{slot}']} AS award_type, "
        f"{place[f'award_year_{slot}']} AS award_year FROM wide WHERE {cut(f'award_type_{slot}')} IS NOT NULL"
        for slot in range(1, 7)
    )
    _duckdb(output, wide, {"exam": exams, "award": awards}, prepare)


# -- Polars ------------------------------------------------------------------------------------------------------------


def polars_slices(source, output):
    import polars as pl

    _polars_txt(source, output, lambda start, width: pl.col("line").str.slice(start - 1, width).str.strip_chars())


def polars_binary_slices(source, output):
    """Tuned: bytes instead of characters."""
    import polars as pl

    def cut(start, width):
        return pl.col("line").bin.slice(start - 1, width).cast(pl.String).str.strip_chars()

    _polars_txt(source, output, cut, binary=True)


def _polars_txt(source, output, cut, binary=False):
    import polars as pl

    lines = pl.read_csv(source, has_header=False, new_columns=["line"], separator="\x01", quote_char=None)
    if binary:
        lines = lines.with_columns(pl.col("line").cast(pl.Binary))

    def field(start, width, name):
        return pl.when(cut(start, width) != "").then(cut(start, width)).alias(name)

    wide = lines.lazy().select(field(f.start, f.width, f.name) for f in STUDENT)
    exams = [
        lines.lazy().select(
            field(1, 8, "ap_id"),
            pl.lit(slot + 1).alias("position"),
            field(539 + 11 * slot, 2, "admin_year"),
            field(541 + 11 * slot, 2, "exam_code"),
            field(543 + 11 * slot, 1, "score"),
            field(544 + 11 * slot, 2, "irregularity_1"),
            field(546 + 11 * slot, 2, "irregularity_2"),
        )
        for slot in range(30)
    ]
    awards = [
        lines.lazy().select(
            field(1, 8, "ap_id"),
            pl.lit(slot + 1).alias("position"),
            field(189 + 4 * slot, 2, "award_type"),
            field(191 + 4 * slot, 2, "award_year"),
        )
        for slot in range(6)
    ]
    _polars_tables(wide, exams, awards, output)


def csv_polars(source, output):
    import polars as pl

    names = [name or f"unused_{at}" for at, (_, name) in enumerate(CSV_COLUMNS)]
    frame = pl.read_csv(source, has_header=True, new_columns=names, infer_schema=False).lazy()
    frame = frame.with_columns(pl.when(pl.all() != "").then(pl.all()))
    exams = [
        frame.select(
            "ap_id",
            pl.lit(slot).alias("position"),
            *(pl.col(f"{name}_{slot:02}").alias("score" if name == "exam_grade" else name) for name in SLOT),
        )
        for slot in range(1, 31)
    ]
    awards = [
        frame.select(
            "ap_id",
            pl.lit(slot).alias("position"),
            pl.col(f"award_type_{slot}").alias("award_type"),
            pl.col(f"award_year_{slot}").alias("award_year"),
        )
        for slot in range(1, 7)
    ]
    _polars_tables(frame.select(field.name for field in STUDENT), exams, awards, output)


def _polars_tables(wide, exams, awards, output):
    import polars as pl

    titles = pl.LazyFrame(TITLES, schema=["exam_code", "admin_year", "exam_title"], orient="row")
    two = pl.col("admin_year").cast(pl.Int64)
    exams = (
        pl.concat([each.filter(pl.col("exam_code").is_not_null()) for each in exams])
        .with_columns(
            (REPORT_YEAR + 1 - (REPORT_YEAR + 1 - two) % 100).alias("admin_year"), pl.col("score").cast(pl.Int8)
        )
        .join(titles, on=["exam_code", "admin_year"], how="left")
    )
    awards = pl.concat([each.filter(pl.col("award_type").is_not_null()) for each in awards])
    for table, frame in (("students", wide), ("exam_scores", exams), ("awards", awards)):
        place = Path(output) / table
        place.mkdir(parents=True, exist_ok=True)
        frame.collect().write_parquet(place / "table.parquet", compression="zstd", compression_level=1)


WAYS = {
    "txt": [
        reading_bytes,
        ours,
        polars_slices,
        polars_binary_slices,
        duckdb_substring,
        duckdb_tuned,
        python_dicts,
        python_slices,
        pandas_slices,
        pandas_read_fwf,
    ],
    "csv": [reading_bytes, ours, csv_duckdb, csv_polars],
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
