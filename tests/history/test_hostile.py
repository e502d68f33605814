"""Bad data: an error of ours or a message, whatever is in the list, and nobody else's matter."""

from __future__ import annotations

import json
import logging
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage, ToolMessage

from langchain_google_memorystore_redis import (
    CorruptEntryError,
    MemorystoreChatMessageHistory,
)
from langchain_google_memorystore_redis._codec.decode import UndecodableError, decode
from tests.history.hostile import (
    MARKERS,
    Mutator,
    assert_plain,
    before_deep_recursion,
    outcome,
    run,
    valid_elements,
)
from tests.plugins.clients import Target
from tests.plugins.doors import Door

ELEMENTS = 120_000
ROOT = Path(__file__).resolve().parents[2]
STANDALONE = (Target("valkey-9.1"), Target("redis-7.0", decode_responses=True))
CLUSTER = Target("valkey-9.1", cluster=True, protocol=2)

on_two_servers = pytest.mark.parametrize("target", STANDALONE, ids=str)


@pytest.fixture
def seed() -> int:
    """A new one each run, unless HOSTILE_SEED names one; pytest shows it when a test fails."""
    chosen = int(os.environ.get("HOSTILE_SEED") or random.SystemRandom().getrandbits(32))
    print(f"HOSTILE_SEED={chosen}")
    return chosen


@pytest.mark.slow
def test_a_mutated_element_is_read_exactly_or_refused(seed: int) -> None:
    outcomes = run(seed, ELEMENTS)
    print(f"{outcomes.total()} elements: {dict(outcomes)}")
    assert outcomes.total() == ELEMENTS
    # Enough got past the parser, on every way through the codec.
    assert min(outcomes["read as ours"], outcomes["read as LangChain reads it"]) > ELEMENTS // 20
    assert set(outcomes) - {"read, not written"} == {
        "refused",
        "read as ours",
        "read as LangChain reads it",
    }


def test_every_prefix_of_an_element_is_refused_whoever_wrote_it() -> None:
    prefixes = {element[:end] for element in valid_elements() for end in range(len(element))}
    assert Counter(map(outcome, prefixes)) == {"refused": len(prefixes)}
    assert len(prefixes) > 5_000


@pytest.mark.slow
@pytest.mark.parametrize(
    "field",
    [
        "[" * 5_000_000,
        '{"a":' * 1_000_000,
        "[" * 200_000 + "]" * 200_000,
        "9" * 5_000_000,
        f"0.{'9' * 5_000_000}",
        f"1e{'9' * 1_000_000}",
        f"[{'[],' * 1_000_000}0]",
        f"[{'{},' * 1_000_000}0]",
        f'"{chr(92) * 2_000_001}"',
        f'"{chr(92)}u0000{"x" * 10_000_000}"',
        "{" + ",".join(f'"{number}":0' for number in range(300_000)) + "}",
        "{" + '"a":0,' * 1_000_000 + '"a":1}',
    ],
    ids=lambda field: f"{field[:6]}...{len(field)}",
)
def test_a_json_bomb_goes_off_without_harm(field: str) -> None:
    before_deep_recursion()
    for envelope in ('"id":"a","ts":1', '"a":0'):
        for place in ("content", "additional_kwargs", "extra"):
            text = f'{{"type":"human","data":{{"content":"x","{place}":{field}}},{envelope}}}'
            try:
                message, *_ = decode(text.encode())
            except UndecodableError:
                continue
            assert type(message) is HumanMessage


def test_what_other_formats_run_stays_text_and_dicts() -> None:
    for marker in MARKERS:
        for envelope in ({}, {"id": "a", "ts": 1}):
            for name in ("artifact", "extra", "lc", "__class__", "__dict__"):
                data = {"content": "x", "tool_call_id": "1", name: marker}
                message, *_ = decode(json.dumps({"type": "tool", "data": data, **envelope}))
                assert type(message) is ToolMessage
                assert_plain(message)
                kept = message.__dict__ | (message.__pydantic_extra__ or {})
                assert kept[name] == marker
        element = marker if isinstance(marker, str) else json.dumps(marker)
        assert outcome(element.encode()) == "refused"
        whole = {"type": "human", "data": marker}
        assert outcome(json.dumps(whole).encode()) == "refused"


