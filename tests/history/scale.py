"""A server with a very long session or very many sessions, and what its commands take it there.

`python -m tests.history.scale [engine] [messages]` prints the figures.

Strategy: what a command takes the server is what the server says (SLOWLOG), wall time on its own
clock, so the time that the system gave the processor to somebody else counts too. Whatever is
slow of itself is slow each time; `slowest` therefore asks up to five times. Memory of a client is
the growth of the peak of a process of its own, because nothing gives memory back for sure.
"""

from __future__ import annotations

import statistics
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

LIMIT_US = 20_000
BATCH = 5_000
ROOT = Path(__file__).resolve().parents[2]
STATUS = Path("/proc/self/status")


def turns(count: int) -> list[BaseMessage]:
    """Messages of a chat, a question and an answer in turn: about 110 and 250 bytes stored."""
    return [
        HumanMessage(f"Question {number}: what is the weather like in Zurich?")
        if number % 2 == 0
        else AIMessage(f"Answer {number}: " + "it is 12 degrees and cloudy, with light rain. " * 4)
        for number in range(count)
    ]


@dataclass(frozen=True)
class Measured:
    """A server of its own, and a client of it."""

    server: Server
    client: Any

    def open(self, session_id: str, **options: Any) -> MemorystoreChatMessageHistory:
        """A history as a new web request makes it."""
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

    def typical(self, operation: Callable[[], object]) -> int:
        """Microseconds of the slowest command of an operation, the median of 21 runs."""
        return statistics.median_low([max(self._durations(operation)) for _ in range(21)])

    def slowest(self, operation: Callable[[], object], before: Callable[[], object] = int) -> int:
        """Microseconds of the slowest command of an operation; its best of five runs if need be."""
        best: list[int] = []
        for _ in range(5):
            before()
            durations = self._durations(operation)
            best = [min(pair) for pair in zip(best, durations, strict=False)] or durations
            if max(best) < LIMIT_US:
                break
        return max(best)

    def _durations(self, operation: Callable[[], object]) -> list[int]:
        """Microseconds of each command of an operation, the newest first."""
        self.client.slowlog_reset()
        operation()
        entries: list[Any] = self.client.slowlog_get(1_000_000)
        # Emptying a long log takes the server milliseconds, and is what the new one begins with.
        return [e["duration"] for e in entries if not e["command"].startswith(b"SLOWLOG")]

    def copy(self, source: str, target: str) -> None:
        """Make `target` what `source` is."""
        self.open(target).clear()
        self.open(source).copy(target)


@contextmanager
def measured(engine: Engine) -> Iterator[Measured]:
    """A private server that logs what each command takes it."""
    options = ("--slowlog-log-slower-than", "0", "--slowlog-max-len", "1000000")
    with Server(engine, *options) as server:
        client: Any = redis.Redis(port=server.port, protocol=2)
        with client:
            yield Measured(server, client)


def operations(at: Measured, session: str) -> dict[str, Callable[[], object]]:
    """What is asked of a long session, by name; the appends make it a little longer."""
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


def endings(at: Measured, session: str) -> dict[str, Callable[[], object]]:
    """What makes a long session short."""
    return {
        "clear": lambda: at.open(session).clear(),
        "truncate to 10": lambda: at.open(session).truncate(10),
        "trim to 10": lambda: at.open(session, max_messages=10).add_messages(turns(2)),
    }


def figures(at: Measured, session: str) -> dict[str, int]:
    """Microseconds of the slowest command of each operation on a session, which stays."""
    taken = {name: at.slowest(operation) for name, operation in operations(at, session).items()}
    taken["copy 5,000"] = at.slowest(
        lambda: at.open(session).copy("copy", BATCH), before=at.open("copy").clear
    )
    for name, operation in endings(at, "copy").items():
        taken[name] = at.slowest(operation, before=lambda: at.copy(session, "copy"))
    at.open("copy").clear()
    return taken


def memory_while_iterating(port: int, session: str) -> tuple[int, int]:
    """How many messages another process iterates over, and the MB its memory grows by."""
    command = [sys.executable, "-m", "tests.history.scale", "iterate", str(port), session]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    count, grown = answer.stdout.split()
    return int(count), int(grown)


def _memory_kb(field: str) -> int:
    """A line of the process's own status. Not getrusage: its peak includes the parent's."""
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


def _print_figures(engine: str, count: int) -> None:
    with measured(ENGINES[engine]) as at:
        at.load("long", count)
        if STATUS.exists():
            print(f"iterated over, growing by MB: {memory_while_iterating(at.server.port, 'long')}")
        for name, microseconds in figures(at, "long").items():
            print(f"{name:24}{microseconds:8} us")


if __name__ == "__main__":
    if sys.argv[1:2] == ["iterate"]:
        _iterate(int(sys.argv[2]), sys.argv[3])
    else:
        arguments = [*sys.argv[1:], *("valkey-9.1", "1000000")[len(sys.argv) - 1 :]]
        _print_figures(arguments[0], int(arguments[1]))
