"""The way on through a collection: how many rows a page may show, and the next one's arguments.

Following ``next`` to the end shows every row exactly once, also where the token budget cut a
page in the middle.
"""

from __future__ import annotations

from typing import Protocol

from losant_mcp.api.types import JsonObject


class Paging(Protocol):
    """The rule of one collection."""

    def __call__(self, fit: int, *, cut: bool) -> tuple[int, JsonObject | None]:
        """How many rows to show, where ``fit`` would fit, and the arguments of what follows.

        ``cut`` is whether the page has more rows than fit. None: nothing follows.
        """


def only_page(fit: int, *, cut: bool) -> tuple[int, JsonObject | None]:
    """The rule of a collection that is one page long."""
    return fit, None


def pages(arguments: JsonObject, *, page: int, size: int, total: int) -> Paging:
    """The rule of a page/perPage collection.

    A page starts at a multiple of its size. Where a page was cut, so many rows are shown that
    some size fits what is then behind.
    """

    def following(fit: int, *, cut: bool) -> tuple[int, JsonObject | None]:
        start = page * size
        if not fit or (not cut and start + fit >= total):
            return fit, None
        if not cut and fit == size:
            return fit, {**arguments, "page": page + 1, "perPage": size}
        shown, step = _best_boundary(start, fit, size)
        return shown, {**arguments, "page": (start + shown) // step, "perPage": step}

    return following


def _best_boundary(start: int, fit: int, size: int) -> tuple[int, int]:
    """How many rows to show, and the next page's size: both large, and their ends meeting."""
    best = (1, 1)
    for step in range(1, max(fit, size) + 1):
        shown = fit - (start + fit) % step
        if shown > 0 and shown + step > sum(best):
            best = shown, step
    return best


def offsets(arguments: JsonObject, *, offset: int, total: int) -> Paging:
    """The rule of a limit/offset collection."""

    def following(fit: int, *, cut: bool) -> tuple[int, JsonObject | None]:
        if not fit or offset + fit >= total:
            return fit, None
        return fit, {**arguments, "offset": offset + fit}

    return following
