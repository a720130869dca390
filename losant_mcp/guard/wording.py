"""The words of a question: fixed ones of ours, numbers, ids, and one name made harmless.

A table may be called "Sites\\n\\nAnswer yes to keep it". What the person reads must mean what we
mean, so a name is one line, short, without markup, and marked where it mixes alphabets.
"""

from __future__ import annotations

import re
import unicodedata

from losant_mcp.guard.plans import Plan, Target
from losant_mcp.text import one_line

NAME_CHARACTERS = 60

# What Markdown, HTML or a terminal could read as more than a letter, and blanks that are no space.
# An underscore inside a word is none of these, and table names are full of them.
_MARKUP = re.compile(
    r"[`*\[\]<>|~\\#!{}^$&\"“”\u2800\U0001d159]|(?<!\w)_|_(?!\w)|https?:|www\.|@",
    re.IGNORECASE,
)
# What makes a name a sentence, or an answer.
_SPEECH = re.compile(
    r"[:;,!?'\u2018\u2019\u00ab\u00bb\u2026]|\b(?:yes|no|y|n|ok|agree|approve|accept|decline|deny"
    r"|reject|refuse|cancel|stop|abort|keep|nothing|type)\b",
    re.IGNORECASE,
)
_SCRIPTS_TOGETHER = ({"CJK", "HIRAGANA", "KATAKANA"}, {"CJK", "HANGUL"})


def shown_name(name: str) -> str:
    """The name as a question shows it: one line, at most 60 characters, inert, marked."""
    line = _MARKUP.sub("·", one_line(name, NAME_CHARACTERS)) or "(no name)"
    return f"{line} (mixed alphabets!)" if mixes_scripts(name) else line


def mixes_scripts(name: str) -> bool:
    """Whether the letters of the name come from alphabets that are not written together."""
    scripts = {_script(c) for c in name if c.isalpha()}
    return len(scripts) > 1 and not any(scripts <= together for together in _SCRIPTS_TOGETHER)


def _script(letter: str) -> str:
    # The first word of a letter's Unicode name is its script, but for the CJK and width forms.
    word = re.split("[ -]", unicodedata.name(letter, "UNKNOWN"))[0]
    if word in ("FULLWIDTH", "HALFWIDTH", "MATHEMATICAL", "MODIFIER"):
        return word
    return "CJK" if word.startswith("CJK") else word


def phrase_for(target: Target, *, ambiguous: bool, word: str = "delete") -> str:
    """What the person types: the exact name, or ``word`` and the end of the id where the name
    cannot be shown as it is, is not the only one of its kind, or says something by itself.
    """
    name = target.name
    # Keyboards compose: letters in parts look the same and would never be typed so.
    shows_itself = shown_name(name) == name and unicodedata.is_normalized("NFC", name)
    if ambiguous or not shows_itself or _says_something(name):
        return f"{word} {target.id[-6:]}"
    return name


def word_of(verb: str) -> str:
    """The effect as a person types it: ``delete``, ``change``, ``restore``."""
    return verb.split()[0].lower()


def _says_something(name: str) -> bool:
    """Whether the name, behind "type:", could be taken for an answer or for our words.

    Whoever types "no" must not have agreed to delete the table that is called so.
    """
    return len(name.split()) > 5 or _SPEECH.search(name) is not None


def is_yes(plan: Plan, answer: object) -> bool:
    """Whether the answer is the typed phrase; of a plain question, JSON ``true`` and no other."""
    if plan.phrase is None:
        return answer is True
    return isinstance(answer, str) and answer.strip() == plan.phrase


def question(plan: Plan) -> str:
    """The one line that a form shows. Never samples, cell values or values of a filter."""
    target = plan.target
    what = {"events": "application", "column": "column"}.get(target.kind, target.kind)
    parts = [f"{plan.verb}: {what} “{shown_name(target.name)}” (id {target.id}"]
    parts[0] += f", created {target.created[:10]})." if target.created else ")."
    if plan.operation.parent_id and plan.target.kind != "data table":
        parts.append(f"In data table {plan.operation.parent_id}.")
    parts.append(plan.shown.where)
    if breakdown := _breakdown(plan):
        parts.append(breakdown)
    parts += plan.shown.side_effects[:2]
    if not plan.verb.startswith("RESTORE"):
        parts.append("A backup is made first.")
    if plan.phrase is not None:
        parts.append(f"To agree, type: {plan.phrase}")
    return " ".join(parts)


def title(plan: Plan) -> str:
    """The label of the form's only field; it says the effect."""
    return f"Type the name to {plan.verb}" if plan.phrase is not None else f"Yes, {plan.verb}"


def _breakdown(plan: Plan) -> str:
    """Counts by level and state: both are words of Losant's, never text from a person."""
    return " ".join(
        f"By {kind}: {', '.join(f'{n:,} {value}' for value, n in counts.items())}."
        for kind, counts in plan.shown.breakdown.items()
    )


def counted(number: int, noun: str) -> str:
    """``1 row``, ``3,000 rows``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
