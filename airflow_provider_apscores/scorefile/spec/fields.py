"""The vocabulary for layouts: a field, a group that repeats, and a layout that proves itself when declared.

A layout is data. Each position is written once, as College Board writes it (columns count from 1), and
:class:`Layout` refuses a table with a gap, an overlap, a name used twice or a wrong length. A typing error then fails
at import and never shifts a score.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum


class Kind(Enum):
    """What the characters of a field mean."""

    TEXT = "text"
    CODE = "code"
    DATE = "date MMDDYY"
    YEAR = "year YY"
    SCORE = "score 1-5"
    FLAGS = "flags Y/N"
    FILLER = "filler"


@dataclass(frozen=True, slots=True)
class Field:
    """Where one value sits in a fixed-width student record.

    Attributes:
        name: The field's name, in snake_case.
        start: First column, counted from 1 as College Board's layout counts.
        width: Characters.
        kind: What the characters mean.
        end: The last column, counted from 1.
        span: The field as Python counts, for slicing a record.

    Raises:
        ValueError: When declared with *start* or *width* below 1. The layout is at fault, never a file.
    """

    name: str
    start: int
    width: int
    kind: Kind = Kind.TEXT
    end: int = field(init=False, repr=False, compare=False)
    span: slice = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.start < 1 or self.width < 1:
            raise ValueError(f"Field {self.name}: start and width count from 1, not {self.start} and {self.width}.")
        end = self.start + self.width - 1
        object.__setattr__(self, "end", end)
        object.__setattr__(self, "span", slice(self.start - 1, end))


@dataclass(frozen=True, slots=True)
class Group:
    """Fields that repeat without a gap: 30 exams, 6 awards.

    Attributes:
        name: What one slot holds.
        count: Slots.
        fields: The fields of the first slot; the others follow at its width.

    Raises:
        ValueError: When the fields of a slot leave a gap or overlap.
    """

    name: str
    count: int
    fields: tuple[Field, ...]

    def __post_init__(self) -> None:
        _prove_contiguous(f"Group {self.name}", self.fields, self.start)

    @property
    def start(self) -> int:
        """The first column of the first slot, counted from 1."""
        return self.fields[0].start

    @property
    def stride(self) -> int:
        """Characters of one slot."""
        return sum(each.width for each in self.fields)

    @property
    def span(self) -> slice:
        """All slots together as Python counts."""
        return slice(self.start - 1, self.start - 1 + self.count * self.stride)

    def field_name(self, name: str, slot: int) -> str:
        """The name of a field in slot *slot* (from 1): ``exam_code_01``, ``award_type_1``."""
        return f"{name}_{slot:0{len(str(self.count))}}"

    def slots(self) -> Iterator[Field]:
        """Every field of every slot, in the order of the record."""
        for slot in range(1, self.count + 1):
            for each in self.fields:
                yield Field(
                    self.field_name(each.name, slot), each.start + (slot - 1) * self.stride, each.width, each.kind
                )


@dataclass(frozen=True, eq=False)
class Layout:
    """A whole fixed-width record. Two layouts are the same when they are one object.

    Attributes:
        name: How people call it: its length.
        length: Characters of a record, without its line end.
        parts: Fields and groups in the order of the record.
        since: Year and month of the first reports that have it; None for the oldest layout.
        fields: Every field by name, groups spelled out, in the order of the record.
        slot_names: The names of those fields that belong to a group.
        answers: The fields that hold a run of Y and N. A single letter is none: it may be an initial.

    Raises:
        ValueError: When declared with a gap, an overlap, a name used twice, or another length than *length*.
    """

    name: str
    length: int
    parts: tuple[Field | Group, ...]
    since: tuple[int, int] | None = None
    fields: dict[str, Field] = field(init=False, repr=False, compare=False)
    slot_names: frozenset[str] = field(init=False, repr=False, compare=False)
    answers: tuple[Field, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        spelled = [each for part in self.parts for each in (part.slots() if isinstance(part, Group) else (part,))]
        end = _prove_contiguous(f"Layout {self.name}", spelled, 1)
        if end != self.length:
            raise ValueError(f"Layout {self.name}: its fields end at column {end}, not {self.length}.")
        by_name = {each.name: each for each in spelled}
        if len(by_name) != len(spelled):
            raise ValueError(f"Layout {self.name}: a name is used twice.")
        object.__setattr__(self, "fields", by_name)
        groups = [part for part in self.parts if isinstance(part, Group)]
        object.__setattr__(self, "slot_names", frozenset(each.name for group in groups for each in group.slots()))
        answers = tuple(each for each in spelled if each.kind is Kind.FLAGS and each.width > 1)
        object.__setattr__(self, "answers", answers)

    def in_use(self, *, year: int, month: int) -> bool:
        """Whether reports of a month had this layout, or a newer one. Of *year*, two digits, the nearest is meant."""
        if self.since is None:
            return True
        first_year, first_month = self.since
        return ((year - first_year + 50) % 100 - 50, month) >= (0, first_month)

    def group(self, name: str) -> Group:
        """The repeating group *name*."""
        return next(part for part in self.parts if isinstance(part, Group) and part.name == name)


def _prove_contiguous(what: str, fields: list[Field] | tuple[Field, ...], start: int) -> int:
    """Check that *fields* follow each other from *start* on, and return the last column."""
    for each in fields:
        if each.start != start:
            raise ValueError(f"{what}: {each.name} starts at column {each.start} where {start} is next.")
        start = each.end + 1
    return start - 1
