"""What the codes in score files mean: exams by year, irregularities, awards, race and ethnicity.

Data with its origin and years. A code that is not here is never an error: it stays in the tables as it is, its
title is null, and one ``unknown_code`` problem says so.

Source, where a line names no other: College Board's datafile layout (2023 edition) and its college pages of 2024.
"""

from __future__ import annotations

from dataclasses import dataclass

_COLLEGE_BOARD = "College Board datafile layout 2023, or its college page of 2024"
_PUBLIC_LOADER = "seen in a public loader's table; last year not confirmed"
_NATIONAL_LOADER = "seen in a national loader since July 2026 (pilot exams of 2025-26)"


@dataclass(frozen=True, slots=True)
class Exam:
    """The title of an exam code in some years.

    Attributes:
        code: Two digits, as in the file.
        title: College Board's name for it, without "AP".
        first_year: First administration (four digits) with this title, or None when not known to begin.
        last_year: Last administration with this title, or None when it goes on.
        subscore_of: The exam code that this is a subscore of, or None for an exam of its own.
        source: Where this line comes from.
    """

    code: str
    title: str
    first_year: int | None = None
    last_year: int | None = None
    subscore_of: str | None = None
    source: str = _COLLEGE_BOARD


@dataclass(frozen=True, slots=True)
class Irregularity:
    """What an irregularity code does to a score.

    Attributes:
        code: Two digits, as in the file.
        effect: One of :data:`EFFECTS`.
        detail: More words, or "".
    """

    code: str
    effect: str
    detail: str


#: Sorted by code. Codes 14, 15, 16 and 93 change their title with the administration of 2020.
EXAMS: tuple[Exam, ...] = (
    Exam("07", "United States History"),
    Exam("10", "African American Studies", first_year=2024),
    Exam("13", "Art History"),
    Exam("14", "Studio Art: Drawing", last_year=2019),
    Exam("14", "Drawing", first_year=2020),
    Exam("15", "Studio Art: 2-D Design", last_year=2019),
    Exam("15", "2-D Art and Design", first_year=2020),
    Exam("16", "Studio Art: 3-D Design", last_year=2019),
    Exam("16", "3-D Art and Design", first_year=2020),
    Exam("20", "Biology"),
    Exam("22", "Seminar"),
    Exam("23", "Research", first_year=2016),
    Exam("25", "Chemistry"),
    Exam("28", "Chinese Language and Culture"),
    Exam("31", "Computer Science A"),
    Exam("32", "Computer Science Principles", first_year=2017),
    Exam("33", "Computer Science AB", last_year=2010),
    Exam("34", "Microeconomics"),
    Exam("35", "Macroeconomics"),
    Exam("36", "English Language and Composition"),
    Exam("37", "English Literature and Composition"),
    Exam("40", "Environmental Science"),
    Exam("43", "European History"),
    Exam("48", "French Language and Culture"),
    Exam("51", "French Literature", last_year=2010),
    Exam("53", "Human Geography"),
    Exam("55", "German Language and Culture"),
    Exam("57", "United States Government and Politics"),
    Exam("58", "Comparative Government and Politics"),
    Exam("59", "International English Language", last_year=2013, source=_PUBLIC_LOADER),
    Exam("60", "Latin"),
    Exam("61", "Latin Literature", last_year=2010),
    Exam("62", "Italian Language and Culture"),
    Exam("64", "Japanese Language and Culture"),
    Exam("65", "Precalculus", first_year=2024),
    Exam("66", "Calculus AB"),
    Exam("68", "Calculus BC"),
    Exam("69", "Calculus BC: AB Subscore", subscore_of="68"),
    Exam("70", "Networking", first_year=2026, source=_NATIONAL_LOADER),
    Exam("71", "Cybersecurity", first_year=2026, source=_NATIONAL_LOADER),
    Exam("75", "Music Theory"),
    Exam("76", "Music Theory: Aural Subscore", subscore_of="75"),
    Exam("77", "Music Theory: Non-Aural Subscore", subscore_of="75"),
    Exam("78", "Physics B", last_year=2014),
    Exam("80", "Physics C: Mechanics"),
    Exam("82", "Physics C: Electricity and Magnetism"),
    Exam("83", "Physics 1", first_year=2015),
    Exam("84", "Physics 2", first_year=2015),
    Exam("85", "Psychology"),
    Exam("87", "Spanish Language and Culture"),
    Exam("89", "Spanish Literature and Culture"),
    Exam("90", "Statistics"),
    Exam("93", "World History", last_year=2019),
    Exam("93", "World History: Modern", first_year=2020),
)

