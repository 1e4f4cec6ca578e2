"""One DAG for each scenario: wait in the triggerer, then download, parse and record each campus with new reports."""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_apscores.operators.download import APScoresDownloadOperator
from airflow_provider_apscores.operators.parse import APScoresParseOperator
from airflow_provider_apscores.operators.record import APScoresRecordDownloadOperator
from airflow_provider_apscores.sensors.new_reports import APScoresNewReportsSensor

for dag_id in os.environ["APSCORES_SCENARIOS"].split():
    with DAG(
        dag_id,
        schedule=None,
        start_date=datetime(2026, 7, 1),
        max_active_runs=2,  # one of the scenarios needs two runs at once; a DAG of yours should have 1
        is_paused_upon_creation=False,
        default_args={"retries": 3, "retry_delay": timedelta(seconds=1)},
    ):
        wait = APScoresNewReportsSensor(
            task_id="wait", poke_interval=timedelta(seconds=3), timeout=timedelta(minutes=10), deferrable=True
        )
        download = APScoresDownloadOperator.partial(
            task_id="download", destination=f"s3://ap-scores/{dag_id}/files", record=False
        ).expand(di_code=wait.output)
        parse = APScoresParseOperator.partial(task_id="parse", output=f"s3://ap-scores/{dag_id}/tables").expand(
            source=download.output
        )
        record = APScoresRecordDownloadOperator.partial(task_id="record").expand(download=download.output)
        parse >> record
