"""The OpenAPI document: valid, complete, and of one mind with the models about every body."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from losant_mcp.api.body import parse_body
from losant_mcp.api.endpoint import Body, Endpoint
from losant_mcp.api.endpoints import ENDPOINTS
from losant_mcp.api.openapi import openapi
from losant_mcp.api.openapi_texts import DETAILS, PARAMETERS, SUMMARIES
from losant_mcp.api.query import AdvancedApplicationJobLogQuery
from losant_mcp.errors import InvalidRequest
from tests.contract.instances import BRISK, instances, strayed
from tests.contract.published import JsonSchema, readable
from tests.contract.refusals import refusals_of

DOCUMENT = openapi()
COMPONENTS = DOCUMENT["components"]
SCHEMAS: JsonSchema = COMPONENTS["schemas"]
BODIES: list[Body] = list(
    dict.fromkeys((*(e.body for e in ENDPOINTS.values() if e.body), AdvancedApplicationJobLogQuery))
)
UNSAYABLE = {
    "not finite",
    "not Unicode",
    "query nested deeper than 50",
    "data nested deeper than 100",
}
"""What models refuse and no schema can."""


def _operations() -> Iterator[tuple[str, str, JsonSchema]]:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield path, method, operation


def _operation(endpoint: Endpoint) -> JsonSchema:
    found: JsonSchema = DOCUMENT["paths"][endpoint.path][endpoint.method.lower()]
    return found


by_id = pytest.mark.parametrize("endpoint", ENDPOINTS.values(), ids=ENDPOINTS)


def test_it_is_a_valid_document() -> None:
    """A validator of OpenAPI 3.1 has nothing to say, references and defaults included."""
    assert [error.message for error in OpenAPIV31SpecValidator(DOCUMENT).iter_errors()] == []


def test_it_is_plain_json_and_always_the_same() -> None:
    """What is written can be read again, and two runs write the same."""
    assert json.loads(json.dumps(DOCUMENT, allow_nan=False)) == DOCUMENT == openapi()


def test_it_has_every_operation_of_the_catalogue_and_no_other() -> None:
    """By id, method and path."""
    told = {(operation["operationId"], method, path) for path, method, operation in _operations()}
    assert told == {(e.id, e.method.lower(), e.path) for e in ENDPOINTS.values()}
    assert len(told) == 34


@by_id
def test_an_operation_says_what_the_catalogue_says(endpoint: Endpoint) -> None:
    """Its ids, parameters, body, answers, effect and scopes."""
    operation = _operation(endpoint)
    item = DOCUMENT["paths"][endpoint.path]
    ids = [p["$ref"].rpartition("/")[2] for p in item.get("parameters", [])]
    assert tuple(ids) == endpoint.path_params
    parameters = operation.get("parameters", [])
    names = [p["name"].partition("[")[0] for p in parameters]
    assert list(dict.fromkeys(names)) == [param.name for param in endpoint.params]
    assert {p["name"] for p in parameters if p.get("required")} == {
        param.name for param in endpoint.params if param.required
    }
    body = operation.get("requestBody")
    assert (body is None) == (endpoint.body is None)
    if body is not None and endpoint.body is not None:
        assert body["required"] == endpoint.body_required
        assert _named(body["content"]) == endpoint.body.__name__
    answers = {int(s): a for s, a in operation["responses"].items() if int(s) < 300}
    assert {s: _named(a["content"]) for s, a in answers.items()} == {
        s: model.__name__ for s, model in endpoint.responses.items()
    }
    assert {int(s) for s in operation["responses"]} >= {*endpoint.errors, 401, 403, 429}
    assert operation["x-losant-effect"] == endpoint.effect
    assert set(operation["x-losant-scopes"]) == endpoint.scopes


def _named(content: JsonSchema) -> str:
    name: str = content["application/json"]["schema"]["$ref"].rpartition("/")[2]
    return name


def test_everything_has_its_words() -> None:
    """Every operation, parameter, tag and answer is described, and no description is left over."""
    assert SUMMARIES.keys() == ENDPOINTS.keys()
    assert DETAILS.keys() <= ENDPOINTS.keys()
    used = {
        name for e in ENDPOINTS.values() for name in (*e.path_params, *(p.name for p in e.params))
    }
    assert PARAMETERS.keys() == used
    tags = {tag["name"] for tag in DOCUMENT["tags"]}
    assert {tag for *_, operation in _operations() for tag in operation["tags"]} == tags
    assert all(answer["description"] for answer in COMPONENTS["responses"].values())


def test_no_part_is_defined_for_nobody() -> None:
    """Everything below components is referred to."""
    text = json.dumps(DOCUMENT)
    for kind in ("parameters", "responses", "schemas"):
        for name in COMPONENTS[kind]:
            assert f'"#/components/{kind}/{name}"' in text, name


def test_a_query_parameter_is_json_text() -> None:
    """An advanced query in a URL is declared as content, by its own grammar; ids as 24 digits."""
    [query] = [p for p in _operation(ENDPOINTS["events.get"])["parameters"] if p["name"] == "query"]
    assert _named(query["content"]) == "AdvancedEventQuery"
    assert COMPONENTS["parameters"]["eventId"]["schema"]["pattern"] == "^[A-Fa-f0-9]{24}$"


def test_paths_that_are_often_told_wrong_are_right() -> None:
    """Inserting, emptying, columns and device data are each where they really are."""
    at = "/applications/{applicationId}"
    rows = f"{at}/data-tables/{{dataTableId}}/rows"
    expected = {
        "dataTableRows.post": (rows, "WRITE"),
        "dataTableRows.truncate": (f"{rows}/truncate", "DESTROY"),
        "dataTableRows.query": (f"{rows}/query", "READ"),
        "dataTable.addColumn": (f"{at}/data-tables/{{dataTableId}}/column", "WRITE"),
        "data.export": (f"{at}/data/export", "EXPORT"),
        "data.timeSeriesQuery": (f"{at}/data/time-series-query", "READ"),
    }
    told = {o["operationId"]: (path, o["x-losant-effect"]) for path, _, o in _operations()}
    assert expected.items() <= told.items()


@pytest.mark.parametrize("model", BODIES, ids=lambda model: model.__name__)
def test_a_body_gets_the_models_verdict(model: Body) -> None:
    """The schema accepts what the model accepts, but for what no schema can say."""
    schema = {**readable(SCHEMAS[model.__name__]), "components": readable({"schemas": SCHEMAS})}
    validator = Draft202012Validator(schema)
    verdicts: Counter[bool] = Counter()

    @BRISK
    @given(strayed(instances({**schema, "definitions": SCHEMAS}, depth=4)))
    def check(body: Any) -> None:
        if UNSAYABLE & {*refusals_of("eventPost", body), *refusals_of("advancedQuery", body)}:
            return
        complaints = [error.message[:300] for error in validator.iter_errors(body)]
        told = ""
        try:
            parse_body(model, body)
        except InvalidRequest as error:
            told = str(error)
        assert bool(complaints) == bool(told), (complaints, told)
        verdicts[not complaints] += 1

    check()
    assert min(verdicts[True], verdicts[False]) >= 5, f"too one-sided to prove much: {verdicts}"
