"""Which Redis is taken, what lies in it, and what happens when it is not there."""

from __future__ import annotations

import contextlib
import logging
import re
import traceback
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from losant_mcp.errors import ConfigurationError
from losant_mcp.guard.plans import PLAN_SECONDS
from losant_mcp.guard.redis_store import RedisStore, meters
from losant_mcp.guard.redis_store.connection import refuse_unfit
from losant_mcp.guard.store import NotOpen, StateUnavailable
from tests.guard.redis_server import SECRET, RedisServer, redis_server
from tests.guard.stored import APPLICATION, LIMITS, Clock, a_binding, a_plan, approve, burn, decline
from tests.guard.stores import API_URL, CALLS, a_redis_store

PASSWORD = "a-password-that-nobody-may-read"


def everything(server: RedisServer) -> dict[str, tuple[bytes, int]]:
    """All keys with their values and how many milliseconds they have left; -1 is for ever."""
    with contextlib.closing(server.client) as client:
        found = {}
        for key in cast("list[bytes]", client.keys("*")):
            value = client.dump(key)
            assert isinstance(value, bytes)
            found[key.decode()] = value, client.pttl(key)
        return found


# ---- what is taken -------------------------------------------------------------------------

FIT = {
    "redis_version": "7.0.15",
    "cluster_enabled": 0,
    "maxmemory": 0,
    "maxmemory_policy": "noeviction",
}


@pytest.mark.parametrize(
    "info",
    [
        FIT,
        {**FIT, "redis_version": "6.2.0"},
        {**FIT, "maxmemory": 10**8},
        {**FIT, "maxmemory_policy": "allkeys-lru"},
    ],
    ids=["as it comes", "old", "bounded", "unbounded with a policy"],
)
def test_a_redis_that_keeps_what_it_gets_is_taken(info: dict[str, Any]) -> None:
    """It refuses writes when it is full, or is never full."""
    refuse_unfit(info)


@pytest.mark.parametrize(
    ("info", "words"),
    [
        ({**FIT, "redis_version": "6.0.16"}, "version 6.0.16 of Redis"),
        ({**FIT, "redis_version": "new"}, "version new of Redis"),
        ({**FIT, "cluster_enabled": 1}, "a node of a cluster"),
        ({**FIT, "maxmemory": 1, "maxmemory_policy": "volatile-ttl"}, "(volatile-ttl)"),
        ({"redis_version": "7.2.0"}, "does not tell whether it evicts"),
    ],
    ids=["too old", "of no version", "a cluster", "evicting", "silent"],
)
def test_another_redis_is_refused(info: dict[str, Any], words: str) -> None:
    """With what it is, and what the operator can do."""
    with pytest.raises(ConfigurationError) as refusal:
        refuse_unfit(info)
    assert words in str(refusal.value)
    assert refusal.value.hint


async def test_a_redis_that_begins_to_evict_is_refused_by_every_call() -> None:
    """At the start as a wrong setting, later as a memory that cannot be used."""
    with redis_server("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru") as server:
        store = a_redis_store(server)
        with pytest.raises(ConfigurationError) as refusal:
            await store.check()
        for call in CALLS.values():
            with pytest.raises(StateUnavailable) as unavailable:
                await call(store)
            assert str(unavailable.value) == str(refusal.value)
        assert everything(server) == {}
        await store.aclose()


async def test_a_policy_that_is_changed_later_is_refused_until_it_is_put_right() -> None:
    """Redis goes on as the same process, so its number would not tell."""
    with redis_server() as server, contextlib.closing(server.client) as client:
        store = a_redis_store(server)
        await store.remember("key", "value")
        client.config_set("maxmemory-policy", "allkeys-lru")
        client.config_set("maxmemory", "100mb")
        with pytest.raises(StateUnavailable, match="evicts keys"):
            await store.recall("key")
        client.config_set("maxmemory-policy", "noeviction")
        assert await store.recall("key") == "value"
        await store.aclose()


async def test_a_user_that_may_not_ask_is_told_what_is_missing(redis: RedisServer) -> None:
    """Without INFO nobody knows whether something may be evicted, so nothing is written."""
    with contextlib.closing(redis.client) as client:
        client.acl_setuser(
            "mute", True, passwords=["+word"], keys=["*"], categories=["+@all"], commands=["-info"]
        )
        url = SecretStr(f"redis://mute:word@127.0.0.1:{redis.port}/0")
        store = RedisStore(url, SECRET, API_URL)
        with pytest.raises(StateUnavailable) as refusal:
            await store.remember("key", "value")
        assert "may not do what is needed" in str(refusal.value)
        assert everything(redis) == {}
        await store.aclose()
        client.acl_deluser("mute")


