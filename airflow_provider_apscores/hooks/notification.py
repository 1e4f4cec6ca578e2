"""What a notification e-mail says: which campus has new score reports. No mailbox and no Airflow here.

College Board: "You'll receive individual email notifications per campus whenever new score reports become available"
(Accessing AP Higher Education Score Reports, FAQ). The wording of these messages is not documented, so the user gives
patterns for them.

Anyone can send a message to the mailbox. So the text that patterns search is bounded, and RE2 searches it in linear
time: Python's own engine holds the interpreter for minutes on some patterns and texts, and with it every trigger of
the process. Nothing of a message leaves this module but the DI codes of campuses that the user named.
"""

from __future__ import annotations

import codecs
import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.utils import getaddresses
from typing import Any

from airflow_provider_apscores.errors import ConfigurationError

#: "allow the e.collegeboard.org domain through your firewall" (the same page, Setting Up Portal Access).
COLLEGE_BOARD = "collegeboard.org"

#: Accepts the topmost Authentication-Results of a message, whatever its authserv-id.
ANY_AUTHSERV_ID = "*"

#: What to do if a package of the extra is missing.
INSTALL_EXTRA = (
    "Reading notification e-mails needs IMAPClient and google-re2: install the extra airflow-provider-apscores[imap]."
)

# Characters of a subject and of a text that patterns search.
_SUBJECT_CHARACTERS = 1_000
_BODY_CHARACTERS = 100_000
# Characters of a Content-Type. The email package reads its parameters in quadratic time.
_CONTENT_TYPE_CHARACTERS = 1_000
# Encodings of host names, not of text: Python decodes them in quadratic time.
_NOT_TEXT = ("idna", "punycode")
# The property of a result that names the domain it is about (RFC 8601, 2.7).
_CHECKED_DOMAIN = {"dmarc": r"header\.from", "dkim": r"header\.[di]"}


@dataclass(frozen=True, slots=True)
class Rules:
    """Which messages are notifications, and which campuses they name.

    Attributes:
        senders: Addresses, or domains that include their subdomains, in lower case.
        subject: The RE2 pattern that the subject must contain.
        campuses: DI codes, each with the RE2 pattern that names it.
        match_body: Whether the text of the message may name a campus, in addition to the subject.
        authserv_id: The server whose Authentication-Results must confirm the sender, in lower case; None for no check.
    """

    senders: tuple[str, ...]
    subject: Any
    campuses: tuple[tuple[str, Any], ...]
    match_body: bool = False
    authserv_id: str | None = None

    def is_notification(self, header: bytes) -> bool:
        """Whether sender and subject are those of a notification. A header that cannot be read is not one."""
        message = message_from_bytes(header)
        addresses = _addresses(message)
        return (
            bool(addresses)
            and all(any(_belongs_to(address, sender) for sender in self.senders) for address in addresses)
            and (self.authserv_id is None or _is_authenticated(message, self.authserv_id, addresses))
            and bool(self.subject.search(_subject(message)))
        )

    def campuses_in(self, message: bytes) -> tuple[str, ...]:
        """Return the DI codes of the campuses that a notification names; empty if no pattern matches."""
        parsed = message_from_bytes(message)
        texts = [_subject(parsed)]
        if self.match_body:
            texts.append(_body(parsed))
        return tuple(code for code, pattern in self.campuses if any(pattern.search(text) for text in texts))


def read_rules(
    *,
    sender: str = COLLEGE_BOARD,
    subject_pattern: str = "",
    campus_patterns: Mapping[str, str] | str | None = None,
    match_body: bool = False,
    authserv_id: str | None = None,
) -> Rules:
    """Turn the arguments of the sensor and its trigger into rules.

    Args:
        sender: Addresses and domains, separated by commas.
        subject_pattern: A regular expression; empty for any subject.
        campus_patterns: A regular expression for each DI code, or the same as a JSON object.
        match_body: Whether the campus patterns may match the text of the message as well.
        authserv_id: Whose Authentication-Results must confirm the sender; ``*`` for the topmost ones of a message,
            None or empty for no check.

    Raises:
        ConfigurationError: One of them is wrong, and the message names it; or RE2 is not installed.
    """
    from airflow_provider_apscores.webservice import FileOrder  # it checks the form of a DI code

    senders = tuple(part.lower().lstrip("@") for part in re.split(r"[,;\s]+", str(sender or "")) if part)
    if not senders or not all(re.fullmatch(r"[!-~]+", part) and '"' not in part for part in senders):
        raise ConfigurationError(
            "sender must be an e-mail address or a domain, or several of them separated by commas, for example "
            f"{COLLEGE_BOARD}."
        )
    if isinstance(campus_patterns, str):
        try:
            campus_patterns = json.loads(campus_patterns)
        except ValueError:
            campus_patterns = None
    if not isinstance(campus_patterns, Mapping) or not campus_patterns:
        raise ConfigurationError(
            "campus_patterns must give a regular expression for each DI code, for example "
            '{"4866": "Main Campus", "0417": "Online Campus"}.'
        )
    return Rules(
        senders=senders,
        subject=_compiled(subject_pattern or "", "subject_pattern"),
        campuses=tuple(
            (FileOrder(code).di_code, _compiled(pattern, f"The pattern of campus {code} in campus_patterns"))
            for code, pattern in campus_patterns.items()
        ),
        match_body=bool(match_body),
        authserv_id=(authserv_id or "").strip().lower() or None,
    )


