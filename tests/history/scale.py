"""A server with a very long session or very many sessions, and the work that operations are there.

`python -m tests.history.scale [engine] [messages] [sessions]` prints how long the slowest command
of each operation takes. No test asserts on that.

Strategy: durations are the server's own (SLOWLOG), in wall time, so another process may be in
them: `slowest` asks up to five times and keeps the best. Memory of a client is the growth of the
peak of a process of its own, because nothing gives memory back for sure.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from langchain_google_memorystore_redis import MemorystoreChatMessageHistory
from tests.servers.processes import ENGINES, Engine, Server

GOAL_US = 20_000
"""Microseconds below which a command needs no second try."""
BATCH = 5_000
ROOT = Path(__file__).resolve().parents[2]
STATUS = Path("/proc/self/status")


def turns(count: int) -> list[BaseMessage]:
    """Return questions and answers in turn, of about 110 and 250 bytes stored."""
    return [
        HumanMessage(f"Question {number}: what is the weather like in Zurich?")
        if number % 2 == 0
        else AIMessage(f"Answer {number}: " + "it is 12 degrees and cloudy, with light rain. " * 4)
        for number in range(count)
    ]


@dataclass(frozen=True)
class ScaleServer:
    """A private server, and a client of it."""

    server: Server
    client: Any

    def open(self, session_id: str, **options: Any) -> MemorystoreChatMessageHistory:
        """Return a history, as a web request makes it."""
        return MemorystoreChatMessageHistory(self.client, session_id, **options)

    def load(self, session_id: str, count: int) -> None:
        """Append `count` messages in batches."""
        history, batch = self.open(session_id), turns(BATCH)
        for _ in range(count // BATCH):
            history.add_messages(batch)

    def load_sessions(self, count: int) -> None:
        """Plant sessions of two messages each, as the library would store them."""
        self.open("model").add_messages(turns(2))
        elements = self.client.lrange("model", 0, -1)
        for first in range(0, count, 10_000):
            pipe = self.client.pipeline(transaction=False)
            for number in range(first, min(first + 10_000, count)):
                pipe.rpush(f"session-{number}", *elements)
            pipe.execute()
        self.client.unlink("model")

    def lists_read(self, operation: Callable[[], object]) -> list[tuple[str, int]]:
        """Return the commands that read lists, scripts' too, with the most elements each can see.

        A range from one end to the other counts as -1.
        """
        with self.client.monitor() as monitor:
            operation()
            self.client.echo("end")
            commands: list[str] = []
            while not commands or not commands[-1].upper().startswith("ECHO"):
                commands.append(monitor.next_command()["command"])
        found = (_LIST_READ.match(command) for command in commands)
        return [_span(*match.groups()) for match in found if match]

    def slowest(self, operation: Callable[[], object], before: Callable[[], object] = int) -> int:
        """Return the microseconds of an operation's slowest command, in its best run of five."""
        best: list[int] = []
        for _ in range(5):
            before()
            durations = self._durations(operation)
            best = [min(pair) for pair in zip(best, durations, strict=False)] or durations
            if max(best) < GOAL_US:
                break
        return max(best)

    def _durations(self, operation: Callable[[], object]) -> list[int]:
        """Return the microseconds of each command of an operation, the newest first."""
        self.client.slowlog_reset()
        operation()
        entries: list[Any] = self.client.slowlog_get(1_000_000)
        # Emptying a long log takes the server milliseconds, and is what the new one begins with.
        return [e["duration"] for e in entries if not e["command"].startswith(b"SLOWLOG")]

    def copy(self, source: str, target: str) -> None:
        """Replace a session by a copy of another."""
        self.open(target).clear()
        self.open(source).copy(target)


_LIST_READ = re.compile(r"(?i)(lrange|lpos) \S+ (?:(-?\d+) (-?\d+)$|.* maxlen (\d+)$|)")


def _span(name: str, start: str | None, stop: str | None, limit: str | None) -> tuple[str, int]:
    """Return a command's name and how many elements it can see, -1 for all."""
    if limit is not None:
        return name.upper(), int(limit)
    if start is None or stop is None or (int(start) < 0) != (int(stop) < 0):
        return name.upper(), -1
    return name.upper(), int(stop) - int(start) + 1


