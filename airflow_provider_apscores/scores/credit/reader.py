"""Read a credit policy from a CSV that people edit in a spreadsheet, and name every defect with its line.

Spreadsheets drop leading zeros and write dates in the local order. What has one meaning is understood; the rest is a
defect.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.scores.credit.checks import Finding, Row, check_together
from airflow_provider_apscores.scores.credit.policy import Policy, Requirement, Rule, policy_of
from airflow_provider_apscores.scores.credit.spreadsheet import spreadsheet_rows
from airflow_provider_apscores.storage import locate


@dataclass(frozen=True, slots=True)
class CheckedPolicy:
    """What reading a policy gave.

    Attributes:
        uri: Where it is.
        policy: The policy, or None when there are defects.
        defects: What must be corrected, by line.
        warnings: What is understood but worth a look, by line.
    """

    uri: str
    policy: Policy | None
    defects: tuple[Finding, ...]
    warnings: tuple[Finding, ...]

    def without_defects(self) -> Policy:
        """Return the policy.

        Raises:
            ConfigurationError: It has defects. All are in the message, with their lines.
        """
        if self.policy is None:
            count = f"{len(self.defects)} defect{'s' if len(self.defects) != 1 else ''}"
            lines = "\n".join(f"  {each}" for each in self.defects)
            raise ConfigurationError(f"The credit policy {self.uri} has {count}. Nothing was evaluated.\n{lines}")
        return self.policy


@dataclass(slots=True)
class _Findings:
    defects: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)


def read_policy(source: Any) -> Policy:
    """Read a credit policy.

    Args:
        source: The CSV: a local path, a URI or a path object.

    Raises:
        ConfigurationError: It has defects: all are in the message, with their lines. Or it is no credit policy.
        StorageUnavailable: It can't be read now.
    """
    return check_policy(source).without_defects()


def check_policy(source: Any) -> CheckedPolicy:
    """Read a credit policy and return what is wrong with it, instead of raising.

    Args:
        source: As for :func:`read_policy`.

    Raises:
        ConfigurationError: It is no credit policy at all. The message quotes nothing of it.
        StorageUnavailable: It can't be read now.
    """
    place, name = locate(source)
    uri = place.uri(name)
    lines = list(spreadsheet_rows(source, "credit policy", ("rule", "exam_code")))
    if "ap_id" in lines[0][1]:
        raise ConfigurationError(f"{uri} has the column ap_id: it holds scores. Give the policy, which has rules.")
    found = _Findings()
    rows = list(_rows(lines, found))
    defects, warnings = check_together(rows)
    defects = sorted({*found.defects, *defects})
    policy = None if defects else policy_of(row.rule for row in rows)
    return CheckedPolicy(uri, policy, tuple(defects), tuple(sorted({*found.warnings, *warnings})))


def _rows(lines: list[tuple[int, list[str]]], found: _Findings) -> Iterator[Row]:
    header_line, header = lines[0]
    while header and not header[-1]:
        header = header[:-1]
    for place, name in enumerate(header):
        if name not in COLUMNS:
            found.defects.append(
                Finding(header_line, name, f"unknown column. The columns are {', '.join(COLUMNS)}.")
                if name
                else Finding(header_line, "", f"column {place + 1} has no name.")
            )
        elif name in header[:place]:
            found.defects.append(Finding(header_line, name, "the column is there twice."))
    if len(lines) == 1:
        found.defects.append(Finding(header_line, "", "there is no rule below the column names."))
    for line, cells in lines[1:]:
        if not cells:
            found.defects.append(Finding(line, "", "a quotation mark is not closed, or stands inside a cell."))
        elif any(cells[len(header) :]):
            found.defects.append(
                Finding(
                    line, "", f"{len(cells)} cells below {len(header)} columns. Quote a cell that has the separator."
                )
            )
        else:
            yield _row(line, dict(zip(header, cells, strict=False)), found)


def _row(line: int, cells: dict[str, str], found: _Findings) -> Row:
    values: dict[str, Any] = {}
    unread = set()
    for column, read in COLUMNS.items():
        text = cells.get(column, "")
        try:
            if text:
                values["name" if column == "rule" else column] = read(text)
            elif column in ("rule", "exam_code"):
                raise ValueError("is blank.")
        except ValueError as error:
            unread.add(column)
            shown = f"{text[:40]!r} " if text else ""
            found.defects.append(Finding(line, column, f"{shown}{error}"))
        if column.startswith("entry_") and _AMERICAN.fullmatch(text) and column not in unread:
            day = values[column]
            found.warnings.append(
                Finding(line, column, f"{text!r} is read month first, as {day:%B} {day.day}, {day.year}. Write {day}.")
            )
    rule = Rule(**{"name": "", "exam_code": "", **values})
    if not cells.get("score_min") and not rule.asks_for:
        found.warnings.append(Finding(line, "score_min", "is blank: a score of 1 is enough. Write 1 if that is meant."))
    return Row(line, rule, frozenset(unread))


# One function a column: text that is not blank to a value, or ValueError with the rest of a sentence about the text.


def _name(text: str) -> str:
    if ";" in text:
        raise ValueError("has a semicolon, which separates rules in replaces.")
    return text


def _code(text: str) -> str:
    found = re.fullmatch(r"(\d{1,2})(\.0+)?", text)
    if not found:
        raise ValueError("is no exam code. Write two digits, such as 07.")
    return found[1].zfill(2)


def _year(text: str) -> int:
    found = re.fullmatch(r"((?:19|20)\d\d)(\.0+)?", text)
    if not found:
        raise ValueError("is no year of four digits.")
    return int(found[1])


_AMERICAN = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")


def _day(text: str) -> date:
    try:
        if found := _AMERICAN.fullmatch(text):
            return date(int(found[3]), int(found[1]), int(found[2]))
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise ValueError("is no date. Write year, month and day, such as 2026-08-24.")


def _score(text: str) -> int:
    found = re.fullmatch(r"([1-5])(\.0+)?", text)
    if not found:
        raise ValueError("is no score. Scores are 1 to 5.")
    return int(found[1])


def _credits(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or not 0 <= value < 1000 or value != round(value, 3):
        raise ValueError("is no number of credits. Write a number such as 3 or 2.67, with a point, at most 3 decimals.")
    return value.normalize() + 0


def _requirements(text: str) -> tuple[Requirement, ...]:
    parts = [re.fullmatch(r"(\d{1,2})\s*(?:>=|≥)\s*([1-5])", part) for part in _listed(text)]
    found = [Requirement(part[1].zfill(2), int(part[2])) for part in parts if part]
    if len(found) != len(parts):
        raise ValueError("is no list of exams. Write exam code, >= and the lowest score: 82>=4; 80>=4.")
    return tuple(sorted(set(found), key=str))


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(";") if part.strip()]


def _rules(text: str) -> tuple[str, ...]:
    return tuple(sorted(set(_listed(text))))


def _award(text: str) -> str:
    if not all(part.strip() for part in re.split(r"[+|]", text)):
        raise ValueError("has a + or | without a course on both sides.")
    return re.sub(r"\s*([+|])\s*", r" \1 ", text)


#: What each column holds, in the order of the documentation.
COLUMNS: dict[str, Callable[[str], Any]] = {
    "rule": _name,
    "exam_code": _code,
    "exam_year_from": _year,
    "exam_year_to": _year,
    "entry_from": _day,
    "entry_to": _day,
    "score_min": _score,
    "score_max": _score,
    "also_requires": _requirements,
    "award": _award,
    "credits": _credits,
    "replaces": _rules,
    "cap_group": str,
    "cap_credits": _credits,
    "review": str,
    "note": str,
}
