"""Every answer of the sandbox follows the published schema of its operation and status.

More than that: it has no field that its schema does not name, since the schemas leave most
objects open and would let a misspelt field pass.
"""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from jsonschema import Draft7Validator

from losant_mcp.api.endpoints import ENDPOINTS
from tests.contract.published import JsonSchema, Published
from tests.served import Sandbox

NEVER = "f" * 24
UNDECLARED = {
    # What the log of a bulk update tells is not documented anywhere.
    "output": {"updated": {"type": "number"}},
}
"""Fields of ours that the schema of an object does not name."""


class Caller:
    """Calls operations by id with plain HTTP and judges each answer; keeps what it has seen."""

    def __init__(self, sandbox: Sandbox, contract: Published) -> None:
        self.sandbox = sandbox
        self.contract = contract
        self.seen: set[tuple[str, int]] = set()
        self.ids = {"applicationId": sandbox.application_id}

    def __call__(
        self,
        endpoint_id: str,
        status: int,
        *,
        json: Any = None,
        token: str | None = "full",  # noqa: S107 - a token's name
        query: Any = None,
        **values: Any,
    ) -> Any:
        """The answer's JSON; ``values`` go into the path, or else into the query string."""
        endpoint = ENDPOINTS[endpoint_id]
        path = {**self.ids, **values}
        params = {key: text for key, text in values.items() if key not in endpoint.path_params}
        if query is not None:
            params["query"] = _text(query)
        sent = {} if json is None else {"json": json}
        http = self.sandbox.http(token, checked=False)
        answer = http.request(endpoint.method, endpoint.path.format(**path), params=params, **sent)
        assert answer.status_code == status, answer.text
        self.judge(endpoint_id, answer)
        return answer.json()

    def judge(self, endpoint_id: str, answer: httpx.Response) -> None:
        """Fails where an answer breaks its schema."""
        status = answer.status_code
        name = "error"
        if status < 400:
            answers = self.contract.actions[endpoint_id]["success"]
            [name] = [declared["schema"] for declared in answers if declared["code"] == status]
        schema = _closed(self.contract.schema(name))
        body = answer.json()
        complaints = [
            f"{e.json_path}: {e.message}" for e in Draft7Validator(schema).iter_errors(body)
        ]
        assert not complaints, (endpoint_id, complaints)
        if name == "error":
            assert body["type"], "an error has a type"
            assert body["message"], "an error has a message"
        self.seen.add((endpoint_id, status))


@pytest.fixture
def call(sandbox: Sandbox, contract: Published) -> Caller:
    """Calls the demo."""
    return Caller(sandbox, contract)


# ---- all operations ----------------------------------------------------------------------------


def test_every_operation_answers_by_its_schema(call: Caller) -> None:
    """All 34 operations answer, and each declared success status is seen."""
    _use_lookups(call)
    _use_events(call)
    _use_tables(call)
    _use_rows(call)
    _use_data(call)
    _use_jobs(call)
    declared = {(id, code) for id, endpoint in ENDPOINTS.items() for code in endpoint.responses}
    assert call.seen == declared


def _use_lookups(call: Caller) -> None:
    assert call("applications.get", 200)["items"]
    call("application.get", 200)
    devices = call("devices.get", 200)["items"]
    call.ids["deviceId"] = devices[0]["id"]
    call("device.get", 200)


def _use_events(call: Caller) -> None:
    deviceId = call.ids["deviceId"]
    body = {"level": "critical", "subject": "Valve stuck", "message": "m", "data": {"bar": [7.5]}}
    made = call("events.post", 201, json={**body, "deviceId": deviceId, "eventTags": {"a": "b"}})
    call.ids["eventId"] = made["id"]
    call("event.patch", 200, json={"state": "acknowledged", "comment": "looking", "deviceId": None})
    call("event.patch", 200, json={"level": "info", "subject": "x", "eventTags": {"a": "c"}})
    assert len(call("event.get", 200)["updates"]) == 2
    call("events.mostRecentBySeverity", 200)
    assert call("events.get", 200)["totalCount"] > 100
    one = {"subject": "x", "level": "info", "deviceId": None}
    call("events.patch", 200, query=one, json={"comment": "seen"})
    call("events.delete", 200, json=one)
    made = call("events.post", 201, json={"level": "info", "subject": "gone"})
    call("event.delete", 200, eventId=made["id"])
    call("events.export", 202, json={"email": "a@example.com", "format": "json"})
    call("events.patch", 202, json={"state": "resolved"})
    call("events.mostRecentBySeverity", 200)
    call("events.delete", 202)
    call("events.mostRecentBySeverity", 200)


