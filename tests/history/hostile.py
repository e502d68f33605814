"""Hostile list elements, and what may come of one. `python -m tests.history.hostile` runs it long.

Strategy: an element is mutated from one that a release wrote, by bytes or as JSON, so that most
get past the parser and into the checks behind it. A run is named by its seed. `outcome` decodes
one and holds the codec to its promise; whatever else is raised is a finding.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
from langchain_core.messages import BaseMessage, ToolMessage, message_to_dict

from langchain_google_memorystore_redis import InvalidMessageError
from langchain_google_memorystore_redis._codec.compression import compress_element, expand_element
from langchain_google_memorystore_redis._codec.decode import UndecodableError, decode
from langchain_google_memorystore_redis._codec.encode import element_tail, encode
from langchain_google_memorystore_redis._codec.shapes import SHAPES
from tests.samples import one_of_each

RELEASE_030 = Path(__file__).parents[1] / "data" / "release_030.jsonl"


def valid_elements() -> list[bytes]:
    """Every class as we write it, as json writes it with our envelope, and as 0.3.0 wrote it.

    Two in frames too.
    """
    elements = RELEASE_030.read_bytes().splitlines()
    for message in one_of_each():
        ours = encode(message, 0, element_tail(b"Zm9vYmFyYmF6", 1_795_503_209_908))
        elements += [
            ours,
            json.dumps(json.loads(ours)).encode(),
            json.dumps(message_to_dict(message)).encode(),
        ]
    # One of each way to write it is enough: a changed frame is refused by its checksum.
    elements += [compress_element(ours), compress_element(json.dumps(json.loads(ours)).encode())]
    inexact = ToolMessage("x", tool_call_id="1", artifact=(1, 2), tags={"},"})
    ours = encode(inexact, 0, element_tail(b"Zm9vYmFyYmF6", 1_795_503_209_908), [])
    elements += [ours, json.dumps(json.loads(ours)).encode(), compress_element(ours)]
    return elements


def before_deep_recursion() -> None:
    """Collect what earlier tests left: no finalizer can run at the bottom of a recursion.

    Where the collector starts one there, pytest's report of it fails as well, and with it the test.
    """
    gc.collect()


def _nested(depth: int) -> Any:
    value: Any = 0
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


# What other formats take for a program: here it is text and dicts like any other.
MARKERS: tuple[Any, ...] = (
    {"lc": 1, "type": "constructor", "id": ["langchain", "llms", "OpenAI"], "kwargs": {"a": 1}},
    {"lc": 1, "type": "secret", "id": ["PATH"]},
    {"lc": 2, "type": "constructor", "id": ["builtins", "eval"], "method": "eval", "args": ["1"]},
    {"__class__": "os.system", "__init__": {"__globals__": {}}, "__reduce__": ["os.system", ["x"]]},
    {"py/object": "subprocess.Popen", "py/reduce": [{"py/function": "os.system"}, ["true"]]},
    {"__type__": "bytes", "__pydantic_private__": {}, "__dict__": {"content": "other"}},
    "!!python/object/apply:os.system ['true']",
    "cos\nsystem\n(S'true'\ntR.",
    "{{ ''.__class__.__mro__[1].__subclasses__() }} ${jndi:ldap://x} {0.__class__}",
    "__import__('os').system('true')",
)
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, -0.0, 2**53 + 1, 2**63, 2**64, -(2**63) - 1, 10**300),
    *(float("nan"), float("inf"), 1e308, 5e-324, "", "x", "last", "error", "tool", "ai", "human"),
    *(
        "\x00",
        "\x1f\x7f\u2028",
        "\ud800",
        "\udfff\ud800",
        "\ud83d\ude00",
        "\U0010ffff",
        "e\u0301",
        "\u202e",
    ),
    *("{", '{"a": ', '{"a": [1, "', "*?[a-z]^\\", "x" * 5000, [], {}, [[]], [{}], [None], ["a", 1]),
    *({"type": "text", "text": None}, {"type": "tool_call"}, {"name": 1}, [{"name": "f"}]),
    *([{"name": "f", "args": {}, "id": 1}], [{"name": "f", "args": "{", "id": None, "index": 0}]),
    *(_nested(depth) for depth in (20, 200, 300, 600)),
    *MARKERS,
)
NAMES = (
    *("type", "data", "id", "ts", "content", "name", "role", "status", "tool_calls", "artifact"),
    *("tool_call_id", "tool_call_chunks", "invalid_tool_calls", "usage_metadata", "args", "index"),
    *("additional_kwargs", "response_metadata", "chunk_position", "content_blocks", "function"),
    *("self", "cls", "__class__", "__dict__", "__pydantic_extra__", "model_config", "lc", "kwargs"),
    *("", "\x00", "\ud800", "model_post_init", "lc_secrets", "_fields_set", "example", "arguments"),
    "inexact",
)
TYPES = (*(shape.type for shape in SHAPES.values()), "alien", "", "constructor", "HumanMessage")
PIECES = (
    *(b"\x00", b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xef\xbb\xbf", b"\\"),
    *(
        b'"',
        b"\\u",
        b"\\ud83d",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"null",
        b"NaN",
        b"-",
        b"1e999",
    ),
    *(b"9" * 400, b"9" * 5000, b"[" * 500, b'{"a":' * 500, b"/**/", b"\n", b"\r\n", b" ", b"true"),
)
# Numbers that json.dumps would not write as they stand here.
DIGITS = (b"1e400", b"-1e400", b"1" + b"0" * 400, b"9" * 5000, b"0." + b"0" * 400 + b"1", b"1E-999")


class Mutator:
    """Makes hostile elements; the same seed makes the same ones."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._valid = valid_elements()
        self._by_bytes = (
            self._cut,
            self._drop,
            self._insert,
            self._repeat,
            self._splice,
            self._flip,
        )
        self._by_row = (self._set, self._set, self._rename, self._remove, self._swap, self._retype)

    def element(self) -> bytes:
        """One to four mutations of a valid element."""
        pick = self._random
        element = pick.choice(self._valid)
        if pick.random() < 0.7:
            row = json.loads(expand_element(element))
            for _ in range(pick.randint(1, 3)):
                pick.choice(self._by_row)(row)
            element = self._written(row)
        if pick.random() < 0.4:
            for _ in range(pick.randint(1, 2)):
                element = pick.choice(self._by_bytes)(element)
        return compress_element(element) if pick.random() < 0.1 else element

    def _written(self, row: Any) -> bytes:
        style = self._random.random()
        if style < 0.5:
            try:
                return self._with_digits(msgspec.json.encode(row))
            except (TypeError, UnicodeEncodeError):
                return json.dumps(row, separators=(",", ":")).encode()
        text = json.dumps(row, ensure_ascii=style < 0.8)
        if style > 0.97:
            return text.encode(self._random.choice(["utf-16", "utf-32-le"]), "surrogatepass")
        return self._twice(self._with_digits(text.encode("utf-8", "surrogatepass")))

    def _with_digits(self, element: bytes) -> bytes:
        return element.replace(b"null", self._random.choice(DIGITS), 1 if self._chance(0.2) else 0)

    def _twice(self, element: bytes) -> bytes:
        """Another value under a key that is there already, before it or after."""
        if not self._chance(0.2) or not element.endswith(b"}"):
            return element
        value = json.dumps(self._random.choice(VALUES))
        pair = f'"{self._random.choice(NAMES[:4])}": {value}'.encode("utf-8", "surrogatepass")
        return (
            b"{" + pair + b", " + element[1:]
            if self._chance(0.5)
            else (element[:-1] + b", " + pair + b"}")
        )

    def _chance(self, rate: float) -> bool:
        return self._random.random() < rate

    def _place(self, row: Any) -> tuple[Any, Any]:
        """A container within the row, and a key or index of it."""
        container = row
        while True:
            keys = list(container) if isinstance(container, dict) else range(len(container))
            if not keys:
                return container, None
            key = self._random.choice(keys)
            inner = container[key]
            if not isinstance(inner, (dict, list)) or not inner or self._chance(0.3):
                return container, key
            container = inner

    def _set(self, row: Any) -> None:
        container, key = self._place(row)
        if isinstance(container, dict) and self._chance(0.3):
            key = self._random.choice(NAMES)
        if key is not None:
            value = self._random.choice(VALUES)
            # A copy: what is set here may be changed by the next mutation. json joins surrogates.
            container[key] = value if isinstance(value, str) else json.loads(json.dumps(value))

    def _rename(self, row: Any) -> None:
        container, key = self._place(row)
        if isinstance(container, dict) and key is not None:
            container[self._random.choice(NAMES)] = container.pop(key)

    def _remove(self, row: Any) -> None:
        container, key = self._place(row)
        if key is not None:
            del container[key]

    def _swap(self, row: Any) -> None:
        other = json.loads(expand_element(self._random.choice(self._valid)))
        for name in self._random.sample(
            ["type", "data", "inexact", "id", "ts"], self._random.randint(1, 2)
        ):
            row[name] = other.get(name)

    def _retype(self, row: Any) -> None:
        row["type"] = self._random.choice(TYPES)
        if isinstance(row.get("data"), dict) and self._chance(0.8):
            row["data"].pop("type", None)

    def _cut(self, element: bytes) -> bytes:
        return element[: self._at(element)]

    def _drop(self, element: bytes) -> bytes:
        at = self._at(element)
        return element[:at] + element[at + self._random.choice([1, 1, 2, 10]) :]

    def _insert(self, element: bytes) -> bytes:
        at = self._at(element)
        return element[:at] + self._random.choice(PIECES) + element[at:]

    def _repeat(self, element: bytes) -> bytes:
        at = self._at(element)
        return element[: at + self._random.randint(1, 40)] + element[at:]

    def _splice(self, element: bytes) -> bytes:
        other = self._random.choice(self._valid)
        return element[: self._at(element)] + other[self._at(other) :]

    def _flip(self, element: bytes) -> bytes:
        at = self._at(element)
        return element[:at] + bytes([self._random.randrange(256)]) + element[at + 1 :]

    def _at(self, element: bytes) -> int:
        return self._random.randint(0, len(element))


