"""Keys that every replica derives from the one secret that they share."""

from __future__ import annotations

from typing import Literal

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

Purpose = Literal["store", "subscriptions", "request state", "backup volume"]


def derived_key(secret: SecretStr, purpose: Purpose) -> bytes:
    """32 bytes for one purpose, the same on every replica (HKDF-SHA256); no key tells another."""
    info = f"losant-mcp {purpose} 1".encode()
    kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=info)
    return kdf.derive(secret.get_secret_value().encode())