def _use_tables(call: Caller) -> None:
    assert call("dataTables.get", 200)["items"]
    columns = [
        {"name": "code", "dataType": "string", "constraint": "unique"},
        {"name": "count", "dataType": "number", "constraint": "required"},
        {"name": "open", "dataType": "boolean", "constraint": "optional", "defaultValue": False},
    ]
    made = call(
        "dataTables.post", 201, json={"name": "parts", "description": "", "columns": columns}
    )
    call(
        "dataTable.delete", 200, dataTableId=call("dataTables.post", 201, json={"name": "x"})["id"]
    )
    call.ids["dataTableId"] = made["id"]
    call("dataTable.patch", 200, json={"name": "spare parts", "description": "d"})
    note = {"name": "note", "dataType": "string", "constraint": "optional"}
    call("dataTable.addColumn", 200, json=note)
    call("dataTable.removeColumn", 200, columnName="open")
    call("dataTable.get", 200)


def _use_rows(call: Caller) -> None:
    made = call("dataTableRows.post", 201, json={"code": "a", "count": 2.5})
    call.ids["rowId"] = made["id"]
    rows = [{"code": f"b{i}", "count": i, "note": None} for i in range(20)]
    assert len(call("dataTableRows.post", 201, json=rows)["rowIds"]) == 20
    call("dataTableRows.post", 201, json=[{"code": "alone", "count": 1}])
    call("dataTableRow.patch", 200, json={"count": 3, "note": "n"})
    call("dataTableRow.get", 200)
    call("dataTableRows.get", 200)
    call("dataTableRows.query", 200)
    call("dataTableRows.query", 200, json={"count": {"$gt": 5}})
    call("dataTableRows.export", 202, json={"query": {"count": 1}, "queryOptions": {"limit": 5}})
    call("dataTableRow.delete", 200)
    call("dataTableRows.delete", 200, json={"count": {"$lt": 5}}, limit=2)
    call("dataTableRows.truncate", 200)


def _use_data(call: Caller) -> None:
    device = call("device.get", 200)
    attribute = device["attributes"][0]["name"]
    devices = {"deviceIds": [device["id"]]}
    call("data.lastValueQuery", 200, json={**devices, "attribute": attribute})
    call("data.export", 202, json={**devices, "options": {"includeDate": True}})
    ask = {**devices, "duration": 86_400_000, "resolution": 3_600_000, "attributes": [attribute]}
    for kind in ("FIRST", "LAST", "COUNT", "MAX", "MIN", "MEDIAN", "MEAN", "SUM", "STD_DEV"):
        call("data.timeSeriesQuery", 200, json={**ask, "aggregation": kind})
    call("data.timeSeriesQuery", 200, json={**ask, "aggregation": {"type": "MEAN", "options": {}}})
    held = {"type": "TIMEATVALUE", "options": {"value": 1}}
    call("data.timeSeriesQuery", 200, json={**ask, "aggregation": held})
    raw = {"aggregation": "NONE", "limit": 3, "order": "desc", "duration": 86_400_000}
    assert call("data.timeSeriesQuery", 200, json={**devices, **raw})["devices"]
    call("data.timeSeriesQuery", 200, json={"deviceTags": [{"key": "none"}]})


def _use_jobs(call: Caller) -> None:
    logs = call("applicationJobLogs.get", 200)["items"]
    for log in logs:
        call("applicationJobLog.get", 200, jobId=log["id"])
    assert {log["resourceType"] for log in logs} >= {"event", "datatable", "device"}


# ---- variants of reading -----------------------------------------------------------------------

PAGED = [id for id, e in ENDPOINTS.items() if any(p.name == "sortField" for p in e.params)]
ROW_LISTS = ["dataTableRows.get", "dataTableRows.query"]


@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("endpoint_id", PAGED)
def test_every_sort_order_answers_by_the_schema(
    endpoint_id: str, direction: str, call: Caller
) -> None:
    """Each published sort field works in both directions, on any page."""
    [fields] = [p.enum for p in ENDPOINTS[endpoint_id].params if p.name == "sortField"]
    if endpoint_id == "applicationJobLogs.get":
        call("events.export", 202)
    for field in fields:
        first = call(endpoint_id, 200, sortField=field, sortDirection=direction, perPage=3)
        second = call(endpoint_id, 200, sortField=field, sortDirection=direction, perPage=3, page=1)
        assert not {_id(item) for item in first["items"]} & {_id(item) for item in second["items"]}
        assert first["count"] == len(first["items"]) == min(3, first["totalCount"])


@pytest.mark.parametrize("endpoint_id", ROW_LISTS)
def test_every_way_to_list_rows_answers_by_the_schema(endpoint_id: str, call: Caller) -> None:
    """Rows come sorted by any column, in parts, and with some fields only."""
    tables = call("dataTables.get", 200)["items"]
    call.ids["dataTableId"] = tables[0]["id"]
    columns = [column["name"] for column in tables[0]["columns"]]
    for column in [*columns, "id", "createdAt", "updatedAt"]:
        page = call(endpoint_id, 200, sortColumn=column, sortDirection="desc", limit=2, offset=1)
        assert page["count"] == len(page["items"])
    few = call(endpoint_id, 200, includeFields=f"id,{columns[0]}", limit=1)["items"]
    assert few[0].keys() == {"id", columns[0]}


