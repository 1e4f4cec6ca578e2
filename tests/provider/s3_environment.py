"""What an Airflow process needs to reach an S3 server without the Amazon provider."""

from __future__ import annotations

import os
from pathlib import Path

from tests.provider.deployment import clean_environment

#: What apache-airflow-providers-amazon does: it tells Airflow which file system opens s3://.
PROVIDER = """
schemes = ["s3"]

def info():
    return {"package-name": "s3-provider", "name": "S3", "description": "S3", "filesystems": ["s3_provider.fs"]}

def get_fs(conn_id, storage_options=None):
    import s3fs

    return s3fs.S3FileSystem()
"""


def s3_environment(folder: Path, address: str) -> dict[str, str]:
    """Write the provider into a folder, and return the variables that lead to it and to the server at *address*."""
    information = folder / "s3_provider-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: s3-provider\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[apache_airflow_provider]\nprovider_info=s3_provider.fs:info\n")
    (folder / "s3_provider").mkdir()
    (folder / "s3_provider" / "fs.py").write_text(PROVIDER)
    return {
        "PYTHONPATH": os.pathsep.join([clean_environment()["PYTHONPATH"], str(folder)]),
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "invented",
        "AWS_SECRET_ACCESS_KEY": "invented",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
