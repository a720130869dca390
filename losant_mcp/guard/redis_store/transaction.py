"""One atomic step on Redis: read, decide in Python, write only if nothing read has changed.

The rules of a plan's life are Python that every store shares (``lifecycle``), so they are not
repeated in Lua; and one script instead of WATCH and MULTI, since a WATCH would keep a connection
for the whole step and cannot look at the clock. A step runs again where somebody was faster: at
first at once, then in turn with the others of this process, so that many callers do not spoil
each other's attempts for long. It is written by one script, which writes all of it or nothing:
every value is what it was, Redis is the same process, and its clock has moved by at most a
second. A step that ends with a no (a GuardError) is written, too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar, cast

import anyio
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from losant_mcp.errors import ConfigurationError
from losant_mcp.guard.redis_store.connection import explained, refuse_evicting, refuse_unfit
from losant_mcp.guard.redis_store.sealing import CLEAR, VERSION_BYTES, Sealer
from losant_mcp.guard.store import GuardError, StateUnavailable

T = TypeVar("T")

BUSY_SECONDS = 10.0
"""How long a step may be overtaken by others; each takes milliseconds."""

STEP_SECONDS = 1.0
"""How old the moment of a step may be when it is written, and by how much less a clock that
goes back is waited for."""

_DRIFT = 0.001

_COMMIT = """
-- KEYS: clock, people, read values..., written values...
-- ARGV: latest moment by this clock, store's moment, "jump" or "", run id,
--       number of reads, versions..., (value, ms)... , (member, "add" or "remove")...
local clock = redis.call('TIME')
if tonumber(clock[1]) + tonumber(clock[2]) / 1000000 > tonumber(ARGV[1]) then return 0 end
if not string.find(redis.call('INFO', 'server'), 'run_id:' .. ARGV[4], 1, true) then return 0 end
local reads = tonumber(ARGV[5])
for i = 1, reads do
    if redis.call('GETRANGE', KEYS[2 + i], 0, VERSION_END) ~= ARGV[5 + i] then return 0 end
end
local at = 6 + reads
for i = 3 + reads, #KEYS do
    if ARGV[at + 1] == 'drop' then
        redis.call('DEL', KEYS[i])
    elseif ARGV[at + 1] == 'keep' then
        redis.call('SET', KEYS[i], ARGV[at])
    else
        redis.call('SET', KEYS[i], ARGV[at], 'PX', ARGV[at + 1])
    end
    at = at + 2
end
while ARGV[at] do
    redis.call(ARGV[at + 1], KEYS[2], ARGV[at])
    at = at + 2
end
local latest = tonumber(redis.call('GET', KEYS[1]) or '0')
if ARGV[3] == 'jump' or tonumber(ARGV[2]) > latest then redis.call('SET', KEYS[1], ARGV[2]) end
return 1
""".replace("VERSION_END", str(VERSION_BYTES - 1))


class Turn(NamedTuple):
    """A moment at which nobody could tell how much time had passed, or what had been lost.

    The clock went back from ``latest`` to ``now``, or Redis is another process than before.
    """

    latest: float
    now: float

    def carried(self, entries: Sequence[tuple[float, T]], seconds: float) -> list[tuple[float, T]]:
        """Entries of the last ``seconds``: what was over stays over, the rest is of now at most."""
        return [(min(at, self.now), what) for at, what in entries if at > self.latest - seconds]


@dataclass(frozen=True, slots=True)
class Found:
    """A value, and the turns that it has not seen."""

    value: Any  # any JSON value
    turns: Sequence[Turn]


@dataclass(frozen=True, slots=True)
class Moment:
    """When and where a step is taken."""

    now: float
    """By the store's clock, which never goes back unnoticed."""
    clock: float
    """By Redis's clock, which judges whether the step has become old."""
    run_id: str
    """Which process of Redis it is."""
    uptime: float


class _Write(NamedTuple):
    sealed: bytes
    life: str