def outcome(element: bytes) -> str:
    """What came of decoding an element, in a word; AssertionError for what must not be."""
    try:
        message, entry_id, _, inexact = decode(element)
    except UndecodableError:
        return "refused"
    assert type(message) in SHAPES
    assert_plain(message)
    assert all(type(name) is str for name in inexact)
    try:
        again = encode(message, 0, element_tail(b"id", 1))
    except InvalidMessageError as refusal:
        if "cannot hold" in str(refusal):  # then it ought not to have been read either
            raise
        return "read, not written"
    back, *envelope = decode(again)
    assert type(back) is type(message)
    assert envelope == ["id", 1, ()]
    assert encode(back, 0, element_tail(b"id", 1)) == again
    assert back == message or b"NaN" in again
    return "read as LangChain reads it" if entry_id is None else "read as ours"


def assert_plain(message: BaseMessage) -> None:
    """The message is of JSON's own types all the way down."""
    parts: list[Any] = [message.__dict__, message.__pydantic_extra__]
    assert message.__pydantic_private__ is None
    while parts:
        part = parts.pop()
        assert type(part) in (dict, list, str, int, float, bool, type(None)), part
        if type(part) is dict:
            parts += [*part, *part.values()]
        elif type(part) is list:
            parts += part


def run(seed: int, count: int) -> Counter[str]:
    """Decode `count` hostile elements; how many came to what. A finding names its seed."""
    mutator = Mutator(seed)
    outcomes: Counter[str] = Counter()
    for number in range(count):
        element = mutator.element()
        try:
            outcomes[outcome(element)] += 1
        except Exception as error:
            error.add_note(f"seed {seed}, element {number}: {element[:2000]!r}")
            raise
    return outcomes


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Decode hostile elements.")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32))
    parser.add_argument("--elements", type=int, default=5_000_000)
    options = parser.parse_args()
    print(f"seed {options.seed}")
    print(dict(run(options.seed, options.elements)))
