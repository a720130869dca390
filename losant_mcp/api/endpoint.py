"""What an operation of the API is: its path, parameters, bodies, scopes, and its effect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from losant_mcp.api.query import Subject
from losant_mcp.api.types import (
    EMAIL,
    HTTP_URL,
    OBJECT_ID,
    RequestModel,
    RequestRoot,
    ResponseModel,
)

BASE_URL = "https://api.losant.com"
API_VERSION = "^1.30.0"
"""What ``Accept-Version`` asks for."""


class Effect(StrEnum):
    """What an operation does; the HTTP verb does not tell (``POST …/rows/query`` reads)."""

    READ = "READ"
    WRITE = "WRITE"
    """Creates something."""
    OVERWRITE = "OVERWRITE"
    """Changes what is there."""
    EXPORT = "EXPORT"
    """Sends data out of the platform."""
    DESTROY = "DESTROY"


ParamKind = Literal["string", "integer", "boolean", "json", "tags", "strings"]


@dataclass(frozen=True, slots=True)
class Param:
    """A query parameter. ``json`` is JSON text; ``tags`` and ``strings`` are bracketed arrays.

    ``subject`` is what an advanced query in it is about.
    """

    name: str
    kind: ParamKind = "string"
    default: str | int | None = None
    enum: tuple[str, ...] = ()
    required: bool = False
    pattern: str = ""
    subject: Subject | None = None

    @property
    def form(self) -> str:
        """The pattern of its text: its own, or that of the field of its name elsewhere."""
        return self.pattern or _FORMS.get(self.name, "")


_FORMS: Mapping[str, str] = {"email": EMAIL, "callbackUrl": HTTP_URL, "parentId": OBJECT_ID}

Body = type[RequestModel] | type[RequestRoot[Any]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation; ``id`` is ``resource.action`` as the official clients name it.

    ``body`` is the model of its body, ``body_required`` whether Losant insists on one;
    ``responses`` maps each success status to its model; a token needs one of ``scopes``.
    """

    id: str
    method: Literal["GET", "POST", "PATCH", "DELETE"]
    path: str
    effect: Effect
    responses: Mapping[int, type[ResponseModel]]
    scopes: frozenset[str]
    params: tuple[Param, ...] = ()
    body: Body | None = None
    body_required: bool = False
    errors: tuple[int, ...] = (400, 404)

    @property
    def path_params(self) -> tuple[str, ...]:
        """The names in the path, from left to right."""
        return tuple(part[1:-1] for part in self.path.split("/") if part.startswith("{"))


def scopes(action: str, *kinds: Literal["read", "cli", "device"]) -> frozenset[str]:
    """The scopes of an action: full and bounded always, read-only, CLI and device where given."""
    resource = action.partition(".")[0]
    allowed = {action, f"{resource}.*"}
    for holder in ("Application", "Organization", "User"):
        allowed |= {f"all.{holder}", f"all.{holder}.bounded"}
        if "read" in kinds:
            allowed.add(f"all.{holder}.read")
    if "cli" in kinds:
        allowed |= {"all.Application.cli", "all.User.cli"}
    if "device" in kinds:
        allowed |= {"all.Device", "all.Device.read"}
    return frozenset(allowed)
