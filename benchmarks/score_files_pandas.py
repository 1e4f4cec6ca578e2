"""pandas: ``read_fwf`` as its manual shows it, what is faster, and ``read_csv``."""

from pathlib import Path

from score_files_wanted import REPORT_YEAR, SLOT, STUDENT, TITLES

from airflow_provider_apscores.scorefile import CSV_COLUMNS, LAYOUT_950

FIELDS = [field for name, field in LAYOUT_950.fields.items() if not name.startswith("filler")]


def pandas_read_fwf(source, output):
    """The whole file at once; slots are made rows and titles looked up as one would at the first try."""
    import pandas as pd

    titles = {(code, year): name for code, year, name in TITLES}
    frame = _read_fwf(pd, source).rename_axis("record").reset_index()
    exams = _long(pd, frame, SLOT).dropna(subset=["exam_code"])
    exams["admin_year"] = (
        exams["admin_year"].astype(int).map(lambda two: REPORT_YEAR + 1 - (REPORT_YEAR + 1 - two) % 100)
    )
    exams["exam_title"] = exams.apply(lambda exam: titles.get((exam["exam_code"], exam["admin_year"])), axis=1)
    exams["score"] = exams.pop("exam_grade").astype("Int8")
    awards = _long(pd, frame, ["award_type", "award_year"]).dropna(subset=["award_type"])
    _to_parquet(output, "table", frame[[field.name for field in STUDENT]], exams, awards)


def _long(pd, frame, names):
    """A row for each slot."""
    columns = [column for column in frame if column.rpartition("_")[0] in names]
    return pd.wide_to_long(
        frame[["record", "ap_id", *columns]], names, i="record", j="position", sep="_", suffix="[0-9]+"
    ).reset_index()


def pandas_read_fwf_tuned(source, output):
    """A hundred thousand records at a time, and slots are made rows a column at a time."""
    import pandas as pd

    _tables_of_pieces(pd, _read_fwf(pd, source, chunksize=100_000), output)


def _read_fwf(pd, source, **options):
    return pd.read_fwf(
        source,
        colspecs=[(field.start - 1, field.end) for field in FIELDS],
        names=[field.name for field in FIELDS],
        dtype=str,
        header=None,
        **options,
    )


def pandas_slices(source, output):
    """Without ``read_fwf``: lines as one column of text, sliced."""
    import pandas as pd

    def pieces():
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
        for piece in lines:
            cut = {field.name: piece["line"].str[field.span].str.strip().replace("", None) for field in FIELDS}
            yield pd.DataFrame(cut)

    _tables_of_pieces(pd, pieces(), output)


def csv_pandas(source, output):
    """A hundred thousand records at a time."""
    import pandas as pd

    _tables_of_pieces(pd, pd.read_csv(source, header=0, names=_csv_names(), dtype=str, chunksize=100_000), output)


def csv_pandas_pyarrow(source, output):
    """Tuned: pyarrow's parser, which takes the whole file at once."""
    import pandas as pd

    frame = pd.read_csv(source, header=0, names=_csv_names(), dtype=str, engine="pyarrow")
    _tables_of_pieces(pd, [frame], output)


def _csv_names():
    return [name or f"unused_{at}" for at, (_, name) in enumerate(CSV_COLUMNS)]


def _tables_of_pieces(pd, pieces, output):
    titles = pd.DataFrame(TITLES, columns=["exam_code", "admin_year", "exam_title"])
    for number, frame in enumerate(pieces):
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
        _to_parquet(output, f"{number:03}", frame[[field.name for field in STUDENT]], exams, awards)


def _to_parquet(output, stem, students, exams, awards):
    for table, rows in {"students": students, "exam_scores": exams, "awards": awards}.items():
        place = Path(output) / table
        place.mkdir(parents=True, exist_ok=True)
        rows.to_parquet(place / f"{stem}.parquet", index=False)
