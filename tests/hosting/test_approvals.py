"""Approvals of a hosted server: asked over MCP, decided by a person who has logged in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from mcp.types import ElicitRequestParams, ElicitResult

from losant_mcp.claims import read_claims
from losant_mcp.hosting.approvers import ApproverFile
from tests.calling import Mode, result, stored
from tests.hosting.approving import Desk, approver, ask, desk, link_in, path_in
from tests.hosting.serving import until
from tests.served import Sandbox

OTHER = "5f0c0de0000000000000beef"
YES = {"decision": "approve"}
NO = {"decision": "decline"}


async def test_what_an_approver_agrees_to_is_done(
    sandbox: Sandbox, tmp_path: Path, mode: Mode
) -> None:
    """By the address that the model is told, a login, a look and a yes, which bears their name."""
    async with desk(sandbox, tmp_path) as at:
        key = at.host.keys.add("alice", "full")
        async with at.host.client(key, mode) as client, at.visitor() as anna:
            before = stored(sandbox)
            arguments, answer = await ask(client)
            link = link_in(answer)
            assert link == at.host.url + path_in(answer)
            login = await anna.get(link)
            assert "Your passphrase" in login.text
            assert "DELETE" not in login.text
            entered = await anna.log_in(plan=answer["approvalId"])
            assert (entered.status_code, entered.headers["location"]) == (303, path_in(answer))
            page = await anna.get(path_in(answer))
            assert "DELETE this event" in page.text
            assert "key-alice" in page.text
            pending = await result(
                client, "delete_event", **arguments, approvalId=answer["approvalId"]
            )
            assert pending["status"] == "approval_required"
            assert stored(sandbox) == before
            assert (await anna.post(path_in(answer), YES)).status_code == 303
            shown = await anna.get(path_in(answer))
            assert "You said yes." in shown.text
            done = await result(
                client, "delete_event", **arguments, approvalId=answer["approvalId"]
            )
            assert (done["status"], done["removed"]) == ("done", 1)
        [line] = at.audited("approved")
        assert (line["by"], line["way"], line["principal"]) == ("anna", "page", "key-alice")


async def test_a_name_is_typed_where_more_than_one_thing_goes(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """A wrong one decides nothing, and the right one does."""
    async with (
        desk(sandbox, tmp_path) as at,
        at.host.client(at.host.keys.add("alice", "full")) as client,
    ):
        tables = await result(client, "list_data_tables", perPage=1)
        row = dict(zip(tables["columns"], tables["rows"][0], strict=True))
        given = {"dataTableId": row["id"]}
        answer = await result(client, "truncate_rows", **given)
        async with at.visitor() as anna:
            await anna.log_in()
            await anna.get(path_in(answer))
            await anna.post(path_in(answer), {**YES, "phrase": "something else"})
            page = await anna.get(path_in(answer))
            assert "not exactly what is to be typed" in page.text
            again = await result(client, "truncate_rows", **given, approvalId=answer["approvalId"])
            assert again["status"] == "approval_required"
            await anna.post(path_in(answer), {**YES, "phrase": row["name"]})
        done = await result(client, "truncate_rows", **given, approvalId=answer["approvalId"])
        assert done["status"] == "done"
        assert (await result(client, "list_rows", **given))["total"] == 0


async def test_a_no_is_a_no(sandbox: Sandbox, tmp_path: Path, mode: Mode) -> None:
    """Nothing is changed, and the audit has who said it."""
    async with desk(sandbox, tmp_path) as at:
        key = at.host.keys.add("alice", "full")
        async with at.host.client(key, mode) as client, at.visitor() as anna:
            before = stored(sandbox)
            arguments, answer = await ask(client)
            await anna.log_in()
            await anna.get(path_in(answer))
            await anna.post(path_in(answer), NO)
            said = await result(
                client, "delete_event", **arguments, approvalId=answer["approvalId"]
            )
            assert said["status"] == "declined"
            # A second answer comes too late.
            await anna.post(path_in(answer), {**YES, "token": anna.token_for(answer["approvalId"])})
            assert "You said no." in (await anna.get(path_in(answer))).text
        assert stored(sandbox) == before
        assert [line["by"] for line in at.audited("declined")] == ["anna"]


async def test_a_question_that_nobody_answered_is_over(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A yes that comes afterwards is none."""
    monkeypatch.setattr("losant_mcp.guard.lifecycle.PLAN_SECONDS", 2)
    async with desk(sandbox, tmp_path) as at:
        key = at.host.keys.add("alice", "full")
        async with at.host.client(key) as client, at.visitor() as anna:
            arguments, answer = await ask(client)
            await anna.log_in()
            await anna.sees(path_in(answer), "Out of date")
            anna.token = anna.token_for(answer["approvalId"])
            assert (await anna.post(path_in(answer), YES)).status_code == 303
            said = await result(
                client, "delete_event", **arguments, approvalId=answer["approvalId"]
            )
            assert said["status"] == "expired"
            assert "Nothing waits for you" in (await anna.get("/approvals")).text


