"""Local folders of tasks that run on several machines, each of which may have a disk of its own.

A delivery must be found again by the retry, by a cleared task and by the tasks behind it, on whichever worker they run.
Nothing on one worker can tell whether another sees the same folder, so the deployment declares it::

    [apscores]
    shared_folders = /srv/ap-scores, /mnt/shared
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator

#: Executors that run every task on the scheduler's machine.
_LOCAL_EXECUTORS = {"LocalExecutor", "SequentialExecutor", "DebugExecutor"}


def unshared_folder(path: Any, task: BaseOperator) -> str:
    """
    Return a warning about a folder that other workers may not see, or an empty string.

    :param path: an ``ObjectStoragePath``.
    :param task: the task that uses the folder.
    """
    if path.protocol not in ("file", "local", ""):
        return ""
    folder = os.path.normpath(path.path)
    executor = _remote_executor(task)
    if executor is None or any(_is_within(folder, shared) for shared in _shared_folders()):
        return ""
    return (
        f"{folder} is a local folder, and {executor} runs tasks on several machines. A retry or the next task on "
        "another machine finds nothing there. Use a URI such as s3://bucket/ap-scores. If all machines mount this "
        "folder, list it in the option shared_folders of the section [apscores] of the Airflow configuration."
    )


def _remote_executor(task: BaseOperator) -> str | None:
    """Name an executor of the task that may run it on another machine."""
    from airflow.providers.common.compat.sdk import conf

    # Containers of the Kubernetes, ECS and Batch executors are usually configured with the LocalExecutor.
    if os.environ.get("AIRFLOW_IS_K8S_EXECUTOR_POD") or os.environ.get("AIRFLOW_IS_EXECUTOR_CONTAINER"):
        return "the executor"
    configured: str = getattr(task, "executor", None) or conf.get("core", "executor", fallback="LocalExecutor")
    # "CeleryExecutor,alias:package.LocalExecutor;team=KubernetesExecutor"
    for entry in filter(None, re.split(r"[,;\s]+", configured)):
        names = {part.rpartition(".")[2] for part in re.split("[:=]", entry)}
        if not names & _LOCAL_EXECUTORS:
            return str(entry)
    return None


def _shared_folders() -> list[str]:
    from airflow.providers.common.compat.sdk import conf

    declared = conf.get("apscores", "shared_folders", fallback="") or ""
    return [os.path.normpath(each.strip()) for each in declared.split(",") if each.strip()]


def _is_within(folder: str, parent: str) -> bool:
    return folder == parent or folder.startswith(parent.rstrip("/") + "/")
