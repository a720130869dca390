"""Injected faults, as a client meets them over real HTTP, and what was done all the same."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from tests.served import Sandbox


def tables_url(sandbox: Sandbox) -> str:
    """The path of the data tables."""
    return f"{sandbox.application_url}/data-tables"


def stored(sandbox: Sandbox) -> int:
    """How many data tables are stored."""
    return int(sandbox.store.rows("SELECT COUNT(*) FROM data_tables")[0][0])


def post(sandbox: Sandbox) -> httpx.Response:
    """An answer to the creation of a table."""
    http = sandbox.http(checked=False)
    return http.post(tables_url(sandbox), json={"name": "new"})


def test_rules_are_shown_with_what_is_left_of_them(empty_sandbox: Sandbox) -> None:
    """PUT replaces the rules, GET tells them, uses count down, DELETE ends them."""
    http = empty_sandbox.http(checked=False)
    rules = [{"kind": "status", "status": 503, "times": 2}, {"kind": "latency", "ms": 0}]
    assert http.put("/sandbox/faults", json=rules).json()[0]["times"] == 2
    assert http.get("/applications").status_code == 503
    assert [rule.get("times") for rule in http.get("/sandbox/faults").json()] == [1, None]
    assert http.delete("/sandbox/faults").json() == []
    assert http.get("/applications").status_code == 200


@pytest.mark.parametrize(
    "rules",
    [
        [{"kind": "meteor"}],
        [{}],
        {},
        [{"kind": "status", "status": 200}],
        [{"kind": "status"}],
        [{"kind": "latency", "ms": -1}],
        [{"kind": "latency", "ms": 1, "times": 0}],
        [{"kind": "html", "color": "red"}],
        [{"kind": "clock"}],
    ],
)
def test_a_wrong_rule_is_refused_and_the_old_ones_stay(empty_sandbox: Sandbox, rules: Any) -> None:
    """An unknown kind or a missing or wrong field is a 400."""
    http = empty_sandbox.http(checked=False)
    empty_sandbox.set_faults({"kind": "status", "status": 418})
    answer = http.put("/sandbox/faults", json=rules)
    assert (answer.status_code, answer.json()["type"]) == (400, "Validation")
    assert http.put("/sandbox/faults", content=b"[").status_code == 400
    assert http.get("/applications").status_code == 418


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 413, 429, 500, 502, 503, 504])
def test_any_error_status_can_be_asked_for(empty_sandbox: Sandbox, status: int) -> None:
    """The status comes in Losant's form and nothing is done."""
    empty_sandbox.set_faults(
        {"kind": "status", "status": status, "type": "Broken", "message": "so it is"}
    )
    answer = post(empty_sandbox)
    assert (answer.status_code, answer.json()) == (
        status,
        {"type": "Broken", "message": "so it is"},
    )
    assert "retry-after" not in answer.headers
    assert stored(empty_sandbox) == 0


