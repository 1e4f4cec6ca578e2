"""What the words of the service mean, and which of them an error may quote.

College Board writes ``message`` for debugging, and most of its texts are not published. The meaning is therefore
guessed from keywords, all of them in this file. An error quotes known words only: see :func:`excerpt`.
"""

from __future__ import annotations

import re

#: Longest quotation in an error, in characters.
QUOTE_LIMIT = 200

#: Stands for what is not quoted.
HIDDEN = "…"

#: Observed: "There were no score orders found": nothing new for the campus, which is no error. Similar words count too.
_NOTHING_NEW = re.compile(r"\bno\s+(new\s+)?score\s+(orders|reports)\s+((were|are)\s+)?(found|available)\b", re.I)

#: The four documented causes of a refusal "at login or later".
_ACCOUNT = re.compile(
    r"\bmfa\b|multi-?\s?factor|two-?factor|terms (of|and)|site terms|\bterms\b.*\baccept|\bpassword|\bcredential|"
    r"\brole\b|account (is |has been |was )?(locked|disabled|suspended)",
    re.I,
)
#: An answer to a login that says so is final, whatever its status. "Something went wrong" is not about the login.
_LOGIN_REFUSED = re.compile(
    r"\b(locked|disabled|deactivated|inactive|not active|suspended|blocked|revoked|expired|incorrect)\b|"
    r"(?<!went )\bwrong\b|\bmfa\b|(multi|two)[- ]?factor|\bterms\b|\brole\b|\b(denied|not authori[sz]ed|mismatch)\b|"
    r"\bfailed (log-?in|sign-?in|password) attempts|"
    r"\b(invalid|bad|unknown)\b.{0,20}\b(user|e-?mail|password|credential|log-?in|account)|"
    r"\b(user|e-?mail|password|credential|log-?in|account)\w*\b.{0,20}\b(invalid|unknown|not (found|valid|match))",
    re.I | re.S,
)
_CAMPUS = re.compile(r"\bcampus|\binstitution|\borgani[sz]ation|\bdi\s?code|\bdi\b|\bcollege code", re.I)

#: Open: how the end of a token is reported other than by 401. The words may come in either order.
_TOKEN = re.compile(
    r"(token|session)\b.*\b(expired|invalid|not valid|missing|required|unknown|timed out|no longer|not be verified)|"
    r"\b(expired|invalid|missing|unknown|no valid)\b.*(token|session)\b|\bnot (logged in|authenticated)\b|"
    r"\b(please )?(log|sign) ?in( again)?\b",
    re.I | re.S,
)
#: Words about a token or about something else: worth one new login.
_PERHAPS_TOKEN = re.compile(
    r"unauthori[sz]ed|not authori[sz]ed|authori[sz]ation|authenticat|access denied|forbidden|permission", re.I
)
#: Open: how a temporary failure is reported other than by a status of 5xx.
_TEMPORARY = re.compile(
    r"try (it |this )?again|temporar|unavailable|maintenance|time[d -]?\s?out|internal (server )?error|in progress|"
    r"\bbusy\b|overload|\berror (has )?occurred",
    re.I,
)
#: Open: the answer to a second record of the same download.
_ALREADY = re.compile(r"\balready\b.{0,40}\b(recorded|downloaded|marked|processed|complete)", re.I | re.S)

