"""The approval PIN: what a person knows, and neither the model nor the browser does.

The store keeps a salted hash of it and nothing else, of which every guess is costly; and a plan
that is answered with five wrong ones is declined.
"""

from __future__ import annotations

from anyio.to_thread import run_sync

from losant_mcp.guard.scrypt import hashed, is_hash_of
from losant_mcp.guard.store import StateStore

LEAST_CHARACTERS = 6
MOST_CHARACTERS = 128

_FACT = "approval-pin"


async def is_pin_set(store: StateStore) -> bool:
    """Whether somebody set a PIN."""
    return await store.recall(_FACT) is not None


async def set_pin(store: StateStore, pin: str) -> None:
    """Keep the hash of a PIN, in place of an earlier one. Raises ValueError for a bad one."""
    if problem := problem_with(pin):
        raise ValueError(problem)
    await store.remember(_FACT, await run_sync(hashed, pin))


async def is_pin(store: StateStore, pin: str) -> bool:
    """Whether this is the PIN; never, where none is set."""
    kept = await store.recall(_FACT)
    if kept is None or len(pin) > MOST_CHARACTERS:
        return False
    return await run_sync(is_hash_of, kept, pin)


def problem_with(pin: str) -> str:
    """Why this cannot be a PIN, as a sentence; empty where it can."""
    if len(pin) < LEAST_CHARACTERS:
        return f"A PIN has at least {LEAST_CHARACTERS} characters."
    if len(pin) > MOST_CHARACTERS:
        return f"A PIN has at most {MOST_CHARACTERS} characters."
    if pin != pin.strip() or not pin.isprintable():
        return "A PIN neither begins nor ends with a space, and every character can be seen."
    if len(set(pin)) < 3:
        return "A PIN has at least three different characters."
    return ""
