"""The cursor: which reports are new, which are in a full file, and that only a record moves it."""

from __future__ import annotations

import threading
from datetime import date

import pytest

from airflow_provider_apscores.sandbox import Campus, Sandbox, reports_in


def ids(di_code: str, first: int, last: int) -> list[str]:
    return [f"{di_code}-{number:08d}" for number in range(first, last + 1)]


def test_what_is_not_recorded_stays_new(client):
    first, file = client.fetch("0901")
    second, again = client.fetch("0901")
    assert first != second
    assert file == again


def test_a_record_moves_the_cursor_to_the_end_of_its_file(sandbox, client):
    """
    Reports issued between order and record are new afterwards.
    """
    download_id, _ = client.fetch("0901")
    assert sandbox.add_reports("0901", 2) == ids("0901", 13, 14)
    assert client.record(download_id)["success"]
    _, file = client.fetch("0901")
    assert reports_in(file) == ids("0901", 13, 14)


def test_a_record_never_moves_back(sandbox, client):
    early, _ = client.fetch("0901")
    sandbox.add_reports("0901", 3)
    late, _ = client.fetch("0901")
    assert client.record(late)["success"]
    assert client.record(early)["success"]
    assert not client.order("0901")["success"]


def test_recording_again_succeeds_and_changes_nothing(sandbox, client):
    download_id, _ = client.fetch("0901")
    assert client.record(download_id)["success"]
    sandbox.add_reports("0901", 1)
    assert client.record(download_id)["success"]
    assert reports_in(client.fetch("0901")[1]) == ids("0901", 13, 13)
    assert sandbox.audit().recorded == [download_id]
    assert sandbox.audit().effects["record"] == 2


def test_each_campus_has_its_own_cursor(client):
    client.record(client.fetch("0901")[0])
    assert reports_in(client.fetch("9120")[1]) == ids("9120", 1, 5)


def test_each_account_has_its_own_cursor(make_client):
    other = {"bursar@saltmarsh.example": "Another-Pa55word"}
    with Sandbox(campuses=[Campus("0901", "A College", 3)], more_accounts=other) as sandbox:
        mine = make_client(sandbox)
        theirs = make_client(sandbox, email="bursar@saltmarsh.example", password="Another-Pa55word")
        mine.record(mine.fetch("0901")[0])
        assert reports_in(theirs.fetch("0901")[1]) == ids("0901", 1, 3)
        audit = sandbox.audit()
        assert audit.passed_reports(sandbox.email) == set(ids("0901", 1, 3))
        assert audit.passed_reports("bursar@saltmarsh.example") == set()


def test_full_starts_with_the_reporting_year(make_client):
    campus = Campus("0901", "A College", reports=4, earlier=3)
    with Sandbox(campuses=[campus], today=date(2026, 9, 1)) as sandbox:
        client = make_client(sandbox)
        assert reports_in(client.fetch("0901", download_type="new")[1]) == ids("0901", 1, 7)
        assert reports_in(client.fetch("0901", download_type="full")[1]) == ids("0901", 4, 7)


def test_recording_a_full_file_moves_the_cursor(sandbox, client):
    client.record(client.fetch("0901")[0])
    sandbox.add_reports("0901", 2)
    full, file = client.fetch("0901", download_type="full")
    assert reports_in(file) == ids("0901", 1, 14)
    assert client.record(full)["success"]
    assert not client.order("0901")["success"]
    assert client.order("0901", download_type="full")["success"]


def test_full_of_an_empty_year_is_nothing(make_client):
    with Sandbox(campuses=[Campus("0901", "A College", earlier=3)]) as sandbox:
        client = make_client(sandbox)
        assert "There were no score orders found" in client.order("0901", download_type="full")["message"]
        assert client.order("0901", download_type="new")["success"]


def test_no_report_has_a_future_date():
    with Sandbox(campuses=[Campus("0901", "A College", 9)], today=date(2026, 7, 6)) as sandbox:
        days = [report["report_date"] for report in sandbox.records("0901")]
        assert days == ["070526", *["070626"] * 8]


def test_a_stream_never_goes_back_in_time(tmp_path):
    """
    A later report never has an earlier date, or "full" would start at the wrong report.
    """
    campuses, state = [Campus("0901", "A College")], tmp_path / "state.json"
    for day in (date(2026, 8, 2), date(2026, 8, 1), date(2026, 8, 3)):
        with Sandbox(campuses=campuses, state=state, today=day) as sandbox:
            sandbox.add_reports("0901")
            days = [report["report_date"] for report in sandbox.records("0901")]
    assert days == ["080226", "080226", "080326"]


