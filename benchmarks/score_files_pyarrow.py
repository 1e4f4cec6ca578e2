"""pyarrow: its CSV parser and its compute functions."""

from pathlib import Path

from score_files_wanted import REPORT_YEAR, SLOT, STUDENT, TITLES

from airflow_provider_apscores.scorefile import CSV_COLUMNS


def csv_pyarrow(source, output):
    """Tuned: 16 MB at a time, and only the columns that are needed are kept."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from pyarrow import csv

    names = [name or f"unused_{at}" for at, (_, name) in enumerate(CSV_COLUMNS)]
    slots = [f"{name}_{slot:02}" for slot in range(1, 31) for name in SLOT]
    awards = [f"{name}_{slot}" for slot in range(1, 7) for name in ("award_type", "award_year")]
    wanted = [field.name for field in STUDENT] + slots + awards
    pieces = csv.open_csv(
        source,
        read_options=csv.ReadOptions(column_names=names, skip_rows=1, block_size=16 << 20),
        convert_options=csv.ConvertOptions(
            include_columns=wanted,
            column_types=dict.fromkeys(wanted, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    )
    writers = {}
    for piece in pieces:
        tables = {
            "students": pa.table(piece.select([field.name for field in STUDENT])),
            "exam_scores": _exams(piece),
            "awards": pa.concat_tables(
                _filled(piece, slot, {name: f"{name}_{slot}" for name in ("award_type", "award_year")}, "award_type")
                for slot in range(1, 7)
            ),
        }
        for table, rows in tables.items():
            if table not in writers:
                place = Path(output) / table
                place.mkdir(parents=True)
                writers[table] = pq.ParquetWriter(
                    place / "table.parquet", rows.schema, compression="zstd", compression_level=1
                )
            writers[table].write_table(rows)
    for writer in writers.values():
        writer.close()


def _exams(piece):
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = pa.concat_tables(
        _filled(piece, slot, {name: f"{name}_{slot:02}" for name in SLOT}, "exam_code") for slot in range(1, 31)
    )
    two = pc.cast(rows["admin_year"], pa.int16())
    # The latest year up to the next one that ends in these digits.
    century = pc.if_else(pc.greater(two, (REPORT_YEAR + 1) % 100), -100, 0)
    year = pc.add(pc.add(two, century), REPORT_YEAR - REPORT_YEAR % 100)
    known = pa.array([f"{code} {year}" for code, year, _ in TITLES])
    key = pc.binary_join_element_wise(rows["exam_code"], pc.cast(year, pa.string()), " ")
    title = pa.chunked_array([pa.array([title for *_, title in TITLES])]).take(pc.index_in(key, known))
    rows = rows.set_column(rows.schema.get_field_index("admin_year"), "admin_year", year)
    at = rows.schema.get_field_index("exam_grade")
    return rows.set_column(at, "score", pc.cast(rows["exam_grade"], pa.int8())).append_column("exam_title", title)


def _filled(piece, slot, columns, telling):
    """The rows that have something in a slot."""
    import pyarrow as pa
    import pyarrow.compute as pc

    mask = pc.is_valid(piece[columns[telling]])
    found = {name: piece[column].filter(mask) for name, column in {"ap_id": "ap_id", **columns}.items()}
    return pa.table({**found, "position": pa.repeat(slot, len(found["ap_id"]))})
