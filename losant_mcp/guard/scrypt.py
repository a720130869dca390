"""Hashes of what a person types: salted, and so costly that guessing takes for ever.

A guess takes 32 MB and about a tenth of a second. The numbers that a hash was made with are in it,
so that a later version may raise them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import unicodedata

_N, _R, _P = 2**15, 8, 1
_SALT_BYTES = 16
_HASH_BYTES = 32


def hashed(typed: str) -> str:
    """A fresh salted hash of the text. It blocks, for a while."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return _written(salt, _derive(typed, salt, _N, _R, _P))


def is_hash_of(kept: str, typed: str) -> bool:
    """Whether the hash is of this text, compared in constant time. It blocks, for a while."""
    _, n, r, p, salt, expected = kept.split("$")
    derived = _derive(typed, base64.b64decode(salt), int(n), int(r), int(p))
    return hmac.compare_digest(derived, base64.b64decode(expected))


def decoy() -> str:
    """The hash of nothing at all: to compare with takes as long as with any other."""
    return _written(secrets.token_bytes(_SALT_BYTES), secrets.token_bytes(_HASH_BYTES))


def _derive(typed: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    # The same letters may be typed as one character or as two, depending on the keyboard.
    raw = unicodedata.normalize("NFC", typed).encode("utf-8", "surrogatepass")
    return hashlib.scrypt(raw, salt=salt, n=n, r=r, p=p, maxmem=256 * n * r, dklen=_HASH_BYTES)


def _written(salt: bytes, derived: bytes) -> str:
    numbers = (str(_N), str(_R), str(_P))
    return "$".join(["scrypt", *numbers, *(base64.b64encode(b).decode() for b in (salt, derived))])
