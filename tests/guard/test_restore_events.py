"""Events created anew: as they were, paced, each once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from losant_mcp.api.events import EventPatch
from losant_mcp.client import LosantClient
from losant_mcp.guard.restore import RestoreStopped, restore_seconds
from tests.guard.backing_up import backups_in, contents, events_of
from tests.guard.restoring import Case, thin_out_events, writing_nothing
from tests.served import Sandbox

NEW = ("id", "eventId", "lastUpdated", "sourceType", "sourceId", "sourceName", "updates")
"""What Losant sets itself, and the history, which cannot be restored."""

POST = "events.post"


@pytest.fixture
def case(losant: LosantClient, sandbox: Sandbox, tmp_path: Path) -> Case:
    """A backup folder beside the demo, and some of its events."""
    thin_out_events(sandbox)
    return Case(losant, sandbox, backups_in(tmp_path))


async def _deleted(case: Case, most: int) -> list[dict[str, Any]]:
    """Events that were backed up and deleted: of every level and state."""
    found = await events_of(case.client, case.sandbox.application_id)
    step = len(found) // most
    events = found[::step][:most]
    await case.back_up("events", events)
    for start in range(0, most, 50):
        ids = [event["id"] for event in events[start : start + 50]]
        await case.client.events_delete(**case.at, body={"id": {"$in": ids}})
    return events


async def _now(case: Case) -> list[dict[str, Any]]:
    return await events_of(case.client, case.sandbox.application_id)


async def test_deleted_events_come_back(case: Case) -> None:
    """Level, state, subject, message, data, device, tags and date are as they were."""
    before = await _now(case)
    events = await _deleted(case, 80)
    assert {event["level"] for event in events} == {"info", "warning", "error", "critical"}
    outcome = await case.restore()
    assert (outcome.restored, outcome.problem_count) == (80, 0)
    assert contents(await _now(case), without=NEW) == contents(before, without=NEW)
    assert any("history" in note for note in outcome.notes)
    assert {batch.meter for batch in case.written} == {"created_events"}
    assert sum(batch.count for batch in case.written) == 80
    with writing_nothing(case):
        assert (await case.restore()).already == 80


async def test_events_are_paced_so_that_alarms_get_through(case: Case) -> None:
    """At most 10 events in any 15 seconds, Losant never says that it is too much."""
    await _deleted(case, 40)
    await case.restore()
    statuses = [r.status for r in case.sandbox.requests if r.endpoint_id == POST]
    assert statuses == [201] * 40
    assert case.time.seconds == pytest.approx(39 * 1.5)
    assert restore_seconds(case.manifest) == 60


async def test_five_thousand_events_are_said_to_take_hours(case: Case) -> None:
    """How long it takes can be told before it begins."""
    await case.back_up("events", [{"id": str(n)} for n in range(5000)])
    assert restore_seconds(case.manifest) == 7500
    await case.back_up("rows", [{"id": str(n)} for n in range(5000)])
    assert restore_seconds(case.manifest) == 0


async def test_too_much_is_waited_for(case: Case) -> None:
    """A 429, since real alarms came meanwhile, only makes it slower."""
    await _deleted(case, 5)
    case.set_faults(
        {"endpoint": POST, "times": 2, "kind": "status", "status": 429},
        {"endpoint": POST, "times": 1, "kind": "status", "status": 429, "retryAfter": 20},
    )
    outcome = await case.restore()
    assert (outcome.restored, outcome.problem_count) == (5, 0)
    assert case.time.seconds >= 50


async def test_a_losant_that_is_always_too_busy_is_given_up(case: Case) -> None:
    """The wait has an end, and another restore goes on."""
    await _deleted(case, 5)
    case.set_faults({"endpoint": POST, "kind": "status", "status": 429})
    with pytest.raises(RestoreStopped):
        await case.restore()
    case.set_faults()
    assert (await case.restore()).restored == 5


async def test_events_that_never_went_stay_alone(case: Case) -> None:
    """After a deletion that stopped half-way, only what is gone comes back."""
    before = await _now(case)
    await case.back_up("events", before[:30])
    for event in before[:10]:
        await case.client.event_delete(**case.at, eventId=event["id"])
    outcome = await case.restore()
    assert (outcome.restored, outcome.already) == (10, 20)
    assert len(await _now(case)) == len(before)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "drop_after"},
        {"kind": "drop_before"},
        {"kind": "truncated_json"},
        {"kind": "status", "status": 502},
    ],
    ids=lambda fault: str(fault["kind"]),
)
async def test_an_event_without_an_answer_is_looked_up(case: Case, fault: dict[str, Any]) -> None:
    """Whether it arrived or not, it is there once in the end."""
    before = await _now(case)
    await _deleted(case, 6)
    case.set_faults({"endpoint": POST, "times": 3, **fault})
    outcome = await case.restore()
    assert (outcome.restored, outcome.problem_count) == (6, 0)
    assert contents(await _now(case), without=NEW) == contents(before, without=NEW)


async def test_a_crash_before_an_answer_was_noted_makes_no_duplicates(
    case: Case, tmp_path: Path
) -> None:
    """An event that was sent, and of which the journal does not know more, is found again."""
    before = await _now(case)
    await _deleted(case, 25)
    case.fail_at = 2
    with pytest.raises(RestoreStopped) as caught:
        await case.restore()
    assert caught.value.known.restored == 20
    path = tmp_path / f"{case.manifest.id}.journal"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    case.fail_at = None
    await case.restarted(tmp_path)
    outcome = await case.restore()
    assert (outcome.restored, outcome.already) == (6, 19)
    assert contents(await _now(case), without=NEW) == contents(before, without=NEW)


async def test_a_cancelled_restore_goes_on(case: Case) -> None:
    """A cancellation ends it at the next event; another restore brings the rest."""
    before = await _now(case)
    await _deleted(case, 30)
    with anyio.CancelScope() as scope:

        async def progress(done: float, total: float | None, what: str) -> None:
            if done == 10:
                scope.cancel()

        await case.restore(progress=progress)
    assert scope.cancelled_caught
    outcome = await case.restore()
    assert (outcome.restored, outcome.already) == (20, 10)
    assert contents(await _now(case), without=NEW) == contents(before, without=NEW)


async def test_events_of_a_device_that_is_gone_come_back_without_it(case: Case) -> None:
    """A device that no longer exists does not keep its alarms from being restored."""
    events = [event for event in await _now(case) if event.get("deviceId")][:6]
    for event in events[:2]:
        event["deviceId"] = "0" * 24
    await case.back_up("events", events)
    for event in events:
        await case.client.event_delete(**case.at, eventId=event["id"])
    outcome = await case.restore()
    assert (outcome.restored, outcome.problem_count) == (6, 0)
    assert any("without their device" in note for note in outcome.notes)


async def test_an_event_that_cannot_be_written_is_reported(case: Case) -> None:
    """One event that Losant would refuse does not stop the others."""
    events = (await _now(case))[:5]
    events[2]["level"] = "unheard of"
    await case.back_up("events", events)
    for event in events:
        await case.client.event_delete(**case.at, eventId=event["id"])
    outcome = await case.restore()
    assert outcome.restored == 4
    assert [(p.id, p.why) for p in outcome.problems] == [(events[2]["id"], "refused")]


async def test_equal_events_are_told_apart_by_number(case: Case) -> None:
    """Two events that are the same in every field come back as two."""
    event = (await _now(case))[0]
    twin = {**event, "id": "f" * 24}
    await case.back_up("events", [event, twin])
    await case.client.event_delete(**case.at, eventId=event["id"])
    case.set_faults({"endpoint": POST, "times": 2, "kind": "drop_after"})
    outcome = await case.restore()
    assert outcome.restored == 2
    same = [
        e for e in await _now(case) if contents([e], without=NEW) == contents([event], without=NEW)
    ]
    assert len(same) == 2


async def test_the_state_that_somebody_gave_a_restored_event_stays(case: Case) -> None:
    """A second restore leaves alone what people did with the restored events."""
    await _deleted(case, 3)
    await case.restore()
    restored = max(await _now(case), key=lambda event: str(event["id"]))
    await case.client.event_patch(
        **case.at, eventId=restored["id"], body=EventPatch(comment="seen", level="info")
    )
    with writing_nothing(case):
        await case.restore()
