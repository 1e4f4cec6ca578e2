"""What the current state is: the one definition that the Arrow computation and the SQL views both follow.

* Of all rows with one key, the first in this order counts: latest report date (rows without one last), latest landing
  of the file, highest record number, lowest position, lowest digest. The order is total, so the result is stable.
* A row with a null in its key is never ranked or merged: it could be anyone's. It stands in the ``…_without_key`` view.
* Reports are cumulative. An exam score is *withdrawn* when it is in no record of the student's latest report date. That
  date proves nothing when one of its records could not be read whole, or has no exam slot left: older exams may have
  been pushed out. Nothing is withdrawn then.
* A crosswalk says which AP IDs are one person. The person then takes the AP ID's place in the key of exam scores and
  awards. Withdrawal is decided for each AP ID before.

College Board does not document whether a canceled exam stays in later reports with its code or leaves them; this
definition covers both.
"""

from __future__ import annotations

from airflow_provider_apscores.scorefile import TABLES, Column

#: The key of a row in the current state, by table.
KEYS: dict[str, tuple[str, ...]] = {
    "exam_scores": ("college_code", "ap_id", "admin_year", "exam_code"),
    "students": ("college_code", "ap_id"),
    "awards": ("college_code", "ap_id", "award_type", "award_year"),
}

#: Tables whose rows belong to a person: the crosswalk's person stands in for the AP ID.
OF_A_PERSON = ("exam_scores", "awards")

#: Kinds of problems that make a record no proof that an exam is gone, besides every error.
NO_PROOF = ("incomplete_exam", "no_report_date")

_REPORT_DATE = Column("report_date", "date32", "The day on which the report was generated.")
_ADDED = (
    Column("landed_at", "timestamp", "When the row's file first landed; see deliveries."),
    Column("person_id", "string", "The person that the crosswalk names for the AP ID; null where it names none."),
)
_WITHDRAWN = Column("withdrawn", "bool", "True when the exam is in no record of the student's latest report date.")

#: The columns of the current state, by table: those of the table, and what is added to them.
COLUMNS: dict[str, tuple[Column, ...]] = {
    "exam_scores": (*TABLES["exam_scores"].columns, *_ADDED, _WITHDRAWN),
    "students": (*TABLES["students"].columns, *_ADDED),
    "awards": (*TABLES["awards"].columns, _REPORT_DATE, *_ADDED),
}
