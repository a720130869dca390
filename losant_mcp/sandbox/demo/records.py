"""The demo's data tables of record: sites, assets, parts and the maintenance log.

They join by code: ``assets.siteCode`` = ``sites.siteCode``, ``maintenance_log.assetTag`` =
``assets.assetTag``, ``maintenance_log.partNumber`` = ``parts.partNumber``, and
``assets.deviceId`` is a device's id.
"""

from __future__ import annotations

import random
import sqlite3
from dataclasses import dataclass
from typing import Any

from losant_mcp.api.tables import Constraint, DataType
from losant_mcp.sandbox.call import iso
from losant_mcp.sandbox.demo.fleet import DemoDevice
from losant_mcp.sandbox.demo.places import DAY, HOUR, PEOPLE, SITES, Site
from losant_mcp.sandbox.demo.write import create_table

ASSETS = 200
PARTS = 300
TICKETS = 1500

Columns = tuple[tuple[str, DataType, Constraint, Any], ...]


@dataclass(frozen=True, slots=True)
class Asset:
    """What the other tables need to know of an asset."""

    tag: str
    site: Site
    kind: str


def seed(
    db: sqlite3.Connection, devices: list[DemoDevice], now: int, rng: random.Random
) -> list[Asset]:
    """Store the four tables; returns the assets."""
    _sites(db, now)
    assets = _assets(db, devices, now, rng)
    parts = _parts(db, now, rng)
    _maintenance(db, assets, parts, now, rng)
    return assets


def _day(at: int) -> str:
    return iso(at)[:10]


SITE_COLUMNS: Columns = (
    ("siteCode", "string", "unique", None),
    ("name", "string", "required", None),
    ("kind", "string", "required", None),
    ("district", "string", "required", None),
    ("latitude", "number", "optional", None),
    ("longitude", "number", "optional", None),
    ("households", "number", "optional", None),
    ("builtYear", "number", "optional", None),
    ("staffed", "boolean", "optional", False),
    ("notes", "string", "optional", None),
)


def _sites(db: sqlite3.Connection, now: int) -> None:
    rows = [
        (
            now - 370 * DAY,
            (
                site.code, site.name, site.kind, site.district, site.latitude, site.longitude,
                site.households, site.built, int(site.kind in ("treatment works", "depot")),
                site.notes,
            ),
        )
        for site in SITES
    ]  # fmt: skip
    create_table(db, 1, "sites", "Every place with equipment", SITE_COLUMNS, rows, now)


ASSET_COLUMNS: Columns = (
    ("assetTag", "string", "unique", None),
    ("siteCode", "string", "required", None),
    ("deviceId", "string", "optional", None),
    ("kind", "string", "required", None),
    ("manufacturer", "string", "optional", None),
    ("model", "string", "optional", None),
    ("serialNumber", "string", "unique", None),
    ("installedOn", "string", "optional", None),
    ("criticality", "number", "optional", 3),
    ("inService", "boolean", "optional", True),
    ("nextServiceDue", "string", "optional", None),
    ("replacementCost", "number", "optional", None),
)

# kind, manufacturers, models, replacement cost
EQUIPMENT = (
    ("valve", ("AVK", "Hawle", "Talis"), ("DN80", "DN100", "DN150", "DN200"), 1400),
    ("motor", ("Siemens", "ABB", "WEG"), ("1LE10", "M3BP 160", "W22"), 5200),
    ("flow meter", ("Krohne", "Endress+Hauser"), ("Optiflux 2000", "Promag W400"), 3100),
    ("fan", ("ebm-papst", "Ziehl-Abegg"), ("K3G310", "FN063"), 900),
    ("switchboard", ("Rittal", "Schneider"), ("VX25", "Prisma P"), 12800),
    ("heat exchanger", ("Alfa Laval", "Kelvion"), ("M6", "NT100"), 8700),
)


def _assets(
    db: sqlite3.Connection, devices: list[DemoDevice], now: int, rng: random.Random
) -> list[Asset]:
    monitored = [device for device in devices if device.site is not None]
    assets: list[Asset] = []
    rows = []
    for number in range(1, ASSETS + 1):
        device = monitored[number - 1] if number <= len(monitored) else None
        if device is not None and device.site is not None:
            site, kind, cost = device.site, device.kind, 9000
            maker, _, model = device.tags["model"].partition(" ")
        else:
            site = SITES[number % len(SITES)]
            kind, makers, models, cost = EQUIPMENT[rng.randrange(len(EQUIPMENT))]
            maker, model = rng.choice(makers), rng.choice(models)
        tag = f"{site.code}-{kind[:2].upper()}-{number:03d}"
        assets.append(Asset(tag, site, kind))
        retired = number % 41 == 0
        rows.append(
            (
                now - 365 * DAY + number * HOUR,
                (
                    tag, site.code, device.id if device else None, kind,
                    None if number % 29 == 0 else maker, None if number % 17 == 0 else model,
                    f"SN{rng.randrange(10**7):07d}{number:03d}",
                    None if number % 13 == 0 else _day(now - rng.randint(200, 9000) * DAY),
                    1 if number % 4 == 0 and device else rng.choice((2, 3, 3, 4)),
                    int(not retired),
                    None if retired or number % 19 == 0
                    else _day(now + rng.randint(-45, 320) * DAY),
                    None if number % 11 == 0 else round(cost * rng.uniform(0.7, 1.6), 2),
                ),
            )
        )  # fmt: skip
    create_table(
        db, 2, "assets", "Equipment by tag, with its next service", ASSET_COLUMNS, rows, now
    )
    return assets


