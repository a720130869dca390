"""Who may decide: one-time keys, the sessions that they become, and the tokens of forms.

The store keeps hashes only, each with its own end. A session is good for one plan.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from losant_mcp.guard.plans import Plan
from losant_mcp.guard.store import StateStore

KEPT_SECONDS = 900
"""How long after the end of its question a session may still see what became of it."""


class Sessions:
    """Keys and sessions of one page server; those of another process are worth nothing here."""

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self._name = secrets.token_hex(8)

    async def mint_key(self, plan: Plan) -> str:
        """A fresh key that opens the plan's page once, as long as its question stands."""
        key = secrets.token_urlsafe(32)
        seconds = max(plan.expires_at - await self._store.now(), 1)
        await self._store.remember(self._fact("key", key), plan.id, seconds=seconds)
        return key

    async def redeem(self, key: str) -> tuple[Plan, str] | None:
        """The plan and a fresh session for it; None for a key that is wrong, used or too old."""
        fact = self._fact("key", key)
        plan_id = await self._store.recall(fact)
        # Of many who come with the same key at once, one drops the fact.
        if plan_id is None or not await self._store.forget(fact):
            return None
        plan = await self._store.plan(plan_id)
        if plan is None:
            return None
        session = secrets.token_urlsafe(32)
        seconds = await self.seconds(plan)
        await self._store.remember(self._fact("session", session), plan.id, seconds=seconds)
        return plan, session

    async def seconds(self, plan: Plan) -> float:
        """How long a session that begins now lasts."""
        return max(plan.expires_at - await self._store.now(), 0) + KEPT_SECONDS

    async def is_of(self, session: str, plan_id: str) -> bool:
        """Whether the session is alive, and was begun for this very plan."""
        kept = await self._store.recall(self._fact("session", session))
        return kept is not None and hmac.compare_digest(kept.encode(), plan_id.encode())

    def _fact(self, kind: str, secret: str) -> str:
        digest = hashlib.sha256(f"{self._name}\0{secret}".encode("utf-8", "replace")).hexdigest()
        return f"page-{kind}:{digest}"


def form_token(session: str, about: str) -> str:
    """What a form about this bears in this session. Nobody can compute it who does not have the
    session, and nobody can find the session in it.
    """
    return hmac.new(session.encode(), f"form\0{about}".encode(), hashlib.sha256).hexdigest()


def is_form_token(token: str, session: str, about: str) -> bool:
    """Whether the form is one of ours, about this and in this session."""
    expected = form_token(session, about).encode()
    return hmac.compare_digest(token.encode("utf-8", "replace"), expected)
