"""The published JSON Schemas as judges of every answer that a test gets from the sandbox.

They live beside the checkout and not in it; where they are missing, only our own models judge.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator, FormatChecker

from losant_mcp.api.endpoints import ENDPOINTS

FOLDER = Path(__file__).parents[2] / "shared" / "losant-api"

_formats = FormatChecker(formats=())
_formats.checks("date-time", ValueError)(lambda text: bool(datetime.fromisoformat(str(text))))

_paths = [
    (endpoint, re.compile(re.sub(r"\{\w+\}", "[^/]+", endpoint.path)))
    for endpoint in ENDPOINTS.values()
]


def check(method: str, path: str, status: int, body: Any) -> None:
    """Fails where an answer is not what the catalogue and the schemas promise."""
    endpoint = next((e for e, p in _paths if e.method == method and p.fullmatch(path)), None)
    if endpoint is None or status >= 400:
        assert set(body) == {"type", "message"}, body
        assert all(isinstance(text, str) and text for text in body.values()), body
        return
    assert status in endpoint.responses, f"{endpoint.id} does not declare {status}"
    endpoint.responses[status].model_validate(body)
    if FOLDER.is_dir():
        _validator(endpoint.id, status).validate(body)


@cache
def _validator(endpoint_id: str, status: int) -> Draft7Validator:
    actions = json.loads((FOLDER / "actions.json").read_text(encoding="utf-8"))["actions"]
    action = next(a for a in actions if f"{a['resource']}.{a['action']}" == endpoint_id)
    name = next(success["schema"] for success in action["success"] if success["code"] == status)
    schema = json.loads((FOLDER / "schemas" / f"{name}.json").read_text(encoding="utf-8"))
    return Draft7Validator(schema, format_checker=_formats)