async def test_a_full_redis_lets_nothing_happen() -> None:
    """What cannot be written did not happen, and what was there is still there."""
    with redis_server() as server:
        store = a_redis_store(server)
        plan = await approve(store, await store.add_plan(a_plan(), LIMITS))
        with contextlib.closing(server.client) as client:
            client.config_set("maxmemory", "1")
        with pytest.raises(StateUnavailable) as refusal:
            await burn(store, plan)
        assert "its memory is full" in str(refusal.value)
        assert await store.plan(plan.id) == plan
        await store.aclose()


# ---- where it is ---------------------------------------------------------------------------


async def test_a_password_works_and_is_in_no_text(caplog: pytest.LogCaptureFixture) -> None:
    """Neither of an error with all of its causes nor of a log line nor of the store."""
    caplog.set_level(logging.DEBUG)
    with redis_server(password=PASSWORD) as server:
        store = a_redis_store(server)
        await store.remember("key", "value")
        assert await store.recall("key") == "value"
        wrong = SecretStr(server.url.get_secret_value().replace(":a-", ":b-"))
        stranger = RedisStore(wrong, SECRET, API_URL)
        texts = [repr(store), str(vars(store)), str(vars(stranger))]
        with pytest.raises(StateUnavailable) as refusal:
            await stranger.now()
        assert "refuses the name or password" in str(refusal.value)
        texts += traceback.format_exception(refusal.value)
        server.stop()
        with pytest.raises(StateUnavailable) as lost:
            await store.now()
        texts += [*traceback.format_exception(lost.value), caplog.text]
        for text in texts:
            assert PASSWORD[2:] not in text
        await stranger.aclose()
        await store.aclose()


