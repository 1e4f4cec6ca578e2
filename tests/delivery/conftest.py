"""Landing without College Board: a file made of invented records, a destination, and runs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_apscores.delivery import Delivery, Landing, Run
from airflow_provider_apscores.scorefile import encode_record
from airflow_provider_apscores.storage import folder


def score_file(*students: str, di_code: str = "4866") -> bytes:
    records = ({"ap_id": f"FK{name:>06}", "college_code": f"00{di_code}"} for name in students)
    return b"".join(encode_record(each) + b"\n" for each in records)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "ap"


@pytest.fixture
def landing(place: Path) -> Callable[..., Landing]:
    """The place of a delivery of a run."""

    def make(run_id: str = "day-1", try_number: int = 1, first_try: int = 1, **more: Any) -> Landing:
        settings = {"di_code": "4866", "file_format": "TXT", "download_type": "new"} | more
        return Landing(
            folder(place), run=Run("ap", "download", run_id, try_number=try_number, first_try=first_try), **settings
        )

    return make


@pytest.fixture
def land(landing: Callable[..., Landing]) -> Callable[..., Delivery]:
    """Land a file as the download operator does."""

    def publish(content: bytes | None = None, *, download_id: str = "1", expect: int = 0, **where: Any) -> Delivery:
        content = score_file("1", "2") if content is None else content
        with landing(**where).begin() as incoming:
            for start in range(0, len(content), 700):
                incoming.write(content[start : start + 700])
            return incoming.publish(
                download_id=download_id,
                file_name="AP_HED_Scores_4866.txt",
                size=len(content),
                sha256=hashlib.sha256(content).hexdigest(),
                expect_min_records=expect,
            )

    return publish