PART_COLUMNS: Columns = (
    ("partNumber", "string", "unique", None),
    ("description", "string", "required", None),
    ("category", "string", "required", None),
    ("stock", "number", "optional", 0),
    ("reorderLevel", "number", "optional", 2),
    ("unitCost", "number", "optional", None),
    ("supplier", "string", "optional", None),
    ("leadDays", "number", "optional", None),
    ("discontinued", "boolean", "optional", False),
)

PART_NAMES = (
    ("seal", ("Mechanical seal", "O-ring set", "Gland packing", "Shaft sleeve")),
    ("bearing", ("Ball bearing 6308", "Roller bearing NU210", "Thrust bearing", "Bearing cover")),
    ("electrical", ("Contactor 40 A", "Soft starter", "Control relay", "Fuse set 63 A")),
    ("instrument", ("Pressure transmitter", "pH electrode", "Chlorine membrane", "Level probe")),
    ("burner", ("Ignition electrode", "Flame sensor", "Oil nozzle", "Gas valve")),
)
SIZES = ("S", "M", "L", "XL")
SUPPLIERS = ("Hartmann Fluid", "Northline Supply", "Ohio Bearing Co.", "Voltaris", None)


def _parts(db: sqlite3.Connection, now: int, rng: random.Random) -> list[str]:
    numbers = []
    rows = []
    for number in range(1, PARTS + 1):
        category, names = PART_NAMES[number % len(PART_NAMES)]
        numbers.append(f"P-{category[:3].upper()}-{number:04d}")
        reorder = rng.choice((1, 2, 2, 4, 6))
        rows.append(
            (
                now - 360 * DAY + number * HOUR,
                (
                    numbers[-1], f"{rng.choice(names)} {rng.choice(SIZES)}", category,
                    0 if number % 14 == 0 else rng.randint(0, 5 * reorder), reorder,
                    None if number % 37 == 0 else round(rng.lognormvariate(3.6, 1.0), 2),
                    SUPPLIERS[rng.randrange(len(SUPPLIERS))],
                    None if number % 9 == 0 else rng.choice((2, 5, 10, 21, 60)),
                    int(number % 53 == 0),
                ),
            )
        )  # fmt: skip
    create_table(db, 4, "parts", "Spare parts in the North Depot", PART_COLUMNS, rows, now)
    return numbers


TICKET_COLUMNS: Columns = (
    ("ticket", "string", "unique", None),
    ("assetTag", "string", "required", None),
    ("type", "string", "required", None),
    ("priority", "string", "optional", "normal"),
    ("technician", "string", "optional", None),
    ("openedAt", "string", "required", None),
    ("dueAt", "string", "optional", None),
    ("completedAt", "string", "optional", None),
    ("hours", "number", "optional", None),
    ("cost", "number", "optional", None),
    ("partNumber", "string", "optional", None),
    ("summary", "string", "required", None),
    ("followUp", "boolean", "optional", False),
)

WORK = (
    ("inspection", "Quarterly inspection", (0.5, 2)),
    ("inspection", "Visual check after alarm", (0.3, 1)),
    ("service", "Annual service", (2, 6)),
    ("service", "Oil change and alignment", (1, 4)),
    ("repair", "Seal replaced", (2, 7)),
    ("repair", "Contactor burnt out", (1, 5)),
    ("repair", "Bearing noise, replaced", (3, 9)),
    ("calibration", "Two-point calibration", (0.5, 1.5)),
)


def _maintenance(
    db: sqlite3.Connection, assets: list[Asset], parts: list[str], now: int, rng: random.Random
) -> None:
    rows = []
    for number in range(TICKETS):
        opened = now - 360 * DAY + number * 358 * DAY // TICKETS + rng.randrange(DAY)
        kind, summary, (least, most) = rng.choice(WORK)
        priority = rng.choices(("low", "normal", "high", "urgent"), (2, 6, 2, 1))[0]
        due = opened + {"low": 60, "normal": 28, "high": 7, "urgent": 2}[priority] * DAY
        # Work is mostly in time; what is open past its date is what a manager asks about.
        done = opened + int((due - opened) * rng.betavariate(2, 2.4) * 1.3)
        is_open = done > now or rng.random() < 0.03
        hours = round(rng.uniform(least, most), 1)
        part = rng.choice(parts) if kind == "repair" and rng.random() < 0.8 else None
        cost = round(hours * 78 + (rng.uniform(15, 420) if part else 0), 2)
        rows.append(
            (
                opened,
                (
                    f"MNT-{10001 + number}", rng.choice(assets).tag, kind, priority,
                    None if is_open and rng.random() < 0.4 else rng.choice(PEOPLE).name,
                    iso(opened), None if number % 47 == 0 else iso(due),
                    None if is_open else iso(done), None if is_open else hours,
                    None if is_open else cost,
                    part, summary, int(rng.random() < 0.08),
                ),
            )
        )  # fmt: skip
    create_table(
        db, 3, "maintenance_log", "Tickets: opened, due and completed", TICKET_COLUMNS, rows, now
    )
