"""Applications and devices in the sandbox: found by everything that Losant can find them by."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.sandbox.demo_http import PUMP, at_application, ids, query
from tests.served import Sandbox

NORTH = "5f0c0de020000000000000c8"


@pytest.fixture
def http(sandbox: Sandbox) -> httpx.Client:
    """A client with the full token, at the demo application."""
    return at_application(sandbox)


def test_an_application_tells_what_it_holds(sandbox: Sandbox) -> None:
    """The summary counts devices that are there, tables and events."""
    http = sandbox.http()
    application = http.get(sandbox.application_url).json()
    assert application["name"] == "Cedar Creek Utilities"
    assert application["summary"] == {"dataTableCount": 5, "deviceCount": 45, "eventCount": 2000}
    page = http.get("/applications").json()
    assert (page["items"], page["totalCount"]) == ([application], 1)


@pytest.mark.parametrize(
    ("params", "kept"),
    [
        ({"summaryInclude": "eventCount,deviceCount"}, {"eventCount", "deviceCount"}),
        ({"summaryExclude": "eventCount"}, {"dataTableCount", "deviceCount"}),
    ],
)
def test_a_summary_can_be_cut(sandbox: Sandbox, params: dict[str, str], kept: set[str]) -> None:
    """Fields are included or excluded by name."""
    application = sandbox.http().get(sandbox.application_url, params=params).json()
    assert application["summary"].keys() == kept


@pytest.mark.parametrize(
    ("params", "count"),
    [
        ({"filterField": "name", "filter": "cedar*"}, 1),
        ({"filterField": "name", "filter": "creek"}, 0),
        ({"orgId": "5f0c0de00000000000000099"}, 0),
        ({"page": "1"}, 0),
    ],
)
def test_applications_can_be_filtered(sandbox: Sandbox, params: dict[str, str], count: int) -> None:
    """By name, and by an organization, of which there is none here."""
    assert sandbox.http().get("/applications", params=params).json()["count"] == count


def test_an_application_token_sees_its_application_but_no_list(sandbox: Sandbox) -> None:
    """As published, no scope of an application lists applications."""
    http = sandbox.http("application")
    assert http.get("/applications").status_code == 403
    assert http.get(sandbox.application_url).status_code == 200


def test_the_first_device_is_told_whole(http: httpx.Client) -> None:
    """Tags keep their repeated keys, attributes their types, and the system is its ancestor."""
    device = http.get(f"/devices/{PUMP}").json()
    assert device["name"] == "Alder Street Pump 1"
    assert {"key": "duty", "value": "lead"} in device["tags"]
    assert {"key": "duty", "value": "night"} in device["tags"]
    assert {a["name"]: a["dataType"] for a in device["attributes"]} == {
        "flow": "number",
        "pressure": "number",
        "motorTemp": "number",
        "vibration": "number",
        "mode": "string",
        "running": "boolean",
    }
    assert (device["parentId"], device["ancestorIds"]) == (NORTH, [NORTH])
    assert device["connectionInfo"]["connected"] == 1


def test_tags_and_attributes_come_as_objects_where_asked(sandbox: Sandbox) -> None:
    """A tag's values are an array, since a key may repeat."""
    # The published schema knows the arrays only, though the parameters are published, too.
    http = sandbox.http(checked=False)
    params = {"tagsAsObject": "true", "attributesAsObject": "1", "excludeConnectionInfo": "true"}
    device = http.get(f"{sandbox.application_url}/devices/{PUMP}", params=params).json()
    assert device["tags"]["duty"] == ["lead", "night"]
    assert device["attributes"]["running"]["dataType"] == "boolean"
    assert "connectionInfo" not in device


def test_devices_come_by_name(http: httpx.Client, sandbox: Sandbox) -> None:
    """The default sort is by name, and deleted devices are not there."""
    page = http.get("/devices").json()
    stored = sandbox.store.rows("SELECT id FROM devices WHERE deletedAt IS NULL ORDER BY name, id")
    assert ids(page["items"]) == [row["id"] for row in stored]
    assert ids(page["items"])[0] == PUMP


