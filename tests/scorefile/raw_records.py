"""Raw records, text by field name, made back from lines and from tables.

Tables do not hold fillers, blanks before a value, and values that could not be read.
"""

from datetime import date

from airflow_provider_apscores.scorefile import CSV_COLUMNS, LAYOUTS, TABLES
from airflow_provider_apscores.scorefile.spec.layouts import AWARDS_GROUP, EXAMS_GROUP

#: Raw fields whose column has another name.
RENAMED = {"released_date": "scores_released_date", "exam_grade": "score"}


def columns_of(table, fields):
    """The column of *table* for each raw field; fillers have none."""
    names = {column.name for column in TABLES[table].columns}
    return {field: name for field in fields if (name := RENAMED.get(field, field)) in names}


EXAM_FIELDS = columns_of("exam_scores", [each.name for each in EXAMS_GROUP.fields])
AWARD_FIELDS = columns_of("awards", [each.name for each in AWARDS_GROUP.fields])
STUDENT_FIELDS = columns_of(
    "students", [*(name for layout in LAYOUTS.values() for name in layout.fields), *(name for _, name in CSV_COLUMNS)]
)


def decode_record(line, layout="950"):
    """The text of every field of a TXT line that is not blank, fillers included; blanks on the right are dropped."""
    text = line.decode()
    assert len(text) == LAYOUTS[layout].length
    values = ((name, text[field.span].rstrip(" ")) for name, field in LAYOUTS[layout].fields.items())
    return {name: value for name, value in values if value}


def raw_records(file):
    """The student records of a score file as its tables have them."""
    slots = {}
    for rows, group, fields in (
        (file.exam_scores, EXAMS_GROUP, EXAM_FIELDS),
        (file.awards, AWARDS_GROUP, AWARD_FIELDS),
    ):
        for row in rows.to_pylist():
            of_record = slots.setdefault(row["record_number"], {})
            for name, column in fields.items():
                of_record[group.field_name(name, row["position"])] = as_text(row[column])
    records = []
    for row in file.students.to_pylist():
        values = {name: as_text(row[column]) for name, column in STUDENT_FIELDS.items()}
        values.update(slots.get(row["record_number"], {}))
        records.append({name: value for name, value in values.items() if value})
    return records


def as_text(value):
    """A value of a table as text in a score file."""
    if value is None:
        return ""
    if isinstance(value, date):
        return f"{value:%m%d%y}"
    if isinstance(value, int) and value > 99:
        return f"{value % 100:02}"
    return str(value)
