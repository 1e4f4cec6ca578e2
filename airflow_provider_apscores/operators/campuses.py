"""Several campuses in one task: read their list, work on up to ten at once, and report those that failed."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_apscores.errors import APScoresError, ConfigurationError, CredentialsRefused

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_apscores.delivery import Delivery
    from airflow_provider_apscores.hooks.apscores import APScoresHook
    from airflow_provider_apscores.operators.base import APScoresOperator

log = logging.getLogger(__name__)

#: The word for all campuses of the connection.
OF_CONNECTION = "connection"
#: The XCom key of the campuses that failed.
ERRORS = "errors"
#: Campuses that a task works on at the same time.
AT_ONCE = 10
#: Characters of an error's message in an XCom.
_MESSAGE = 500


@dataclass(slots=True)
class Campus:
    """What a task does for one campus of several.

    Attributes:
        di_code: The campus, four digits.
        delivery: Its delivery, as soon as there is one.
        error: Why the task can't go on with this campus.
    """

    di_code: str
    delivery: Delivery | None = None
    error: APScoresError | None = None


C = TypeVar("C", bound=Campus)


def is_list(value: Any) -> bool:
    """Whether an argument is a list: templates render one as text, and the XComs of a mapped task are a sequence."""
    if isinstance(value, str):
        return value.strip().startswith("[")
    return isinstance(value, Sequence | set | frozenset)


def read_list(value: Any, argument: str) -> list[Any]:
    """
    Return the items of a list or of its text.

    :param value: the value of the argument, for which :func:`is_list` is true.
    :param argument: its name, for the error.
    :raises ConfigurationError: it is text of something else.
    """
    import ast

    if not isinstance(value, str):
        return list(value)
    try:
        return list(ast.literal_eval(value.strip()))
    except (ValueError, SyntaxError, TypeError):
        raise ConfigurationError(f"{argument} begins with a bracket, but is not the text of a list.") from None


def read_campuses(value: Any, hook: APScoresHook) -> list[str]:
    """
    Return DI codes, each once.

    :param value: DI codes: a list, its text, or text with commas. ``connection`` stands for those of the connection.
    :param hook: the hook of the connection.
    :raises ConfigurationError: one is not a DI code, the connection is wrong, or it names no campus.
    """
    from airflow_provider_apscores.webservice import FileOrder

    codes: list[str] = []
    for code in _flat(value):
        if code != OF_CONNECTION:
            codes.append(FileOrder(code).di_code)  # which refuses all but four digits
        elif hook.di_codes:
            codes += hook.di_codes
        else:
            raise ConfigurationError(
                f"Connection {hook.apscores_conn_id!r} names no campuses. Enter their DI codes in its field di_codes, "
                "or name the campuses in the DAG."
            )
    return list(dict.fromkeys(codes))


def _flat(value: Any) -> Iterator[str]:
    if is_list(value):
        for item in read_list(value, "The list of campuses"):
            yield from _flat(item)
    else:
        yield from filter(None, re.split(r"[,;\s]+", str(value)))


def for_one(work: Callable[[C], Any], campuses: Iterable[C]) -> None:
    """Call *work* for the only campus of a task. Its error is the task's."""
    for campus in campuses:
        work(campus)


def for_each(work: Callable[[C], Any], campuses: Iterable[C]) -> None:
    """
    Call *work* for each campus that has no error yet, ten at once. An error stays with its campus.

    :raises CredentialsRefused: College Board refused the account, so it would refuse the other campuses as well. Those
        that have not begun are left out.
    """

    def try_one(campus: C) -> None:
        try:
            work(campus)
        except CredentialsRefused:
            raise
        except APScoresError as error:
            log.error("Campus %s failed: %s", campus.di_code, error)
            campus.error = error

    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="campus") as threads:
        begun = [threads.submit(try_one, campus) for campus in campuses if campus.error is None]
        try:
            for each in begun:
                each.result()
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise


def report_errors(context: Context, task: APScoresOperator, campuses: Sequence[Campus]) -> None:
    """
    Push the errors of the campuses as XCom ``errors``, and keep the class of each in the status of its campus.

    If there is no delivery, the task fails with the errors. The status of the other campuses does not: College Board
    answered for them.

    :raises AirflowFailException: no campus has a delivery, and all errors are permanent.
    :raises APScoresError: no campus has a delivery, and an error is transient.
    """
    from airflow_provider_apscores.hooks.exceptions import airflow_exceptions
    from airflow_provider_apscores.operators.status import store_error

    failed = {each.di_code: each.error for each in campuses if each.error is not None}
    ti: Any = context.get("ti")
    if ti is not None:
        ti.xcom_push(key=ERRORS, value=[_as_json(di_code, error) for di_code, error in failed.items()])
    for di_code, error in failed.items():
        store_error(context, task, error, [di_code])
    if failed and not finished(campuses):
        first = next((error for error in failed.values() if error.transient), next(iter(failed.values())))
        text = " ".join(f"Campus {di_code}: {error}" for di_code, error in failed.items())
        with airflow_exceptions():
            raise type(first)(text) from None


def finished(campuses: Sequence[Campus]) -> list[Delivery]:
    """Return the deliveries of the campuses that did not fail."""
    return [each.delivery for each in campuses if each.delivery is not None and each.error is None]


def pull_errors(ti: Any, task_id: str) -> list[dict[str, Any]]:
    """Return what :func:`report_errors` pushed in the instances of a task of the same run."""
    pulled = ti.xcom_pull(task_ids=task_id, key=ERRORS) or []
    # Those of a mapped task are a list for each instance.
    return [error for each in pulled for error in ([each] if isinstance(each, dict) else each or [])]


def failure_of(errors: Mapping[str, Sequence[dict[str, Any]]]) -> str:
    """Return what a person should know and do about the errors of campuses by task, as text of several lines."""
    failed = [error for of_task in errors.values() for error in of_task]
    tasks = " and ".join(sorted(task_id for task_id, of_task in errors.items() if of_task))
    lines = [
        f"Failed campuses: {len(failed)}. The others were delivered. Fix the cause and clear the task {tasks}, "
        "together with the tasks after it: it does only what is missing.",
        *(f"{each['di_code']}: {each['error']}: {each['message']}" for each in failed),
    ]
    return "\n".join(lines)


def _as_json(di_code: str, error: APScoresError) -> dict[str, Any]:
    message = str(error)
    return {
        "di_code": di_code,
        "error": type(error).__name__,
        "message": message if len(message) <= _MESSAGE else f"{message[: _MESSAGE - 1]}…",
        "transient": error.transient,
    }
