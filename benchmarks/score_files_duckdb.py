"""DuckDB: the columns of a line cut with SQL."""

from pathlib import Path

from score_files_wanted import REPORT_YEAR, STUDENT, TITLES

from airflow_provider_apscores.scorefile import CSV_COLUMNS


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
