"""What is measured: each a value, so that one can be run alone and the page can name it.

Strategy: a measurement is an operation, on a transcript of a length, over a link, by some
contestants: `rounds` times `n` calls each. Quick runs leave out what no demand needs, and rounds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

LOOPBACK, SLOW = "loopback", "1 ms"
EVERYONE = ("floor", "ours", "cached", "legacy", "community", "langchain-redis", "agents")
LANGCHAIN = ("ours", "cached", "legacy", "community", "langchain-redis")
LISTS = ("floor", "ours", "cached", "legacy", "community", "agents")
"""Those that keep a session in a list, so that many can be laid out quickly."""

LENGTHS = (10, 30, 100, 300, 1000, 3000)
CONCURRENCIES = (1, 10, 50, 200)
SESSIONS = 200
SESSION_LENGTH = 50
MANY = 100_000


@dataclass(frozen=True, slots=True)
class Measurement:
    """Something timed in every contestant's process."""

    name: str
    op: str
    contestants: tuple[str, ...] = EVERYONE
    transcript: str = "mixed"
    length: int = 1_000
    link: str = LOOPBACK
    n: int = 1
    rounds: int = 15
    options: dict[str, Any] = field(default_factory=dict)
    sessions: int = 1
    in_quick: bool = True
    group: str = ""
    """Measurements of one group are compared with each other, so they take turns."""


def _appends() -> Iterator[Measurement]:
    yield Measurement("append", "append", length=100, n=25, rounds=24)
    yield Measurement("append at 1 ms", "append", length=100, link=SLOW, n=10, rounds=12)
    yield Measurement(
        "append 1,000 in one call",
        "bulk",
        length=0,
        rounds=7,
        options={"transcript": "mixed", "length": 1_000},
    )
    for length, name in ((10, "10"), (MANY, "100,000")):
        yield Measurement(
            f"append to {name}", "append", ("ours",), length=length, n=25, rounds=24,
            group="append to",
        )  # fmt: skip


def _reads() -> Iterator[Measurement]:
    yield Measurement("read 1,000", "read", n=2, rounds=15)
    yield Measurement("read 1,000 again", "reread", n=6, rounds=15)
    yield Measurement("read 1,000 at 1 ms", "read", link=SLOW, n=2, rounds=7, in_quick=False)
    yield Measurement(
        "read 1,000 again at 1 ms", "reread", link=SLOW, n=2, rounds=7, in_quick=False
    )
    yield Measurement("chain turn", "runnable", LANGCHAIN, n=2, rounds=12)
    for length, name in ((100, "100"), (MANY, "100,000")):
        yield Measurement(
            f"last 20 of {name}", "last", ("ours",), length=length, n=25, rounds=24,
            options={"count": 20}, group="last 20",
        )  # fmt: skip


def _curves() -> Iterator[Measurement]:
    for link in (LOOPBACK, SLOW):
        for length in LENGTHS:
            n = max(2, min(16, 1_000 // length))  # short calls settle only after a few
            yield Measurement(
                f"turn at {length:,}, {link}",
                "turns",
                length=length,
                link=link,
                n=n,
                rounds=7,
                in_quick=length in (10, 1_000),
            )
    for concurrency in CONCURRENCIES:
        yield Measurement(
            f"turns by {concurrency} at once",
            "concurrent",
            LISTS,
            length=SESSION_LENGTH,
            rounds=6,
            options={"concurrency": concurrency, "sessions": SESSIONS},
            sessions=SESSIONS,
            in_quick=concurrency in (1, SESSIONS),
        )


MEASUREMENTS = (*_appends(), *_reads(), *_curves())


def grouped(names: Collection[str]) -> list[list[Measurement]]:
    """The measurements of these names, those of a group together."""
    wanted = (each for each in MEASUREMENTS if each.name in names)
    return [list(group) for _, group in groupby(wanted, lambda each: each.group or each.name)]


MEMORY = {"chat": 1_000, "agent": 1_000, "mixed": 1_000, "multilingual": 1_000}
MEMORY |= {"1 KB": 500, "20 KB": 100}
"""Transcripts whose size in the server is asked for, and how many messages of each."""
MEMORY_CONTESTANTS = (*EVERYONE, "zstd")
SERVER_TIME_ROUNDS = 5
SERVER_TIME_APPENDS = 300
IMPORT_ROUNDS = 9
