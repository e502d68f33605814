"""Sessions on the way in and out: export, import, migrate."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from langchain_core.messages import (
    AIMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
    message_to_dict,
)

from langchain_google_memorystore_redis import (
    ArgumentTypeError,
    InvalidArgumentError,
    MemorystoreChatMessageHistory,
    sessions,
)
from langchain_google_memorystore_redis._redis import scan
from langchain_google_memorystore_redis._redis.clients import runners_for
from langchain_google_memorystore_redis._sessions import formats
from langchain_google_memorystore_redis._sessions import operations as ops
from langchain_google_memorystore_redis._sessions.formats import PlacedElement
from langchain_google_memorystore_redis._sessions.operations import SessionsOps
from langchain_google_memorystore_redis._sessions.origins import LangchainRedis
from langchain_google_memorystore_redis.sessions import Deleted, Imported
from tests.plugins.clients import Target
from tests.plugins.doors import Door
from tests.servers.processes import Server
from tests.sessions.test_sessions import HOSTILE, TURN, call

DOCUMENTS = (
    (Path(__file__).parents[1] / "data" / "langchain_redis_0.2.6.jsonl").read_bytes().splitlines()
)
"""What that release of langchain-redis stored, as JSON.GET answers it."""
ADA = [
    SystemMessage("Sei höflich. 你好 🦜"),
    HumanMessage("What's the weather?", additional_kwargs={"lang": "en"}),
    AIMessage(""),  # its tool call was not stored
    ToolMessage("12 °C", tool_call_id="call-1", status="error"),
    AIMessage("It is 12 °C there."),
    HumanMessage(
        [
            {"type": "text", "text": "look"},
            {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        ]
    ),
]
BEN = [HumanMessage("hi"), AIMessage("yo")]


async def test_a_round_trip_by_jsonl_is_exact(door: Door, raw: Any) -> None:
    for name in ("ada", "tab\tand\nline \u00e9"):
        await door.open(name).add_messages(TURN)
        raw.rpush(f"{door.prefix}{name}", *HOSTILE)
    lines = await call(door, "export_sessions", key_prefix=door.prefix)
    assert all(line.count(b"\n") == 1 and line.endswith(b"\n") for line in lines)
    assert all(json.loads(line)["session_id"] for line in lines)
    there = f"{door.prefix}copy:"
    for added, present in ((30, 0), (0, 30)):
        done = await call(door, "import_sessions", lines, key_prefix=there)
        assert done == Imported(2, added, present, ())
    for name in ("ada", "tab\tand\nline \u00e9"):
        stored = raw.lrange(f"{there}{name}", 0, -1)
        assert stored == raw.lrange(f"{door.prefix}{name}", 0, -1)
        assert stored[5:] == HOSTILE


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda fields: json.dumps(fields, sort_keys=True),
        lambda fields: json.dumps(fields)[:-1] + " }\r\n",
        lambda fields: json.dumps({**fields, "tag": 1}),
        lambda fields: json.dumps({**fields, "tag": 1}, separators=(",", ":")).encode(),
    ],
    ids=["keys in order", "a space more", "a field more", "no spaces"],
)
async def test_a_file_that_other_tools_rewrote_still_reads(
    door: Door, rewrite: Callable[[dict[str, Any]], str | bytes]
) -> None:
    history = door.open("ada")
    await history.add_messages(TURN)
    lines = await call(door, "export_sessions", ["ada"], key_prefix=door.prefix)
    rewritten = [rewrite(json.loads(line)) for line in lines]
    there = f"{door.prefix}copy:"
    for added, present in ((5, 0), (0, 5)):
        done = await call(door, "import_sessions", ["", *rewritten], key_prefix=there)
        assert done == Imported(1, added, present, ())
    assert await door.open("ada", key_prefix=there).entries() == await history.entries()
    (session,) = await call(door, "list_sessions", there)
    assert (session.session_id, session.messages) == ("ada", 5)
    assert session.last_written_at == (await history.entries())[-1].written_at
    assert await call(door, "delete_prefix", there) == Deleted(1, 0)


async def test_what_is_no_message_travels_in_base64(door: Door, raw: Any) -> None:
    stored = [
        b'{"x": 1}',
        b'{"type": "alien", "data": {}}',
        b'{"type":"tool","data":{"content":"no call"},"id":"a","ts":1}',
    ]
    raw.rpush(f"{door.prefix}ada", *stored)
    lines = await call(door, "export_sessions", ["ada"], key_prefix=door.prefix)
    assert [json.loads(line).keys() for line in lines] == [{"session_id", "index", "base64"}] * 3
    await call(door, "import_sessions", lines, key_prefix=f"{door.prefix}copy:")
    assert raw.lrange(f"{door.prefix}copy:ada", 0, -1) == stored


async def test_an_export_of_all_begins_before_all_are_found(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "SCAN_COUNT", 10)
    for number in range(100):
        await door.open(f"{number}").add_message(HumanMessage("x"))
    lines: list[bytes] = []

    async def gather(line: bytes) -> None:
        lines.append(line)
        for number in range(100 if len(lines) == 1 else 0):
            await door.open(f"later-{number}").add_message(HumanMessage("x"))

    if door.by_async:
        async for line in sessions.aexport_sessions(door.client, key_prefix=door.prefix):
            await gather(line)
    else:
        for line in sessions.export_sessions(door.client, key_prefix=door.prefix):
            await gather(line)
    assert any(b'"later-' in line for line in lines)


async def test_an_import_that_broke_off_goes_on_where_it_stopped(
    door: Door, raw: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ops, "IMPORT_PAGE_ELEMENTS", 4)
    await door.open("ada").add_messages([HumanMessage(str(number)) for number in range(22)])
    lines = await call(door, "export_sessions", ["ada"], key_prefix=door.prefix)
    there = f"{door.prefix}copy:"
    for part, added, present in ((lines[:10], 10, 0), (lines, 12, 10), (lines, 0, 22)):
        done = await call(door, "import_sessions", part, key_prefix=there)
        assert done == Imported(1, added, present, ())
    copy = door.open("ada", key_prefix=there)
    await copy.add_message(AIMessage("it went on"))
    done = await call(door, "import_sessions", lines, key_prefix=there)
    assert done == Imported(1, 0, 22, ())
    assert raw.lrange(f"{there}ada", 0, -2) == raw.lrange(f"{door.prefix}ada", 0, -1)


async def test_an_import_leaves_what_differs_alone(door: Door, raw: Any) -> None:
    for name in ("ada", "ben", "cat", "dan"):
        await door.open(name).add_messages(TURN)
    lines = await call(door, "export_sessions", key_prefix=door.prefix)
    there = f"{door.prefix}copy:"
    await door.open("ada", key_prefix=there).add_message(HumanMessage("another"))
    raw.set(f"{there}ben", "text")
    without_first = [line for line in lines if b'"cat", "index": 0' not in line]
    done = await call(door, "import_sessions", without_first, key_prefix=there)
    assert (done.sessions, done.added, done.present) == (4, 5, 0)
    assert set(done.refused) == {"ada", "ben", "cat"}
    assert raw.llen(f"{there}ada") == 1
    assert raw.get(f"{there}ben") == b"text"
    assert raw.exists(f"{there}cat") == 0


async def test_an_import_may_set_a_time_to_live(door: Door, raw: Any) -> None:
    await door.open("ada").add_messages(TURN)
    lines = await call(door, "export_sessions", key_prefix=door.prefix)
    for ttl in (100, timedelta(seconds=100)):
        there = f"{door.prefix}{ttl}:"
        await call(door, "import_sessions", lines, key_prefix=there, ttl=ttl)
        assert 50 < raw.ttl(f"{there}ada") <= 100


def test_a_page_of_an_import_may_be_larger_than_lua_unpacks(
    blocking_clients: dict[Target, Any], prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = blocking_clients[Target("valkey-9.1")]
    monkeypatch.setattr(ops, "IMPORT_PAGE_ELEMENTS", 20_000)
    elements = [b'{"type":"human","data":{"content":"%d"}}' % n for n in range(16_001)]
    lines = (formats.to_jsonl(PlacedElement("a", n, element)) for n, element in enumerate(elements))
    assert sessions.import_sessions(client, lines, key_prefix=prefix).added == 16_001
    assert client.lrange(f"{prefix}a", 0, -1) == elements


async def test_what_openai_has_no_place_for_is_named(door: Door) -> None:
    await door.open("ada").add_messages([*TURN, RemoveMessage(id="x")])
    with pytest.raises(InvalidArgumentError, match=f"'ada', index {len(TURN)}, a RemoveMessage"):
        await call(door, "export_sessions", ["ada"], key_prefix=door.prefix, format="openai")


async def test_a_round_trip_by_openai_format_keeps_what_was_said(door: Door) -> None:
    await door.open("ada").add_messages(TURN)
    options = {"key_prefix": door.prefix, "format": "openai"}
    (line,) = await call(door, "export_sessions", ["ada", "nobody"], **options)
    said = json.loads(line)
    assert said["session_id"] == "ada"
    assert [one["role"] for one in said["messages"]] == [
        *("system", "user", "assistant", "tool", "assistant")
    ]
    there = {"key_prefix": f"{door.prefix}copy:", "format": "openai"}
    assert await call(door, "import_sessions", [line], **there) == Imported(1, 5, 0, ())
    assert await call(door, "import_sessions", [line], **there) == Imported(1, 0, 5, ())
    entries = await door.open("ada", key_prefix=f"{door.prefix}copy:").entries()
    assert [entry.message.text for entry in entries] == [message.text for message in TURN]
    assert entries[2].message.tool_calls == TURN[2].tool_calls  # type: ignore[attr-defined]
    assert {entry.written_at for entry in entries} == {None}


@pytest.mark.parametrize(
    ("layout", "line", "problem"),
    [
        ("jsonl", "{", "line 2 is not JSON"),
        ("jsonl", "[]", "line 2 is not a JSON object"),
        ("jsonl", '{"messages": []}', 'line 2 has no "session_id" and "index"'),
        ("jsonl", '{"session_id": "a", "index": -1, "element": {}}', 'no "session_id" and "index"'),
        ("jsonl", '{"session_id": "a", "index": 0}', 'line 2 has no "element"'),
        ("jsonl", '{"session_id": "a", "index": 0, "base64": "*"}', 'line 2 has invalid "base64"'),
        (
            "jsonl",
            '{"session_id": "a", "index": 0, "element": {"x": 1}}',
            'line 2 has an "element" that is not a message',
        ),
        (
            "jsonl",
            '{"session_id": "a", "index": 0, "element": {"type": "alien", "data": {}}}',
            "line 2 has an .element. that is not a message .*'alien'",
        ),
        ("jsonl", "\ud83d", "line 2 is not JSON"),
        ("openai", "\ud83d", "line 2 is not JSON"),
        ("langchain-redis", "\ud83d", "line 2 is not JSON"),
        *(
            (
                "langchain-redis",
                DOCUMENTS[0].replace(b"1795529000.129066", time),
                "line 2 .*timestamp",
            )
            for time in (b"NaN", b"Infinity", b"-Infinity", b"-1", b"1e300")
        ),
        ("openai", '{"session_id": "a"}', 'line 2 has no "messages"'),
        ("openai", '{"messages": [{"role": "?"}]}', "line 2 holds messages that LangChain cannot"),
        ("langchain-redis", '{"type": "human"}', "line 2 is not a document of langchain-redis"),
    ],
)
def test_a_line_that_is_wrong_is_named(
    blocking_clients: dict[Target, Any], prefix: str, layout: Any, line: str | bytes, problem: str
) -> None:
    client = blocking_clients[Target("valkey-9.1")]
    with pytest.raises(InvalidArgumentError, match=problem):
        sessions.import_sessions(client, ["", line], key_prefix=prefix, format=layout)


async def test_one_line_is_not_taken_for_many(door: Door) -> None:
    for lines in ("{}", b"{}", None):
        with pytest.raises(ArgumentTypeError, match=r"lines must be .* \[brackets\]"):
            await call(door, "import_sessions", lines, key_prefix=door.prefix)


async def test_sessions_of_langchain_community_are_migrated_in_order(door: Door, raw: Any) -> None:
    old, new = f"{door.prefix}message_store:", f"{door.prefix}new:"
    for name in ("ada", "ben"):
        for message in TURN:
            raw.lpush(f"{old}{name}", json.dumps(message_to_dict(message)))
    raw.set(f"{old}counter", 1)
    for added, present in ((10, 0), (0, 10)):
        done = await call(
            door,
            "migrate_sessions",
            door.client,
            "langchain-community",
            source_prefix=old,
            key_prefix=new,
            ttl=100,
        )
        assert done == Imported(2, added, present, ())
    for name in ("ada", "ben"):
        assert await door.open(name, key_prefix=new).messages() == TURN
        assert raw.lrange(f"{new}{name}", 0, -1) == raw.lrange(f"{old}{name}", 0, -1)[::-1]
        assert 50 < raw.ttl(f"{new}{name}") <= 100


async def test_documents_of_langchain_redis_are_imported_from_a_file(door: Door) -> None:
    lines = DOCUMENTS[::-1]
    lines[0] = b"[%b]" % lines[0]
    options = {"key_prefix": door.prefix, "format": "langchain-redis"}
    assert await call(door, "import_sessions", lines, **options) == Imported(2, 8, 0, ())
    assert await call(door, "import_sessions", lines, **options) == Imported(2, 0, 8, ())
    entries = await door.open("ada").entries()
    assert [entry.message for entry in entries] == ADA
    assert entries[0].written_at == datetime.fromtimestamp(1795529000.129, UTC)


@pytest.fixture
def documents(json_server: Server) -> Server:
    """A server as langchain-redis leaves it, and another key."""
    for document in DOCUMENTS:
        fields = json.loads(document)
        key = f"chat:{fields['session_id']}:{fields['message_id']}"
        assert json_server.cli("JSON.SET", key, "$", document) == "OK"
    json_server.cli("SET", "chat:ada:counter", 1)
    return json_server


@pytest.mark.parametrize("by_async", [False, True])
async def test_documents_of_langchain_redis_are_migrated(
    documents: Server, blocking_clients: dict[Target, Any], prefix: str, by_async: bool
) -> None:
    target = blocking_clients[Target("redis-7.0", cluster=True)]
    for added, present in ((8, 0), (0, 8)):
        with redis.Redis.from_url(documents.url, decode_responses=True) as source:
            if by_async:
                migrating = sessions.amigrate_sessions(
                    source, target, "langchain-redis", key_prefix=prefix
                )
                done = await migrating
            else:
                done = sessions.migrate_sessions(
                    source, target, "langchain-redis", key_prefix=prefix
                )
        assert done == Imported(2, added, present, ())
    for name, expected in (("ada", ADA), ("user:ben", BEN)):
        copied = MemorystoreChatMessageHistory(target, name, key_prefix=prefix)
        assert copied.messages == expected


def test_a_document_that_expires_meanwhile_is_missing(documents: Server) -> None:
    origin = LangchainRedis(SessionsOps("chat:"))
    with redis.Redis.from_url(documents.url) as source:
        runner = runners_for(source)[0]
        names = runner.run(origin.find_sessions())["user:ben"]
        documents.cli("DEL", f"chat:user:ben:{names[0]}")
        (left,) = runner.run(origin.read_session("user:ben", names))
    assert (len(names), left.session_id, left.index) == (2, "user:ben", 0)


async def test_a_server_without_the_json_module_says_so(door: Door, raw: Any) -> None:
    raw.set(f"{door.prefix}ada:01J00000000000000000000000", "")
    with pytest.raises(Exception, match=r"JSON.GET"):
        await call(
            door,
            "migrate_sessions",
            door.client,
            "langchain-redis",
            source_prefix=door.prefix,
            key_prefix=f"{door.prefix}new:",
        )
