"""What the other resources refer to: applications, devices and background jobs."""

from __future__ import annotations

from typing import Any, Literal

from losant_mcp.api.types import PageFields, ResponseModel

ApplicationSortField = Literal["name", "id", "creationDate", "ownerId", "lastUpdated"]
DeviceSortField = Literal[
    "name", "id", "creationDate", "lastUpdated", "connectionStatus", "deletedAt"
]
DeviceClass = Literal[
    "standalone", "gateway", "peripheral", "floating", "edgeCompute", "system", "embedded"
]
JobSortField = Literal[
    "name", "status", "resourceType", "runQueuedAt", "runStartedAt", "runCompletedAt"
]

JOB_ENDED = ("completed", "errored", "failed")


class Application(ResponseModel):
    """An application, which holds everything else."""

    id: str = ""
    applicationId: str | None = None
    name: str = ""
    description: str | None = None
    creationDate: str | None = None
    lastUpdated: str | None = None
    ownerId: str | None = None
    ownerType: str | None = None
    organizationName: str | None = None
    summary: dict[str, Any] | None = None


class Applications(PageFields):
    """A page of applications."""

    items: list[Application] = []


class Device(ResponseModel):
    """A device; tags and attributes are arrays, or maps where they were asked for as such."""

    id: str = ""
    deviceId: str | None = None
    applicationId: str | None = None
    name: str = ""
    description: str | None = None
    creationDate: str | None = None
    lastUpdated: str | None = None
    deletedAt: str | None = None
    deviceClass: str | None = None
    tags: list[dict[str, Any]] | dict[str, Any] | None = None
    attributes: list[dict[str, Any]] | dict[str, Any] | None = None
    connectionInfo: dict[str, Any] | None = None
    gatewayId: str | None = None
    parentId: str | None = None
    ancestorIds: list[str] | None = None


class Devices(PageFields):
    """A page of devices."""

    items: list[Device] = []
    query: dict[str, Any] | None = None


class JobLog(ResponseModel):
    """A background job; ``output`` holds what it made: download URLs, counts."""

    id: str = ""
    jobId: str | None = None
    name: str | None = None
    status: str | None = None
    resourceType: str | None = None
    resourceId: str | None = None
    runQueuedAt: str | None = None
    runStartedAt: str | None = None
    runCompletedAt: str | None = None
    progress: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    input: dict[str, Any] | None = None
    output: dict[str, Any] | None = None


class JobLogs(PageFields):
    """A page of job logs."""

    items: list[JobLog] = []
    query: dict[str, Any] | None = None