def test_the_audit_is_complete(sandbox, client):
    kept, _ = client.fetch("0901")
    client.record(kept)
    sandbox.add_reports("0901", 1)
    ordered = client.order("0901", "CSV")
    audit = sandbox.audit()
    assert audit.issued == {"0901": ids("0901", 1, 13), "9120": ids("9120", 1, 5), "9377": []}
    assert audit.recorded == [kept]
    assert audit.recorded_reports == audit.passed_reports(sandbox.email) == set(ids("0901", 1, 12))
    assert len(audit.all_reports) == 18
    assert audit.cursors == {sandbox.email: {"0901": 12}}
    assert audit.calls == {"login": 1, "order": 2, "download": 1, "record": 1}
    assert audit.calls_by_campus == {"0901": {"order": 2, "download": 1, "record": 1}}
    assert audit.effects == {"login": 1, "order": 2, "download": 1, "record": 1}
    assert audit.generated[kept] == {
        "account": sandbox.email,
        "di_code": "0901",
        "file_format": "TXT",
        "download_type": "new",
        "file_name": audit.generated[kept]["file_name"],
        "reports": ids("0901", 1, 12),
        "sent": 1,
        "recorded": True,
    }
    other = audit.generated[str(ordered["downloadId"])]
    assert (other["sent"], other["recorded"], other["reports"]) == (0, False, ids("0901", 13, 13))


def test_the_audit_lists_downloads_recorded_but_never_sent(sandbox, client):
    ordered = client.order("9120")
    client.record(ordered["downloadId"])
    assert sandbox.audit().recorded_but_never_sent == [str(ordered["downloadId"])]


def test_calls_are_listed_in_order(sandbox, client):
    client.order("9377")
    client.download(f"{sandbox.origin}/files/unknown")
    client.record("1")
    seen = [(call.number, call.kind, call.di_code, call.status, call.success) for call in sandbox.calls]
    assert seen == [
        (1, "login", None, 200, True),
        (2, "order", "9377", 200, False),
        (3, "download", None, 403, False),
        (4, "record", None, 200, False),
    ]


def test_many_threads_at_once(make_client):
    """
    Thirty workers on three campuses while reports are issued: every report is in a file and recorded.
    """
    campuses = [Campus(f"{number:04d}", f"College {number}", 4) for number in (1, 2, 3)]
    with Sandbox(campuses=campuses) as sandbox:
        failures: list[BaseException] = []

        def work(di_code: str) -> None:
            try:
                client = make_client(sandbox)
                for _ in range(3):
                    ordered = client.order(di_code)
                    if not ordered["success"]:
                        continue
                    file = client.download(ordered["url"]).body
                    assert reports_in(file) == sandbox.audit().generated[str(ordered["downloadId"])]["reports"]
                    sandbox.add_reports(di_code)
                    assert client.record(ordered["downloadId"])["success"]
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(f"{number % 3 + 1:04d}",)) for number in range(30)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        audit = sandbox.audit()
        assert len({*audit.generated}) == audit.effects["order"] == len(audit.recorded)
        assert audit.recorded_reports == audit.passed_reports(sandbox.email)
        assert audit.recorded_but_never_sent == []


@pytest.mark.parametrize(
    "campuses",
    [
        [Campus("0001", "One"), Campus("0001", "Again")],
        [Campus(f"{number:04d}", "Too many") for number in range(21)],
    ],
)
def test_invalid_accounts_are_refused(campuses):
    with pytest.raises(ValueError, match=r"once|at most 20"):
        Sandbox(campuses=campuses)


def test_a_campus_added_later_is_one_of_the_account(sandbox, client):
    sandbox.add_campus(Campus("1234", "A new college", 2))
    sandbox.add_campus(Campus("1234", "The same college", 5))  # keeps its state

    _, file = client.fetch("1234")

    assert reports_in(file) == ids("1234", 1, 2)
    assert "1234" in sandbox.di_codes


@pytest.mark.parametrize("code", ["1", "00901", "09O1", "٠٩٠١", ""])
def test_a_di_code_has_four_digits(code):
    with pytest.raises(ValueError, match="four digits"):
        Campus(code, "A College")
