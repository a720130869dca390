"""The connection to Redis: what kind of Redis is taken, and the one kind of failure.

Waits are short and nothing is repeated on its own: a Redis that does not answer makes the store
unavailable at once, and the next call tries again. No text that leaves here holds the URL, which
may contain a password.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from pydantic import SecretStr
from redis import Redis as BlockingRedis
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry as BlockingRetry

from losant_mcp.errors import ConfigurationError
from losant_mcp.guard.store import StateUnavailable

CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 3.0
LEAST_VERSION = (6, 2)

Client = TypeVar("Client", Redis, BlockingRedis)

_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (AuthenticationError, "it refuses the name or password of LOSANT_MCP_STATE_URL"),
    (NoPermissionError, "its user may not do what is needed"),
    (ReadOnlyError, "it is a read-only copy"),
    (OutOfMemoryError, "its memory is full"),
    (BusyLoadingError, "it is still loading its data"),
    (RedisTimeoutError, "it does not answer"),
    (RedisConnectionError, "it cannot be reached"),
    (OSError, "it cannot be reached"),
    (RedisError, "it refuses what is needed"),
)
"""The first kind that fits; what Redis itself says may hold an address."""


def connect(url: SecretStr) -> Redis:
    """A client that gives up soon. Raises ConfigurationError where the URL is none."""
    return _client(Redis, url, Retry(NoBackoff(), 0))


def connect_blocking(url: SecretStr) -> BlockingRedis:
    """The same for a thread of its own."""
    return _client(BlockingRedis, url, BlockingRetry(NoBackoff(), 0))


def _client(kind: type[Client], url: SecretStr, retry: Retry | BlockingRetry) -> Client:
    try:
        return kind.from_url(
            url.get_secret_value(),
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=ANSWER_SECONDS,
            retry=retry,
            protocol=2,
        )
    except (ValueError, TypeError, RedisError):
        raise ConfigurationError(
            "LOSANT_MCP_STATE_URL is not the address of a Redis.",
            hint="It is like redis://name:password@host:6379/0, or rediss:// for TLS.",
        ) from None


def key_prefix(api_url: str) -> str:
    """What the keys of an API URL begin with, so that no sandbox mixes with production."""
    return f"losant-mcp:{hashlib.sha256(api_url.rstrip('/').encode()).hexdigest()[:10]}"


@contextmanager
def explained() -> Iterator[None]:
    """Turn every failure of Redis into StateUnavailable, without the address."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise unavailable(error) from None


def unavailable(error: Exception) -> StateUnavailable:
    """The failure in words of our own."""
    words = next(words for kind, words in _WORDS if isinstance(error, kind))
    failure = StateUnavailable(
        f"The guard's memory cannot be read and written: Redis, {words}.",
        hint="Nothing destructive can happen until a person has looked at it; reading goes on.",
    )
    failure.retry = isinstance(error, (OSError, RedisConnectionError, RedisTimeoutError))
    return failure


def refuse_unfit(info: Mapping[str, Any]) -> None:  # redis-py's answer to INFO
    """Raise ConfigurationError unless this Redis keeps what it is given."""
    version = str(info.get("redis_version", ""))
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if len(numbers) < 2 or numbers < LEAST_VERSION:
        raise ConfigurationError(
            f"LOSANT_MCP_STATE_URL: this is version {version[:20] or 'unknown'} of Redis.",
            hint=f"It has to be {'.'.join(map(str, LEAST_VERSION))} or newer.",
        )
    if info.get("cluster_enabled"):
        raise ConfigurationError(
            "LOSANT_MCP_STATE_URL: this Redis is a node of a cluster.",
            hint="Name a single Redis, or one with replicas; the state is small.",
        )
    refuse_evicting(info)


def refuse_evicting(info: Mapping[str, Any]) -> None:  # redis-py's answer to INFO memory
    """Raise ConfigurationError where Redis may drop what it was given."""
    policy = info.get("maxmemory_policy")
    if policy is None or info.get("maxmemory") is None:
        raise ConfigurationError(
            "LOSANT_MCP_STATE_URL: this Redis does not tell whether it evicts keys.",
            hint="Let its user run INFO (in an ACL: +info); maxmemory-policy must be noeviction.",
        )
    if policy != "noeviction" and int(info["maxmemory"]) > 0:
        raise ConfigurationError(
            f"LOSANT_MCP_STATE_URL: this Redis evicts keys when it is full ({str(policy)[:30]}), "
            "so a no, a lock or a budget could be forgotten.",
            hint="Set its maxmemory-policy to noeviction, or use a Redis of its own.",
        )
