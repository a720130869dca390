"""The client's methods for applications, devices and background jobs: one per operation."""

from __future__ import annotations

from collections.abc import Sequence

from losant_mcp.api import endpoints
from losant_mcp.api.lookup import (
    Application,
    Applications,
    ApplicationSortField,
    Device,
    DeviceClass,
    Devices,
    DeviceSortField,
    JobLog,
    JobLogs,
    JobSortField,
)
from losant_mcp.api.types import DeviceTag, JsonObject, SortDirection
from losant_mcp.client.transport import Transport


class LookupMethods(Transport):
    """``applications.*``, ``application.*``, ``device(s).*`` and ``applicationJobLog(s).*``."""

    async def applications_get(
        self,
        *,
        sortField: ApplicationSortField | None = None,
        sortDirection: SortDirection | None = None,
        page: int | None = None,
        perPage: int | None = None,
        filterField: str | None = None,
        filter: str | None = None,
        orgId: str | None = None,
        summaryExclude: str | None = None,
        summaryInclude: str | None = None,
    ) -> Applications:
        """A page of applications; an application token may not list any."""
        return await self._send(
            Applications,
            endpoints.APPLICATIONS_GET,
            {},
            {
                "sortField": sortField,
                "sortDirection": sortDirection,
                "page": page,
                "perPage": perPage,
                "filterField": filterField,
                "filter": filter,
                "orgId": orgId,
                "summaryExclude": summaryExclude,
                "summaryInclude": summaryInclude,
            },
        )

    async def application_get(
        self,
        *,
        applicationId: str,
        summaryExclude: str | None = None,
        summaryInclude: str | None = None,
    ) -> Application:
        """One application."""
        return await self._send(
            Application,
            endpoints.APPLICATION_GET,
            {"applicationId": applicationId},
            {"summaryExclude": summaryExclude, "summaryInclude": summaryInclude},
        )

    async def devices_get(
        self,
        *,
        applicationId: str,
        sortField: DeviceSortField | None = None,
        sortDirection: SortDirection | None = None,
        page: int | None = None,
        perPage: int | None = None,
        filterField: str | None = None,
        filter: str | None = None,
        deviceClass: Sequence[DeviceClass] | None = None,
        tagFilter: Sequence[DeviceTag] | None = None,
        parentId: str | None = None,
        query: JsonObject | None = None,
        excludeConnectionInfo: bool | None = None,
        tagsAsObject: bool | None = None,
        attributesAsObject: bool | None = None,
        queryDeleted: bool | None = None,
    ) -> Devices:
        """A page of devices, by name; ``query`` overrides the other filters."""
        return await self._send(
            Devices,
            endpoints.DEVICES_GET,
            {"applicationId": applicationId},
            {
                "sortField": sortField,
                "sortDirection": sortDirection,
                "page": page,
                "perPage": perPage,
                "filterField": filterField,
                "filter": filter,
                "deviceClass": deviceClass,
                "tagFilter": tagFilter,
                "parentId": parentId,
                "query": query,
                "excludeConnectionInfo": excludeConnectionInfo,
                "tagsAsObject": tagsAsObject,
                "attributesAsObject": attributesAsObject,
                "queryDeleted": queryDeleted,
            },
        )

    async def device_get(
        self,
        *,
        applicationId: str,
        deviceId: str,
        excludeConnectionInfo: bool | None = None,
        tagsAsObject: bool | None = None,
        attributesAsObject: bool | None = None,
    ) -> Device:
        """One device with its tags and attributes."""
        return await self._send(
            Device,
            endpoints.DEVICE_GET,
            {"applicationId": applicationId, "deviceId": deviceId},
            {
                "excludeConnectionInfo": excludeConnectionInfo,
                "tagsAsObject": tagsAsObject,
                "attributesAsObject": attributesAsObject,
            },
        )

    async def application_job_logs_get(
        self,
        *,
        applicationId: str,
        sortField: JobSortField | None = None,
        sortDirection: SortDirection | None = None,
        page: int | None = None,
        perPage: int | None = None,
        query: JsonObject | None = None,
    ) -> JobLogs:
        """A page of background jobs; the oldest come first unless it is said otherwise."""
        return await self._send(
            JobLogs,
            endpoints.APPLICATION_JOB_LOGS_GET,
            {"applicationId": applicationId},
            {
                "sortField": sortField,
                "sortDirection": sortDirection,
                "page": page,
                "perPage": perPage,
                "query": query,
            },
        )

    async def application_job_log_get(self, *, applicationId: str, jobId: str) -> JobLog:
        """One background job; ``jobId`` has 24 hexadecimal characters here."""
        return await self._send(
            JobLog,
            endpoints.APPLICATION_JOB_LOG_GET,
            {"applicationId": applicationId, "jobId": jobId},
        )
