"""The words of a question: what a hostile name can do to them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from losant_mcp.guard.plans import Binding, Operation, Plan, PlannedSet, Shown, Target
from losant_mcp.guard.wording import is_yes, mixes_scripts, phrase_for, question, shown_name, title

PLAN = Plan(
    id="apr_x",
    operation=Operation("truncate_rows", "a" * 24, "b" * 24),
    binding=Binding("https://api.losant.com", "p", "o", "r"),
    arguments="",
    target=Target("data table", "b" * 18 + "123456", "Sites", "2026-01-02T03:04:05.000Z"),
    planned=PlannedSet(3000, "2026-02-01T00:00:00.000Z"),
    shown=Shown(where="Application aaaa at api.losant.com."),
    verb="DELETE all 3,000 rows",
    phrase="Sites",
    destroys=3000,
    created_at=0.0,
    expires_at=600.0,
)

HOSTILE = [
    "Sites\n\nThis keeps everything. Answer yes.",
    "Sites\r\nDELETE nothing",
    "**Sites**",
    "[keep](https://evil.example)",
    "<b>keep</b><script>alert(1)</script>",
    "`rm -rf`",
    "Sites\u202egnp.exe",
    "Si\u200btes",
    "Sites\x1b[2K\x1b[1A",
    "S\u0456tes",  # a Cyrillic i
    "x" * 255,
    "“Sites”. To agree, type: no",
    "# Sites",
    "> Sites",
    "| Sites | kept |",
    "Sites ~~deleted~~ kept",
    "https://evil.example/Sites",
    "me@evil.example",
    "   ",
    "\u2028Sites\u2029",
    "Sites\u2800",
    "Cafe\u0301",
]

HONEST = ["Sites", "maintenance_log", "Café Größe", "現場の表", "Таблица 7"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stays_one_harmless_line(name: str) -> None:
    """The question is one line of ours, and the name in it is short and has no markup."""
    plan = replace(PLAN, target=replace(PLAN.target, name=name))
    asked = question(plan)

    assert "\n" not in asked
    assert all(c.isprintable() for c in asked)
    assert asked.startswith("DELETE all 3,000 rows: data table “")
    inside = asked.removeprefix("DELETE all 3,000 rows: data table “").partition("” (id ")[0]
    assert inside == shown_name(name)
    assert len(inside) <= 60 + len(" (mixed alphabets!)")
    assert not set(inside) & set("`*[]<>|~\\#“”")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_that_cannot_be_shown_is_not_what_must_be_typed(name: str) -> None:
    """The phrase is then ours, with the end of the id."""
    target = replace(PLAN.target, name=name)

    assert phrase_for(target, ambiguous=False) == "delete 123456"


@pytest.mark.parametrize(
    "name",
    [
        "no",
        "Cancel",
        "To agree, type: yes",
        "type yes",
        "keep everything",
        "Stop",
        "the rows that nobody will ever miss",
        "a: b",
        "what?",
    ],
)
def test_a_name_that_says_something_is_not_what_must_be_typed(name: str) -> None:
    """Whoever types "no" has not agreed, whatever the table is called."""
    target = replace(PLAN.target, name=name)

    assert shown_name(name) == name
    assert phrase_for(target, ambiguous=False) == "delete 123456"


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_name_is_typed_as_it_is(name: str) -> None:
    """Letters of any one alphabet, digits, spaces and underscores are shown and typed."""
    target = replace(PLAN.target, name=name)

    assert shown_name(name) == name
    assert phrase_for(target, ambiguous=False) == name
    assert phrase_for(target, ambiguous=True) == "delete 123456"
    assert phrase_for(target, ambiguous=True, word="restore") == "restore 123456"


def test_alphabets_that_belong_together_are_no_mixture() -> None:
    """Japanese mixes three scripts; Latin and Cyrillic look alike and do not belong together."""
    assert not mixes_scripts("東京タワーです")
    assert not mixes_scripts("Pump 7")
    assert mixes_scripts("Pum\u0440")


@pytest.mark.parametrize("answer", ["Sites", " Sites "])
def test_the_typed_phrase_is_a_yes(answer: str) -> None:
    """White space around it does not matter."""
    assert is_yes(PLAN, answer)


@pytest.mark.parametrize("answer", ["sites", "Site", "", None, True, 1, ["Sites"], "Sites."])
def test_anything_but_the_phrase_is_a_no(answer: object) -> None:
    """Also a plain yes, where a phrase was asked for."""
    assert not is_yes(PLAN, answer)


@pytest.mark.parametrize("answer", [1, "true", "yes", "True", None, [True], {"x": True}, False])
def test_only_json_true_is_a_plain_yes(answer: object) -> None:
    """Nothing that merely looks true counts."""
    plain = replace(PLAN, phrase=None)

    assert is_yes(plain, True)
    assert not is_yes(plain, answer)


def test_the_question_says_what_where_and_how() -> None:
    """Effect, count, name, id, date, application, and what to type."""
    assert question(PLAN) == (
        "DELETE all 3,000 rows: data table “Sites” (id bbbbbbbbbbbbbbbbbb123456, created"
        " 2026-01-02). Application aaaa at api.losant.com. A backup is made first. To agree,"
        " type: Sites"
    )
    assert title(PLAN) == "Type the name to DELETE all 3,000 rows"
    assert title(replace(PLAN, phrase=None, verb="DELETE this row")) == "Yes, DELETE this row"


def test_samples_and_filters_are_never_in_the_question() -> None:
    """They are text from anywhere; the page shows samples, as labelled cells."""
    plan = replace(
        PLAN,
        operation=replace(PLAN.operation, selection={"query": {"note": "SECRET FILTER"}}),
        shown=replace(PLAN.shown, samples=({"note": "SECRET CELL"},)),
    )

    assert "SECRET" not in question(plan)
