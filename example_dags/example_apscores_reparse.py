"""
Parse all landed files again, and load them again: after an upgrade of the provider, or into a new database.

Start it by hand. It reads the manifests of the destination and does not talk to College Board. Tables keep their names
and are replaced; their ``parser_version`` moves. Rows in the database are replaced file by file. A file keeps its first
landing, so that no old score comes back. Purged files are left out.

``di_code`` of the run takes one campus only. Needs the extra ``[postgres]``, and a connection ``warehouse`` of type
``postgres``. Drop the task *load* if you have no database.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, ObjectStoragePath, Param, task, task_group

from airflow_provider_apscores.assets import events, status
from airflow_provider_apscores.operators.load import APScoresLoadOperator
from airflow_provider_apscores.operators.parse import APScoresParseOperator

AIRFLOW_HOME = os.environ.get("AIRFLOW_HOME", os.path.expanduser("~/airflow"))
DATA = f"{{{{ var.value.get('apscores_data', '{AIRFLOW_HOME}/apscores') }}}}"
WAREHOUSE = "warehouse"

# The page in the UI shows the status, and other DAGs can be scheduled on the events.
ASSETS = {"inlets": [status()], "outlets": [events()]}

with DAG(
    dag_id="example_apscores_reparse",
    description="Parse and load all landed AP score files again",
    schedule=None,
    start_date=datetime(2026, 7, 1),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=10), "retry_exponential_backoff": True},
    params={
        "di_code": Param(
            None,
            type=["string", "null"],  # with null, the form does not ask for a value
            pattern="^[0-9]{4}$",
            description="One campus only (DI code); empty for all.",
        )
    },
    tags=["apscores", "example"],
    doc_md=__doc__,
):

    @task
    def landed(files: str, params: dict | None = None) -> list[str]:
        from airflow_provider_apscores.delivery import APScoresLedger

        ledger = APScoresLedger(ObjectStoragePath(files))
        ledger.check()
        return ledger.manifest_uris((params or {}).get("di_code"))

    @task_group
    def file(manifest: str) -> None:
        parse = APScoresParseOperator(
            task_id="parse",
            source=manifest,
            output=f"{DATA}/tables",
            **ASSETS,
        )
        APScoresLoadOperator(
            task_id="load",
            tables=parse.output,
            conn_id=WAREHOUSE,
            create=True,
            **ASSETS,
        )

    file.expand(manifest=landed(f"{DATA}/files"))
