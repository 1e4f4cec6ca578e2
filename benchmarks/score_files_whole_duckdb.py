"""DuckDB, asked for the whole tables in the ways that are best for the plain ones."""

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


def duckdb_whole(source, output):
    """The lines are scanned once and kept in memory."""

    def part(name, at=0, width=None):
        field = FIELDS[name]
        return f"substring(line, {field.start + at}, {width or field.width})"

    def slots(group):
        first = {each.name: FIELDS[group.field_name(each.name, 1)] for each in group.fields}
        fields = ", ".join(
            f"{_text(f'substring(line, {each.start} + {group.stride} * s, {each.width})')} AS {name}"
            for name, each in first.items()
        )
        return (
            f"SELECT {', '.join(OF_STUDENT)}, (s + 1)::TINYINT AS position, {fields} "
            f"FROM records, range({group.count}) r(s) "
            f"WHERE substring(line, {group.start} + {group.stride} * s, {group.stride}) <> '{' ' * group.stride}'"
        )

    lines = (
        f"SELECT line FROM read_csv('{source}', columns={{'line': 'VARCHAR'}}, delim='\x01', quote='', escape='', "
        "header=false, auto_detect=false)"
    )
    _tables(output, lines, part, slots, digest_of(source))


def csv_duckdb_whole(source, output):
    """The rows are parsed once and kept in memory."""

    def part(name, at=0, width=None):
        column = f"coalesce(raw_{name}, '')"
        return column if width is None else f"substring({column}, {1 + at}, {width})"

    def slots(group):
        of_one = []
        for slot in range(1, group.count + 1):
            names = {each.name: group.field_name(each.name, slot) for each in group.fields}
            fields = ", ".join(f"{_text(part(field))} AS {name}" for name, field in names.items())
            filled = " OR ".join(f"{part(field)} <> ''" for field in names.values())
            of_one.append(
                f"SELECT {', '.join(OF_STUDENT)}, {slot}::TINYINT AS position, {fields} FROM records WHERE {filled}"
            )
        return " UNION ALL ".join(of_one)

    columns = {f"raw_{name}": "VARCHAR" for name in csv_names()}
    rows = (
        f"SELECT * FROM read_csv('{source}', header=true, delim=',', quote='\"', columns={columns}, auto_detect=false)"
    )
    _tables(output, rows, part, slots, digest_of(source))


def _text(part):
    return f"nullif(trim({part}), '')"


def _latest(two, limit):
    return f"({limit} - ({limit} - {two}) % 100)"


def _tables(output, records, part, slots, digest):
    """Write the tables of a query that gives raw records."""
    import duckdb

    base = duckdb.connect()

    def look_up(name, columns, rows):
        base.execute(f"CREATE TABLE {name} ({columns})")
        base.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(rows[0]))})", rows)

    look_up("titles", "exam_code VARCHAR, admin_year SMALLINT, exam_title VARCHAR, subscore_of VARCHAR", TITLES)
    look_up("ranks", "code VARCHAR, rank TINYINT", list(RANKS.items()))
    look_up("notes", "code VARCHAR, note VARCHAR", list(NOTES.items()))
    look_up("award_titles", "award_type VARCHAR, award_title VARCHAR", list(AWARDS.items()))
    look_up("derived", "derived_code VARCHAR, title VARCHAR", list(DERIVED.items()))

    def numbers(name):
        return (f"TRY_CAST({part(name, at, 2)} AS INTEGER)" for at in (0, 2, 4))

    def day_of(name, limit):
        month, day, two = numbers(name)
        return f"make_date({_latest(two, limit)}, {month}, {day})"

    limit = "(year(report_date) + 1)"
    base.execute(
        f"CREATE TEMP TABLE records AS SELECT *, row_number() OVER () AS record_number, "
        f"{day_of('report_date', NEXT_YEAR)} AS report_date, {_text(part('ap_id'))} AS ap_id, "
        f"{_text(part('college_code'))} AS college_code, college_code[-4:] AS di_code, '{digest}' AS file_sha256 "
        f"FROM ({records})"
    )
    month, day, two = numbers("birth_date")
    year = _latest(two, "(year(report_date) - 5)")
    too_late = (
        f"{year} = year(report_date) - 5 AND ({month} > month(report_date) "
        f"OR ({month} = month(report_date) AND {day} > day(report_date)))"
    )
    made = {name: _text(part(field)) if field in FIELDS else "NULL::VARCHAR" for name, field in TEXTS.items()}
    made |= {name: name for name in OF_STUDENT} | {
        "birth_date": f"make_date(CASE WHEN {too_late} THEN {year} - 100 ELSE {year} END, {month}, {day})",
        "scores_released_date": day_of("released_date", limit),
        "student_update_date": day_of("student_update_date", limit),
        "race_ethnicity_response": _text(part("race_ethnicity_response")),
        "race_ethnicity_derived_title": "title",
    }
    for name in ("previous_ai_year_1", "previous_ai_year_2"):
        made[name] = f"{_latest(f'TRY_CAST({part(name, 0, 2)} AS INTEGER)', limit)}::SMALLINT"
    for at, race in enumerate(RACE_ETHNICITY_RESPONSE):
        letter = part("race_ethnicity_response", at, 1)
        made[f"race_{race}"] = f"CASE {letter} WHEN 'Y' THEN true WHEN 'N' THEN false END"

    def copy(table, query):
        base.execute(
            f"COPY (SELECT {', '.join(COLUMNS[table])} FROM ({query})) TO '{folder(output, table)}/table.parquet' "
            "(FORMAT parquet, COMPRESSION zstd)"
        )

    expressions = ", ".join(f"{expression} AS {name}" for name, expression in made.items())
    derived = made["race_ethnicity_derived"]
    copy("students", f"SELECT {expressions} FROM records LEFT JOIN derived ON derived_code = {derived}")
    statuses = " ".join(f"WHEN {at} THEN '{status}'" for at, status in enumerate(STATUSES[:6]))
    copy(
        "exam_scores",
        f"SELECT e.* EXCLUDE (admin_year), e.year AS admin_year, exam_title, subscore_of, "
        f"CASE least(coalesce(r1.rank, {NO_RANK}), coalesce(r2.rank, {NO_RANK})) {statuses} "
        "ELSE CASE WHEN score IS NULL THEN 'unknown' ELSE 'reported' END END AS status, "
        "CASE WHEN n2.note IS NULL OR n1.note = n2.note THEN n1.note ELSE concat_ws('; ', n1.note, n2.note) END "
        f"AS irregularity_notes FROM (SELECT *, {_latest('admin_year::INTEGER', limit)}::SMALLINT AS year, "
        f"exam_grade::TINYINT AS score FROM ({slots(EXAM_SLOTS)})) e "
        "LEFT JOIN titles t ON t.exam_code = e.exam_code AND t.admin_year = e.year "
        "LEFT JOIN ranks r1 ON r1.code = irregularity_1 LEFT JOIN ranks r2 ON r2.code = irregularity_2 "
        "LEFT JOIN notes n1 ON n1.code = irregularity_1 LEFT JOIN notes n2 ON n2.code = irregularity_2",
    )
    copy(
        "awards",
        f"SELECT a.* EXCLUDE (award_year), {_latest('award_year::INTEGER', limit)}::SMALLINT AS award_year, "
        f"award_title FROM ({slots(AWARD_SLOTS)}) a LEFT JOIN award_titles USING (award_type)",
    )
