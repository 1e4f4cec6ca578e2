"""
The daily job: download the new reports of every campus, parse them into tables, then record the download.

The campuses are those of the connection ``apscores_default``, unless the run names others. One login decides first: a
refused login fails the run there, once, before the campuses start. A campus with nothing new is skipped, and a failure
of one does not stop the others: the last task fails the run. Recording comes last: reports that were not parsed stay
new at College Board.

``MAPPED`` chooses between a download task for each campus, and one task that downloads from up to ten campuses at once
with one login.

Files and tables go below the Airflow variable ``apscores_data``: a folder or any ``ObjectStoragePath`` URI. The default
is a local folder, for an Airflow on one machine. With workers on several machines, set the variable to a URI such as
``s3://bucket/ap-scores``, or to a folder that all of them mount and that ``[apscores] shared_folders`` lists.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_apscores.task_groups import deliver

AIRFLOW_HOME = os.environ.get("AIRFLOW_HOME", os.path.expanduser("~/airflow"))
DATA = f"{{{{ var.value.get('apscores_data', '{AIRFLOW_HOME}/apscores') }}}}"
MAPPED = True

with DAG(
    dag_id="example_apscores",
    description="New AP score reports of every campus, as tables",
    schedule="@daily",
    start_date=datetime(2026, 7, 1),
    catchup=False,
    max_active_runs=1,  # the runs of one account share a cursor: one at a time
    default_args={"retries": 3, "retry_delay": timedelta(minutes=10), "retry_exponential_backoff": True},
    params={
        "di_codes": Param(
            [],
            type=["array", "null"],  # with null, the form does not ask for a value
            items={"type": "string", "pattern": "^[0-9]{4}$"},
            description="Campuses (DI codes) to fetch; empty for all campuses of the connection.",
        )
    },
    tags=["apscores", "example"],
    doc_md=__doc__,
):
    deliver(data=DATA, campuses="{{ params.di_codes or 'connection' }}", mapped=MAPPED)
