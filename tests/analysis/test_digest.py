"""The digest counts what the database holds, also while that changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import anyio
import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from losant_mcp.analysis.digest_counts import GroupBy, Tally
from losant_mcp.analysis.digest_subjects import normalise
from losant_mcp.api.events import LEVELS, Event
from losant_mcp.client import LosantClient
from losant_mcp.errors import InvalidRequest, ServerError
from losant_mcp.sandbox.demo.write import insert
from tests.analysis.stored_events import (
    DAY,
    DEVICES,
    HOUR,
    NOW,
    Stored,
    event_row,
    plain_counts,
    read,
    store_devices,
    store_events,
)
from tests.assembling import network
from tests.served import Sandbox

SUBJECTS = ("Level 5 %", "Level 17.2 %", "Fault 1", "Fault 2", "fault 2", "Pump* (a) trip?", "")

generated = st.lists(
    st.builds(
        Stored,
        at=st.one_of(
            st.integers(NOW - DAY - HOUR, NOW + HOUR),
            # Many at the same moment, and at the window's edges.
            st.sampled_from([NOW - DAY - 1, NOW - DAY, NOW - 1, NOW, NOW - HOUR]),
        ),
        subject=st.sampled_from(SUBJECTS),
        level=st.integers(0, 3),
        state=st.integers(0, 2),
        device=st.sampled_from([*DEVICES, None]),
    ),
    max_size=40,
)


def client_of(sandbox: Sandbox, transport: httpx.AsyncBaseTransport | None = None) -> LosantClient:
    """A client of the sandbox that never waits before a retry."""
    return LosantClient(
        SecretStr(sandbox.tokens["full"]),
        base_url=sandbox.url,
        transport=transport or network(),
        retry_wait_scale=0,
    )


@pytest.fixture
async def reader(empty_sandbox: Sandbox) -> AsyncIterator[LosantClient]:
    """A client of a sandbox without events."""
    async with client_of(empty_sandbox) as client:
        yield client


@given(generated, st.integers(1, 12))
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_a_digest_equals_a_plain_count(
    empty_sandbox: Sandbox, events: list[Stored], page_size: int
) -> None:
    """Counts, clusters, first, last and sources are those that SQLite and plain Python find."""
    store = empty_sandbox.store
    with store.transaction(write=True) as db:
        db.execute("DELETE FROM events")
    ids = store_events(store, empty_sandbox.application_id, events)
    inside = {id: e for id, e in zip(ids, events, strict=True) if NOW - DAY <= e.at < NOW}

    async def look() -> Tally:
        async with client_of(empty_sandbox) as losant:
            found = await read(losant, empty_sandbox, page_size=page_size)
        assert found.inexact == ""
        return found.tally

    tally = anyio.run(look)
    assert tally.counts == plain_counts(store)
    expected = Counter((normalise(e.subject).casefold(), e.device) for e in inside.values())
    assert {key: cluster.count for key, cluster in tally.clusters.items()} == expected
    for (subject, device), cluster in tally.clusters.items():
        own = {
            id: event
            for id, event in inside.items()
            if (normalise(event.subject).casefold(), event.device) == (subject, device)
        }
        assert (cluster.first, cluster.last) == (
            min(event.at for event in own.values()),
            max(event.at for event in own.values()),
        )
        assert cluster.levels == Counter(LEVELS[event.level] for event in own.values())
        worst = own[cluster.samples[0]]
        assert worst.level == max(event.level for event in own.values())
        assert set(cluster.samples) <= set(own)
    sources = Counter(e.device or "flow" for e in inside.values())
    assert sorted(s.count for s in tally.sources.values()) == sorted(sources.values())


@pytest.mark.parametrize(
    ("pattern", "matching"),
    [
        ("level*", {0, 1}),
        ("*fault*", {2, 3, 4}),
        ("*2", {3, 4}),
        ("Fault 2", {3, 4}),
        ("Fault ?", {2, 3, 4}),
        ("l*v*%", {0, 1}),
        ("L*l*l*%", set()),
        ("*(a)*", {5}),
        ("*", {0, 1, 2, 3, 4, 5, 6}),
        ("**", {0, 1, 2, 3, 4, 5, 6}),
        ("nothing*", set()),
    ],
)
async def test_a_subject_pattern_covers_the_whole_subject(
    reader: LosantClient, empty_sandbox: Sandbox, pattern: str, matching: set[int]
) -> None:
    """A star stands for any characters and a question mark for one, and case does not matter."""
    events = [Stored(NOW - 2 * DAY, subject=s) for s in SUBJECTS]
    events += [Stored(NOW - i - 1, subject=s) for i, s in enumerate(SUBJECTS)]
    store_events(empty_sandbox.store, empty_sandbox.application_id, events)
    found = await read(reader, empty_sandbox, subject=pattern)
    expected = {normalise(SUBJECTS[i]).casefold() for i in matching}
    assert {key[0] for key in found.tally.clusters} == expected
    assert found.tally.total == len(matching)
    assert found.old_open.count == len(matching)


@pytest.mark.parametrize(
    ("group_by", "expected"),
    [
        (["level"], {("info",): 1, ("warning",): 2, ("critical",): 1}),
        (["device", "state"], {(DEVICES[0], "new"): 3, (None, "resolved"): 1}),
        (["hour"], {("2026-05-28 22:00",): 1, ("2026-05-28 23:00",): 2, ("2026-05-29 00:00",): 1}),
        (["day"], {("2026-05-28",): 3, ("2026-05-29",): 1}),
    ],
)
async def test_events_are_grouped_as_asked(
    reader: LosantClient,
    empty_sandbox: Sandbox,
    group_by: list[GroupBy],
    expected: dict[tuple[str, ...], int],
) -> None:
    """By level, device, state, hour and day; hours and days are those of the configured zone."""
    events = [
        Stored(NOW - HOUR - HOUR // 2),
        Stored(NOW - HOUR // 2, level=3),
        Stored(NOW - 1, level=0, state=2, device=None),
        Stored(NOW - HOUR),
    ]
    store_events(empty_sandbox.store, empty_sandbox.application_id, events)
    found = await read(
        reader, empty_sandbox, group_by=group_by, local=lambda moment: moment + timedelta(hours=4)
    )
    assert {k: cluster.count for k, cluster in found.tally.clusters.items()} == expected


async def test_old_open_events_are_found_beyond_the_window(
    reader: LosantClient, empty_sandbox: Sandbox
) -> None:
    """What nobody resolved for long is counted, with the worst and the oldest of it."""
    events = [
        *(Stored(NOW - day * DAY, level=1, state=day % 2) for day in range(2, 9)),
        Stored(NOW - 5 * DAY, "Hatch open", level=2),
        Stored(NOW - 30 * DAY, level=3, state=2),
        Stored(NOW - HOUR),
    ]
    store_events(empty_sandbox.store, empty_sandbox.application_id, events)
    old = (await read(reader, empty_sandbox)).old_open
    assert old.count == 8
    assert not old.at_most
    assert old.worst[0].subject == "Hatch open"
    assert old.oldest is not None
    assert old.oldest.creationDate == "2026-05-20T20:26:40.000Z"


# ---- events that change while they are read ------------------------------------------------


class Meddling(httpx.AsyncBaseTransport):
    """The real transport; ``change`` happens after so many answers, once or each time."""

    def __init__(self, change: Callable[[], Any], *, after: int, again: bool = False) -> None:
        self.inner = network()
        self.change = change
        self.after = after
        self.again = again
        self.answers = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer, after which something may have changed."""
        response = await self.inner.handle_async_request(request)
        await response.aread()
        self.answers += 1
        if self.answers == self.after or (self.again and self.answers > self.after):
            self.change()
        return response

    async def aclose(self) -> None:
        """Close the connections."""
        await self.inner.aclose()


