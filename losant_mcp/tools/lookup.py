"""Tools for what other tools refer to: applications, devices, background jobs."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from losant_mcp.api.endpoints import (
    APPLICATION_GET,
    APPLICATION_JOB_LOG_GET,
    APPLICATION_JOB_LOGS_GET,
    APPLICATIONS_GET,
    DEVICE_GET,
    DEVICES_GET,
)
from losant_mcp.api.lookup import (
    ApplicationSortField,
    Device,
    DeviceClass,
    DeviceSortField,
    JobSortField,
)
from losant_mcp.api.query import DEVICES, JOB_LOGS
from losant_mcp.api.types import SortDirection
from losant_mcp.errors import InvalidRequest
from losant_mcp.text import one_line
from losant_mcp.tools import paging, results
from losant_mcp.tools.arguments import ApplicationId, DeviceId, JobId, Unbound, query_over
from losant_mcp.tools.call import Call
from losant_mcp.tools.jobs import facts
from losant_mcp.tools.spec import LISTING, tool

Filter = Annotated[str, Field(description="Name glob: *pump*")]
Page = Annotated[int, Field(ge=0)]
PerPage = Annotated[int, Field(ge=1, le=1000)]
DeviceQuery = Annotated[dict[str, Any], query_over(DEVICES)]
JobQuery = Annotated[dict[str, Any], query_over(JOB_LOGS)]

APPLICATION_COLUMNS = ["id", "name", "description", "organizationName", "summary"]
DEVICE_COLUMNS = ["id", "name", "deviceClass", "connected", "tags", "attributes"]


@tool("lookup", APPLICATIONS_GET, APPLICATION_GET, title="List applications", output=LISTING)
async def list_applications(
    call: Call,
    *,
    filter: Annotated[Filter, Unbound()] | None = None,
    sortField: Annotated[ApplicationSortField, Unbound()] = "name",
    sortDirection: Annotated[SortDirection, Unbound()] = "asc",
    page: Annotated[Page, Unbound()] = 0,
    perPage: Annotated[PerPage, Unbound()] = 100,
) -> dict[str, Any]:
    """List the applications that this server can reach."""
    if call.bound_to is not None:
        one = await call.client.application_get(applicationId=call.bound_to)
        return call.listing(APPLICATION_COLUMNS, [one.to_json()], total=1, paging=paging.only_page)
    if applications := sorted(call.client.policy.applications):
        known = [await call.client.application_get(applicationId=id) for id in applications]
        items = [application.to_json() for application in known]
        return call.listing(APPLICATION_COLUMNS, items, total=len(items), paging=paging.only_page)
    chosen = {"filterField": "name", "filter": filter} if filter else {}
    found = await call.client.applications_get(
        sortField=sortField, sortDirection=sortDirection, page=page, perPage=perPage, **chosen
    )
    hint = ""
    if not found.items:
        hint = (
            f"Page {page} is past the end."
            if found.totalCount
            else f"No application's name fits {one_line(filter, 60)!r}."
            if filter
            else "The token sees no application."
        )
    items = [application.to_json() for application in found.items]
    return call.page(APPLICATION_COLUMNS, items, found, page=page, perPage=perPage, hint=hint)


@tool("lookup", DEVICES_GET, title="List devices", output=LISTING)
async def list_devices(
    call: Call,
    *,
    applicationId: ApplicationId,
    filter: Filter | None = None,
    deviceClass: DeviceClass | None = None,
    query: DeviceQuery | None = None,
    sortField: DeviceSortField = "name",
    sortDirection: SortDirection = "asc",
    page: Page = 0,
    perPage: PerPage = 100,
) -> dict[str, Any]:
    """List devices with tags, attributes and connection."""
    chosen: dict[str, Any] = {}
    if query is not None:
        if filter or deviceClass:
            raise InvalidRequest(
                "filter or deviceClass beside query: Losant ignores them then.",
                hint='Put them into the query: {"name": {"$contains": "pump", "$ci": true}}.',
            )
        chosen["query"] = call.query(query, DEVICES)
    elif filter:
        chosen |= {"filterField": "name", "filter": filter}
    if deviceClass and query is None:
        chosen["deviceClass"] = [deviceClass]
    found = await call.client.devices_get(
        applicationId=applicationId,
        sortField=sortField,
        sortDirection=sortDirection,
        page=page,
        perPage=perPage,
        **chosen,
    )
    hint = ""
    if not found.items:
        hint = (
            f"Page {page} is past the end: {found.totalCount} devices match."
            if found.totalCount
            else f"No device matches {one_line(results.compact(chosen), 200)}; loosen it."
            if chosen
            else "The application has no devices."
        )
    items = [_row(device) for device in found.items]
    return call.page(
        DEVICE_COLUMNS, items, found, page=page, perPage=perPage, whole="get_device", hint=hint
    )


def _row(device: Device) -> dict[str, Any]:
    tags = device.tags if isinstance(device.tags, list) else []
    attributes = device.attributes if isinstance(device.attributes, list) else []
    return {
        **device.to_json(),
        "connected": (device.connectionInfo or {}).get("connected"),
        "tags": ", ".join(f"{tag.get('key')}={tag.get('value')}" for tag in tags),
        "attributes": ", ".join(f"{a.get('name')}:{a.get('dataType')}" for a in attributes),
    }


@tool("lookup", DEVICE_GET, title="Get a device")
async def get_device(
    call: Call, *, applicationId: ApplicationId, deviceId: DeviceId
) -> dict[str, Any]:
    """Get one device whole."""
    device = await call.client.device_get(applicationId=applicationId, deviceId=deviceId)
    return call.single("device", results.api_object(device.to_json(), "deviceId"))


@tool(
    "lookup",
    APPLICATION_JOB_LOGS_GET,
    APPLICATION_JOB_LOG_GET,
    title="List background jobs",
    output=LISTING,
)
async def list_jobs(
    call: Call,
    *,
    applicationId: ApplicationId,
    jobId: Annotated[JobId, Field(description="Only this job")] | None = None,
    query: JobQuery | None = None,
    sortField: JobSortField = "runQueuedAt",
    sortDirection: SortDirection = "desc",
    page: Page = 0,
    perPage: PerPage = 20,
) -> dict[str, Any]:
    """List exports and bulk changes that run in the background, newest first, with results."""
    columns = ["id", "name", "status", "resourceType", "runQueuedAt", "runCompletedAt", "result"]
    if jobId is not None:
        job = await call.client.application_job_log_get(applicationId=applicationId, jobId=jobId)
        return call.listing(
            columns, [facts(call, job)], total=1, paging=paging.only_page, cell=JOB_CELL
        )
    checked = call.query(query, JOB_LOGS)
    found = await call.client.application_job_logs_get(
        applicationId=applicationId,
        sortField=sortField,
        sortDirection=sortDirection,
        page=page,
        perPage=perPage,
        **({"query": checked} if checked is not None else {}),
    )
    hint = "" if found.items else _no_jobs(page, found.totalCount, bool(query))
    items = [facts(call, job) for job in found.items]
    return call.page(columns, items, found, page=page, perPage=perPage, cell=JOB_CELL, hint=hint)


JOB_CELL = 2000
"""Characters of a cell: a download link must come whole."""


def _no_jobs(page: int, total: int, narrowed: bool) -> str:
    if total:
        return f"Page {page} is past the end: {total} jobs match."
    return "No job matches the query." if narrowed else "No job has run."