# Every event that Python audits: import, open, exec, compile, pickle.find_class, os.system,
# subprocess.Popen, socket.connect and a hundred more. Decoding raises none but that of id().
WATCH = """
import codecs, sys
from langchain_core.messages import BaseMessage
from langchain_google_memorystore_redis._codec.decode import UndecodableError, decode
from tests.history.hostile import MARKERS, Mutator, valid_elements
import json

def read(element):
    try:
        decode(element)
    except UndecodableError:
        pass

def classes(cls):
    return {cls}.union(*map(classes, cls.__subclasses__()))

mutator = Mutator(int(sys.argv[1]))
elements = [mutator.element() for _ in range(20_000)]
elements += [json.dumps({"type": "human", "data": {"content": "x", "a": marker}}).encode()
             for marker in MARKERS]
for element in valid_elements():
    read(element)
# json tells UTF-8, -16 and -32 apart by the first bytes, and loads Python's codec for them once.
for codec in ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"):
    codecs.lookup(codec)
modules, known, events = set(sys.modules), classes(BaseMessage), []
sys.addaudithook(lambda event, arguments: events.append((event, repr(arguments)[:200])))
for element in elements:
    read(element)
seen = [event for event in events if event[0] != "builtins.id"]
open("pyproject.toml").close()
assert "open" in dict(events), "the hook is deaf"
print(len(elements), seen[:5], sorted(set(sys.modules) - modules), classes(BaseMessage) - known)
"""


@pytest.mark.slow
def test_decoding_imports_opens_runs_and_connects_to_nothing(seed: int) -> None:
    command = [sys.executable, "-c", WATCH, str(seed)]
    watched = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert watched.stderr == ""
    assert watched.stdout == f"{20_000 + len(MARKERS)} [] [] set()\n"


@on_two_servers
def test_a_message_of_64_mb_comes_back_equal(client: Any, prefix: str) -> None:
    history = MemorystoreChatMessageHistory(client, "s", key_prefix=prefix)
    large = HumanMessage("0123456789abcdef" * (64 << 16))
    history.add_messages([HumanMessage("before"), large])
    history.add_message(HumanMessage("after"))
    assert len(large.content) == 64 << 20
    assert history.messages == [HumanMessage("before"), large, HumanMessage("after")]
    history.clear()


@on_two_servers
def test_all_of_unicode_comes_back_equal(client: Any, prefix: str) -> None:
    history = MemorystoreChatMessageHistory(client, "s", key_prefix=prefix)
    scalars = "".join(chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)
    surrogates = "".join(chr(code) for code in range(0xDFFF, 0xD7FF, -1))
    text = scalars + scalars[:300_000]
    assert len(text.encode()) > 5_000_000
    messages = [HumanMessage(text), HumanMessage(surrogates), HumanMessage("x", **{scalars: 1})]
    history.add_messages(messages)
    assert history.messages == messages
    history.clear()


@pytest.mark.parametrize("target", [*STANDALONE, CLUSTER], ids=str)
async def test_corrupt_elements_are_skipped_or_named_and_left_alone(
    door: Door, raw: Any, seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    pick, mutator = random.Random(seed), Mutator(seed)
    valid = [HumanMessage(str(number)) for number in range(200)]
    for session in ("s", "neighbour"):
        await door.open(session).add_messages(valid)
    neighbour = raw.lrange(f"{door.prefix}neighbour", 0, -1)
    elements: list[bytes] = raw.lrange(f"{door.prefix}s", 0, -1)
    corrupt = [
        each for each in (mutator.element() for _ in range(200)) if outcome(each) == "refused"
    ]
    for element in corrupt:
        elements.insert(pick.randint(0, len(elements)), element)
    raw.delete(f"{door.prefix}s")
    raw.rpush(f"{door.prefix}s", *elements)
    first, last = (order.index(True) for order in _where(elements, set(corrupt)))

    strict, lenient = door.open("s"), door.open("s", on_corrupt="skip")
    reads: tuple[Callable[[], Awaitable[Any]], ...] = (
        strict.messages,
        strict.iterated,
        partial(strict.get_messages, -len(elements)),
    )
    for read, index in zip(reads, (first, first, first - len(elements)), strict=True):
        with pytest.raises(CorruptEntryError) as caught:
            await read()
        assert caught.value.index == index
    with pytest.raises(CorruptEntryError) as caught:
        await strict.get_messages(-1 - last)
    assert caught.value.index == -1 - last
    with caplog.at_level(logging.CRITICAL):
        assert await lenient.messages() == await lenient.iterated() == valid
    await strict.add_message(HumanMessage("new"))
    await strict.copy("copy")
    assert raw.lrange(f"{door.prefix}copy", 0, -1)[:-1] == elements
    await strict.truncate(len(elements))
    assert raw.lrange(f"{door.prefix}s", 0, -1) == elements
    await strict.clear()
    assert raw.lrange(f"{door.prefix}neighbour", 0, -1) == neighbour


def _where(elements: list[bytes], corrupt: set[bytes]) -> tuple[list[bool], list[bool]]:
    """Which elements are corrupt, from the front and from the end."""
    marks = [element in corrupt for element in elements]
    return marks, marks[::-1]