@pytest.mark.parametrize("what", ["arrives", "deleted", "changed", "swapped", "outside"])
@pytest.mark.parametrize("after", [1, 3, 4, 5, 6])
async def test_a_change_while_reading_is_counted_or_told(
    empty_sandbox: Sandbox, what: str, after: int
) -> None:
    """After one change the digest is exact, as of a moment before or after it."""
    store, application = empty_sandbox.store, empty_sandbox.application_id
    ids = store_events(store, application, [Stored(NOW - i * 1000 - 1) for i in range(60)])
    before = plain_counts(store)
    meddling = Meddling(meddle(empty_sandbox, what, ids), after=after)
    async with client_of(empty_sandbox, meddling) as losant:
        found = await read(losant, empty_sandbox, page_size=10)
    assert found.inexact == ""
    assert found.tally.counts in (before, plain_counts(store))


@pytest.mark.parametrize("what", ["arrives", "deleted", "changed", "swapped"])
async def test_events_that_never_rest_are_said_to(empty_sandbox: Sandbox, what: str) -> None:
    """Where reading once more does not help, the digest says that its counts may be off."""
    store, application = empty_sandbox.store, empty_sandbox.application_id
    ids = store_events(store, application, [Stored(NOW - i * 1000 - 1) for i in range(60)])
    meddling = Meddling(meddle(empty_sandbox, what, ids), after=3, again=True)
    async with client_of(empty_sandbox, meddling) as losant:
        found = await read(losant, empty_sandbox, page_size=10)
    assert "counted while they changed" in found.inexact


