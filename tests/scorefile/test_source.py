"""Where score files come from: paths, URIs, file objects, pipes, bytes; packed or not; with a digest that is known."""

import gzip
import hashlib
import io
import os
import threading
import traceback
from pathlib import Path

import pytest

from airflow_provider_apscores.errors import ConfigurationError, ScoreFileMalformed, StorageUnavailable
from airflow_provider_apscores.scorefile import read_score_file, write_tables
from airflow_provider_apscores.storage import LocalFolder
from tests.scorefile.students import csv_file, student, txt
from tests.scorefile.three_ways import ALL

MANY = txt([student(number) for number in range(400)])
SEVERAL_BLOCKS = txt([student(1)]) * 30_000


def test_every_kind_of_source(tmp_path):
    data = txt(ALL)
    expected = read_score_file(data).students
    path = tmp_path / "scores.bin"
    path.write_bytes(data)
    inside = io.BytesIO(b"something before" + data)
    inside.seek(16)
    for source in (path, str(path), f"file://{path}", io.BytesIO(data), inside, bytearray(data), memoryview(data)):
        file = read_score_file(source)
        assert file.students.equals(expected)
        assert file.students.equals(expected)
        assert file.size == len(data)


@pytest.mark.parametrize("content", [txt(ALL), txt(ALL[:1]).rstrip(), csv_file(ALL), csv_file(ALL).splitlines()[1]])
@pytest.mark.parametrize("form", [str, Path])
def test_content_given_as_text_is_refused_and_not_quoted(content, form):
    with pytest.raises(ConfigurationError, match="perhaps it is the content of a file") as raised:
        read_score_file(form(content.decode()))
    assert "RIVERA" not in "".join(traceback.format_exception(raised.value))


def test_a_signed_address_may_be_long():
    with pytest.raises(StorageUnavailable):
        read_score_file("http://127.0.0.1:9/scores.txt?X-Amz-Signature=" + "0" * 400)


def test_an_object_store():
    fsspec = pytest.importorskip("fsspec")
    with fsspec.open("memory://scores/in.csv", "wb") as file:
        file.write(csv_file(ALL))
    assert read_score_file("memory://scores/in.csv").students.num_rows == 3


def test_a_named_pipe_is_read_once(tmp_path):
    data = txt([student(number) for number in range(400)])
    os.mkfifo(tmp_path / "scores")
    thread = threading.Thread(target=(tmp_path / "scores").write_bytes, args=(data,))
    thread.start()
    with read_score_file(tmp_path / "scores") as file:
        assert file.students.num_rows == 400
        assert file.exam_scores.num_rows == 800
    thread.join()


def test_a_pipe_is_read_once():
    reading, writing = os.pipe()
    data = txt([student(number) for number in range(400)])

    def fill():
        with os.fdopen(writing, "wb") as file:
            file.write(data)

    thread = threading.Thread(target=fill)
    thread.start()
    with os.fdopen(reading, "rb") as pipe:
        file = read_score_file(pipe)
        assert file.students.num_rows == 400
        assert file.exam_scores.num_rows == 800
    thread.join()


@pytest.mark.parametrize("make", [txt, csv_file])
def test_gzip_is_unpacked_on_the_way(make):
    packed = gzip.compress(make(ALL))
    file = read_score_file(packed)
    plain = read_score_file(make(ALL))
    assert file.students.drop_columns(["file_sha256"]).equals(plain.students.drop_columns(["file_sha256"]))
    assert (file.size, file.sha256 != plain.sha256) == (len(packed), True)


@pytest.mark.parametrize("damage", [lambda data: data[:-20], lambda data: data[:50] + b"x" * 9 + data[59:]])
def test_a_damaged_gzip_file(damage):
    packed = gzip.compress(txt([student(number, last_name=f"N{number * 7919}") for number in range(50)]))
    with pytest.raises(ScoreFileMalformed, match="gzip"):
        list(read_score_file(damage(packed)).batches())


def test_a_gzip_bomb_ends_early():
    with pytest.raises(ScoreFileMalformed):
        list(read_score_file(gzip.compress(txt(ALL) + b"x" * 50_000_000)).batches())


