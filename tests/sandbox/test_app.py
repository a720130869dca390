"""What every request goes through: routes, parameters, bodies, the log, downloads."""

from __future__ import annotations

import json
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from losant_mcp.sandbox.app import MAX_BODY, Logged
from tests.served import Sandbox


@pytest.mark.parametrize("path", ["/", "/nope", "/applications/", "/applications/x/events/y/z"])
def test_an_unknown_path_is_not_found(sandbox: Sandbox, path: str) -> None:
    """A path that no operation has is a 404 in Losant's form."""
    answer = sandbox.http().get(path)
    assert (answer.status_code, answer.json()["type"]) == (404, "NotFound")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/applications", "GET"),
        ("POST", "/data-tables/5f0c0de03000000000000001", "DELETE, GET, PATCH"),
        ("DELETE", "/data-tables", "GET, POST"),
        ("PUT", "/data-tables/5f0c0de03000000000000001/rows", "GET, POST"),
        ("GET", "/data-tables/5f0c0de03000000000000001/column", "DELETE, POST"),
        ("OPTIONS", "/events", "GET, PATCH, POST"),
    ],
)
def test_an_unmapped_method_is_not_allowed(
    sandbox: Sandbox, method: str, path: str, allowed: str
) -> None:
    """A known path with a method that it does not have is a 405 that names those it has."""
    answer = sandbox.http().request(method, sandbox.application_url * (path[1] != "a") + path)
    assert (answer.status_code, answer.json()) == (
        405,
        {"type": "MethodNotAllowed", "message": "Method Not Allowed"},
    )
    assert answer.headers["allow"] == allowed


@pytest.mark.parametrize(
    "query",
    [
        "perPage=x",
        "perPage=-1",
        "perPage=1.5",
        "page=99999999999",
        "page=1&page=2",
        "page[0]=1",
        "sortField=message",
        "sortDirection=up",
        "filterField=message&filter=x",
        "state=open",
        "query=%7B",
        "query=[]",
        'query={"nope":1}',
        'query={"level":{"$like":"x"}}',
        "q=x",
    ],
)
def test_a_bad_parameter_of_a_list_is_refused(sandbox: Sandbox, query: str) -> None:
    """A parameter that breaks its row in the catalogue is a 400 of type Validation."""
    answer = sandbox.http().get(f"{sandbox.application_url}/events?{query}")
    assert (answer.status_code, answer.json()["type"]) == (400, "Validation")


def test_blank_parameters_and_the_clients_flags_change_nothing(sandbox: Sandbox) -> None:
    """Blank parameters count as absent, and the flags of the official clients are ignored."""
    http, url = sandbox.http(), f"{sandbox.application_url}/events"
    flags = "_actions=false&_links=true&_embedded=true&losantdomain=x"
    blanks = "filter=&filterField=&state=&query=&perPage=&sortField="
    assert http.get(f"{url}?{flags}&{blanks}").json() == http.get(url).json()


def test_bracketed_arrays_are_read_as_the_official_clients_write_them(sandbox: Sandbox) -> None:
    """Device classes and tags come as ``deviceClass[0]`` and ``tagFilter[0][key]``."""
    http, url = sandbox.http(), f"{sandbox.application_url}/devices"
    whole = http.get(url).json()
    device = next(item for item in whole["items"] if item["tags"])
    tag = device["tags"][0]
    answer = http.get(
        url, params={"tagFilter[0][key]": tag["key"], "tagFilter[0][value]": tag["value"]}
    ).json()
    assert device["id"] in [item["id"] for item in answer["items"]]
    assert 0 < answer["totalCount"] < whole["totalCount"]
    classes = http.get(url, params={"deviceClass[0]": device["deviceClass"]}).json()
    assert {item["deviceClass"] for item in classes["items"]} == {device["deviceClass"]}
    assert http.get(url, params={"deviceClass[0]": "toaster"}).status_code == 400
    assert http.get(url, params={"tagFilter[0]": "x"}).status_code == 400


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "A body is required"),
        (b"  ", "A body is required"),
        (b"{", "The body is not JSON"),
        (b'{"name": NaN}', "The body is not JSON"),
        (b"[]", "must be an object"),
        (b"{}", "name is required"),
        (b'{"name": ""}', "name must not be empty"),
        (b'{"name": "x", "color": "red"}', "color"),
    ],
)
def test_a_bad_body_is_refused_and_nothing_is_stored(
    sandbox: Sandbox, content: bytes, message: str
) -> None:
    """A body that is missing, no JSON or against its model is a 400 that names the place."""
    before = sandbox.store.rows("SELECT COUNT(*) FROM data_tables")[0][0]
    answer = sandbox.http().post(f"{sandbox.application_url}/data-tables", content=content)
    assert (answer.status_code, answer.json()["type"]) == (400, "Validation")
    assert message in answer.json()["message"]
    assert sandbox.store.rows("SELECT COUNT(*) FROM data_tables")[0][0] == before


