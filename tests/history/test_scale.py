"""A million messages in a session, a hundred thousand sessions: no command is ever slow."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from langchain_core.messages import HumanMessage

from tests.history.scale import (
    LIMIT_US,
    STATUS,
    Measured,
    figures,
    measured,
    memory_while_iterating,
    operations,
    turns,
)
from tests.plugins.servers import Servers

MESSAGES = 1_000_000
SESSIONS = 100_000
MOST_MB = 50


@pytest.fixture
def at(servers: Servers) -> Iterator[Measured]:
    with measured(servers.engine("valkey-9.1")) as made:
        yield made


def over_the_limit(taken: dict[str, int]) -> dict[str, int]:
    print(f"microseconds of the slowest command: {taken}")
    return {name: microseconds for name, microseconds in taken.items() if microseconds >= LIMIT_US}


def test_a_million_messages_in_a_session_make_no_command_slow(at: Measured) -> None:
    at.load("long", MESSAGES)
    assert len(at.open("long")) == MESSAGES
    if STATUS.exists():
        count, grown_mb = memory_while_iterating(at.server.port, "long")
        print(f"memory of a client that iterates grows by {grown_mb} MB")
        assert count == MESSAGES
        assert grown_mb < MOST_MB
    assert over_the_limit(figures(at, "long")) == {}

    at.load("short", 5_000)
    long, short = operations(at, "long"), operations(at, "short")
    for name in ("append 2", "append 2, new object", "last 20", "count"):
        # Flat: 200 times the messages, and the same work but for the clock's grain.
        assert at.typical(long[name]) < 5 * at.typical(short[name]) + 200, name


def test_a_hundred_thousand_sessions_make_no_command_slow(at: Measured) -> None:
    at.load_sessions(SESSIONS)
    new, old = at.open("new"), at.open("session-77777")
    taken = {
        "append to a new session": at.slowest(lambda: new.add_messages(turns(2))),
        "append to an old session": at.slowest(lambda: old.add_messages(turns(2))),
        "all messages": at.slowest(lambda: old.messages),
        "last 20": at.slowest(lambda: old[-20:]),
        "count": at.slowest(lambda: len(old)),
        "iterate": at.slowest(lambda: sum(1 for _ in old)),
        "truncate": at.slowest(lambda: old.truncate(3)),
        "copy": at.slowest(lambda: old.copy("copy"), before=at.open("copy").clear),
        "clear": at.slowest(new.clear),
    }
    assert over_the_limit(taken) == {}
    assert old.messages == [*turns(2), turns(1)[0]]
    assert isinstance(old[0], HumanMessage)
    old.clear()
    assert at.client.dbsize() == SESSIONS - 1 + 1  # less the one cleared, and the copy
    for number in range(0, SESSIONS, 101):
        assert at.open(f"session-{number}").messages == turns(2)
