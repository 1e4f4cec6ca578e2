"""Python and nothing else, to CSV."""

import csv
from pathlib import Path

from score_files_wanted import REPORT_YEAR, SLOT, STUDENT, TITLES

from airflow_provider_apscores.scorefile import CSV_COLUMNS, LAYOUT_950


def python_dicts(source, output):
    """What public scripts do: a dict of every field of a line, then rows of CSV."""
    with open(source, encoding="ascii") as lines:
        _tables_of_dicts(
            (
                {name: line[field.start - 1 : field.end].strip() for name, field in LAYOUT_950.fields.items()}
                for line in lines
            ),
            output,
        )


def csv_python_dicts(source, output):
    """The same for CSV."""
    with open(source, encoding="ascii", newline="") as lines:
        next(lines)
        _tables_of_dicts(csv.DictReader(lines, [name for _, name in CSV_COLUMNS]), output)


def _tables_of_dicts(records, output):
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
    for record in records:
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