def test_a_body_that_is_too_large_is_refused(sandbox: Sandbox) -> None:
    """More than the limit is a 413, seen by the client although it was still sending."""
    body = json.dumps({"name": "x" * MAX_BODY}).encode()
    answer = sandbox.http().post(f"{sandbox.application_url}/data-tables", content=body)
    assert (answer.status_code, answer.json()["type"]) == (413, "PayloadTooLarge")


@pytest.mark.parametrize("content", [b"", b"{}"])
def test_an_optional_query_may_be_left_out(sandbox: Sandbox, content: bytes) -> None:
    """No body and an empty object both mean: no query."""
    table = f"{sandbox.application_url}/data-tables/5f0c0de03000000000000001/rows"
    answer = sandbox.http().post(f"{table}/query", content=content).json()
    assert answer == sandbox.http().get(table).json()


@pytest.mark.parametrize("path", ["/events/xyz", "/data-tables/xyz/rows", "/devices/12"])
def test_an_id_that_is_none_is_not_found(sandbox: Sandbox, path: str) -> None:
    """An id in the path that has not 24 hexadecimal characters names nothing."""
    answer = sandbox.http().get(sandbox.application_url + path)
    assert (answer.status_code, answer.json()["type"]) == (404, "NotFound")


def test_ids_in_a_path_may_be_upper_case(sandbox: Sandbox) -> None:
    """An id is a number in hexadecimal, whatever its letters' case."""
    path = f"/applications/{sandbox.application_id.upper()}"
    assert sandbox.http().get(path).json()["id"] == sandbox.application_id


def test_a_query_beyond_sqlites_limits_is_refused(sandbox: Sandbox) -> None:
    """A query with more values than SQLite takes variables is a 400, not a crash."""
    numbers: list[Any] = [
        {"latitude": {"$in": list(range(i * 100, i * 100 + 100))}} for i in range(100)
    ]
    query = {
        "$and": [
            {"$or": [{"$nor": [number, {"name": str(i)}]} for number in numbers]} for i in range(30)
        ]
    }
    table = f"{sandbox.application_url}/data-tables/5f0c0de03000000000000001/rows"
    answer = sandbox.http().post(f"{table}/query", json=query)
    assert (answer.status_code, answer.json()) == (
        400,
        {"type": "Validation", "message": "The query is too complex"},
    )


def test_requests_are_logged_for_tests(sandbox: Sandbox) -> None:
    """The log tells method, path, query, endpoint and status, and leaves the sandbox's own out."""
    http = sandbox.http()
    http.get("/sandbox/health")
    http.get("/applications", params={"perPage": 1})
    http.get("/nope")
    assert sandbox.requests == [
        Logged("GET", "/applications", "perPage=1", "applications.get", 200),
        Logged("GET", "/nope", "", None, 404),
    ]


def test_answers_are_dated(sandbox: Sandbox) -> None:
    """The Date header is the store's clock."""
    answer = sandbox.http().get("/sandbox/health")
    date = parsedate_to_datetime(answer.headers["date"]).timestamp()
    assert abs(date - sandbox.store.clock() / 1000) < 60
    assert answer.headers.get_list("date") == [answer.headers["date"]]


def test_a_file_is_downloaded_without_a_token(sandbox: Sandbox) -> None:
    """Download URLs work for whoever knows them, and only those that exist."""
    with sandbox.store.transaction(write=True) as db:
        db.execute("INSERT INTO files VALUES ('abc', 'a.csv', 'text/csv', ?)", (b"x,y\r\n",))
    answer = sandbox.http(None).get("/sandbox/files/abc")
    assert (answer.content, answer.headers["content-type"]) == (
        b"x,y\r\n",
        "text/csv; charset=utf-8",
    )
    assert answer.headers["content-disposition"] == 'attachment; filename="a.csv"'
    assert sandbox.http(None).get("/sandbox/files/abd").status_code == 404
