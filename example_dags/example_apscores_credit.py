"""
Say each day what the exam scores are worth: compute what counts now, and apply the institution's credit policy.

Put the policy into ``credit_policy.csv`` below the Airflow variable ``apscores_data``, the folder or
``ObjectStoragePath`` URI of the other examples; they write the tables that this DAG reads. It does not talk to College
Board. A policy with a defect fails the task with all defects and their lines, and the last result stays.

The result is ``credit/credit.csv`` and ``credit/credit.parquet``, and the table ``ap_credit`` through a connection
``warehouse`` of type ``postgres``. Needs the extra ``[postgres]``. Drop the task *load* if you have no database.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_apscores.assets import status
from airflow_provider_apscores.operators.credit import APScoresCreditOperator
from airflow_provider_apscores.operators.current_state import APScoresCurrentStateOperator
from airflow_provider_apscores.operators.load import APScoresLoadOperator

AIRFLOW_HOME = os.environ.get("AIRFLOW_HOME", os.path.expanduser("~/airflow"))
DATA = f"{{{{ var.value.get('apscores_data', '{AIRFLOW_HOME}/apscores') }}}}"
WAREHOUSE = "warehouse"

with DAG(
    dag_id="example_apscores_credit",
    description="What AP exam scores are worth under a credit policy",
    schedule="@daily",
    start_date=datetime(2026, 7, 1),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=10)},
    tags=["apscores", "example"],
    doc_md=__doc__,
):
    current = APScoresCurrentStateOperator(
        task_id="current",
        inlets=[status()],
        source=f"{DATA}/tables",
        output=f"{DATA}/current",
    )
    credit = APScoresCreditOperator(
        task_id="credit",
        inlets=[status()],
        scores=f"{DATA}/current",
        policy=f"{DATA}/credit_policy.csv",
        output=f"{DATA}/credit",
        formats=("parquet", "csv"),
        as_of="{{ ds }}",
    )
    load = APScoresLoadOperator(
        task_id="load",
        inlets=[status()],
        tables=credit.output,
        conn_id=WAREHOUSE,
        create=True,
    )
    current >> credit >> load
