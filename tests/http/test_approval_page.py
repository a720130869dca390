"""Deciding on the page, as a person with a browser does it."""

from __future__ import annotations

from tests.http.asked import truncation
from tests.http.conftest import Served


async def test_a_typed_name_approves_and_the_page_says_so(served: Served) -> None:
    """The exact name is a yes, which is recorded, audited and shown."""
    plan, file = await served.asked(truncation())
    person = served.visitor()
    page = await person.enter(file)
    assert page.status_code == 200
    assert "DELETE all 3,000 rows" in page.text
    assert "You can decide until <strong>2026-11-18 11:16:40 UTC</strong>" in page.text
    served.clock.seconds += 42
    answered = await person.post(
        f"/approvals/{plan.id}", {"decision": "approve", "phrase": "Sites"}
    )
    assert (answered.status_code, answered.headers["location"]) == (303, f"/approvals/{plan.id}")
    decided = await served.store.plan(plan.id)
    assert decided is not None
    assert (decided.status, decided.way) == ("approved", "page")
    shown = await person.get(f"/approvals/{plan.id}")
    assert ">Approved</h1>" in shown.text
    assert "before 2026-11-18 11:09:22 UTC" in shown.text
    [line] = served.audit()
    assert line.kind == "approved"
    assert line.facts["ms"] == 42_000
    assert line.facts["way"] == "page"
    assert line.facts["client"] == "Claude Desktop"