@contextmanager
def scale_server(engine: Engine) -> Iterator[ScaleServer]:
    """Start a private server that logs the duration of each command."""
    options = ("--slowlog-log-slower-than", "0", "--slowlog-max-len", "1000000")
    with Server(engine, *options) as server:
        client: Any = redis.Redis(port=server.port, protocol=2)
        with client:
            yield ScaleServer(server, client)


def operations(at: ScaleServer, session: str) -> dict[str, Callable[[], object]]:
    """Return the operations on a session that stays, by name; appends make it a little longer."""
    known, batch = at.open(session), turns(BATCH)
    middle = len(known) // 2
    return {
        "append 2": lambda: known.add_messages(batch[:2]),
        "append 2, new object": lambda: at.open(session).add_messages(batch[:2]),
        "last 20": lambda: at.open(session)[-20:],
        "count": lambda: len(at.open(session)),
        "one in the middle": lambda: at.open(session)[middle],
        "20 in the middle": lambda: at.open(session)[middle : middle + 20],
        "a page in the middle": lambda: known.get_messages(middle, middle + BATCH),
        "iterate all": lambda: sum(1 for _ in at.open(session)),
        "append 5,000": lambda: at.open(session).add_messages(batch),
    }


def endings(at: ScaleServer, session: str) -> dict[str, Callable[[], object]]:
    """Return the operations that leave a session short, by name."""
    return {
        "clear": lambda: at.open(session).clear(),
        "truncate to 10": lambda: at.open(session).truncate(10),
        "trim to 10": lambda: at.open(session, max_messages=10).add_messages(turns(2)),
    }


def session_figures(at: ScaleServer, session: str) -> dict[str, int]:
    """Return the microseconds of each operation's slowest command; the session stays."""
    taken = {name: at.slowest(operation) for name, operation in operations(at, session).items()}
    taken["copy 5,000"] = at.slowest(
        lambda: at.open(session).copy("copy", BATCH), before=at.open("copy").clear
    )
    for name, operation in endings(at, "copy").items():
        taken[name] = at.slowest(operation, before=lambda: at.copy(session, "copy"))
    at.open("copy").clear()
    return taken


def figures_among_sessions(at: ScaleServer, session: str) -> dict[str, int]:
    """Return the microseconds of each operation's slowest command on a session among many."""
    new, old = at.open("new"), at.open(session)
    return {
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


def memory_while_iterating(port: int, session: str) -> tuple[int, int]:
    """Return how many messages another process iterates over, and by how many MB it grows."""
    command = [sys.executable, "-m", "tests.history.scale", "iterate", str(port), session]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    count, grown = answer.stdout.split()
    return int(count), int(grown)


def _memory_kb(field: str) -> int:
    """Return a field of this process's status. Not getrusage: its peak includes the parent's."""
    lines = STATUS.read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{field}:")).split()[1])


def _iterate(port: int, session: str) -> None:
    client: Any = redis.Redis(port=port, protocol=2)
    with client:
        history = MemorystoreChatMessageHistory(client, session)
        assert history[0] == turns(1)[0]
        before = _memory_kb("VmRSS")
        count = sum(1 for _ in history)
        print(count, (_memory_kb("VmHWM") - before) // 1024)


def _print(title: str, figures: dict[str, int]) -> None:
    print(title)
    for name, microseconds in figures.items():
        print(f"  {name:24}{microseconds:8} us")


def _print_figures(engine: str, messages: int, sessions: int) -> None:
    with scale_server(ENGINES[engine]) as at:
        at.load("long", messages)
        if STATUS.exists():
            count, grown_mb = memory_while_iterating(at.server.port, "long")
            print(f"a client that iterates over {count:,} messages grows by {grown_mb} MB")
        _print(f"a session of {messages:,} messages", session_figures(at, "long"))
        at.open("long").clear()
        at.load_sessions(sessions)
        _print(
            f"one of {sessions:,} sessions", figures_among_sessions(at, f"session-{sessions // 2}")
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["iterate"]:
        _iterate(int(sys.argv[2]), sys.argv[3])
    else:
        defaults = ("valkey-9.1", "1000000", "100000")
        engine, messages, sessions = [*sys.argv[1:], *defaults[len(sys.argv) - 1 :]]
        _print_figures(engine, int(messages), int(sessions))