class Transaction:
    """One attempt at one moment of the store's clock."""

    def __init__(
        self, memory: Memory, moment: Moment, turns: Sequence[Turn], versions: dict[str, bytes]
    ) -> None:
        self._memory = memory
        self._turns = turns
        self._found: dict[str, Found | None] = {}
        self.moment = moment
        self.versions = versions
        self.writes: dict[str, _Write] = {}
        self.members: dict[str, str] = {}

    @property
    def now(self) -> float:
        """This moment by the store's clock."""
        return self.moment.now

    async def get(self, name: str) -> Found | None:
        """The value of this name."""
        return (await self.get_all([name]))[0]

    async def get_all(self, names: Sequence[str]) -> list[Found | None]:
        """The values of these names, in one question."""
        missing = [name for name in dict.fromkeys(names) if name not in self._found]
        if missing:
            keys = [self._memory.key(name) for name in missing]
            for name, sealed in zip(missing, await self._memory.read(keys), strict=True):
                self.versions[name] = (sealed or b"")[:VERSION_BYTES]
                self._found[name] = None if sealed is None else self._opened(name, sealed)
        return [self._found[name] for name in names]

    def put(self, name: str, value: Any, *, seconds: float | None) -> None:  # any JSON value
        """Keep a value for at least so long; None keeps it until it is dropped."""
        sealed = self._memory.sealer.seal(self._memory.key(name), [len(self._turns), value])
        # The hour more is for clocks that are corrected: what is over is told by the times in
        # the value, and Redis only clears up.
        life = "keep" if seconds is None else str(round((max(seconds, 0.0) + 3600) * 1000))
        self.writes[name] = _Write(sealed, life)
        self._found[name] = Found(value, ())

    def drop(self, name: str) -> None:
        """Forget a value."""
        self.writes[name] = _Write(b"", "drop")
        self._found[name] = None

    def mark(self, name: str, *, seconds: float) -> None:
        """Put a mark under a name, which bears no value and goes exactly at its time."""
        self.writes[name] = _Write(b"1", str(round(seconds * 1000)))

    async def marked(self, names: Sequence[str]) -> set[str]:
        """The names that bear a mark now."""
        keys = [self._memory.key(name) for name in names]
        marks = await self._memory.read(keys) if keys else []
        return {name for name, mark in zip(names, marks, strict=True) if mark is not None}

    async def people(self) -> Sequence[str]:
        """The digests of the principals of whom there is more than what time ends."""
        return await self._memory.people()

    def list_person(self, who: str, *, listed: bool) -> None:
        """Whether a principal is among them."""
        self.members[who] = "SADD" if listed else "SREM"

    def _opened(self, name: str, sealed: bytes) -> Found:
        turns, value = self._memory.sealer.open(self._memory.key(name), sealed)
        return Found(value, self._turns[turns:])


Step = Callable[[Transaction], Awaitable[T]]


