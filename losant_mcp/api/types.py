"""The types that every part of the API shares: ids, names, values, and the two model bases.

Requests are strict, since a field that Losant would drop or misread is a mistake worth telling.
Responses are lenient, since the API grows and an unknown field is never an error.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, RootModel, StringConstraints

T = TypeVar("T")

OBJECT_ID = r"^[A-Fa-f0-9]{24}$"
KEY = r"^[0-9a-zA-Z_-]{1,255}$"

ObjectId = Annotated[str, StringConstraints(pattern=OBJECT_ID)]
"""24 hexadecimal characters."""

Key = Annotated[str, StringConstraints(pattern=KEY)]
"""A name of a column, an attribute or a tag."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Description = Annotated[str, StringConstraints(max_length=32767)]
TagText = Annotated[str, StringConstraints(min_length=1, max_length=255)]

Scalar = str | int | float | bool | None
"""What a cell, and a literal in an advanced query, can be."""

SortDirection = Literal["asc", "desc"]

JsonObject = dict[str, Any]  # any JSON object; its values are checked elsewhere or passed on


def _refuse_null(value: Any) -> Any:
    if value is None:
        raise ValueError("may be left out, but may not be null")
    return value


Omit = Annotated[T | None, BeforeValidator(_refuse_null)]
"""A field that may be absent but not null: the schemas tell the two apart, and so does Losant."""


class RequestModel(BaseModel):
    """A body that goes to Losant: unknown fields and coerced types are refused."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, defer_build=True, allow_inf_nan=False
    )

    def to_json(self) -> Any:
        """The body as JSON data: exactly the fields that were given, null kept as null."""
        return self.model_dump(mode="json", exclude_unset=True, by_alias=True)


class RequestRoot(RootModel[T]):
    """A body that is not an object of fixed fields: rows, or an advanced query."""

    model_config = ConfigDict(strict=True, frozen=True, defer_build=True)

    def to_json(self) -> Any:
        """The body as JSON data, as it was given."""
        return self.model_dump(mode="json", exclude_unset=True, by_alias=True)


class ResponseModel(BaseModel):
    """An answer from Losant: unknown fields are kept, missing ones are None."""

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True, protected_namespaces=())

    def to_json(self) -> JsonObject:
        """The answer as JSON data, without the fields that were not there."""
        return self.model_dump(mode="json", exclude_unset=True, by_alias=True)


class ErrorBody(ResponseModel):
    """The body of every error status (schema ``error``)."""

    type: str | None = None
    message: str | None = None


class Success(ResponseModel):
    """``{"success": true}``."""

    success: bool = True


class JobEnqueued(ResponseModel):
    """A 202: the work goes on in the background (schema ``jobEnqueuedResult``).

    ``jobId`` comes in two forms: 24 hex digits that name a job log, and in API 1.30.0 up to 21
    characters that match no job log (FACTS (g)).
    """

    success: bool = True
    jobQueued: bool = True
    jobId: str


class PageFields(ResponseModel):
    """The envelope of a page/perPage collection; ``totalCount`` counts all pages."""

    count: int
    totalCount: int
    page: int | None = None
    perPage: int | None = None
    sortField: str | None = None
    sortDirection: str | None = None
    filterField: str | None = None
    filter: str | None = None
    applicationId: str | None = None


class DeviceTag(RequestModel):
    """A tag to look for; a key without a value finds every value."""

    key: Omit[Key] = None
    value: Omit[TagText] = None


MAX_DEVICE_IDS = 1000
MAX_DEVICE_TAGS = 100

DeviceIds = Annotated[list[ObjectId], Field(max_length=MAX_DEVICE_IDS)]
DeviceTags = Annotated[list[DeviceTag], Field(max_length=MAX_DEVICE_TAGS)]