@pytest.mark.parametrize(
    ("params", "sql"),
    [
        ({"filterField": "name", "filter": "*boiler*"}, "name LIKE '%boiler%'"),
        ({"filter": "*boiler*"}, "1"),
        ({"deviceClass": "gateway"}, "deviceClass = 'gateway'"),
        (
            {"deviceClass[0]": "gateway", "deviceClass[1]": "system"},
            "deviceClass IN ('gateway', 'system')",
        ),
        ({"tagFilter[0][key]": "duty"}, f"id = '{PUMP}'"),
        (
            {
                "tagFilter[0][key]": "site",
                "tagFilter[0][value]": "ALD",
                "tagFilter[1][value]": "MIL",
            },
            "name LIKE 'Alder%' OR name LIKE 'Mill%'",
        ),
        ({"parentId": NORTH}, f"parentId = '{NORTH}'"),
        (
            {**query({"deviceClass": "gateway"}), "deviceClass": "system", "filter": "x"},
            "deviceClass = 'gateway'",
        ),
        (query({"connectionStatus": "disconnected"}), "connected = 0"),
        (query({"connectionStatus": None}), "connected IS NULL"),
        (query({"disconnectedAt": {"$ne": None}}), "connected = 0"),
        (query({"attributeName": "chlorine"}), "name LIKE '%chlorine%'"),
        (query({"ancestorId": NORTH}), f"parentId = '{NORTH}'"),
        (query({"ancestorId": None}), "parentId IS NULL"),
        (query({"gatewayId": {"$ne": None}}), "deviceClass = 'peripheral'"),
        (query({"tags": {"duty": "night"}}), f"id = '{PUMP}'"),
        (query({"tags": {"$ne": {"$tagKey": "site"}}}), "deviceClass = 'system'"),
        (query({"id": {"$in": [PUMP]}}), f"id = '{PUMP}'"),
    ],
)
def test_devices_are_found(
    http: httpx.Client, sandbox: Sandbox, params: dict[str, Any], sql: str
) -> None:
    """Each parameter narrows the list, any of several tags will do, and a query overrides all."""
    found = http.get("/devices", params=params).json()["items"]
    stored = sandbox.store.rows(
        f"SELECT id FROM devices WHERE deletedAt IS NULL AND ({sql}) ORDER BY name, id"
    )
    assert ids(found) == [row["id"] for row in stored]
    assert found


def test_deleted_devices_are_found_only_where_asked_for(http: httpx.Client) -> None:
    """The list of deleted devices holds them and no others; by id they are gone."""
    [device] = http.get("/devices", params={"queryDeleted": "true"}).json()["items"]
    assert device["name"] == "Chapel Green Pump 2"
    assert device["deletedAt"]
    assert http.get(f"/devices/{device['id']}").status_code == 404


@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("field", ["name", "id", "creationDate", "lastUpdated", "connectionStatus"])
def test_every_sort_of_devices_covers_them_all(
    http: httpx.Client, field: str, direction: str
) -> None:
    """Pages of any sort hold every device once."""
    params = {"sortField": field, "sortDirection": direction, "perPage": "20"}
    pages = [http.get("/devices", params={**params, "page": str(n)}).json() for n in range(3)]
    found = [id for page in pages for id in ids(page["items"])]
    assert len(found) == len(set(found)) == 45


def test_a_device_token_reads_devices_and_nothing_else(sandbox: Sandbox) -> None:
    """Devices and data are open to it; applications, events and jobs are not."""
    http = sandbox.http("device")
    for path in ("/devices", f"/devices/{PUMP}"):
        assert http.get(f"{sandbox.application_url}{path}").status_code == 200
    for path in ("", "/events", "/jobLogs", "/data-tables"):
        assert http.get(f"{sandbox.application_url}{path}").status_code == 403


def test_a_parent_is_an_id(http: httpx.Client) -> None:
    """Text that is no id is refused, as no answer could repeat it."""
    answer = http.get("/devices", params={"parentId": "0"})
    assert answer.status_code == 400
    assert "parentId" in answer.json()["message"]