async def test_the_list_has_what_all_callers_asked(sandbox: Sandbox, tmp_path: Path) -> None:
    """Each with its caller and a link, nothing that is decided, and as many as metrics count."""
    async with desk(sandbox, tmp_path) as at, at.visitor() as anna:
        await anna.log_in()
        assert await _pending(at) == "0.0"
        answers = []
        for name in ("alice", "bob"):
            async with at.host.client(at.host.keys.add(name, "full")) as client:
                answers.append((await ask(client))[1])
        page = (await anna.get("/approvals")).text
        assert "2 questions wait for you" in page
        assert re.findall(r'href="(/approvals/\w+)"', page) == [path_in(a) for a in answers]
        assert "key-alice" in page
        assert "key-bob" in page
        assert await _pending(at) == "2.0"
        await anna.get(path_in(answers[0]))
        await anna.post(path_in(answers[0]), NO)
        page = (await anna.get("/approvals")).text
        assert "One question waits for you" in page
        assert "key-alice" not in page
    async with desk(sandbox, tmp_path) as again:  # nobody has called this one so far
        assert await _pending(again) == "1.0"


async def _pending(at: Desk) -> str:
    """What Prometheus is told of how many wait."""
    async with at.host.http() as http:
        told = (await http.get("/metrics")).text
    [line] = [
        line for line in told.splitlines() if line.startswith("losant_mcp_pending_approvals ")
    ]
    return line.partition(" ")[2]


async def test_applications_of_others_are_not_there(sandbox: Sandbox, tmp_path: Path) -> None:
    """Not in the list, not by their address, and not by a form that is right in all else."""
    people = (approver("anna", [OTHER]), approver("bert", [sandbox.application_id.upper()]))
    async with desk(sandbox, tmp_path, *people) as at, at.visitor() as anna:
        await anna.log_in()
        async with at.host.client(at.host.keys.add("alice", "full")) as client:
            arguments, answer = await ask(client)
            assert "Nothing waits for you" in (await anna.get("/approvals")).text
            theirs, none = path_in(answer), f"/approvals/apr_{'a' * 26}"
            for method in ("get", "post"):
                found = []
                for path in (theirs, none):
                    anna.token = anna.token_for(path.rpartition("/")[2])
                    more = () if method == "get" else (YES,)
                    response = await getattr(anna, method)(path, *more)
                    found.append((response.status_code, response.content))
                assert found[0] == found[1]
                assert found[0][0] == 404
            async with at.visitor() as bert:
                await bert.log_in("bert")
                assert "One question waits" in (await bert.get("/approvals")).text
                await bert.get(theirs)
                await bert.post(theirs, YES)
            done = await result(
                client, "delete_event", **arguments, approvalId=answer["approvalId"]
            )
            assert done["status"] == "done"
        assert [line["by"] for line in at.audited("approved")] == ["bert"]


async def test_an_application_without_approvers_is_told(sandbox: Sandbox, tmp_path: Path) -> None:
    """Instead of an address at which nobody will look."""
    async with (
        desk(sandbox, tmp_path, approver("anna", [OTHER])) as at,
        at.host.client(at.host.keys.add("alice", "full")) as client,
    ):
        _, answer = await ask(client)
        assert "losant-mcp approvers add" in answer["message"]
        assert "http" not in answer["message"]


async def test_forms_are_never_asked_where_there_are_approvers(
    sandbox: Sandbox, tmp_path: Path, mode: Mode
) -> None:
    """A client that would answer everything by itself is not asked at all."""
    seen = []

    async def agree(_: Any, params: ElicitRequestParams) -> ElicitResult:
        seen.append(params)
        return ElicitResult(action="accept", content={"confirmation": True})

    async with desk(sandbox, tmp_path) as at:
        before = stored(sandbox)
        key = at.host.keys.add("alice", "full")
        async with at.host.client(key, mode, elicitation_callback=agree) as client:
            arguments, answer = await ask(client)
            again = await result(
                client, "delete_event", **arguments, approvalId=answer["approvalId"]
            )
            assert again["status"] == "approval_required"
            status = await result(client, "get_server_status")
            assert at.host.url in status["confirmation"]["asksBy"]
        assert not seen
        assert stored(sandbox) == before


