"""The hook: from an Airflow connection to a client of the web service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_apscores.errors import APScoresError, ConfigurationError
from airflow_provider_apscores.get_provider_info import connection_type
from airflow_provider_apscores.hooks.exceptions import airflow_exceptions
from airflow_provider_apscores.hooks.lookup import OpaqueConnection, check_type, connection_errors, read_extra

if TYPE_CHECKING:
    from airflow_provider_apscores.hooks.connection import Settings
    from airflow_provider_apscores.webservice import AsyncClient, Client, Secret, Session


class APScoresHook(BaseHook):
    """
    Talk to the College Board's AP Higher Education score report web service.

    ::

        with APScoresHook().get_conn() as client:
            generated = client.order("4866")
            if generated is not None:
                with open("scores.txt", "wb") as file:
                    client.download(generated, file)

    The client logs in once, at its first call. The password, its Base64 form, tokens and signed URLs are masked in
    Airflow's logs as soon as they exist.

    :param apscores_conn_id: the connection to use.
    :param patience: seconds for one call, including its repetitions while College Board generates a large file.
    """

    conn_name_attr = "apscores_conn_id"
    default_conn_name = "apscores_default"
    conn_type = "apscores"
    hook_name = "College Board AP Scores"

    def __init__(self, apscores_conn_id: str = default_conn_name, *, patience: float = 600.0) -> None:
        super().__init__()
        self.apscores_conn_id = apscores_conn_id
        self.patience = patience

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return the behaviour of the connection form for Airflow 2.11 to 3.1; later ones read the metadata."""
        return {key.replace("-", "_"): value for key, value in connection_type()["ui-field-behaviour"].items()}

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the extra fields of the connection form for Airflow 2.11 to 3.1; later ones read the metadata."""
        from flask_appbuilder.fieldwidgets import BS3TextFieldWidget
        from flask_babel import lazy_gettext
        from wtforms import StringField

        return {
            name: StringField(
                lazy_gettext(field["label"]), description=field.get("description"), widget=BS3TextFieldWidget()
            )
            for name, field in connection_type()["conn-fields"].items()
        }

    def get_conn(self, settings: Settings | None = None, *, mask_transient_secrets: bool = True) -> Client:
        """
        Return a client of the web service, to be used as a context manager.

        :param settings: those of the connection, if they have been read already.
        :param mask_transient_secrets: whether to mask tokens and signed URLs as well. Airflow keeps every mask for the
            life of the process and checks each log line against all of them, so a poll that logs in again and again
            must not add masks. A poll neither logs these secrets nor passes them on.
        :raises ConfigurationError: the connection is wrong; nothing was sent.
        """
        from airflow_provider_apscores.webservice import Client

        settings = settings or self.settings()

        def mask(secret: Secret) -> None:
            if mask_transient_secrets or _is_of_connection(secret, settings):
                _mask(secret)

        return Client(
            self._session(settings),
            timeout=settings.timeout,
            verify=settings.verify,
            proxy=settings.proxy,
            on_secret=mask,
        )

    @asynccontextmanager
    async def get_async_conn(
        self, settings: Settings | None = None, *, mask_transient_secrets: bool = True
    ) -> AsyncIterator[AsyncClient]:
        """
        Yield an asynchronous client, for triggers: ``async with hook.get_async_conn() as client``.

        :param settings: the settings of the connection, if they have been read already.
        :param mask_transient_secrets: as for :meth:`get_conn`.
        :raises ConfigurationError: the connection is wrong; nothing was sent.
        """
        settings = settings or await self.async_settings()
        # In a thread: loading modules and certificates would block every trigger of the process.
        async with await asyncio.to_thread(self._async_client, settings, mask_transient_secrets) as client:
            yield client

    @property
    def di_codes(self) -> list[str]:
        """The campuses that the connection names; empty when it names none."""
        return list(self.settings().di_codes)

    def check_login(self) -> None:
        """
        Log in once, before tasks fan out over campuses.

        Each task logs in for itself. After a password change, twenty mapped tasks would send twenty refused logins, and
        College Board locks an account after a few. Call this in a task that all of them wait for: a refused login fails
        that task, and the others do not start.

        :raises AirflowFailException: College Board refused the login, or the connection is wrong; not retried.
        :raises APScoresError: with ``transient`` true: College Board or the network is in trouble; retry.
        """
        with airflow_exceptions(), self.get_conn() as client:
            client.log_in()

    def test_connection(self) -> tuple[bool, str]:
        """Log in for the connection form. Nothing is ordered or recorded."""
        try:
            with self.get_conn() as client:
                client.log_in()
        except APScoresError as error:
            # Airflow's form tests a temporary connection, whose id means nothing to the user.
            return False, str(error).removeprefix(self._prefix)
        except Exception as error:
            # The form shows the text. The message of another library's exception may contain anything.
            return False, f"The connection could not be tested: {type(error).__name__}."
        return True, "Logged in to the College Board web service."

    def _async_client(self, settings: Settings, mask_transient_secrets: bool) -> AsyncClient:
        from airflow_provider_apscores.webservice import AsyncClient

        async def mask(secret: Secret) -> None:
            if mask_transient_secrets or _is_of_connection(secret, settings):
                await _amask(secret)

        return AsyncClient(
            self._session(settings),
            timeout=settings.timeout,
            verify=settings.verify,
            proxy=settings.proxy,
            on_secret=mask,
        )

    def _session(self, settings: Settings) -> Session:
        from airflow_provider_apscores.webservice import PRODUCTION_URL, Session

        with self._named():
            return Session(
                settings.credentials,
                base_url=settings.base_url or PRODUCTION_URL,
                di_codes=settings.di_codes,
                trusted_hosts=settings.trusted_hosts,
                patience=self.patience,
            )

    def settings(self) -> Settings:
        """
        Read the connection.

        :raises ConfigurationError: the connection is wrong, or there is none.
        """
        with connection_errors(self.apscores_conn_id, self.conn_type):
            connection = OpaqueConnection(self.get_connection(self.apscores_conn_id))
        return self._read(connection)

    async def async_settings(self) -> Settings:
        """Read the connection without blocking, for triggers."""
        from airflow.providers.common.compat.connection import get_async_connection

        with connection_errors(self.apscores_conn_id, self.conn_type):
            connection = OpaqueConnection(await get_async_connection(self.apscores_conn_id))
        return self._read(connection)

    def _read(self, connection: Any) -> Settings:
        from airflow_provider_apscores.hooks.connection import read_connection
        from airflow_provider_apscores.webservice import Secret

        check_type(connection, self.conn_type)
        extra = read_extra(connection)
        with self._named():
            return read_connection(
                login=connection.login,
                password=Secret(connection.password or ""),
                host=connection.host,
                schema=connection.schema,
                port=connection.port,
                extra=extra,
            )

    @property
    def _prefix(self) -> str:
        return f"Connection {self.apscores_conn_id!r}: "

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Say which connection is wrong: people have one for each account."""
        try:
            yield
        except ConfigurationError as error:
            raise ConfigurationError(f"{self._prefix}{error}") from None


def _is_of_connection(secret: Secret, settings: Settings) -> bool:
    """Whether a secret belongs to the connection, not to a single login or file."""
    own = (settings.credentials.password, settings.credentials.encoded)
    return secret in own or (settings.proxy is not None and secret.reveal() in settings.proxy.reveal())


def _mask(secret: Secret) -> None:
    from airflow.providers.common.compat.sdk import mask_secret

    mask_secret(secret.reveal())


async def _amask(secret: Secret) -> None:
    try:
        from airflow.sdk.log import amask_secret
    except ImportError:
        # Before Airflow 3.3.2 the triggerer tells its supervisor of a mask as it asks for connections: from a thread of
        # this kind. On the event loop itself, Airflow 3.0 raises a RuntimeError.
        from asgiref.sync import sync_to_async

        await sync_to_async(_mask)(secret)
    else:
        await amask_secret(secret.reveal())
