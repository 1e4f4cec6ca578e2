"""Arrow arrays built from buffers.

``pa.array()`` imports pandas where that is installed, which costs a second, and so do Arrow's functions when they are
given plain Python values; and most columns here exist as bytes already.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    Bytes = np.ndarray[Any, np.dtype[np.uint8]]


def strings(values: Sequence[str | None]) -> pa.StringArray:
    """A column of text; None as null."""
    import numpy as np
    import pyarrow as pa

    encoded = [b"" if value is None else value.encode() for value in values]
    offsets = np.fromiter(accumulate(map(len, encoded), initial=0), np.int32, len(values) + 1)
    valid = None
    if None in values:
        valid = bitmap(np.array([value is not None for value in values], bool))
    return pa.StringArray.from_buffers(len(values), pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded)), valid)


def string_scalar(text: str) -> pa.StringScalar:
    """A single text, as Arrow's functions take it."""
    return strings([text])[0]


def fixed_strings(matrix: Bytes, *, trim: bool = True) -> pa.StringArray:
    """A column of text, blank as null, from bytes of shape (rows, width): ASCII, padded with blanks.

    Args:
        matrix: The bytes, contiguous.
        trim: Whether a value may begin or end with a blank.
    """
    import pyarrow.compute as pc

    column = _untrimmed(matrix)
    return null_where_empty(pc.ascii_trim(column, " ")) if trim else column


def repeated_strings(matrix: Bytes) -> pa.DictionaryArray:
    """Like :func:`fixed_strings`, dictionary-encoded: for few words in many rows. Each word is trimmed once."""
    import numpy as np
    import pyarrow as pa

    rows, width = matrix.shape
    values = pa.Array.from_buffers(pa.binary(width), rows, [None, pa.py_buffer(matrix)]).dictionary_encode()
    letters = np.frombuffer(values.dictionary.buffers()[1], np.uint8, len(values.dictionary) * width)
    words = fixed_strings(letters.reshape(-1, width))
    if words.null_count or (letters[::width] == 32).any():
        # A dictionary has no null, and no word twice, as " A" and "A " would be.
        return fixed_strings(matrix).dictionary_encode()
    return pa.DictionaryArray.from_arrays(values.indices, words, safe=False)


def _untrimmed(matrix: Bytes) -> pa.StringArray:
    import numpy as np
    import pyarrow as pa

    rows, width = matrix.shape
    offsets = np.arange(rows + 1, dtype=np.int32) * np.int32(width)
    return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(matrix))


def null_where_empty(column: pa.StringArray) -> pa.StringArray:
    """The column with null for empty text."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if column.null_count:
        column = pc.fill_null(column, string_scalar(""))
    offsets = np.frombuffer(column.buffers()[1], np.int32)[column.offset : column.offset + len(column) + 1]
    filled = offsets[1:] != offsets[:-1]
    if filled.all():
        return column
    _, starts, values = column.buffers()
    shifted = starts.slice(column.offset * 4, (len(column) + 1) * 4)
    return pa.StringArray.from_buffers(len(column), shifted, values, bitmap(filled))


def numbers(values: np.ndarray[Any, Any], valid: np.ndarray[Any, np.dtype[np.bool_]] | None, kind: Any) -> pa.Array:
    """A column of numbers, dates or booleans (given as bytes 0 and 1); null where not *valid*."""
    import numpy as np
    import pyarrow as pa

    data = bitmap(values) if kind == pa.bool_() else pa.py_buffer(np.ascontiguousarray(values))
    mask = None if valid is None or valid.all() else bitmap(valid)
    return pa.Array.from_buffers(kind, len(values), [mask, data])


def bitmap(flags: np.ndarray[Any, Any]) -> pa.Buffer:
    """Bits as Arrow wants them, the first in the lowest bit."""
    import numpy as np
    import pyarrow as pa

    return pa.py_buffer(np.packbits(flags, bitorder="little"))


def encoded(indices: np.ndarray[Any, Any], words: Sequence[str | None]) -> pa.DictionaryArray:
    """Text from a short list, dictionary-encoded.

    Args:
        indices: The word of each row; -1 is null.
        words: The list. It may have a word twice. Null is None or "".
    """
    import numpy as np
    import pyarrow as pa

    different = list(dict.fromkeys(word for word in words if word))
    if len(different) < len(words):
        place = {word: at for at, word in enumerate(different)}
        # The last one is for -1.
        indices = np.array([*(place.get(word or "", -1) for word in words), -1], np.int32)[indices]
    indices = indices.astype(np.int32, copy=False)
    return pa.DictionaryArray.from_arrays(numbers(indices, indices >= 0, pa.int32()), strings(different), safe=False)


def constant(rows: int, word: str) -> pa.DictionaryArray:
    """The same text in every row."""
    import numpy as np

    return encoded(np.zeros(rows, np.int32), [word])


def word_indices(column: pa.DictionaryArray) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Which word of its dictionary each row has; -1 for null."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    indices = column.indices
    if indices.null_count:
        indices = pc.fill_null(indices, numbers(np.array([-1], np.int32), None, pa.int32())[0])
    return np.frombuffer(indices.buffers()[1], np.int32)[indices.offset : indices.offset + len(indices)]


def replaced(column: pa.StringArray, patches: Sequence[tuple[int, str | None]]) -> pa.StringArray:
    """*column* with some values replaced: (row, text or None)."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    mask = np.zeros(len(column), bool)
    mask[[row for row, _ in patches]] = True
    replacements = strings([value for _, value in sorted(patches, key=lambda patch: patch[0])])
    return pc.replace_with_mask(column, numbers(mask, None, pa.bool_()), replacements)


def cast_to_schema(rows: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The same rows in exactly the types of *schema*, dictionaries written out."""
    import pyarrow as pa

    columns = [
        column if column.type == field.type else column.cast(field.type)
        for column, field in zip(rows.columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
