"""Where the demo plays: its sites, its people, and its measures of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from losant_mcp.sandbox.demo.ids import demo_id

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

SiteKind = Literal["pumping station", "boiler house", "reservoir", "treatment works", "depot"]


@dataclass(frozen=True, slots=True)
class Site:
    """A place with equipment; ``code`` is what tables and tags refer to."""

    code: str
    name: str
    kind: SiteKind
    district: str
    latitude: float
    longitude: float
    households: int | None
    built: int
    notes: str | None = None


SITES = (
    Site("ALD", "Alder Street", "pumping station", "North", 39.1312, -84.5124, 2140, 1987),
    Site("BEA", "Beacon Hill", "reservoir", "North", 39.1402, -84.5011, 5210, 1964),
    Site("BRK", "Brook Lane", "pumping station", "East", 39.1187, -84.4702, 1320, 1992),
    Site("CAN", "Canal Road", "pumping station", "South", 39.0951, -84.5203, 1875, 1979),
    Site("CED", "Cedar Creek Works", "treatment works", "North", 39.1476, -84.5288, 14200, 1958),
    Site("CHA", "Chapel Green", "pumping station", "East", 39.1225, -84.4811, 980, 2003),
    Site("DAI", "Dairy Farm", "pumping station", "West", 39.1099, -84.5633, 640, 1998),
    Site("ELM", "Elm Court", "boiler house", "South", 39.0988, -84.5087, 412, 1974),
    Site("FER", "Ferry Point", "pumping station", "South", 39.0892, -84.5349, 1530, 1983),
    Site("GLE", "Glenview", "boiler house", "East", 39.1260, -84.4768, 268, 2009),
    Site("HOS", "Hospital Hill", "boiler house", "North", 39.1361, -84.5056, 1, 1996,
         "Serves the county hospital: call the duty manager before any shutdown."),
    Site("KIN", "Kingsway", "pumping station", "West", 39.1144, -84.5521, 2015, 1989),
    Site("MIL", "Mill Lane", "pumping station", "South", 39.0937, -84.5162, 2360, 1971,
         "Suction main shared with Canal Road."),
    Site("NOR", "North Depot", "depot", "North", 39.1433, -84.5199, None, 1990),
    Site("OAK", "Oakfield", "pumping station", "East", 39.1201, -84.4649, 1105, 2011),
    Site("PAR", "Park Baths", "boiler house", "West", 39.1118, -84.5470, 1, 1968),
    Site("QUA", "Quarry Bank", "reservoir", "West", 39.1173, -84.5702, 4380, 1977),
    Site("RID", "Ridgeway", "reservoir", "East", 39.1289, -84.4590, 3925, 1969),
    Site("STA", "Station Road", "boiler house", "South", 39.0974, -84.5131, 356, 1981),
    Site("WEI", "Weir House", "treatment works", "South", 39.0865, -84.5410, 9800, 1962,
         "Access by boat when the river gauge is above 4.2 m."),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Person:
    """Someone who works here."""

    id: str
    name: str
    email: str


PEOPLE = tuple(
    Person(demo_id("technician", i), name, f"{name.split()[0].lower()}@cedarcreek.example")
    for i, name in enumerate(
        (
            "Ana Sousa", "Ben Achterberg", "Chidi Okafor", "Dana Whitlock", "Emre Yildiz",
            "Fiona MacLeod", "Gustavo Lima", "Hanna Lindqvist", "Imran Qureshi", "Joan Pfeiffer",
            "Kofi Mensah", "Lena Novak",
        )
    )
)  # fmt: skip
