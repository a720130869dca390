"""`losant-mcp backups restore`: a person at a terminal brings rows and events back."""

from __future__ import annotations

import time
from hashlib import sha256

import pytest
from anyio.to_thread import run_sync

from losant_mcp.api.body import parse_body
from losant_mcp.api.tables import DataTablePost, RowInsert
from losant_mcp.guard.pin import set_pin
from tests.cli.command import Run, as_process
from tests.cli.kept import Kept
from tests.cli.pseudo_terminal import Terminal, dialogue, needs_terminal
from tests.guard.backing_up import events_of

HOSTILE = "parts\x1b[2J\nType parts to keep it"

PARTS = [("Type parts to RESTORE 300 rows", "parts")]


@needs_terminal
async def test_a_person_brings_an_emptied_table_back(kept: Kept) -> None:
    """What will happen is shown, the table's name is typed, and every cell is as it was."""
    before = await kept.cells(await kept.case.table("parts"))
    table, manifest = await kept.truncated("parts")
    code, screen = await dialogue("backups", "restore", manifest.id, lines=PARTS)
    assert code == 0, screen
    shown, _, told = screen.partition("Type parts")
    assert "300 rows of parts" in shown
    assert f"parts (id {table.id})" in shown
    assert "Not the same: restored objects get new ids." in shown
    assert f"300 rows restored in parts (id {table.id})." in told
    assert "300 of 300 objects restored" in told
    assert "What is different now:" in told
    assert kept.sandbox.tokens["full"] not in screen
    assert await kept.cells(table) == before


@needs_terminal
async def test_the_audit_tells_of_a_restore_as_of_any_write(kept: Kept) -> None:
    """A line is there before the first row, one for each batch, and one with the outcome."""
    table, manifest = await kept.truncated("parts")
    await dialogue("backups", "restore", manifest.id, lines=PARTS)
    first, *batches, last = kept.audited()
    assert (first.kind, first.facts["counts"]) == ("restoring", {"planned": 300})
    assert {line.kind for line in batches} == {"restoring"}
    assert sum(line.facts["counts"]["rows"] for line in batches) == 300
    assert (last.kind, last.facts["counts"]["restored"]) == ("restored", 300)
    for line in (first, *batches, last):
        assert line.facts["backup"] == manifest.id
        assert line.facts["target"] == table.id
        assert line.facts["way"] == "terminal"
        assert line.facts["principal"] == kept.principal
    store = kept.store()
    [words] = await store.changes(kept.sandbox.application_id, table.id)
    await store.aclose()
    assert words.startswith("RESTORE 300 rows (")


@needs_terminal
async def test_a_second_restore_makes_no_duplicates(kept: Kept) -> None:
    """What was restored before is told as being there."""
    table, manifest = await kept.truncated("parts")
    await dialogue("backups", "restore", manifest.id, lines=PARTS)
    before = await kept.case.rows(table)
    code, screen = await dialogue("backups", "restore", manifest.id, lines=PARTS)
    assert code == 0, screen
    assert "0 rows restored" in screen
    assert "300 rows there already." in screen
    assert await kept.case.rows(table) == before


@needs_terminal
async def test_an_old_backup_is_not_pruned_by_restoring_it(kept: Kept) -> None:
    """A server that starts removes what is too old; bringing it back does not."""
    table, manifest = await kept.truncated("parts", days=200)
    code, screen = await dialogue("backups", "restore", manifest.id, lines=PARTS)
    assert code == 0, screen
    assert len(await kept.cells(table)) == 300


