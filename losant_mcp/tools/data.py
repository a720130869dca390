"""Tools for what devices report: time series, last values, exports."""

from __future__ import annotations

from time import monotonic
from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from losant_mcp.api.data import (
    MAX_RAW_POINTS,
    Aggregation,
    DevicesDataExport,
    DevicesDataExportOptions,
    LastValueQuery,
    Order,
    TimeSeriesQuery,
)
from losant_mcp.api.endpoints import (
    APPLICATION_JOB_LOG_GET,
    APPLICATION_JOB_LOGS_GET,
    DATA_EXPORT,
    DATA_LAST_VALUE_QUERY,
    DATA_TIME_SERIES_QUERY,
    DEVICES_GET,
)
from losant_mcp.api.query import DEVICES
from losant_mcp.api.query_values import MAX_ITEMS
from losant_mcp.api.times import DAY, iso
from losant_mcp.api.types import DeviceTag
from losant_mcp.errors import InvalidRequest
from losant_mcp.text import one_line
from losant_mcp.tools import paging, results, series
from losant_mcp.tools.arguments import ApplicationId, DeviceIds, Time, Value, read
from losant_mcp.tools.call import Call
from losant_mcp.tools.egress import CallbackUrl, Email
from losant_mcp.tools.guarded import recorded
from losant_mcp.tools.jobs import started
from losant_mcp.tools.spec import LISTING, OUTCOME, tool

DeviceTags = Annotated[
    list[DeviceTag], Field(max_length=100, description="Devices with any of these")
]
DeviceQuery = Annotated[
    dict[str, Any],
    WithJsonSchema({"type": "object", "description": "As list_devices' query; {} is all"}),
]
Attributes = Annotated[list[str], Field(description="Default all")]
Milliseconds = Annotated[int, Field(ge=1)]
Offset = Annotated[int, Field(ge=0)]


def devices_of(call: Call) -> dict[str, Any]:
    """The checked choice of devices. Raises InvalidRequest where there is none.

    An empty list is no choice: what Losant makes of one is not documented, and "all devices"
    would be the worst.
    """
    for name in ("deviceIds", "deviceTags"):
        if call.values.get(name) == []:
            del call.values[name]
    chosen: dict[str, Any] = {
        name: call.values[name]
        for name in ("deviceIds", "deviceTags", "deviceQuery")
        if name in call.values
    }
    if not chosen:
        raise InvalidRequest(
            "No device is chosen.", hint="Give deviceIds, deviceTags or deviceQuery ({} is all)."
        )
    for i, tag in enumerate(chosen.get("deviceTags", ())):
        if tag.key is None and tag.value is None:
            raise InvalidRequest(f"deviceTags[{i}] is empty.", hint="Give key, value or both.")
    if "deviceQuery" in chosen:
        query = call.query(chosen["deviceQuery"], DEVICES, name="deviceQuery")
        chosen["deviceQuery"] = query
    return chosen


@tool("data", DATA_TIME_SERIES_QUERY, title="Query time series", output=LISTING)
async def query_time_series(
    call: Call,
    *,
    applicationId: ApplicationId,
    deviceIds: DeviceIds | None = None,
    deviceTags: DeviceTags | None = None,
    deviceQuery: DeviceQuery | None = None,
    attributes: Attributes | None = None,
    start: Annotated[Time, Field(description="As -24h, 2026-01-31T08:00")] | None = None,
    end: Annotated[Time, Field(description="Default now")] | None = None,
    duration: Annotated[Milliseconds, Field(description="ms before end, without start")] = DAY,
    resolution: Annotated[Milliseconds, Field(description="Bucket in ms; default all in one")]
    | None = None,
    aggregation: Literal[Aggregation, "TIMEATVALUE"] = "MEAN",
    aggregationValue: Annotated[Value, Field(description="For TIMEATVALUE")] | None = None,
    limit: Annotated[int, Field(ge=1, le=MAX_RAW_POINTS, description="Per device, for NONE")]
    | None = None,
    order: Order = "asc",
    offset: Offset = 0,
) -> dict[str, Any]:
    """Query device attributes over time, in buckets, or raw with aggregation NONE."""
    span = _window(call, start, end, duration)
    raw = aggregation == "NONE"
    if limit is not None and not raw:
        raise InvalidRequest("limit is for aggregation NONE only.", hint="Use resolution.")
    if resolution is not None and raw:
        raise InvalidRequest("resolution has no meaning for aggregation NONE.")
    window = series.Window(
        *span,
        descending=order == "desc",
        # What Losant does without one is not documented.
        resolution=None if raw else resolution or span[1] - span[0],
        limit=(limit or series.DEFAULT_RAW_POINTS) if raw else None,
        own_limit=raw and limit is None,
    )
    asked = {
        "attributes": attributes,
        "start": window.start,
        "end": window.end,
        "resolution": window.resolution,
        "limit": window.limit,
        "order": order,
        "aggregation": _aggregation(aggregation, aggregationValue),
        **devices_of(call),
    }
    body = read(TimeSeriesQuery, {k: v for k, v in asked.items() if v is not None})
    found = await call.client.data_time_series_query(applicationId=applicationId, body=body)
    return series.table(call, found, window, offset)


