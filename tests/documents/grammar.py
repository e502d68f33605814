"""The commands of vector search as Google documents them, and nothing beyond.

Strategy: a pure checker. It takes a command as it is sent, and raises `GrammarError` where
Memorystore might refuse it or read it in another way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tests.filters.grammar import FilterReader, GrammarError

_MAX_ATTRIBUTES = 10
_LIMITS = {"M": 512, "EF_CONSTRUCTION": 4_096, "EF_RUNTIME": 4_096, "INITIAL_CAP": 2**32}
_KNN = re.compile(
    r"(?P<filter>.*)=>\[KNN (?P<k>\d+) @(?P<field>\w+) \$(?P<parameter>\w+)"
    r"(?: EF_RUNTIME (?P<ef>\d+))? AS (?P<score>\w+)\]",
    re.DOTALL,
)


def require(condition: object, problem: str) -> None:
    if not condition:
        raise GrammarError(problem)


def check_command(command: Sequence[Any]) -> None:
    """Check one command FT.*; others are no concern of this grammar."""
    name, *arguments = command
    checks: dict[str, Callable[[Sequence[Any]], None]] = {
        "FT.CREATE": _check_create,
        "FT.SEARCH": _check_search,
        "FT.INFO": _check_name_alone,
        "FT.DROPINDEX": _check_name_alone,
        "FT._LIST": lambda rest: require(not rest, "FT._LIST has no arguments"),
    }
    require(name in checks, f"{name} is not among Memorystore's commands")
    checks[name](arguments)


def _check_index(name: Any) -> None:
    require(isinstance(name, str) and name, f"the name {name!r}")
    require(not re.search(r"\{[^}]+\}", name), f"a hash tag in {name!r}")


def _check_name_alone(arguments: Sequence[Any]) -> None:
    require(len(arguments) == 1, "the name of an index alone")
    _check_index(arguments[0])


def _check_create(arguments: Sequence[Any]) -> None:
    rest = iter(arguments)
    _check_index(next(rest))
    require([next(rest), next(rest)] == ["ON", "HASH"], "ON HASH")
    require(next(rest) == "PREFIX", "PREFIX")
    for _ in range(int(next(rest))):
        _check_index(next(rest))
    require(next(rest) == "SCHEMA", "SCHEMA")
    kinds, names = [], []
    field = next(rest, None)
    while field is not None:
        kind, alias = next(rest), field
        if kind == "AS":
            alias, kind = next(rest), next(rest)
        require(re.fullmatch(r"[A-Za-z_]\w*", alias, re.ASCII), f"the field {alias!r} in a query")
        kinds.append(kind)
        names.append(alias)
        field = _check_attribute(kind, rest)
    require(kinds.count("VECTOR") == 1, "one vector")
    require(len(kinds) <= _MAX_ATTRIBUTES, "ten attributes at most")
    require(len(set(names)) == len(names), "distinct names")


def _check_attribute(kind: str, rest: Iterator[Any]) -> Any:
    """Check the options of an attribute, and return what follows them."""
    require(kind in ("VECTOR", "NUMERIC", "TAG"), f"the type {kind}")
    if kind == "VECTOR":
        algorithm, count = next(rest), int(next(rest))
        options = [next(rest) for _ in range(count)]
        _check_vector(algorithm, dict(zip(options[::2], options[1::2], strict=True)))
    following = next(rest, None)
    if kind == "TAG" and following == "SEPARATOR":
        separator = next(rest)
        require(len(separator) == 1 and separator.isascii(), f"the separator {separator!r}")
        following = next(rest, None)
    if kind == "TAG" and following == "CASESENSITIVE":
        following = next(rest, None)
    return following


def _check_vector(algorithm: str, options: dict[str, Any]) -> None:
    known = {"TYPE", "DIM", "DISTANCE_METRIC", "INITIAL_CAP"}
    require(algorithm in ("HNSW", "FLAT"), f"the algorithm {algorithm}")
    if algorithm == "HNSW":
        known |= {"M", "EF_CONSTRUCTION", "EF_RUNTIME"}
    require(options.keys() <= known, f"options {sorted(options.keys() - known)}")
    require(options["TYPE"] == "FLOAT32", "FLOAT32")
    require(1 <= options["DIM"] <= 32_768, f"DIM {options['DIM']}")
    require(options["DISTANCE_METRIC"] in ("L2", "IP", "COSINE"), "the distance")
    for name, most in _LIMITS.items():
        require(1 <= options.get(name, 1) <= most, f"{name} {options.get(name)}")


def _check_search(arguments: Sequence[Any]) -> None:
    index, query, *rest = arguments
    _check_index(index)
    knn = _KNN.fullmatch(query)
    require(knn, f"no filter=>[KNN ...] in {query!r}")
    assert knn
    text = knn["filter"]
    if text != "*":
        require(text[0] == "(" and text[-1] == ")", f"no parentheses around {text!r}")
        text = text[1:-1]
    FilterReader(text, escapes=True).read()
    require(1 <= int(knn["ef"] or 1) <= _LIMITS["EF_RUNTIME"], f"EF_RUNTIME {knn['ef']}")
    k = int(knn["k"])
    match rest:
        case ["PARAMS", 2, parameter, bytes(vector), "LIMIT", 0, limit, "DIALECT", 2]:
            require(parameter == knn["parameter"], f"the parameter {parameter}")
            require(len(vector) % 4 == 0 and vector, "the bytes of a vector")
            require(limit == k >= 1, f"LIMIT 0 {limit} for {k} neighbours")
        case _:
            raise GrammarError(f"the options {rest!r}")
