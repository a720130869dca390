"""Two thousand events over fourteen days: routine, a storm, chatter, and a bad morning."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from losant_mcp.api.events import LEVELS, STATES, Level, State
from losant_mcp.sandbox.call import iso
from losant_mcp.sandbox.demo import alarm_texts
from losant_mcp.sandbox.demo.fleet import DemoDevice
from losant_mcp.sandbox.demo.ids import APPLICATION_ID, SUPERVISOR_ID, WORKFLOW_ID, demo_id
from losant_mcp.sandbox.demo.places import DAY, HOUR, MINUTE, PEOPLE, SECOND
from losant_mcp.sandbox.demo.series import STORM_BEGAN, STORM_DEVICES, STORM_LASTED
from losant_mcp.sandbox.demo.write import insert

EVENTS = 2000
STORM = 340


@dataclass(slots=True)
class Alarm:
    """An event as it is drawn, before it has an id."""

    at: int
    level: Level
    subject: str
    device: DemoDevice | None
    message: str | None = None
    data: Any = None
    state: State = "new"
    updates: list[dict[str, Any]] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)


def seed(db: sqlite3.Connection, devices: list[DemoDevice], now: int, rng: random.Random) -> None:
    """Store the events with their tags and histories."""
    named = {device.name: device for device in devices}
    alarms = [
        *_morning(named, now),
        *_storm(named, now, rng),
        *_chatter(named, now, rng),
        *_hostile(named, now),
    ]
    sources = [device for device in devices if device.kind in alarm_texts.ROUTINE]
    alarms += (_routine(rng.choice(sources), now, rng) for _ in range(EVENTS - len(alarms)))
    alarms.sort(key=lambda alarm: alarm.at)
    ids = [demo_id("event", number) for number in range(1, len(alarms) + 1)]
    insert(db, "events", [_row(id, alarm) for id, alarm in zip(ids, alarms, strict=True)])
    db.executemany(
        "INSERT INTO event_tags VALUES (?, ?, ?)",
        [(id, *tag) for id, a in zip(ids, alarms, strict=True) for tag in a.tags.items()],
    )
    db.executemany(
        "INSERT INTO event_updates VALUES (?, ?, ?)",
        [
            (id, position, json.dumps(entry))
            for id, alarm in zip(ids, alarms, strict=True)
            for position, entry in enumerate(alarm.updates)
        ],
    )


def _row(id: str, alarm: Alarm) -> dict[str, Any]:
    by_device = alarm.device is not None and alarm.device.kind in ("gateway", "edge")
    changed = alarm.updates[-1]["at"] if alarm.updates else alarm.at
    for entry in alarm.updates:
        entry["creationDate"] = iso(entry.pop("at"))
    source = ("flow", WORKFLOW_ID, "Alarm thresholds")
    if alarm.device is not None and by_device:
        source = ("device", alarm.device.id, alarm.device.name)
    elif alarm.device is None:
        source = ("user", SUPERVISOR_ID, "Rosa Delgado")
    return {
        "id": id,
        "applicationId": APPLICATION_ID,
        "creationDate": alarm.at,
        "lastUpdated": changed,
        "sourceType": source[0],
        "sourceId": source[1],
        "sourceName": source[2],
        "level": LEVELS.index(alarm.level),
        "state": STATES.index(alarm.state),
        "subject": alarm.subject,
        "message": alarm.message,
        "data": None if alarm.data is None else json.dumps(alarm.data),
        "deviceId": alarm.device.id if alarm.device else None,
    }


def _morning(devices: dict[str, DemoDevice], now: int) -> Iterator[Alarm]:
    """What nobody has looked at yet, and two old ones that everyone forgot."""
    for alarm in alarm_texts.MORNING:
        device = devices.get(alarm.device)
        yield Alarm(
            now - alarm.minutes_ago * MINUTE,
            alarm.level,
            alarm.subject,
            device,
            alarm.message,
            alarm.data,
            tags=_tags(device) | alarm.tags,
        )


def _storm(devices: dict[str, DemoDevice], now: int, rng: random.Random) -> Iterator[Alarm]:
    """One burst main, and every pump that hangs on it complaining for twelve minutes."""
    began = now - STORM_BEGAN
    for number in range(STORM):
        device = devices[STORM_DEVICES[(0, 1, 1, 1, 2)[number % 5]]]
        reading = round(1.42 - 0.5 * number / STORM + rng.gauss(0, 0.06), 2)
        yield Alarm(
            began + STORM_LASTED * number // STORM + rng.randrange(900),
            "error",
            f"Low suction pressure: {reading:.2f} bar",
            device,
            f"{device.name} reads {reading:.2f} bar at its inlet; the limit is 1.50 bar.",
            {"reading": reading, "limit": 1.5, "unit": "bar"},
            tags=_tags(device) | {"category": "hydraulic"},
        )


def _chatter(devices: dict[str, DemoDevice], now: int, rng: random.Random) -> Iterator[Alarm]:
    """Contacts that bounce: five to eight events of one source within a minute."""
    for name, subject, ago in alarm_texts.CHATTER:
        at = now - ago * MINUTE
        for number in range(rng.randint(5, 8)):
            at += rng.randint(3, 7) * SECOND
            alarm = Alarm(
                at,
                "warning" if number % 2 == 0 else "info",
                subject if number % 2 == 0 else f"{subject}: cleared",
                devices[name],
                tags=_tags(devices[name]) | {"category": "contact"},
            )
            _age(alarm, now, rng)
            yield alarm


def _hostile(devices: dict[str, DemoDevice], now: int) -> Iterator[Alarm]:
    """Events whose text tries to command whoever, or whatever, reads it."""
    for name, subject, message, hours in alarm_texts.HOSTILE:
        yield Alarm(now - hours * HOUR, "info", subject, devices[name], message)


def _routine(device: DemoDevice, now: int, rng: random.Random) -> Alarm:
    templates = alarm_texts.ROUTINE[device.kind]
    [text] = rng.choices(templates, [template.weight for template in templates])
    reading = round(rng.uniform(*text.range), text.digits)
    # Days have rhythm: most alarms come while the town is awake.
    at = now - int((rng.randrange(14) + rng.betavariate(2.2, 1.6)) * DAY)
    alarm = Alarm(
        max(at, now - 14 * DAY + MINUTE),
        text.level,
        text.subject.format(n=reading),
        device,
        text.message.format(n=reading, device=device.name) if text.message else None,
        {"reading": reading, "unit": text.unit} if text.unit else None,
        tags=_tags(device) | {"category": text.category},
    )
    _age(alarm, now, rng)
    return alarm


def _tags(device: DemoDevice | None) -> dict[str, str]:
    return {"site": device.tags["site"]} if device is not None and device.site else {}


def _age(alarm: Alarm, now: int, rng: random.Random) -> None:
    """Let people have dealt with an event, the likelier the older and the worse it is."""
    age = now - alarm.at
    if age < 90 * MINUTE:
        return
    seen = 0.97 if age > 2 * DAY else 0.82 if age > 12 * HOUR else 0.45
    if alarm.level == "critical":
        seen = 1.0 if age > DAY else 0.9
    if rng.random() > seen:
        return
    person = rng.choice(PEOPLE)
    at = alarm.at + min(rng.randint(2, 80) * MINUTE, age // 3)
    _update(alarm, "acknowledged", at, rng.choice(alarm_texts.SEEN), person.id, person.name)
    if rng.random() < (0.93 if age > DAY else 0.5):
        at += min(rng.randint(10, 600) * MINUTE, (now - at) // 2)
        _update(alarm, "resolved", at, rng.choice(alarm_texts.SOLVED), person.id, person.name)


def _update(
    alarm: Alarm, state: State, at: int, comment: str | None, person: str, name: str
) -> None:
    entry = {
        "at": at,
        "sourceType": "user",
        "sourceId": person,
        "sourceName": name,
        "state": state,
        "stateChange": {"old": alarm.state, "new": state},
    }
    if comment:
        entry["comment"] = comment
    alarm.updates.append(entry)
    alarm.state = state
