"""Generate a big score file: invented students, about five exams each, the same for everybody who runs this.

python benchmarks/score_files_data.py 1000000 /tmp/scores.txt
"""

import sys
from pathlib import Path

import numpy as np

from airflow_provider_apscores.scorefile import CSV_COLUMNS, EXAMS, LAYOUT_950, csv_header, encode_record

BLOCK = 10_000
LAST_NAMES = ["RIVERA", "CHEN", "OKAFOR", "SMITH", "PATEL", "NGUYEN", "GARCIA", "HADDAD", "O'NEIL", "ST JOHN"]
FIRST_NAMES = ["ALEX", "SAM", "JORDAN", "TAYLOR", "MORGAN", "CASEY", "RILEY", "AVERY", "QUINN", "ROWAN"]


def records(count, seed):
    """*count* records and their line ends as a matrix of bytes."""
    random = np.random.default_rng(seed)
    blank = np.frombuffer(encode_record({"college_code": "004866", "college_state": "MA"}) + b"\n", np.uint8)
    matrix = np.tile(blank, (count, 1))

    def put(name, choices):
        field = LAYOUT_950.fields[name]
        table = np.array([list(f"{choice:<{field.width}}"[: field.width].encode()) for choice in choices], np.uint8)
        matrix[:, field.span] = table[random.integers(0, len(table), count)]

    def digits(name, width):
        start = LAYOUT_950.fields[name].start - 1
        matrix[:, start : start + width] = random.integers(48, 58, (count, width))

    def dates(name, years):
        put(name, [f"{month:02}{day:02}{year:02}" for year in years for month in range(1, 13) for day in range(1, 29)])

    put("ap_id", ["A"])
    matrix[:, 1:8] = random.integers(48, 58, (count, 7))
    put("last_name", LAST_NAMES)
    put("first_name", FIRST_NAMES)
    put("middle_initial", "ABCDEFGHIJKLM   ")
    put("street_1", [f"{number} INVENTED {kind}" for number in range(1, 500) for kind in ("AVE", "STREET", "ROAD")])
    put("street_2", ["", "", "", "APT 4", "UNIT B"])
    put("state", ["MA", "NY", "CA", "TX", "OH"])
    digits("zip_code", 9)
    put("gender", "FMUA")
    dates("birth_date", (6, 7, 8))
    put("grade_level", "5678")
    put("best_language", "1340")
    put("award_type_1", ["01", "02", "03", "  "])
    put("high_school_code", [f"{code:06}" for code in range(2000)])
    put("high_school_name", [f"INVENTED HIGH SCHOOL {number}" for number in range(2000)])
    put("high_school_street_1", [f"{number} SCHOOL STREET" for number in range(2000)])
    put("high_school_state", ["MA", "NY", "CA", "TX", "OH"])
    put("high_school_zip_code", [f"{code:05}" for code in range(501, 2501)])
    put("college_name", ["INVENTED COLLEGE"])
    put("college_street_1", ["1 COLLEGE WAY"])
    put("college_zip_code", ["02138"])
    award = LAYOUT_950.fields["award_year_1"].span
    has_award = matrix[:, award.start - 2] != 32
    matrix[has_award, award] = list(b"25")
    exams = random.integers(1, 10, count)
    for slot in range(1, 10):
        put(f"admin_year_{slot:02}", ["25", "24", "23"])
        put(f"exam_code_{slot:02}", [exam.code for exam in EXAMS])
        put(f"exam_grade_{slot:02}", "12345123451234512345 ")
        put(f"irregularity_1_{slot:02}", ["  "] * 60 + ["02", "98", "94", "20"])
        whole = slice(
            LAYOUT_950.fields[f"admin_year_{slot:02}"].start - 1, LAYOUT_950.fields[f"class_section_{slot:02}"].end
        )
        matrix[exams < slot, whole] = 32
    dates("released_date", (24, 25))
    dates("student_update_date", (24, 25))
    put("report_date", ["070725", "070825", "070925"])
    put("race_ethnicity_response", ["NNNNYNNNNYN", "YNNNNNNNNNN", "NNNNYNYNNNN"])
    put("race_ethnicity_derived", ["9", "4", "2"])
    return matrix


def write(count, path, kind="txt"):
    """A file of *count* records."""
    with open(path, "wb") as file:
        if kind == "csv":
            file.write(csv_header().encode() + b"\n")
        for start in range(0, count, BLOCK):
            matrix = records(min(BLOCK, count - start), seed=start)
            file.write(matrix.tobytes() if kind == "txt" else as_csv(matrix))


def as_csv(matrix):
    """The same records as CSV rows, every cell quoted."""
    columns = [LAYOUT_950.fields[name].span if name in LAYOUT_950.fields else None for _, name in CSV_COLUMNS]
    lines = []
    for record in matrix.tobytes().decode().splitlines():
        lines.append('"' + '","'.join(record[span].strip() if span else "" for span in columns) + '"\n')
    return "".join(lines).encode()


if __name__ == "__main__":
    write(int(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