#: Effects on a score, the strongest first: of two codes on one exam, the stronger decides. "noted" leaves it alone.
EFFECTS = ("canceled", "withheld", "unavailable", "pending", "delayed", "projected", "noted")

#: Codes of scores that are delayed, without another word: "score to follow".
_FOLLOWING = "02 03 05 08 09 10 12 13 14 15 18 80 81 82 83 84 85 86 88 89 90 93 97"

#: The 2023 edition, and others where a line names them. A score with 01 or 06 is open: it may come in a later report.
_OTHERS = (
    Irregularity(
        "01",
        "delayed",
        "not yet available; the student will be contacted (2025 layout; the 2023 one says not available)",
    ),
    Irregularity("04", "canceled", "student's choice among options"),
    Irregularity("06", "delayed", "score to follow (2025 layout; the 2023 one says no score)"),
    Irregularity("07", "pending", "student has options to answer"),
    Irregularity("11", "unavailable", "not available (a public pipeline, 2025)"),
    Irregularity("16", "unavailable", "makeup requested, not taken"),
    Irregularity("17", "canceled", "makeup requested, not taken"),
    Irregularity("19", "canceled", ""),
    Irregularity("20", "noted", "undertimed 5 minutes or less"),
    Irregularity("34", "noted", "distraction during exam"),
    Irregularity("37", "projected", "portion lost"),
    Irregularity("38", "projected", "media not scorable"),
    Irregularity("39", "noted", "exam started late"),
    Irregularity("40", "noted", "undertimed more than 5 minutes"),
    Irregularity("42", "projected", "portion not scorable"),
    Irregularity("44", "projected", "from multiple-choice section"),
    Irregularity("51", "projected", "from free-response section"),
    Irregularity("57", "projected", "from both sections"),
    Irregularity("66", "noted", "overtimed more than 5 minutes"),
    Irregularity("78", "projected", "from 75 % of the exam (2019 layout)"),
    Irregularity("79", "projected", "from 80 % of the exam (2019 and 2020 layouts)"),
    Irregularity("87", "canceled", "portion of exam missing"),
    Irregularity("91", "noted", "one or more performance tasks not scored"),
    Irregularity("92", "canceled", ""),
    Irregularity("94", "canceled", "at the student's request"),
    Irregularity("95", "canceled", "second exam not authorized"),
    Irregularity("96", "delayed", "not yet available"),
    Irregularity("98", "withheld", "from this college at the student's request"),
)

#: Sorted by code.
IRREGULARITIES: tuple[Irregularity, ...] = tuple(
    sorted(
        (*_OTHERS, *(Irregularity(code, "delayed", "score to follow") for code in _FOLLOWING.split())),
        key=lambda each: each.code,
    )
)

#: Award type and its title.
AWARDS: dict[str, str] = {
    "01": "AP Scholar",
    "02": "AP Scholar with Honor",
    "03": "AP Scholar with Distinction",
    "04": "State AP Scholar",
    "05": "National AP Scholar",
    "06": "National AP Scholar (Canada)",
    "07": "AP International Diploma",
    "08": "DoDEA AP Scholar",
    "09": "International AP Scholar",
    "12": "National AP Scholar (Bermuda)",
    "13": "AP Capstone Diploma",
    "14": "AP Seminar and Research Certificate",
}

#: Meaning of each letter (Y or N) of ``race_ethnicity_response``, in order.
RACE_ETHNICITY_RESPONSE: tuple[str, ...] = (
    "cuban",
    "mexican",
    "puerto_rican",
    "other_hispanic_or_latino",
    "non_hispanic_or_latino",
    "american_indian_or_alaska_native",
    "asian",
    "black_or_african_american",
    "native_hawaiian_or_other_pacific_islander",
    "white",
    "other",
)

#: ``race_ethnicity_derived`` without leading zeros, and its title.
RACE_ETHNICITY_DERIVED: dict[str, str] = {
    "0": "No response",
    "1": "American Indian/Alaska Native",
    "2": "Asian",
    "3": "Black/African American",
    "4": "Hispanic/Latino",
    "8": "Native Hawaiian or Other Pacific Islander",
    "9": "White",
    "10": "Other",
    "12": "Two or more races, non-Hispanic",
}


def exam_for(code: str, year: int | None) -> Exam | None:
    """The exam that *code* meant in *year* (four digits), or None when the table does not know.

    Without a year, a code with one line in the table is still understood: only its time is unknown.
    """
    lines = [exam for exam in EXAMS if exam.code == code]
    if year is None:
        return lines[0] if len(lines) == 1 else None
    for exam in lines:
        if (exam.first_year or year) <= year <= (exam.last_year or year):
            return exam
    return None
