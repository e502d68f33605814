"""Old data and old code keep working: sessions of release 0.3.0, and 0.3.0 beside this release."""

from __future__ import annotations

import json
import math
import subprocess
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    ToolMessage,
    message_to_dict,
    messages_from_dict,
)

from langchain_google_memorystore_redis import MemorystoreChatMessageHistory
from tests.plugins.doors import Door
from tests.plugins.servers import Servers
from tests.samples import one_of_each

HERE = Path(__file__).parent
ROWS = (HERE.parent / "data" / "release_030.jsonl").read_bytes().splitlines()
"""What release 0.3.0 with langchain-core 0.3 stored for the messages of legacy_030.py."""


def as_json(messages: list[BaseMessage]) -> list[str]:
    """For comparison with NaN in it, which is not equal to itself."""
    return [json.dumps(message_to_dict(message), sort_keys=True) for message in messages]


async def test_a_session_of_release_030_opens_unchanged(door: Door, raw: Any) -> None:
    key = f"{door.prefix}session"
    raw.rpush(key, *ROWS)
    history = door.open()
    got: list[Any] = await history.messages()
    assert as_json(got) == as_json(messages_from_dict([json.loads(row) for row in ROWS]))
    assert [message.type for message in got] == [json.loads(row)["type"] for row in ROWS]
    assert got[2].tool_calls[0]["args"] == {"city": "Zürich"}
    assert got[2].response_metadata["big"] == 2**70
    assert math.isnan(got[2].response_metadata["score"])
    assert got[2].additional_kwargs == {"limit": math.inf, "half": "\ud83d"}
    assert (got[3].status, got[3].artifact) == ("error", {"raw": [1]})
    assert raw.lrange(key, 0, -1) == ROWS


async def test_both_releases_may_write_to_one_session(door: Door, raw: Any) -> None:
    key = f"{door.prefix}session"
    raw.rpush(key, ROWS[0])
    history = door.open()
    await history.add_message(HumanMessage("new"))
    raw.rpush(key, ROWS[5])
    entries = await history.entries()
    assert [entry.message.content for entry in entries] == ["Sei höflich. 你好 🦜", "new", "hello"]
    assert [entry.id is None for entry in entries] == [True, False, True]
    assert [entry.written_at is None for entry in entries] == [True, False, True]
    copied = await history.copy("other")
    assert await copied.entries() == entries
    await history.truncate(1)
    assert await history.count() == 1


async def test_what_release_030_could_store_is_never_refused(door: Door) -> None:
    history = door.open()
    message = AIMessage(
        "lone \udc00 surrogate",
        response_metadata={"nan": math.nan, "inf": -math.inf, "big": -(2**200)},
    )
    await history.add_messages([message, HumanMessage("after")])
    got = (await history.messages())[0]
    assert math.isnan(got.response_metadata.pop("nan"))
    message.response_metadata.pop("nan")
    assert got == message
    assert (await history.entries())[0].id is not None


def run_legacy(python: Path, *arguments: str) -> str:
    # -E: PYTHONPATH may name the sources of this release.
    command = [str(python), "-E", str(HERE / "legacy_030.py"), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def test_release_030_itself_reads_what_this_release_writes(
    servers: Servers, legacy_python: Path, prefix: str
) -> None:
    import redis

    server = servers.standalone("redis-7.0")
    key = f"{prefix}session"
    with redis.Redis(port=server.port, protocol=2) as client:
        history = MemorystoreChatMessageHistory(client, key)
        run_legacy(legacy_python, "write", str(server.port), key)
        assert as_json(history.messages) == as_json(
            messages_from_dict([json.loads(row) for row in ROWS])
        )
        written = [
            *[m for m in one_of_each() if not isinstance(m, AIMessageChunk)],
            ToolMessage("x", tool_call_id="1"),
        ]
        history.clear()
        history.add_messages(written)
        lines = run_legacy(legacy_python, "read", str(server.port), key).splitlines()
    old = [json.loads(line) for line in lines]
    assert [row["type"] for row in old] == [message.type for message in written]
    for row, message in zip(old, written, strict=True):
        stored = message_to_dict(message)["data"]
        assert {name: row["data"].get(name) for name in stored} == stored


def test_release_030_refuses_a_session_with_a_compressed_message(
    servers: Servers, legacy_python: Path, prefix: str
) -> None:
    import redis

    server = servers.standalone("redis-7.0")
    with redis.Redis(port=server.port, protocol=2) as client:
        history = MemorystoreChatMessageHistory(client, f"{prefix}s", compress="zstd")
        history.add_messages([HumanMessage("hi"), HumanMessage("as before " * 30)])
        with pytest.raises(subprocess.CalledProcessError) as caught:
            run_legacy(legacy_python, "read", str(server.port), f"{prefix}s")
        assert caught.value.stdout == ""
        assert caught.value.stderr.splitlines()[-1].startswith("UnicodeDecodeError: 'utf-8'")


@pytest.mark.parametrize("row", ROWS)
def test_every_row_of_release_030_is_ascii_json_of_type_and_data(row: bytes) -> None:
    assert row.isascii()
    assert list(json.loads(row)) == ["type", "data"]