@pytest.mark.parametrize("damage", [lambda data: data[:-20], lambda data: data[:50] + b"x" * 9 + data[59:]])
def test_a_file_object_may_unpack_on_its_own(damage):
    packed = gzip.compress(txt(ALL))
    with gzip.open(io.BytesIO(packed)) as file:
        assert read_score_file(file).students.num_rows == 3
    with gzip.open(io.BytesIO(damage(packed))) as file, pytest.raises(ScoreFileMalformed, match="gzip"):
        read_score_file(file)


class Failing(io.BytesIO):
    """A file object of a store that stops working."""

    def __init__(self, data, works_until, error):
        super().__init__(data)
        self._works_until, self._error = works_until, error

    def read(self, size=-1, /):
        if self.tell() >= self._works_until:
            raise self._error
        return super().read(size)


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("works_until", [0, 1000])
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError("no"), "Can't read the score file: Permission denied"),
        (OSError(5, "Input/output error"), "Can't read the score file: Input/output error"),
        (RuntimeError("GET https://store.example/x?X-Amz-Signature=c0ffee"), "Can't read the score file: RuntimeError"),
    ],
)
def test_what_a_store_raises_becomes_one_error_without_its_text(error, said, works_until, known):
    sha256 = hashlib.sha256(MANY).hexdigest() if known else None
    with pytest.raises(StorageUnavailable, match=said) as raised:
        _ = read_score_file(Failing(MANY, works_until, error), sha256=sha256).students
    assert "c0ffee" not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("place", ["file object", "object store", "path"])
def test_passes_do_not_disturb_each_other(place, packed, known, tmp_path):
    """
    Who asks for a count in a loop over the batches reads the file twice at a time.
    """
    fsspec = pytest.importorskip("fsspec")
    data = gzip.compress(SEVERAL_BLOCKS) if packed else SEVERAL_BLOCKS
    source = io.BytesIO(b"before" + data)
    source.seek(6)
    if place == "object store":
        source = "memory://passes/scores.txt"
        with fsspec.open(source, "wb") as file:
            file.write(data)
    elif place == "path":
        source = tmp_path / "scores.txt"
        source.write_bytes(data)
    file = read_score_file(source, sha256=hashlib.sha256(data).hexdigest() if known else None)
    seen = []
    for batch in file.batches():
        seen += batch.students["record_number"].to_pylist()
        if len(seen) < 20_000:
            assert file.records == 30_000
    assert seen == list(range(1, 30_001))


def test_a_file_that_is_still_written_is_not_read_as_if_it_were_whole(tmp_path):
    """
    Its rows would carry the digest of other bytes.
    """
    path = tmp_path / "scores.txt"
    path.write_bytes(SEVERAL_BLOCKS)
    with path.open("ab") as writer:
        batches = read_score_file(path).batches()
        next(batches)
        writer.write(txt([student(2)]))
        writer.flush()
        with pytest.raises(StorageUnavailable, match="changed while it was read"):
            list(batches)


def test_a_file_object_is_copied_when_it_is_opened(tmp_path):
    path = tmp_path / "scores.txt"
    path.write_bytes(MANY)
    with path.open("rb") as opened:
        file = read_score_file(opened)
        path.write_bytes(b"")
    assert file.students.num_rows == 400
    with pytest.raises(ConfigurationError, match="The file object is closed"):
        read_score_file(opened)


def test_a_copy_that_does_not_fit_is_one_clear_error(mocker):
    mocker.patch("airflow_provider_apscores.storage.temporary.TemporaryFile", side_effect=OSError(28, "No space left"))
    with pytest.raises(StorageUnavailable, match="worker's temporary folder: No space left"):
        read_score_file(io.BytesIO(MANY))


# -- a digest that is known --------------------------------------------------------------------------------------------


class FromWebServer(io.BytesIO):
    """As fsspec opens a file on a web server without ranges: it says that it can seek."""

    def seek(self, offset, whence=0, /):
        if (offset, whence) == (self.tell(), 0):
            return offset
        raise ValueError("Cannot seek streaming HTTP file")


def test_a_remote_file_that_can_not_go_back_is_read_once():
    fsspec = pytest.importorskip("fsspec")
    from fsspec.implementations.memory import MemoryFileSystem

    class WebServer(MemoryFileSystem):
        protocol = ("webserver",)

        def _open(self, path, mode="rb", **options):
            return FromWebServer(MANY)

    fsspec.register_implementation("webserver", WebServer, clobber=True)
    for sha256 in (None, hashlib.sha256(MANY).hexdigest()):
        assert read_score_file("webserver://scores.txt", sha256=sha256).students.num_rows == 400