class Memory:
    """The values of one API URL in one Redis."""

    def __init__(
        self,
        redis: Redis,
        prefix: str,
        sealer: Sealer,
        clock: Callable[[float], float] | None,
        steady: Callable[[], float] | None,
    ) -> None:
        self._redis = redis
        self._prefix = prefix
        self.sealer = sealer
        self._clock = clock
        self._steady = steady
        self._commit = redis.register_script(_COMMIT)
        self._turn_taking = anyio.Lock()
        self._fit_run_id: str | None = None
        self._seen: tuple[float, float] | None = None
        """The store's clock and the steady clock of this process, a moment ago."""

    def key(self, name: str) -> str:
        """The key of a name. The braces keep all of them together behind a proxy."""
        return f"{{{self._prefix}}}:{name}"

    async def read(self, keys: Sequence[str]) -> list[bytes | None]:
        """What lies under these keys."""
        return cast("list[bytes | None]", await self._redis.mget(keys))

    async def people(self) -> list[str]:
        """The members of the list of principals."""
        members = cast("set[bytes]", await self._redis.smembers(self.key("people")))
        return sorted(member.decode() for member in members)

    async def check(self) -> None:
        """Raise ConfigurationError unless this Redis is fit, StateUnavailable without it."""
        with explained():
            info = await self._redis.info()
        refuse_unfit(info)
        self._fit_run_id = str(info.get("run_id", ""))

    async def run(self, step: Step[T]) -> T:
        """The step's result, once it is written. Cancelling does not leave it half known."""
        with explained(), anyio.move_on_after(BUSY_SECONDS, shield=True):
            return await self._run(step)
        busy = StateUnavailable("The guard's memory is busy: others keep changing it.")
        busy.retry = True
        raise busy

    async def _run(self, step: Step[T]) -> T:
        done = await self._attempt(step)
        if not done:
            async with self._turn_taking:
                while not done:
                    done = await self._attempt(step)
        return done[0]

    async def _attempt(self, step: Step[T]) -> list[T]:
        """The result, or nothing where somebody was faster."""
        transaction = await self._begin()
        if transaction is None:
            return []
        no: GuardError | None = None
        result: list[T] = []
        try:
            result.append(await step(transaction))
        except StateUnavailable:
            raise
        except GuardError as error:
            no = error
        # A single value that was only read needs no second look.
        settled = len(transaction.versions) <= 2 and not transaction.writes
        if not settled and not await self._write(transaction):
            return []
        if no is not None:
            raise no
        return result

    async def _write(self, step: Transaction, *, jump: bool = False) -> bool:
        keys = [self.key(name) for name in ("clock", "people", *step.versions, *step.writes)]
        arguments = [
            repr(step.moment.clock + STEP_SECONDS),
            repr(step.now),
            "jump" if jump else "",
            step.moment.run_id,
            len(step.versions),
            *step.versions.values(),
            *(part for write in step.writes.values() for part in write),
            *(part for member in step.members.items() for part in member),
        ]
        try:
            return bool(await self._commit(keys=keys, args=arguments))
        except (RedisConnectionError, RedisTimeoutError):
            # It may have been written all the same; nobody else makes these versions.
            if not await self._is_written(step):
                raise
            return True

    async def _is_written(self, step: Transaction) -> bool:
        sealed = {
            name: write.sealed
            for name, write in step.writes.items()
            if len(write.sealed) > VERSION_BYTES
        }
        found = await self.read([self.key(name) for name in sealed]) if sealed else []
        return any(one == mine for one, mine in zip(found, sealed.values(), strict=True))

    # ---- time ------------------------------------------------------------------------------

    async def _begin(self) -> Transaction | None:
        """A transaction at the present; None where it had to be settled first what that is.

        A clock that went back cannot tell how old a yes is, and a Redis that was restarted, or
        took over from another one, may have lost that it was used. So everything that could be
        used ends then, and limits count from now on: this is a turn, which each value that is
        older than it learns of when it is read.
        """
        asked = self._steady() if self._steady else 0.0
        try:
            (seconds, micros), stored, sealed, info, memory = await self._look()
        except RedisConnectionError:
            # A connection that was kept may have ended long ago. Only this is asked again: of
            # a write nobody would know whether it happened.
            (seconds, micros), stored, sealed, info, memory = await self._look()
        clock = seconds + micros / 1_000_000
        wall = self._clock(clock) if self._clock else clock
        latest, run_id = _number(stored), str(info.get("run_id", ""))
        await self._check_again(run_id, memory)
        known = self.sealer.open(self.key("turns"), sealed) if sealed is not None else None
        turns = [Turn(*turn) for turn in known["turns"]] if known else []
        at_least = max(latest, self._least(asked)) - STEP_SECONDS
        went_back = wall < at_least
        moment = Moment(
            now=wall if went_back else max(wall, latest),
            clock=clock,
            run_id=run_id,
            uptime=float(info.get("uptime_in_seconds", 0)),
        )
        version = (sealed or b"")[:VERSION_BYTES]
        transaction = Transaction(self, moment, turns, {"turns": version})
        if known and known["run_id"] == run_id and not went_back:
            self._seen = wall, self._steady() if self._steady else 0.0
            return transaction
        self._seen = None
        if known:
            turns.append(Turn(max(latest, wall), moment.now))
        value = self.sealer.seal(self.key("turns"), {"run_id": run_id, "turns": turns})
        transaction.writes["turns"] = _Write(value, "keep")
        await self._write(transaction, jump=went_back)
        return None

    async def _look(self) -> Any:  # what the five commands answer
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.time()
            pipe.get(self.key("clock"))
            pipe.get(self.key("turns"))
            pipe.info("server")
            pipe.info("memory")
            return await pipe.execute()

    def _least(self, asked: float) -> float:
        """What Redis's clock shows at least, going by the clock of this process."""
        if self._seen is None or self._steady is None:
            return 0.0
        wall, steady = self._seen
        return wall + (asked - steady) * (1 - _DRIFT)

    async def _check_again(self, run_id: str, memory: Mapping[str, Any]) -> None:
        """Raise StateUnavailable where this Redis is not fit, or not any more."""
        try:
            if self._fit_run_id != run_id:
                await self.check()
            refuse_evicting(memory)  # a policy can be changed while Redis runs
        except ConfigurationError as error:
            raise StateUnavailable(str(error), hint=error.hint) from None


def _number(stored: bytes | None) -> float:
    try:
        return float(stored or 0)
    except ValueError:
        raise StateUnavailable("The guard's memory is damaged.", hint=CLEAR) from None
