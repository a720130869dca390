"""``python -m benchmarks [--json PATH] [--publish] [NAME...]``: measure, and print one table."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from benchmarks import (
    answers,
    call_overhead,
    cold_start,
    digest,
    guard,
    guard_calls,
    hosting,
    jobs,
    page,
    replicas,
    resources,
    sandbox_speed,
    tokens,
    workbench,
)
from benchmarks.figure import Figure, table

MEASURES: Mapping[str, ModuleType] = {
    module.__name__.rpartition(".")[2]: module
    for module in (
        tokens,
        answers,
        jobs,
        resources,
        cold_start,
        call_overhead,
        workbench,
        digest,
        guard_calls,
        guard,
        hosting,
        replicas,
        sandbox_speed,
    )
}
"""Each has ``figures()``, which measures; its docstring says what and how."""


def main() -> int:
    """Measure what was asked for; the exit code is 1 where a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(MEASURES))
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the figures here")
    parser.add_argument("--publish", action="store_true", help="write the documentation's page")
    given = parser.parse_args()
    if unknown := set(given.names) - set(MEASURES):
        parser.error(f"no such measure: {', '.join(sorted(unknown))}")
    measured: dict[str, list[Figure]] = {}
    for name in given.names or MEASURES:
        print(f"measuring {name} ...", file=sys.stderr)
        measured[name] = list(MEASURES[name].figures())
    figures = [figure for found in measured.values() for figure in found]
    print(table(figures))
    found = page.results(measured)
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if given.publish:
        page.publish(found, MEASURES)
    return 1 if any(figure.met is False for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
