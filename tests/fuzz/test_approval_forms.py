"""Forms for the approval page that no page of ours has sent: none of them is a yes."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qsl, quote_from_bytes, urlencode

import httpx
import pytest
from hypothesis import settings
from hypothesis import strategies as st

from losant_mcp.config import Settings
from tests.fuzz.examples import examples
from tests.fuzz.following import follow
from tests.http.asked import NAVIGATION, truncation
from tests.http.conftest import Served, serving

NAMES = ("token", "decision", "phrase", "pin", "Token", "", "plan", "token[]", "\x00", "é")
TOKEN = "the token"
"""Stands for the one of the person's session."""
VALUES = (TOKEN, "approve", "decline", "Sites", "sites", "Sites ", "", "\x00", "x" * 9000, "Ѕites")  # noqa: RUF001 -- the last one's first letter is Cyrillic
HEADERS = (
    ("Origin", ("null", "http://127.0.0.1", "https://evil.example", "")),
    ("Content-Type", ("text/plain", "application/json", "multipart/form-data; boundary=x", "")),
    ("Sec-Fetch-Site", ("cross-site", "same-site", "none", "é")),
)

FIELDS = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES)), max_size=5)
WRONG = st.fixed_dictionaries(
    {
        "token": st.just(TOKEN),
        "decision": st.sampled_from(["approve", "approve", "APPROVE", "yes", "approve\x00"]),
        "phrase": st.sampled_from(VALUES) | st.text(st.characters(codec="utf-8"), max_size=300),
    },
    optional={"pin": st.sampled_from(VALUES)},
)
"""All but the phrase as the page itself sends it."""

BODIES = st.one_of(
    WRONG.map(lambda form: urlencode(form).encode()),
    FIELDS.map(lambda pairs: urlencode(pairs).encode()),
    FIELDS.map(lambda pairs: b"&".join(f"{n}={v}".encode() for n, v in pairs)),
    st.binary(max_size=80),
    st.binary(max_size=40).map(lambda raw: b"token=" + quote_from_bytes(raw).encode()),
)
CHANGED = st.one_of(
    st.none(),
    st.sampled_from([(name, value) for name, values in HEADERS for value in values]),
)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    """A page that is ready to ask."""
    async with serving(tmp_path, Settings(time_zone="UTC")) as served:
        yield served


def _decides(body: bytes, token: str) -> bool:
    """Whether these are the fields of a yes, or of a no: what the person's own page may send."""
    fields = dict(parse_qsl(body.decode("latin-1"), keep_blank_values=True))
    if fields.get("token") != token:
        return False
    agreed = fields.get("decision") == "approve" and fields.get("phrase", "").strip() == "Sites"
    return agreed or fields.get("decision") == "decline"


@examples(80)
async def test_a_form_that_is_not_ours_is_no_yes(served: Served, fuzzing: settings) -> None:
    """Without token, phrase or origin, whatever else it holds: no 5xx, and no yes."""
    plan, file = await served.asked(truncation())
    person = served.visitor()
    assert (await person.enter(file)).status_code == 200
    address = f"{person.origin}/approvals/{plan.id}"
    headers = {
        **NAVIGATION,
        "Sec-Fetch-Site": "same-origin",
        "Origin": person.origin,
        "Content-Type": "application/x-www-form-urlencoded",
    }

    statuses: Counter[int] = Counter()

    async def one(case: tuple[bytes, tuple[str, str] | None]) -> None:
        body, changed = case
        right = urlencode({TOKEN: person.token})[len("the+token=") :].encode()
        body = body.replace(b"the+token", right).replace(b"the token", right)
        if _decides(body, person.token):
            return
        sent = {**headers, **dict([changed] if changed else [])}
        raw = [(name.encode(), value.encode()) for name, value in sent.items() if value]
        try:
            answer = await person.client.post(address, content=body, headers=raw)
        except httpx.RemoteProtocolError:
            pass  # it hung up on what is not HTTP
        else:
            statuses[answer.status_code] += 1
            assert answer.status_code < 500
        # Too many wrong phrases are a no.
        assert await served.status(plan) in ("pending", "declined")

    await follow(fuzzing, st.tuples(BODIES, CHANGED), one)
    assert statuses[303], f"none came as far as the phrase: {statuses}"
    assert {line.kind for line in served.audit()} <= {"declined"}
