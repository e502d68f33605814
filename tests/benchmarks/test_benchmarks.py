"""The benchmarks as a program: what they compute and show. No time is judged here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks import page, tables
from benchmarks.contestants import CONTESTANTS, ROOT, requirements
from benchmarks.crew import Crew, Worker, WorkerError
from benchmarks.measurements import MEASUREMENTS, MEMORY
from benchmarks.run import _outermost
from benchmarks.spread import Spread, ratios, round_medians
from benchmarks.transcripts import NAMES, transcript, turn
from benchmarks.verdicts import DEMANDS, MET, MISSED, OPEN, Demand, Figure, judge, verdicts
from benchmarks.worker.adapters import ADAPTERS
from tests.plugins.servers import Servers

PREFIX = "bench-test"


def spread(median: float) -> dict[str, Any]:
    return {"spread": Spread.of([median]).as_dict(), "rounds": [median] * 3}


def results(**times: dict[str, Any]) -> dict[str, Any]:
    return {"times": times, "memory": {}, "absent": {"cached": "ReadCache: not built yet"}}


# Statistics


def test_a_spread_has_the_quartiles_of_its_values() -> None:
    expected = Spread(count=5, minimum=1, first_quartile=2, median=3, third_quartile=4, maximum=5)
    assert Spread.of([5, 3, 1, 4, 2]) == expected
    assert Spread.of([7]) == Spread(1, 7, 7, 7, 7, 7)


def test_contestants_are_compared_round_by_round() -> None:
    # The second round met a machine ten times slower: the ratio of each round is 2 all the same.
    mine, theirs = round_medians([[1, 1, 9], [10, 10, 10]]), round_medians([[2, 2], [20, 20]])
    assert ratios(theirs, mine).median == 2


def test_server_time_counts_what_runs_inside_a_script_or_transaction_once() -> None:
    script = {"evalsha": (300, 6_000), "rpush": (300, 900), "pexpire": (300, 300)}
    transaction = {"multi": (300, 300), "exec": (300, 2_700), "rpush": (300, 900)}
    plain = {"rpush": (600, 900), "expire": (600, 600), "config|resetstat": (1, 50)}
    assert [_outermost(each) for each in (script, transaction, plain)] == [20, 10, 5]


# Placement

ASK_WHERE = """
import json, os, subprocess, sys
from benchmarks.placement import everywhere, keep_apart

server = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
apart = keep_apart(server.pid)
where = lambda process: sorted(os.sched_getaffinity(process))
with everywhere():
    meanwhile = where(0)
print(json.dumps([apart, where(server.pid), where(0), meanwhile]))
server.communicate()
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="Linux alone can place processes")
def test_servers_have_a_processor_to_themselves_where_there_are_two() -> None:
    processors = sorted(os.sched_getaffinity(0))
    asked = subprocess.run(
        [sys.executable, "-c", ASK_WHERE], cwd=ROOT, capture_output=True, text=True, check=True
    )
    *placed, meanwhile = json.loads(asked.stdout)
    others, own = processors[:-1], processors[-1:]
    assert placed == ([True, own, others] if others else [False, processors, processors])
    assert set(processors) <= set(meanwhile)


# Verdicts and tables


def test_a_demand_is_met_missed_or_open() -> None:
    def demand(limit: float, *, at_least: bool) -> Demand:
        return Demand("work", "times x", limit, "", lambda _: Figure(2.0), at_least)

    outcomes = [
        judge(demand(limit, at_least=at_least), {}).outcome
        for limit, at_least in ((2, True), (3, True), (2, False), (1, False))
    ]
    assert outcomes == [MET, MISSED, MET, MISSED]


def test_a_ratio_is_printed_with_its_quartiles_and_what_was_required() -> None:
    found = results(append={"ours": spread(100), "floor": spread(50), "legacy": spread(250)})
    first, second = verdicts(found)[:2]
    assert (first.demand.text, first.measured) == ("≤ 1.2 times the floor", "2 (2 to 2)")
    assert (second.outcome, second.measured) == (MET, "2.5 (2.5 to 2.5)")
    assert first.outcome == MISSED


def test_what_is_not_built_or_not_measured_is_open_and_says_so() -> None:
    reasons = {v.measured for v in verdicts(results()) if v.outcome == OPEN}
    assert reasons == {"not measured in this run", "ReadCache: not built yet"}
    assert len(verdicts(results())) == len(DEMANDS)


def test_a_missed_demand_stands_out_in_the_table() -> None:
    found = results(append={"ours": spread(100), "floor": spread(50), "legacy": spread(250)})
    assert [row[-1] for row in tables.demands(found).rows][:3] == ["**missed**", "met", "open"]


@pytest.mark.parametrize(
    ("microseconds", "expected"),
    [(0.5, "0.50 us"), (1.234, "1.23 us"), (67.71, "67.7 us"), (999.4, "999 us"),
     (1_400, "1.40 ms"), (52_340, "52.3 ms"), (1_234_567, "1,235 ms")],
)  # fmt: skip
def test_a_duration_has_three_figures_and_a_unit(microseconds: float, expected: str) -> None:
    assert tables.duration(microseconds) == expected


