"""Tools for what devices report: time series, last values, exports."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from losant_mcp.api.data import (
    MAX_RAW_POINTS,
    Aggregation,
    DevicesDataExport,
    DevicesDataExportOptions,
    LastValueQuery,
    Order,
    TimeSeriesData,
    TimeSeriesQuery,
)
from losant_mcp.api.endpoints import (
    DATA_EXPORT,
    DATA_LAST_VALUE_QUERY,
    DATA_TIME_SERIES_QUERY,
    DEVICES_GET,
)
from losant_mcp.api.query import DEVICES, MAX_ITEMS
from losant_mcp.api.types import DeviceTag
from losant_mcp.errors import InvalidRequest
from losant_mcp.tools.arguments import ApplicationId, DeviceIds, Time, Value
from losant_mcp.tools.call import Call
from losant_mcp.tools.egress import CallbackUrl, Email
from losant_mcp.tools.jobs import started
from losant_mcp.tools.spec import LISTING, OUTCOME, tool
from losant_mcp.tools.times import iso

DeviceTags = Annotated[
    list[DeviceTag], Field(max_length=100, description="Devices with any of these tags")
]
DeviceQuery = Annotated[
    dict[str, Any],
    WithJsonSchema({"type": "object", "description": "Query as of list_devices; {} is all"}),
]
Attributes = Annotated[list[str], Field(description="All if left out")]
Milliseconds = Annotated[int, Field(ge=1)]

DEFAULT_RAW_POINTS = 1000


def devices_of(call: Call) -> dict[str, Any]:
    """The checked choice of devices. Raises InvalidRequest where there is none."""
    chosen = [n for n in ("deviceIds", "deviceTags", "deviceQuery") if n in call.values]
    if not chosen:
        raise InvalidRequest(
            "No device is chosen.", hint="Give deviceIds, deviceTags or deviceQuery ({} is all)."
        )
    if "deviceQuery" not in chosen:
        return {}
    return {"deviceQuery": call.query(call.values["deviceQuery"], DEVICES)}


@tool("data", DATA_TIME_SERIES_QUERY, title="Query time series", output=LISTING)
async def query_time_series(
    call: Call,
    *,
    applicationId: ApplicationId,
    deviceIds: DeviceIds | None = None,
    deviceTags: DeviceTags | None = None,
    deviceQuery: DeviceQuery | None = None,
    attributes: Attributes | None = None,
    start: Time | None = None,
    end: Time | None = None,
    duration: Annotated[Milliseconds, Field(description="ms before end, if no start")] = 86_400_000,
    resolution: Annotated[Milliseconds, Field(description="Bucket in ms")] | None = None,
    aggregation: Aggregation | Literal["TIMEATVALUE"] = "MEAN",
    aggregationValue: Annotated[Value, Field(description="For TIMEATVALUE")] | None = None,
    limit: Annotated[
        int, Field(ge=1, le=MAX_RAW_POINTS, description="Points per device, NONE only")
    ]
    | None = None,
    order: Order = "asc",
) -> dict[str, Any]:
    """Query device attributes over time, in buckets. aggregation NONE gives raw points."""
    kind: Any = aggregation
    if aggregation == "TIMEATVALUE":
        if aggregationValue is None:
            raise InvalidRequest("TIMEATVALUE needs aggregationValue, the value to measure.")
        kind = {"type": aggregation, "options": {"value": aggregationValue}}
    elif aggregationValue is not None:
        raise InvalidRequest("aggregationValue is for TIMEATVALUE only.")
    window: dict[str, Any] = {"end": end if end is not None else call.time("now", "end")}
    if start is not None:
        if start >= window["end"]:
            raise InvalidRequest("start is not before end.", hint=f"resolved: {call.resolved}")
        window["start"] = start
    else:
        window["duration"] = duration
    raw = aggregation == "NONE"
    if limit is not None and not raw:
        raise InvalidRequest("limit is for aggregation NONE only.", hint="Use resolution.")
    body = call.body(
        TimeSeriesQuery,
        **devices_of(call),
        **window,
        aggregation=kind,
        order=order,
        **({"limit": limit or DEFAULT_RAW_POINTS} if raw else {}),
    )
    found = await call.client.data_time_series_query(applicationId=applicationId, body=body)
    return _series(call, found, limit or DEFAULT_RAW_POINTS if raw else None)


def _series(call: Call, found: TimeSeriesData, limit: int | None) -> dict[str, Any]:
    names = [device.name for device in found.devices.values()]
    # The name alone where it tells the device; the id beside it only in the list of devices.
    labels = {
        key: device.name if names.count(device.name) == 1 else key
        for key, device in found.devices.items()
    }
    points = [
        (point.time, labels[key], point.data)
        for key, device in found.devices.items()
        for point in device.points
    ]
    points.sort(key=lambda p: (p[0], p[1]), reverse=found.order == "desc")
    attributes = sorted({name for _, _, data in points for name in data})
    items = [{**data, "time": time, "device": label} for time, label, data in points]

    def following(shown: int) -> dict[str, Any] | None:
        if not shown or shown >= len(points):
            return None
        arguments = {
            k: v for k, v in call.arguments.items() if k not in ("duration", "start", "end")
        }
        edge, forward = points[shown][0], found.order != "desc"
        return {
            **arguments,
            "start": edge if forward else found.start,
            "end": found.end if forward else edge,
        }

    more: dict[str, Any] = {"window": {"start": found.start, "end": found.end}}
    if call.values.get("aggregation") != "NONE":
        more["resolution"] = found.resolution
    more["devices"] = [[key, device.name] for key, device in found.devices.items()][:50]
    if not points:
        more["hint"] = _no_points(found)
    full = [d.name for d in found.devices.values() if limit and len(d.points) >= limit]
    if full:
        more["limited"] = f"{len(full)} devices have {limit} points or more; narrow the window."
    return call.listing(
        ["time", "device", *attributes], items, total=len(points), next_page=following, **more
    )


def _no_points(found: TimeSeriesData) -> str:
    if not found.devices:
        return "No device fits. Check the choice of devices with list_devices."
    return (
        f"{len(found.devices)} devices fit but reported nothing from {found.start} to {found.end}."
        " Check the attributes (get_device lists them) or widen the window."
    )


@tool("data", DATA_LAST_VALUE_QUERY, DEVICES_GET, title="Query last values", output=LISTING)
async def query_last_values(
    call: Call,
    *,
    applicationId: ApplicationId,
    attribute: str,
    deviceIds: DeviceIds | None = None,
    deviceTags: DeviceTags | None = None,
    deviceQuery: DeviceQuery | None = None,
    end: Annotated[Time, Field(description="Last value before this; now if left out")]
    | None = None,
) -> dict[str, Any]:
    """Get the last reported value of one attribute of each device."""
    body = call.body(LastValueQuery, **devices_of(call))
    found = await call.client.data_last_value_query(applicationId=applicationId, body=body)
    values = found.devices
    names = await _names(call, applicationId, list(values))
    items = [
        {
            "deviceId": key,
            "deviceName": names.get(key),
            "time": v.time,
            "value": v.data.get(attribute),
        }
        for key, v in values.items()
    ]
    items.sort(key=lambda item: str(item["time"]), reverse=True)
    more = {} if items else {"hint": f"No chosen device has reported {attribute[:60]!r}."}

    def following(shown: int) -> dict[str, Any] | None:
        if not shown or shown >= len(items):
            return None
        choice = ("deviceIds", "deviceTags", "deviceQuery")
        rest = {k: v for k, v in call.arguments.items() if k not in choice}
        return {**rest, "deviceIds": [item["deviceId"] for item in items[shown:]]}

    return call.listing(
        ["deviceId", "deviceName", "time", "value"],
        items,
        total=len(items),
        next_page=following,
        **more,
    )


async def _names(call: Call, application_id: str, ids: list[str]) -> dict[str, str]:
    """The names of the first hundred devices: the answer has ids only."""
    if not ids:
        return {}
    found = await call.client.devices_get(
        applicationId=application_id,
        query={"id": {"$in": ids[:MAX_ITEMS]}},
        perPage=MAX_ITEMS,
        excludeConnectionInfo=True,
    )
    return {device.id: device.name for device in found.items}


@tool("data", DATA_EXPORT, title="Export device data", output=OUTCOME)
async def export_device_data(
    call: Call,
    *,
    applicationId: ApplicationId,
    deviceIds: DeviceIds | None = None,
    deviceTags: DeviceTags | None = None,
    deviceQuery: DeviceQuery | None = None,
    attributes: Attributes | None = None,
    start: Time | None = None,
    end: Time | None = None,
    includeDate: bool | None = None,
    includeID: bool | None = None,
    includeBlobData: bool | None = None,
    filePerDevice: bool | None = None,
    email: Email | None = None,
    callbackUrl: CallbackUrl | None = None,
) -> dict[str, Any]:
    """Export device data to CSV files; Losant mails a link to the token's owner, or to email."""
    if isinstance(start, int) and isinstance(end, int) and start >= end:
        raise InvalidRequest(f"start ({iso(start)}) is not before end ({iso(end)}).")
    options = call.body(DevicesDataExportOptions)
    body = call.body(
        DevicesDataExport,
        **devices_of(call),
        **({"options": options} if options.model_fields_set else {}),
    )
    answer = await call.client.data_export(applicationId=applicationId, body=body)
    return await started(call, applicationId, answer, resource_type="device")
