"""The catalogue as an OpenAPI 3.1 document, for anybody's tools.

The derivative of Losant's API that is published lacks seven operations, has three on wrong paths
and describes inserting a row as deleting all; this one says what the official clients do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel

from losant_mcp.api.endpoint import API_VERSION, BASE_URL, Endpoint, Param
from losant_mcp.api.endpoints import ENDPOINTS
from losant_mcp.api.openapi_schemas import component_schemas, query_reference, reference
from losant_mcp.api.openapi_texts import DETAILS, INTRODUCTION, PARAMETERS, STATUSES, SUMMARIES
from losant_mcp.api.types import KEY, OBJECT_ID, ErrorBody, JsonObject

SANDBOX_URL = "http://127.0.0.1:8700"
"""Where `losant-mcp sandbox` listens, unless it is told otherwise."""

TAGS: Mapping[str, str] = {
    "Events": "What devices, workflows and people raise",
    "Data tables": "Tables, their columns and their rows",
    "Data": "What devices reported over time",
    "Lookups": "Applications, devices and background jobs",
}

_TAG_OF: Mapping[str, str] = {
    "events": "Events",
    "event": "Events",
    "dataTables": "Data tables",
    "dataTable": "Data tables",
    "dataTableRows": "Data tables",
    "dataTableRow": "Data tables",
    "data": "Data",
}
_EVERYWHERE = (400, 401, 403, 429)
"""Some operations declare fewer, but any may answer so."""
_FORMATS: Mapping[str, JsonObject] = {
    # Where Losant's own bound lies is not known; nobody needs more.
    "integer": {"type": "integer", "minimum": 0, "maximum": 2**31 - 1},
    "boolean": {"type": "boolean"},
}


def openapi() -> JsonObject:
    """The whole document, as JSON data."""
    paths: dict[str, JsonObject] = {}
    for endpoint in ENDPOINTS.values():
        path = paths.setdefault(endpoint.path, _path(endpoint))
        path[endpoint.method.lower()] = _operation(endpoint)
    ids = dict.fromkeys(name for e in ENDPOINTS.values() for name in e.path_params)
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Losant: events, data tables and data",
            "version": API_VERSION.removeprefix("^"),
            "summary": "Three of the APIs of the Losant IoT platform",
            "description": INTRODUCTION,
        },
        "servers": [
            {"url": BASE_URL, "description": "Losant"},
            {"url": SANDBOX_URL, "description": "The sandbox: `losant-mcp sandbox`"},
        ],
        "security": [{"token": []}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A user's, an application's or a device's token",
                }
            },
            "parameters": {name: _id_parameter(name) for name in ids},
            "responses": {_name(s): _error(s) for s in STATUSES if s >= 400},
            "schemas": component_schemas(_models()),
        },
    }


def _models() -> Iterator[type[BaseModel]]:
    for endpoint in ENDPOINTS.values():
        if endpoint.body is not None:
            yield endpoint.body
        yield from endpoint.responses.values()


def _path(endpoint: Endpoint) -> JsonObject:
    if not endpoint.path_params:
        return {}
    return {"parameters": [{"$ref": f"#/components/parameters/{n}"} for n in endpoint.path_params]}


def _id_parameter(name: str) -> JsonObject:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": PARAMETERS[name],
        "schema": {"type": "string", "pattern": OBJECT_ID},
    }


def _operation(endpoint: Endpoint) -> JsonObject:
    details = DETAILS.get(endpoint.id)
    parameters = [written for param in endpoint.params for written in _parameters(param)]
    errors = {*endpoint.errors, *_EVERYWHERE, *((413,) if endpoint.body else ())}
    return {
        "operationId": endpoint.id,
        "summary": SUMMARIES[endpoint.id],
        **({"description": details} if details else {}),
        "tags": [_TAG_OF.get(endpoint.id.partition(".")[0], "Lookups")],
        **({"parameters": parameters} if parameters else {}),
        **({"requestBody": _body(endpoint)} if endpoint.body else {}),
        "responses": {
            **{str(s): _success(s, model) for s, model in endpoint.responses.items()},
            **{str(s): {"$ref": f"#/components/responses/{_name(s)}"} for s in sorted(errors)},
        },
        "x-losant-effect": endpoint.effect.value,
        "x-losant-scopes": sorted(endpoint.scopes),
    }


def _body(endpoint: Endpoint) -> JsonObject:
    assert endpoint.body is not None
    content = _json(reference(endpoint.body))
    return {"required": endpoint.body_required, "content": content}


def _success(status: int, model: type[BaseModel]) -> JsonObject:
    return {"description": STATUSES[status], "content": _json(reference(model))}


def _error(status: int) -> JsonObject:
    return {"description": STATUSES[status], "content": _json(reference(ErrorBody))}


def _name(status: int) -> str:
    return "".join(word.capitalize() for word in HTTPStatus(status).phrase.split())


def _json(schema: JsonObject) -> JsonObject:
    return {"application/json": {"schema": schema}}


def _parameters(param: Param) -> Iterator[JsonObject]:
    """The parameter as OpenAPI has it.

    Arrays are written ``name[0]=…``, for which OpenAPI has no style; so the first item stands
    there by its full name, and the description tells how to go on.
    """
    if param.kind == "strings":
        yield _parameter(f"{param.name}[0]", param, f"; more as `{param.name}[1]` and so on")
    elif param.kind == "tags":
        for part, schema in (("key", {"type": "string", "pattern": KEY}), ("value", _TAG_VALUE)):
            more = f", by its {part}; more as `{param.name}[1][{part}]` and so on"
            yield _parameter(f"{param.name}[0][{part}]", param, more, schema)
    else:
        yield _parameter(param.name, param)


_TAG_VALUE: JsonObject = {"type": "string", "minLength": 1, "maxLength": 255}


def _parameter(
    name: str, param: Param, more: str = "", schema: JsonObject | None = None
) -> JsonObject:
    described = {
        "name": name,
        "in": "query",
        **({"required": True} if param.required else {}),
        "description": f"{PARAMETERS[param.name]}{more}",
    }
    if param.subject is not None:
        return {**described, "content": _json(query_reference(param.subject))}
    return {**described, "schema": schema or _schema(param)}


def _schema(param: Param) -> JsonObject:
    known: dict[str, Any] = {
        "enum": list(param.enum),
        "pattern": param.form,
        "default": param.default,
    }
    kind = _FORMATS.get(param.kind, {"type": "string"})
    return {**kind, **{name: value for name, value in known.items() if value not in ([], "", None)}}
