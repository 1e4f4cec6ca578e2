"""A holder for passwords, tokens and signed URLs that shows nothing.

Error trackers record the local variables of every frame of a traceback. They call ``repr`` on them, and look into
lists, tuples and dicts. So a secret is wrapped where it enters this package, stays wrapped in every variable, and is
revealed inside the expression that needs it.
"""

from __future__ import annotations


class Secret:
    """A text that ``repr``, ``str`` and ``vars`` do not show. Equal to another secret with the same text.

    Args:
        value: The text. A secret stays the same secret.
    """

    __slots__ = ("_value",)

    _value: str

    def __init__(self, value: str | Secret) -> None:
        self._value = value._value if isinstance(value, Secret) else value

    def reveal(self) -> str:
        """The text itself. Do not assign it to a variable."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return "<secret>"
