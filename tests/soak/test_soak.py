"""Exactly once through a faulty network, in short; `make soak` is the long form."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
import redis

from tests.faults import REFUSE
from tests.plugins.servers import Servers
from tests.servers.clusters import Cluster
from tests.servers.processes import Server
from tests.soak import interrupts, leg, plan, schedules
from tests.soak.plan import Batch, Label
from tests.soak.resends import distances
from tests.soak.verify import Kind, Outcome, violations

SEED = 5
APPENDS = 2_000
WRITERS = 16
FAULT_RATE = 0.05


@pytest.fixture(scope="module", params=["standalone", "cluster"])
def ports(request: pytest.FixtureRequest, servers: Servers) -> Iterator[tuple[int, ...]]:
    """Of a server with a replica, or of the nodes of a cluster with replicas."""
    engine = servers.engine("valkey-9.1")
    if request.param == "standalone":
        with leg.replicated(engine) as server:
            yield (server.port,)
        return
    if int(redis.__version__.split(".")[0]) < 6:
        # Seen with 5.2.0: startup_nodes.pop on each connection error, until none is left.
        pytest.skip("a cluster client of redis-py 5 forgets nodes that failed and never recovers")
    with Cluster(engine, replicas=1) as cluster:
        yield tuple(cluster.ports)


@pytest.mark.slow
@pytest.mark.parametrize("by_async", [False, True], ids=["sync", "async"])
def test_every_append_is_stored_once_whole_and_in_order_through_a_faulty_network(
    ports: tuple[int, ...], by_async: bool
) -> None:
    print(f"seed {SEED}")
    result = leg.run(
        leg.Leg("ours", by_async, ports, SEED, FAULT_RATE, replicated=True),
        plan.make(SEED, APPENDS, WRITERS),
    )
    print(f"raised: {dict(result.errors)}; faults: {dict(result.injected)}")
    assert result.violations == ()
    assert result.unexpected == {}
    assert len(result.outcomes) == APPENDS
    assert set(result.injected) == {fault.name for fault in leg.FAULTS}
    on_commands = result.injected.total() - result.injected[REFUSE.name]
    assert on_commands == pytest.approx(FAULT_RATE * result.commands.total(), rel=0.5)
    assert result.commands["WAIT"]
    stored = sum(o.batch.size for o in result.outcomes if o.batch.session == plan.BOUNDED)
    assert stored > 2 * plan.BOUND
    # Which of the few that raised were repeated and which given up is up to the threads.
    assert any(outcome.raised for outcome in result.outcomes)


def test_as_release_030_appends_the_same_faults_double_and_tear_batches(servers: Servers) -> None:
    port = servers.standalone("valkey-9.1").port
    result = leg.run(
        leg.Leg("0.3.0", False, (port,), SEED, FAULT_RATE),
        plan.make(SEED, APPENDS // 4, WRITERS),
    )
    assert {"doubled", "torn"} <= {violation.kind for violation in result.violations}


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["redis-5.0", "valkey-9.1"])
def test_late_and_repeated_commands_of_mixed_writers_take_effect_once(
    servers: Servers, engine: str
) -> None:
    played = schedules.play_all(servers.standalone(engine).port, SEED, 60)
    assert played.wrong == []
    assert all(played.counts[name] for name in ("append", "clear", "truncate", "copies", "refused"))


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="signals of another kind, and no fork")
@pytest.mark.parametrize("engine", ["redis-5.0", "valkey-9.1"])
def test_appends_of_a_process_that_is_interrupted_and_forks_are_stored_once(
    servers: Servers, engine: str
) -> None:
    with Server(servers.engine(engine)) as server:
        result = interrupts.run(server, SEED, 300)
    assert result.violations == ()
    assert result.unexpected == ()
    assert result.forks == 75
    assert result.errors["Interrupt"]


# The verifier is seen red once for everything it looks for.

FIRST = Outcome(Batch(1, 0, 2, "s", is_given_up=False), is_acknowledged=True)
SECOND = Outcome(Batch(1, 1, 1, "s", is_given_up=False), is_acknowledged=True)
GIVEN_UP = Outcome(Batch(2, 0, 3, "s", is_given_up=True), is_acknowledged=False, raised=1)
OUTCOMES = (FIRST, SECOND, GIVEN_UP)
A1, A2, B = (str(Label(*parts)) for parts in ((1, 0, 1, 2), (1, 0, 2, 2), (1, 1, 1, 1)))
G1, G2, G3 = (str(Label(2, 0, part, 3)) for part in (1, 2, 3))


def kinds(*texts: str, bound: int | None = None) -> list[Kind]:
    bounds = {"s": bound} if bound else None
    return [violation.kind for violation in violations({"s": texts}, OUTCOMES, bounds)]


@pytest.mark.parametrize(
    "texts",
    [
        pytest.param((A1, A2, B), id="the batch given up is not there"),
        pytest.param((A1, A2, G1, G2, G3, B), id="the batch given up is there"),
        pytest.param((A1, A2, B, G1, G2, G3), id="the batch given up came late"),
    ],
)
def test_the_verifier_finds_nothing_wrong_with_a_good_log(texts: tuple[str, ...]) -> None:
    assert kinds(*texts) == []


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        pytest.param((B,), ["lost"], id="a lost batch"),
        pytest.param((A1, B), ["lost"], id="a lost message"),
        pytest.param((A1, A2, B, A1, A2), ["doubled"], id="a doubled batch"),
        pytest.param((A1, A1, A2, B), ["doubled"], id="a doubled message"),
        pytest.param((A1, A2, B, B), ["doubled"], id="a doubled batch of one"),
        pytest.param((A1, B, A2), ["torn"], id="a batch with another between"),
        pytest.param((A2, A1, B), ["torn"], id="a batch turned round"),
        pytest.param((A1, A2, A1, B, A2), ["doubled"], id="a torn copy of a whole batch"),
        pytest.param((A1, A2, G1, G3, B), ["torn"], id="half of a batch given up"),
        pytest.param((A1, A2, B, G1), ["torn"], id="the beginning of a batch given up"),
        pytest.param((A1, A2, *[G1, G2, G3] * 2, B), ["doubled"], id="a batch given up, twice"),
        pytest.param((B, A1, A2), ["out of order"], id="a writer's batches turned round"),
        pytest.param((A1, A2, B, "hello"), ["strange"], id="a message of nobody"),
        pytest.param(
            (A1, A2, B, str(Label(3, 0, 1, 1))), ["strange"], id="a message of another session"
        ),
    ],
)
def test_the_verifier_names_what_is_wrong(texts: tuple[str, ...], expected: list[Kind]) -> None:
    assert kinds(*texts) == expected


@pytest.mark.parametrize(
    ("texts", "bound", "expected"),
    [
        pytest.param((A1, A2, B), 3, [], id="full"),
        pytest.param((A2, B), 2, [], id="half of a batch cut off"),
        pytest.param((G3, B), 2, [], id="half of a batch given up cut off"),
        pytest.param((B,), 1, [], id="a batch cut off"),
        pytest.param((B,), 2, ["lost"], id="a batch lost before the bound was reached"),
        pytest.param((A1, A2), 2, ["lost"], id="a newer batch lost"),
        pytest.param((A1, B), 2, ["lost"], id="a message lost"),
        pytest.param((B, B), 2, ["doubled"], id="a doubled batch"),
        pytest.param((A1, A2, B), 2, ["strange"], id="more than its bound"),
    ],
)
def test_the_verifier_asks_of_a_bounded_log_what_its_end_must_hold(
    texts: tuple[str, ...], bound: int, expected: list[Kind]
) -> None:
    assert kinds(*texts, bound=bound) == expected


def test_a_violation_says_which_batch_where() -> None:
    (found,) = violations({"s": [A1, A2, B, A1, A2]}, OUTCOMES)
    assert str(found) == "doubled: batch 0 of writer 1 (2 messages) at 1: 0, 2: 1, 1: 3, 2: 4 in s"


def test_a_missing_session_is_missed() -> None:
    assert [violation.kind for violation in violations({}, [FIRST])] == ["lost"]


def test_a_plan_is_the_same_for_the_same_seed() -> None:
    assert plan.make(1, 1000, 12) == plan.make(1, 1000, 12)
    assert plan.make(1, 1000, 12) != plan.make(2, 1000, 12)


def test_distances_are_the_entries_pushed_since_a_stored_batch() -> None:
    def call(*texts: str) -> bytes:
        return f'+1.5 [0 127.0.0.1:9] "EVALSHA" "ab" "1" "soak:k" "{"".join(texts)}"'.encode()

    def push(*texts: str) -> bytes:
        return f'+1.5 [0 lua] "RPUSH" "soak:k" "{"".join(texts)}"'.encode()

    said = [call(A1, A2), call(A1, A2), push(A1, A2), call(B), push(B), call(A1, A2), call(B)]
    assert distances(said) == [(1, 1), (1, 0)]