def _window(call: Call, start: int | None, end: int | None, duration: int) -> tuple[int, int]:
    """Start and end in ms. Raises InvalidRequest."""
    if start is not None and "duration" in call.values:
        raise InvalidRequest(
            "duration beside start: Losant ignores the duration then.",
            hint="Give start and end, or duration and end.",
        )
    return call.window(start, end, duration)


def _aggregation(kind: str, value: Any) -> Any:
    """The aggregation as the body has it: a word, or an object with options."""
    if kind == "TIMEATVALUE":
        if value is None:
            raise InvalidRequest("TIMEATVALUE needs aggregationValue, the value to measure.")
        return {"type": kind, "options": {"value": value}}
    if value is not None:
        raise InvalidRequest("aggregationValue is for TIMEATVALUE only.")
    return kind


@tool("data", DATA_LAST_VALUE_QUERY, DEVICES_GET, title="Query last values", output=LISTING)
async def query_last_values(
    call: Call,
    *,
    applicationId: ApplicationId,
    attribute: str,
    deviceIds: DeviceIds | None = None,
    deviceTags: DeviceTags | None = None,
    deviceQuery: DeviceQuery | None = None,
    end: Annotated[Time, Field(description="Values up to then; default now")] | None = None,
    offset: Offset = 0,
) -> dict[str, Any]:
    """Get the last reported value of one attribute of each device."""
    body = call.body(LastValueQuery, **devices_of(call))
    found = await call.client.data_last_value_query(applicationId=applicationId, body=body)
    # By id, since the next page is asked for anew and must find the same order.
    values = sorted(found.devices.items())
    shown = values[offset:]
    # A row takes 60 characters at least: no more names than rows that can be shown.
    most = call.tokens * results.BYTES_PER_TOKEN // 60
    names = await _names(call, applicationId, [key for key, _ in shown[:most]])
    items = [
        {
            "deviceId": key,
            "deviceName": names.get(key),
            "time": value.time,
            "value": value.data.get(attribute),
        }
        for key, value in shown
    ]
    hint = ""
    if not values:
        hint = f"No chosen device has reported {one_line(attribute, 60)!r}; get_device lists them."
    elif not shown:
        hint = f"offset {offset} is past the end: there are {len(values)} values."
    return call.listing(
        ["deviceId", "deviceName", "time", "value"],
        items,
        total=len(values),
        paging=paging.offsets(_again(call, end), offset=offset, total=len(values)),
        hint=hint,
    )


def _again(call: Call, end: int | None) -> dict[str, Any]:
    """The arguments for the next page: it must see the same moment as this one."""
    return {**call.arguments, "end": iso(call.now() if end is None else end)}


async def _names(call: Call, applicationId: str, ids: list[str]) -> dict[str, str]:
    """The names of the devices: the answer has ids only."""
    names: dict[str, str] = {}
    for start in range(0, len(ids), MAX_ITEMS):
        found = await call.client.devices_get(
            applicationId=applicationId,
            query={"id": {"$in": ids[start : start + MAX_ITEMS]}},
            perPage=MAX_ITEMS,
            excludeConnectionInfo=True,
        )
        names |= {device.id: device.name for device in found.items}
    return names


@tool(
    "data",
    DATA_EXPORT,
    APPLICATION_JOB_LOGS_GET,
    APPLICATION_JOB_LOG_GET,
    title="Export device data",
    output=OUTCOME,
)
async def export_device_data(
    call: Call,
    *,
    applicationId: ApplicationId,
    deviceIds: DeviceIds | None = None,
    deviceTags: DeviceTags | None = None,
    deviceQuery: DeviceQuery | None = None,
    attributes: Attributes | None = None,
    start: Annotated[Time, Field(description="As -24h, 2026-01-31T08:00")] | None = None,
    end: Annotated[Time, Field(description="Default now")] | None = None,
    includeDate: bool | None = None,
    includeID: bool | None = None,
    includeBlobData: bool | None = None,
    filePerDevice: bool | None = None,
    email: Email | None = None,
    callbackUrl: CallbackUrl | None = None,
) -> dict[str, Any]:
    """Export device data to CSV files; Losant mails a link to the token's owner, or to email."""
    if start is not None and end is not None and start >= end:
        raise InvalidRequest(f"start ({iso(start)}) is not before end ({iso(end)}).")
    options = call.body(DevicesDataExportOptions)
    body = call.body(
        DevicesDataExport,
        **devices_of(call),
        **({"options": options} if options.model_fields_set else {}),
    )
    began = monotonic()
    async with await recorded(call, "export_device_data", applicationId):
        answer = await call.client.data_export(applicationId=applicationId, body=body)
    return await started(call, applicationId, answer, began=began, resourceType="device")