@pytest.mark.parametrize(
    ("endpoint_id", "values"),
    [
        ("events.get", {"filterField": "subject", "filter": "*e*"}),
        ("events.get", {"state": "new"}),
        ("events.get", {"query": {"level": {"$gte": "error"}, "deviceId": {"$ne": None}}}),
        ("events.get", {"query": {"subject": {"$in": []}}}),
        ("events.mostRecentBySeverity", {"filter": "*"}),
        ("events.mostRecentBySeverity", {"query": {"subject": "no such subject"}}),
        ("dataTables.get", {"filterField": "name", "filter": "*s"}),
        ("applications.get", {"filterField": "name", "filter": "*"}),
        ("applications.get", {"summaryExclude": "eventCount", "orgId": NEVER}),
        ("application.get", {"summaryInclude": "eventCount"}),
        ("devices.get", {"filterField": "name", "filter": "*a*", "perPage": 5}),
        ("devices.get", {"deviceClass": "gateway"}),
        ("devices.get", {"deviceClass[0]": "gateway", "deviceClass[1]": "peripheral"}),
        ("devices.get", {"tagFilter[0][key]": "site"}),
        ("devices.get", {"excludeConnectionInfo": "true", "queryDeleted": "true"}),
        ("devices.get", {"query": {"tags": {"$tagKey": "site"}}, "perPage": 5}),
        ("devices.get", {"parentId": NEVER}),
        ("applicationJobLogs.get", {"query": {"status": {"$in": ["completed", "failed"]}}}),
    ],
    ids=repr,
)
def test_every_filter_answers_by_the_schema(
    endpoint_id: str, values: dict[str, Any], call: Caller
) -> None:
    """Filters, advanced queries and switches keep the shape of the answer."""
    call(endpoint_id, 200, **values)


# ---- errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize("endpoint_id", ENDPOINTS)
def test_every_operation_refuses_by_the_error_schema(endpoint_id: str, call: Caller) -> None:
    """Without a token, with an expired or a foreign one, and for what is not there."""
    endpoint = ENDPOINTS[endpoint_id]
    call.ids |= dict.fromkeys(endpoint.path_params, NEVER) | {
        "applicationId": call.sandbox.application_id
    }
    body: dict[str, Any] | None = {} if endpoint.body_required else None
    call(endpoint_id, 401, token=None, json=body)
    call(endpoint_id, 401, token="expired", json=body)
    if not endpoint.scopes & {"all.Device", "all.Device.read"}:
        call(endpoint_id, 403, token="device", json=body)
    call(endpoint_id, 400, json=body, noSuchParameter="1")
    if endpoint.path_params[-1:] not in ((), ("applicationId",)):
        values = {param.name: "x" for param in endpoint.params if param.required}
        call(endpoint_id, 404, json=_valid_body(call.contract, endpoint_id), **values)
    if endpoint.body is not None:
        values = {param.name: "x" for param in endpoint.params if param.required}
        call(endpoint_id, 400, json="not a body", **values)


def test_undeclared_errors_follow_the_error_schema(call: Caller) -> None:
    """Too many events, a wrong method, a body that is no JSON and one that is too large."""
    for _ in range(15):
        call("events.post", 201, json={"level": "info", "subject": "s"})
    call("events.post", 429, json={"level": "info", "subject": "s"})
    http = call.sandbox.http(checked=False)
    events = f"{call.sandbox.application_url}/events"
    for method, content, status in (
        ("PUT", b"{}", 405),
        ("POST", b"{", 400),
        ("POST", b'"' + b"x" * 11_000_000 + b'"', 413),
    ):
        answer = http.request(method, events, content=content)
        assert answer.status_code == status
        call.judge("events.post", answer)


# ---- the stricter schema -----------------------------------------------------------------------


def _closed(node: Any, name: str = "") -> Any:
    """The schema with every object closed that names its fields."""
    if isinstance(node, list):
        return [_closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    schema: JsonSchema = {key: _closed(value, key) for key, value in node.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        schema["properties"] = {**schema["properties"], **UNDECLARED.get(name, {})}
        if "patternProperties" not in schema:
            schema.setdefault("additionalProperties", False)
    return schema


def _valid_body(contract: Published, endpoint_id: str) -> Any:
    name = contract.actions[endpoint_id]["body_schema"]
    return None if name is None else contract.examples[name]


def _id(item: dict[str, Any]) -> str:
    return str(item["id"])


def _text(query: Any) -> str:
    return json.dumps(query)
