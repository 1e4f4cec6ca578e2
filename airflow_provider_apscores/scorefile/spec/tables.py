"""The tables that a score file becomes: columns, types, keys.

Names are snake_case; codes are strings and keep their leading zeros; blank is null; nothing is merged or dropped.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_apscores.scorefile.spec.codes import EFFECTS, RACE_ETHNICITY_RESPONSE

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: Its name.
        type: Its Arrow type, as pyarrow spells it: "string", "int8", "int16", "int64", "date32", "bool"; "timestamp" is
            one of microseconds in UTC.
        doc: What it holds.
        field: The raw field that it comes from as it stands, or "".
        repeats: Whether few words are expected in many rows. Such a column is dictionary-encoded while it is made and
            written, which is smaller and faster; readers see plain strings.
    """

    name: str
    type: str
    doc: str
    field: str = ""
    repeats: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """One table.

    Attributes:
        name: Its name.
        doc: What a row is.
        key: The columns that tell its rows apart.
        columns: In order.
    """

    name: str
    doc: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    def schema(self, *, encoded: bool = False) -> pa.Schema:
        """The table as an Arrow schema; *encoded* as it is before it is handed out: dictionaries where words repeat."""
        import pyarrow as pa

        def kind(column: Column) -> pa.DataType:
            if encoded and column.repeats:
                return pa.dictionary(pa.int32(), pa.string())
            if column.type == "timestamp":
                return pa.timestamp("us", "UTC")
            return pa.bool_() if column.type == "bool" else pa.type_for_alias(column.type)

        return pa.schema([(each.name, kind(each)) for each in self.columns])


#: What ``status`` of an exam score can be. The first six are effects of irregularity codes, the strongest first.
STATUSES = (*EFFECTS[:6], "reported", "unknown")


def _text(doc: str, *names: str, repeats: bool = False) -> Iterable[Column]:
    """Columns that hold raw fields of the same name."""
    return (Column(name, "string", doc.format(line=name[-1]), name, repeats) for name in names)


def _words(doc: str, *names: str) -> Iterable[Column]:
    """The same, of few words in many rows."""
    return _text(doc, *names, repeats=True)


def _repeated(name: str, doc: str) -> Column:
    """A column of few words in many rows that is no raw field as it stands."""
    return Column(name, "string", doc, repeats=True)


_ORIGIN = (
    Column("record_number", "int64", "Which student record of the file, counted from 1; blank lines do not count."),
    _repeated("file_sha256", "SHA-256 of the file's bytes as they were given (packed, if it was packed)."),
)

_WHOSE = (
    Column("ap_id", "string", "The student's AP ID, see students."),
    _repeated("college_code", "The campus, six digits as in the file."),
    _repeated("di_code", "The campus: the last four characters of college_code."),
)

_STUDENTS = (
    *_text("AP ID (before 2020: AP number); may hold letters. One person can have several.", "ap_id"),
    *_text("Last name, cut at 15 characters in TXT.", "last_name"),
    *_text("First name, cut at 12 characters in TXT.", "first_name"),
    *_words("Middle initial.", "middle_initial"),
    *_text("Line {line} of the student's address.", "street_1", "street_2", "street_3"),
    *_words("State, for addresses in the US.", "state"),
    *_text("ZIP code, five or nine digits without a hyphen.", "zip_code"),
    *_text("Province, outside the US; only in CSV.", "province"),
    *_text("Postal code, outside the US; only in CSV.", "postal_code"),
    *_words("Country, outside the US.", "country_code"),
    *_words("F female, M male, U unknown, A another (since 2019).", "gender"),
    Column("birth_date", "date32", "Birth date: the latest that makes the student 5 years old on the report date."),
    *_words("Grade level (K-12 codes: 4 to 7 for 9th to 12th grade, 8 no longer in high school).", "grade_level"),
    *_words("Expected college entrance; blank in recent files.", "expected_college_entrance"),
    *_words("Student search; blank in recent files.", "student_search"),
    *_words("Best language: 1 English only, 3 English and another, 4 another, 0 no response.", "best_language"),
    *_words("Sophomore standing; blank in recent files.", "sophomore_standing"),
    Column("previous_ai_year_1", "int16", "Year of an earlier school, four digits."),
    *_text("Code of an earlier school.", "previous_ai_code_1"),
    Column("previous_ai_year_2", "int16", "Year of a second earlier school, four digits."),
    *_text("Code of a second earlier school.", "previous_ai_code_2"),
    *_words("AI code of the high school, six digits.", "high_school_code"),
    *_words("Contact at the high school; not in College Board's CSV.", "high_school_contact"),
    *_words("Name of the high school.", "high_school_name"),
    *_words(
        "Line {line} of the high school's address.",
        "high_school_street_1",
        "high_school_street_2",
        "high_school_street_3",
    ),
    *_words("The high school's state.", "high_school_state"),
    *_words("The high school's ZIP code.", "high_school_zip_code"),
    *_words("The campus that the report was sent to, six digits as in the file (00####).", "college_code"),
    _repeated("di_code", "The campus as the web service names it: the last four characters of college_code."),
    *_words("Contact at the college.", "college_contact"),
    *_words("Name of the college.", "college_name"),
    *_words("Line {line} of the college's address.", "college_street_1", "college_street_2", "college_street_3"),
    *_words("The college's state.", "college_state"),
    *_words("The college's ZIP code.", "college_zip_code"),
    Column("scores_released_date", "date32", "The day on which the student named this college to receive scores."),
    Column("student_update_date", "date32", "The day of the last update of the student's record."),
    Column("report_date", "date32", "The day on which the report was generated."),
    *_words("Service type; meaning not published.", "service_type"),
    *_words("Service code; meaning not published.", "service_code"),
    *_words("Key of the ordering institution; meaning not published.", "ordering_institution_key"),
    *_text("The school's own identifier of the student; only in CSV.", "student_identifier"),
    _repeated("race_ethnicity_response", "The student's answers since 2016: eleven letters, Y or N."),
    *(
        Column(f"race_{name}", "bool", f"Letter {letter} of race_ethnicity_response: {name.replace('_', ' ')}.")
        for letter, name in enumerate(RACE_ETHNICITY_RESPONSE, 1)
    ),
    *_words("Derived aggregate race and ethnicity since 2016: its code.", "race_ethnicity_derived"),
    _repeated("race_ethnicity_derived_title", "What race_ethnicity_derived means; null when unknown."),
)

