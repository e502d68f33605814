"""The part of the benchmarks that compares savers. No time is judged here."""

from __future__ import annotations

from benchmarks import tables
from benchmarks.contestants import CONTESTANTS
from benchmarks.crew import Worker
from benchmarks.transcripts import transcript
from benchmarks.verdicts import MET, MISSED, OPEN, verdicts
from tests.benchmarks.test_benchmarks import PREFIX, results, spread
from tests.plugins.servers import Servers


def test_savers_are_judged_by_their_own_part_of_a_run() -> None:
    names = ("saver", "saver-valkey")
    times = {name: spread(median) for name, median in zip(names, (100, 200), strict=True)}
    sizes = {name: {"bytes": size} for name, size in zip(names, (1024, 102_400), strict=True)}
    measured = {"saver's calls": times, "saver's calls at 1 ms": times}
    part = {"times": measured, "round trips": {"saver": 7, "saver-valkey": 11}, "memory": sizes}
    found = results() | {"savers": part}
    judged = [(v.measured, v.outcome) for v in verdicts(found) if v.outcome != OPEN]
    assert judged == [("7", MISSED), ("2 (2 to 2)", MET), ("2 (2 to 2)", MET), ("0.01", MET)]
    shown = tables.savers(found).rows
    assert shown[0] == ("round trips of a turn", "7", "11")
    assert shown[-1] == ("memory of a thread after 100 turns", "1 KiB", "100 KiB")


def test_a_worker_of_a_saver_times_whole_turns_and_the_calls_in_them(
    servers: Servers, prefix: str
) -> None:
    at = {
        "session": f"{PREFIX}-{prefix.replace(':', '-')}",
        "url": servers.standalone("valkey-9.1").url,
    }
    with Worker(CONTESTANTS["saver"]) as worker:
        worker.ask("load", name="chat", rows=transcript("chat", 12))
        for op in ("agent", "saver"):
            times = worker.ask("run", op=op, n=3, transcript="chat", **at)
            assert len(times) == 3
            assert all(isinstance(each, int) and each > 0 for each in times)
        worker.ask("prepare", transcript="chat", length=12, **at)
        assert worker.ask("is_equal", transcript="chat", **at) is True
        assert worker.ask("memory", **at) > 12 * 100
        worker.ask("clean", **at)
        assert worker.ask("memory", **at) == 0
