"""A score file that is looked at while it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_apscores.errors import ScoreFileError, ScoreFileMalformed

if TYPE_CHECKING:
    from airflow_provider_apscores.scorefile import Inspection
    from airflow_provider_apscores.storage import Part


class CheckedPart:
    """A sink for a download: what passes goes into a part and is inspected, in constant memory.

    Args:
        part: Where the bytes go.
        file_format: ``TXT`` or ``CSV``, as it was ordered.
        di_code: The campus whose records these must be.
    """

    def __init__(self, part: Part, file_format: str, di_code: str) -> None:
        self.part = part
        self._file_format = file_format
        self._di_code = di_code
        self._begin()

    def _begin(self) -> None:
        from airflow_provider_apscores.scorefile import Inspector

        self._inspector = Inspector(self._file_format, self._di_code)
        self._defect: ScoreFileError | None = None

    def write(self, data: bytes | memoryview, /) -> int:
        """Take the next bytes. Whatever is wrong with them is said by :meth:`inspect`, when the file is whole."""
        self.part.write(data)
        if self._defect is None:
            try:
                self._inspector.feed(bytes(data))
            except ScoreFileError as defect:
                self._defect = defect
        return len(data)

    def restart(self) -> None:
        """Forget what came; the transfer begins again."""
        self.part.restart()
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
