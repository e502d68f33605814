"""A million messages in a session, a hundred thousand sessions: the work of operations is bounded.

How long commands take is no assertion of a test: `python -m tests.history.scale` prints it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from langchain_core.messages import HumanMessage

from tests.history.scale import (
    BATCH,
    STATUS,
    ScaleServer,
    endings,
    memory_while_iterating,
    operations,
    scale_server,
    turns,
)
from tests.plugins.servers import Servers

pytestmark = pytest.mark.slow

MESSAGES = 1_000_000
SESSIONS = 100_000
COPIED = 10 * BATCH
MAX_MEMORY_MB = 50
MAX_ELEMENTS = 10_000
"""The most elements that one command may read: an append looks for a copy among so many."""
FLAT = ("append 2", "append 2, new object", "last 20", "count", "one in the middle")


@pytest.fixture
def at(servers: Servers) -> Iterator[ScaleServer]:
    with scale_server(servers.engine("valkey-9.1")) as made:
        yield made


def test_no_operation_reads_much_of_a_million_messages_in_one_command(at: ScaleServer) -> None:
    at.load("long", MESSAGES)
    assert len(at.open("long")) == MESSAGES
    if STATUS.exists():
        count, grown_mb = memory_while_iterating(at.server.port, "long")
        print(f"memory of a client that iterates grows by {grown_mb} MB")
        assert count == MESSAGES
        assert grown_mb < MAX_MEMORY_MB

    at.load("short", BATCH)
    long = {name: at.lists_read(each) for name, each in operations(at, "long").items()}
    short = {name: at.lists_read(each) for name, each in operations(at, "short").items()}
    for name in FLAT:
        assert long[name] == short[name], name
    assert len(long["iterate all"]) > MESSAGES // BATCH
    for name, commands in long.items():
        assert all(0 < elements <= MAX_ELEMENTS for _, elements in commands), name

    for name, ending in endings(at, "copy").items():
        at.open("copy").clear()
        at.open("long").copy("copy", COPIED)
        assert len(at.open("copy")) == COPIED
        commands = at.lists_read(ending)
        assert all(0 < elements <= MAX_ELEMENTS for _, elements in commands), name
        assert len(at.open("copy")) == (0 if name == "clear" else 10), name


def test_a_session_among_a_hundred_thousand_is_read_and_changed_alone(at: ScaleServer) -> None:
    at.load_sessions(SESSIONS)
    new, old = at.open("new"), at.open("session-77777")
    new.add_messages(turns(2))
    old.add_messages(turns(2))
    assert (len(new), len(old)) == (2, 4)
    assert old.messages == old[-20:] == [*old] == turns(2) * 2
    old.truncate(3)
    old.copy("copy")
    new.clear()
    assert old.messages == [*turns(2), turns(1)[0]]
    assert isinstance(old[0], HumanMessage)
    old.clear()
    assert at.client.dbsize() == SESSIONS - 1 + 1  # less the one cleared, and the copy
    for number in range(0, SESSIONS, 101):
        assert at.open(f"session-{number}").messages == turns(2)
