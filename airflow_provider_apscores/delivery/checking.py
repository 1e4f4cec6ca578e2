"""A score file that is looked at while it is written."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any, Protocol

from airflow_provider_apscores.errors import ScoreFileError, ScoreFileMalformed, StorageUnavailable

if TYPE_CHECKING:
    from airflow_provider_apscores.scorefile import Inspection


class Sheet(Protocol):
    """What can be written and begun again: a part of a folder, for instance."""

    def write(self, data: bytes | memoryview, /) -> Any:
        """Append bytes."""

    def restart(self) -> None:
        """Throw away what was written."""


class CheckedFile:
    """A sink for a download: what passes is written and inspected, in constant memory.

    Args:
        sheet: Where the bytes go.
        file_format: ``TXT`` or ``CSV``, as it was ordered.
        di_code: The campus whose records these must be.
    """

    def __init__(self, sheet: Sheet, file_format: str, di_code: str) -> None:
        self._sheet = sheet
        self._file_format = file_format
        self._di_code = di_code
        self._begin()

    def _begin(self) -> None:
        from airflow_provider_apscores.scorefile import Inspector

        self._inspector = Inspector(self._file_format, self._di_code)
        self._defect: ScoreFileError | None = None

    def write(self, data: bytes | memoryview, /) -> int:
        """Take the next bytes. Whatever is wrong with them is said by :meth:`inspect`, when the file is whole."""
        self._sheet.write(data)
        if self._defect is None:
            try:
                self._inspector.feed(bytes(data))
            except ScoreFileError as defect:
                self._defect = defect
        return len(data)

    def restart(self) -> None:
        """Forget what came; the transfer begins again."""
        self._sheet.restart()
        self._begin()

    def inspect(self, *, at_least: int = 0) -> Inspection:
        """Say what the whole file is.

        Args:
            at_least: Fewer student records than this are a defect.

        Raises:
            WrongCampusInFile: It holds another campus's records.
            ScoreFileMalformed: Its records are not whole, or too few.
        """
        if self._defect is not None:
            raise self._defect
        inspection = self._inspector.finish()
        if inspection.records < at_least:
            raise ScoreFileMalformed(
                f"The file holds {inspection.records} student records; expect_min_records asks for {at_least} at least."
            )
        return inspection


class TemporarySheet:
    """A temporary file of the worker as something to write on."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, data: bytes | memoryview, /) -> int:
        """Append bytes.

        Raises:
            StorageUnavailable: They can't be written.
        """
        try:
            return self._file.write(data)
        except OSError as error:
            raise StorageUnavailable(f"Can't use the worker's temporary folder: {error.strerror}.") from error

    def restart(self) -> None:
        """Throw away what was written."""
        self._file.seek(0)
        self._file.truncate()
