"""The OpenAPI document beside the published schemas: what Losant may answer, it lets pass."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from losant_mcp.api.openapi import openapi
from tests.contract.instances import BRISK, instances
from tests.contract.published import RESPONSES, Published

SCHEMAS = openapi()["components"]["schemas"]


@pytest.mark.parametrize("name", RESPONSES)
def test_a_published_answer_follows_the_document(name: str, contract: Published) -> None:
    """Also with fields of tomorrow."""
    schema = {**SCHEMAS[RESPONSES[name].__name__], "components": {"schemas": SCHEMAS}}
    validator = Draft202012Validator(schema)

    @settings(BRISK, max_examples=25)
    @given(instances(contract.schema(name), extra=True))
    def check(answer: Any) -> None:
        if contract.complaints(name, answer) or _counts_in_parts(answer):
            return
        assert [error.message[:300] for error in validator.iter_errors(answer)] == []

    check()


def _counts_in_parts(answer: Any) -> bool:
    """Whether it removed two things and a half: published as a number, but a count all the same."""
    removed = answer.get("removed") if isinstance(answer, dict) else None
    return isinstance(removed, float) and not removed.is_integer()
