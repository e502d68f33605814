"""A run: every measurement, contestants in turn, into one value for JSON.

Strategy: in each round every contestant does the same small piece of work, in an order that is
shuffled by a seed, so none is always the one after the heaviest. A first round warms up and is
thrown away. Nothing is computed here but medians: what figures mean is in verdicts.
"""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.contestants import ROOT, Contestant, python_of
from benchmarks.crew import Crew, Worker
from benchmarks.measurements import (
    MEMORY,
    MEMORY_CONTESTANTS,
    SERVER_TIME_APPENDS,
    Measurement,
)
from benchmarks.spread import Spread, round_medians
from benchmarks.transcripts import SEED, transcript, turn
from tests.faults import Proxy

Results = dict[str, Any]
Tick = Callable[[str], None]
_IMPORT = (
    "import langchain_core.messages, redis; from time import perf_counter_ns as now;"
    "started = now(); import langchain_google_memorystore_redis; print(now() - started)"
)
_MOST_ROWS = 3_000
_ONCE_ROUND_TRIPS = 5


@dataclass(frozen=True)
class Run:
    """What the measurements need of their surroundings."""

    crew: Crew
    urls: Mapping[str, str]
    """By the name of the link."""
    port: int
    tick: Tick
    """Told the name of each piece of work that is done."""
    quick: bool = False

    @property
    def url(self) -> str:
        """The server itself."""
        return self.urls["loopback"]

    def load(self) -> None:
        """Give every worker the transcripts."""
        for name in MEMORY:
            length = _MOST_ROWS if name == "mixed" else MEMORY[name]
            self.crew.ask_all("load", name=name, rows=transcript(name, length), turn=turn())
            self.tick("transcripts")

    def _present(self, names: Iterable[str]) -> list[Worker]:
        return [self.crew.workers[name] for name in names if name in self.crew.workers]

    @property
    def sized_contestants(self) -> int:
        """How many have their memory measured."""
        return len(self._present(MEMORY_CONTESTANTS))

    def rounds(self, wanted: int) -> int:
        """How many rounds are run where a full run has `wanted`."""
        return max(4, wanted // 4) if self.quick else wanted

    def time(self, group: Sequence[Measurement]) -> Results:
        """Spread and medians of rounds in microseconds, by measurement and contestant.

        The measurements of a group take turns, as contestants do: their ratio is asked for.
        """
        turns = [(what, worker) for what in group for worker in self._present(what.contestants)]
        for what, worker in turns:
            self._prepare(worker, what)
        source = random.Random(f"{SEED} {group[0].name}")  # noqa: S311
        rounds: dict[tuple[str, str], list[list[float]]] = {
            (what.name, worker.contestant.name): [] for what, worker in turns
        }
        for number in range(self.rounds(group[0].rounds) + 1):
            for what, worker in source.sample(turns, len(turns)):
                times = self._time_once(worker, what)
                if number:
                    microseconds = [nanoseconds / 1_000 for nanoseconds in times]
                    rounds[what.name, worker.contestant.name].append(microseconds)
            self.tick(group[0].name)
        for _, worker in turns:
            self._clean(worker)
        return _summed_up(rounds)

    def _time_once(self, worker: Worker, what: Measurement) -> list[int]:
        times: list[int] = worker.ask(
            "run",
            op=what.op,
            n=what.n,
            session=_session(worker, what),
            url=self.urls[what.link],
            **what.options,
        )
        return times

    def _prepare(self, worker: Worker, what: Measurement) -> None:
        many = {"sessions": what.sessions} if what.sessions > 1 else {}
        worker.ask(
            "prepare_many" if many else "prepare",
            session=_session(worker, what),
            transcript=what.transcript,
            length=what.length,
            url=self.url,
            **many,
        )

    def _clean(self, worker: Worker) -> None:
        worker.ask("clean", session=_prefix(worker), url=self.url)

    def sizes(self, name: str) -> Results:
        """Bytes a message in the server, and whether the messages come back equal."""
        found: Results = {}
        for worker in self._present(MEMORY_CONTESTANTS):
            what = Measurement(name, "", transcript=name, length=MEMORY[name])
            self._prepare(worker, what)
            session = _session(worker, what)
            found[worker.contestant.name] = {
                "bytes": worker.ask("memory", session=session) / MEMORY[name],
                "equal": worker.ask("is_equal", session=session),
            }
            self._clean(worker)
            self.tick(f"memory, {name}")
        return found

    def server_time(self, rounds: int) -> Results:
        """Microseconds of server time of an append, round by round, by contestant."""
        names = ("floor", "ours", "legacy", "community", "agents")
        found: Results = {name: {"rounds": []} for name in names if name in self.crew.workers}
        for _ in range(self.rounds(rounds)):
            for worker in self._present(names):
                what = Measurement("server time", "append", length=100)
                self._prepare(worker, what)
                session = _session(worker, what)
                stats = worker.ask(
                    "server_time", n=SERVER_TIME_APPENDS, session=session, url=self.url
                )
                found[worker.contestant.name]["rounds"].append(_outermost(stats))
            self.tick("server time")
        for each in found.values():
            each["spread"] = Spread.of(each["rounds"]).as_dict()
        return found

    def imports(self, contestants: Iterable[Contestant], rounds: int) -> Results:
        """Milliseconds that importing this package adds to those of its dependencies."""
        found: dict[str, list[float]] = {}
        for _ in range(self.rounds(rounds)):
            for contestant in contestants:
                command = [str(python_of(contestant)), "-W", "ignore", "-c", _IMPORT]
                done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
                found.setdefault(contestant.name, []).append(int(done.stdout) / 1e6)
            self.tick("import")
        return {
            name: {"spread": Spread.of(each).as_dict(), "rounds": each}
            for name, each in found.items()
        }

    def clean(self) -> None:
        """Leave no session behind."""
        for worker in self.crew.workers.values():
            self._clean(worker)

    def proofs(self) -> Results:
        """What is no time: round trips of an append, and whether reads give copies."""
        worker = self.crew.workers["ours"]
        what = Measurement("proofs", "append", length=100)
        self._prepare(worker, what)
        found: Results = {"copies": {}}
        with Proxy(self.port) as proxy:
            ask = {"session": _session(worker, what), "url": proxy.url, "op": "append"}
            worker.ask("run", n=1, **ask)  # connects, and opens with one read
            self._prepare(worker, what)
            with proxy.counting() as count:
                worker.ask("run", n=_ONCE_ROUND_TRIPS, **ask)
            found["round trips of an append"] = (count.round_trips - 1) / _ONCE_ROUND_TRIPS
        for each in self._present(("ours", "cached")):
            self._prepare(each, what)
            copies = each.ask("gives_copies", session=_session(each, what))
            found["copies"][each.contestant.name] = copies
        self.tick("round trips and copies")
        return found


def _prefix(worker: Worker) -> str:
    return f"bench-{worker.contestant.name}-session"


def _session(worker: Worker, what: Measurement) -> str:
    return f"{_prefix(worker)}-{what.length}"


def _summed_up(rounds: Mapping[tuple[str, str], list[list[float]]]) -> Results:
    results: Results = {}
    for (measurement, contestant), each in rounds.items():
        results.setdefault(measurement, {})[contestant] = {
            "spread": Spread.of([time for times in each for time in times]).as_dict(),
            "rounds": round_medians(each),
        }
    return results


def _outermost(stats: Mapping[str, tuple[int, float]]) -> float:
    """Microseconds an append cost, from INFO commandstats.

    What ran inside a script or a transaction is part of EVALSHA's or EXEC's figure already.
    """
    outside = {"evalsha": {"evalsha"}, "exec": {"exec", "multi", "watch", "type", "time"}}
    wrapper = next((name for name in outside if name in stats), None)
    counted = outside[wrapper] if wrapper else set(stats) - {"config|resetstat", "info"}
    return sum(usec for name, (_, usec) in stats.items() if name in counted) / SERVER_TIME_APPENDS


def revision() -> str:
    """The commit that is measured, with "+" for changes on top; "unknown" outside of git."""
    try:
        commit = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"],  # noqa: S607 - whichever git is here
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        changed = subprocess.run(
            ["git", "status", "--porcelain", "src"],  # noqa: S607
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return commit + ("+" if changed else "")
