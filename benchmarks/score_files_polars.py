"""Polars: the columns of a line cut with expressions."""

from pathlib import Path

from score_files_wanted import REPORT_YEAR, SLOT, STUDENT, TITLES

from airflow_provider_apscores.scorefile import CSV_COLUMNS, LAYOUT_950

_COMPRESSED = {"compression": "zstd", "compression_level": 1}


def polars_slices(source, output):
    import polars as pl

    def cut(start, width):
        return pl.col("line").str.slice(start - 1, width).str.strip_chars()

    _polars_txt(_lines(source), output, cut)


def polars_binary_slices(source, output):
    """Tuned: bytes instead of characters, and nothing more is cut out of blank slots."""
    import polars as pl

    _polars_txt(_lines(source).with_columns(pl.col("line").cast(pl.Binary)), output, _cut_bytes, _filled_bytes)


def polars_pieces(source, output):
    """Tuned once more: 65,536 records at a time, so that lines stay in a processor's reach and memory stays small."""
    import polars as pl

    with open(source, "rb") as file:
        for number, piece in enumerate(iter(lambda: file.read(65_536 * (LAYOUT_950.length + 1)), b"")):
            lines = _lines(piece).with_columns(pl.col("line").cast(pl.Binary))
            _polars_txt(lines, output, _cut_bytes, _filled_bytes, f"{number:03}")


def _cut_bytes(start, width):
    import polars as pl

    return pl.col("line").bin.slice(start - 1, width).cast(pl.String).str.strip_chars()


def _filled_bytes(start, width):
    import polars as pl

    return pl.col("line").bin.slice(start - 1, width) != b" " * width


def _lines(source):
    import polars as pl

    return pl.read_csv(source, has_header=False, new_columns=["line"], separator="\x01", quote_char=None)


def _polars_txt(lines, output, cut, filled=None, stem="table"):
    import polars as pl

    def field(start, width, name):
        return pl.when(cut(start, width) != "").then(cut(start, width)).alias(name)

    def lines_with(start, width):
        return lines.lazy().filter(filled(start, width)) if filled else lines.lazy()

    wide = lines.lazy().select(field(f.start, f.width, f.name) for f in STUDENT)
    exams = [
        lines_with(541 + 11 * slot, 2).select(
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
        lines_with(189 + 4 * slot, 2).select(
            field(1, 8, "ap_id"),
            pl.lit(slot + 1).alias("position"),
            field(189 + 4 * slot, 2, "award_type"),
            field(191 + 4 * slot, 2, "award_year"),
        )
        for slot in range(6)
    ]
    _polars_tables(wide, exams, awards, output, stem)


def csv_polars(source, output):
    """The whole file at once."""
    import polars as pl

    _polars_csv(pl.read_csv(source, **_csv_options()).lazy(), output, _collected)


def csv_polars_lazily(source, output):
    """Tuned: the file is gone through once for each table, and only what that needs is kept."""
    import polars as pl

    _polars_csv(pl.scan_csv(source, **_csv_options()), output, _streamed)


def _csv_options():
    names = [name or f"unused_{at}" for at, (_, name) in enumerate(CSV_COLUMNS)]
    return {"has_header": True, "new_columns": names, "infer_schema": False}


def _polars_csv(frame, output, write):
    import polars as pl

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
    _polars_tables(frame.select(field.name for field in STUDENT), exams, awards, output, write=write)


def _collected(frame, path):
    frame.collect().write_parquet(path, **_COMPRESSED)


def _streamed(frame, path):
    frame.sink_parquet(path, **_COMPRESSED)


def _polars_tables(wide, exams, awards, output, stem="table", write=_collected):
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
        write(frame, place / f"{stem}.parquet")
