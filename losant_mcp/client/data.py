"""The client's methods for time series: one per operation, named after it."""

from __future__ import annotations

from losant_mcp.api import endpoints
from losant_mcp.api.data import (
    DevicesDataExport,
    LastValueData,
    LastValueQuery,
    TimeSeriesData,
    TimeSeriesQuery,
)
from losant_mcp.api.types import JobEnqueued
from losant_mcp.client.transport import Transport


class DataMethods(Transport):
    """``data.*``."""

    async def data_time_series_query(
        self, *, applicationId: str, body: TimeSeriesQuery
    ) -> TimeSeriesData:
        """What devices reported, aggregated over time."""
        return await self._send(
            TimeSeriesData,
            endpoints.DATA_TIME_SERIES_QUERY,
            {"applicationId": applicationId},
            body=body,
        )

    async def data_last_value_query(
        self, *, applicationId: str, body: LastValueQuery
    ) -> LastValueData:
        """The last value of one attribute of each device; devices without one are absent."""
        return await self._send(
            LastValueData,
            endpoints.DATA_LAST_VALUE_QUERY,
            {"applicationId": applicationId},
            body=body,
        )

    async def data_export(self, *, applicationId: str, body: DevicesDataExport) -> JobEnqueued:
        """Start the export of device data into a file, whose address Losant sends by mail."""
        return await self._send(
            JobEnqueued, endpoints.DATA_EXPORT, {"applicationId": applicationId}, body=body
        )
