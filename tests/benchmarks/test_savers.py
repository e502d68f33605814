"""Benchmarks of savers. No time is judged here."""

from __future__ import annotations

from benchmarks import tables
from benchmarks.candidates import CANDIDATES
from benchmarks.checks import CHECKS, evaluate
from benchmarks.transcripts import make_transcript, make_turn
from benchmarks.workers import Worker
from tests.benchmarks.test_benchmarks import PREFIX, results, spread
from tests.plugins.servers import Servers


def test_savers_are_checked_and_shown_in_a_table_of_their_own() -> None:
    times = {"saver": spread(100), "saver-valkey": spread(200)}
    sizes = {"saver": {"bytes": 1024}, "saver-valkey": {"bytes": 102_400}}
    found = results(**{"saver's calls": times, "saver's calls at 1 ms": times}) | {
        "round trips": {"agent turn": {"saver": 7, "saver-valkey": 11}},
        "memory": {"thread of 100 turns": sizes},
    }
    outcomes = [evaluate(check, found) for check in CHECKS]
    measured = [(each.figure.median, each.verdict) for each in outcomes if each.figure]
    assert measured == [(7, "missed"), (2, "met"), (2, "met"), (0.01, "met")]
    shown = tables.savers(found).rows
    assert shown[0] == ("agent turn, round trips", "7", "11")
    assert shown[-1] == ("thread of 100 turns, memory", "1 KiB", "100 KiB")
    assert tables.times(found).rows == tables.memory(found).rows == []


def test_a_worker_of_a_saver_times_whole_turns_and_the_calls_in_them(
    servers: Servers, prefix: str
) -> None:
    session = f"{PREFIX}-{prefix.replace(':', '-')}"
    at = {"session": session, "url": servers.standalone("valkey-9.1").url}
    with Worker(CANDIDATES["saver"]) as worker:
        messages = make_transcript("chat", 12)
        worker.ask("load", name="chat", messages=messages, turn=make_turn())
        worker.ask("prepare", transcript="chat", length=12, **at)
        for operation in ("agent_turn", "saver_calls"):
            times = worker.ask("run", operation=operation, calls=3, **at)
            assert len(times) == 3
            assert all(isinstance(each, int) and each > 0 for each in times)
        assert worker.ask("is_equal", session=session) is True
        assert worker.ask("memory", session=session) > 12 * 100
        worker.ask("clean", **at)
        assert worker.ask("memory", session=session) == 0
