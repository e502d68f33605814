"""Benchmarks as a program: their figures, tables and workers. No time is judged here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks import page, tables
from benchmarks import results as stored
from benchmarks.candidates import CANDIDATES, REQUIREMENTS, ROOT, find_absent
from benchmarks.checks import CHECKS, Check, evaluate
from benchmarks.measurements import MEASUREMENTS, group, select
from benchmarks.spread import Spread, ratios, round_medians
from benchmarks.transcripts import TRANSCRIPTS, make_transcript, make_turn
from benchmarks.worker.histories import HistoryOperations, server_time
from benchmarks.worker.savers import SaverOperations
from benchmarks.workers import Worker, WorkerError
from tests.plugins.servers import Servers

PREFIX = "bench-test"


def spread(median: float) -> dict[str, Any]:
    return {"spread": Spread.of([median]).as_dict(), "rounds": [median] * 3}


def results(**times: dict[str, Any]) -> dict[str, Any]:
    return {"times": times, "absent": {"langchain-redis": "needs RediSearch"}}


# Statistics


def test_a_spread_has_the_quartiles_of_its_values() -> None:
    expected = Spread(count=5, minimum=1, first_quartile=2, median=3, third_quartile=4, maximum=5)
    assert Spread.of([5, 3, 1, 4, 2]) == expected
    assert Spread.of([7]) == Spread(1, 7, 7, 7, 7, 7)


def test_candidates_are_compared_round_by_round() -> None:
    # The second round met a machine ten times slower: the ratio of each round is 2 all the same.
    mine, theirs = round_medians([[1, 1, 9], [10, 10, 10]]), round_medians([[2, 2], [20, 20]])
    assert ratios(theirs, mine).median == 2


def test_server_time_counts_what_runs_inside_a_script_or_transaction_once() -> None:
    script = {"evalsha": 20, "rpush": 3, "pexpire": 1}
    transaction = {"multi": 1, "exec": 9, "rpush": 3}
    plain = {"rpush": 3, "expire": 2, "config|resetstat": 50}
    assert [server_time(each) for each in (script, transaction, plain)] == [20, 10, 5]


# Placement

ASK_WHERE = """
import json, os, subprocess, sys
from benchmarks.placement import all_processors, separate

server = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
separate_processor = separate(server.pid)
where = lambda process: sorted(os.sched_getaffinity(process))
with all_processors():
    meanwhile = where(0)
print(json.dumps([separate_processor, where(server.pid), where(0), meanwhile]))
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


# Checks and tables


TIMES = {"ours": spread(100), "redis-py": spread(50), "legacy": spread(250)}


@pytest.mark.parametrize(
    ("operator", "limit", "verdict"),
    [("≥", 2, "met"), ("≥", 3, "missed"), ("≤", 2, "met"), ("≤", 1, "missed"), ("=", 2, "met"),
     ("=", 1, "missed")],
)  # fmt: skip
def test_a_check_is_met_or_missed(operator: Any, limit: float, verdict: str) -> None:
    check = Check("work", "round trips/append/ours", "", operator, limit, "round trips")
    outcome = evaluate(check, {"absent": {}, "round trips": {"append": {"ours": 2}}})
    assert outcome.verdict == verdict


def test_a_ratio_is_shown_with_its_quartiles_and_what_was_required() -> None:
    rows = [row[1:] for row in tables.checks(results(append=TIMES)).rows]
    assert rows[0] == ("≤ 1.2 times redis-py alone", "2 (2 to 2)", "**missed**")
    assert rows[1] == ("≥ 2.2 times faster than 0.3.0", "2.5 (2.5 to 2.5)", "met")
    assert rows[2] == ("≤ 1 round trip", "not measured in this run", "open")


def test_what_was_not_measured_is_open_and_says_why() -> None:
    found = results(**{"read 1,000": {"ours": spread(100)}})
    outcomes = [evaluate(check, found) for check in CHECKS]
    assert {outcome.verdict for outcome in outcomes} == {"open"}
    reasons = {outcome.reason for outcome in outcomes}
    assert reasons == {"not measured in this run", "needs RediSearch"}


def test_every_check_names_figures_that_a_full_run_has() -> None:
    measured = {
        f"{each.section}/{each.name}/{name}" for each in MEASUREMENTS for name in each.candidates
    }
    for check in CHECKS:
        for path in filter(None, (check.candidate, check.baseline)):
            assert "/".join(path.split("/")[:3]) in measured


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
    found = stored.load()
    written = page.insert_tables(f"# Title\n{marks}", found)
    assert written.count("prose") == len(tables.TABLES)
    assert "outdated" not in written
    assert page.insert_tables(written, found) == written
    with pytest.raises(ValueError, match="no place for the table"):
        page.insert_tables("# Title\n", found)


