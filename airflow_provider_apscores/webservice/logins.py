"""What a session knows about its logins: the token, and whether it may log in now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from airflow_provider_apscores.errors import CredentialsRefused, ServiceUnavailable, UnexpectedReply
from airflow_provider_apscores.webservice.secret import Secret

LoginFault = ServiceUnavailable | UnexpectedReply | CredentialsRefused

#: Seconds in which a failed login is not repeated, so that a poll of 20 campuses sends the password once.
PAUSE = 60.0


@dataclass(frozen=True, slots=True)
class Token:
    """A token, and the number of the login that gave it: a service may give the same one twice."""

    value: Secret
    login: int


class Logins:
    """The logins of one session.

    Args:
        clock: A monotonic clock, in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        #: How many logins have ended, successful or not.
        self.count = 0
        self.token: Token | None = None
        self._clock = clock
        self._error: LoginFault | None = None
        self._failed_at = 0.0

    def succeed(self, token: Secret) -> None:
        """A login gave a token."""
        self.count += 1
        self.token, self._error = Token(token, self.count), None

    def fail(self, error: LoginFault) -> None:
        """A login failed."""
        self.count += 1
        self._error, self._failed_at = error, self._clock()

    def check(self, *, since: int | None = None) -> None:
        """Raise the error of the last login again unless a new one may be tried.

        Args:
            since: The count when the call began. A login that failed since then counts for this call too.

        Raises:
            CredentialsRefused: The account was refused; this never changes for a session.
            ServiceUnavailable: The last login failed less than a minute ago. The same for :class:`UnexpectedReply`.
        """
        error = self._error
        if error is None:
            return
        failed_meanwhile = since is not None and self.count > since
        if isinstance(error, CredentialsRefused) or failed_meanwhile or self._clock() - self._failed_at < PAUSE:
            raise _copy(error)


def _copy(error: LoginFault) -> LoginFault:
    """The same error for another caller: an exception that is raised twice mixes the tracebacks of both."""
    if isinstance(error, ServiceUnavailable):
        return ServiceUnavailable(str(error), retry_after=error.retry_after, status=error.status)
    return type(error)(str(error))
