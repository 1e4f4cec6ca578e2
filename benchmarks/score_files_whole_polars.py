"""Polars, asked for the whole tables in the ways that are best for the plain ones."""

from itertools import islice

from score_files_whole import (
    AWARD_SLOTS,
    COLUMNS,
    DERIVED,
    EXAM_SLOTS,
    FIELDS,
    NEXT_YEAR,
    NO_RANK,
    NOTES,
    RANKS,
    TEXTS,
    TITLES,
    csv_names,
    digest_of,
    folder,
)

from airflow_provider_apscores.scorefile import AWARDS, LAYOUT_950, RACE_ETHNICITY_RESPONSE
from airflow_provider_apscores.scorefile.spec.tables import STATUSES

_COMPRESSED = {"compression": "zstd", "compression_level": 1}


def polars_whole(source, output):
    """Bytes, only slots in use, 65,536 records at a time."""
    import polars as pl

    def part(name, at=0, width=None):
        field = FIELDS[name]
        return pl.col("line").bin.slice(field.start - 1 + at, width or field.width).cast(pl.String)

    def filled(group, slot):
        return pl.col("line").bin.slice(group.start + group.stride * slot - 1, group.stride) != b" " * group.stride

    digest, first = digest_of(source), 1
    with open(source, "rb") as file:
        for number, piece in enumerate(iter(lambda: file.read(65_536 * (LAYOUT_950.length + 1)), b"")):
            lines = pl.read_csv(piece, has_header=False, new_columns=["line"], separator="\x01", quote_char=None)
            lines = lines.with_row_index("record_number", first).with_columns(pl.col("line").cast(pl.Binary))
            # What every table needs of a student is made once.
            with_student = _with_student(lines, part, digest)
            for table, rows in _tables(with_student.lazy(), part, filled).items():
                rows.collect().write_parquet(folder(output, table) / f"{number:03}.parquet", **_COMPRESSED)
            first += len(lines)


def csv_polars_whole(source, output):
    """32,768 rows at a time: as fast as the whole file at once, and scans take three times as long."""
    import polars as pl

    def part(name, at=0, width=None):
        return pl.col(name) if width is None else pl.col(name).str.slice(at, width)

    def filled(group, slot):
        return pl.any_horizontal(pl.col(group.field_name(each.name, slot + 1)) != "" for each in group.fields)

    digest, first = digest_of(source), 1
    with open(source, "rb") as file:
        file.readline()
        for number, piece in enumerate(iter(lambda: b"".join(islice(file, 32_768)), b"")):
            rows = pl.read_csv(piece, has_header=False, new_columns=csv_names(), infer_schema=False)
            with_student = _with_student(rows.with_row_index("record_number", first), part, digest)
            for table, frame in _tables(with_student.lazy(), part, filled).items():
                frame.collect().write_parquet(folder(output, table) / f"{number:03}.parquet", **_COMPRESSED)
            first += len(rows)


def _text(part):
    import polars as pl

    stripped = part.str.strip_chars(" ")
    return pl.when(stripped != "").then(stripped)


def _latest(two, limit):
    return limit - (limit - two) % 100


def _with_student(frame, part, digest):
    import polars as pl

    month, day, two = (part("report_date", at, 2).cast(pl.Int32, strict=False) for at in (0, 2, 4))
    college_code = _text(part("college_code"))
    return frame.with_columns(
        pl.date(_latest(two, NEXT_YEAR), month, day).alias("report_day"),
        _text(part("ap_id")).alias("ap"),
        college_code.alias("college"),
        college_code.str.slice(-4).alias("di_code"),
        pl.col("record_number").cast(pl.Int64),
        pl.lit(digest).alias("file_sha256"),
    )


