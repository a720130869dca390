"""The pulse of a replica: a mark in Redis that says that it lives, renewed by a thread.

A thread of its own goes on while the event loop is busy, and ends with the process. A replica
that was killed is taken for dead when its last mark is gone, two minutes later; one that ends in
order takes its mark along. One that is cut off from Redis for longer than that, but not from
Losant, counts as dead while it still deletes: its plan is then told as interrupted though it may
have been finished. No plan can run twice by that, since a plan is burned once.
"""

from __future__ import annotations

import contextlib
import threading

from redis import Redis
from redis.exceptions import RedisError

LIFE_SECONDS = 120.0
BEAT_SECONDS = 10.0


class Pulse:
    """Says that this process lives, from ``start`` to ``stop``."""

    def __init__(self, redis: Redis, key: str) -> None:
        self._redis = redis
        self._key = key
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, at the first call."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._beat, name="pulse", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End, and take the mark along where Redis can be reached."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
            with contextlib.suppress(RedisError, OSError):
                self._redis.delete(self._key)
        self._redis.close()

    def _beat(self) -> None:
        while not self._ended.wait(BEAT_SECONDS):
            with contextlib.suppress(RedisError, OSError):
                self._redis.set(self._key, "1", px=round(LIFE_SECONDS * 1000))
