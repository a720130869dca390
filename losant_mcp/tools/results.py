"""Results: compact, within a budget, and with every text from the platform made harmless.

Collections are columnar (a name once, not once a row). Nothing is cut silently: ``truncated``
says by what and how much, ``next`` how to go on.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from losant_mcp.api.types import JsonObject
from losant_mcp.text import NOTE, clean, shorten
from losant_mcp.tools.paging import Paging

BYTES_PER_TOKEN = 2
"""A low estimate of compact JSON with ids and dates; a test holds it against o200k.

No token is less than a byte, so that no text at all makes a result cost twice its budget.
"""

CELL_CHARACTERS = 300
_NOISE = {"_type", "_etag", "_links", "_actions", "_embedded"}

# Room for "truncated" at its longest.
_REMARKS = 200
# What one cell of a column takes at least: a shortened text names its length.
_LEAST_CELL = 34


def compact(value: object) -> str:
    """The value as compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def size(value: object) -> int:
    """Bytes of the value as compact JSON."""
    return len(compact(value).encode("utf-8", "replace"))


def tidy(value: Any) -> Any:
    """The JSON value with cleaned strings and keys; numbers that JSON lacks become text."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        found: JsonObject = {}
        for key, inner in value.items():
            name = clean(str(key))
            # Two keys that differ only in what cannot be seen are still two.
            while name in found:
                name += "'"
            found[name] = tidy(inner)
        return found
    if isinstance(value, (list, tuple)):
        return [tidy(item) for item in value]
    return value


def listing(
    columns: Sequence[str],
    items: Iterable[Mapping[str, Any]],
    *,
    total: int,
    tokens: int,
    paging: Paging,
    cell: int = CELL_CHARACTERS,
    whole: str = "",
    hint: str = "",
    **more: Any,
) -> JsonObject:
    """The collection as columns and rows, cut to ``tokens``; ``more`` are further fields.

    ``total`` is what Losant counted, never the length of a page. A cell has at most ``cell``
    characters; ``whole`` says which tool gives all of it. ``hint`` explains an empty result.
    """
    items = list(items)
    limit = tokens * BYTES_PER_TOKEN
    names = _that_fit(columns, limit // 2)
    labels = [clean(name) for name in names]
    result: JsonObject = {"note": NOTE} if items else {}
    if hint:
        more["hint"] = hint
    result |= {**more, "columns": labels, "rows": [], "returned": 0, "total": total}
    likely, _ = _brief(paging(1, cut=True)[1], limit // 6)
    spare = limit - _REMARKS - size(result) - size(likely)
    rows, cells_cut = _rows(items, names, spare, cell)
    shown, following = paging(len(rows), cut=len(rows) < len(items))
    rows, shortened = rows[:shown], sum(cells_cut[:shown])
    further, left_out = _brief(following, limit // 6)
    result |= {"rows": rows, "returned": len(rows)}
    cuts = []
    if len(rows) < len(items):
        cuts.append(f"{len(items) - len(rows)} of {len(items)} rows left out by the token budget")
    if len(names) < len(columns):
        cuts.append(f"{len(columns) - len(names)} of {len(columns)} columns left out")
    if shortened:
        cuts.append(f"{shortened} long texts shortened{f'; {whole} gives all' if whole else ''}")
    if left_out:
        cuts.append(f"next is without {', '.join(left_out)}: repeat what was given")
    if cuts:
        result["truncated"] = "; ".join(cuts)
    if further is not None:
        result["next"] = further
    return result


def _that_fit(columns: Sequence[str], room: int) -> list[str]:
    """The first columns whose names, and a short cell each, fit into the room."""
    fitting: list[str] = []
    for name in columns:
        room -= size(name) + 1 + _LEAST_CELL
        if fitting and room < 0:
            break
        fitting.append(name)
    return fitting


def _brief(further: JsonObject | None, room: int) -> tuple[JsonObject | None, list[str]]:
    """The next page's arguments, without the longest where they would crowd out the rows."""
    if further is None:
        return None, []
    left_out: list[str] = []
    kept = dict(further)
    while size(kept) > room and (long := max(kept, key=lambda k: size(kept[k]))):
        if size(kept[long]) <= 30:
            break
        left_out.append(long)
        del kept[long]
    return kept, left_out


def _rows(
    items: Sequence[Mapping[str, Any]], columns: Sequence[str], room: int, cell: int
) -> tuple[list[list[Any]], list[int]]:
    """As many rows as fit, at least one, and how many cells of each were shortened."""
    rows: list[list[Any]] = []
    shortened: list[int] = []
    for item in items:
        row, cut = _row(item, columns, cell)
        taken = size(row) + 1
        if taken > room:
            if rows:
                break
            for limit in (150, 80, 40, 20, 8, 0):
                if taken > room and limit < cell:
                    row, cut = _row(item, columns, limit)
                    taken = size(row) + 1
        rows.append(row)
        shortened.append(cut)
        room -= taken
    return rows, shortened


def _row(item: Mapping[str, Any], columns: Sequence[str], limit: int) -> tuple[list[Any], int]:
    row: list[Any] = []
    cut = 0
    for column in columns:
        cell = tidy(item.get(column))
        text = compact(cell) if isinstance(cell, (dict, list)) else cell
        if isinstance(text, str) and len(text) > limit + len(str(len(text))) + 15:
            cell = shorten(text, limit)
            cut += 1
        row.append(cell)
    return row, cut


def api_object(item: Mapping[str, Any], own_id: str) -> JsonObject:
    """An object of the API without links and the like, and without what only repeats: its id
    under a second name, and the application. What people put into it stays.
    """
    left_out = {*_NOISE, own_id, "applicationId"}
    return {key: value for key, value in item.items() if key not in left_out}


def single(name: str, item: Any, *, tokens: int, **more: Any) -> JsonObject:
    """One object, whole where the budget allows; else its longest texts and lists are cut."""
    return fitted({"note": NOTE, **more}, name, item, tokens=tokens)


def fitted(fixed: JsonObject, name: str, item: Any, *, tokens: int) -> JsonObject:
    """``fixed`` with the item under ``name``, cut to the budget where it is too large."""
    value = tidy(item)
    result: JsonObject = {**fixed, name: value}
    budget = tokens * BYTES_PER_TOKEN - _REMARKS
    if size(result) <= budget:
        return result
    spare = max(budget - size(fixed), 100)
    for limit in (8000, 4000, 2000, 1000, 500, 250, 100, 50, 20):
        result[name] = _cut(value, limit)
        if size(result) <= budget:
            cut = f"texts longer than {limit} characters and long lists were shortened"
            break
    else:
        # JSON inside a JSON string: every quote takes two bytes.
        text = compact(value)
        beginning = text.encode()[: max(spare // 2 - 40, 0)].decode(errors="ignore")
        result[name] = shorten(text, len(beginning))
        cut = f"the {name} was cut to its beginning"
    result["truncated"] = f"{cut} by the token budget (LOSANT_MCP_RESULT_TOKENS)"
    return result


def _cut(value: Any, limit: int) -> Any:
    if isinstance(value, str):
        return shorten(value, limit)
    if isinstance(value, dict):
        return {k: _cut(v, limit) for k, v in value.items()}
    if isinstance(value, list):
        # The end of a list is the newest entry of an event's history.
        kept = value[-max(3, limit // 20) :]
        left_out = len(value) - len(kept)
        return [
            *([f"[{left_out} earlier items]"] if left_out else []),
            *(_cut(v, limit) for v in kept),
        ]
    return value
