"""How work flows from the source to the files: what is loaded."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

#: Reads and writes students with and without the optional fields, and says whether somebody asked for pandas.
LOADS_PANDAS = """
import sys

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "pandas":
            print("pandas")

sys.meta_path.insert(0, Watch())
from airflow_provider_apscores.scorefile import encode_record, write_tables

record = {"college_code": "004866", "report_date": "070725", "last_name": "RIVERA"}
more = {**record, "race_ethnicity_derived": "4", "exam_code_01": "07", "admin_year_01": "25", "exam_grade_01": "5"}
write_tables(encode_record(record) + b"\\n" + encode_record(more), sys.argv[1], formats=["parquet", "csv", "jsonl"])
"""


def test_pandas_is_not_loaded(tmp_path):
    found = subprocess.run(
        [sys.executable, "-c", LOADS_PANDAS, tmp_path], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout == ""
