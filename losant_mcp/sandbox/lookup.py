"""Applications and devices: what everything else belongs to, and what it is about."""

from __future__ import annotations

import json
import sqlite3
from functools import partial
from typing import Any, get_args

from losant_mcp.api.lookup import DeviceSortField
from losant_mcp.api.query import DEVICES, parse_query
from losant_mcp.sandbox.call import Answer, Call, Handler, iso, not_found
from losant_mcp.sandbox.listing import Condition, Listing, both, either, globbed, page
from losant_mcp.sandbox.query_sql import Field, Tags, where
from losant_mcp.sandbox.tokens import USER_ID

# ---- applications --------------------------------------------------------------------------

SUMMARY = {
    "dataTableCount": "SELECT COUNT(*) FROM data_tables WHERE applicationId = a.id",
    "deviceCount": "SELECT COUNT(*) FROM devices WHERE applicationId = a.id AND deletedAt IS NULL",
    "eventCount": "SELECT COUNT(*) FROM events WHERE applicationId = a.id",
}

APPLICATION_COLUMNS = "a.*, " + ", ".join(f"({sql}) AS {name}" for name, sql in SUMMARY.items())


def get_applications(call: Call) -> Answer:
    """A page of the applications that the token's owner can see: all of them."""
    conditions: list[Condition] = [("1", [])]
    if call.params.get("filter") and call.params.get("filterField"):
        conditions.append(globbed("a.name", call.params["filter"]))
    if call.params.get("orgId"):
        conditions.append(("0", []))  # the sandbox has no organizations
    sort = {
        name: f"a.{name}" if name != "ownerId" else "NULL"
        for name in ("name", "id", "creationDate", "ownerId", "lastUpdated")
    }
    listing = Listing(
        APPLICATION_COLUMNS, "applications a", sort, partial(_application, call), "a.id"
    )
    return Answer(200, page(call, listing, both(*conditions)))


def get_application(call: Call) -> Answer:
    """One application, with how many things it holds."""
    row = call.db.execute(
        f"SELECT {APPLICATION_COLUMNS} FROM applications a WHERE a.id = ?", (call.application_id,)
    ).fetchone()
    if row is None:
        raise not_found("Application")
    return Answer(200, _application(call, row))


def _application(call: Call, row: sqlite3.Row) -> dict[str, Any]:
    summary = {name: row[name] for name in SUMMARY}
    if included := call.params.get("summaryInclude"):
        summary = {name: n for name, n in summary.items() if name in included.split(",")}
    if excluded := call.params.get("summaryExclude"):
        summary = {name: n for name, n in summary.items() if name not in excluded.split(",")}
    application = {
        "id": row["id"],
        "applicationId": row["id"],
        "name": row["name"],
        "creationDate": iso(row["creationDate"]),
        "lastUpdated": iso(row["lastUpdated"]),
        "ownerType": "user",
        "ownerId": USER_ID,
        "summary": summary,
    }
    if row["description"] is not None:
        application["description"] = row["description"]
    return application


# ---- devices -------------------------------------------------------------------------------

ANCESTORS = """WITH RECURSIVE up(id, parentId) AS (
  SELECT p.id, p.parentId FROM devices p WHERE p.id = d.parentId
  UNION SELECT p.id, p.parentId FROM devices p JOIN up ON p.id = up.parentId
) SELECT id FROM up"""

DEVICE_COLUMNS = f"""d.*,
(SELECT json_group_array(json_object('key', key, 'value', value))
  FROM (SELECT key, value FROM device_tags WHERE deviceId = d.id ORDER BY rowid)) AS tags,
(SELECT json_group_array(json_object('name', name, 'dataType', dataType))
  FROM device_attributes WHERE deviceId = d.id) AS attributes,
(SELECT json_group_array(id) FROM ({ANCESTORS})) AS ancestorIds"""

# In which words a query names the connection status is not documented.
CONNECTION_STATUS = "CASE d.connected WHEN 1 THEN 'connected' WHEN 0 THEN 'disconnected' END"

DEVICE_FIELDS: dict[str, Field | Tags] = {
    "id": Field("d.id", "id"),
    "name": Field("d.name"),
    "deviceClass": Field("d.deviceClass"),
    "creationDate": Field("d.creationDate", "time"),
    "lastUpdated": Field("d.lastUpdated", "time"),
    "deletedAt": Field("d.deletedAt", "time"),
    "connectedAt": Field("d.connectedAt", "time"),
    "disconnectedAt": Field("d.disconnectedAt", "time"),
    "connectionStatus": Field(CONNECTION_STATUS),
    "gatewayId": Field("d.gatewayId", "id"),
    "parentId": Field("d.parentId", "id"),
    "ancestorId": Field("u.id", "id", source=f"FROM ({ANCESTORS}) u WHERE 1"),
    "attributeName": Field("n.name", source="FROM device_attributes n WHERE n.deviceId = d.id"),
    # The sandbox has no experience users.
    "experienceUserId": Field("NULL", "id"),
    "experienceGroupId": Field("NULL", "id"),
    "tags": Tags("device_tags", "deviceId", "d.id"),
}


