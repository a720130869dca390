"""The catalogue says of every operation what the official client's description says."""

from __future__ import annotations

from typing import Any

import pytest

from losant_mcp.api.endpoint import BASE_URL, Endpoint, Param
from losant_mcp.api.endpoints import ENDPOINTS
from losant_mcp.api.query import DEVICES, EVENTS, JOB_LOGS
from tests.contract.published import Published, schema_name

QUERY_SCHEMA_OF = {
    EVENTS.name: "advancedEventQuery",
    DEVICES.name: "advancedDeviceQuery",
    JOB_LOGS.name: "advancedApplicationJobLogQuery",
}
PAGING = {"page", "perPage", "limit", "offset"}

by_id = pytest.mark.parametrize("endpoint", ENDPOINTS.values(), ids=ENDPOINTS)


def test_the_catalogue_has_exactly_the_published_operations(contract: Published) -> None:
    """The 28 core and 6 lookup actions are there, and nothing else is."""
    assert set(ENDPOINTS) == set(contract.actions)
    assert len(ENDPOINTS) == 34


def test_an_endpoint_is_listed_under_its_own_id() -> None:
    """Each key of the catalogue is the id of its row."""
    assert {key: endpoint.id for key, endpoint in ENDPOINTS.items()} == {
        key: key for key in ENDPOINTS
    }


def test_the_base_url_is_the_published_one(contract: Published) -> None:
    """Requests go where the official client's go."""
    assert contract.base_url == BASE_URL


@by_id
def test_method_path_and_body_are_the_published_ones(
    endpoint: Endpoint, contract: Published
) -> None:
    """Method, path, path parameters, body schema and whether a body is required agree."""
    action = contract.actions[endpoint.id]
    assert {
        "method": endpoint.method,
        "path": endpoint.path,
        "path_params": sorted(endpoint.path_params),
        "body_schema": schema_name(endpoint.body),
        "required_body": endpoint.body_required,
    } == {
        "method": action["method"],
        "path": action["path"],
        "path_params": sorted(param["name"] for param in action["path_params"]),
        "body_schema": action["body_schema"],
        "required_body": action["required_body"],
    }


@by_id
def test_query_parameters_are_the_published_ones(endpoint: Endpoint, contract: Published) -> None:
    """Names, kinds, defaults, enums, patterns, schemas and required marks agree."""
    published = [_published_param(param, contract) for param in _params_of(endpoint.id, contract)]
    ours = [_our_param(param) for param in endpoint.params]
    assert sorted(ours, key=str) == sorted(published, key=str)


@by_id
def test_answers_and_errors_are_the_published_ones(endpoint: Endpoint, contract: Published) -> None:
    """Each success status has its schema's model, and the declared errors agree."""
    action = contract.actions[endpoint.id]
    ours = {status: schema_name(model) for status, model in endpoint.responses.items()}
    assert ours == {answer["code"]: answer["schema"] for answer in action["success"]}
    assert list(endpoint.errors) == action["errors"]
    assert {detail["schema"] for detail in action["error_details"]} == {"error"}


@by_id
def test_scopes_are_the_published_ones(endpoint: Endpoint, contract: Published) -> None:
    """A token needs one of exactly the published scopes."""
    assert sorted(endpoint.scopes) == sorted(contract.actions[endpoint.id]["scopes"])


def _params_of(endpoint_id: str, contract: Published) -> list[dict[str, Any]]:
    params: list[dict[str, Any]] = contract.actions[endpoint_id]["query_params"]
    return params


def _our_param(param: Param) -> dict[str, Any]:
    return {
        "name": param.name,
        "kind": param.kind,
        "default": param.default if param.default is None else str(param.default),
        "enum": list(param.enum),
        "required": param.required,
        "pattern": param.pattern,
        "query": QUERY_SCHEMA_OF[param.subject.name] if param.subject else None,
    }


def _published_param(param: dict[str, Any], contract: Published) -> dict[str, Any]:
    """The same shape; every scalar is published as "string", so its kind is read from more."""
    kind, enum, schema = "string", param["enum"] or [], param.get("schema")
    if param["type"] == "object":
        kind = "json"
    elif param["type"] == "array":
        filter_schema = contract.schema(schema or "")
        items = filter_schema.get("items") or filter_schema["oneOf"][-1]["items"]
        kind = "tags" if items["type"] == "object" else "strings"
        enum = items.get("enum", [])
    elif param["name"] in PAGING:
        kind = "integer"
    elif isinstance(param.get("example"), bool):
        kind = "boolean"
    return {
        "name": param["name"],
        "kind": kind,
        "default": param["default"] if param["default"] is None else str(param["default"]),
        "enum": enum,
        "required": param["required"],
        "pattern": param.get("pattern", "").replace(r"\d", "0-9"),
        "query": schema if kind == "json" else None,
    }
