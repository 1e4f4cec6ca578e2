"""Room 2: what is in an AP score file. A library in its own right; no Airflow, no HTTP.

Importing it costs next to nothing: pyarrow and NumPy are loaded when a file is read.
"""

from __future__ import annotations

from airflow_provider_apscores.scorefile.codes import (
    AWARDS,
    EXAMS,
    IRREGULARITIES,
    RACE_ETHNICITY_DERIVED,
    RACE_ETHNICITY_RESPONSE,
    exam_for,
)
from airflow_provider_apscores.scorefile.comparison import Comparison, compare_exam_scores
from airflow_provider_apscores.scorefile.inspector import Inspection, Inspector
from airflow_provider_apscores.scorefile.layouts import CSV_COLUMNS, LAYOUT_910, LAYOUT_950, LAYOUTS
from airflow_provider_apscores.scorefile.reader import ScoreFile, read_score_file
from airflow_provider_apscores.scorefile.records import csv_header, decode_record, encode_csv_record, encode_record
from airflow_provider_apscores.scorefile.rewrite import raw_records, write_score_file
from airflow_provider_apscores.scorefile.tables import TABLES
from airflow_provider_apscores.scorefile.writer import WrittenTables, write_tables

__all__ = [
    "AWARDS",
    "CSV_COLUMNS",
    "EXAMS",
    "IRREGULARITIES",
    "LAYOUTS",
    "LAYOUT_910",
    "LAYOUT_950",
    "RACE_ETHNICITY_DERIVED",
    "RACE_ETHNICITY_RESPONSE",
    "TABLES",
    "Comparison",
    "Inspection",
    "Inspector",
    "ScoreFile",
    "WrittenTables",
    "compare_exam_scores",
    "csv_header",
    "decode_record",
    "encode_csv_record",
    "encode_record",
    "exam_for",
    "raw_records",
    "read_score_file",
    "write_score_file",
    "write_tables",
]
