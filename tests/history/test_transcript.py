"""Messages as people read them, in notebooks and terminals."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import redis
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from redis.backoff import NoBackoff
from redis.retry import Retry
from rich.console import Console

from langchain_google_memorystore_redis import MemorystoreChatMessageHistory
from langchain_google_memorystore_redis._history.transcript import (
    Transcript,
    Turn,
    to_html,
    to_text,
)
from tests.faults import Proxy
from tests.plugins.clients import Target
from tests.plugins.faults import ProxyTo
from tests.plugins.servers import Servers
from tests.samples import one_of_each

WEATHER = [{"name": "weather", "args": {"city": "Zürich", "days": 2}, "id": "1"}]


@pytest.mark.parametrize(
    ("message", "speaker", "lines"),
    [
        (HumanMessage("hi"), "user", ("hi",)),
        (AIMessage("yo"), "assistant", ("yo",)),
        (SystemMessage("Be brief."), "system", ("Be brief.",)),
        (ChatMessage(content="ok", role="critic"), "critic", ("ok",)),
        (ToolMessage("12 °C", tool_call_id="1", name="weather"), "weather", ("← 12 °C",)),
        (ToolMessage("x", tool_call_id="1", status="error"), "tool", ("← failed: x",)),
        (AIMessage("", tool_calls=WEATHER), "assistant", ('→ weather(city="Zürich", days=2)',)),
        (
            AIMessage("Wait.", tool_calls=WEATHER),
            "assistant",
            ("Wait.", '→ weather(city="Zürich", days=2)'),
        ),
        (AIMessage(""), "assistant", ("",)),
        (
            HumanMessage(["look", {"type": "text", "text": "here"}, {"type": "image", "url": "u"}]),
            "user",
            ("look\nhere\n[image]",),
        ),
        (HumanMessage("a\r\nb\x1b[31m\x07\x9b\u202e"), "user", ("a\nb␛[31m␇\ufffd\ufffd",)),
        (HumanMessage("\ud800"), "user", ("?",)),
        (HumanMessage("a\u2028b\u2029\u2067\u206f"), "user", ("a␤b␤\ufffd\ufffd",)),
        (HumanMessage("\u200c\u200d\u200e\u061c"), "user", ("\u200c\u200d\u200e\u061c",)),
        (ChatMessage(content="x", role="a\n\tb\u200b"), r"a\n\tb\u200b", ("x",)),
    ],
)
def test_a_message_is_who_said_what(
    message: BaseMessage, speaker: str, lines: tuple[str, ...]
) -> None:
    turn = Turn.of(message)
    assert (turn.speaker, turn.lines) == (speaker, lines)


def test_every_class_of_message_can_be_shown() -> None:
    turns = tuple(map(Turn.of, one_of_each()))
    assert all(turn.speaker for turn in turns)
    assert to_html(Transcript("x", turns)).count("<tr>") == len(turns)


def test_plain_text_has_columns_and_indents_further_lines() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert to_text(Turn.of(HumanMessage("a\nb"), at)) == "2026-01-02T03:04:05Z\tuser\ta\n\t\tb"
    assert to_text(Turn.of(HumanMessage("a"))) == "-\tuser\ta"


def test_html_is_escaped_wherever_text_comes_from() -> None:
    bad = "<script>alert(1)</script>\"'&"
    calls = [{"name": bad, "args": {bad: bad}, "id": "1"}]
    turns = (
        Turn.of(HumanMessage(bad)),
        Turn.of(ChatMessage(content="x", role=bad)),
        Turn.of(AIMessage("", tool_calls=calls)),
        Turn.of(ToolMessage(bad, tool_call_id="1", name=bad)),
        Turn.unreadable(bad),
    )
    for page in (to_html(Transcript(bad, turns)), to_html(Transcript(bad, problem=bad))):
        assert "<script" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#x27;&amp;" in page


@pytest.fixture
def history(
    blocking_clients: dict[Target, Any], prefix: str
) -> Iterator[MemorystoreChatMessageHistory]:
    client = blocking_clients[Target("valkey-9.1")]
    made = MemorystoreChatMessageHistory(client, "ada", key_prefix=prefix, ttl=100)
    yield made
    made.clear()


def in_terminal(shown: object) -> str:
    console = Console(file=io.StringIO(), width=60)
    console.print(shown)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_a_history_shows_itself_in_a_notebook_and_a_terminal(
    history: MemorystoreChatMessageHistory,
) -> None:
    assert "no messages" in history._repr_html_()
    history.add_messages([HumanMessage("**hi** <script>"), AIMessage("", tool_calls=WEATHER)])
    page = history._repr_html_()
    assert "<b>ada</b>" in page
    assert "2 messages<" in page
    assert "**hi** &lt;script&gt;" in page
    assert "→ weather(city=&quot;Zürich&quot;, days=2)" in page
    shown = in_terminal(history)
    assert "ada 2 messages" in shown
    assert "user **hi** <script>" in shown
    assert '→ weather(city="Zürich", days=2)' in shown


def test_only_the_last_fifty_messages_are_shown(history: MemorystoreChatMessageHistory) -> None:
    history.add_messages([HumanMessage(f"number {number}.") for number in range(1234)])
    page = history._repr_html_()
    assert "1,234 messages, the last 50 shown" in page
    assert page.count("<tr>") == 50
    assert "number 1184." in page
    assert "number 1183." not in page


def test_an_element_that_is_no_message_is_shown_as_that(
    history: MemorystoreChatMessageHistory, blocking_clients: dict[Target, Any]
) -> None:
    history.add_message(HumanMessage("hi"))
    blocking_clients[Target("valkey-9.1")].rpush(history.key, b"\xff")
    page = history._repr_html_()
    assert "hi" in page
    assert "index 1: not JSON that can be read" in page


def test_showing_costs_one_round_trip(servers: Servers, proxy_to: ProxyTo, prefix: str) -> None:
    proxy: Proxy = proxy_to(servers.standalone("valkey-9.1").port)
    with redis.Redis(port=proxy.port, protocol=2) as client:
        history = MemorystoreChatMessageHistory(client, "ada", key_prefix=prefix)
        history.add_message(HumanMessage("hi"))
        with proxy.counting() as count:
            assert "hi" in history._repr_html_()
        assert count.round_trips == 1


def test_an_outage_is_a_line_of_what_is_shown() -> None:
    with redis.Redis(port=1, retry=Retry(NoBackoff(), 0)) as client:
        history = MemorystoreChatMessageHistory(client, "<ada>")
        page = history._repr_html_()
        assert "&lt;ada&gt;" in page
        assert "ConnectionError: " in page
        assert "ConnectionError: " in in_terminal(history)


async def test_a_history_that_can_only_be_awaited_says_so() -> None:
    client = redis.asyncio.Redis(port=1)
    assert "AsyncClientError" in MemorystoreChatMessageHistory(client, "ada")._repr_html_()
    await client.aclose()
