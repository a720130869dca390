"""The workbench's child holds: no file, no setting, no write, no bomb gets past it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from time import monotonic

import pytest

from losant_mcp.analysis.child.functions import FUNCTIONS, TABLE_FUNCTIONS
from losant_mcp.analysis.process import Child
from losant_mcp.analysis.workbench import MIB, Answer
from losant_mcp.errors import InvalidRequest, LosantMcpError, describe
from tests.analysis.attempts import BOMBS, ESCAPES
from tests.analysis.conftest import Lab

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

SOON = 10.0
"""Seconds. The deadline of a bomb is one; what is not stopped would run for minutes."""


async def still_works(lab: Lab) -> None:
    """Assert that the next question has its answer."""
    answer = await lab.ask("SELECT count(*) FROM sites")
    assert answer.rows == [[20]]
    assert answer.exact


def resident() -> int:
    """The bytes of memory that this process holds."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError


@pytest.mark.parametrize("sql", ESCAPES)
async def test_an_escape_is_refused(sql: str, lab: Lab) -> None:
    """What is not one SELECT over tables is refused at once, with words, and changes nothing."""
    started = monotonic()
    with pytest.raises(InvalidRequest) as caught:
        await lab.ask(sql)
    assert monotonic() - started < SOON
    assert 20 < len(describe(caught.value)) <= 600
    assert "root:" not in describe(caught.value)
    await still_works(lab)


@pytest.mark.parametrize("sql", BOMBS, ids=lambda sql: sql[:60])
async def test_a_bomb_is_defused(sql: str, lab: Lab) -> None:
    """It ends within its time and memory, in an error or an answer, and the next one works."""
    await still_works(lab)  # starting is not part of the deadline
    before = resident() if sys.platform == "linux" else 0
    started = monotonic()
    answer: Answer | None = None
    error: LosantMcpError | None = None
    try:
        with lab.hurried():
            answer = await lab.ask(sql)
    except InvalidRequest as refusal:
        error = refusal
    assert monotonic() - started < SOON
    if sys.platform == "linux":
        assert resident() - before < 64 * MIB
    assert error is not None or (answer is not None and len(answer.rows) <= 1000)
    assert error is None or 20 < len(describe(error)) <= 600
    await still_works(lab)
    found, _ = await lab.desk.child.call({"op": "rest"})
    assert found["peak"] <= (768 + 64) * MIB


def test_the_corpus_is_large_enough() -> None:
    """There are at least 80 attempts, each of its own."""
    attempts = [*ESCAPES, *BOMBS]
    assert len(attempts) == len(set(attempts)) >= 80


# ---- names that are not what they seem -----------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("WITH sites AS (SELECT 1 AS n) SELECT * FROM sites", [[1]]),
        ("WITH sites AS (SELECT * FROM sites LIMIT 2) SELECT count(*) FROM sites", [[2]]),
        ("WITH a AS (SELECT 7 n) SELECT (WITH a AS (SELECT 8 n) SELECT n FROM a), n FROM a",
         [[8, 7]]),
        ("SELECT (WITH sites AS (SELECT 9 n) SELECT n FROM sites), count(*) FROM sites",
         [[9, 20]]),
        ("WITH RECURSIVE sites(n) AS (SELECT 1 UNION SELECT 2 FROM sites) TABLE sites", [[1], [2]]),
        ("SELECT count(*) FROM \"sites\" AS \"'; DROP TABLE sites; --\"", [[20]]),
        ("SELECT ';', '--', '/*', $$ ; $$ FROM sites LIMIT 1", [[";", "--", "/*", " ; "]]),
        ("SELECT 1 AS \"a;b\" /* ; */ ; -- ;", [[1]]),
        ("FROM sites SELECT count(*)", [[20]]),
        ("TABLE sites ORDER BY id LIMIT 0", []),
        ("VALUES (1), (2)", [[1], [2]]),
        ("SELECT read_text FROM (SELECT 5 AS read_text)", [[5]]),
        ("SELECT 'getenv(1)' AS getenv", [["getenv(1)"]]),
    ],
)  # fmt: skip
async def test_a_name_means_what_it_means_where_it_stands(
    sql: str,
    rows: list[list[object]],
    lab: Lab,
) -> None:
    """A WITH shadows a table exactly where SQL says so, and texts and comments are no SQL."""
    answer = await lab.ask(sql)
    assert answer.rows == rows


async def test_a_statement_reaches_only_what_was_loaded_for_it(lab: Lab) -> None:
    """Neither the views of the statement before nor the tables below them have a name."""
    await lab.ask("SELECT 1")
    await lab.desk.child.replace()  # what a bomb left behind may end a process late
    await still_works(lab)
    [table] = [table for table in lab.desk.tables.values() if table.source.name == "sites"]
    for name in ("sites", table.table, f"main.{table.table}"):
        message = {"op": "query", "sql": f"FROM {name}", "views": [], "seconds": 1}
        with pytest.raises(LosantMcpError, match=r"there is no table|no schema"):
            await lab.desk.child.call({**message, "rows": 1, "size": 1})