@pytest.mark.parametrize("wait", [7, "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_a_429_may_tell_when_to_come_back(empty_sandbox: Sandbox, wait: int | str) -> None:
    """``Retry-After`` is sent as given: seconds or a date."""
    empty_sandbox.set_faults({"kind": "status", "status": 429, "retryAfter": wait})
    assert post(empty_sandbox).headers["retry-after"] == str(wait)


def test_a_413_may_have_no_body(empty_sandbox: Sandbox) -> None:
    """Without a message there is no body at all."""
    empty_sandbox.set_faults({"kind": "status", "status": 413, "message": None})
    answer = post(empty_sandbox)
    assert (answer.status_code, answer.content) == (413, b"")


def test_html_comes_instead_of_json(empty_sandbox: Sandbox) -> None:
    """A proxy's page comes with the status asked for, and nothing is done."""
    empty_sandbox.set_faults({"kind": "html", "status": 200})
    answer = post(empty_sandbox)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html")
    assert b"<html>" in answer.content
    assert stored(empty_sandbox) == 0


def test_json_breaks_off_after_the_work_was_done(empty_sandbox: Sandbox) -> None:
    """The status is right, the body is half of the JSON, and the table is there."""
    empty_sandbox.set_faults({"kind": "truncated_json"})
    answer = post(empty_sandbox)
    assert answer.status_code == 201
    with pytest.raises(ValueError):
        answer.json()
    assert stored(empty_sandbox) == 1


def test_a_connection_drops_before_anything_is_done(empty_sandbox: Sandbox) -> None:
    """The server closes without an answer, nothing is stored, and it serves the next request."""
    empty_sandbox.set_faults({"kind": "drop_before", "times": 1})
    with pytest.raises(httpx.RemoteProtocolError):
        post(empty_sandbox)
    assert stored(empty_sandbox) == 0
    assert empty_sandbox.requests[-1].status is None
    assert post(empty_sandbox).status_code == 201


def test_a_connection_drops_after_the_work_was_done(empty_sandbox: Sandbox) -> None:
    """The server closes without an answer, and the table is stored all the same."""
    empty_sandbox.set_faults({"kind": "drop_after", "times": 1})
    with pytest.raises(httpx.RemoteProtocolError):
        post(empty_sandbox)
    assert stored(empty_sandbox) == 1
    assert empty_sandbox.requests[-1].status is None


def test_a_connection_is_reset_in_the_middle_of_the_answer(empty_sandbox: Sandbox) -> None:
    """The headers and half of the body come, then the connection breaks; the work was done."""
    empty_sandbox.set_faults({"kind": "reset", "times": 1})
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        post(empty_sandbox)
    assert stored(empty_sandbox) == 1


def test_a_keep_alive_connection_survives_other_faults(empty_sandbox: Sandbox) -> None:
    """After an injected status the same connection goes on, with the next request in step."""
    http = empty_sandbox.http(checked=False)
    empty_sandbox.set_faults(
        {"kind": "status", "status": 500, "times": 1}, {"kind": "html", "times": 1}
    )
    url = tables_url(empty_sandbox)
    statuses = [http.post(url, json={"name": "x" * 255}).status_code for _ in range(3)]
    assert statuses == [500, 502, 201]


def test_latency_lets_the_request_through_late(empty_sandbox: Sandbox) -> None:
    """A wait comes first, and then the request is answered, or meets the next rule."""
    empty_sandbox.set_faults({"kind": "latency", "ms": 150})
    start = time.monotonic()
    assert post(empty_sandbox).status_code == 201
    assert time.monotonic() - start >= 0.15
    empty_sandbox.set_faults({"kind": "latency", "ms": 1}, {"kind": "status", "status": 500})
    assert post(empty_sandbox).status_code == 500


def test_a_client_gives_up_on_latency(empty_sandbox: Sandbox) -> None:
    """A client's read timeout fires while the sandbox waits."""
    empty_sandbox.set_faults({"kind": "latency", "ms": 1000})
    http = empty_sandbox.http(checked=False)
    with pytest.raises(httpx.ReadTimeout):
        http.get("/applications", timeout=0.05)


@pytest.mark.parametrize(("work", "expected"), [("never", 0), ("before", 1)])
def test_an_answer_never_comes(empty_sandbox: Sandbox, work: str, expected: int) -> None:
    """Only the client's timeout ends it, whether or not the work was done."""
    empty_sandbox.set_faults({"kind": "hang", "work": work})
    http = empty_sandbox.http(checked=False)
    with pytest.raises(httpx.ReadTimeout):
        http.post(tables_url(empty_sandbox), json={"name": "new"}, timeout=0.2)
    assert stored(empty_sandbox) == expected
    assert empty_sandbox.requests[-1].status is None


def test_work_may_be_done_after_the_client_gave_up(empty_sandbox: Sandbox) -> None:
    """Nothing is stored while the client waits, and then it is."""
    empty_sandbox.set_faults({"kind": "hang", "work": "after"})
    http = empty_sandbox.http(checked=False)
    with pytest.raises(httpx.ReadTimeout):
        http.post(tables_url(empty_sandbox), json={"name": "new"}, timeout=0.2)
    deadline = time.monotonic() + 30
    while not stored(empty_sandbox):
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize(
    "fault", [{"kind": "status", "status": 504}, {"kind": "html", "status": 502}]
)
def test_work_may_be_done_behind_an_error(empty_sandbox: Sandbox, fault: dict[str, Any]) -> None:
    """A proxy gives up, and what it asked for is stored all the same."""
    empty_sandbox.set_faults({**fault, "worked": True})
    assert post(empty_sandbox).status_code == fault["status"]
    assert stored(empty_sandbox) == 1


def test_a_body_may_come_slowly(empty_sandbox: Sandbox) -> None:
    """The whole answer comes, in pieces."""
    empty_sandbox.set_faults({"kind": "slow_body", "ms": 200, "pieces": 4})
    start = time.monotonic()
    http = empty_sandbox.http(checked=False)
    with http.stream("POST", tables_url(empty_sandbox), json={"name": "new"}) as answer:
        pieces = list(answer.iter_raw())
    assert time.monotonic() - start >= 0.15
    assert len(pieces) > 1
    assert stored(empty_sandbox) == 1


def test_the_clock_can_be_wrong(empty_sandbox: Sandbox) -> None:
    """What is written and how answers are dated moves by the offset, until the rule goes."""
    day = 24 * 3600 * 1000
    right = empty_sandbox.store.clock()
    empty_sandbox.set_faults({"kind": "clock", "offset": -day})
    answer = post(empty_sandbox)
    [table] = empty_sandbox.store.rows("SELECT creationDate FROM data_tables")
    assert abs(table["creationDate"] - (right - day)) < 60_000
    date = parsedate_to_datetime(answer.headers["date"]).timestamp() * 1000
    assert abs(date - (right - day)) < 60_000
    empty_sandbox.set_faults({"kind": "clock", "offset": 400 * day})
    assert post(empty_sandbox).status_code == 401, "by that clock the tokens are out of date"
    empty_sandbox.set_faults()
    assert abs(empty_sandbox.store.clock() - right) < 60_000


@pytest.mark.parametrize(
    ("endpoint", "statuses"),
    [
        ("applications.get", [500, 200]),
        ("dataTables.*", [200, 500]),
        ("GET /applications", [500, 200]),
        ("GET /applications/*", [200, 500]),
        ("POST *", [200, 200]),
        ("*", [500, 500]),
    ],
)
def test_a_rule_means_the_endpoints_it_names(
    empty_sandbox: Sandbox, endpoint: str, statuses: list[int]
) -> None:
    """A rule names an endpoint's id, or method and path, with ``*`` for any characters."""
    empty_sandbox.set_faults({"kind": "status", "status": 500, "endpoint": endpoint})
    http = empty_sandbox.http(checked=False)
    paths = ("/applications", tables_url(empty_sandbox))
    assert [http.get(path).status_code for path in paths] == statuses


def test_downloads_can_fail_too(empty_sandbox: Sandbox) -> None:
    """A download takes faults like any request, while health and the rules themselves do not."""
    empty_sandbox.set_faults({"kind": "status", "status": 503})
    http = empty_sandbox.http(checked=False)
    assert http.get("/sandbox/files/abc").status_code == 503
    assert http.get("/sandbox/health").status_code == 200