def _belongs_to(address: str, sender: str) -> bool:
    if "@" in sender:
        return address == sender
    _local, at, domain = address.rpartition("@")
    return bool(at) and (domain == sender or domain.endswith("." + sender))


def _compiled(pattern: Any, name: str) -> Any:
    try:
        import re2
    except ImportError:
        raise ConfigurationError(INSTALL_EXTRA) from None
    if not isinstance(pattern, str):
        raise ConfigurationError(f"{name} must be a regular expression, not {type(pattern).__name__}.")
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else error
        raise ConfigurationError(f"{name} is not a regular expression of RE2's syntax: {reason}.") from None


def _addresses(message: Message) -> list[str]:
    # From the undecoded fields: a decoded display name may look like an address.
    return [address.lower() for _name, address in getaddresses(_raw(message, "from"))]


def _is_authenticated(message: Message, authserv_id: str, senders: list[str]) -> bool:
    """Whether the receiving server confirms the domain of every sender: ``dmarc=pass``, or an aligned ``dkim=pass``.

    A server puts its results above those that came with the message (RFC 8601, 4), and removes those that claim its
    name (5). Only the topmost results of *authserv_id* count. Microsoft 365 writes no authserv-id.
    """
    for value in _raw(message, "authentication-results"):
        server, results = _authentication_results(value)
        if authserv_id in (ANY_AUTHSERV_ID, server):
            return all(any(_confirms(result, sender.rpartition("@")[2]) for result in results) for sender in senders)
    return False


def _authentication_results(value: str) -> tuple[str, list[str]]:
    """The authserv-id, empty if there is none, and the results: one method each, without comments and quoted text."""
    import re2  # re takes quadratic time where quotes and comments do not end

    value = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    for _ in range(3):  # comments may be nested
        value = re2.sub(r'(?s)"(?:[^"\\]|\\.)*"|\((?:[^()"\\]|\\.)*\)', " ", value)
    first, *results = value.lower().split(";")
    if "=" in first:
        return "", [first, *results]
    return next(iter(first.split()), ""), results


def _confirms(result: str, domain: str) -> bool:
    method = re.match(r"\s*(dmarc|dkim)(?:\s*/\s*\d+)?\s*=\s*pass(?!\S)", result)
    if not method:
        return False
    checked = re.search(rf"\s{_CHECKED_DOMAIN[method[1]]}\s*=\s*(\S+)", result)
    if not checked:
        return method[1] == "dmarc"  # it is about the domain of the From field by definition
    # In relaxed alignment, a domain speaks for its subdomains.
    return f".{domain}".endswith(f".{checked[1].rpartition('@')[2]}")


def _raw(message: Message, name: str) -> list[str]:
    """The undecoded fields called *name*, topmost first. ``Message.get`` would guess at the charset of stray bytes."""
    return [str(value) for key, value in message.raw_items() if key.lower() == name]


def _subject(message: Message) -> str:
    raw = next(iter(_raw(message, "subject")), "")
    # Bytes above ASCII arrive as surrogates; servers with UTF-8 headers (RFC 6532) send them.
    text = raw.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    try:
        parts = decode_header(text)
    except HeaderParseError:
        parts = [(text, None)]
    return _flat("".join(_decoded(part, charset) for part, charset in parts), _SUBJECT_CHARACTERS)


def _body(message: Message) -> str:
    """The readable text of *message*: its plain and HTML parts, attachments left out."""
    texts = []
    for part in message.walk():
        if part.get_content_maintype() != "text" or part.get_content_disposition() == "attachment":
            continue
        if len(str(part["content-type"])) > _CONTENT_TYPE_CHARACTERS:
            continue
        payload = part.get_payload(decode=True)
        text = _decoded(payload if isinstance(payload, bytes) else b"", part.get_content_charset())
        if part.get_content_subtype() == "html":
            text = html.unescape(re.sub(r"<[^<>]*>", " ", text))
        texts.append(text)
    return _flat(" ".join(texts), _BODY_CHARACTERS)


def _decoded(part: bytes | str, charset: str | None) -> str:
    if isinstance(part, str):
        return part
    try:
        codec = codecs.lookup(charset or "utf-8")
        if codec.name not in _NOT_TEXT:
            return part.decode(codec.name, "replace")
    except (LookupError, ValueError):  # a charset that Python does not know
        pass
    return part.decode("utf-8", "replace")


def _flat(text: str, limit: int) -> str:
    """*text* on one line, so that patterns need not allow for folded lines."""
    return " ".join(text.split())[:limit]
