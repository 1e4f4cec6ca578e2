"""What every way must give: ``students`` with every field but fillers, ``exam_scores`` with a row for each filled slot,
its four-digit year and its title by code and year, and ``awards``.

Ours gives more than that (types, statuses, notes, problems, digests); the others are not asked for it.
"""

from airflow_provider_apscores.scorefile import EXAMS, LAYOUT_950

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