def get_devices(call: Call) -> Answer:
    """A page of the devices that are there; of the deleted ones, where those are asked for."""
    sort = {name: f"d.{name}" for name in get_args(DeviceSortField)}
    sort["connectionStatus"] = "d.connected"
    listing = Listing(DEVICE_COLUMNS, "devices d", sort, partial(_device, call), "d.id")
    body = page(call, listing, both(*_devices_meant(call)))
    classes = call.params.get("deviceClass", ())
    if len(classes) == 1:
        body["deviceClass"] = classes[0]  # the envelope's field holds one class only
    return Answer(200, body)


def _devices_meant(call: Call) -> list[Condition]:
    params = call.params
    deleted = "IS NOT NULL" if params.get("queryDeleted") else "IS NULL"
    conditions: list[Condition] = [
        (f"d.applicationId = ? AND d.deletedAt {deleted}", [call.application_id])
    ]
    if "query" in params:
        conditions.append(device_query(params["query"]))
        return conditions
    if params.get("filter") and params.get("filterField"):
        conditions.append(globbed("d.name", params["filter"]))
    if classes := params.get("deviceClass"):
        conditions.append((f"d.deviceClass IN ({', '.join('?' * len(classes))})", list(classes)))
    if tags := params.get("tagFilter"):
        conditions.append(tagged(tags))
    if params.get("parentId"):
        conditions.append(("d.parentId = ?", [params["parentId"].lower()]))
    return conditions


def device_query(query: Any) -> Condition:
    """The condition that a device ``d`` is found by an advanced query."""
    return where(parse_query(query, DEVICES), DEVICE_FIELDS)


def tagged(tags: list[dict[str, str]]) -> Condition:
    """The condition that a device ``d`` has at least one of the tags.

    A tag without a value means every value of its key. That any of several tags is enough is how
    Losant's device queries work; of ``tagFilter`` it is not documented.
    """
    return either(
        *(
            (
                "EXISTS (SELECT 1 FROM device_tags t WHERE t.deviceId = d.id"
                + "".join(f" AND t.{name} = ?" for name in ("key", "value") if name in tag)
                + ")",
                [tag[name] for name in ("key", "value") if name in tag],
            )
            for tag in tags
        )
    )


def get_device(call: Call) -> Answer:
    """One device that is not deleted."""
    row = call.db.execute(
        f"SELECT {DEVICE_COLUMNS} FROM devices d"
        " WHERE d.id = ? AND d.applicationId = ? AND d.deletedAt IS NULL",
        (call.path["deviceId"], call.application_id),
    ).fetchone()
    if row is None:
        raise not_found("Device")
    return Answer(200, _device(call, row))


def tags_by_key(tags: list[dict[str, str]]) -> dict[str, list[str]]:
    """Tags as a map; a key can have several values."""
    found: dict[str, list[str]] = {}
    for tag in tags:
        found.setdefault(tag["key"], []).append(tag["value"])
    return found


def _device(call: Call, row: sqlite3.Row) -> dict[str, Any]:
    tags = json.loads(row["tags"])
    attributes = json.loads(row["attributes"])
    device = {
        "id": row["id"],
        "deviceId": row["id"],
        "applicationId": row["applicationId"],
        "creationDate": iso(row["creationDate"]),
        "lastUpdated": iso(row["lastUpdated"]),
        "name": row["name"],
        "deviceClass": row["deviceClass"],
        "tags": tags_by_key(tags) if call.params.get("tagsAsObject") else tags,
        "attributes": attributes,
        "parentId": row["parentId"],
        "ancestorIds": json.loads(row["ancestorIds"]),
    }
    if call.params.get("attributesAsObject"):
        device["attributes"] = {attribute["name"]: attribute for attribute in attributes}
    for name in ("description", "gatewayId"):
        if row[name] is not None:
            device[name] = row[name]
    if row["deletedAt"] is not None:
        device["deletedAt"] = iso(row["deletedAt"])
    if not call.params.get("excludeConnectionInfo"):
        changed = row["connectedAt"] if row["connected"] else row["disconnectedAt"]
        device["connectionInfo"] = {"connected": row["connected"]}
        if changed is not None:
            device["connectionInfo"]["time"] = iso(changed)
    return device


HANDLERS: dict[str, Handler] = {
    "applications.get": get_applications,
    "application.get": get_application,
    "devices.get": get_devices,
    "device.get": get_device,
}
