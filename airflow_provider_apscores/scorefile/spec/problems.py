"""What was wrong in a file and where; never a personal value.

An *error* means that something of the record could not be read: its raw line goes to the ``rejected`` file. A
*warning* means that nothing was lost.
"""

from __future__ import annotations

from dataclasses import dataclass

ERROR = "error"
WARNING = "warning"

#: Every kind of problem: its severity, and what it means.
KINDS: dict[str, tuple[str, str]] = {
    "wrong_length": (ERROR, "The record has too few or too many characters (in CSV: cells). It is only in the rejected "
                            "file."),
    "misaligned": (ERROR, "Two or more fields of the record hold something that cannot stand there: its characters (in "
                          "CSV: cells) stand in other columns. It is only in the rejected file."),
    "bad_date": (ERROR, "Not a date, or an impossible one. Null in the table."),
    "bad_year": (ERROR, "Not a year, or one before AP Exams were (1955): then the report date is wrong, or the year "
                        "is. Null in the table."),
    "bad_score": (ERROR, "A score outside 1 to 5. Null in the table."),
    "bad_code": (ERROR, "A code too long for its field (CSV only), or a college code that is not six digits. Null "
                        "in the table."),
    "control_characters": (ERROR, "Control characters inside a field. Null in the table."),
    "undecodable": (ERROR, "Bytes that are no text, or letters that the field can't hold. Null in the table."),
    "bad_flag": (WARNING, "A letter other than Y and N among the race and ethnicity answers. The flag is null, the "
                          "letters are kept."),
    "no_report_date": (WARNING, "The record has other dates, but none of the report (TXT only). Its years count from "
                                "the day of reading. In a record without answers, the other dates may be the "
                                "report's, in other columns."),
    "date_order": (WARNING, "Some report dates of the file make sense only with the day first, others do not. All are "
                            "read with the month first, as documented. One row, at the first such record."),
    "two_values": (WARNING, "Two columns of a CSV file hold this field, and their values differ. The table has the one "
                            "under College Board's own heading, else the first one."),
    "incomplete_exam": (WARNING, "An exam slot that is not blank, but lacks its year or its exam code."),
    "repeated_header": (WARNING, "A CSV header in the middle of the file, behind this record, as in files that were "
                                 "joined. It is no student record; columns after it are read by its names."),
    "unknown_code": (WARNING, "A code that is not in the code tables (for this year). Kept, with a null title; one row "
                              "for each code, at the first record that has it."),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Problem:
    """One defect.

    Attributes:
        record_number: Which record, counted from 1.
        kind: A key of :data:`KINDS`.
        field: The raw field's name, or None where the whole record is meant.
        start: First column of the field, counted from 1, or None (CSV, or the whole record).
        end: Last column.
        detail: More words; never a personal value.
    """

    record_number: int
    kind: str
    field: str | None = None
    start: int | None = None
    end: int | None = None
    detail: str | None = None

    @property
    def severity(self) -> str:
        """``error`` or ``warning``."""
        return KINDS[self.kind][0]

    def __str__(self) -> str:
        where = f" in {self.field}" if self.field else ""
        columns = f" (columns {self.start} to {self.end})" if self.start else ""
        return f"record {self.record_number}: {self.kind}{where}{columns}" + (f": {self.detail}" if self.detail else "")
