"""The demo's devices: what stands where, what it reports, and what is offline."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

from losant_mcp.sandbox.demo.ids import APPLICATION_ID, demo_id
from losant_mcp.sandbox.demo.places import DAY, HOUR, MINUTE, SITES, Site
from losant_mcp.sandbox.demo.write import insert

PUMP = {
    "flow": "number", "pressure": "number", "motorTemp": "number", "vibration": "number",
    "mode": "string", "running": "boolean",
}  # fmt: skip
BOILER = {
    "waterTemp": "number", "steamPressure": "number", "fuelLevel": "number",
    "status": "string", "burnerOn": "boolean",
}  # fmt: skip
TANK = {"level": "number", "inflow": "number", "valveOpen": "boolean"}
GATEWAY = {"cpuTemp": "number", "signal": "number"}
CHLORINE = {"chlorine": "number", "ph": "number"}
TURBIDITY = {"turbidity": "number", "battery": "number"}
DISTRICT = {"demand": "number"}

PROBES = (
    ("Chlorine Probe 1", "chlorine", CHLORINE),
    ("Chlorine Probe 2", "chlorine", CHLORINE),
    ("Turbidity Meter", "turbidity", TURBIDITY),
)
"""What hangs on the gateway of a treatment works."""

MODELS = {
    "pump": ("Grundfos CR 64", "KSB Etanorm 80", "Wilo Helix V"),
    "boiler": ("Viessmann 200", "Hoval UltraGas"),
    "tank": ("Vega C 11",),
    "gateway": ("Moxa UC-8220",),
    "chlorine": ("ProMinent DULCO",),
    "turbidity": ("Hach TU5300",),
    "edge": ("Advantech UNO-420",),
    "district": (),
}


@dataclass(frozen=True, slots=True)
class DemoDevice:
    """A device of the fleet; ``kind`` decides which values and events it has."""

    id: str
    name: str
    kind: str
    device_class: str
    site: Site | None
    attributes: dict[str, str]
    gateway_id: str | None = None
    parent_id: str | None = None
    tags: dict[str, str] = field(default_factory=dict)


def build() -> list[DemoDevice]:
    """The whole fleet, in the order of its ids; the first device is the best equipped pump."""
    devices: list[DemoDevice] = []
    districts = {
        name: demo_id("device", 200 + i)
        for i, name in enumerate(("North", "East", "South", "West"))
    }

    def add(
        name: str,
        kind: str,
        site: Site,
        attributes: dict[str, str],
        device_class: str = "standalone",
        gateway_id: str | None = None,
    ) -> str:
        number = len(devices) + 1
        models = MODELS[kind]
        tags = {
            "site": site.code,
            "district": site.district,
            "floor": ("ground", "basement", "1")[number % 3],
            "model": models[number % len(models)],
        }
        device = DemoDevice(
            demo_id("device", number), f"{site.name} {name}", kind, device_class, site, attributes,
            gateway_id, districts[site.district], tags,
        )  # fmt: skip
        devices.append(device)
        return device.id

    for site in SITES:
        match site.kind:
            case "pumping station":
                for number in (1, 2):
                    add(f"Pump {number}", "pump", site, PUMP)
            case "boiler house":
                for number in (1, 2):
                    add(f"Boiler {number}", "boiler", site, BOILER)
            case "reservoir":
                add("Level Sensor", "tank", site, TANK)
            case "treatment works":
                gateway = add("Gateway", "gateway", site, GATEWAY, "gateway")
                for name, kind, attributes in PROBES:
                    add(name, kind, site, attributes, "peripheral", gateway)
                add("High Lift Pump", "pump", site, PUMP)
            case "depot":
                add("Edge Controller", "edge", site, GATEWAY, "edgeCompute")
    for name, id in districts.items():
        tags = {"district": name}
        devices.append(
            DemoDevice(id, f"{name} District", "district", "system", None, DISTRICT, tags=tags)
        )
    return devices


OFFLINE = {
    "Dairy Farm Pump 2": 3 * DAY,
    "Park Baths Boiler 2": 6 * HOUR,
    "Oakfield Pump 1": 11 * DAY,
}
"""How long ago the disconnected devices were last heard of."""

RETIRED = "Chapel Green Pump 2"
"""Deleted, yet still found where deleted devices are asked for."""


def seed(db: sqlite3.Connection, now: int) -> list[DemoDevice]:
    """Store the fleet; returns the devices that are not deleted."""
    devices = build()
    rows = []
    for i, device in enumerate(devices):
        created = now - (400 - 3 * i) * DAY
        retired = device.name == RETIRED
        connected: int | None = 0 if device.name in OFFLINE or retired else 1
        lost_at = now - (40 * DAY if retired else OFFLINE.get(device.name, 50 * DAY))
        since = now - (2 * HOUR if device.kind == "edge" else (i % 19 + 1) * DAY + i * MINUTE)
        if device.device_class == "system":
            connected = None  # a system computes from its devices and never connects
        rows.append(
            {
                "id": device.id,
                "applicationId": APPLICATION_ID,
                "name": device.name,
                "description": _description(device),
                "deviceClass": device.device_class,
                "gatewayId": device.gateway_id,
                "parentId": device.parent_id,
                "creationDate": created,
                "lastUpdated": created + (i % 7) * DAY,
                "deletedAt": now - 40 * DAY if retired else None,
                "connected": connected,
                "connectedAt": None if connected is None else since if connected else created,
                "disconnectedAt": None if connected is None or connected else lost_at,
            }
        )
    insert(db, "devices", rows)
    tags = [(d.id, key, value) for d in devices for key, value in d.tags.items()]
    # Losant lets a key repeat, and a client has to cope with it.
    tags += [(devices[0].id, "duty", "lead"), (devices[0].id, "duty", "night")]
    db.executemany("INSERT INTO device_tags VALUES (?, ?, ?)", tags)
    db.executemany(
        "INSERT INTO device_attributes VALUES (?, ?, ?)",
        [(d.id, name, kind) for d in devices for name, kind in d.attributes.items()],
    )
    return [device for device in devices if device.name != RETIRED]


def _description(device: DemoDevice) -> str | None:
    if device.site is None:
        return f"Everything in the {device.tags['district'].lower()} of the town"
    if device.kind == "chlorine":
        return None
    return f"{device.tags['model']} at the {device.site.kind} {device.site.name}"
