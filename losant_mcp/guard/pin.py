"""The approval PIN: what a person knows, and neither the model nor the browser does.

The store keeps a salted scrypt hash of it and nothing else. Scrypt makes every guess cost 32 MB
and about a tenth of a second, and a plan that is answered with five wrong ones is declined.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import unicodedata

from anyio.to_thread import run_sync

from losant_mcp.guard.store import StateStore

LEAST_CHARACTERS = 6
MOST_CHARACTERS = 128

_FACT = "approval-pin"
_N, _R, _P = 2**15, 8, 1
_SALT_BYTES = 16


async def is_pin_set(store: StateStore) -> bool:
    """Whether somebody set a PIN."""
    return await store.recall(_FACT) is not None


async def set_pin(store: StateStore, pin: str) -> None:
    """Keep the hash of a PIN, in place of an earlier one. Raises ValueError for a bad one."""
    if problem := problem_with(pin):
        raise ValueError(problem)
    salt = secrets.token_bytes(_SALT_BYTES)
    derived = await run_sync(_derive, pin, salt, _N, _R, _P)
    parts = ["scrypt", str(_N), str(_R), str(_P), _text(salt), _text(derived)]
    await store.remember(_FACT, "$".join(parts))


async def is_pin(store: StateStore, pin: str) -> bool:
    """Whether this is the PIN; never, where none is set."""
    kept = await store.recall(_FACT)
    if kept is None or len(pin) > MOST_CHARACTERS:
        return False
    _, n, r, p, salt, expected = kept.split("$")
    # The hash is remade with the numbers that it was made with, which a later version may raise.
    derived = await run_sync(_derive, pin, base64.b64decode(salt), int(n), int(r), int(p))
    return hmac.compare_digest(derived, base64.b64decode(expected))


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


def _derive(pin: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    # The same letters may be typed as one character or as two, depending on the keyboard.
    typed = unicodedata.normalize("NFC", pin).encode("utf-8", "surrogatepass")
    return hashlib.scrypt(typed, salt=salt, n=n, r=r, p=p, maxmem=256 * n * r, dklen=32)


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
