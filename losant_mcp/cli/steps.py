"""The steps of the tour, in their order."""

from __future__ import annotations

from losant_mcp.cli import tour, tour_guard

STEPS: tuple[tour.Step, ...] = (
    tour.list_tools,
    tour.find_most_severe,
    tour.digest_events,
    tour.list_events,
    tour.read_event,
    tour.ask_table,
    tour.ask_tables_and_events,
    tour_guard.be_stopped,
    tour_guard.agree,
    tour_guard.bring_back,
    tour.go_on,
)
