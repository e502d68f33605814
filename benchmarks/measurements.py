"""Table of what is measured.

Strategy: pure data. A row is an operation of `benchmarks.worker`, by some candidates, on sessions
of one length, over one link, `rounds` times `calls` calls each. Quick runs have fewer rounds, and
leave out rows that no check needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Literal

from benchmarks.candidates import HISTORIES, SAVERS
from benchmarks.transcripts import TRANSCRIPTS

LOOPBACK, SLOW = "loopback", "1 ms"
"""Links to the server, on the same machine and through a proxy that delays."""

LENGTHS = (10, 30, 100, 300, 1_000, 3_000)
CONCURRENCIES = (1, 10, 50, 200)
_SESSIONS = 200

_UNCOMPRESSED = tuple(name for name in HISTORIES if name != "zstd")
_LANGCHAIN = ("ours", "cached", "legacy", "community", "langchain-redis")
_LISTS = tuple(name for name in _UNCOMPRESSED if name != "langchain-redis")
"""Candidates that keep a session in a list, which is quickly copied."""

Section = Literal["memory", "round trips", "copies", "server time", "import time", "times"]


@dataclass(frozen=True, slots=True)
class Measurement:
    """Row of the table."""

    name: str
    operation: str = ""
    candidates: tuple[str, ...] = _UNCOMPRESSED
    section: Section = "times"
    """Section of the results that the figures go to, and with it how they are taken."""
    transcript: str = "mixed"
    length: int = 1_000
    """Messages in the session beforehand."""
    link: str = LOOPBACK
    calls: int = 1
    rounds: int = 15
    options: dict[str, Any] = field(default_factory=dict)
    """Further arguments of the operation."""
    in_quick: bool = True
    group: str = ""
    """Neighbours of one group take turns, since their ratio is what matters."""

    @property
    def full_name(self) -> str:
        """Name that begins with the section."""
        return f"{self.section}: {self.name}"


def turn_name(length: int, link: str) -> str:
    """Return the name of the measurement of a turn in a session of a length."""
    return f"turn at {length:,}, {link}"


def concurrency_name(concurrency: int) -> str:
    """Return the name of the measurement of so many turns taken at once."""
    return f"turns by {concurrency} at once"


def _untimed() -> Iterator[Measurement]:
    for name, length in TRANSCRIPTS.items():
        yield Measurement(name, "", HISTORIES, "memory", name, min(length, 1_000))
    yield Measurement("append", "append", ("ours",), "round trips", length=100)
    yield Measurement("read", "", ("cached",), "copies", length=100)


def _appends() -> Iterator[Measurement]:
    timed_by_server = tuple(name for name in _LISTS if name != "cached")
    yield Measurement("append", "append_in_server", timed_by_server, "server time", length=100,
                      calls=300, rounds=5)  # fmt: skip
    yield Measurement("package", "import", ("ours", "legacy"), "import time", length=0, rounds=9)
    yield Measurement("append", "append", length=100, calls=25, rounds=24)
    yield Measurement("append at 1 ms", "append", length=100, link=SLOW, calls=10, rounds=12)
    yield Measurement("append 1,000 in one call", "append_many", length=0, rounds=7,
                      options={"count": 1_000})  # fmt: skip
    for length in (10, 100_000):
        yield Measurement(f"append to {length:,}", "append", ("ours",), length=length, calls=25,
                          rounds=24, group="append to")  # fmt: skip


def _reads() -> Iterator[Measurement]:
    yield Measurement("read 1,000", "read", calls=2)
    yield Measurement("read 1,000 again", "read_again", calls=6)
    yield Measurement("read 1,000 at 1 ms", "read", link=SLOW, calls=2, rounds=7, in_quick=False)
    yield Measurement("read 1,000 again at 1 ms", "read_again", link=SLOW, calls=2, rounds=7,
                      in_quick=False)  # fmt: skip
    yield Measurement("chain turn", "chain_turn", _LANGCHAIN, calls=2, rounds=12)
    for length in (100, 100_000):
        yield Measurement(f"last 20 of {length:,}", "read_last", ("ours",), length=length, calls=25,
                          rounds=24, options={"count": 20}, group="last 20")  # fmt: skip


def _turns() -> Iterator[Measurement]:
    for link in (LOOPBACK, SLOW):
        for length in LENGTHS:
            calls = max(2, min(16, 1_000 // length))  # short calls settle only after a few
            yield Measurement(turn_name(length, link), "turn", length=length, link=link,
                              calls=calls, rounds=7, in_quick=length in (10, 1_000))  # fmt: skip
    for concurrency in CONCURRENCIES:
        options = {"concurrency": concurrency, "sessions": _SESSIONS}
        yield Measurement(concurrency_name(concurrency), "concurrent_turns", _LISTS, length=50,
                          rounds=6, options=options,
                          in_quick=concurrency in (1, _SESSIONS))  # fmt: skip


def _savers() -> Iterator[Measurement]:
    yield Measurement("agent turn", "agent_turn", SAVERS, "round trips", "chat", 0)
    yield Measurement("thread of 100 turns", "", SAVERS, "memory", "chat", 200)
    for name, operation in (("saver's calls", "saver_calls"), ("agent turn", "agent_turn")):
        for link, rounds in ((LOOPBACK, 20), (SLOW, 12)):
            suffix = "" if link == LOOPBACK else f" at {link}"
            yield Measurement(f"{name}{suffix}", operation, SAVERS, "times", "chat", 0, link,
                              calls=10, rounds=rounds)  # fmt: skip


MEASUREMENTS = (*_untimed(), *_appends(), *_reads(), *_turns(), *_savers())


def select(*, quick: bool = False, only: Sequence[str] = ()) -> list[Measurement]:
    """Return the measurements of a run; `only` are beginnings of names, with section or without."""
    return [
        each
        for each in MEASUREMENTS
        if (each.in_quick or not quick)
        and (
            not only or each.name.startswith(tuple(only)) or each.full_name.startswith(tuple(only))
        )
    ]


def group(measurements: Iterable[Measurement]) -> list[list[Measurement]]:
    """Return the measurements with those of one group together."""
    keyed = groupby(measurements, key=lambda each: (each.section, each.group or each.name))
    return [list(members) for _, members in keyed]