async def test_one_page_is_one_moment(empty_sandbox: Sandbox) -> None:
    """Where all events come in one answer, no change can come between."""
    store, application = empty_sandbox.store, empty_sandbox.application_id
    ids = store_events(store, application, [Stored(NOW - i - 1) for i in range(9)])
    moments: list[Any] = [plain_counts(store)]
    meddling = Meddling(meddle(empty_sandbox, "swapped", ids, moments), after=1, again=True)
    async with client_of(empty_sandbox, meddling) as losant:
        found = await read(losant, empty_sandbox, page_size=10)
    assert found.inexact == ""
    assert found.tally.counts in moments


def meddle(
    sandbox: Sandbox, what: str, ids: list[str], moments: list[Any] | None = None
) -> Callable[[], None]:
    """A change that somebody else makes at one stroke; each call makes another one.

    ``moments`` collects the counts after each.
    """
    calls = iter(range(1, 1000))

    def change() -> None:
        turn = next(calls)
        late = NOW + turn
        with sandbox.store.transaction(write=True) as db:
            if what in ("deleted", "swapped"):
                db.execute("DELETE FROM events WHERE id = ?", (ids[-turn * 3 % len(ids)],))
            if what == "changed":
                sql = "UPDATE events SET state = 2, lastUpdated = ? WHERE id = ?"
                db.execute(sql, (late, ids[turn * 7 % len(ids)]))
            if what in ("arrives", "swapped"):
                arrived = Stored(NOW - turn * 900, level=3, changed=late)
                insert(db, "events", [event_row(sandbox.application_id, arrived, 1000 + turn)])
            if what == "outside":
                outside = Stored(NOW + 5)
                insert(db, "events", [event_row(sandbox.application_id, outside, 2000 + turn)])
        if moments is not None:
            moments.append(plain_counts(sandbox.store))

    return change


# ---- limits --------------------------------------------------------------------------------


async def test_too_many_events_are_refused_before_they_are_read(
    reader: LosantClient, empty_sandbox: Sandbox
) -> None:
    """The error says how many match and what to do."""
    events = [Stored(NOW - i - 1) for i in range(30)]
    store_events(empty_sandbox.store, empty_sandbox.application_id, events)
    with pytest.raises(InvalidRequest) as caught:
        await read(reader, empty_sandbox, most=29)
    assert str(caught.value) == "30 events match; at most 29 are read at once."
    assert "Narrow" in caught.value.hint


async def test_a_failing_page_is_an_error_of_its_own_kind(
    reader: LosantClient, empty_sandbox: Sandbox
) -> None:
    """What Losant refuses surfaces as itself, not as a group of errors."""
    empty_sandbox.set_faults({"endpoint": "events.get", "kind": "status", "status": 500})
    with pytest.raises(ServerError):
        await read(reader, empty_sandbox)


def test_memory_is_bounded_by_clusters() -> None:
    """Beyond so many clusters the rest is put together, level by level, and still counted."""
    tally = Tally(["subject"], lambda moment: moment)
    words = [
        f"{'abcdefghij'[i % 10]}{chr(97 + i // 10 % 26)}{chr(97 + i // 260)}" for i in range(6000)
    ]
    tally.add(
        (
            Event(id=str(i), level=LEVELS[i % 4], state="new", subject=w)
            for i, w in enumerate(words)
        ),
        otherwise=NOW,
    )
    assert len(tally.clusters) == 5004
    assert tally.total == sum(cluster.count for cluster in tally.clusters.values()) == 6000
    assert tally.clusters["(others)", "critical"].count == 250


async def test_devices_are_shown_by_name(reader: LosantClient, empty_sandbox: Sandbox) -> None:
    """A cluster's label is the device's cleaned name, and its id where it has no name."""
    store_devices(
        empty_sandbox.store, empty_sandbox.application_id, {DEVICES[0]: "Pump\u202e 1\x1b"}
    )
    events = [Stored(NOW - 1), Stored(NOW - 2, device=DEVICES[1]), Stored(NOW - 3, device=None)]
    store_events(empty_sandbox.store, empty_sandbox.application_id, events)
    found = await read(reader, empty_sandbox, group_by=["device"])
    labels = {cluster.labels[0] for cluster in found.tally.clusters.values()}
    assert labels == {"Pump 1", DEVICES[1], None}
