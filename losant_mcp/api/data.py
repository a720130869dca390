"""Time series: what devices reported, aggregated over time or as it was last seen."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from losant_mcp.api.query import AdvancedDeviceQuery
from losant_mcp.api.types import (
    CallbackUrl,
    DeviceIds,
    DeviceTags,
    EmailText,
    Key,
    Omit,
    OpenRequestModel,
    RequestModel,
    ResponseModel,
)

Aggregation = Literal[
    "FIRST", "LAST", "COUNT", "MAX", "MIN", "MEDIAN", "MEAN", "SUM", "STD_DEV", "NONE"
]
Order = Literal["asc", "desc"]

MAX_RAW_POINTS = 25_000
"""Most points of a query without aggregation (Losant's time series node)."""


class NoOptions(RequestModel):
    """``{}``: the plain aggregations take no options."""


class AggregationType(RequestModel):
    """An aggregation in its long form."""

    type: Aggregation
    options: Omit[NoOptions] = None


class TimeAtValueOptions(RequestModel):
    """The value whose time is asked for."""

    value: Annotated[str, StringConstraints(max_length=255)] | bool | int | float


class TimeAtValue(RequestModel):
    """How long an attribute had a value, in milliseconds, per bucket."""

    type: Literal["TIMEATVALUE"]
    options: TimeAtValueOptions


LongAggregation = Annotated[AggregationType | TimeAtValue, Field(discriminator="type")]


class TimeSeriesQuery(RequestModel):
    """Times in ms since the epoch, ``duration`` and ``resolution`` in ms.

    ``end`` 0 or absent is now, negative is ms before now; ``duration`` counts back from the end
    where ``start`` is absent and is ignored where it is given.
    """

    start: Omit[int | float] = None
    end: Omit[int | float] = None
    duration: Omit[int | float] = None
    resolution: Omit[int | float] = None
    aggregation: Omit[Aggregation | LongAggregation] = None
    attributes: Omit[list[Key]] = None
    deviceIds: Omit[DeviceIds] = None
    deviceTags: Omit[DeviceTags] = None
    deviceQuery: Omit[AdvancedDeviceQuery] = None
    limit: Omit[int | float] = None
    order: Omit[Order] = None


class LastValueQuery(RequestModel):
    """The last value of one attribute of each device, before ``end`` (ms since the epoch)."""

    attribute: Omit[Key] = None
    deviceIds: Omit[DeviceIds] = None
    deviceTags: Omit[DeviceTags] = None
    deviceQuery: Omit[AdvancedDeviceQuery] = None
    end: Omit[int | float] = None


class DevicesDataExportOptions(OpenRequestModel):
    """What the file holds."""

    includeDate: Omit[bool] = None
    includeID: Omit[bool] = None
    includeBlobData: Omit[bool] = None
    filePerDevice: Omit[bool] = None


class DevicesDataExport(RequestModel):
    """Asks for a file of device data."""

    email: Omit[EmailText] = None
    callbackUrl: Omit[CallbackUrl] = None
    deviceIds: Omit[DeviceIds] = None
    deviceTags: Omit[DeviceTags] = None
    deviceQuery: Omit[AdvancedDeviceQuery] = None
    attributes: Omit[Annotated[list[Key], Field(max_length=256)]] = None
    start: Omit[int | float] = None
    end: Omit[int | float] = None
    options: Omit[DevicesDataExportOptions] = None


class Point(ResponseModel):
    """The values of a bucket, or one report; ``time`` is ISO 8601 in UTC."""

    time: str
    data: dict[str, Any]


class DeviceSeries(ResponseModel):
    """One device's points."""

    name: str
    tags: dict[str, Any] = {}
    points: list[Point]


class TimeSeriesData(ResponseModel):
    """What a time series query found, by device id."""

    start: str
    end: str
    resolution: int | float | None = None
    aggregation: str | dict[str, Any] | None = None
    limit: int | float | None = None
    order: str | None = None
    devices: dict[str, DeviceSeries]


class LastValue(ResponseModel):
    """One device's last value."""

    time: str
    data: dict[str, Any]


class LastValueData(ResponseModel):
    """The last values by device id; a device without data is absent."""

    # A field that says something else, such as ``_type``, stays what it is.
    __pydantic_extra__: dict[str, Annotated[LastValue | Any, Field(union_mode="left_to_right")]]

    @property
    def devices(self) -> dict[str, LastValue]:
        """The values by device id."""
        fields = self.__pydantic_extra__ or {}
        return {key: value for key, value in fields.items() if isinstance(value, LastValue)}
