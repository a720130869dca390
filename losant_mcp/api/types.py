"""The types that every part of the API shares: ids, names, values, and the model bases.

Requests are strict, since a field that Losant would drop or misread is a mistake worth telling.
Responses are lenient, since the API grows and an unknown field is never an error.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal, TypeGuard, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    RootModel,
    StringConstraints,
)

T = TypeVar("T")

OBJECT_ID = r"^[A-Fa-f0-9]{24}$"
KEY = r"^[0-9a-zA-Z_-]{1,255}$"
# What `\s` is, Python, Rust and JavaScript see differently: here it is what any of them means.
_BLANK = r"\s\x00-\x20\x85\ufeff"
EMAIL = rf"^[^@{_BLANK}]+@[^@{_BLANK}]+$"
HTTP_URL = rf"^https?://[^{_BLANK}]+$"

ObjectId = Annotated[str, StringConstraints(pattern=OBJECT_ID)]
"""24 hexadecimal characters."""

Key = Annotated[str, StringConstraints(pattern=KEY)]
"""A name of a column, an attribute or a tag."""

Text = Annotated[str, StringConstraints(min_length=0)]
"""Text that UTF-8 can carry: with a bound, even this one, pydantic refuses lone surrogates."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Description = Annotated[str, StringConstraints(max_length=32767)]
TagText = Annotated[str, StringConstraints(min_length=1, max_length=255)]

EmailText = Annotated[str, StringConstraints(max_length=1024, pattern=EMAIL)]
CallbackUrl = Annotated[str, StringConstraints(max_length=1024, pattern=HTTP_URL)]
"""Losant takes any URI; we send callbacks to http(s) only."""

Scalar = str | int | float | bool | None
"""What a cell, and a literal in an advanced query, can be."""

SortDirection = Literal["asc", "desc"]
AnySortDirection = Literal["asc", "desc", "ASC", "DESC", ""]
"""What answers, and the body of a rows export, may say."""

JsonObject = dict[str, Any]  # any JSON object; its values are checked elsewhere or passed on

MAX_JSON_DEPTH = 100
"""How deep free-form JSON may nest, as in MongoDB; serialisers give up a little further down."""

_object_id = re.compile(OBJECT_ID[:-1] + r"\Z")
_lone_surrogate = re.compile("[\ud800-\udfff]")


def is_object_id(raw: object) -> TypeGuard[str]:
    """Whether it is a string of 24 hexadecimal characters."""
    return isinstance(raw, str) and _object_id.match(raw) is not None


def is_unicode(text: str) -> bool:
    """Whether UTF-8 can carry the text; JSON's ``\\ud800`` parses, but cannot be sent on."""
    return _lone_surrogate.search(text) is None


def _check_json(value: Any) -> Any:
    stack = [(value, 0)]
    while stack:
        item, depth = stack.pop()
        if depth > MAX_JSON_DEPTH:
            raise ValueError(f"is nested deeper than {MAX_JSON_DEPTH} levels")
        if isinstance(item, dict):
            stack.extend((part, depth + 1) for pair in item.items() for part in pair)
            if not all(isinstance(key, str) for key in item):
                raise ValueError("has a key that is not a string")
        elif isinstance(item, list):
            stack.extend((part, depth + 1) for part in item)
        elif isinstance(item, str):
            if not is_unicode(item):
                raise ValueError("holds text that is not valid Unicode")
        elif isinstance(item, float):
            if not math.isfinite(item):
                raise ValueError("holds a number that is not finite")
        elif not (item is None or isinstance(item, (bool, int))):
            raise ValueError("must be JSON data")
    return value


def _refuse_null(value: Any) -> Any:
    if value is None:
        raise ValueError("may be left out, but may not be null")
    return value


def refuses_null(validator: object) -> bool:
    """Whether a validator is the one of ``Omit``, which pydantic's own schemas do not show."""
    return validator is _refuse_null


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and math.isfinite(value) else value


Json = Annotated[Any, AfterValidator(_check_json)]
"""Any JSON value that can be sent as it is."""

Omit = Annotated[T | None, BeforeValidator(_refuse_null)]
"""A field that may be absent but not null: the schemas tell the two apart, and so does Losant."""

Count = Annotated[int, BeforeValidator(_whole)]
"""A whole number in an answer; some schemas say "number", so ``3.0`` may come."""


class RequestModel(BaseModel):
    """A body that goes to Losant: unknown fields and coerced types are refused."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, defer_build=True, allow_inf_nan=False
    )

    def to_json(self) -> Any:
        """The body as JSON data: exactly the fields that were given, null kept as null."""
        return self.model_dump(exclude_unset=True, by_alias=True)


class OpenRequestModel(RequestModel):
    """A part of a body in which unknown fields pass, as they do at Losant."""

    model_config = ConfigDict(extra="allow")

    __pydantic_extra__: dict[str, Json]


class RequestRoot(RootModel[T]):
    """A body that is not an object of fixed fields: rows, or an advanced query."""

    model_config = ConfigDict(strict=True, frozen=True, defer_build=True, allow_inf_nan=False)

    def to_json(self) -> Any:
        """The body as JSON data, as it was given."""
        return self.model_dump(exclude_unset=True, by_alias=True)


class ResponseModel(BaseModel):
    """An answer from Losant: unknown fields are kept, and a missing one is never an error.

    The schemas require next to nothing, so what is missing reads as None, as an empty text or
    list, or as 0.
    """

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True, protected_namespaces=())

    def to_json(self) -> JsonObject:
        """The answer as JSON data, without the fields that were not there."""
        return self.model_dump(exclude_unset=True, by_alias=True)


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
    characters that match no job log, whose ids have 24 hex digits.
    """

    success: bool = True
    jobQueued: bool = True
    jobId: str = ""


class PageFields(ResponseModel):
    """The envelope of a page/perPage collection; ``totalCount`` counts all pages."""

    count: Count = 0
    totalCount: Count = 0
    page: Count | None = None
    perPage: Count | None = None
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
