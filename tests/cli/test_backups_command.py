"""`losant-mcp backups`: what a person finds in the state folder, and what they remove from it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from anyio.to_thread import run_sync

from tests.cli.command import Run, as_process
from tests.cli.kept import Kept
from tests.cli.pseudo_terminal import dialogue, needs_terminal
from tests.guard.backing_up import APPLICATION, names_in
from tests.guard.stored import LIMITS, a_plan, approve, burn

ESCAPES = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b-\u200f]")
HOSTILE = "\x1b[2J\x1b]0;owned\x07pumps\u202e\n$ rm -rf"

ROWS = [{"id": f"{number:024x}", "site": f"Pump {number}"} for number in range(20)]


# ---- list ----------------------------------------------------------------------------------


async def test_a_token_sees_its_own_backups(kept: Kept, run: Run) -> None:
    """The list has id, time, content and size, newest first, and counts what it leaves out."""
    table = await kept.case.table("sites")
    old = await kept.keep("rows", ROWS, days=3, table=table)
    new = await kept.keep("events", [{"id": "1"}])
    foreign = await kept.keep("rows", ROWS, principal="token-of-somebody")
    other = await kept.keep("rows", ROWS, application_id=APPLICATION)
    told = await run_sync(run, "backups", "list")
    assert told.exit_code == 0, told.stderr
    lines = told.stdout.splitlines()
    assert [line[:30] for line in lines if line.startswith("bak_")] == [new.id, old.id]
    assert lines[3].startswith("    20 rows of sites, before delete_rows; ")
    assert lines[-1] == "2 backups of other tokens or applications: see --all."
    assert foreign.id not in told.stdout
    everything = await run_sync(run, "backups", "list", "--all", "--json")
    assert {m["id"] for m in json.loads(everything.stdout)} == {
        *(old.id, new.id, foreign.id, other.id)
    }


async def test_the_operator_needs_no_token_to_list_everything(
    kept: Kept, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a token, what is one token's cannot be told, and --all says whose everything is."""
    await kept.keep("rows", ROWS)
    monkeypatch.delenv("LOSANT_API_TOKEN")
    told = await run_sync(run, "backups", "list")
    assert told.exit_code == 2
    assert "no Losant API token" in told.stderr
    told = await run_sync(run, "backups", "list", "--all")
    assert told.exit_code == 0, told.stderr
    assert f"{kept.principal}, application" in told.stdout


