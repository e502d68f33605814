"""Measurements of a run, by all candidates in turn.

Strategy: in each round every candidate does the same small piece of work, in an order shuffled by
a seed, so that none always comes after the heaviest. The first round warms up and is not counted.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from benchmarks.measurements import LOOPBACK, Measurement
from benchmarks.results import Results
from benchmarks.spread import Spread, round_medians
from benchmarks.transcripts import SEED, make_transcript, make_turn
from benchmarks.workers import Worker
from tests.faults import Proxy

_COUNTED_CALLS = 5

_Job: TypeAlias = tuple[Measurement, Worker]


@dataclass(frozen=True)
class Run:
    """Workers and server that measurements need."""

    workers: Mapping[str, Worker]
    """Workers by the name of the candidate."""
    urls: Mapping[str, str]
    """URLs of the server by the name of the link."""
    port: int
    """Port of the server."""
    quick: bool = False

    def load(self, transcripts: Iterable[str]) -> None:
        """Send transcripts, and the two messages of a turn, to every worker."""
        for name in transcripts:
            messages = make_transcript(name)
            for worker in self.workers.values():
                worker.ask("load", name=name, messages=messages, turn=make_turn())

    def measure(self, group: Sequence[Measurement]) -> Results:
        """Return the figures of measurements of one section, by measurement and candidate."""
        jobs = [(m, self.workers[n]) for m in group for n in m.candidates if n in self.workers]
        url = self.urls[LOOPBACK]
        for measurement, worker in jobs:
            transcript, length = measurement.transcript, measurement.length
            session = _session(measurement, worker)
            worker.ask("prepare", session=session, transcript=transcript, length=length, url=url)
        once = {"memory": self._memory, "round trips": self._round_trips, "copies": self._copies}
        take = once.get(group[0].section)
        figures = [take(*job) for job in jobs] if take else self._in_rounds(jobs)
        for _, worker in jobs:
            worker.ask("clean", session=_prefix(worker), url=url)
        results: Results = {}
        for (measurement, worker), figure in zip(jobs, figures, strict=True):
            results.setdefault(measurement.name, {})[worker.candidate.name] = figure
        return results

    def _in_rounds(self, jobs: Sequence[_Job]) -> list[Results]:
        """Return the spread of all calls in microseconds, and the median of each round."""
        if not jobs:
            return []
        first, _ = jobs[0]
        rounds = max(4, first.rounds // 4) if self.quick else first.rounds
        rng = random.Random(f"{SEED} {first.name}")  # noqa: S311 - the same in every run
        taken: list[list[list[float]]] = [[] for _ in jobs]
        for number in range(rounds + 1):
            for index in rng.sample(range(len(jobs)), len(jobs)):
                measurement, worker = jobs[index]
                times = _call(measurement, worker, self.urls[measurement.link], measurement.calls)
                if number:
                    taken[index].append([nanoseconds / 1_000 for nanoseconds in times])
        return [
            {
                "spread": Spread.of([time for times in each for time in times]).as_dict(),
                "rounds": round_medians(each),
            }
            for each in taken
        ]

    def _memory(self, measurement: Measurement, worker: Worker) -> Results:
        session = _session(measurement, worker)
        return {
            "bytes": worker.ask("memory", session=session),
            "messages": measurement.length,
            "equal": worker.ask("is_equal", session=session),
        }

    def _round_trips(self, measurement: Measurement, worker: Worker) -> float:
        """Return the round trips of one call, on a connection and a session that are in use."""
        with Proxy(self.port) as proxy:

            def count(calls: int) -> int:
                with proxy.counting() as counted:
                    _call(measurement, worker, proxy.url, calls)
                return counted.round_trips

            count(1)  # connects, and has the server load scripts
            return (count(1 + _COUNTED_CALLS) - count(1)) / _COUNTED_CALLS

    def _copies(self, measurement: Measurement, worker: Worker) -> bool:
        copies: bool = worker.ask("returns_copies", session=_session(measurement, worker))
        return copies


def _call(measurement: Measurement, worker: Worker, url: str, calls: int) -> list[int]:
    """Have a worker make so many calls; return what each took in nanoseconds."""
    times: list[int] = worker.ask(
        "run",
        operation=measurement.operation,
        calls=calls,
        session=_session(measurement, worker),
        url=url,
        **measurement.options,
    )
    return times


def _prefix(worker: Worker) -> str:
    return f"bench-{worker.candidate.name}-session"


def _session(measurement: Measurement, worker: Worker) -> str:
    return f"{_prefix(worker)}-{measurement.length}"
