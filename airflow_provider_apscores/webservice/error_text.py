"""Reading a service's words, and quoting them without giving anything away.

What College Board writes into ``message`` is meant for debugging, and its exact texts are mostly unknown. So these
are guesses by keyword, all in one place, and whatever is quoted is scrubbed first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

#: Longest quotation in one of our messages.
QUOTE_LIMIT = 300

HIDDEN = "•••"

#: Observed: "There were no score orders found": nothing new for the campus, which is no error. Close relatives of
#: these words are taken for the same.
_NOTHING_NEW = re.compile(r"\bno\s+(new\s+)?score\s+(orders|reports)\s+((were|are)\s+)?(found|available)\b", re.I)

#: The four documented causes of a refusal "at login or later".
_ACCOUNT = re.compile(
    r"\bmfa\b|multi-?\s?factor|two-?factor|terms (of|and)|site terms|\bterms\b.*\baccept|\bpassword|\bcredential|"
    r"\brole\b|account (is |has been |was )?(locked|disabled|suspended)",
    re.I,
)
_CAMPUS = re.compile(r"\bcampus|\binstitution|\borgani[sz]ation|\bdi\s?code|\bdi\b|\bcollege code", re.I)

#: Open: how the end of a token is told other than by 401. Both orders of words are taken for it.
_TOKEN = re.compile(
    r"(token|session)\b.*\b(expired|invalid|not valid|missing|required|unknown|timed out|no longer|not be verified)|"
    r"\b(expired|invalid|missing|unknown|no valid)\b.*(token|session)\b|\bnot (logged in|authenticated)\b|"
    r"\b(please )?(log|sign) ?in( again)?\b",
    re.I | re.S,
)
#: Words that may be about a token or about something else: worth one new login.
_PERHAPS_TOKEN = re.compile(
    r"unauthori[sz]ed|not authori[sz]ed|authori[sz]ation|authenticat|access denied|forbidden|permission", re.I
)
#: Open: how trouble that passes is told other than by a status of 5xx.
_PASSING = re.compile(
    r"try (it |this )?again|temporar|unavailable|maintenance|time[d -]?\s?out|internal (server )?error|in progress|"
    r"\bbusy\b|overload|\berror (has )?occurred",
    re.I,
)
#: Open: what a second record of the same download is answered.
_ALREADY = re.compile(r"\balready\b.{0,40}\b(recorded|downloaded|marked|processed|complete)", re.I | re.S)

_URL_QUERY = re.compile(r"(\w+://[^\s?#\"'<>]*)[?#][^\s\"'<>]*")
_USERINFO = re.compile(r"(\w+://)[^\s/@\"'<>]+@")
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+")
_LONG_RUN = re.compile(r"[A-Za-z0-9+/_=-]{32,}|\b\d{7,}\b")


def says_nothing_new(message: str) -> bool:
    """Whether the campus simply has no new reports."""
    return bool(_NOTHING_NEW.search(message))


def speaks_of_account(message: str) -> bool:
    """Whether the account is at fault: password, MFA, site terms or role."""
    return bool(_ACCOUNT.search(message))


def speaks_of_campus(message: str) -> bool:
    """Whether the campus is at fault."""
    return bool(_CAMPUS.search(message))


def speaks_of_token(message: str) -> bool:
    """Whether the token is at fault, and a new login may help."""
    return bool(_TOKEN.search(message)) and not speaks_of_account(message)


def may_speak_of_token(message: str) -> bool:
    """Whether a new login is worth a try: the words may be about the token, and are about nothing else."""
    perhaps = speaks_of_token(message) or bool(_PERHAPS_TOKEN.search(message))
    return perhaps and not speaks_of_account(message) and not speaks_of_campus(message)


def speaks_of_passing_trouble(message: str) -> bool:
    """Whether the same call may be answered otherwise soon."""
    return bool(_PASSING.search(message)) and not speaks_of_account(message) and not speaks_of_campus(message)


def says_already_recorded(message: str) -> bool:
    """Whether what should be recorded is recorded."""
    return bool(_ALREADY.search(message))


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """One short line of *text* that is fit for logs and messages.

    Args:
        text: Somebody else's words.
        secrets: Values that must not appear, in whatever form: password, Base64, token, signed URLs.

    Returns:
        The text without secrets, queries of URLs, e-mail addresses and anything that looks like a token or the
        number of a person; at most 300 characters.
    """
    forms = {form for secret in secrets for form in (secret, quote(secret), quote(secret, safe="")) if len(form) > 2}
    text = _without(forms, text)
    text = _URL_QUERY.sub(rf"\1?{HIDDEN}", text)
    text = _USERINFO.sub(rf"\1{HIDDEN}@", text)
    text = _EMAIL.sub(HIDDEN, text)
    text = _LONG_RUN.sub(HIDDEN, text)
    text = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    text = _without(forms, text)  # again, for what only now looks like a secret
    return text if len(text) <= QUOTE_LIMIT else text[: QUOTE_LIMIT - 1] + "…"


def _without(forms: Iterable[str], text: str) -> str:
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, HIDDEN)
    return text