async def test_a_token_that_is_bound_to_no_application_sees_all_of_its_own(
    kept: Kept, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Backups are kept by application only where one is named."""
    manifest = await kept.keep("rows", ROWS, application_id=APPLICATION)
    assert manifest.id not in (await run_sync(run, "backups", "list")).stdout
    monkeypatch.delenv("LOSANT_APPLICATION_ID")
    assert manifest.id in (await run_sync(run, "backups", "list")).stdout


async def test_an_empty_shelf_says_so(kept: Kept, run: Run) -> None:
    """No backup is no error."""
    told = await run_sync(run, "backups", "list")
    assert (told.exit_code, told.stdout) == (0, "No backups of this token here.\n")
    assert json.loads((await run_sync(run, "backups", "list", "--json")).stdout) == []


# ---- show ----------------------------------------------------------------------------------


async def test_a_backup_is_shown_with_its_first_objects(kept: Kept, run: Run) -> None:
    """The manifest in words, what a restore does differently, and as many rows as asked for."""
    table = await kept.case.table("sites")
    manifest = await kept.keep("rows", ROWS, table=table)
    told = await run_sync(run, "backups", "show", manifest.id, "--rows", "2")
    assert told.exit_code == 0, told.stderr
    for text in (manifest.id, "20 rows of sites", table.id, "restored objects get new ids"):
        assert text in told.stdout
    assert "2 of 20 rows (data)" in told.stdout
    assert ("Pump 1" in told.stdout, "Pump 2" in told.stdout) == (True, False)
    none = await run_sync(run, "backups", "show", manifest.id, "--rows", "0")
    assert "Pump" not in none.stdout


async def test_a_backup_as_json_is_manifest_change_and_objects(kept: Kept, run: Run) -> None:
    """`--json` holds what a program may want, and no token."""
    manifest = await kept.keep("before-image", ROWS, change={"site": "Gone"})
    told = await run_sync(run, "backups", "show", manifest.id.upper(), "--rows", "3", "--json")
    found = json.loads(told.stdout)
    assert found["manifest"]["id"] == manifest.id
    assert found["change"] == {"site": "Gone"}
    assert found["objects"] == ROWS[:3]
    assert kept.sandbox.tokens["full"] not in told.stdout


async def test_names_and_cells_do_nothing_to_a_terminal(kept: Kept, run: Run) -> None:
    """No escape of a table's name, a column or a cell is printed, in any form."""
    table = (await kept.case.table("sites")).model_copy(update={"name": HOSTILE})
    manifest = await kept.keep("rows", [{"id": "1", HOSTILE: HOSTILE}], table=table)
    for arguments in (("list",), ("list", "--json"), ("show", manifest.id)):
        told = await run_sync(run, "backups", *arguments)
        assert told.exit_code == 0, told.stderr
        assert "owned" in told.stdout
        assert not ESCAPES.search(told.stdout), arguments
    told = await run_sync(run, "backups", "show", manifest.id, "--json")
    assert "\\u001b" not in told.stdout
    assert "\x1b" not in told.stdout


async def test_a_damaged_backup_is_told_and_no_object_of_it_shown(kept: Kept, run: Run) -> None:
    """What the manifest says is shown; the data is checked to its end before."""
    manifest = await kept.keep("rows", ROWS)
    path = kept.state.backups / f"{manifest.id}.jsonl.gz"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    told = await run_sync(run, "backups", "show", manifest.id)
    assert told.exit_code == 1
    assert "is damaged: its checksum is wrong" in told.stderr
    assert "20 rows" in told.stdout
    assert "Pump" not in told.stdout


@pytest.mark.parametrize("wanted", ["foreign", "bak_" + "a" * 26, "../../etc/passwd"])
async def test_a_backup_of_another_token_is_none(kept: Kept, run: Run, wanted: str) -> None:
    """Another token's id, an unknown one and a path are answered alike."""
    foreign = await kept.keep("rows", ROWS, principal="token-of-somebody")
    wanted = foreign.id if wanted == "foreign" else wanted
    told = await run_sync(run, "backups", "show", wanted)
    assert (told.exit_code, told.stdout) == (2, "")
    assert "This token has no such backup here." in told.stderr


# ---- the embedded sandbox ------------------------------------------------------------------


@needs_terminal
async def test_a_sandbox_in_a_file_finds_its_backups_again(tmp_path: Path) -> None:
    """A change by one process is seen, and taken back, by the next ones."""
    where = (
        *("--sandbox", "--database", str(tmp_path / "demo.sqlite")),
        *("--state-dir", str(tmp_path / "state")),
    )

    def call(*words: str) -> str:
        done = as_process(*words, *where)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def state_now() -> str:
        found = call("call", "get_event", json.dumps({"eventId": event}), "--json")
        return str(json.loads(found)["event"]["state"])

    found = await run_sync(call, "call", "list_events", '{"state": "new", "perPage": 1}', "--json")
    event = json.loads(found)["rows"][0][0]
    change = json.dumps({"eventId": event, "state": "acknowledged"})
    await run_sync(call, "call", "update_event", change)
    assert await run_sync(state_now) == "acknowledged"
    [manifest] = json.loads(await run_sync(call, "backups", "list", "--json"))
    assert manifest["action"] == "update_event"
    shown = json.loads(await run_sync(call, "backups", "show", manifest["id"], "--json"))
    assert [(item["id"], item["state"]) for item in shown["objects"]] == [(event, "new")]
    code, screen = await dialogue(
        *("backups", "restore", manifest["id"], *where),
        lines=[("Type yes to RESTORE 1 object", "yes")],
    )
    assert code == 0, screen
    assert "1 object restored" in screen
    assert await run_sync(state_now) == "new"
    assert "The audit is whole" in await run_sync(call, "audit", "verify")


@pytest.mark.parametrize("command", [("list",), ("show", "bak_x")])
@pytest.mark.parametrize("database", [(), ("--database", "not-there.sqlite")])
def test_a_sandbox_that_is_not_kept_has_no_backups(
    run: Run, tmp_path: Path, command: tuple[str, ...], database: tuple[str, ...]
) -> None:
    """What is only in memory, or is not there, is told, and no database is made."""
    state = ("--state-dir", str(tmp_path / "state"))
    told = run("backups", *command, "--sandbox", *database, *state)
    assert told.exit_code == 2
    assert "Name the --database" in told.stderr
    assert not Path("not-there.sqlite").exists()


# ---- prune ---------------------------------------------------------------------------------


async def test_a_dry_run_says_what_would_go(kept: Kept, run: Run) -> None:
    """Those of every token that are older than 90 days are listed, and stay where they are."""
    old = await kept.keep("rows", ROWS, days=100, principal="token-of-somebody")
    await kept.keep("rows", ROWS, days=80)
    before = names_in(kept.state.backups)
    told = await run_sync(run, "backups", "prune", "--dry-run")
    assert told.exit_code == 0, told.stderr
    assert told.stdout.startswith(old.id)
    assert "In all 1 backup, " in told.stdout
    assert names_in(kept.state.backups) == before
    told = await run_sync(run, "backups", "prune", "--dry-run", "--keep-bytes", "0")
    assert "In all 2 backups, " in told.stdout
    told = await run_sync(run, "backups", "prune", "--dry-run", "--older-than", "200")
    assert told.stdout == "Nothing is to be removed, of 2 backups.\n"
    assert kept.audited() == []


async def test_a_program_prunes_nothing(kept: Kept) -> None:
    """Whatever is piped in: only a person at a terminal removes backups."""
    await kept.keep("rows", ROWS, days=100)
    before = names_in(kept.state.backups)
    done = await run_sync(lambda: as_process("backups", "prune", input="prune\nyes\n"))
    assert done.returncode == 2
    assert "This takes a person at a terminal; nothing was removed." in done.stderr
    assert names_in(kept.state.backups) == before


@needs_terminal
async def test_a_person_prunes_what_they_were_shown(kept: Kept) -> None:
    """One word removes what was listed; the audit says who, and how much."""
    old = await kept.keep("rows", ROWS, days=100)
    new = await kept.keep("rows", ROWS, days=80)
    code, screen = await dialogue("backups", "prune", lines=[("Type prune to", "yes")])
    assert code == 1, screen
    assert len(kept.case.backups.read_all()) == 2
    assert kept.audited() == []
    code, screen = await dialogue("backups", "prune", lines=[("Type prune to", "prune")])
    assert code == 0, screen
    assert old.id in screen
    assert "1 backup removed, " in screen
    assert [manifest.id for manifest in kept.case.backups.read_all()] == [new.id]
    begun, done = kept.audited()
    assert (begun.kind, done.kind) == ("running", "pruned")
    assert done.facts["counts"]["backups"] == 1
    assert done.facts["way"] == "terminal"
    assert done.facts["by"]


@needs_terminal
async def test_nothing_is_pruned_that_the_audit_cannot_tell(kept: Kept) -> None:
    """A broken audit stops the removal before the first file."""
    await kept.keep("rows", ROWS, days=100)
    await kept.audit().append("planned")
    kept.state.audit.write_bytes(b"")
    code, screen = await dialogue("backups", "prune", lines=[("Type prune to", "prune")])
    assert code == 2, screen
    assert "The audit trail is not as it was left" in screen
    assert len(kept.case.backups.read_all()) == 1


async def test_what_a_run_still_needs_is_not_pruned(kept: Kept, run: Run) -> None:
    """The backup of a plan that is running stays, however old it is."""
    store = kept.store()
    plan = await burn(store, await approve(store, await store.add_plan(a_plan(), LIMITS)))
    await store.aclose()
    await kept.keep("rows", ROWS, days=100, plan_id=plan.id)
    told = await run_sync(run, "backups", "prune", "--dry-run")
    assert told.stdout == "Nothing is to be removed, of 1 backup.\n"