_EXAM_SCORES = (
    *_WHOSE,
    Column("position", "int8", "The exam slot in the record, 1 to 30; the most recent exam comes first."),
    Column("admin_year", "int16", "Year of the administration, four digits."),
    _repeated("exam_code", "Exam code, two digits."),
    _repeated("exam_title", "The exam's title in that year; null when the code is not known for it."),
    _repeated("subscore_of", "For a subscore: the exam code that it belongs to."),
    Column("score", "int8", "1 to 5; null where none is reported."),
    _repeated("status", f"One of {', '.join(STATUSES)}."),
    _repeated("irregularity_1", "First irregularity code."),
    _repeated("irregularity_2", "Second irregularity code."),
    _repeated("irregularity_notes", "What the irregularity codes mean; null without a known one."),
    _repeated("suppression_flag", "Exam suppression flag; values not published."),
    _repeated("class_section", "Class section; blank since 2020."),
    Column(
        "report_date", "date32", "The day on which the report was generated: of two rows with one key, the later wins."
    ),
)

_AWARDS = (
    *_WHOSE,
    Column("position", "int8", "The award slot in the record, 1 to 6; the most recent award comes first."),
    _repeated("award_type", "Award type, two digits."),
    _repeated("award_title", "What award_type means; null when unknown."),
    Column("award_year", "int16", "Year of the award, four digits."),
)

_PROBLEMS = (
    _repeated("field", "The raw field, as in the layout; null where the whole record is meant."),
    Column("start", "int16", "First column of the field in the TXT record, counted from 1; null in CSV."),
    Column("end", "int16", "Last column of the field."),
    _repeated("kind", "What is wrong; see below."),
    _repeated("severity", "error: something could not be read, the raw line is in the rejected file; or warning."),
    Column("detail", "string", "More words; never a personal value."),
)

#: Every table by name, in the order in which files are written.
TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        Table("students", "A student record.", ("file_sha256", "record_number"), (*_STUDENTS, *_ORIGIN)),
        Table(
            "exam_scores",
            "An exam slot of a student record that is not blank.",
            ("file_sha256", "record_number", "position"),
            (*_EXAM_SCORES, *_ORIGIN),
        ),
        Table(
            "awards",
            "An award slot of a student record that is not blank.",
            ("file_sha256", "record_number", "position"),
            (*_AWARDS, *_ORIGIN),
        ),
        Table("problems", "A defect of a record.", (), (*_PROBLEMS, *_ORIGIN)),
    )
}

#: The table about the file itself: one row. It is written beside the others by whatever knows about the delivery.
DELIVERIES = Table(
    "deliveries",
    "A score file that was parsed.",
    ("file_sha256",),
    (
        Column("file_sha256", "string", "SHA-256 of the file's bytes: what the other tables' rows refer to."),
        Column("di_code", "string", "The campus that the file was ordered for; null where no manifest tells."),
        Column("download_id", "string", "College Board's number of the download; null where no manifest tells."),
        Column("download_type", "string", "new or full; null where no manifest tells."),
        Column("file_format", "string", "TXT or CSV."),
        Column("file_name", "string", "The name that College Board gave the file; null where no manifest tells."),
        Column("landed_at", "timestamp", "When this content first landed: the earliest of all deliveries with it."),
        Column("reported_from", "date32", "The earliest report date in the file."),
        Column("reported_to", "date32", "The latest report date in the file."),
        Column("records", "int64", "Student records in the file, those included that could not be read."),
        Column("exam_slots", "int16", "Exam slots of each record: what the file's layout or columns have room for."),
        Column("parser_version", "string", "The version of this package that parsed the file."),
    ),
)
