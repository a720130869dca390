"""The normal form of an event's subject: what is left when readings, ids and times are folded.

"Low suction pressure: 1.38 bar" and "… 0.97 bar" are one alarm told twice; "Fault 12" and
"Fault 13" are two. So a number that stands alone or at the end of a name is folded, and one
that is part of a code stays: behind a word such as "fault" or "code", in a short code of capitals
(``E-110``, ``CO2``, ``L2``), or as an ordinal (``2nd stage``).
"""

from __future__ import annotations

import re
from functools import lru_cache

from losant_mcp.text import one_line

MOST_CHARACTERS = 500
"""Losant's subjects have at most 255; what goes beyond is not compared."""

_CODE_WORDS = frozenset(
    ("error", "err", "errno", "fault", "code", "alarm", "status", "trap", "reason", "exit")
)
_NUMBER_WORDS = frozenset(("no", "no.", "nr", "nr.", "number", "id", "#"))
# A reading has its unit behind it, even where the word before it is one of those above.
_UNIT = re.compile(
    r"[%°].*|[kmµ]?(?:bar|pa|psi|v|va|a|w|wh|hz|m|l|g|s|b|db|dbm)(?:/\w+)?|[cf]|rpm|ppm|ntu|mm|cm"
    r"|min|h|hours?|days?|times|minutes?|seconds?",
    re.IGNORECASE,
)
_CODE = re.compile(r"#?-?(?:0x[0-9a-f]+|[a-z]{0,3}-?\d{1,6})[.,;:!?)\]]*", re.IGNORECASE)

_FULL_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september"),
    *("october", "november", "december"),
)
_MONTHS = frozenset(_FULL_MONTHS) | {name[:3] for name in _FULL_MONTHS}
_MONTH = f"(?:{'|'.join(sorted(_MONTHS, key=len, reverse=True))})"
_DATE_IN_WORDS = re.compile(
    rf"\b{_MONTH}\.? \d{{1,2}}(?!\d)(?:,? \d{{4}}\b)?|\b\d{{1,2}}\.? {_MONTH}\b\.?(?: \d{{4}}\b)?",
    re.IGNORECASE,
)
_QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "«": "»", "\u2018": "\u2019"}
_NAME = re.compile(
    "|".join(
        # Both quotes stand at the edge of a word: an apostrophe is none.
        rf"(?<!\w){a}(?=[^{b}]{{0,80}}\d)[^{b}]{{1,80}}{b}(?!\w)"
        for a, b in _QUOTES.items()
    )
)

_BEFORE, _AFTER = r"(?<![a-z0-9])", r"(?![a-z0-9])"
_CLOCK = r"\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?"
_ZONE = r"(?:z|[+-]\d\d:?\d\d)?"
_DAY = r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[/.]\d{1,2}[/.](?:\d\d){1,2})"
_GROUP = r"[0-9a-f]{1,4}"
_IP = (
    r"(?:\d{1,3}\.){3}\d{1,3}(?:/\d{1,2}|:\d{1,5})?"
    rf"|(?:{_GROUP}:){{7}}{_GROUP}"
    rf"|(?:{_GROUP}:){{1,6}}:(?:{_GROUP}(?::{_GROUP}){{0,4}})?"
)
_ID = (
    r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
    r"|(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}"
    r"|0x[0-9a-f]+"
    # With a digit and a letter: "facade" is a word, and a number is a number.
    r"|(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{8,}"
)
_TIME = rf"{_DAY}(?:[t_]?{_CLOCK}{_ZONE})?|{_CLOCK}{_ZONE}"
_CODE_INSIDE = (
    rf"{_BEFORE}\d+(?:st|nd|rd|th){_AFTER}"
    rf"|(?:{'|'.join(sorted(_CODE_WORDS))})[:#-]?\d{{1,6}}(?![\w.,%°])"
    # Case counts here, and here only.
    r"|(?-i:(?<![A-Za-z0-9])[A-Z]{1,3}(?:\d{1,4}(?:\.\d)?|-\d{1,4})[A-Z]?(?![A-Za-z0-9])(?!\.\d))"
)
_NUMBER = (
    # A sign behind a word is a hyphen; thousands may be grouped.
    r"(?:(?<![\w)])[+-])?(?:\d{1,3}(?:[,'\u202f]\d{3})+|\d+)(?:[.,]\d+)*(?:e[+-]?\d+(?!\w))?"
)

# Within one word. The first that fits wins, so the longer forms come before what they contain.
_FOLDED = re.compile(
    f"(?P<ip>{_BEFORE}(?:{_IP}){_AFTER})|(?P<id>{_BEFORE}(?:{_ID}){_AFTER})"
    f"|(?P<time>{_BEFORE}(?:{_TIME}){_AFTER})|(?P<code>{_CODE_INSIDE})|(?P<number>{_NUMBER})",
    re.IGNORECASE,
)
# What most words with a digit are; a tenth of the time.
_PLAIN = re.compile(r"[+-]?\d+(?:\.\d+)?([%.,;:!?)]?)")
_MARKS = {"ip": "<ip>", "id": "<id>", "time": "<time>", "number": "#"}
_TIMES = re.compile(
    r"<time>(?:,? (?:at )?<time>)*(?: [ap]\.?m\b\.?)?(?: (?:utc|gmt)\b)?", re.IGNORECASE
)
_DIGIT = re.compile(r"\d")
_WORDS = re.compile(r"([ =]+)")


@lru_cache(maxsize=4_096)
def normalise(subject: str) -> str:
    """The subject on one line, with ``#`` for numbers and ``<id>``, ``<time>``, … for the rest.

    Two subjects with the same normal form, apart from case, are the same alarm.
    """
    line = one_line(subject, MOST_CHARACTERS)
    if not _DIGIT.search(line):
        return line
    if not _QUOTES.keys().isdisjoint(line):
        line = _NAME.sub("<name>", line)
    words = _WORDS.split(line)
    if not _MONTHS.isdisjoint([word.strip(".,").lower() for word in words]):
        words = _WORDS.split(_DATE_IN_WORDS.sub("<time>", line))
    # Every other item is the blank between two words.
    for i in range(0, len(words), 2):
        if _DIGIT.search(words[i]) and not _is_code(words, i):
            plain = _PLAIN.fullmatch(words[i])
            words[i] = f"#{plain[1]}" if plain else _FOLDED.sub(_mark, words[i])
    folded = "".join(words)
    return _TIMES.sub("<time>", folded) if "<time>" in folded else folded


def _mark(match: re.Match[str]) -> str:
    return _MARKS.get(match.lastgroup or "", match[0])


def _is_code(words: list[str], i: int) -> bool:
    """Whether the word is a code by what stands before it, and no reading by what follows."""
    before = [word.rstrip(":#-").lower() or "#" for word in words[max(0, i - 4) : i : 2]]
    if before and before[-1] in _NUMBER_WORDS:
        before.pop()
    if not before or before[-1] not in _CODE_WORDS or not _CODE.fullmatch(words[i]):
        return False
    following = words[i + 2] if i + 2 < len(words) else ""
    return not _UNIT.fullmatch(following.rstrip(".,;:!?)"))
