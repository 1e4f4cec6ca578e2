"""Room 2: what is in an AP score file. A library in its own right; no Airflow, no HTTP.

Importing it costs next to nothing: pyarrow and NumPy are loaded when a file is read.

**What College Board publishes** is data, and so is what we make of it:

* ``layouts.py``: where each field stands, by TXT column and by CSV name. ``fields.py`` is its vocabulary.
* ``codes.py``: what the codes mean: exams by year, awards, irregularities, race and ethnicity.
* ``tables.py``: the tables: columns, types, keys.

So a new layout goes to ``layouts.py``, a new exam to ``codes.py``. A new field is a row of ``layouts.py`` and one of
``tables.py``; if it is no text, ``students.py`` or ``slots.py`` types it. All other files find fields by their names.

**Bytes to tables**, in the order in which they pass; ``reader.py`` leads through:

* ``source.py`` opens the file, ``detect_format.py`` tells what it is and what a CSV header means.
* TXT: ``lines.py`` cuts records, ``txtlines.py`` has the lines of a piece; ``oddlines.py`` takes those that need a look
  of their own, and ``landmarks.py`` says which can be believed.
* CSV: ``csvrows.py`` cuts rows; ``csvplain.py`` takes those that are plain. Of the others, ``csvwidth.py`` says which
  can be believed, and ``csvshape.py`` lays them out as TXT records. ``csvlines.py`` has the lines of a piece.
* Both end in a block of records (``blocks.py``), so that all else is done once: ``typed.py`` makes rows of it,
  ``students.py`` and ``slots.py`` (exams, awards) their columns, ``findings.py`` the rows of ``problems``.
  ``assemble.py`` goes on over all blocks of a file; ``batch.py`` is what comes out.
* Tools: ``dates.py``, ``lookups.py`` (two characters at a time), ``arrays.py`` (columns from buffers), ``ahead.py`` (a
  second thread), ``problems.py`` (the kinds of problems).

**Tables to files**: ``conversion.py`` leads through; ``writer.py`` writes, in the formats of ``formats.py``.

**Tables to score files**: ``records.py``, which also takes a single raw record to text and back.

**Only a look**: ``inspector.py`` while a file is downloaded, ``comparison.py`` at two files, ``summary.py`` at one;
``__main__.py`` is the command line.
"""

from __future__ import annotations

from airflow_provider_apscores.scorefile.comparison import Comparison, compare_exam_scores
from airflow_provider_apscores.scorefile.conversion import WrittenTables, write_tables
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
from airflow_provider_apscores.scorefile.spec.tables import TABLES
from airflow_provider_apscores.scorefile.writing.records import (
    csv_header,
    decode_record,
    encode_csv_record,
    encode_record,
    raw_records,
    write_score_file,
)

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
