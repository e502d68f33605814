"""The sessions under a prefix: list, describe, delete; and what all functions share."""

from __future__ import annotations

import inspect
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from langchain_google_memorystore_redis import (
    ArgumentTypeError,
    AsyncClientError,
    InvalidArgumentError,
    WrongTypeError,
    sessions,
)
from langchain_google_memorystore_redis._redis import scan
from langchain_google_memorystore_redis.sessions import Deleted, Session
from tests.plugins.clients import Target, asyncio_client
from tests.plugins.doors import Door
from tests.plugins.faults import ProxyTo
from tests.plugins.servers import Servers
from tests.servers.processes import Server

TURN: list[BaseMessage] = [
    SystemMessage("Be brief."),
    HumanMessage("Zurich?"),
    AIMessage("", tool_calls=[{"name": "weather", "args": {"city": "Zurich"}, "id": "call-1"}]),
    ToolMessage("12 °C", tool_call_id="call-1", name="weather"),
    AIMessage("12 °C."),
]
# Elements as somebody may have left them: each must come back to the byte.
HOSTILE = [
    b'{"type": "human", "data": {"content": "of release 0.3.0", "type": "human"}}',
    b'{"type":"human","data":{"content":"NaN","n":NaN,"big":' + b"9" * 30 + b"}}",
    b'{"type": "human", "data": {"content": "\\ud800"}}',
    '{"type":"human","data":{"content":"\u2028 \u00e9"}}'.encode(),
    b'{"type": "human",\n "data": {"content": "lines"}}',
    b'{"type":"human","type":"ai","data":{"content":"twice"}}  ',
    b"",
    b"\xff\x00\r\n",
    b'["a"]',
    b"{",
]


async def call(door: Door, name: str, *args: Any, **options: Any) -> Any:
    """A function of `sessions`, or its twin; what it yields as a list."""
    if not door.by_async:
        answer = getattr(sessions, name)(door.client, *args, **options)
        return list(answer) if isinstance(answer, Iterator) else answer
    answer = getattr(sessions, f"a{name}")(door.client, *args, **options)
    return [one async for one in answer] if hasattr(answer, "__aiter__") else await answer


async def listed(door: Door, prefix: str | None = None, **options: Any) -> dict[str, Session]:
    found = await call(door, "list_sessions", door.prefix if prefix is None else prefix, **options)
    by_id = {session.session_id: session for session in found}
    assert len(by_id) == len(found)
    return by_id


@pytest.mark.parametrize("way", ["sync", "async"])
async def test_a_page_of_sessions_carries_the_text_of_its_script_once(
    way: str, servers: Servers, proxy_to: ProxyTo
) -> None:
    target = Target("valkey-9.1")
    with Server(servers.engine("valkey-9.1")) as server:  # nobody else's keys: one page of SCAN
        proxy = proxy_to(server.port)
        with target.connect(proxy.port) as client:
            door = Door(client, by_async=False, prefix="")
            for number in range(20):
                await door.open(str(number)).add_messages(TURN)
            with proxy.counting() as count:
                if way == "sync":
                    assert len(await listed(door)) == 20
                else:
                    async with asyncio_client(target, proxy.port) as twin:
                        assert len(await listed(Door(twin, by_async=True, prefix=""))) == 20
            sent = [name for name in count.commands if name.startswith("EVAL")]
            assert sent == ["EVAL", *["EVALSHA"] * 19]


async def test_sessions_are_listed_with_what_is_known_of_them(door: Door) -> None:
    before = time.time()
    await door.open("ada").add_messages(TURN)
    await door.open("ben", ttl=100).add_message(HumanMessage("hi"))
    await door.open("ben", ttl=100).add_message(HumanMessage("yo"))
    found = await listed(door)
    assert {name: session.messages for name, session in found.items()} == {"ada": 5, "ben": 2}
    for session in found.values():
        assert session.first_written_at
        assert session.last_written_at
        assert before - 0.1 < session.first_written_at.timestamp()
        assert session.first_written_at <= session.last_written_at <= datetime.now(UTC)
        assert session.size_bytes
        assert 100 < session.size_bytes < 5000
    assert found["ada"].expires_in is None
    assert found["ben"].expires_in
    assert timedelta(seconds=50) < found["ben"].expires_in <= timedelta(seconds=100)
    assert await call(door, "describe_session", "ada", key_prefix=door.prefix) == found["ada"]
    assert await call(door, "describe_session", "eve", key_prefix=door.prefix) is None


async def test_what_release_030_wrote_has_no_times(door: Door, raw: Any) -> None:
    raw.rpush(f"{door.prefix}old", HOSTILE[0])
    session = (await listed(door))["old"]
    assert (session.messages, session.first_written_at, session.last_written_at) == (1, None, None)


async def test_a_session_that_outlives_python_does_not_break_the_list(door: Door, raw: Any) -> None:
    for name in ("ada", "ben"):
        await door.open(name).add_messages(TURN)
    raw.expire(f"{door.prefix}ada", 10**14)
    found = await listed(door)
    assert (found["ada"].expires_in or timedelta()) > timedelta(days=999_999_998)
    assert await call(door, "describe_session", "ada", key_prefix=door.prefix) == found["ada"]
    assert found["ben"].expires_in is None


async def test_keys_that_are_no_session_are_passed_over(door: Door, raw: Any) -> None:
    raw.set(f"{door.prefix}text", '{"type": 1}')
    raw.rpush(f"{door.prefix}queue", "job", '{"body": "job"}')
    raw.hset(f"{door.prefix}hash", "type", "x")
    raw.rpush(door.prefix.encode() + b"\xff", HOSTILE[0])
    raw.rpush(door.prefix, HOSTILE[0])
    raw.rpush(f"{door.prefix}torn", b"\xff", HOSTILE[0])
    assert list(await listed(door)) == ["torn"]