class Counting(io.BytesIO):
    """A file object that counts what is read of it."""

    count = 0

    def read(self, size=-1, /):
        piece = super().read(size)
        self.count += len(piece)
        return piece


def at_path(data, tmp_path):
    (tmp_path / "scores.txt").write_bytes(data)
    return tmp_path / "scores.txt"


def in_store(data, tmp_path):
    fsspec = pytest.importorskip("fsspec")
    with fsspec.open("memory://known/scores.txt", "wb") as file:
        file.write(data)
    return "memory://known/scores.txt"


def in_pipe(data, tmp_path):
    os.mkfifo(tmp_path / "scores")
    threading.Thread(target=(tmp_path / "scores").write_bytes, args=(data,)).start()
    return tmp_path / "scores"


SOURCES = [lambda data, _: data, lambda data, _: io.BytesIO(data), at_path, in_store, in_pipe]


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lambda data: gzip.compress(data) + b"\0" * 512])
@pytest.mark.parametrize("source", SOURCES, ids=["bytes", "file object", "path", "object store", "pipe"])
def test_a_known_digest_is_compared_when_the_end_is_reached(source, pack, tmp_path):
    data = pack(MANY)
    sha256 = hashlib.sha256(data).hexdigest()
    with read_score_file(source(data, tmp_path), sha256=sha256) as file:
        assert file.students.equals(read_score_file(data).students)
        assert (file.sha256, file.size, file.records) == (sha256, len(data), 400)

    (tmp_path / "again").mkdir()
    with pytest.raises(ScoreFileMalformed, match=f"not the expected one: .* not {'0' * 12}"):
        _ = read_score_file(source(data, tmp_path / "again"), sha256="0" * 64).students


def test_a_file_with_a_known_digest_is_read_once_less(tmp_path, mocker):
    """
    One more time for the dates, since none of these tells their order.
    """
    path = at_path(MANY, tmp_path)
    sha256 = hashlib.sha256(MANY).hexdigest()
    for known, times in ((None, 3), (sha256, 2)):
        opened = []

        def open_counting(folder, name, opened=opened):
            opened.append(Counting((folder.path / name).read_bytes()))
            return opened[-1]

        mocker.patch.object(LocalFolder, "open", open_counting)
        assert sum(batch.students.num_rows for batch in read_score_file(path, sha256=known).batches()) == 400
        assert times <= sum(each.count for each in opened) / len(MANY) < times + 0.2


@pytest.mark.parametrize("known", [False, True])
def test_a_store_is_asked_once_for_every_byte_and_its_file_is_closed(known):
    fsspec = pytest.importorskip("fsspec")
    from fsspec.implementations.memory import MemoryFileSystem

    opened = []

    class CountingStore(MemoryFileSystem):
        protocol = ("counting",)

        def _open(self, path, mode="rb", **options):
            opened.append(Counting(SEVERAL_BLOCKS))
            return opened[-1]

    fsspec.register_implementation("counting", CountingStore, clobber=True)
    sha256 = hashlib.sha256(SEVERAL_BLOCKS).hexdigest() if known else None
    with read_score_file("counting://scores.txt", sha256=sha256) as file:
        assert sum(batch.students.num_rows for batch in file.batches()) == 30_000
    [store] = opened
    assert store.closed
    assert store.count == len(SEVERAL_BLOCKS)


def test_the_size_is_that_of_what_is_read():
    inside = io.BytesIO(b"something before" + MANY)
    inside.seek(16)
    assert read_score_file(inside, sha256=hashlib.sha256(MANY).hexdigest()).size == len(MANY)


def test_nothing_is_published_of_a_file_that_is_another_one(tmp_path):
    sha256 = hashlib.sha256(MANY).hexdigest()
    changed = MANY.replace(b"25665", b"25661", 1)
    assert write_tables(MANY, tmp_path / "one", sha256=sha256).sha256 == sha256
    with pytest.raises(ScoreFileMalformed, match="It was changed, or cut in transit"):
        write_tables(changed, tmp_path / "other", sha256=sha256)
    assert [path for path in Path(tmp_path / "other").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("sha256", ["", "0" * 63, "A" * 64, "g" * 64])
def test_what_is_no_digest_is_refused(sha256):
    with pytest.raises(ConfigurationError, match="sha256 is a digest"):
        read_score_file(MANY, sha256=sha256)
