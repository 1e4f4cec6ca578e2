"""A score file that is checked while it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_apscores.errors import ScoreFileError, ScoreFileMalformed

if TYPE_CHECKING:
    from airflow_provider_apscores.scorefile import Inspection
    from airflow_provider_apscores.storage import WritableFile


class CheckedFile:
    """A sink for a download: writes the bytes and inspects them in the same pass, in constant memory.

    Args:
        target: Where the bytes go.
        file_format: ``TXT`` or ``CSV``, as it was ordered.
        di_code: The campus that all records must belong to.
    """

    def __init__(self, target: WritableFile, file_format: str, di_code: str) -> None:
        self._target = target
        self._file_format = file_format
        self._di_code = di_code
        self._begin()

    def _begin(self) -> None:
        from airflow_provider_apscores.scorefile import Inspector

        self._inspector = Inspector(self._file_format, self._di_code)

    def write(self, data: bytes | memoryview, /) -> int:
        """Take the next bytes.

        Raises:
            ScoreFileError: The first defect that condemns the file: no further bytes are needed.
            StorageUnavailable: The bytes can't be written.
        """
        self._target.write(data)
        try:
            self._inspector.feed(bytes(data))
        except ScoreFileError as defect:
            raise self._refused(defect) from None
        return len(data)

    def restart(self) -> None:
        """Forget all bytes: the transfer begins again."""
        self._target.truncate(0)
        self._begin()

    def inspect(self, *, at_least: int = 0) -> Inspection:
        """Check the file as a whole.

        Args:
            at_least: Fewer student records than this are a defect.

        Raises:
            WrongCampusInFile: It has records of another campus.
            ScoreFileMalformed: Its records are not whole, or too few.
        """
        try:
            inspection = self._inspector.finish()
            if inspection.records < at_least:
                raise ScoreFileMalformed(
                    f"The file has {inspection.records} student records; expect_min_records asks for at least "
                    f"{at_least}."
                )
        except ScoreFileError as defect:
            raise self._refused(defect) from None
        return inspection

    def _refused(self, defect: ScoreFileError) -> ScoreFileError:
        """The error to raise for *defect*."""
        return defect
