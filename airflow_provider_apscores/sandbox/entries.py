"""What stands in the books: campuses, generated files, calls, and the audit that tests read."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Campus:
    """An invented campus and the reports that wait for it at the start.

    Attributes:
        di_code: Four digits.
        name: Of the college, up to 30 characters in its records.
        reports: Issued in this reporting year.
        earlier: Issued before this reporting year began: in ``new``, not in ``full``.
    """

    di_code: str
    name: str
    reports: int = 0
    earlier: int = 0

    def __post_init__(self) -> None:
        if not (len(self.di_code) == 4 and self.di_code.isascii() and self.di_code.isdigit()):
            raise ValueError(f"A DI code has four digits; {self.di_code!r} is none.")
        if self.reports < 0 or self.earlier < 0:
            raise ValueError("A campus can't have fewer than no reports.")


@dataclass(frozen=True, slots=True)
class Generation:
    """One generated file.

    Attributes:
        download_id: As text; the answer may show it as a number.
        account: E-mail address.
        di_code: The campus.
        file_format: ``TXT`` or ``CSV``.
        download_type: ``new`` or ``full``.
        start: Reports of the campus's stream before the file's first.
        end: Reports of the stream up to and with the file's last; where *record* moves the cursor.
        file_name: As seen in the field: two files of one minute share it.
    """

    download_id: str
    account: str
    di_code: str
    file_format: str
    download_type: str
    start: int
    end: int
    file_name: str


@dataclass(frozen=True, slots=True)
class Call:
    """One call that arrived.

    Attributes:
        number: From 1, in order of arrival at the books.
        kind: ``login``, ``order``, ``download``, ``record``, or ``redirected`` for what followed a redirect.
        di_code: The campus, or None where the call names none.
        status: HTTP status of the answer; 0 when the connection was dropped instead.
        success: The answer's ``success``, or for a download whether all bytes were sent.
        download_id: The generation that it was about, or None.
        fault: The fault that was played, or None.
    """

    number: int
    kind: str
    di_code: str | None
    status: int
    success: bool
    download_id: str | None = None
    fault: str | None = None


@dataclass(slots=True)
class Audit:
    """The books at one moment, for tests: plain data, the same in Python and as JSON.

    Attributes:
        issued: Report ids of each campus, in order.
        generated: By download id: ``account``, ``di_code``, ``file_format``, ``download_type``, ``file_name``,
            ``reports`` (ids in the file), ``sent`` (how often all its bytes were sent), ``recorded``.
        recorded: Download ids in the order in which they were first recorded.
        cursors: By account and campus, how many reports *record* has passed.
        calls: How many calls of each kind arrived.
        calls_by_campus: The same for each campus; a login belongs to none.
        effects: How many calls of each kind did what they ask for, whether or not the answer arrived: a token given,
            a file generated, a file sent whole, a download recorded.
        leaks: What arrived at another host after a redirect, by the names of the headers and fields.
    """

    issued: dict[str, list[str]] = field(default_factory=dict)
    generated: dict[str, dict[str, Any]] = field(default_factory=dict)
    recorded: list[str] = field(default_factory=list)
    cursors: dict[str, dict[str, int]] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    calls_by_campus: dict[str, dict[str, int]] = field(default_factory=dict)
    effects: dict[str, int] = field(default_factory=dict)
    leaks: list[str] = field(default_factory=list)

    @property
    def all_reports(self) -> set[str]:
        """Every report that was ever issued."""
        return {report for reports in self.issued.values() for report in reports}

    @property
    def recorded_reports(self) -> set[str]:
        """The reports in files that were recorded."""
        return {report for download_id in self.recorded for report in self.generated[download_id]["reports"]}

    @property
    def recorded_but_never_sent(self) -> list[str]:
        """Downloads recorded although their file was never sent whole: each one is lost to ``new``."""
        return [download_id for download_id in self.recorded if not self.generated[download_id]["sent"]]

    def passed_reports(self, account: str) -> set[str]:
        """The reports that ``new`` will never send to *account* again."""
        cursors = self.cursors.get(account, {})
        return {report for di_code, reports in self.issued.items() for report in reports[: cursors.get(di_code, 0)]}

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)
