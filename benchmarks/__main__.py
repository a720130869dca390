"""``python -m benchmarks [--json PATH] [NAME...]``: measure, and print one table."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from benchmarks import (
    call_overhead,
    cold_start,
    digest,
    guard,
    guard_calls,
    sandbox_speed,
    tokens,
    workbench,
)
from benchmarks.figure import Figure, table

MEASURES: Mapping[str, Callable[[], Iterator[Figure]]] = {
    "cold_start": cold_start.figures,
    "call_overhead": call_overhead.figures,
    "sandbox_speed": sandbox_speed.figures,
    "guard": guard.figures,
    "guard_calls": guard_calls.figures,
    "tokens": tokens.figures,
    "digest": digest.figures,
    "workbench": workbench.figures,
}


def main() -> int:
    """Measure what was asked for; the exit code is 1 where a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(MEASURES))
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the figures here")
    given = parser.parse_args()
    if unknown := set(given.names) - set(MEASURES):
        parser.error(f"no such measure: {', '.join(sorted(unknown))}")
    figures: list[Figure] = []
    for name in given.names or MEASURES:
        print(f"measuring {name} ...", file=sys.stderr)
        figures += MEASURES[name]()
    print(table(figures))
    if given.json is not None:
        facts = [figure.to_json() for figure in figures]
        given.json.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    return 1 if any(figure.met is False for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
