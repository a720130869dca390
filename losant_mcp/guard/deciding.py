"""A person's answer that does not come through the client: from the page, or the terminal.

Both ways share what counts as a yes: the typed phrase where there is one, and the PIN where the
server that planned demands it. The fifth wrong phrase or PIN is a no. What an answer needs was
put down by the server when it asked, so that a terminal with other settings asks no less.
"""

from __future__ import annotations

import getpass
import json
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import anyio

from losant_mcp.guard.audit_lines import Facts
from losant_mcp.guard.ledger import Ledger
from losant_mcp.guard.pin import is_pin, is_pin_set
from losant_mcp.guard.plans import Plan, Way
from losant_mcp.guard.store import Decision, NotOpen
from losant_mcp.guard.wording import is_yes
from losant_mcp.text import one_line

TRIES = 5
"""The wrong phrases, or wrong PINs, of which the last one declines the plan."""

_KEPT_SECONDS = 3600
"""How long beyond the plan's own life it is remembered how it was asked and answered."""

Slip = Literal["phrase", "pin"]


@dataclass(frozen=True, slots=True)
class Asked:
    """How a plan was put before a person; as it is where nobody was asked by the page."""

    client: str = ""
    """What the MCP client calls itself."""
    pin: bool = False
    """Whether a yes takes the PIN."""
    user: str = ""
    """The Losant user whose token asked, where that is known."""


@dataclass(frozen=True, slots=True)
class Slips:
    """How often a plan was answered wrongly, and what was wrong the last time."""

    phrase: int = 0
    pin: int = 0
    last: Slip | None = None

    @property
    def left(self) -> int:
        """How many more answers may be wrong in the same way before the plan is declined."""
        return TRIES - (self.pin if self.last == "pin" else self.phrase)

    def another(self, slip: Slip) -> Slips:
        """One more of this kind."""
        if slip == "pin":
            return replace(self, pin=self.pin + 1, last=slip)
        return replace(self, phrase=self.phrase + 1, last=slip)


class Deciding:
    """Records what a person decides, and the audit line of it."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._store = ledger.store
        # One answer at a time: many at once must not share one count of wrong ones.
        self._lock = anyio.Lock()

    async def note_asked(self, plan: Plan, asked: Asked) -> None:
        """Remember how the plan is asked, for whoever decides it."""
        await self._remember(f"asked:{plan.id}", plan, asdict(asked))

    async def asked(self, plan: Plan) -> Asked:
        """How the plan was asked."""
        return Asked(**json.loads(await self._store.recall(f"asked:{plan.id}") or "{}"))

    async def slips(self, plan: Plan) -> Slips:
        """How often the plan was answered wrongly."""
        return Slips(**json.loads(await self._store.recall(f"slips:{plan.id}") or "{}"))

    async def lacks_pin(self, plan: Plan) -> bool:
        """Whether a yes takes a PIN that nobody has set."""
        return (await self.asked(plan)).pin and not await is_pin_set(self._store)

    async def decline(self, plan: Plan, *, way: Way, by: str) -> Plan:
        """The plan as it is after a no; a decision that came before stands."""
        async with self._lock:
            return await self._decide(plan, "declined", way, by)

    async def approve(
        self, plan: Plan, *, typed: str, pin: str, way: Way, by: str, always_pin: bool = False
    ) -> Plan:
        """The plan as it is after what was meant as a yes.

        It is approved, or still pending since the phrase or the PIN was wrong (``slips`` says
        which) or no PIN is set, or declined by the fifth of those, or what it was before.
        """
        async with self._lock:
            plan = await self._store.plan(plan.id) or plan
            if plan.status != "pending":
                return plan
            if not is_yes(plan, True if plan.phrase is None else typed):
                return await self._slip(plan, "phrase", way, by)
            if always_pin or (await self.asked(plan)).pin:
                if not await is_pin_set(self._store):
                    return plan
                if not await is_pin(self._store, pin):
                    return await self._slip(plan, "pin", way, by)
                way = "pin"
            return await self._decide(plan, "approved", way, by)

    async def _slip(self, plan: Plan, slip: Slip, way: Way, by: str) -> Plan:
        slips = (await self.slips(plan)).another(slip)
        # Counted before it is told, so that a broken connection gives no try back.
        await self._remember(f"slips:{plan.id}", plan, asdict(slips))
        if slips.left > 0:
            return plan
        return await self._decide(plan, "declined", way, by, why=f"wrong {slip}, {TRIES} times")

    async def _decide(
        self, plan: Plan, decision: Decision, way: Way, by: str, why: str = ""
    ) -> Plan:
        decided = plan
        # A decision that was recorded has its line, even where the browser has gone meanwhile.
        with anyio.CancelScope(shield=True):
            try:
                decided = await self._store.decide(plan.id, decision, way=way, by=by)
            except NotOpen as error:
                return error.plan
            facts = Facts(way=way, by=by, ms=_waited_ms(decided))
            facts["principal"], facts["origin"] = plan.binding.principal, plan.binding.origin
            if why:
                facts["why"] = why
            asked = await self.asked(plan)
            await self._ledger.note_plan(decision, decided, asked.client, **facts)
        return decided

    async def _remember(self, key: str, plan: Plan, value: Any) -> None:  # JSON data
        left = max(plan.expires_at - await self._store.now(), 0) + _KEPT_SECONDS
        await self._store.remember(key, json.dumps(value), seconds=left)


def _waited_ms(plan: Plan) -> int:
    return round(((plan.decided_at or plan.created_at) - plan.created_at) * 1000)


def problem_in_words(slips: Slips) -> str:
    """What was wrong with the last answer; empty where there was none."""
    if slips.last is None:
        return ""
    wrong = (
        "That was not exactly what is to be typed."
        if slips.last == "phrase"
        else "That was not the approval PIN."
    )
    tries = "One try is" if slips.left == 1 else f"{slips.left} tries are"
    return f"{wrong} Nothing was changed. {tries} left."


def person() -> str:
    """Who sits at this machine, as far as its system knows: the name of the account."""
    try:
        return one_line(getpass.getuser(), 40)
    except (OSError, KeyError, ImportError):  # an account without a name, in some containers
        return "unknown account"