async def test_a_prefix_is_text_and_no_pattern(door: Door) -> None:
    strange = r"a*b?[c-d]\^{e}é:"
    await door.open("ada", key_prefix=door.prefix + strange).add_message(HumanMessage("x"))
    await door.open("aXb-c\\^{e}é:ada").add_message(HumanMessage("x"))
    assert list(await listed(door, door.prefix + strange)) == ["ada"]
    assert len(await listed(door)) == 2


async def test_all_of_many_sessions_are_listed_once_and_progress_is_told(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "SCAN_COUNT", 10)
    names = {f"session-{number}" for number in range(60)}
    for name in names:
        await door.open(name).add_message(HumanMessage("x"))
    told: list[int] = []
    assert set(await listed(door, progress=told.append)) == names
    assert len(told) > 1
    assert told == sorted(told)


def test_the_size_is_unknown_where_it_may_not_be_asked(servers: Servers, prefix: str) -> None:
    server = servers.standalone("redis-7.0")
    rules = ("nopass", "~*", "+@all", "-memory")
    server.cli("ACL", "SETUSER", "no-memory", "reset", "on", *rules)
    with redis.Redis(port=server.port, username="no-memory", password="x", protocol=2) as client:
        client.rpush(f"{prefix}old", HOSTILE[0])
        (session,) = sessions.list_sessions(client, prefix)
    assert (session.messages, session.size_bytes) == (1, None)


async def test_named_sessions_are_deleted_and_counted(door: Door, raw: Any) -> None:
    for name in ("ada", "ben", "cat"):
        await door.open(name).add_message(HumanMessage("x"))
    raw.rpush(f"{door.prefix}torn", b"\xff")
    names = ["ada", "ben", "nobody", "torn"]
    assert await call(door, "delete_sessions", names, key_prefix=door.prefix) == 3
    assert list(await listed(door)) == ["cat"]
    raw.set(f"{door.prefix}text", "x")
    with pytest.raises(WrongTypeError):
        await call(door, "delete_sessions", ["text"], key_prefix=door.prefix)
    assert raw.get(f"{door.prefix}text") == b"x"


async def test_one_id_is_not_taken_for_many_of_one_letter(door: Door) -> None:
    for name in ("a", "d"):
        await door.open(name).add_messages(TURN)
    for ids in ("ada", b"ada", 7):
        for name in ("delete_sessions", "export_sessions"):
            with pytest.raises(ArgumentTypeError, match=r"session_ids must be .* \[brackets\]"):
                await call(door, name, ids, key_prefix=door.prefix)
    assert set(await listed(door)) == {"a", "d"}


async def test_an_id_that_cannot_be_one_deletes_nothing(door: Door) -> None:
    await door.open("ada").add_messages(TURN)
    for ids, error in (
        ([""], InvalidArgumentError),
        (["ada", ""], InvalidArgumentError),
        (["ada", "\ud800"], InvalidArgumentError),
        (["ada", None], ArgumentTypeError),
        (["ada", b"ada"], ArgumentTypeError),
    ):
        for key_prefix in (door.prefix, f"{door.prefix}ada"):  # an empty id is not the prefix
            with pytest.raises(error, match="session_id"):
                await call(door, "delete_sessions", ids, key_prefix=key_prefix)
    assert await call(door, "delete_sessions", [], key_prefix=door.prefix) == 0
    assert set(await listed(door)) == {"ada"}


async def test_a_prefix_is_deleted_but_for_what_is_no_session(
    door: Door, raw: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "SCAN_COUNT", 10)
    for number in range(30):
        await door.open(f"user-1:{number}").add_message(HumanMessage("x"))
    await door.open("user-10").add_message(HumanMessage("x"))
    raw.set(f"{door.prefix}user-1:text", "x")
    raw.rpush(f"{door.prefix}user-1:queue", "job")
    told: list[int] = []
    prefix = f"{door.prefix}user-1:"
    assert await call(door, "delete_prefix", prefix, progress=told.append) == Deleted(30, 2)
    assert told[-1] == 30
    assert list(await listed(door)) == ["user-10"]
    assert await call(door, "delete_prefix", prefix) == Deleted(0, 2)
    with pytest.raises(InvalidArgumentError, match="every session"):
        await call(door, "delete_prefix", "")


@pytest.mark.parametrize(
    "name", [name for name in sessions.__all__ if f"a{name}" in sessions.__all__]
)
def test_an_async_twin_has_the_parameters_of_its_original(name: str) -> None:
    original, twin = getattr(sessions, name), getattr(sessions, f"a{name}")
    assert inspect.signature(twin).parameters == inspect.signature(original).parameters
    assert inspect.getdoc(twin) == f"Async twin of `{name}`."
    assert inspect.isasyncgenfunction(twin) == inspect.isgeneratorfunction(original)
    assert inspect.iscoroutinefunction(twin) != inspect.isgeneratorfunction(original)


def test_every_function_has_a_twin_and_the_names_are_in_order() -> None:
    functions = {name for name in sessions.__all__ if name[0].islower()}
    assert functions == {
        name for name in functions if f"a{name}" in functions or name[1:] in functions
    }
    assert sessions.__all__ == sorted(sessions.__all__)


async def test_a_blocking_function_refuses_an_asyncio_client() -> None:
    client = redis.asyncio.Redis()
    with pytest.raises(AsyncClientError):
        list(sessions.list_sessions(client))
    await client.aclose()
