"""One leg of a soak: a plan, a pattern, a kind of client and a place, from start to verdict.

Strategy: clients are connected in calm; then each command meets a fault with the given
probability. In the end the network is calm again and everything it still held back has arrived
before the log is read, past the network, by a client of its own.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import redis

from langchain_google_memorystore_redis import MemorystoreChatMessageHistory
from tests.faults import (
    CUT_AFTER_PARTIAL_REPLY,
    CUT_BEFORE,
    CUT_DURING,
    DROP_REPLY,
    REFUSE,
    STALL,
    ClusterProxy,
    Proxy,
    delay,
    late,
)
from tests.servers.processes import HOST, Engine, Server, wait_until
from tests.soak import clients, writers
from tests.soak.patterns import PATTERNS
from tests.soak.plan import BOUND, BOUNDED, Writer
from tests.soak.resends import Monitor, distances
from tests.soak.verify import Outcome, Violation, violations
from tests.soak.writers import Tally

FAULTS = (
    DROP_REPLY,
    CUT_BEFORE,
    CUT_DURING,
    CUT_AFTER_PARTIAL_REPLY,
    STALL,
    REFUSE,
    delay(clients.SOCKET_TIMEOUT / 5),
    late(clients.SOCKET_TIMEOUT * 1.5),  # so that a second try overtakes the first
)


@dataclass(frozen=True, slots=True)
class Leg:
    """What is run where."""

    pattern: str
    by_async: bool
    ports: tuple[int, ...]
    """Of the nodes of a cluster, or the one of a server."""
    seed: int
    fault_rate: float
    replicated: bool = False
    """Whether each primary has a replica, which some writers wait for."""
    watch: bool = False
    """Listen for resends; it costs the server some of its speed."""
    is_redis_5: bool = False
    """Whether the server knows RESP2 only, which redis-py 8 must be told."""

    @property
    def client_options(self) -> dict[str, Any]:
        """What the server needs, apart from redis-py's defaults."""
        return {"protocol": 2} if self.is_redis_5 else {}

    @property
    def is_cluster(self) -> bool:
        return len(self.ports) > 1

    @property
    def name(self) -> str:
        where = "cluster" if self.is_cluster else "standalone"
        return f"{where} {'async' if self.by_async else 'sync'}"

    def key(self, session: str) -> str:
        """A session's key: legs on the same server do not meet."""
        return f"soak:{self.seed}:{self.pattern}:{self.by_async}:{session}"


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a leg."""

    leg: Leg
    outcomes: tuple[Outcome, ...]
    violations: tuple[Violation, ...]
    errors: Counter[str]
    unexpected: dict[str, str]
    injected: Counter[str]
    commands: Counter[str]
    seconds: float
    resends: tuple[tuple[int, int], ...]
    """Writer and distance of each stored batch that was sent again."""
    given_up_but_stored: int


@contextmanager
def replicated(engine: Engine) -> Iterator[Server]:
    """A primary with a replica that has caught up."""
    with (
        Server(engine) as primary,
        Server(engine, "--replicaof", HOST, str(primary.port)) as replica,
    ):
        wait_until(lambda: replica.info("master_link_status") == "up", "the replica")
        yield primary


def run(leg: Leg, plan: Sequence[Writer]) -> Result:
    """Carry out the plan and verify the log; removes the log."""
    with ExitStack() as stack:
        monitors = [stack.enter_context(Monitor(port)) for port in leg.ports if leg.watch]
        network = ClusterProxy(leg.ports) if leg.is_cluster else Proxy(leg.ports[0])
        with network:
            before = time.monotonic()
            tallies = _write(leg, network, plan)
            seconds = time.monotonic() - before
            wait_until(lambda: not _links(network), "what the network held back to arrive")
            injected = Counter({fault.name: n for fault, n in network.injected.items()})
            commands = Counter(network.commands)
    outcomes = tuple(outcome for tally in tallies for outcome in tally.outcomes)
    logs = _read(leg, plan)
    bounds = {BOUNDED: BOUND} if leg.pattern == "ours" else {}
    lines = (line for monitor in monitors for line in monitor.lines)
    return Result(
        leg=leg,
        outcomes=outcomes,
        violations=tuple(violations(logs, outcomes, bounds)),
        errors=sum((tally.errors for tally in tallies), Counter()),
        unexpected={name: text for tally in tallies for name, text in tally.unexpected.items()},
        injected=injected,
        commands=commands,
        seconds=seconds,
        resends=tuple(distances(lines)),
        given_up_but_stored=_given_up_but_stored(outcomes, logs),
    )


def _links(network: Proxy | ClusterProxy) -> int:
    nodes = network.nodes.values() if isinstance(network, ClusterProxy) else (network,)
    return sum(len(node.settings.links) for node in nodes)


def _write(leg: Leg, network: Proxy | ClusterProxy, plan: Sequence[Writer]) -> list[Tally]:
    if leg.by_async:
        return asyncio.run(_awrite(leg, network, plan))
    with clients.blocking(network, **leg.client_options) as made:
        network.chaos(leg.fault_rate, leg.seed, FAULTS)
        tallies = writers.write_in_threads(_work(leg, made, plan), leg.key)
        network.calm()
        return tallies


async def _awrite(leg: Leg, network: Proxy | ClusterProxy, plan: Sequence[Writer]) -> list[Tally]:
    async with clients.awaitable(network, **leg.client_options) as made:
        network.chaos(leg.fault_rate, leg.seed, FAULTS)
        tallies = await writers.write_in_tasks(_work(leg, made, plan), leg.key)
        network.calm()
        return tallies


def _work(leg: Leg, made: clients.Clients, plan: Sequence[Writer]) -> writers.Work:
    pattern = PATTERNS[leg.pattern]
    return [
        (writer, pattern(made.of(writer.client_retries), writer, leg.replicated)) for writer in plan
    ]


def _read(leg: Leg, plan: Sequence[Writer]) -> dict[str, list[str]]:
    """The texts of every session; this package reads what 0.3.0 writes as well."""
    make: Any = redis.RedisCluster if leg.is_cluster else redis.Redis
    logs = {}
    with make(host="127.0.0.1", port=leg.ports[0], protocol=2) as client:
        for session in sorted({batch.session for writer in plan for batch in writer.batches}):
            history = MemorystoreChatMessageHistory(client, leg.key(session))
            logs[session] = [str(message.content) for message in history]
            history.clear()
    return logs


def _given_up_but_stored(outcomes: Sequence[Outcome], logs: dict[str, list[str]]) -> int:
    stored = {text for texts in logs.values() for text in texts}
    return sum(
        not outcome.is_acknowledged and str(outcome.batch.messages()[0].content) in stored
        for outcome in outcomes
    )
