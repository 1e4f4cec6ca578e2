"""The scores once collected: what counts now, over all score files of a college. No Airflow, no HTTP.

Each parsed file is a set of facts that never change. The current state is computed from all of them and never merged
into a table: loading files in another order, or twice, gives the same state.

* ``definition.py`` says what decides: keys, order, when an exam counts as withdrawn.
* ``facts.py`` collects the tables of many files, in memory or in folders of Parquet files.
* ``current_state.py`` computes it in Arrow, and ``files.py`` writes it to files.
* ``sql.py`` writes it as SQL: tables, the load of one file, and the views.
* ``load.py`` loads one file into a database through ADBC.
* ``sources.py`` opens a score file, or a folder of parsed tables, as a source.
* ``students.py`` finds students and collects their history; ``student_report.py`` makes it a page for print.
* ``credit/`` says what each score is worth under an institution's policy.
"""

from airflow_provider_apscores.scores.current_state import CurrentState, current_state
from airflow_provider_apscores.scores.files import read_crosswalk, write_current_state
from airflow_provider_apscores.scores.load import Loaded, load_credit, load_tables
from airflow_provider_apscores.scores.sql import DIALECTS, Sql, sql_for
from airflow_provider_apscores.scores.student_report import student_report
from airflow_provider_apscores.scores.students import FoundStudent, StudentHistory, find_students, student_histories

__all__ = [
    "DIALECTS",
    "CurrentState",
    "FoundStudent",
    "Loaded",
    "Sql",
    "StudentHistory",
    "current_state",
    "find_students",
    "load_credit",
    "load_tables",
    "read_crosswalk",
    "sql_for",
    "student_histories",
    "student_report",
    "write_current_state",
]
