"""The prompt files: what is wrong in one stops the start and is named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from jinja2 import Environment, meta

from losant_mcp.errors import ConfigurationError
from losant_mcp.prompts import template
from losant_mcp.prompts.files import PromptFile, read_files
from losant_mcp.tools.spec import TOOLS
from tests.analysis.counting import tokens
from tests.prompts.prompting import FILES, FULL

ROOT = Path(__file__).parents[2]

GOOD = """\
+++
name = "look"
title = "Look"
description = "Look at a table."
needs = "query_sql or query_rows"
live = "losant://data-tables/{dataTableId}"

[[arguments]]
name = "table"
description = "The table"
required = true
refersTo = "table"

[[arguments]]
name = "goal"
description = "What for"
+++
Look at the {{ table }}{% if goal %} for the {{ goal }}{% endif %}.
{% if query_sql and not query_rows %}
Use `query_sql`.
{% elif query_rows %}
Use `query_rows`.
{% else %}
Nothing.
{% endif %}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one good prompt."""
    (tmp_path / "_ground_rules.md").write_text("Be exact. It is {{ now }}.\n", encoding="utf-8")
    (tmp_path / "README.md").write_text("No prompt.\n", encoding="utf-8")
    (tmp_path / "look.md").write_text(GOOD, encoding="utf-8")
    return tmp_path


def test_a_good_file_is_read(folder: Path) -> None:
    """Front matter and body, with the ground rules at the end; the README is no prompt."""
    [file] = read_files(folder)
    assert (file.name, file.needs) == ("look", "query_sql or query_rows")
    assert [argument.name for argument in file.arguments] == ["table", "goal"]
    facts: dict[str, str | bool] = {"table": "`table`", "goal": "", "now": "noon"}
    facts |= {"query_sql": True, "query_rows": True}
    expected = "Look at the `table`.\nUse `query_rows`.\n\nBe exact. It is noon."
    assert template.render(file.body, facts) == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("+++\nname", "name", "does not begin with front matter"),
        ('title = "Look"', "title = Look", "Invalid value"),
        ('title = "Look"\n', "", "title: Field required"),
        ('title = "Look"', 'titel = "Look"', "title: Field required"),
        ('title = "Look"', 'title = "Look"\ncolour = "red"', "colour: Extra inputs"),
        ('name = "look"', 'name = "see"', "its name is 'see', not that of its file"),
        ('name = "goal"', 'name = "the goal"', "arguments.1.name: String should match"),
        ('name = "goal"', 'name = "table"', "declared twice"),
        ('name = "goal"', 'name = "now"', "has a name that is taken"),
        ('name = "goal"', 'name = "aim"', "goal: used, and neither an argument nor a tool"),
        ("for the {{ goal }}", "", ""),
        (" for the {{ goal }}", " for {{ table }}", ""),
        ("{% if goal %} for the {{ goal }}{% endif %}", "", "goal: declared as an argument and"),
        ('needs = "query_sql or query_rows"', 'needs = "query_sql,"', "needs: must be names"),
        ('needs = "query_sql or query_rows"', 'needs = "ask_sql"', "ask_sql: there is no such"),
        ("Use `query_rows`", "Use `query_row`", "query_row: there is no such tool"),
        ("elif query_rows", "elif query_row", "query_row: used, and neither an argument nor"),
        ("Nothing.", "{{ query_sql }}", "query_sql: a tool is tested or named"),
        ("data-tables/{dataTableId}", "tables/{dataTableId}", "there is no such resource"),
        ("data-tables/{dataTableId}", "guides/{name}", "name: no required argument refers to it"),
        ('required = true\nrefersTo = "table"', 'refersTo = "table"', "dataTableId: no required"),
        ('refersTo = "table"', 'refersTo = "row"', "arguments.0.refersTo: Input should be 'table'"),
        ("{% endif %}\n", "", "an {% if %} has no {% endif %}"),
        ("Nothing.", "{% endif %}{% endif %}", "line 24: {% endif %} has no {% if %}"),
        ("Nothing.", "{% else %}", "line 24: {% else %} has no {% if %}"),
        ("Nothing.", "{% for x in y %}", "line 24: only {% if name %}"),
        ("Nothing.", "{{ table.__class__ }}", "line 24: only {% if name %}"),
        ("Nothing.", "{{ table | upper }}", "line 24: only {% if name %}"),
        ("Nothing.", "{# hidden #}", "line 24: only {% if name %}"),
        ("if goal %", "if goal == 1 %", "line 18: only {% if name %}"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(
    folder: Path, old: str, new: str, expected: str
) -> None:
    """As a ConfigurationError, so that the server does not start."""
    assert old in GOOD
    (folder / "look.md").write_text(GOOD.replace(old, new), encoding="utf-8")
    if not expected:
        assert len(read_files(folder)) == 1
        return
    with pytest.raises(ConfigurationError) as caught:
        read_files(folder)
    assert str(caught.value).startswith("The prompt file look.md: ")
    assert expected in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(folder: Path) -> None:
    """Bytes that are no text, and ground rules that are missing."""
    (folder / "look.md").write_bytes(b"+++\n\xff\n+++\n")
    with pytest.raises(ConfigurationError, match=r"look\.md"):
        read_files(folder)
    (folder / "_ground_rules.md").unlink()
    with pytest.raises(ConfigurationError, match=r"_ground_rules\.md: cannot be read"):
        read_files(folder)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_our_check_and_jinja_agree_about_a_body(file: PromptFile) -> None:
    """The names that the pattern finds are those that Jinja2 finds in its parse tree."""
    used = template.used(file.body)
    tree = Environment(autoescape=False).parse(file.body)  # noqa: S701 - nothing is rendered
    assert used.tested | used.shown == meta.find_undeclared_variables(tree)
    declared = {argument.name for argument in file.arguments}
    assert declared <= used.tested | used.shown
    assert declared.isdisjoint(TOOLS)


@pytest.mark.parametrize(
    ("condition", "true", "expected"),
    [
        ("a", {"a"}, True),
        ("not a", {"a"}, False),
        ("a and b", {"a"}, False),
        ("a or b and c", {"a"}, True),
        ("a and b or c", {"c"}, True),
        ("a or b and c", {"b"}, False),
        ("not a and not b", set(), True),
        ("a or not b", {"b"}, False),
    ],
)
def test_a_condition_holds_as_in_the_template(
    condition: str, true: set[str], expected: bool
) -> None:
    """What decides whether a prompt is listed reads conditions as its body does."""
    assert template.holds(condition, true) is expected
    facts = {name: name in true for name in "abc"}
    assert template.render(f"{{% if {condition} %}}x{{% endif %}}", facts) == "x" * expected


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_body_of_a_prompt_is_lean(file: PromptFile) -> None:
    """Even with every branch of it, tags and all, it stays well below what is promised."""
    assert tokens(file.body) <= 1300
    assert set(FULL[file.name]) == {argument.name for argument in file.arguments}


def test_prompts_cost_a_start_no_template_library() -> None:
    """Files are checked when the server starts; Jinja2 waits for the first prompt."""
    code = (
        "import sys, losant_mcp.server\n"
        "from losant_mcp.prompts.files import read_files\n"
        "assert len(read_files()) == 7\n"
        "print('jinja2' in sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "False"
