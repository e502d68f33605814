"""Real clusters, joined here rather than by `redis-cli --cluster create`.

Strategy: not every engine comes with a redis-cli that can do it, and that one waits by the second;
this needs only commands that Redis 5 has too, and looks at every node until all of them agree.
"""

from __future__ import annotations

import itertools

from tests.servers import install
from tests.servers.processes import HOST, Engine, Server, wait_until

SLOTS = 16384


class Cluster:
    """Primaries of one engine that share the slots, each with `replicas` replicas.

    Three of them, but one of an engine with RediSearch, which finds a node's own documents alone
    (and those only with the module any_slot).

    It takes about 2 s to start, however it is joined: a primary refuses writes for its first 2 s
    (CLUSTER_WRITABLE_DELAY, not configurable). `args` go to every node.
    """

    def __init__(
        self, engine: Engine, *args: str, replicas: int = 0, node_timeout_ms: int = 2000
    ) -> None:
        shared = ("--cluster-enabled", "yes", "--cluster-node-timeout", str(node_timeout_ms))
        self._size = 3
        if engine.has_search:
            self._size, args = 1, (*args, "--loadmodule", str(install.find_any_slot()))
        self.primaries = [Server(engine, *shared, *args) for _ in range(self._size)]
        self.replicas = [Server(engine, *shared, *args) for _ in range(self._size * replicas)]

    def __enter__(self) -> Cluster:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def nodes(self) -> list[Server]:
        """Primaries in the order of their slots, then replicas, the first of each primary first."""
        return self.primaries + self.replicas

    @property
    def ports(self) -> list[int]:
        return [node.port for node in self.nodes]

    @property
    def startup_nodes(self) -> list[tuple[str, int]]:
        """(host, port) of every node; client libraries have classes of their own for this."""
        return [(HOST, port) for port in self.ports]

    @property
    def url(self) -> str:
        return self.primaries[0].url

    def start(self) -> None:
        """Start and join the nodes; returns once every node sees the whole cluster in order."""
        for node in self.nodes:
            node.start()
        known = self.primaries[0].cli("CLUSTER", "INFO")
        if "cluster_slots_assigned:0" in known:  # else: nodes started again find each other
            self._join()
        wait_until(lambda: all(map(self._in_order, self.nodes)), "the cluster to be in order")

    def _join(self) -> None:
        for index, node in enumerate(self.primaries):
            node.cli("CLUSTER", "SET-CONFIG-EPOCH", index + 1)  # saves them settling a conflict
            slots = range(SLOTS * index // self._size, SLOTS * (index + 1) // self._size)
            for first in range(slots.start, slots.stop, 1000):
                node.cli("CLUSTER", "ADDSLOTS", *range(first, min(first + 1000, slots.stop)))
        for one, other in itertools.combinations(self.nodes, 2):  # all pairs: quicker than gossip
            one.cli("CLUSTER", "MEET", HOST, other.port)
        for index, replica in enumerate(self.replicas):
            _replicate(replica, self.primaries[index % self._size])

    def _in_order(self, node: Server) -> bool:
        state = node.cli("CLUSTER", "INFO")
        peers = [line.split()[2] for line in node.cli("CLUSTER", "NODES").splitlines()]
        return (
            "cluster_state:ok" in state
            and len(peers) == len(self.nodes)
            and not any("handshake" in flags or "fail" in flags for flags in peers)
            and sum("slave" in flags for flags in peers) == len(self.replicas)
            and node.info("master_link_status") in (None, "up")
        )

    def stop(self) -> None:
        """Shut every node down in good order; `start` brings the same cluster back."""
        for node in reversed(self.nodes):  # replicas first: a primary waits for those it has
            node.stop()

    def close(self) -> None:
        """Kill every node and delete their data."""
        for node in self.nodes:
            node.close()


def _replicate(replica: Server, primary: Server) -> None:
    name = primary.cli("CLUSTER", "MYID")
    wait_until(lambda: name in replica.cli("CLUSTER", "NODES"), f"{replica} to know {primary}")
    replica.cli("CLUSTER", "REPLICATE", name)
