"""The current state once more, read from its definition by another author: plain dicts and loops, no Arrow, no SQL."""

from __future__ import annotations

from datetime import UTC, date, datetime

NEVER = date(1, 1, 1)


def truth(files, crosswalk):
    """(exam scores, students, awards) that count now: dicts with what identifies and what decides."""
    landed, slots, facts = {}, {}, {"students": {}, "exam_scores": {}, "awards": {}, "problems": {}}
    for tables in files:
        (delivery,) = tables["deliveries"].to_pylist()
        sha = delivery["file_sha256"]
        landed[sha] = min(landed.get(sha, datetime.max.replace(tzinfo=UTC)), delivery["landed_at"])
        slots[sha] = delivery["exam_slots"]
        for name, kept in facts.items():
            kept[sha] = tables[name].to_pylist()
    flat = {name: [row for rows in kept.values() for row in rows] for name, kept in facts.items()}
    day_of = {(row["file_sha256"], row["record_number"]): row["report_date"] for row in flat["students"]}

    def newest_first(row):
        day = row.get("report_date", day_of[row["file_sha256"], row["record_number"]])
        moment = landed[row["file_sha256"]]
        return (
            -(day or NEVER).toordinal(), -moment.timestamp(), -row["record_number"], row.get("position", 0),
            row["file_sha256"],
        )  # fmt: skip

    def pick(rows, key):
        groups = {}
        for row in rows:
            groups.setdefault(key(row), []).append(row)
        return [min(group, key=newest_first) for group in groups.values()]

    def person(row):
        return crosswalk.get(row["ap_id"], row["ap_id"])

    exams = [
        row
        for row in flat["exam_scores"]
        if None not in map(row.get, ("ap_id", "college_code", "exam_code", "admin_year"))
    ]
    current = []
    for row in pick(exams, lambda row: (row["college_code"], person(row), row["admin_year"], row["exam_code"])):
        current.append(row | {"withdrawn": _is_withdrawn(row, flat, slots), "landed_at": landed[row["file_sha256"]]})
    students = [row for row in flat["students"] if row["ap_id"] and row["college_code"]]
    awards = [
        row for row in flat["awards"] if None not in map(row.get, ("ap_id", "college_code", "award_type", "award_year"))
    ]
    return (
        current,
        pick(students, lambda row: (row["college_code"], row["ap_id"])),
        pick(awards, lambda row: (row["college_code"], person(row), row["award_type"], row["award_year"])),
    )


def _is_withdrawn(exam, flat, slots):
    mine = [
        row for row in flat["students"]
        if (row["college_code"], row["ap_id"]) == (exam["college_code"], exam["ap_id"]) and row["report_date"]
    ]  # fmt: skip
    if not mine:
        return False
    last = max(row["report_date"] for row in mine)
    for record in (row for row in mine if row["report_date"] == last):
        where = (record["file_sha256"], record["record_number"])
        inside = [row for row in flat["exam_scores"] if (row["file_sha256"], row["record_number"]) == where]
        if len(inside) >= slots[record["file_sha256"]]:
            return False
        for problem in flat["problems"]:
            if (problem["file_sha256"], problem["record_number"]) == where and (
                problem["severity"] == "error" or problem["kind"] in ("incomplete_exam", "no_report_date")
            ):
                return False
        if any((row["admin_year"], row["exam_code"]) == (exam["admin_year"], exam["exam_code"]) for row in inside):
            return False
    return True
