"""A request gets the published schema's verdict, except for the deliberate refusals."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given

from losant_mcp.api.body import parse_body
from losant_mcp.api.endpoints import ENDPOINTS
from losant_mcp.api.types import RequestModel, RequestRoot
from losant_mcp.errors import InvalidRequest
from tests.contract.instances import THOROUGH, instances, strayed
from tests.contract.published import QUERY_SCHEMAS, REQUESTS, Published
from tests.contract.refusals import REFUSALS, Refusal, refusals_of


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_gets_the_published_verdict(name: str, contract: Published) -> None:
    """The model accepts what the schema accepts, and gives back exactly what it was given."""
    verdicts: Counter[bool] = Counter()

    @THOROUGH
    @given(strayed(instances(contract.schema(name))))
    def check(body: Any) -> None:
        complaints = [*contract.complaints(name, body), *refusals_of(name, body)]
        model, told = _parsed(name, body)
        assert (model is None) == bool(complaints), told or "accepted, in spite of all complaints"
        verdicts[model is not None] += 1
        if model is not None:
            assert _exactly(model.to_json()) == _exactly(body)

    check()
    assert min(verdicts[True], verdicts[False]) >= 20, f"too one-sided to prove much: {verdicts}"


@pytest.mark.parametrize("name", REQUESTS)
def test_the_published_example_is_accepted(name: str, contract: Published) -> None:
    """Losant's own example of each body passes and survives unchanged."""
    example = contract.examples[name]
    assert parse_body(REQUESTS[name], example).to_json() == example


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.name)
def test_a_deliberate_refusal_is_deliberate(refusal: Refusal, contract: Published) -> None:
    """The schema accepts the example, we refuse it in these words, and only this rule covers it."""
    body = refusal.example()
    assert contract.complaints(refusal.schema, body) == []
    assert refusals_of(refusal.schema, body) == [refusal.name]
    with pytest.raises(InvalidRequest) as caught:
        parse_body(REQUESTS[refusal.schema], body)
    assert str(caught.value) == refusal.told


def test_every_body_of_the_catalogue_is_compared() -> None:
    """No endpoint takes a body that the comparison leaves out."""
    bodies = {endpoint.body for endpoint in ENDPOINTS.values() if endpoint.body}
    assert bodies <= set(REQUESTS.values())


@pytest.mark.parametrize("name", QUERY_SCHEMAS)
def test_the_fields_of_a_query_are_the_published_ones(name: str, contract: Published) -> None:
    """Each advanced query knows exactly the fields of its schema."""
    model: Any = REQUESTS[name]
    published = {field for field in contract.schema(name)["properties"] if field[0] != "$"}
    assert set(model.subject.fields) == published | (
        {"id", "createdAt", "updatedAt"} if model.subject.open else set()
    )


def _parsed(name: str, body: Any) -> tuple[RequestModel | RequestRoot[Any] | None, str]:
    try:
        return parse_body(REQUESTS[name], body), ""
    except InvalidRequest as error:
        return None, f"refused: {error}"


def _exactly(value: Any) -> str:
    """As text, in which 1, 1.0 and true differ."""
    return json.dumps(value, sort_keys=True)
