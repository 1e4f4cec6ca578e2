"""Names, towns and codes for the invented students.

Names are made of words that are not names; the towns and schools do not exist. The list of exams is separate from
:mod:`airflow_provider_apscores.scorefile`'s: a code that is added there must not change the students of a seed. A test
compares the two.
"""

from __future__ import annotations

NAME_BEGINNINGS = (
    "Quill", "Thistle", "Ember", "Lantern", "Saltmar", "Bramble", "Corriwen", "Fennimor", "Gallow", "Harrowin",
    "Inkerby", "Juniperan", "Kestrelin", "Lumber", "Mossing", "Nettlebar", "Oakens", "Pebblar", "Quaverin", "Rushmor",
    "Sparrowin", "Tamarind", "Umberlin", "Velvetan", "Wicker", "Yarrowby", "Zephyran", "Marblin", "Copperan",
)  # fmt: skip
NAME_ENDINGS = (
    "wick", "feather", "ton", "shaw", "mere", "low", "dottir", "stead", "quist", "ovic",
    "elli", "ez", "maki", "wara", "ski", "ford", "holt", "combe", "anza", "thorpe",
)  # fmt: skip
FIRST_NAMES = (
    "Zephyrine", "Tamsel", "Orrinda", "Quillon", "Bexley-Fay", "Marrowyn", "Isolwen", "Fenwicka", "Corvander",
    "Pellinor", "Saffronia", "Ottoline", "Thaddeon", "Verbenna", "Wystan", "Yolandine", "Kestry", "Briarly",
    "Ludomira", "D'Amarinth",
    "Aldermay", "Cosimela", "Drusillan", "Evanthel", "Galadry", "Hesperin", "Jessamond", "Leocadin", "Mirabelin",
)  # fmt: skip
STREETS = ("Lanternpost", "Quarrystone", "Thimblerow", "Marshgate", "Owlcote", "Pennywhistle", "Candlewax", "Inkwell")
STREET_TYPES = ("Lane", "Street", "Avenue", "Court", "Row", "Crescent")
TOWNS = (
    ("Nowherton", "ME", "00901"), ("Fablebury", "NJ", "07099"), ("Pretend Falls", "CT", "06099"),
    ("Makebelieve", "OH", "43999"), ("Imaginaria", "CA", "95999"), ("Port Fiction", "WA", "98999"),
    ("Lake Sample", "TX", "78999"), ("Old Example", "MA", "02099"),
)  # fmt: skip

#: Code, first year, last year (None: still offered), relative frequency.
EXAMS: tuple[tuple[str, int, int | None, int], ...] = (
    ("07", 1990, None, 12), ("10", 2024, None, 2), ("13", 1990, None, 2), ("14", 1990, None, 1), ("15", 1990, None, 2),
    ("16", 1990, None, 1), ("20", 1990, None, 7), ("22", 2014, None, 3), ("23", 2016, None, 2), ("25", 1990, None, 5),
    ("28", 2007, None, 1), ("31", 1990, None, 4), ("32", 2017, None, 7), ("34", 1990, None, 3), ("35", 1990, None, 5),
    ("36", 1990, None, 14), ("37", 1990, None, 10), ("40", 1998, None, 6), ("43", 1990, None, 3), ("48", 1990, None, 1),
    ("53", 2001, None, 8), ("55", 1990, None, 1), ("57", 1990, None, 9), ("58", 1990, None, 1), ("60", 1990, None, 1),
    ("62", 2006, None, 1), ("64", 2007, None, 1), ("65", 2024, None, 7), ("66", 1990, None, 8), ("68", 1990, None, 6),
    ("75", 1990, None, 2), ("78", 1990, 2014, 3), ("80", 1990, None, 3), ("82", 1990, None, 2), ("83", 2015, None, 5),
    ("84", 2015, None, 2), ("85", 1992, None, 9), ("87", 1990, None, 5), ("89", 1990, None, 1), ("90", 1997, None, 7),
    ("93", 2002, None, 9),
)  # fmt: skip
SUBSCORES = {"68": ("69",), "75": ("76", "77")}
DELAYED_CODES = ("03", "05", "12", "80", "88", "96")
PROJECTED_CODES = ("37", "38", "42", "44", "51", "57")
NOTED_CODES = ("20", "34", "39", "40", "66", "91")
#: Position in the race and ethnicity response, from 0, to the derived value. The first five are about ethnicity.
DERIVED_RACE_CODES = {5: "01", 6: "02", 7: "03", 8: "08", 9: "09", 10: "10"}