def test_the_page_shows_the_results_that_are_stored() -> None:
    text = page.PATH.read_text(encoding="utf-8")
    assert page.insert_tables(text, stored.load()) == text


def test_every_plot_of_the_page_is_there_as_png_and_svg() -> None:
    text = page.PATH.read_text(encoding="utf-8")
    plots = sorted(path.name for path in page.IMAGES.glob("benchmark_*"))
    assert len(plots) == 8
    for name in plots:
        assert name.endswith(".svg") or f"images/{name}" in text


# What is measured


def test_transcripts_are_the_same_every_time_and_longer_ones_continue_shorter_ones() -> None:
    for name in TRANSCRIPTS:
        assert make_transcript(name, 30) == make_transcript(name, 60)[:30]


def test_measurements_are_distinct_and_name_candidates_and_operations() -> None:
    names = [each.full_name for each in MEASUREMENTS]
    assert len(set(names)) == len(names)
    for each in MEASUREMENTS:
        for candidate in (CANDIDATES[name] for name in each.candidates):
            operations = SaverOperations if candidate.is_saver else HistoryOperations
            assert not each.operation or hasattr(operations, f"_time_{each.operation}")


def test_measurements_are_selected_by_the_beginning_of_their_names() -> None:
    assert {each.section for each in select(only=["memory"])} == {"memory"}
    names = [[each.name for each in members] for members in group(select(only=["append to"]))]
    assert names == [["append to 10", "append to 100,000"]]
    assert 0 < len(select(quick=True)) < len(select())


def test_environments_of_candidates_are_pinned() -> None:
    for path in REQUIREMENTS.iterdir():
        assert path.stem in CANDIDATES
        assert all("==" in pin for pin in path.read_text(encoding="utf-8").splitlines())


# Workers


@pytest.fixture
def worker(request: pytest.FixtureRequest) -> Iterator[Worker]:
    with Worker(CANDIDATES[request.param]) as started:
        yield started


@pytest.mark.parametrize("worker", ["ours", "redis-py"], indirect=True)
def test_a_worker_times_each_call_and_leaves_the_session_as_it_was(
    worker: Worker, servers: Servers, prefix: str
) -> None:
    url = servers.standalone("valkey-9.1").url
    session = {"session": f"{PREFIX}-{prefix}", "url": url}
    worker.ask("load", name="mixed", messages=make_transcript("mixed", 24), turn=make_turn())
    worker.ask("prepare", transcript="mixed", length=24, **session)
    calls: dict[str, dict[str, Any]] = {
        "append": {}, "append_many": {"count": 30}, "read": {}, "read_again": {}, "turn": {},
        "read_last": {"count": 5},
    }  # fmt: skip
    for operation, options in calls.items():
        times = worker.ask("run", operation=operation, calls=2, **session, **options)
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
    worker.ask("load", name="chat", messages=make_transcript("chat", 4), turn=make_turn())
    worker.ask("prepare", transcript="chat", length=4, **session)
    assert worker.ask("returns_copies", session=session["session"]) is True
    assert len(worker.ask("run", operation="chain_turn", calls=2, **session)) == 2
    assert len(worker.ask("run", operation="append_in_server", calls=2, **session)) == 1
    options = {"concurrency": 3, "sessions": 6}
    times = worker.ask("run", operation="concurrent_turns", calls=2, **session, **options)
    assert len(times) == 1
    assert worker.ask("memory", session=session["session"]) > 7 * 100
    worker.ask("clean", **session)
    assert worker.ask("memory", session=session["session"]) == 0


@pytest.mark.process
@pytest.mark.parametrize("worker", ["ours"], indirect=True)
def test_a_worker_says_what_went_wrong_and_goes_on(worker: Worker) -> None:
    assert worker.versions["redis"]
    with pytest.raises(WorkerError, match="ours, is_equal: KeyError"):
        worker.ask("is_equal", session="unknown")
    assert worker.ask("load", name="chat", messages=[], turn=[]) is None


def test_a_candidate_whose_server_lacks_modules_is_absent_with_the_reason() -> None:
    absent = find_absent(["ours", "langchain-redis"], {"search"})
    assert absent.keys() == {"langchain-redis"}
    assert "RediSearch and RedisJSON" in absent["langchain-redis"]
