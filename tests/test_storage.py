"""Files appear completely or not at all: the same cases on a local disk, in memory, and on S3 and SFTP servers."""

from __future__ import annotations

import io
import os
import stat
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from pytest_mock import MockerFixture

from airflow_provider_apscores.errors import ConfigurationError, StorageUnavailable
from airflow_provider_apscores.storage import Folder, RemoteFolder, SpoolFile, Staging, folder, locate
from airflow_provider_apscores.storage.base import is_part, redacted_uri
from tests.s3_server import s3_server
from tests.sftp_server import sftp_server


@pytest.fixture(scope="module")
def s3() -> Iterator[fsspec.AbstractFileSystem]:
    with s3_server() as server:
        yield server.store()


@pytest.fixture(scope="module")
def sftp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[fsspec.AbstractFileSystem]:
    pytest.importorskip("paramiko")
    with sftp_server(tmp_path_factory.mktemp("sftp")) as port:
        yield fsspec.filesystem(
            "sftp", host="127.0.0.1", port=port, username="u", password="p", skip_instance_cache=True
        )


@pytest.fixture(params=["local", "memory", "s3", "sftp"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    name = uuid.uuid4().hex
    match request.param:
        case "local":
            return folder(tmp_path / "scores")
        case "memory":
            return folder(f"memory://bucket-{name}/scores")
        case "s3":
            return RemoteFolder(request.getfixturevalue("s3"), f"scores/{name}", f"s3://scores/{name}")
        case _:
            return RemoteFolder(request.getfixturevalue("sftp"), f"/{name}", f"sftp://host/{name}")


def read(place: Folder, name: str) -> bytes:
    with place.open(name) as file:
        return file.read()


def test_a_part_is_invisible_until_it_is_published(place: Folder):
    part = place.open_part("4866/scores.txt")
    part.write(b"half")

    before = place.child("4866").names(), place.size("4866/scores.txt")
    part.write(b" and half")
    uri = part.publish()

    assert before == ([], None)
    assert place.child("4866").names() == ["scores.txt"]
    assert read(place, "4866/scores.txt") == b"half and half"
    assert place.size("4866/scores.txt") == 13
    assert uri == place.uri("4866/scores.txt")


def test_a_part_may_be_published_under_another_name(place: Folder):
    part = place.open_part("incoming")
    part.write(b"x")
    part.publish("quarantine/4866/x.txt")

    assert place.names() == ["quarantine"]
    assert read(place, "quarantine/4866/x.txt") == b"x"


def test_a_truncated_part_begins_again(place: Folder):
    part = place.open_part("scores.txt")
    part.write(b"broken trans")
    part.truncate(0)
    part.write(b"whole")
    part.publish()

    assert read(place, "scores.txt") == b"whole"


def test_a_discarded_part_leaves_nothing(place: Folder):
    part = place.open_part("scores.txt")
    part.write(b"x")
    part.discard()
    part.discard()

    assert (place.names(), place.parts()) == ([], [])


def test_discarding_a_published_part_keeps_the_file(place: Folder):
    part = place.open_part("scores.txt")
    part.write(b"x")
    part.publish()
    part.discard()

    assert read(place, "scores.txt") == b"x"


def test_a_file_is_read_whole_or_piece_by_piece(place: Folder):
    content = b"0123456789" * 150_000
    part = place.open_part("scores.txt")
    part.write(content)
    part.publish()

    assert (place.read("scores.txt"), place.read("nothing.txt")) == (content, None)
    pieces = list(place.chunks("scores.txt"))
    assert (len(pieces), b"".join(pieces)) == (2, content)


def test_a_small_file_is_stored_in_one_call(place: Folder):
    assert place.write("4866/mark", b"x") == place.uri("4866/mark")
    assert place.read("4866/mark") == b"x"


class Torn(MemoryFileSystem):
    """A store that breaks off while it is read, in words that hold a signed address."""

    protocol = "torn"

    def cat_file(self, path: str, **_: object) -> bytes:
        raise RuntimeError("https://store.example/x?Signature=secret")

    def open(self, path: str, *_: object, **__: object) -> io.BytesIO:
        return TornFile()


class TornFile(io.BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        raise RuntimeError("https://store.example/x?Signature=secret")


@pytest.mark.parametrize("how", [lambda place: place.read("x"), lambda place: list(place.chunks("x"))])
def test_an_error_while_reading_is_a_storage_error_without_its_text(how):
    with pytest.raises(StorageUnavailable) as caught:
        how(RemoteFolder(Torn(), "/scores", "torn://scores"))

    assert str(caught.value) == "Can't read torn://scores/x: RuntimeError. Check that it exists and may be read."
    assert caught.value.__cause__ is None


def test_publishing_replaces_the_file_of_that_name(place: Folder):
    for content in (b"first, and longer", b"second"):
        part = place.open_part("scores.txt")
        part.write(content)
        part.publish()

    assert read(place, "scores.txt") == b"second"


def test_two_parts_of_one_name_do_not_mix(place: Folder):
    one, two = place.open_part("scores.txt"), place.open_part("scores.txt")
    one.write(b"one")
    two.write(b"two")
    two.publish()
    one.publish()

    assert read(place, "scores.txt") == b"one"


def test_a_truncated_part_keeps_its_head_and_goes_on_behind_it(place: Folder):
    part = place.open_part("scores.txt")
    part.write(b"0123456789")
    part.truncate(4)
    part.write(b"abc")
    part.publish()

    assert read(place, "scores.txt") == b"0123abc"


def leave_part(place: Folder, name: str, hours: float) -> str:
    """A part as a process leaves it that was interrupted so many hours ago."""
    name = f".{name}.part-{int(time.time() - 3600 * hours):x}-0a"
    place.write(name, b"half")
    return name


@pytest.mark.parametrize("place", ["local", "sftp"], indirect=True)
def test_parts_are_removed_when_they_are_old_or_of_the_same_task(place: Folder):
    leave_part(place, "scores.txt", 7)
    young = leave_part(place, "scores.txt", 5)
    kept = place.open_part("kept.txt")
    kept.publish()

    place.remove_stale_parts()
    after_age = place.parts()
    place.remove_stale_parts(older_than=0)

    assert after_age == [young]
    assert (place.parts(), place.names()) == ([], ["kept.txt"])


@pytest.mark.parametrize("place", ["local"], indirect=True)
def test_a_part_that_another_process_removed_is_one_clear_error(place: Folder):
    part = place.open_part("scores.txt")
    place.remove_stale_parts(older_than=0)

    with pytest.raises(StorageUnavailable, match="No such file or directory"):
        part.publish()


@pytest.mark.parametrize("place", ["s3"], indirect=True)
@pytest.mark.parametrize("size", [10, 120 << 20], ids=["one request", "multipart upload"])
def test_an_object_store_sees_the_final_key_alone(place: RemoteFolder, mocker, size: int):
    """
    A part object would stay behind as a hidden version in a bucket that keeps versions.
    """
    requests = mocker.spy(place.fs, "_call_s3")
    part = place.open_part("scores.txt")
    for _ in range(10):
        part.write(bytes(size // 10))
    assert requests.call_count == 0

    part.publish("4866/scores.txt")

    assert {call.kwargs["Key"].rpartition("/")[2] for call in requests.call_args_list} == {"scores.txt"}
    assert {call.args[0] for call in requests.call_args_list} == (
        {"put_object"} if size == 10 else {"create_multipart_upload", "upload_part", "complete_multipart_upload"}
    )
    assert place.size("4866/scores.txt") == size


@pytest.mark.parametrize("place", ["s3"], indirect=True)
def test_a_broken_upload_to_an_object_store_leaves_nothing(place: RemoteFolder, mocker):
    call = place.fs._call_s3

    async def fail(method: str, *arguments, **options):
        if method == "complete_multipart_upload":
            raise OSError(5, "Input/output error")
        return await call(method, *arguments, **options)

    mocker.patch.object(place.fs, "_call_s3", fail)
    part = place.open_part("scores.txt")
    part.write(bytes(120 << 20))

    with pytest.raises(StorageUnavailable):
        part.publish()
    part.discard()

    assert (place.size("scores.txt"), place.listed()) == (None, [])


@pytest.mark.parametrize("place", ["sftp"], indirect=True)
@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), KeyboardInterrupt()])
def test_a_broken_upload_to_other_stores_leaves_no_part(place: RemoteFolder, mocker, error: BaseException):
    mocker.patch.object(place.fs, "mv", side_effect=error)
    part = place.open_part("scores.txt")
    part.write(b"x")

    with pytest.raises(StorageUnavailable if isinstance(error, OSError) else KeyboardInterrupt):
        part.publish()
    part.discard()

    assert (place.size("scores.txt"), place.listed()) == (None, [])


def test_a_missing_temporary_folder_is_one_clear_error(mocker):
    mocker.patch("tempfile.gettempdir", side_effect=FileNotFoundError(2, "No usable temporary directory found"))

    with pytest.raises(StorageUnavailable, match=r"temporary folder: No usable .* found\. Make room there, or set"):
        folder("memory://full/scores").open_part("scores.txt")


def test_readers_of_a_spool_file_do_not_disturb_each_other():
    spool = SpoolFile()
    spool.write(b"0123456789")
    one, two = spool.reader(), spool.reader()

    assert (one.read(4), two.read(), one.read(2), one.seek(-2, 2), one.read(9), two.tell()) == (
        b"0123",
        b"0123456789",
        b"45",
        8,
        b"89",
        10,
    )
    with open(spool.path, "rb") as file:
        assert file.read() == b"0123456789"
    spool.close()


def test_a_tree_has_all_files_of_a_folder_and_of_those_below(place: Folder):
    place.write("4866/day-1/scores.txt", b"abc")
    place.write("4866/.digests/ab", b"")
    place.write("4867/scores.txt", b"a")
    begun = place.child("4867").open_part("more.txt")

    found = place.tree()

    expected = {"4866/.digests/ab": 0, "4866/day-1/scores.txt": 3, "4867/scores.txt": 1}
    assert {each.name: each.size for each in found if not is_part(each.name.rpartition("/")[2])} == expected
    assert [each.name for each in found] == sorted(each.name for each in found)
    assert {each.name for each in place.child("4867").tree()} >= {"scores.txt"}
    assert all(abs((each.modified - place.modified(each.name)).total_seconds()) < 2 for each in found)
    assert place.child("nowhere").tree() == []
    begun.discard()


def test_a_tree_names_a_folder_that_cannot_be_read(place: Folder, mocker: MockerFixture):
    place.write("4866/scores.txt", b"abc")
    if isinstance(place, RemoteFolder):
        mocker.patch.object(place.fs, "_lsdir" if hasattr(place.fs, "_lsdir") else "ls", side_effect=PermissionError)
    else:
        mocker.patch("os.scandir", side_effect=PermissionError)

    with pytest.raises(StorageUnavailable, match="Permission denied"):
        place.tree()


def test_many_small_files_are_read_at_once(place: Folder):
    contents = {f"day-{number}/scores.txt": f"{number}".encode() for number in range(12)}
    for name, data in contents.items():
        place.write(name, data)

    found = list(place.read_many([*contents, "day-1/none.txt"]))

    assert found == [*contents.items(), ("day-1/none.txt", None)]


def test_a_missing_folder_is_empty(place: Folder):
    assert place.child("nowhere").names() == []
    assert place.child("nowhere").parts() == []
    place.child("nowhere").remove_stale_parts()
    place.remove("nothing.txt")


def test_checking_a_folder_leaves_nothing(place: Folder):
    place.child("new").check_writable()

    assert (place.child("new").names(), place.child("new").parts()) == ([], [])


def test_a_folder_that_can_not_be_written_is_an_error_of_the_check(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(ConfigurationError, match=r"Can't use file://.*4866: Not a directory"):
        folder(tmp_path / "file").child("ap/4866").check_writable()
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_staged_files_appear_together_or_not_at_all(place: Folder):
    with Staging(place) as staging:
        staging.open("students/a.parquet").write(b"a")
        staging.open("awards/a.parquet").write(b"b")
        uris = staging.publish()
    with Staging(place) as staging:
        staging.open("students/b.parquet").write(b"left without publishing")

    assert uris == [place.uri("students/a.parquet"), place.uri("awards/a.parquet")]
    assert place.child("students").names() == ["a.parquet"]


def test_local_files_and_their_new_folders_are_the_owners_alone(tmp_path: Path):
    part = folder(tmp_path).open_part("4866/run/scores.txt")
    part.write(b"x")
    part.publish()

    modes = [stat.S_IMODE(os.stat(tmp_path / name).st_mode) for name in ("4866", "4866/run", "4866/run/scores.txt")]
    assert modes == [0o700, 0o700, 0o600]


def test_a_place_that_cannot_be_written_is_one_clear_error(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(ConfigurationError, match=r"Can't use file://.*file/scores.txt: Not a directory"):
        folder(tmp_path / "file").open_part("scores.txt")


@pytest.mark.parametrize(("name", "reason"), [("nowhere.txt", "No such file or directory")])
def test_a_file_that_cannot_be_read_has_an_error_about_reading(tmp_path: Path, name: str, reason: str):

    with pytest.raises(StorageUnavailable) as caught:
        folder(tmp_path).open(name)

    assert str(caught.value) == f"Can't read file://{tmp_path}/{name}: {reason}. Check that it exists and may be read."


def test_no_bucket_is_made_out_of_a_misspelt_name(s3: fsspec.AbstractFileSystem):
    place = RemoteFolder(s3, "scoers/ap", "s3://scoers/ap")
    part = place.open_part("scores.txt")
    part.write(b"x")

    for use in (part.publish, place.check_writable, lambda: place.create("x", b"x"), lambda: place.open("x")):
        with pytest.raises(ConfigurationError, match="There is no bucket scoers for s3://scoers/ap"):
            use()
    assert s3.ls("", detail=False) == ["scores"]


def test_a_folder_or_a_pattern_is_no_file(place: Folder):
    part = place.open_part("4866/scores-1.txt")
    part.write(b"x")
    part.publish()

    for name in ("4866", "4866/"):
        with pytest.raises(ConfigurationError, match=r"4866/? is a folder. Give one file"):
            place.open(name)
    for name in ("4866/*.txt", "4866/scores-?.txt", "4866/scores-[12].txt"):
        with pytest.raises(ConfigurationError, match="is a pattern, or there is no such file"):
            place.open(name)
    with pytest.raises(StorageUnavailable):
        place.open("4866/scores-2.txt")


def test_a_bucket_without_permission_is_not_a_missing_one(s3: fsspec.AbstractFileSystem, mocker: MockerFixture):
    mocker.patch.object(s3, "open", side_effect=PermissionError("Access Denied"))
    mocker.patch.object(s3, "exists", return_value=False)

    with pytest.raises(StorageUnavailable, match="Permission denied"):
        RemoteFolder(s3, "scores/ap", "s3://scores/ap").open("scores.txt")


def test_a_name_with_the_signs_of_a_pattern_is_a_file_if_there_is_one(tmp_path: Path):
    (tmp_path / "scores [1].txt").write_bytes(b"x")

    assert read(folder(tmp_path), "scores [1].txt") == b"x"


@pytest.mark.parametrize("address", ["s3:/bucket/ap", "gs:/bucket", "file:/srv/ap", "S3:/bucket"])
def test_an_address_with_one_slash_is_refused(address: str):
    for use in (folder, locate):
        with pytest.raises(ConfigurationError, match="has two slashes after its scheme"):
            use(address)


def test_a_path_with_a_colon_is_no_address(tmp_path: Path):
    assert folder(f"{tmp_path}/a:/b").uri() == f"file://{tmp_path}/a:/b"


def test_a_missing_package_is_named_as_the_file_system_names_it(mocker: MockerFixture):
    mocker.patch("fsspec.core.url_to_fs", side_effect=ImportError("Install s3fs to access S3"))

    with pytest.raises(ConfigurationError, match="Install s3fs to access S3"):
        folder("s3://bucket/ap")


def test_an_unknown_scheme_says_what_to_install():
    with pytest.raises(ConfigurationError, match="no file system for nosuch://"):
        folder("nosuch://bucket/scores")


@pytest.mark.parametrize("uri", ["sftp://ap:invented@127.0.0.1:9/x", "ftp://ap:invented@127.0.0.1:9/x"])
def test_a_server_that_is_not_there_is_one_clear_error_without_its_password(uri: str):
    pytest.importorskip("paramiko")
    with pytest.raises(StorageUnavailable, match=r"Can't use s?ftp://127\.0\.0\.1:9") as raised:
        folder(uri)
    assert "invented" not in str(raised.value)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("s3://aws_default@scores/ap", "s3://aws_default@scores/ap"),
        ("sftp://ap:in@vented@host/ap", "sftp://host/ap"),
        ("https://host/scores.txt?X-Amz-Signature=c0ffee", "https://host/scores.txt"),
        ("http://ap:invented@host/scores.txt?X-Amz-Signature=c0ffee", "http://host/scores.txt"),
        ("file:///srv/what?.txt", "file:///srv/what?.txt"),
        ("/srv/what?.txt", "/srv/what?.txt"),
    ],
)
def test_messages_hold_no_password_and_no_signature(uri: str, expected: str):
    assert redacted_uri(uri) == expected


@pytest.mark.parametrize("form", [str, Path, lambda path: f"file://{path}", lambda path: f"local://{path}"])
def test_local_places_are_understood_in_every_form(tmp_path: Path, form):
    assert folder(form(tmp_path)).uri("x") == f"file://{tmp_path}/x"
    assert locate(form(tmp_path / "x.txt"))[0].uri() == f"file://{tmp_path}"
    assert locate(form(tmp_path / "x.txt"))[1] == "x.txt"


def test_a_file_at_the_top_of_a_store_or_of_the_disk_is_found():
    name = f"{uuid.uuid4().hex}.txt"
    for place, itself in (locate(f"memory://{name}"), locate(f"memory:///{name}")):
        part = place.open_part(itself)
        part.write(b"x")

        assert part.publish() == place.uri(name)
        with fsspec.open(place.uri(name), "rb") as file:
            assert file.read() == b"x"
        assert name in place.names()
    assert locate(f"memory://{name}")[0].uri(name) == f"memory://{name}"
    assert locate(f"file:///{name}")[0].uri(name) == f"file:///{name}"


def test_a_path_object_of_a_store_keeps_its_address():
    class StorePath:
        """The few things that Airflow's ObjectStoragePath offers."""

        protocol = "memory"

        def __init__(self, path: str) -> None:
            self.path = path
            self.fs = fsspec.filesystem("memory")
            self.name = path.rpartition("/")[2]

        @property
        def parent(self) -> StorePath:
            return StorePath(self.path.rpartition("/")[0])

        def __str__(self) -> str:
            return f"memory://my_conn@{self.path.lstrip('/')}"

    place, name = locate(StorePath("/bucket/4866/x.txt"))

    assert (place.uri(name), name) == ("memory://my_conn@bucket/4866/x.txt", "x.txt")


def test_a_relative_path_becomes_a_whole_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)

    assert folder("scores").uri("x.txt") == f"file://{tmp_path}/scores/x.txt"


def test_of_many_that_create_a_file_one_does(place: Folder):
    made: list[bool] = []
    one_at_a_time = threading.Lock() if "sftp" in place.uri() else nullcontext()  # its client is not for threads

    def create(number: int) -> None:
        with one_at_a_time:
            made.append(place.create("deep/claim", b"%d" % number))

    threads = [threading.Thread(target=create, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert made.count(True) == 1
    assert place.create("deep/claim", b"late") is False
    assert read(place, "deep/claim") in [b"0", b"1", b"2", b"3"]
    assert place.child("deep").parts() == []


def test_a_file_gets_another_name(place: Folder):
    place.create("old", b"scores")
    place.create("new", b"replaced")

    place.move("old", "new")

    assert read(place, "new") == b"scores"
    assert place.names() == ["new"]


@pytest.mark.parametrize("place", ["s3"], indirect=True)
def test_a_large_file_is_uploaded_in_pieces(place: RemoteFolder, mocker: MockerFixture):
    """
    The pieces that are sent at once are held in memory.
    """
    calls = mocker.spy(type(place.fs), "_call_s3")
    part = place.open_part("scores.txt")
    for _ in range(40):
        part.write(b"x" * (1 << 20))
    part.publish()

    sizes = [len(call.kwargs["Body"]) for call in calls.call_args_list if "Body" in call.kwargs]
    assert (max(sizes), sum(sizes), place.size("scores.txt")) == (16 << 20, 40 << 20, 40 << 20)


@pytest.mark.parametrize("place", ["s3"], indirect=True)
def test_a_listing_does_not_outlive_its_call(place: RemoteFolder):
    place.write("4866/scores.txt", b"abc")
    place.tree()

    another_worker = type(place.fs)(**place.fs.storage_options | {"skip_instance_cache": True})
    another_worker.pipe_file(place.path("4866/scores.txt"), b"abcdef")

    assert place.size("4866/scores.txt") == 6
    with place.open("4866/scores.txt") as file:
        assert file.read() == b"abcdef"