# ---- the process ---------------------------------------------------------------------------


@linux
async def test_the_child_knows_nothing_of_its_parent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It has no variable, no open file, no folder and no token of ours."""
    monkeypatch.setenv("LOSANT_API_TOKEN", "secret")
    async with Child(memory=200 * MIB, process_memory=500 * MIB, time_zone="system") as child:
        await child.call({"op": "rest"})
        pid = child.pid
        assert pid is not None
        folder = _look_into(pid)
    assert not _runs(pid)
    assert not folder.exists()


def _look_into(pid: int) -> Path:
    process = Path(f"/proc/{pid}")
    variables = (process / "environ").read_text().split("\0")
    assert {line.partition("=")[0] for line in variables if line} <= {"TZ", "LC_CTYPE"}
    folder = (process / "cwd").readlink()
    assert list(folder.iterdir()) == []
    opened = {str(fd.readlink()) for fd in (process / "fd").iterdir()}
    assert all(name.startswith(("pipe:", "socket:", "/dev/", "anon_inode")) for name in opened)
    assert "secret" not in (process / "cmdline").read_text()
    return folder


@linux
async def test_the_system_limits_the_child() -> None:
    """Its memory, its files and its core dumps are limited by the kernel, not by its goodwill."""
    async with Child(memory=200 * MIB, process_memory=500 * MIB, time_zone="UTC") as child:
        await child.call({"op": "rest"})
        text = Path(f"/proc/{child.pid}/limits").read_text()  # noqa: ASYNC240
    limits = {line[:26].strip(): line[26:].split()[:2] for line in text.splitlines()[1:]}
    assert limits["Max data size"] == [str(500 * MIB)] * 2
    assert limits["Max file size"] == ["0", "0"]
    assert limits["Max core file size"] == ["0", "0"]
    assert limits["Max open files"] == ["64", "64"]


@linux
def test_the_child_dies_with_its_parent() -> None:
    """When the parent is killed in the middle of a statement, the child ends as well."""
    code = """
import anyio, os
from losant_mcp.analysis.process import Child
async def main():
    child = Child(memory=100 << 20, process_memory=500 << 20, time_zone="UTC")
    await child.call({"op": "rest"})
    print(child.pid, flush=True)
    sql = "SELECT levenshtein(repeat('a', 400000), repeat('b', 400000))"
    await child.call({"op": "query", "sql": sql, "views": [], "seconds": 60, "rows": 1, "size": 1})
anyio.run(main)
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    # The pipe's end is ours as well: it closes when both processes are gone.
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = monotonic() + 10
    while _runs(pid):
        assert monotonic() < deadline, "the child outlived its parent"


def _runs(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


# ---- what is loaded where ------------------------------------------------------------------


def _modules(code: str) -> set[str]:
    shown = "import sys; print(*sorted(sys.modules))"
    found = subprocess.run(
        [sys.executable, "-c", f"{code}\n{shown}"], capture_output=True, text=True, check=True
    )
    return set(found.stdout.split())


def test_duckdb_adds_nothing_to_the_start() -> None:
    """Neither the server nor the workbench imports DuckDB in the server's process."""
    loaded = _modules("import losant_mcp.server, losant_mcp.analysis.workbench")
    assert not {name for name in loaded if "duckdb" in name}


def test_the_child_imports_nothing_of_ours() -> None:
    """Client, settings and their libraries are not even loaded in the child."""
    loaded = _modules("import losant_mcp.analysis.child.__main__, losant_mcp.analysis.child.engine")
    ours = {name for name in loaded if name.startswith("losant_mcp")}
    assert all(
        name in ("losant_mcp", "losant_mcp.analysis", "losant_mcp.text")
        or name.startswith("losant_mcp.analysis.child")
        for name in ours
    )
    assert loaded.isdisjoint({"httpx", "pydantic", "anyio", "mcp", "asyncio"})


# ---- the list of functions -----------------------------------------------------------------


def test_every_function_on_the_list_exists() -> None:
    """The list holds no misspelt name: each is one of DuckDB's functions, or of its syntax."""
    import duckdb

    known = {
        str(name).lower()
        for (name,) in duckdb.connect()
        .execute("SELECT DISTINCT function_name FROM duckdb_functions()")
        .fetchall()
    }
    assert FUNCTIONS - known == {"row"} - known
    assert known >= TABLE_FUNCTIONS


def test_nothing_dangerous_is_on_the_list() -> None:
    """No allowed function reads, writes, runs text as SQL, waits, or tells of the engine."""
    words = (
        *("file", "glob", "read_", "parquet", "scan", "csv", "setting", "env", "secret", "pragma"),
        *("duckdb", "query", "execute", "serialize", "attach", "copy", "log_", "sleep", "nextval"),
        *("variable", "catalog", "schema", "version", "pg_", "internal", "sniff", "path_join"),
    )
    allowed = {"uuid_extract_version"}
    found = {name for name in FUNCTIONS | TABLE_FUNCTIONS if any(word in name for word in words)}
    assert found <= allowed
