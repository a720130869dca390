"""Hypothesis strategies that follow a JSON Schema, and that then stray from it a little.

They know the keywords that the published schemas use, no more. The packaged alternative,
hypothesis-jsonschema, has had no release since February 2024 and relies on parts of jsonschema
that are deprecated, which warns; a warning is an error here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tests.contract.published import JsonSchema

Json = Any
Path = tuple[str | int, ...]

THOROUGH = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
"""The same examples on every machine, and no clock."""

BRISK = settings(THOROUGH, max_examples=50)
"""Half as many, for what is only read."""

IDS = ("575ec8687ae143cd83dc4a97", "575ECF887AE143CD83DC4AA2", "0" * 24)
KEYS = ("a", "level", "Key_1-b", "7", "x" * 255)
EMAILS = ("email@example.com", "a@b", "not an e-mail", "x" * 1020 + "@b.c")
URIS = ("https://example.com/cb", "http://localhost:8080/?a=b", "ftp://example.com", "urn:a:b", "x")

texts = st.text(st.characters(codec="utf-8"), max_size=8)
numbers = st.one_of(
    st.sampled_from([0, 1, -1, 1.0, 0.0, -0.0, 2.5, 2**53, 2**64, 1e300, 1465790400000]),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
)
integers = st.one_of(st.sampled_from([0, 1, 1.0, 2**64, 1e300]), st.integers())
anything: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda part: st.lists(part, max_size=3) | st.dictionaries(texts, part, max_size=3),
    max_leaves=6,
)
EXTRA = ("_type", "_etag", "_links", "fieldOfTomorrow")


def instances(
    schema: JsonSchema, *, extra: bool = False, depth: int = 2
) -> st.SearchStrategy[Json]:
    """Values that follow the schema; ``extra`` adds fields of tomorrow to its objects.

    ``depth`` is how often a ``$ref``, which stands for a query inside a query, is followed.
    Where the branches of a ``oneOf`` overlap, a value may fit two and so be invalid.
    """
    definitions = schema.get("definitions", {})

    @functools.cache
    def named(name: str, left: int) -> st.SearchStrategy[Json]:
        return build(definitions[name], left)

    def build(node: JsonSchema, left: int) -> st.SearchStrategy[Json]:
        if "$ref" in node:
            name = node["$ref"].rpartition("/")[2]
            return named(name, left - 1) if left else st.just({})
        if branches := node.get("oneOf") or node.get("anyOf"):
            return st.one_of([build(branch, left) for branch in branches])
        if "enum" in node:
            return st.sampled_from(node["enum"])
        kinds = node.get("type")
        if isinstance(kinds, list):
            return st.one_of([build({**node, "type": kind}, left) for kind in kinds])
        match kinds:
            case "object":
                return _objects(node, lambda part: build(part, left), extra)
            case "array":
                most = min(node.get("maxItems", 3), 3)
                return st.lists(build(node["items"], left), max_size=most)
            case "string":
                return _strings(node)
            case "integer":
                return _within(integers, node)
            case "number":
                return _within(numbers, node)
            case "boolean":
                return st.booleans()
            case "null":
                return st.none()
        return anything

    return build(schema, depth)


def _within(values: st.SearchStrategy[Json], node: JsonSchema) -> st.SearchStrategy[Json]:
    if "minimum" in node:
        return st.integers(node["minimum"], node.get("maximum"))
    return values


def _strings(node: JsonSchema) -> st.SearchStrategy[str]:
    pattern: str = node.get("pattern", "")
    if "{24}" in pattern:
        return st.sampled_from(IDS)
    if "{1,255}" in pattern:
        return st.sampled_from(KEYS)
    if pattern:
        return st.from_regex(pattern, fullmatch=True)
    match node.get("format"):
        case "email":
            return st.sampled_from(EMAILS)
        case "uri":
            return st.sampled_from(URIS)
        case "date-time":
            return st.just("2016-06-13T04:00:00.000Z")
    return st.text(
        st.characters(codec="utf-8"),
        min_size=node.get("minLength", 0),
        max_size=min(node.get("maxLength", 8), 8 + node.get("minLength", 0)),
    )


def _objects(
    node: JsonSchema, build: Callable[[JsonSchema], st.SearchStrategy[Json]], extra: bool
) -> st.SearchStrategy[dict[str, Json]]:
    fields: dict[str, st.SearchStrategy[Json]] = {
        name: build(part) for name, part in node.get("properties", {}).items()
    }
    patterns = {key: build(part) for key, part in node.get("patternProperties", {}).items()}
    required = node.get("required", [])
    optional = sorted(fields.keys() - set(required))
    most = min(node.get("maxProperties", 4), 4)

    @st.composite
    def draw_object(draw: st.DrawFn) -> dict[str, Json]:
        least = node.get("minProperties", 0)
        names = list(required)
        if optional:
            picked = st.lists(st.sampled_from(optional), max_size=most, min_size=least, unique=True)
            names += draw(picked)
        value = {name: draw(fields[name]) for name in names}
        for pattern, part in patterns.items():
            keys: tuple[str, ...] = IDS if "{24}" in pattern else KEYS
            for key in draw(st.lists(st.sampled_from(keys), max_size=2, unique=True)):
                if key not in fields:
                    value[key] = draw(part)
        # An object without named fields is a map: there, another key is another entry.
        if extra and fields and draw(st.booleans()):
            value.setdefault(draw(st.sampled_from(EXTRA)), draw(anything))
        return value

    return draw_object()


# ---- straying ------------------------------------------------------------------------------

ODD_VALUES: tuple[Json, ...] = (
    *(None, True, False, 0, 1, 1.0, -1, 0.5, float("nan"), float("inf")),
    *("", "5", "true", "null", "x", "x\n", "a b", "\ud800", IDS[0], IDS[0] + "\n", "\u0663" * 24),
    *([], {}, [None], [True], [[]], {"a": {}}, {"$eq": 1}, {"$in": [None]}, {"$date": "x"}),
)
ODD_KEYS = (
    *("zz", "a.b", "", "a\n", "\u0663", "\ud800", "x" * 256, "id", "query", "type"),
    *("$exists", "$regex", "$eq", "$ne", "$in", "$ci", "$and", "$nor", "$tagKey"),
)
LENGTHS = (1, 2, 50, 51, 100, 101, 255, 256, 257, 1000, 1001, 1024, 1025, 32767, 32768)
MOST_ITEMS = 1001


@st.composite
def strayed(draw: st.DrawFn, base: st.SearchStrategy[Json]) -> Json:
    """A value of ``base``, mostly with one or two things about it changed."""
    value = draw(base)
    for _ in range(draw(st.sampled_from([0, 1, 1, 1, 2]))):
        path = draw(st.sampled_from(list(_places(value))))
        value = _replaced(value, path, lambda part: draw(_changed(part)))
    return value


def _changed(part: Json) -> st.SearchStrategy[Json]:
    odd = st.sampled_from(ODD_VALUES)
    ways = [odd, st.just([part]), st.just({"$eq": part})]
    if isinstance(part, dict):
        keys = st.sampled_from(ODD_KEYS)
        ways.append(st.tuples(keys, odd).map(lambda new: {**part, new[0]: new[1]}))
        if part:
            old = st.sampled_from(list(part))
            ways.append(old.map(lambda key: {k: v for k, v in part.items() if k != key}))
            ways.append(
                st.tuples(old, keys).map(
                    lambda names: {names[1] if k == names[0] else k: v for k, v in part.items()}
                )
            )
    elif isinstance(part, list) and part:
        sizes = st.sampled_from([n for n in LENGTHS if n <= MOST_ITEMS])
        ways.append(sizes.map(lambda n: (part * n)[:n]))
        ways.append(odd.map(lambda new: [*part, new]))
    elif isinstance(part, str):
        ways.append(st.sampled_from(LENGTHS).map(lambda n: ((part or "x") * n)[:n]))
        ways.append(st.just(part + "\n"))
    elif isinstance(part, (int, float)):
        ways.append(st.sampled_from([float(part), str(part), not part]))
    return st.one_of(ways)


def _places(value: Json, path: Path = ()) -> Iterator[Path]:
    yield path
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _places(part, (*path, key))
    elif isinstance(value, list):
        for i, part in enumerate(value[:5]):
            yield from _places(part, (*path, i))


def _replaced(value: Json, path: Path, change: Callable[[Json], Json]) -> Json:
    if not path:
        return change(value)
    step, *rest = path
    copy: Json = dict(value) if isinstance(value, dict) else list(value)
    copy[step] = _replaced(value[step], tuple(rest), change)
    return copy
