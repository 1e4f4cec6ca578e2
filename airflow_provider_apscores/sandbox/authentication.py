"""Authentication: passwords, tokens and signed addresses.

A second implementation of the reference, stricter than the service may be: it refuses a password that is not Base64 and
an expired token, so that tests find a client that gets them wrong.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Mapping
from urllib.parse import parse_qs, urlencode, urlsplit


class Authenticator:
    """Checks passwords, issues tokens and signs addresses. Thread-safe."""

    def __init__(
        self,
        accounts: Mapping[str, str],
        *,
        seed: int,
        token_lifetime: float,
        url_lifetime: float,
        lock_after: int | None,
    ) -> None:
        """Create an authenticator.

        Args:
            accounts: E-mail addresses and their plain passwords.
            seed: Of the key that signs addresses, so that addresses stay valid after a restart.
            token_lifetime: Seconds.
            url_lifetime: Seconds.
            lock_after: Number of wrong passwords in a row that lock an account; None for never.
        """
        self._accounts = dict(accounts)
        self._key = hashlib.sha256(f"sandbox/{seed}".encode()).digest()
        self._key_pair_id = "K" + hashlib.sha256(self._key).hexdigest()[:13].upper()
        self._token_lifetime = token_lifetime
        self._url_lifetime = url_lifetime
        self._lock_after = lock_after
        self._lock = threading.Lock()
        self._tokens: dict[str, tuple[str, float]] = {}
        self._wrong: dict[str, int] = {}

    def log_in(self, email: object, encoded: object) -> str | None:
        """Check an e-mail address and the Base64 of its password.

        Returns:
            None when the login succeeds, else the name of a refusal in
            :data:`~airflow_provider_apscores.sandbox.faults.REFUSALS`.
        """
        if not isinstance(email, str) or email not in self._accounts:
            return "credentials"
        with self._lock:
            if self._is_locked(email):
                return "locked"
            if _decoded(encoded) == self._accounts[email].encode():
                self._wrong[email] = 0
                return None
            self._wrong[email] = self._wrong.get(email, 0) + 1
            return "locked" if self._is_locked(email) else "credentials"

    def issue_token(self, email: str, *, lifetime: float | None = None) -> str:
        """Issue a new token. Earlier tokens stay valid."""
        token = secrets.token_urlsafe(48)
        with self._lock:
            self._tokens[token] = (email, time.time() + (self._token_lifetime if lifetime is None else lifetime))
        return token

    def account_of(self, token: str | None) -> str | None:
        """Return the account of a valid token, else None."""
        with self._lock:
            email, expires = self._tokens.get(token or "", ("", 0.0))
            if time.time() < expires:
                return email
            self._tokens.pop(token or "", None)
            return None

    def expire_tokens(self, token: str | None = None) -> None:
        """Expire one token, or all tokens."""
        with self._lock:
            if token is None:
                self._tokens.clear()
            else:
                self._tokens.pop(token, None)

    def unlock(self) -> None:
        """Unlock all accounts."""
        with self._lock:
            self._wrong.clear()

    def signed_path(self, download_id: str, *, lifetime: float | None = None) -> str:
        """Return the path and query of a short-lived address for a download."""
        # Whole seconds, as observed: an address is valid up to a second less than its lifetime.
        expires = str(int(time.time() + (self._url_lifetime if lifetime is None else lifetime)))
        path = f"/files/{self.opaque_name(download_id)}"
        query = {"Expires": expires, "Signature": self._digest(f"{path}?{expires}"), "Key-Pair-Id": self._key_pair_id}
        return f"{path}?{urlencode(query)}"

    def address_error(self, target: str) -> str | None:
        """Check a signed address.

        Returns:
            None when the address is valid, else the message of the refusal.
        """
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if not {"Expires", "Signature", "Key-Pair-Id"} <= set(query):
            return "Missing Key-Pair-Id query parameter or cookie value"
        expires = query["Expires"]
        right = self._digest(f"{parts.path}?{expires}")
        if not hmac.compare_digest(right.encode(), query["Signature"].encode()):
            return "Access denied"
        # The signature is valid, so this is a number.
        return None if time.time() < int(expires) else "Request has expired"

    def opaque_name(self, download_id: str) -> str:
        """Return the last part of a download's path."""
        return self._digest(f"name/{download_id}")

    def _digest(self, text: str) -> str:
        digest = hmac.new(self._key, text.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def _is_locked(self, email: str) -> bool:
        return self._lock_after is not None and self._wrong.get(email, 0) >= self._lock_after


def _decoded(encoded: object) -> bytes | None:
    """Decode strict Base64; None if it is invalid."""
    if not isinstance(encoded, str):
        return None
    try:
        return base64.b64decode(encoded.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return None
