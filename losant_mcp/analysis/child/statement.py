"""What a statement is: one SELECT, over which tables, and nothing but what is allowed.

Decided on DuckDB's own parse tree (``json_serialize_sql``), which is what will run: no text of
the statement is matched here. Every kind of node and every function has to be on a list; what a
newer DuckDB adds is refused until somebody has looked at it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import duckdb

from losant_mcp.analysis.child.functions import FUNCTIONS, TABLE_FUNCTIONS
from losant_mcp.analysis.child.problems import Problem

MOST_CHARACTERS = 100_000

_EXPRESSIONS = frozenset(
    (
        *("BETWEEN", "CASE", "CAST", "COLLATE", "COLUMN_REF", "COMPARISON", "CONJUNCTION"),
        *("CONSTANT", "FUNCTION", "LAMBDA", "LAMBDA_REF", "OPERATOR", "POSITIONAL_REFERENCE"),
        *("STAR", "SUBQUERY", "TYPE", "WINDOW"),
    )
)
_NODES = frozenset(
    (
        *("SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"),
        *("BASE_TABLE", "EMPTY", "EXPRESSION_LIST", "JOIN", "PIVOT", "SHOW_REF", "SUBQUERY"),
        "TABLE_FUNCTION",
        *("DISTINCT_MODIFIER", "LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER", "ORDER_MODIFIER"),
        *("ASCENDING", "DESCENDING", "ORDER_DEFAULT"),
    )
)
_DESCRIPTIONS = ("DESCRIBE", "SUMMARY")
_WRITES = ("INSERT", "UPDATE", "DELETE", "MERGE")

ONE_SELECT = "Only one SELECT is run."
_FUNCTIONS_ALLOWED = (
    "DuckDB's functions of numbers, texts, dates, lists and JSON are allowed; those that read"
    " files, settings or the catalogue are not."
)
READS_ONLY = "Nothing can be changed by SQL; the other tools do that."

Tree = dict[str, Any]  # JSON data


@dataclass
class Statement:
    """A statement that may run: its text without semicolons, and the tables it names."""

    sql: str
    tree: Tree
    tables: list[str] = field(default_factory=list)


def read(connection: duckdb.DuckDBPyConnection, sql: str) -> Statement:
    """The statement of the text. Raises Problem where it is not one SELECT, or not allowed."""
    text = single(connection, sql)
    tree = parse(connection, text)
    return Statement(text, tree, list(dict.fromkeys(tables_of(tree))))


def single(connection: duckdb.DuckDBPyConnection, sql: str) -> str:
    """The text of the one statement, without semicolons. Raises Problem, or DuckDB's error."""
    if len(sql) > MOST_CHARACTERS:
        raise Problem("invalid", f"the statement has more than {MOST_CHARACTERS:,} characters")
    if "\0" in sql:
        raise Problem("invalid", "the statement holds a NUL character")
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        found = f"{len(statements)} statements" if statements else "no statement"
        raise Problem("invalid", f"there is {found}" if not statements else found, ONE_SELECT)
    kind = statements[0].type
    # A PIVOT that looks up its own values is several statements to DuckDB; see `pivot`.
    if kind not in (duckdb.StatementType.SELECT, duckdb.StatementType.MULTI):
        name = kind.name.replace("_", " ")
        raise Problem("invalid", f"this is a statement of type {name}", ONE_SELECT)
    return _without_semicolons(sql)


def parse(connection: duckdb.DuckDBPyConnection, sql: str) -> Tree:
    """The checked parse tree of a SELECT. Raises Problem."""
    found = connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchone()
    assert found is not None
    try:
        answer = json.loads(found[0])
        if answer["error"]:
            raise Problem("invalid", str(answer["error_message"]), ONE_SELECT)
        [statement] = answer["statements"]
        _check(statement)
    except RecursionError:
        raise Problem("invalid", "the statement is nested too deeply") from None
    tree: Tree = statement
    return tree


def _without_semicolons(sql: str) -> str:
    """The text with its semicolons blanked, so that it can stand in parentheses.

    Those in strings and comments are no tokens of their own, and stay.
    """
    encoded = bytearray(sql.encode())
    for position, kind in duckdb.tokenize(sql):
        if kind is duckdb.token_type.operator and encoded[position] == ord(";"):
            encoded[position] = ord(" ")
    return encoded.decode()


# ---- what is allowed -----------------------------------------------------------------------


