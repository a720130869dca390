"""Encryption of a backup's file, where the operator gives a key: AES-256-GCM in frames.

Each file has a key of its own, derived from the operator's and a random salt. Each frame is
bound to its place, to whether it is the last one, and to the backup's id, so that frames cannot
be dropped, moved or taken from another backup.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator

MAGIC = b"LMB1"
SALT_BYTES = 16
HEADER_BYTES = len(MAGIC) + SALT_BYTES
FRAME = 64 * 1024
TAG = 16
SHORTEST_KEY = 16
"""Bytes."""


class CannotOpen(Exception):
    """The key is another one, or the frames were changed."""


class _Frames:
    """Seals and opens the frames of one file."""

    def __init__(self, key: bytes, header: bytes, backup_id: str) -> None:
        # Loaded on first use: most backups are not encrypted, and it takes a while.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        if len(key) < SHORTEST_KEY:
            raise ValueError("the backup key is too short to protect anything")
        salt = header[len(MAGIC) :]
        own = HKDF(algorithm=SHA256(), length=32, salt=salt, info=b"losant-mcp backup").derive(key)
        self._cipher = AESGCM(own)
        self._bound = header + backup_id.encode()
        self._number = 0

    def _nonce(self, last: bool) -> bytes:
        number, self._number = self._number, self._number + 1
        return number.to_bytes(11, "big") + bytes([last])

    def seal(self, data: bytes, *, last: bool) -> bytes:
        return self._cipher.encrypt(self._nonce(last), data, self._bound)

    def open(self, sealed: bytes, *, last: bool) -> bytes:
        from cryptography.exceptions import InvalidTag

        try:
            return self._cipher.decrypt(self._nonce(last), sealed, self._bound)
        except InvalidTag:
            raise CannotOpen from None


class Sealer:
    """Writes what it is given, encrypted, to ``write``; ``close`` writes the last frame."""

    def __init__(self, write: Callable[[bytes], None], key: bytes, backup_id: str) -> None:
        header = MAGIC + secrets.token_bytes(SALT_BYTES)
        self._frames = _Frames(key, header, backup_id)
        self._write = write
        self._pending = bytearray()
        write(header)

    def write(self, data: bytes) -> None:
        """Take the bytes; whole frames are written at once."""
        self._pending += data
        # One frame's worth is held back, since the last frame must be known as the last.
        while len(self._pending) > FRAME:
            self._write(self._frames.seal(bytes(self._pending[:FRAME]), last=False))
            del self._pending[:FRAME]

    def close(self) -> None:
        """Write the last frame."""
        self._write(self._frames.seal(bytes(self._pending), last=True))
        self._pending.clear()


def opened(chunks: Iterable[bytes], key: bytes, backup_id: str) -> Iterator[bytes]:
    """The bytes that a Sealer was given. Raises CannotOpen."""
    pending = bytearray()
    frames: _Frames | None = None
    for chunk in chunks:
        pending += chunk
        if frames is None:
            if len(pending) < HEADER_BYTES:
                continue
            header = bytes(pending[:HEADER_BYTES])
            if not header.startswith(MAGIC):
                raise CannotOpen
            frames = _Frames(key, header, backup_id)
            del pending[:HEADER_BYTES]
        while len(pending) > FRAME + TAG:
            yield frames.open(bytes(pending[: FRAME + TAG]), last=False)
            del pending[: FRAME + TAG]
    if frames is None:
        raise CannotOpen
    yield frames.open(bytes(pending), last=True)
