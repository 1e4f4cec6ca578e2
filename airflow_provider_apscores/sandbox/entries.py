"""The entries of the sandbox's state: campuses, generated files, calls, and the audit for tests."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Campus:
    """An invented campus and its reports at the start.

    Attributes:
        di_code: Four digits.
        name: Of the college, up to 30 characters in its records.
        reports: Issued in this reporting year.
        earlier: Issued before this reporting year: in ``new``, not in ``full``.
    """

    di_code: str
    name: str
    reports: int = 0
    earlier: int = 0

    def __post_init__(self) -> None:
        if not (len(self.di_code) == 4 and self.di_code.isascii() and self.di_code.isdigit()):
            raise ValueError(f"A DI code has four digits, not {self.di_code!r}.")
        if self.reports < 0 or self.earlier < 0:
            raise ValueError("The number of reports must be at least 0.")


@dataclass(frozen=True, slots=True)
class Generation:
    """One generated file.

    Attributes:
        download_id: As text; the reply may contain it as a number.
        account: E-mail address.
        di_code: The campus.
        file_format: ``TXT`` or ``CSV``.
        download_type: ``new`` or ``full``.
        start: Reports of the campus's stream before the file's first.
        end: Reports of the stream up to and including the file's last; *record* moves the cursor here.
        file_name: As observed: two files of one minute have the same name.
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
        number: From 1, in order of arrival.
        kind: ``login``, ``order``, ``download``, ``record``, or ``redirected`` for a request that followed a redirect.
        di_code: The campus, or None where the call names none.
        status: HTTP status of the reply; 0 when the connection was dropped instead.
        success: The ``success`` of the reply, or for a download whether all bytes were sent.
        download_id: The generation that the call was about, or None.
        fault: The fault that was injected, or None.
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
    """The state at one moment, for tests: plain data, the same in Python and as JSON.

    Attributes:
        issued: Report ids of each campus, in order.
        generated: By download id: ``account``, ``di_code``, ``file_format``, ``download_type``, ``file_name``,
            ``reports`` (ids in the file), ``sent`` (how often all its bytes were sent), ``recorded``.
        recorded: Download ids in the order in which they were first recorded.
        cursors: By account and campus, the number of recorded reports.
        calls: How many calls of each kind arrived.
        calls_by_campus: The same for each campus; a login belongs to none.
        effects: How many calls of each kind took effect, whether or not the reply arrived: a token issued, a file
            generated, a file sent completely, a download recorded.
        leaks: The secret headers and fields that followed a redirect to another host, by name.
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
        """All issued reports."""
        return {report for reports in self.issued.values() for report in reports}

    @property
    def recorded_reports(self) -> set[str]:
        """The reports in recorded files."""
        return {report for download_id in self.recorded for report in self.generated[download_id]["reports"]}

    @property
    def recorded_but_never_sent(self) -> list[str]:
        """Downloads that were recorded although their file was never sent completely: ``new`` no longer sends them."""
        return [download_id for download_id in self.recorded if not self.generated[download_id]["sent"]]

    def passed_reports(self, account: str) -> set[str]:
        """Return the reports that ``new`` no longer sends to *account*."""
        cursors = self.cursors.get(account, {})
        return {report for di_code, reports in self.issued.items() for report in reports[: cursors.get(di_code, 0)]}

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)