def _tables(frame, part, filled):
    """The tables of a frame that has what :func:`_with_student` gives beside the raw fields."""
    import polars as pl

    reported = pl.col("report_day")
    limit = reported.dt.year() + 1
    of_student = {"ap_id": pl.col("ap"), "college_code": pl.col("college"), "report_date": reported} | {
        name: pl.col(name) for name in ("di_code", "record_number", "file_sha256")
    }

    def numbers(name):
        return (part(name, at, 2).cast(pl.Int32, strict=False) for at in (0, 2, 4))

    def day_of(name):
        month, day, two = numbers(name)
        return pl.date(_latest(two, limit), month, day)

    month, day, two = numbers("birth_date")
    old_enough = reported.dt.year() - 5
    year = _latest(two, old_enough)
    too_late = (year == old_enough) & (
        (month > reported.dt.month()) | ((month == reported.dt.month()) & (day > reported.dt.day()))
    )
    texts = {name: _text(part(field)) if field in FIELDS else pl.lit(None, pl.String) for name, field in TEXTS.items()}
    made = texts | of_student | {
        "birth_date": pl.date(pl.when(too_late).then(year - 100).otherwise(year), month, day),
        "scores_released_date": day_of("released_date"),
        "student_update_date": day_of("student_update_date"),
        "race_ethnicity_response": _text(part("race_ethnicity_response")),
        "race_ethnicity_derived_title": texts["race_ethnicity_derived"].replace_strict(DERIVED, default=None),
    }  # fmt: skip
    for name in ("previous_ai_year_1", "previous_ai_year_2"):
        made[name] = _latest(part(name, 0, 2).cast(pl.Int32, strict=False), limit).cast(pl.Int16)
    for at, race in enumerate(RACE_ETHNICITY_RESPONSE):
        letter = part("race_ethnicity_response", at, 1)
        made[f"race_{race}"] = letter.replace_strict({"Y": True, "N": False}, default=None)

    def slots_of(group):
        for slot in range(group.count):
            fields = {each.name: _text(part(group.field_name(each.name, slot + 1))) for each in group.fields}
            columns = of_student | {"position": pl.lit(slot + 1, pl.Int8)} | fields
            yield frame.filter(filled(group, slot)).select(
                expression.alias(name) for name, expression in columns.items()
            )

    def year_of(name):
        year = _latest(pl.col(name).cast(pl.Int32), pl.col("report_date").dt.year() + 1)
        return year.cast(pl.Int16).alias(name)

    irregularities = [pl.col("irregularity_1"), pl.col("irregularity_2")]
    rank = pl.min_horizontal(
        each.replace_strict(RANKS, default=NO_RANK, return_dtype=pl.Int8).fill_null(NO_RANK) for each in irregularities
    )
    one, two = (each.replace_strict(NOTES, default=None) for each in irregularities)
    no_effect = pl.when(pl.col("score").is_null()).then(pl.lit("unknown")).otherwise(pl.lit("reported"))
    titles = pl.LazyFrame(
        TITLES,
        {"exam_code": pl.String, "admin_year": pl.Int16, "exam_title": pl.String, "subscore_of": pl.String},
        orient="row",
    )
    exams = (
        pl.concat(slots_of(EXAM_SLOTS))
        .with_columns(year_of("admin_year"), pl.col("exam_grade").cast(pl.Int8).alias("score"))
        .join(titles, on=["exam_code", "admin_year"], how="left")
        .with_columns(
            pl.when(rank < NO_RANK)
            .then(rank.replace_strict(dict(enumerate(STATUSES)), default=None))
            .otherwise(no_effect)
            .alias("status"),
            pl.when(two.is_null() | (one == two))
            .then(one)
            .otherwise(pl.concat_str(one, two, separator="; ", ignore_nulls=True))
            .alias("irregularity_notes"),
        )
    )
    awards = pl.concat(slots_of(AWARD_SLOTS)).with_columns(
        year_of("award_year"), pl.col("award_type").replace_strict(AWARDS, default=None).alias("award_title")
    )
    return {
        "students": frame.select(made[name].alias(name) for name in COLUMNS["students"]),
        "exam_scores": exams.select(COLUMNS["exam_scores"]),
        "awards": awards.select(COLUMNS["awards"]),
    }
