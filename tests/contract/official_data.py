"""The official client drives time series, and looks applications, devices and jobs up."""

from __future__ import annotations

from losant_rest import Client

from tests.client.calls import Ids
from tests.contract.official import count, drives, exported_file, wait_for_jobs
from tests.served import Sandbox


@drives("data.timeSeriesQuery")
def _(official: Client, sandbox: Sandbox, ids: Ids) -> None:
    device, attribute, total = measured(sandbox)
    answer = official.data.time_series_query(
        applicationId=ids.application,
        query={
            "duration": 40 * 24 * 3_600_000,
            "resolution": 24 * 3_600_000,
            "aggregation": "COUNT",
            "attributes": [attribute],
            "deviceIds": [device],
        },
    )
    points = answer["devices"][device]["points"]
    assert sum(point["data"].get(attribute, 0) for point in points) == total


@drives("data.lastValueQuery")
def _(official: Client, sandbox: Sandbox, ids: Ids) -> None:
    device, attribute, _ = measured(sandbox)
    answer = official.data.last_value_query(
        applicationId=ids.application, query={"attribute": attribute, "deviceIds": [device]}
    )
    [row] = sandbox.store.rows(
        "SELECT value FROM points WHERE deviceId = ? AND attribute = ? ORDER BY time DESC LIMIT 1",
        device,
        attribute,
    )
    assert answer[device]["data"] == {attribute: row["value"]}


@drives("data.export")
def _(official: Client, sandbox: Sandbox, ids: Ids) -> None:
    device, attribute, total = measured(sandbox)
    answer = official.data.export(
        applicationId=ids.application,
        query={"deviceIds": [device], "attributes": [attribute], "start": 0},
    )
    assert answer["jobQueued"] is True
    assert len(exported_file(official, sandbox, ids).strip().splitlines()) == total + 1


def measured(sandbox: Sandbox) -> tuple[str, str, int]:
    """A device, an attribute that it reports as numbers, and how often it did."""
    [row] = sandbox.store.rows(
        "SELECT deviceId, attribute, count(*) FROM points"
        " WHERE typeof(value) IN ('real', 'integer')"
        " GROUP BY deviceId, attribute ORDER BY deviceId, attribute LIMIT 1"
    )
    return row[0], row[1], row[2]


@drives("applications.get")
def _(official: Client, sandbox: Sandbox, ids: Ids) -> None:
    page = official.applications.get()
    assert [item["id"] for item in page["items"]] == [ids.application]


@drives("application.get")
def _(official: Client, sandbox: Sandbox, ids: Ids) -> None:
    [row] = sandbox.store.rows("SELECT name FROM applications")
    assert official.application.get(applicationId=ids.application)["name"] == row["name"]


@drives("devices.get")
def _(official: Client, sandbox: Sandbox, ids: Ids) -> None:
    page = official.devices.get(
        applicationId=ids.application, deviceClass=["gateway", "edgeCompute"], tagsAsObject=True
    )
    where = "devices WHERE deviceClass IN ('gateway', 'edgeCompute')"
    assert page["totalCount"] == count(sandbox, where)
    [row] = sandbox.store.rows("SELECT key, value FROM device_tags LIMIT 1")
    tagged = official.devices.get(applicationId=ids.application, tagFilter=[dict(row)])
    holders = "(SELECT DISTINCT deviceId FROM device_tags WHERE key = ? AND value = ?)"
    assert tagged["totalCount"] == count(sandbox, holders, row["key"], row["value"])


@drives("device.get")
def _(official: Client, sandbox: Sandbox, ids: Ids) -> None:
    device = official.device.get(applicationId=ids.application, deviceId=ids.device)
    [row] = sandbox.store.rows("SELECT name FROM devices WHERE id = ?", ids.device)
    assert device["name"] == row["name"]


@drives("applicationJobLogs.get")
def _(official: Client, sandbox: Sandbox, ids: Ids) -> None:
    official.events.export(applicationId=ids.application, exportData={})
    page = official.application_job_logs.get(
        applicationId=ids.application, query={"resourceType": "event"}
    )
    assert page["totalCount"] == count(sandbox, "jobs") == 1


@drives("applicationJobLog.get")
def _(official: Client, sandbox: Sandbox, ids: Ids) -> None:
    official.events.export(applicationId=ids.application, exportData={})
    wait_for_jobs(official, sandbox, ids)
    [row] = sandbox.store.rows("SELECT id FROM jobs")
    log = official.application_job_log.get(applicationId=ids.application, jobId=row["id"])
    assert log["status"] == "completed"