def nodes(tree: Any) -> Iterator[Tree]:
    """Every object of a tree, the outer before the inner."""
    stack = [tree]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            yield item
            stack.extend(reversed(item.values()))
        elif isinstance(item, list):
            stack.extend(reversed(item))


def _check(tree: Tree) -> None:
    in_from = {id(node["function"]) for node in nodes(tree) if node.get("type") == "TABLE_FUNCTION"}
    for node in nodes(tree):
        kind, expression = node.get("type"), node.get("class")
        if isinstance(expression, str):
            if expression == "PARAMETER":
                raise Problem(
                    "invalid", "there are no parameters", "Write the values into the statement."
                )
            if expression not in _EXPRESSIONS:
                raise _refused(expression)
        elif isinstance(kind, str) and kind not in _NODES:
            raise _refused(kind)
        if "function_name" in node:
            _check_function(node, is_table=id(node) in in_from)
        if kind == "SHOW_REF" and node.get("show_type") not in _DESCRIPTIONS:
            raise Problem(
                "invalid",
                "SHOW is not allowed",
                "list_data_tables lists the tables; DESCRIBE shows the columns of one.",
            )
        if node.get("at_clause"):
            raise Problem("invalid", "tables have no versions here", "Leave AT (...) out.")


def _refused(kind: str) -> Problem:
    words = kind.replace("_", " ")
    if kind.startswith(_WRITES):
        return Problem("invalid", f"{words.removesuffix(' QUERY NODE')} is not allowed", READS_ONLY)
    return Problem("invalid", f"{words} is not allowed", ONE_SELECT)


def _check_function(node: Tree, *, is_table: bool) -> None:
    path = node.get("qualified_name", {}).get("path") or [""]
    allowed = TABLE_FUNCTIONS if is_table else FUNCTIONS
    for name in {str(node["function_name"]), str(path[-1])}:
        if name.lower() not in allowed:
            if is_table:
                raise Problem(
                    "invalid",
                    f"the table function {name} is not allowed",
                    f"Allowed: {', '.join(sorted(TABLE_FUNCTIONS))}. Name data tables without "
                    "parentheses.",
                )
            near = ", ".join(get_close_matches(name.lower(), FUNCTIONS, 3, 0.75))
            raise Problem(
                "invalid",
                f"the function {name} is unknown or not allowed",
                f"Did you mean {near}?" if near else _FUNCTIONS_ALLOWED,
            )


# ---- which tables it names -----------------------------------------------------------------


def folded(name: str) -> str:
    """The name as DuckDB compares names: ASCII letters in lower case."""
    return "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in name)


def tables_of(tree: Tree) -> Iterator[str]:
    """The names in FROM that no WITH defines where they stand, as they are written.

    A WITH may bear a table's name: inside its own definition the name still means the table.
    Raises Problem for a name with a schema, which could only be one of the engine's own.
    """
    stack: list[tuple[Any, frozenset[str]]] = [(tree, frozenset())]
    while stack:
        node, known = stack.pop()
        if isinstance(node, list):
            stack.extend((item, known) for item in reversed(node))
        if not isinstance(node, dict):
            continue
        for entry in (node.get("cte_map") or {}).get("map", ()):
            name, query = folded(entry["key"]), entry["value"]
            recursive = query["query_node"].get("type") == "RECURSIVE_CTE_NODE"
            stack.append((query, known | {name} if recursive else known))
            known |= {name}
        if node.get("type") == "BASE_TABLE":
            yield from _table(node, known)
        parts = [(value, known) for key, value in node.items() if key != "cte_map"]
        stack.extend(reversed(parts))


def aliases(tree: Tree) -> dict[str, str]:
    """Which table each alias stands for, both in lower case."""
    tables = (node for node in nodes(tree) if node.get("type") == "BASE_TABLE")
    return {
        str(node["alias"]).lower(): _path(node)[-1].lower() for node in tables if node.get("alias")
    }


def _path(node: Tree) -> list[str]:
    return node.get("qualified_name", {}).get("path") or [node.get("table_name", "")]


def _table(node: Tree, known: frozenset[str]) -> Iterator[str]:
    path = _path(node)
    if len(path) > 1 or node.get("schema_name") or node.get("catalog_name"):
        raise Problem(
            "invalid",
            f"tables have no schema, so {'.'.join(map(str, path))!r} is none",
            'A name with a dot needs quotes: "my.table".',
        )
    if folded(path[0]) not in known:
        yield path[0]
