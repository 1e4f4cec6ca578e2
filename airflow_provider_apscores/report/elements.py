"""HTML elements, and times in words. All text is escaped here."""

from __future__ import annotations

from datetime import datetime, timedelta
from html import escape


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def element(name: str, *content: str, **attributes: object) -> Html:
    """Return an HTML element.

    Args:
        name: Its name.
        content: Its children. What is not :class:`Html` is text, and is escaped.
        attributes: Its attributes: ``class_`` is ``class`` and ``aria_label`` is ``aria-label``. None leaves one out.
    """
    text = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{text}>{join(*content)}</{name}>")


def join(*content: str) -> Html:
    """Return several pieces of content as one."""
    return Html("".join(each if isinstance(each, Html) else escape(each) for each in content))


def number(value: int | None) -> str:
    """Return a number with separators, or a dash."""
    return "–" if value is None else f"{value:,}"


def plural(count: int, word: str, words: str = "") -> str:
    """Return a count and its word: ``1 record``, ``2 records``."""
    return f"{count:,} {word if count == 1 else words or word + 's'}"


def day(moment: datetime) -> str:
    """Return a day: ``5 Jul 2026``."""
    return f"{moment.day} {moment:%b %Y}"


def time(moment: datetime, text: str | None = None) -> Html:
    """Return a moment that a program can read too."""
    stamp = f"{day(moment)}, {moment:%H:%M} UTC"
    return element("time", text or stamp, datetime=f"{moment:%Y-%m-%dT%H:%M:%SZ}", title=stamp if text else None)


def ago(moment: datetime, now: datetime) -> Html:
    """Return how long ago a moment was, or how far ahead it is."""
    distance = now - moment
    text = duration(abs(distance))
    if text == "less than a minute":
        text = "now"
    elif distance > timedelta(0):
        text = f"{text} ago"
    else:
        text = f"in {text}"
    return time(moment, text)


def duration(span: timedelta) -> str:
    """Return a duration in its largest unit."""
    minutes = int(span.total_seconds() // 60)
    if minutes < 1:
        return "less than a minute"
    if minutes < 60:
        return plural(minutes, "minute")
    if minutes < 48 * 60:
        return plural(minutes // 60, "hour")
    return plural(minutes // (24 * 60), "day")
