"""What a notification e-mail tells: for which campus there are new score reports. Pure: no mailbox, no Airflow.

College Board: "You'll receive individual email notifications per campus whenever new score reports become available"
(Accessing AP Higher Education Score Reports, FAQ). How these messages look is not documented, so the reading is done
by patterns that the user gives.

Messages come from anybody on the internet. Whatever they hold, reading one is bounded in time, and nothing of it
leaves this module but the DI codes of campuses that the user named.
"""

from __future__ import annotations

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

# Patterns run over so many characters at most: a stranger's long message must not keep a triggerer busy.
_SUBJECT_CHARACTERS = 1_000
_BODY_CHARACTERS = 100_000


@dataclass(frozen=True, slots=True)
class Rules:
    """Which messages are notifications, and what they say.

    Attributes:
        senders: Addresses, or domains that stand for their subdomains as well, in lower case.
        subject: What the subject must hold.
        campuses: DI codes, each with the pattern that names it.
        match_body: Whether a campus may be named in the text of the message, besides the subject.
    """

    senders: tuple[str, ...]
    subject: re.Pattern[str]
    campuses: tuple[tuple[str, re.Pattern[str]], ...]
    match_body: bool = False

    def concern(self, header: bytes) -> bool:
        """Whether sender and subject are those of a notification; a header that makes no sense is none."""
        message = message_from_bytes(header)
        return self._is_from_sender(message) and bool(self.subject.search(_subject(message)))

    def campuses_in(self, message: bytes) -> tuple[str, ...]:
        """The DI codes of the campuses that a notification names; empty when no pattern knows it."""
        parsed = message_from_bytes(message)
        texts = [_subject(parsed)]
        if self.match_body:
            texts.append(_body(parsed))
        return tuple(code for code, pattern in self.campuses if any(pattern.search(text) for text in texts))

    def _is_from_sender(self, message: Message) -> bool:
        # Addresses are taken from the undecoded field: a decoded display name may look like an address.
        addresses = [address.lower() for _name, address in getaddresses([_raw(message, "from")])]
        return bool(addresses) and all(
            any(_belongs_to(address, sender) for sender in self.senders) for address in addresses
        )


def read_rules(
    *,
    sender: str = COLLEGE_BOARD,
    subject_pattern: str = "",
    campus_patterns: Mapping[str, str] | str | None = None,
    match_body: bool = False,
) -> Rules:
    """Understand the arguments of the sensor and its trigger.

    Args:
        sender: Addresses and domains, separated by commas.
        subject_pattern: A regular expression; empty for any subject.
        campus_patterns: A regular expression for each DI code, or the same as a JSON object.
        match_body: Whether the campus patterns may match the message's text as well.

    Raises:
        ConfigurationError: One of them makes no sense. The message names it.
    """
    from airflow_provider_apscores.webservice import FileOrder  # it knows what a DI code looks like

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
    )


def _belongs_to(address: str, sender: str) -> bool:
    if "@" in sender:
        return address == sender
    _local, at, domain = address.rpartition("@")
    return bool(at) and (domain == sender or domain.endswith("." + sender))


def _compiled(pattern: Any, name: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern, re.IGNORECASE)
    except (re.error, TypeError) as error:
        raise ConfigurationError(f"{name} is no regular expression: {error}.") from None


def _raw(message: Message, name: str) -> str:
    """The undecoded field *name*, or nothing. ``Message.get`` would guess at the charset of stray bytes."""
    return next((str(value) for key, value in message.raw_items() if key.lower() == name), "")


def _subject(message: Message) -> str:
    raw = _raw(message, "subject")
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
        return part.decode(charset or "utf-8", "replace")
    except (LookupError, ValueError):  # a charset that Python has not heard of
        return part.decode("utf-8", "replace")


def _flat(text: str, most: int) -> str:
    """*text* on one line, so that patterns need not care where a mail program folded it."""
    return " ".join(text.split())[:most]