def test_a_table_becomes_markdown() -> None:
    table = tables.Table(("work", "us"), [("append", "100")])
    assert table.markdown() == "| work | us |\n| --- | ---: |\n| append | 100 |\n"


def test_tables_are_written_between_their_marks_and_nothing_else_changes() -> None:
    marks = "".join(f"<!-- table: {n} -->\noutdated\n<!-- end -->\nprose\n" for n in tables.TABLES)
    found = page.stored_results()
    written = page.with_tables(f"# Title\n{marks}", found)
    assert written.count("prose") == len(tables.TABLES)
    assert "outdated" not in written
    assert page.with_tables(written, found) == written
    with pytest.raises(ValueError, match="no place for the table"):
        page.with_tables("# Title\n", found)


def test_the_page_shows_the_results_that_are_stored() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.with_tables(text, page.stored_results()) == text


def test_every_plot_of_the_page_is_there_as_png_and_svg() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    plots = sorted(path.name for path in page.IMAGES.glob("benchmark_*"))
    assert len(plots) == 8
    for name in plots:
        assert name.endswith(".svg") or f"images/{name}" in text


# What is measured


def test_transcripts_are_the_same_every_time_and_begin_alike() -> None:
    for name in NAMES:
        assert transcript(name, 30) == transcript(name, 60)[:30]
    assert set(MEMORY) == set(NAMES)


def test_names_of_measurements_and_contestants_fit_together() -> None:
    names = [each.name for each in MEASUREMENTS]
    assert len(set(names)) == len(names)
    assert set(ADAPTERS) == set(CONTESTANTS)
    for each in CONTESTANTS.values():
        if each.environment:
            pins = requirements(each.environment).read_text(encoding="utf-8").splitlines()
            assert all("==" in pin for pin in pins)


# Workers


@pytest.fixture
def worker(request: pytest.FixtureRequest) -> Iterator[Worker]:
    with Worker(CONTESTANTS[request.param]) as started:
        yield started


@pytest.mark.parametrize("worker", ["ours", "floor"], indirect=True)
def test_a_worker_times_each_call_and_leaves_the_session_as_it_was(
    worker: Worker, servers: Servers, prefix: str
) -> None:
    url = servers.standalone("valkey-9.1").url
    session = {"session": f"{PREFIX}-{prefix}", "url": url}
    worker.ask("load", name="mixed", rows=transcript("mixed", 24), turn=turn())
    worker.ask("prepare", transcript="mixed", length=24, **session)
    calls: dict[str, dict[str, Any]] = {
        "append": {}, "read": {}, "reread": {}, "turns": {}, "last": {"count": 5},
    }  # fmt: skip
    for op, options in calls.items():
        times = worker.ask("run", op=op, n=2, **session, **options)
        assert len(times) == 2
        assert all(isinstance(each, int) and each > 0 for each in times)
    assert worker.ask("is_equal", session=session["session"]) is True
    assert worker.ask("memory", session=session["session"]) > 0
    worker.ask("clean", **session)


@pytest.mark.parametrize("worker", ["ours"], indirect=True)
def test_a_worker_of_ours_runs_chains_and_many_sessions_at_once(
    worker: Worker, servers: Servers, prefix: str
) -> None:
    url = servers.standalone("valkey-9.1").url
    session = {"session": f"{PREFIX}-{prefix}", "url": url}
    worker.ask("load", name="chat", rows=transcript("chat", 4), turn=turn())
    worker.ask("prepare", transcript="chat", length=4, **session)
    assert worker.ask("gives_copies", session=session["session"]) is True
    assert len(worker.ask("run", op="runnable", n=2, **session)) == 2
    worker.ask("prepare_many", transcript="chat", length=4, sessions=6, **session)
    several = worker.ask("run", op="concurrent", n=2, concurrency=3, sessions=6, **session)
    assert len(several) == 1
    stored = worker.ask("memory", session=session["session"])
    worker.ask("clean", **session)
    assert stored > 7 * 100
    assert worker.ask("memory", session=session["session"]) == 0


@pytest.mark.parametrize("worker", ["ours"], indirect=True)
def test_a_worker_says_what_went_wrong_and_goes_on(worker: Worker) -> None:
    assert worker.versions["redis"]
    with pytest.raises(WorkerError, match="ours, is_equal: KeyError"):
        worker.ask("is_equal", session="unknown")
    assert worker.ask("load", name="chat", rows=[], turn=[]) is None


def test_a_contestant_whose_server_lacks_modules_is_absent_with_the_reason() -> None:
    with Crew(["langchain-redis"], frozenset()) as crew:
        assert crew.workers == {}
        assert "RediSearch and RedisJSON" in crew.absent["langchain-redis"]
