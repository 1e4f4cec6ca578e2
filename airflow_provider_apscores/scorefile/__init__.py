"""AP Higher Education score files: what is in them, and how they become tables. No Airflow, no HTTP.

Importing this package costs next to nothing: pyarrow and NumPy are loaded when a file is read.

``spec/`` is what College Board publishes, as data: fields and layouts, codes, and the tables made of them. A new
layout goes to ``layouts.py``, a new exam to ``codes.py``. A new field is one row in ``layouts.py`` and one in
``tables.py``; if it is not text, ``students.py`` or ``slots.py`` types it. Everything else finds fields by their names.

A file becomes tables in four steps; ``reader.py`` is the pipeline.

1. ``reading/`` turns bytes into blocks of records. ``source.py`` opens the file and ``detect.py`` finds its format.
   ``txt.py`` cuts TXT records; ``csv.py`` cuts CSV rows under the names that ``header.py`` understands. Both hand on
   the same type, ``columns/block.py``, whose docstring is the contract.
2. ``reading/alignment.py`` checks once per block which records stand as their layout says. The others are set aside.
3. ``columns/`` types the rest: ``students.py`` and ``slots.py`` (exams, awards) make columns, ``report.py`` gathers
   problems, and ``batch.py`` makes the rows of all tables.
4. ``writing/`` writes tables as Parquet, CSV or JSON Lines, and single student records as text. ``conversion.py``
   takes a score file to table files.

``tables_folder.py`` says where table files are and which rows of them count; ``compaction.py`` merges them.

``inspector.py`` checks a file while it is downloaded, ``comparison.py`` compares the exam scores of files,
and ``workers.py`` runs steps in threads.
"""

from __future__ import annotations

from airflow_provider_apscores.scorefile.compaction import (
    OLDER_THAN,
    Compaction,
    compact_tables,
    drop_score_files,
)
from airflow_provider_apscores.scorefile.comparison import Comparison, compare_exam_scores
from airflow_provider_apscores.scorefile.conversion import Origin, WrittenTables, write_tables
from airflow_provider_apscores.scorefile.inspector import Inspection, Inspector
from airflow_provider_apscores.scorefile.reader import ScoreFile, read_score_file
from airflow_provider_apscores.scorefile.spec.codes import (
    AWARDS,
    EXAMS,
    IRREGULARITIES,
    RACE_ETHNICITY_DERIVED,
    RACE_ETHNICITY_RESPONSE,
    exam_for,
)
from airflow_provider_apscores.scorefile.spec.layouts import CSV_COLUMNS, LAYOUT_910, LAYOUT_950, LAYOUTS
from airflow_provider_apscores.scorefile.spec.problems import KINDS as PROBLEM_KINDS
from airflow_provider_apscores.scorefile.spec.tables import DELIVERIES, STATUSES, TABLES, Column, Table
from airflow_provider_apscores.scorefile.tables_folder import (
    PARTITIONS,
    check_tables,
    conform,
    one_row_per_file,
    own_digest,
    read_rows,
    table_files,
)
from airflow_provider_apscores.scorefile.writing.formats import FORMATS, open_encoder, read_formats
from airflow_provider_apscores.scorefile.writing.records import csv_header, encode_csv_record, encode_record

__all__ = [
    "AWARDS",
    "CSV_COLUMNS",
    "DELIVERIES",
    "EXAMS",
    "FORMATS",
    "IRREGULARITIES",
    "LAYOUTS",
    "LAYOUT_910",
    "LAYOUT_950",
    "OLDER_THAN",
    "PARTITIONS",
    "PROBLEM_KINDS",
    "RACE_ETHNICITY_DERIVED",
    "RACE_ETHNICITY_RESPONSE",
    "STATUSES",
    "TABLES",
    "Column",
    "Compaction",
    "Comparison",
    "Inspection",
    "Inspector",
    "Origin",
    "ScoreFile",
    "Table",
    "WrittenTables",
    "check_tables",
    "compact_tables",
    "compare_exam_scores",
    "conform",
    "csv_header",
    "drop_score_files",
    "encode_csv_record",
    "encode_record",
    "exam_for",
    "one_row_per_file",
    "open_encoder",
    "own_digest",
    "read_formats",
    "read_rows",
    "read_score_file",
    "table_files",
    "write_tables",
]