@pytest.mark.parametrize("url", ["redis://host:port/0", "redis://host:1/0?socket_timeout=soon"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    """As a wrong setting, without the address."""
    with pytest.raises(ConfigurationError) as refusal:
        RedisStore(SecretStr(url), SECRET, API_URL)
    assert "host" not in str(refusal.value)


def certificate(folder: Path) -> Path:
    """A certificate for loopback and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(hours=1))
        .not_valid_after(datetime.now(UTC) + timedelta(hours=1))
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = folder / "redis.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return path


async def test_tls_is_spoken_and_checked(redis: RedisServer, tmp_path: Path) -> None:
    """A rediss URL works where the certificate is trusted, and nowhere else."""
    pem = str(certificate(tmp_path))
    with contextlib.closing(redis.client) as client:
        for name in ("tls-cert-file", "tls-key-file", "tls-ca-cert-file"):
            client.config_set(name, pem)
        client.config_set("tls-auth-clients", "no")
        port = redis.free_port()
        client.config_set("tls-port", port)
        trusted = SecretStr(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={pem}")
        store = RedisStore(trusted, SECRET, API_URL)
        await store.remember("key", "value")
        await store.aclose()
        stranger = RedisStore(SecretStr(f"rediss://127.0.0.1:{port}/0"), SECRET, API_URL)
        with pytest.raises(StateUnavailable):
            await stranger.recall("key")
        await stranger.aclose()
        client.config_set("tls-port", 0)


# ---- what lies in it -----------------------------------------------------------------------


async def test_nothing_in_it_can_be_read_and_all_of_it_is_ours(redis: RedisServer) -> None:
    """Neither names nor samples; every key bears the prefix of this API URL."""
    store = a_redis_store(redis)
    plan = await store.add_plan(a_plan(name="Tank levels"), LIMITS)
    await store.remember("pin", "its hash")
    await store.note_change(APPLICATION, "table-1", "3 rows were deleted")
    await burn(store, await approve(store, plan))
    found = everything(redis)
    assert {re.sub(r"[0-9a-f]{10,}|apr_\w+", "*", key) for key in found} == {
        "{losant-mcp:*}:clock",
        "{losant-mcp:*}:turns",
        "{losant-mcp:*}:people",
        "{losant-mcp:*}:person:*",
        "{losant-mcp:*}:plan:*",
        "{losant-mcp:*}:meter:*",
        "{losant-mcp:*}:fact:*",
        "{losant-mcp:*}:changes:*",
    }
    whole = b" ".join(value for value, _ in found.values())
    for words in (b"Tank", b"secret", b"ann", b"hash", b"deleted", APPLICATION.encode()):
        assert words not in whole
    other = RedisStore(redis.url, SECRET, "https://sandbox.example.org")
    assert await other.plan(plan.id) is None
    assert await other.recall("pin") is None
    await other.aclose()
    await store.aclose()


async def test_everything_goes_that_time_ends_and_nothing_before(redis: RedisServer) -> None:
    """Redis drops a value when it says nothing any more; runs, locks and the PIN stay."""
    store = a_redis_store(redis)
    ended = await burn(store, await approve(store, await store.add_plan(a_plan("t1"), LIMITS)))
    await store.finish(ended.id, "done", {})
    running = await burn(store, await approve(store, await store.add_plan(a_plan("t2"), LIMITS)))
    await decline(store, await store.add_plan(a_plan("t3", binding=a_binding("bob")), LIMITS))
    await approve(store, await store.add_plan(a_plan("t4", binding=a_binding("eve")), LIMITS))
    await store.remember("session", "hash", seconds=60)
    await store.remember("pin", "hash")
    await store.note_change(APPLICATION, "table-1", "words")
    left: dict[str, list[int]] = {}
    for key, (_, milliseconds) in everything(redis).items():
        kind = "running" if key.endswith(running.id) else key.split("}:")[1].split(":")[0]
        left.setdefault(kind, []).append(milliseconds // 60_000)
    day = 24 * 60
    assert {kind: sorted(minutes) for kind, minutes in left.items()} == {
        "clock": [-1],
        "turns": [-1],
        "people": [-1],
        "running": [-1],
        "person": [-1, -1, 30 * day + 69],
        "plan": [30 * day + 69] * 3,
        "meter": [119] * 4,
        "fact": [-1, 60],
        "changes": [day + 59],
    }
    await store.aclose()


async def test_an_expired_plan_is_purged_though_nobody_looks_at_it(redis: RedisServer) -> None:
    """Somebody else's next plan sweeps what is past its time: its value becomes shorter."""
    clock = Clock()
    store = a_redis_store(redis, clock)
    plan = await store.add_plan(a_plan(name="x" * 999), LIMITS)
    [key] = [key for key in everything(redis) if key.endswith(plan.id)]
    before = len(everything(redis)[key][0])
    clock.wait(PLAN_SECONDS)
    await store.add_plan(a_plan(binding=a_binding("bob")), LIMITS)
    assert len(everything(redis)[key][0]) < before
    await store.aclose()


def test_a_busy_meter_counts_all_of_it_and_for_as_long() -> None:
    """Many entries become fewer and later ones, with the same sum."""
    found = [(float(n), 2) for n in range(3000)]
    kept = meters.merged(found)
    assert len(kept) == 300
    assert kept[0] == (9.0, 20)
    assert sum(amount for _, amount in kept) == 6000
    for now in (0, 5, 1234, 2999):
        counted = sum(amount for at, amount in kept if at > now)
        assert counted >= sum(amount for at, amount in found if at > now)
    assert meters.merged(found[:500]) == found[:500]


# ---- when it is not there ------------------------------------------------------------------


async def test_a_redis_that_is_away_fails_closed_and_comes_back() -> None:
    """Every call says so without the address; when Redis is there again, all of them work."""
    with redis_server("--appendonly", "yes", "--appendfsync", "always") as server:
        store = a_redis_store(server)
        plan = await approve(store, await store.add_plan(a_plan(), LIMITS))
        await store.spend("created_rows", "ann", APPLICATION, 7, 100)
        server.stop()
        for name, call in CALLS.items():
            with pytest.raises(StateUnavailable) as refusal:
                await call(store)
            assert (name, str(refusal.value), refusal.value.retry) == (
                name,
                "The guard's memory cannot be read and written: Redis, it cannot be reached.",
                True,
            )
            assert str(server.port) not in "".join(traceback.format_exception(refusal.value))
        server.start_again()
        assert await store.spent("created_rows", "ann", APPLICATION) == 7
        stored = await store.plan(plan.id)
        assert stored is not None
        await store.aclose()


async def test_a_redis_that_was_restarted_ends_every_yes() -> None:
    """It may have lost that a yes was used; budgets, runs, locks and the PIN it kept stay."""
    with redis_server("--appendonly", "yes", "--appendfsync", "always") as server:
        store = a_redis_store(server)
        plan = await approve(store, await store.add_plan(a_plan(), LIMITS))
        running = await burn(store, await approve(store, await store.add_plan(a_plan("2"), LIMITS)))
        await store.remember("session", "hash", seconds=60)
        await store.remember("pin", "hash")
        server.start_again()
        with pytest.raises(NotOpen) as refusal:
            await burn(store, plan)
        assert refusal.value.plan.status == "expired"
        assert await store.plan(running.id) == running
        assert await store.spent("destroyed", "ann", APPLICATION) == 2
        assert await store.recall("session") is None
        assert await store.recall("pin") == "hash"
        fresh = await store.add_plan(a_plan(), LIMITS)
        assert (await burn(store, await approve(store, fresh))).status == "running"
        await store.aclose()


async def test_a_redis_that_lost_everything_begins_anew() -> None:
    """Without a copy on the disk plans are unknown, and what is asked anew works."""
    with redis_server() as server:
        store = a_redis_store(server)
        plan = await approve(store, await store.add_plan(a_plan(), LIMITS))
        server.start_again()
        assert await store.plan(plan.id) is None
        fresh = replace(a_plan(), arguments="again")
        await burn(store, await approve(store, await store.add_plan(fresh, LIMITS)))
        await store.aclose()
