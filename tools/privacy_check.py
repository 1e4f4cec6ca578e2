"""Search the results of ``make demo`` for secrets and personal data in places where they must not be.

It searches the temporary Airflow home byte by byte (the metadata database with its XComs and rendered fields, all logs)
and the manifests. It searches for the account's password in all its forms, for tokens and signed addresses, and for the
AP ID, names, street and birth date of every invented student in the score files.

It prints the kind and place of each match, never the value. It fails if there is nothing to search or to search for.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import sys
import urllib.parse
from collections.abc import Iterable, Iterator
from pathlib import Path

DEMO = Path(__file__).resolve().parents[1] / ".demo"

#: Patterns of signed addresses and tokens: the query in both forms, the sandbox's tokens (64 characters with lower
#: case, upper case and digits, so that no digest matches; and without a time: in a database file, a task's name and the
#: time of its run adjoin), and their JSON key.
SIGNS = {
    "the query of a signed address": rb"[?&](?:Signature|Key-Pair-Id|X-Amz-Signature|X-Amz-Credential)=",
    "a token": (
        rb"(?<![\w-])(?=[\w-]*?[a-z])(?=[\w-]*?[A-Z])(?=[\w-]*?[0-9])(?![\w-]*?20\d\d-\d\d-\d\dT)[\w-]{64}(?![\w-])"
    ),
    "a token's key": rb"authToken\W{1,5}[\w-]{16,}",
}

#: Identifying columns of the students table. Initials, states and grades would match everywhere.
PERSONAL = ("ap_id", "last_name", "first_name", "street_1", "birth_date")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--demo", type=Path, default=DEMO, help="the folder of the demo (default: .demo)")
    demo = parser.parse_args(arguments).demo
    needles = {"the password": forms_of_secret(password_of(demo / "sandbox" / "output.txt"))}
    needles |= personal_values(demo.glob("data/files/*/*/scores-*.txt"))
    haystack = [path for path in demo.glob("airflow/**/*") if path.is_file()]
    haystack += demo.glob("data/files/*/*/*.manifest.json")
    if not haystack or not all(needles.get(name) for name in ("the password", *PERSONAL)):
        print("There is nothing to check. Run make demo first.", file=sys.stderr)
        return 2

    found = list(search(haystack, needles))
    for path, what, count in found:
        print(f"FOUND {what}, {count} times, in {path.relative_to(demo)}")
    size = sum(path.stat().st_size for path in haystack) / 1e6
    values = sum(len(values) for values in needles.values())
    print(
        f"Searched {len(haystack)} files ({size:.1f} MB) for {values} values and {len(SIGNS)} patterns of secrets: "
        f"{'NOT CLEAN' if found else 'none found'}."
    )
    return 1 if found else 0


def search(haystack: Iterable[Path], needles: dict[str, set[bytes]]) -> Iterator[tuple[Path, str, int]]:
    """Yield each file that contains one of *needles* or a pattern, with its name and count."""
    patterns = {name: re.compile(pattern) for name, pattern in SIGNS.items()}
    for name, values in needles.items():
        # Longest first, so that each match counts once; bounded, so that no hash matches an AP ID by chance.
        alternatives = b"|".join(re.escape(value) for value in sorted(values, key=len, reverse=True))
        patterns[name] = re.compile(rb"(?<![0-9A-Za-z])(?:" + alternatives + rb")(?![0-9A-Za-z])", re.IGNORECASE)
    for path in haystack:
        content = path.read_bytes()
        for name, pattern in patterns.items():
            if count := len(pattern.findall(content)):
                yield path, name, count


def password_of(output: Path) -> str:
    """Return the password that the sandbox printed."""
    found = re.search(r"^\s*password\s+(.+)$", output.read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else ""


def forms_of_secret(secret: str) -> set[bytes]:
    """Return a secret in the forms that it can have in a log, a URL, JSON or a header."""
    if not secret:
        return set()
    raw = secret.encode()
    forms = {
        raw,
        secret.encode("latin-1", "replace"),
        json.dumps(secret)[1:-1].encode(),
        repr(raw)[2:-1].encode(),
        urllib.parse.quote(secret, safe="").encode(),
        urllib.parse.quote_plus(secret).encode(),
        base64.b64encode(raw),
        base64.b64encode(raw).rstrip(b"="),
        base64.urlsafe_b64encode(raw),
        urllib.parse.quote(base64.b64encode(raw), safe="").encode(),
    }
    return {form for form in forms if form}


def personal_values(score_files: Iterable[Path]) -> dict[str, set[bytes]]:
    """Return the identifying values of the students in *score_files*, by column."""
    from airflow_provider_apscores.scorefile import read_score_file

    values: dict[str, set[bytes]] = {name: set() for name in PERSONAL}
    for path in score_files:
        students = read_score_file(path).students
        for name in PERSONAL:
            for value in students.column(name).to_pylist():
                if value is not None:
                    values[name].add(str(value).encode())
                    values[name].add(json.dumps(str(value))[1:-1].encode())
    return values


if __name__ == "__main__":
    sys.exit(main())
