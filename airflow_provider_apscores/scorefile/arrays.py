"""Arrow arrays built from buffers.

``pa.array()`` imports pandas where that is installed, which costs a second; and most columns here exist as bytes
already.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    offsets = np.zeros(len(values) + 1, np.int32)
    np.cumsum([len(each) for each in encoded], out=offsets[1:])
    valid = None
    if None in values:
        valid = bitmap(np.array([value is not None for value in values], bool))
    return pa.StringArray.from_buffers(len(values), pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded)), valid)


def fixed_strings(matrix: Bytes) -> pa.StringArray:
    """A column of trimmed text, blank as null, from bytes of shape (rows, width): ASCII, padded with blanks."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    rows, width = matrix.shape
    offsets = np.arange(0, (rows + 1) * width, width, dtype=np.int32)[: rows + 1]
    values = pa.py_buffer(np.ascontiguousarray(matrix))
    untrimmed = pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), values)
    return null_where_empty(pc.ascii_trim(untrimmed, " ") if width > 1 else _drop_blank_bytes(matrix, rows))


def _drop_blank_bytes(matrix: Bytes, rows: int) -> pa.StringArray:
    """Trimming, for a single character a row."""
    import numpy as np
    import pyarrow as pa

    column = np.ascontiguousarray(matrix[:, 0])
    filled = column != 32
    offsets = np.zeros(rows + 1, np.int32)
    np.cumsum(filled, out=offsets[1:])
    return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(column[filled]))


def null_where_empty(column: pa.StringArray) -> pa.StringArray:
    """The column with null for empty text."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if column.null_count:
        column = pc.fill_null(column, "")
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


def encoded(indices: np.ndarray[Any, Any], words: Sequence[str]) -> pa.DictionaryArray:
    """Text from a short list: *indices* into *words*; below zero is null."""
    import pyarrow as pa

    kind = pa.from_numpy_dtype(indices.dtype)
    return pa.DictionaryArray.from_arrays(numbers(indices, indices >= 0, kind), strings(words))


def constant(rows: int, word: str) -> pa.DictionaryArray:
    """The same text in every row."""
    import numpy as np

    return encoded(np.zeros(rows, np.int8), [word])


def text_parts(column: pa.StringArray) -> tuple[Any, Bytes]:
    """The offsets (rows + 1) and the bytes of a column of text."""
    import numpy as np

    _, starts, values = column.buffers()
    offsets = np.frombuffer(starts, np.int32)[column.offset : column.offset + len(column) + 1]
    return offsets, np.frombuffer(values, np.uint8) if values is not None else np.zeros(0, np.uint8)
