"""What an agent's turn costs with each LangGraph checkpointer, and how a thread grows.

Strategy: a part of a run with a crew of its own, since savers do other work than histories; the
rounds, the turns that contestants take, and the links are the same.
"""

from __future__ import annotations

from typing import Any

from benchmarks.contestants import SAVERS
from benchmarks.crew import Worker
from benchmarks.measurements import SLOW, Measurement
from benchmarks.run import Run
from benchmarks.transcripts import transcript
from tests.faults import Proxy

Results = dict[str, Any]
GROWN_TURNS = 100
_NAME = "chat"
_OPTIONS = {"transcript": _NAME}
_COUNTED_TURNS = 5
MEASUREMENTS = (
    Measurement("saver's calls", "saver", SAVERS, _NAME, 0, n=10, rounds=20, options=_OPTIONS),
    Measurement("saver's calls at 1 ms", "saver", SAVERS, _NAME, 0, SLOW, n=10, rounds=12,
                options=_OPTIONS),
    Measurement("agent turn", "agent", SAVERS, _NAME, 0, n=10, rounds=20, options=_OPTIONS),
    Measurement("agent turn at 1 ms", "agent", SAVERS, _NAME, 0, SLOW, n=10, rounds=12,
                options=_OPTIONS),
)  # fmt: skip


def steps(run: Run) -> int:
    """How many pieces of work there are."""
    return sum(run.rounds(each.rounds) + 1 for each in MEASUREMENTS) + 2


def measure(run: Run) -> Results:
    """Round trips, times, and memory after many turns, by contestant."""
    rows = transcript(_NAME, 2 * GROWN_TURNS)
    run.crew.ask_all("load", name=_NAME, rows=rows)
    results: Results = {"times": {}, "round trips": _round_trips(run), "memory": _memory(run)}
    for each in MEASUREMENTS:
        results["times"] |= run.time([each])
    run.clean()
    return results


def _round_trips(run: Run) -> dict[str, float]:
    """Of a turn in a thread that has begun."""
    found = {}
    with Proxy(run.port) as proxy:
        for name, worker in run.crew.workers.items():

            def count(turns: int, worker: Worker = worker) -> int:
                at = {"session": f"bench-{worker.contestant.name}-counted", "url": proxy.url}
                with proxy.counting() as counted:
                    worker.ask("run", op="agent", n=turns, **at, **_OPTIONS)
                return counted.round_trips

            count(1)  # connects, and has the server learn scripts
            found[name] = (count(1 + _COUNTED_TURNS) - count(1)) / _COUNTED_TURNS
    run.tick("round trips of savers")
    return found


def _memory(run: Run) -> Results:
    """Bytes of a thread after many turns, and whether it holds what was said."""
    found: Results = {}
    for name, worker in run.crew.workers.items():
        at = {"session": f"bench-{name}-grown", "url": run.url}
        worker.ask("prepare", length=2 * GROWN_TURNS, **at, **_OPTIONS)
        found[name] = {
            "bytes": worker.ask("memory", **at),
            "equal": worker.ask("is_equal", **at, **_OPTIONS),
        }
        worker.ask("clean", **at)
    run.tick("memory of savers")
    return found
