"""Read the arguments of tasks: URIs, paths, and references to downloads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.hooks.paths import storage_path

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context
    from pendulum import DateTime

    from airflow_provider_apscores.delivery import Delivery, Run


#: How the name of a manifest ends.
MANIFEST = ".manifest.json"


def airflow_path(place: Any, argument: str) -> Any:
    """
    Return the ``ObjectStoragePath`` of a URI or a local path. Airflow looks up its connection.

    A local path must be absolute: a relative one depends on the working folder of the worker.

    :param place: the value of the argument.
    :param argument: the name of the argument, for messages.
    :raises ConfigurationError: it is empty, a relative path, or a URI without a file system for its scheme; or it has a
        password, or the query of a web address, or is the content of a file.
    """
    import os
    import re

    from airflow_provider_apscores.storage import check_address

    text = str(place or "").strip()
    if text in ("", "None"):
        raise ConfigurationError(
            f"{argument} is {'None' if text else 'empty'}. Give it an absolute local path or a URI such as "
            "s3://bucket/ap-scores; if it comes from another task, that task must have run and returned one."
        )
    check_address(text)
    # The place is written to logs, XComs and manifests unchanged.
    if re.search(r"://[^/@]*:[^/]*@", text):
        raise ConfigurationError(
            f"{argument} holds a password. Put it into an Airflow connection and name that: scheme://conn_id@host/path."
        )
    if re.match(r"https?://[^?]*\?", text):
        raise ConfigurationError(
            f"{argument} is a web address with a query, which may be a signature. Download the file first, or put the "
            "secret into an Airflow connection."
        )
    scheme, slashes, rest = text.partition("://") if "://" in text else ("", "", text)
    if scheme in ("", "file", "local") and not os.path.isabs(rest):
        raise ConfigurationError(
            f"{argument} is {text!r}, which is another folder on each worker. Give it an absolute path such as "
            f"{scheme}{slashes}/srv/ap-scores, or a URI such as s3://bucket/ap-scores."
        )
    return storage_path(text, argument)


def read_reference(value: Any) -> Mapping[str, Any] | str | None:
    """
    Read a task's reference to a score file: the download operator's dict, a URI, or None.

    A template renders a dict as text unless the DAG renders native objects; both are accepted.
    """
    import ast
    import os

    if value is None or isinstance(value, Mapping):
        return value
    if not isinstance(value, str | os.PathLike):
        raise ConfigurationError(
            f"A reference to a download is one dict, URI or path, not a {type(value).__name__}. "
            "Map the task over several downloads, or both tasks in one task group."
        )
    text = str(value).strip()
    if text in ("", "None"):
        return None
    if text.startswith("{"):
        try:
            parsed = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            parsed = None
        if not isinstance(parsed, Mapping):
            raise ConfigurationError("The reference to a download is neither a dict nor a URI.")
        return parsed
    return text


def campuses_of(value: Any) -> list[str]:
    """
    Return the DI codes that an argument names: a DI code, a reference to a download or to tables, or a list of these.

    A reference that is wrong or names no campus has none. The task itself reports what is wrong.
    """
    import ast
    import re
    from contextlib import suppress

    if isinstance(value, str) and value.strip().startswith(("{", "[")):  # a template renders both as text
        with suppress(ValueError, SyntaxError):
            value = ast.literal_eval(value.strip())
    if isinstance(value, Mapping):
        return campuses_of(value.get("di_code") or value.get("di_codes"))
    if isinstance(value, list | tuple):
        return list(dict.fromkeys(di_code for each in value for di_code in campuses_of(each)))
    text = str(value).strip()
    if manifest := re.search(rf"/([0-9]{{4}})/[^/]+/[^/]+{re.escape(MANIFEST)}$", text):
        return [manifest[1]]
    return re.split(r"[,\s]+", text) if re.fullmatch(r"[0-9]{4}([,\s]+[0-9]{4})*", text) else []


def open_reference(reference: Mapping[str, Any] | str) -> Delivery:
    """
    Open the delivery of a reference.

    :param reference: the download operator's dict, or the URI of a manifest.
    :raises ConfigurationError: it is something else.
    :raises DeliveryDamaged: there is no such manifest.
    """
    from airflow_provider_apscores.delivery import open_delivery

    uri = reference if isinstance(reference, str) else reference.get("manifest_uri")
    if not isinstance(uri, str) or not uri.endswith(MANIFEST):
        raise ConfigurationError(
            "A reference to a download is the dict that APScoresDownloadOperator returned, or the URI of its manifest."
        )
    return open_delivery(airflow_path(uri, "download"))


def this_run(context: Context, operator: BaseOperator) -> Run:
    """Say which try of which task runs. Outside a DAG run, there is no earlier try to go on from."""
    from airflow_provider_apscores.delivery import Run, utc_now

    ti = context.get("ti")
    if ti is None:
        return Run(dag_id="none", task_id=operator.task_id, run_id=f"by-hand__{utc_now()}")
    # When a task is cleared, Airflow keeps its try number and raises max_tries by its retries.
    allowed = getattr(ti, "max_tries", None)
    first = allowed - (operator.retries or 0) + 1 if isinstance(allowed, int) else ti.try_number
    map_index = getattr(ti, "map_index", None)
    return Run(
        dag_id=ti.dag_id,
        task_id=ti.task_id,
        run_id=ti.run_id,
        map_index=-1 if map_index is None else map_index,
        try_number=ti.try_number,
        first_try=max(1, first),
    )


def read_day(value: Any, argument: str) -> DateTime | None:
    """
    Return the beginning of a day in UTC, or None when there is none.

    :param value: a date or moment, or text such as ``2026-07-01`` or a rendered ``{{ ds }}``.
    :param argument: the name of the operator's argument, for messages.
    :raises ConfigurationError: it is no day.
    """
    import pendulum

    text = "" if value is None else str(value).strip()
    if text in ("", "None"):  # a template renders None as text
        return None
    try:
        return pendulum.from_format(text[:10], "YYYY-MM-DD", tz="UTC")
    except ValueError:
        raise ConfigurationError(f"{argument} must be a day such as 2026-07-01.") from None
