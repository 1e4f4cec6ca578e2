"""pandas, asked for the whole tables."""

from score_files_whole import (
    AWARD_SLOTS,
    COLUMNS,
    DERIVED,
    EXAM_SLOTS,
    FIELDS,
    NEXT_YEAR,
    NO_RANK,
    NOTES,
    OF_STUDENT,
    RANKS,
    TEXTS,
    TITLES,
    csv_names,
    digest_of,
    folder,
)

from airflow_provider_apscores.scorefile import AWARDS, RACE_ETHNICITY_RESPONSE
from airflow_provider_apscores.scorefile.spec.tables import STATUSES


def pandas_read_fwf_whole(source, output):
    """A hundred thousand records at a time, whole columns at a time."""
    import pandas as pd

    pieces = pd.read_fwf(
        source,
        colspecs=[(field.start - 1, field.end) for field in FIELDS.values()],
        names=list(FIELDS),
        dtype=str,
        header=None,
        chunksize=100_000,
    )
    _write(pd, pieces, output, digest_of(source))


def csv_pandas_whole(source, output):
    """pyarrow's parser, which takes the whole file at once."""
    import pandas as pd

    frame = pd.read_csv(source, header=0, names=csv_names(), dtype=str, engine="pyarrow")
    _write(pd, [frame], output, digest_of(source))


def _write(pd, pieces, output, digest):
    first = 1
    for number, frame in enumerate(pieces):
        for table, rows in _tables(pd, frame.reset_index(drop=True), first, digest).items():
            rows.to_parquet(
                folder(output, table) / f"{number:03}.parquet", index=False, compression="zstd", compression_level=1
            )
        first += len(frame)


def _tables(pd, frame, first, digest):
    import pyarrow as pa

    def latest(two, limit):
        return limit - (limit - two) % 100

    def numbers(name):
        return (pd.to_numeric(frame[name].str[at : at + 2]) for at in (0, 2, 4))

    def days(year, month, day):
        return pd.to_datetime({"year": year, "month": month, "day": day}).astype(pd.ArrowDtype(pa.date32()))

    def day_of(name, limit):
        month, day, two = numbers(name)
        return days(latest(two, limit), month, day)

    report_month, report_day, two = numbers("report_date")
    report_year = latest(two, NEXT_YEAR)
    limit = report_year + 1
    month, day, two = numbers("birth_date")
    year = latest(two, limit - 6)
    late = (year == limit - 6) & ((month > report_month) | ((month == report_month) & (day > report_day)))
    made = {name: frame.get(field) for name, field in TEXTS.items()} | {
        "di_code": frame["college_code"].str[-4:],
        "report_date": days(report_year, report_month, report_day),
        "record_number": range(first, first + len(frame)),
        "file_sha256": digest,
        "birth_date": days(year - 100 * late, month, day),
        "scores_released_date": day_of("released_date", limit),
        "student_update_date": day_of("student_update_date", limit),
        "race_ethnicity_response": frame["race_ethnicity_response"],
        "race_ethnicity_derived_title": frame["race_ethnicity_derived"].map(DERIVED),
    }
    for name in ("previous_ai_year_1", "previous_ai_year_2"):
        made[name] = latest(pd.to_numeric(frame[name]), limit).astype("Int16")
    for at, race in enumerate(RACE_ETHNICITY_RESPONSE):
        made[f"race_{race}"] = frame["race_ethnicity_response"].str[at].map({"Y": True, "N": False})
    students = pd.DataFrame({name: made[name] for name in COLUMNS["students"]})

    of_student = students[OF_STUDENT].assign(limit=limit)

    def rows_of(group):
        slots = []
        for slot in range(1, group.count + 1):
            names = {group.field_name(each.name, slot): each.name for each in group.fields}
            filled = frame[list(names)].dropna(how="all").rename(columns=names)
            slots.append(of_student.loc[filled.index].join(filled).assign(position=slot))
        return pd.concat(slots)

    exams = rows_of(EXAM_SLOTS)
    exams["admin_year"] = latest(exams["admin_year"].astype(int), exams["limit"])
    exams["score"] = exams["exam_grade"].astype("Int8")
    titles = pd.DataFrame(TITLES, columns=["exam_code", "admin_year", "exam_title", "subscore_of"])
    exams = exams.merge(titles, on=["exam_code", "admin_year"], how="left")
    codes = exams["irregularity_1"], exams["irregularity_2"]
    one, two = (each.map(RANKS).fillna(NO_RANK) for each in codes)
    rank = one.where(one < two, two)
    no_effect = exams["score"].isna().map({True: "unknown", False: "reported"})
    exams["status"] = rank.map(dict(enumerate(STATUSES))).where(rank < NO_RANK, no_effect)
    one, two = (each.map(NOTES) for each in codes)
    exams["irregularity_notes"] = one.where(two.isna() | (one == two), (one + "; " + two).fillna(two))
    awards = rows_of(AWARD_SLOTS)
    awards["award_year"] = latest(pd.to_numeric(awards["award_year"]), awards["limit"]).astype("Int16")
    awards["award_title"] = awards["award_type"].map(AWARDS)
    return {"students": students, "exam_scores": exams[COLUMNS["exam_scores"]], "awards": awards[COLUMNS["awards"]]}