@needs_terminal
async def test_an_encrypted_backup_takes_its_key(
    kept: Kept, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the key it is shown and restored; without it, neither, and nothing has changed."""
    key = "a key of thirty-two characters, or more"
    table, manifest = await kept.truncated("parts", key=sha256(key.encode()).digest())
    shown = await run_sync(run, "backups", "show", manifest.id)
    assert (shown.exit_code, "is encrypted, and no key is set" in shown.stderr) == (1, True)
    code, screen = await dialogue("backups", "restore", manifest.id, lines=PARTS)
    assert code == 1, screen
    assert await kept.cells(table) == []
    monkeypatch.setenv("LOSANT_MCP_BACKUP_KEY", key)
    shown = await run_sync(run, "backups", "show", manifest.id)
    assert shown.exit_code == 0, shown.stderr
    assert key not in shown.stdout
    code, screen = await dialogue("backups", "restore", manifest.id, lines=PARTS)
    assert code == 0, screen
    assert len(await kept.cells(table)) == 300


@needs_terminal
async def test_what_could_not_be_restored_is_named(kept: Kept) -> None:
    """A row whose unique value was taken meanwhile is told, and the exit code is 1."""
    table = await kept.case.table("parts")
    taken = dict((await kept.cells(table))[0])
    await kept.truncated("parts")
    await kept.case.client.data_table_rows_post(
        **kept.case.at, dataTableId=table.id, body=RowInsert({**taken, "description": "new"})
    )
    code, screen = await dialogue("backups", "restore", kept.case.manifest.id, lines=PARTS)
    assert code == 1, screen
    assert "299 rows restored" in screen
    assert "1 row could NOT be restored:" in screen
    assert "    | " in screen.partition("could NOT")[2]
    assert kept.audited()[-1].facts["counts"] == {"restored": 299, "already": 0, "failed": 1}


@needs_terminal
async def test_rows_are_put_into_another_table(kept: Kept) -> None:
    """`--into` takes a name or an id, shows that table, and asks for its name."""
    table, manifest = await kept.truncated("parts")
    columns = [column.to_json() for column in table.columns]
    other = await kept.case.client.data_tables_post(
        **kept.case.at, body=parse_body(DataTablePost, {"name": "copy", "columns": columns})
    )
    code, screen = await dialogue(
        *("backups", "restore", manifest.id, "--into", "copy"),
        lines=[("Type copy to RESTORE 300 rows", "copy")],
    )
    assert code == 0, screen
    assert f"copy (id {other.id})" in screen
    assert len(await kept.cells(other)) == 300
    assert await kept.cells(table) == []


@needs_terminal
@pytest.mark.parametrize("typed", ["", "yes", "Parts"])
async def test_what_is_no_yes_restores_nothing(kept: Kept, typed: str) -> None:
    """Anything but the name ends it, with exit code 1 and no line in the audit."""
    table, manifest = await kept.truncated("parts")
    code, screen = await dialogue(
        "backups", "restore", manifest.id, lines=[("Type parts to", typed)]
    )
    assert code == 1, screen
    assert "Nothing was changed." in screen
    assert await kept.cells(table) == []
    assert kept.audited() == []


@needs_terminal
async def test_a_pin_that_is_set_is_asked_for(kept: Kept) -> None:
    """Who types the name alone restores nothing; nothing of the PIN is on the screen."""
    table, manifest = await kept.truncated("parts")
    store = kept.store()
    await set_pin(store, "correct horse")
    await store.aclose()
    wrong = [*PARTS, ("Your approval PIN", "battery staple")]
    code, screen = await dialogue("backups", "restore", manifest.id, lines=wrong)
    assert code == 1, screen
    assert await kept.cells(table) == []
    right = [*PARTS, ("Your approval PIN", "correct horse")]
    code, screen = await dialogue("backups", "restore", manifest.id, lines=right)
    assert code == 0, screen
    assert "horse" not in screen
    assert len(await kept.cells(table)) == 300


@needs_terminal
async def test_a_pin_that_is_demanded_must_be_set(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LOSANT_MCP_APPROVE=pin holds here, too."""
    table, manifest = await kept.truncated("parts")
    monkeypatch.setenv("LOSANT_MCP_APPROVE", "pin")
    code, screen = await dialogue("backups", "restore", manifest.id)
    assert code == 1, screen
    assert "none is set: see `losant-mcp approve --set-pin`" in screen
    assert await kept.cells(table) == []


@needs_terminal
async def test_a_name_cannot_pass_for_a_question_of_ours(kept: Kept) -> None:
    """No escape or line of a table's name is printed, and what is typed is our own phrase."""
    parts = await kept.case.table("parts")
    hostile = parts.model_copy(update={"name": HOSTILE})
    manifest = await kept.keep("rows", await kept.case.rows(parts), table=hostile)
    phrase = f"restore {parts.id[-6:]}"
    code, screen = await dialogue(
        "backups", "restore", manifest.id, lines=[(f"Type {phrase} to RESTORE", phrase)]
    )
    assert code == 0, screen
    assert "300 rows there already." in screen
    assert "\x1b" not in screen
    assert not any(line.startswith("Type parts") for line in screen.splitlines())


@needs_terminal
async def test_ctrl_c_leaves_a_restore_that_goes_on(kept: Kept) -> None:
    """It says that it was stopped; the same command then restores the rest, each event once."""
    application = kept.sandbox.application_id
    events = (await events_of(kept.case.client, application))[:3]
    manifest = await kept.keep("events", events)
    with kept.sandbox.store.transaction(write=True) as db:
        db.executemany("DELETE FROM events WHERE id = ?", [(event["id"],) for event in events])
    left = len(kept.sandbox.store.rows("SELECT id FROM events"))
    name = (await kept.case.client.application_get(**kept.case.at)).name
    question = (f"Type {name} to RESTORE 3 events", name)

    def stored() -> int:
        return len(kept.sandbox.store.rows("SELECT id FROM events"))

    def stop() -> tuple[int, str]:
        # Losant takes the first event and none after it, however late the person presses Ctrl-C.
        first = {"kind": "slow_body", "ms": 0, "times": 1}
        rules = ({"endpoint": "events.post", **rule} for rule in (first, {"kind": "hang"}))
        kept.sandbox.set_faults(*rules)
        terminal = Terminal("backups", "restore", manifest.id)
        terminal.sees(question[0])
        terminal.types(question[1])
        terminal.sees("0 of 3 objects restored")
        deadline = time.monotonic() + 30
        while stored() == left:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        terminal.interrupts()
        return terminal.ends(), terminal.screen

    code, screen = await run_sync(stop)
    assert code == 1, screen
    assert "The same command goes on where it stopped, without duplicates." in screen
    assert "Traceback" not in screen
    assert kept.audited()[-1].kind == "failed"
    assert stored() == left + 1
    kept.sandbox.set_faults()
    code, screen = await dialogue("backups", "restore", manifest.id, lines=[question])
    assert code == 0, screen
    assert stored() == left + 3


# ---- refused -------------------------------------------------------------------------------


async def test_a_program_restores_nothing(kept: Kept) -> None:
    """Whatever is piped in: only a person at a terminal restores."""
    table, manifest = await kept.truncated("parts")
    arguments = ("backups", "restore", manifest.id)
    done = await run_sync(lambda: as_process(*arguments, input="parts\nyes\n"))
    assert done.returncode == 2
    assert "This takes a person at a terminal; nothing was restored." in done.stderr
    assert await kept.cells(table) == []


@needs_terminal
@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("bak_" + "a" * 26,), "This token has no such backup here."),
        (("{foreign}",), "This token has no such backup here."),
        (("{id}", "--into", "nonsense"), "No data table is called"),
        (("{events}", "--into", "parts"), "--into is for backups of rows"),
        (("{id}", "--access", "read"), "Restoring is refused: access is read."),
        (("{id}", "--sandbox"), "Name the --database"),
    ],
)
async def test_what_cannot_be_restored_is_not_asked_about(
    kept: Kept, arguments: tuple[str, ...], problem: str
) -> None:
    """The reason is told with exit code 2, and nothing has changed."""
    foreign = await kept.keep("rows", [{"id": "1"}], principal="token-of-somebody")
    events = await kept.keep("events", [{"id": "1"}])
    table, manifest = await kept.truncated("parts")
    ids = {"{id}": manifest.id, "{foreign}": foreign.id, "{events}": events.id}
    given = [ids.get(argument, argument) for argument in arguments]
    code, screen = await dialogue("backups", "restore", *given)
    assert code == 2, screen
    assert problem in " ".join(screen.split())
    assert await kept.cells(table) == []


@needs_terminal
async def test_a_damaged_backup_restores_nothing(kept: Kept) -> None:
    """It is told after the question, with exit code 1, and stands in the audit."""
    table, manifest = await kept.truncated("parts")
    path = kept.state.backups / f"{manifest.id}.jsonl.gz"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    code, screen = await dialogue("backups", "restore", manifest.id, lines=PARTS)
    assert code == 1, screen
    assert "Nothing was restored: The backup" in screen
    assert await kept.cells(table) == []
    assert (kept.audited()[-1].kind, kept.audited()[-1].facts["why"]) == ("failed", "BackupDamaged")


@needs_terminal
async def test_nothing_is_restored_that_the_audit_cannot_tell(kept: Kept) -> None:
    """A broken audit stops the restore before the first row."""
    table, manifest = await kept.truncated("parts")
    await kept.audit().append("planned")
    kept.state.audit.write_bytes(b"")
    code, screen = await dialogue("backups", "restore", manifest.id, lines=PARTS)
    assert code == 2, screen
    assert "The audit trail is not as it was left" in screen
    assert await kept.cells(table) == []
