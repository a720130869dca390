"""The OpenAPI document drives the sandbox: what it lets pass is taken, all else is refused.

Schemathesis makes the requests and judges the answers; so do the published schemas.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
import schemathesis
from hypothesis import given, settings
from schemathesis import Case, Config, GenerationMode, Response
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import AcceptedNegativeData, FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from losant_mcp.api.endpoint import Effect, Endpoint
from losant_mcp.api.endpoints import ENDPOINTS
from losant_mcp.api.openapi import openapi
from losant_mcp.api.types import JsonObject
from tests import published
from tests.calling import stored
from tests.fuzz.examples import examples
from tests.fuzz.following import settled
from tests.served import Sandbox
from tests.tools.plausible import ids_in

NOBODY = "http://127.0.0.1:9/"
"""Where callbacks go: nobody listens there."""

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]

WELL_FORMED_BUT_WRONG = re.compile(
    r"there is no (device|column)|is not a date|default value|is used twice|reserved|"
    r"more than 50 columns|may not be null|must be a (string|number|boolean)|is unique|"
    r"at most \d+ rows|email must match|must begin before it ends|outside the years|"
    r"must be between|must not be negative|buckets|is too (complex|long)|"
    r"nested deeper|holds a number|not valid Unicode|may be only|one device|no column"
)
"""Why a request that follows its schema may be refused all the same: by what is stored, or by
what two of its values mean together."""

LONGEST_URL = 60_000
"""Characters. Where more than 64 KiB of a request's head have come and its end has not, the web
server refuses it by itself; of a longer one it is chance."""

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


def _document() -> JsonObject:
    """The document, whose callbacks go where nobody is."""
    document = openapi()
    text = json.dumps(document)
    pattern = json.dumps(
        document["components"]["schemas"]["EventsExport"]["properties"]["callbackUrl"]
    )
    only = json.dumps({"type": "string", "enum": [NOBODY]})
    replaced: JsonObject = json.loads(text.replace(pattern, only))
    for item in replaced["paths"].values():
        for operation in item.values():
            for parameter in operation.get("parameters", []) if isinstance(operation, dict) else []:
                if parameter.get("name") == "callbackUrl":
                    parameter["schema"] = {"type": "string", "enum": [NOBODY]}
    return replaced


SCHEMA = schemathesis.openapi.from_dict(
    _document(), config=Config.from_dict({"generation": {"with-security-parameters": False}})
)
OPERATIONS = {
    operation.definition.raw["operationId"]: operation
    for found in SCHEMA.get_all_operations()
    if isinstance(found, Ok)
    for operation in [found.ok()]
}


def test_every_operation_is_driven() -> None:
    """Schemathesis found the whole catalogue in the document."""
    assert OPERATIONS.keys() == ENDPOINTS.keys()


@examples(3)
@pytest.mark.parametrize("endpoint", ENDPOINTS.values(), ids=ENDPOINTS)
def test_the_sandbox_answers_as_the_document_says(
    endpoint: Endpoint, fuzzing: settings, sandbox: Sandbox
) -> None:
    """Valid requests are taken, others refused; a refused one and a read change nothing."""
    ids = _ids(sandbox)
    path = {name: ids[name] for name in endpoint.path_params}
    statuses: Counter[int] = Counter()
    with requests.Session() as session:
        session.trust_env = False
        for mode in (
            GenerationMode if endpoint.params or endpoint.body else [GenerationMode.POSITIVE]
        ):
            strategy = OPERATIONS[endpoint.id].as_strategy(mode, path_parameters=path)

            @fuzzing
            @given(strategy)
            def check(case: Case[Any]) -> None:
                before = settled(sandbox)
                answer = case.call(
                    sandbox.url,
                    session,
                    {"Authorization": f"Bearer {sandbox.tokens['full']}"},
                    timeout=20,
                )
                statuses[answer.status_code] += 1
                if answer.content == b"Invalid HTTP request received.":
                    assert len(str(answer.request.url)) > LONGEST_URL
                    assert stored(sandbox) == before
                    return
                _judge(case, answer)
                url = urlsplit(str(answer.request.url))
                # No schema is published of tags and attributes as maps.
                if "AsObject=true" not in url.query:
                    told = answer.json()
                    published.check(endpoint.method, url.path, answer.status_code, told)
                if endpoint.effect is Effect.READ or answer.status_code >= 400:
                    assert stored(sandbox) == before

            check()
    assert statuses.keys() & {*endpoint.responses, 404}, statuses


def _ids(sandbox: Sandbox) -> dict[str, str]:
    found = ids_in(sandbox.store)
    http = sandbox.http()
    http.post(f"{sandbox.application_url}/events/export", json={})
    [job] = http.get(f"{sandbox.application_url}/jobLogs").json()["items"]
    return {
        "applicationId": found.application,
        "eventId": found.event,
        "dataTableId": found.table,
        "rowId": found.row,
        "deviceId": found.device,
        "jobId": job["id"],
    }


def _judge(case: Case[Any], answer: Response) -> None:
    try:
        case.validate_response(answer, checks=CHECKS)
    except FailureGroup as group:
        # A blank parameter counts as one that is not there.
        blank = any(
            not value for _, value in parse_qsl(urlsplit(str(answer.request.url)).query, True)
        )
        rest = [e for e in group.exceptions if not (blank and isinstance(e, AcceptedNegativeData))]
        if rest:
            raise
    assert case.meta is not None
    if case.meta.generation.mode.is_positive and answer.status_code == 400:
        assert WELL_FORMED_BUT_WRONG.search(answer.json()["message"]), answer.json()


def test_without_a_token_nothing_is_told(sandbox: Sandbox) -> None:
    """Every operation answers 401, whatever it is asked."""
    http, ids = sandbox.http(None), _ids(sandbox)
    for endpoint in ENDPOINTS.values():
        answer = http.request(endpoint.method, endpoint.path.format_map(ids))
        assert (answer.status_code, answer.json()["type"]) == (401, "Unauthorized")


def test_a_path_has_the_methods_of_the_document_and_no_other(sandbox: Sandbox) -> None:
    """Any other is a 405 that names those that there are."""
    http, ids = sandbox.http(checked=False), _ids(sandbox)
    for path, item in SCHEMA.raw_schema["paths"].items():
        told = {method.upper() for method in item} - {"PARAMETERS"}
        for method in {*METHODS} - told:
            answer = http.request(method, path.format_map(ids))
            # Some paths read as one with an id, too: /events/delete as the event "delete".
            assert answer.status_code in (404, 405)
            if answer.status_code == 405:
                assert set(answer.headers["allow"].split(", ")) >= told