async def test_approvers_decide_for_anybody_on_this_machine(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """Where no caller is known, no browser is opened beside the server all the same."""
    async with desk(sandbox, tmp_path, auth="none") as at, at.host.client() as client:
        arguments, answer = await ask(client)
        async with at.visitor() as anna:
            await anna.log_in()
            await anna.get(path_in(answer))
            await anna.post(path_in(answer), YES)
        done = await result(client, "delete_event", **arguments, approvalId=answer["approvalId"])
        assert done["status"] == "done"


# ---- four eyes -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "callers"), [("Alice", ()), ("anna", ("key-alice",))], ids=["name", "caller"]
)
async def test_nobody_approves_their_own(
    sandbox: Sandbox, tmp_path: Path, name: str, callers: tuple[str, ...]
) -> None:
    """With --four-eyes: a key of their name, or one that is said to be theirs; others may."""
    people = (approver(name, callers=callers), approver("bert"))
    async with desk(sandbox, tmp_path, *people, four_eyes=True) as at:
        async with at.host.client(at.host.keys.add("alice", "full")) as client:
            arguments, answer = await ask(client)
            async with at.visitor() as asker:
                await asker.log_in(name)
                assert "somebody else has to approve" in (await asker.get("/approvals")).text
                page = (await asker.get(path_in(answer))).text
                assert "Somebody else has to approve this" in page
                assert 'value="approve"' not in page
                await asker.post(path_in(answer), YES)
                assert "Your decision" in (await asker.get(path_in(answer))).text
            async with at.visitor() as bert:
                await bert.log_in("bert")
                assert 'value="approve"' in (await bert.get(path_in(answer))).text
                await bert.post(path_in(answer), YES)
            done = await result(
                client, "delete_event", **arguments, approvalId=answer["approvalId"]
            )
            assert done["status"] == "done"
        assert [line["by"] for line in at.audited("approved")] == ["bert"]


async def test_who_asked_may_still_decline(sandbox: Sandbox, tmp_path: Path) -> None:
    """To take back what one asked for needs no second person."""
    async with desk(sandbox, tmp_path, approver("alice"), four_eyes=True) as at:
        key = at.host.keys.add("alice", "full")
        async with at.host.client(key) as client, at.visitor() as alice:
            _, answer = await ask(client)
            await alice.log_in("alice")
            await alice.get(path_in(answer))
            await alice.post(path_in(answer), NO)
            assert "You said no." in (await alice.get(path_in(answer))).text


async def test_a_losant_user_is_known_by_their_token(sandbox: Sandbox, tmp_path: Path) -> None:
    """With tokens of their own: whatever token of theirs asks, the user does not approve."""
    token = sandbox.tokens["full"]
    user = read_claims(token).user_id
    assert user
    people = (approver("anna", callers=[user]), approver("bert"))
    async with desk(sandbox, tmp_path, *people, token=None, auth="losant", four_eyes=True) as at:
        async with at.host.client(token) as client:
            _, answer = await ask(client)
        for name, may in (("anna", False), ("bert", True)):
            async with at.visitor() as visitor:
                await visitor.log_in(name)
                page = (await visitor.get(path_in(answer))).text
                assert ('value="approve"' in page) is may


async def test_a_change_of_the_file_holds_at_once(sandbox: Sandbox, tmp_path: Path) -> None:
    """An approver who is taken out, or whose entry is another, has no session any more."""
    async with (
        desk(sandbox, tmp_path, approver("anna"), approver("bert")) as at,
        at.visitor() as anna,
        at.visitor() as bert,
    ):
        await anna.log_in()
        await bert.log_in("bert")
        ApproverFile(at.file).remove("anna")
        assert "Your passphrase" in (await anna.get("/approvals")).text
        assert "Nothing waits for you" in (await bert.get("/approvals")).text
        assert (await anna.log_in()).status_code == 403
        at.file.unlink()
        assert (await bert.get("/approvals")).status_code == 503


async def test_the_server_goes_on_to_serve_everybody_else(sandbox: Sandbox, tmp_path: Path) -> None:
    """The page stands beside MCP, and neither sees the other's credentials."""
    async with desk(sandbox, tmp_path) as at, at.visitor() as anna:
        await anna.log_in()
        response = await anna.client.post(f"{at.host.url}/mcp", json={})
        assert response.status_code == 401
        key = at.host.keys.add("alice", "full")
        page = await anna.client.get(
            f"{at.host.url}/approvals", headers={"Authorization": f"Bearer {key}", "Cookie": ""}
        )
        assert "Your passphrase" in page.text
        await until(lambda: not at.host.hosting.door.calls.taken)