#: The words that an error may quote. Words that are also common names (may, mark, page, will) are left out.
_QUOTABLE = frozenset(
    """
    a about accept accepted accepting access account accounts action activated active administrator after again all
    allowed already an and another any api are argument as ask associated at attempt attempts authenticate
    authenticated authentication authorization authorize authorized authtoken available back bad be because been
    before blocked body busy but by call campus campuses can canceled cannot changed check client code codes college
    complete completed condition conditions connection contact contains content correct could credential credentials
    current currently data database date deactivated declined denied details di dicode did disabled do does done
    download downloaded downloadid downloads due duplicate email empty enable enabled endpoint enter error errors
    exceeded exist exists expired expires factor failed failure fault few file files for forbidden format found from
    gateway generate generated generating generation given had has have id identifier if in inactive incorrect
    information institution institutions internal invalid is it its known later latest limit lock locked log logged
    login logon maintenance make malformed many marked match maximum mfa minute minutes missing moment more multi
    multifactor must name need needed new no none not nothing now number occurred of off on once one only operation
    or order orders organisation organization other out overloaded parameter parameters password passwords
    permission permissions please portal possible privileges problem process processed processing progress provided
    quota rate reached read ready reason received record recorded records refused registered rejected renew report
    reports request requested requests required reset resource response result retry role roles scheduled score
    scores seconds security server service session sign signed site slow something specified submit submitted
    success support suspended system temporarily temporary term terms that the their them then there these they this
    time timed timeout times to token tokens too try trying two type unable unauthorized unavailable under
    unexpected unknown unprocessable unsupported until up url use used user username users valid validate validation
    value verified verify wait was web went were when which with without wrong yet you your
    """.split()  # noqa: SIM905
)
_WORD = re.compile(r"[\"'(]*(?P<word>[A-Za-z]+([-/][A-Za-z]+)*)[.,;:!?\"')]*")


def says_nothing_new(message: str) -> bool:
    """Whether the campus simply has no new reports."""
    return bool(_NOTHING_NEW.search(message))


def says_login_refused(message: str) -> bool:
    """Whether the answer to a login says that the account is locked, disabled or expired, or the password wrong."""
    # Codes count as well: ACCOUNT_LOCKED, passwordExpired.
    return bool(_LOGIN_REFUSED.search(re.sub(r"_|(?<=[a-z])(?=[A-Z])", " ", message)))


def mentions_account(message: str) -> bool:
    """Whether the account is at fault: password, MFA, site terms or role."""
    return bool(_ACCOUNT.search(message))


def mentions_campus(message: str) -> bool:
    """Whether the campus is at fault."""
    return bool(_CAMPUS.search(message))


def mentions_token(message: str) -> bool:
    """Whether the token is at fault, and a new login may help."""
    return bool(_TOKEN.search(message)) and not mentions_account(message)


def may_mention_token(message: str) -> bool:
    """Whether a new login is worth a try: the words may be about the token, and are about nothing else."""
    perhaps = mentions_token(message) or bool(_PERHAPS_TOKEN.search(message))
    return perhaps and not mentions_account(message) and not mentions_campus(message)


def says_temporary(message: str) -> bool:
    """Whether the same call may be answered otherwise soon."""
    return bool(_TEMPORARY.search(message)) and not mentions_account(message) and not mentions_campus(message)


def says_already_recorded(message: str) -> bool:
    """Whether the download is recorded already."""
    return bool(_ALREADY.search(message))


def excerpt(message: str) -> str:
    """The known words of *message*, fit for logs and errors.

    Everything else becomes "…": numbers, addresses, names, tokens, control characters, words that are not in the list
    of this file. So nothing needs to know the secrets in order to hide them.

    Returns:
        One line of at most 200 characters; empty when no word is known.
    """
    kept = [chunk if _is_quotable(chunk) else HIDDEN for chunk in message[: 10 * QUOTE_LIMIT].split()]
    words = [chunk for place, chunk in enumerate(kept) if chunk != HIDDEN or kept[place - 1 : place] != [HIDDEN]]
    if words in ([], [HIDDEN]):
        return ""
    quoted = " ".join(words)
    return quoted if len(quoted) <= QUOTE_LIMIT else quoted[: QUOTE_LIMIT - 1].rpartition(" ")[0] + HIDDEN


def _is_quotable(chunk: str) -> bool:
    found = _WORD.fullmatch(chunk)
    return found is not None and all(part in _QUOTABLE for part in re.split("[-/]", found["word"].lower()))
