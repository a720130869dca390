"""PIVOT without IN: the values that become columns are looked up and written into the statement.

DuckDB makes several statements of such a PIVOT, one of which creates a type, and does not give
their parse tree away. So each ``ON x`` gets an ``IN`` with a marker; the tree of that tells what
to look up; and the statement that runs has the values in the markers' places. It is read and
checked like any other, so a mistake here can make a PIVOT fail and nothing else.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

import duckdb

from losant_mcp.analysis.child.problems import Problem
from losant_mcp.analysis.child.quoting import literal
from losant_mcp.analysis.child.statement import Statement, Tree, parse, tables_of

MOST_COLUMNS = 500

_ENDS = frozenset(("USING", "GROUP", "ORDER", "LIMIT", "OFFSET", "UNION", "EXCEPT", "INTERSECT"))
_NO_IN = "PIVOT takes its columns from ON x, or from ON x IN ('a', 'b')."


def is_open(connection: duckdb.DuckDBPyConnection, sql: str) -> bool:
    """Whether a PIVOT of the one statement lacks its values."""
    [statement] = connection.extract_statements(sql)
    return statement.type is duckdb.StatementType.MULTI


def tables(connection: duckdb.DuckDBPyConnection, sql: str) -> list[str]:
    """The tables that a statement with such a PIVOT names. Raises Problem."""
    marked, _ = _mark(sql)
    return list(dict.fromkeys(tables_of(_tree(connection, marked))))


def close(connection: duckdb.DuckDBPyConnection, sql: str) -> Statement:
    """The statement with the values of every PIVOT written out; its tables must be there."""
    marked, markers = _mark(sql)
    tree = _tree(connection, marked)
    for expression, source, ctes, marker in _places(tree, markers):
        values = _values(connection, expression, source, ctes)
        if len(values) > MOST_COLUMNS:
            raise Problem(
                "invalid",
                f"PIVOT would make more than {MOST_COLUMNS} columns",
                "Name those that are wanted: ON x IN ('a', 'b').",
            )
        written = ", ".join(map(literal, values))
        marked = marked.replace(f"'{marker}'", written or "NULL")
    tree = parse(connection, marked)
    return Statement(marked, tree, list(dict.fromkeys(tables_of(tree))))


def _tree(connection: duckdb.DuckDBPyConnection, marked: str) -> Tree:
    [statement] = connection.extract_statements(marked)
    if statement.type is not duckdb.StatementType.SELECT:
        raise Problem("invalid", "this PIVOT cannot be read", _NO_IN)
    return parse(connection, marked)


def _mark(sql: str) -> tuple[str, list[str]]:
    """The statement with an IN behind every ON of a PIVOT that has none, and the markers there."""
    text = sql.encode()
    markers: list[str] = []
    out = bytearray()
    done = 0
    for start, end in _open_expressions(text):
        markers.append(f"pivot_{secrets.token_hex(12)}")
        # A line break ends the comment that may stand behind the expression.
        out += text[done:start] + b"(" + text[start:end] + b"\n)"
        out += f" IN ('{markers[-1]}') ".encode()
        done = end
    return (bytes(out) + text[done:]).decode(), markers


def _open_expressions(text: bytes) -> Iterator[tuple[int, int]]:
    """From where to where the expressions go that stand behind a PIVOT's ON without an IN."""
    depth = 0
    # By depth of parentheses: "source" until ON, then "open" or "given", per expression.
    pivots: dict[int, str] = {}
    begins: dict[int, int] = {}
    for start, word in _tokens(text):
        here = pivots.get(depth)
        if word == "PIVOT":
            pivots[depth] = "source"
        elif word == "ON" and here == "source":
            pivots[depth] = "open"
            begins[depth] = start + len(word)
        elif word == "IN" and here == "open":
            pivots[depth] = "given"
        elif here in ("open", "given") and word in (",", ")", "", *_ENDS):
            if here == "open":
                yield begins[depth], start
            if word == ",":
                pivots[depth] = "open"
                begins[depth] = start + 1
            else:
                del pivots[depth]
        if word in ("(", "[", "{"):
            depth += 1
        elif word in (")", "]", "}"):
            pivots.pop(depth, None)
            depth -= 1


def _tokens(text: bytes) -> Iterator[tuple[int, str]]:
    """The words and signs of a statement in capitals, without comments, and its end as ""."""
    tokens = duckdb.tokenize(text.decode())
    ends = [start for start, _ in tokens[1:]] + [len(text)]
    for (start, kind), end in zip(tokens, ends, strict=True):
        if kind is not duckdb.token_type.comment:
            word = text[start:end].decode().strip().upper()
            # A quoted name is never a keyword, and its text is not of interest.
            yield start, word if word[:1] not in "'\"" else "'"
    yield len(text), ""


def _places(tree: Tree, markers: list[str]) -> Iterator[tuple[Any, Any, list[Any], str]]:
    """Each marker with what is looked up for it: expression, source, and the WITHs around it."""
    stack: list[tuple[Any, list[Any]]] = [(tree, [])]
    while stack:
        node, ctes = stack.pop()
        if isinstance(node, list):
            stack.extend((item, ctes) for item in node)
        if not isinstance(node, dict):
            continue
        ctes = ctes + ((node.get("cte_map") or {}).get("map") or [])
        for pivot in node.get("pivots") or ():
            if not isinstance(pivot, dict):
                continue
            found = json.dumps(pivot.get("entries"))
            for marker in markers:
                if marker in found:
                    [expression] = pivot["pivot_expressions"]
                    yield expression, node["source"], ctes, marker
        stack.extend((value, ctes) for value in node.values())


def _values(
    connection: duckdb.DuckDBPyConnection, expression: Any, source: Any, ctes: list[Any]
) -> list[str]:
    """The values of the expression, in order, as the names that DuckDB gives their columns."""
    [template] = _serialized(connection, "SELECT DISTINCT 1 AS value FROM source")["statements"]
    node = template["node"]
    node["select_list"] = [{**expression, "alias": "value"}]
    node["from_table"] = source
    node["cte_map"] = {"map": ctes}
    asked = json.dumps({"error": False, "statements": [template]})
    found = connection.execute("SELECT json_deserialize_sql(?::JSON)", [asked]).fetchone()
    assert found is not None
    parse(connection, found[0])
    rows = connection.execute(
        f"SELECT value::VARCHAR FROM ({found[0]}) WHERE value IS NOT NULL ORDER BY value"  # noqa: S608 - of a tree that was checked
        f" LIMIT {MOST_COLUMNS + 1}"
    ).fetchall()
    return [row[0] for row in rows]


def _serialized(connection: duckdb.DuckDBPyConnection, sql: str) -> Tree:
    found = connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchone()
    assert found is not None
    tree: Tree = json.loads(found[0])
    return tree
