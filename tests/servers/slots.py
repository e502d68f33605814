"""A cluster slot on its way from one primary to another, as a resharding tool moves it.

Strategy: the steps are apart, so that a test can act between any two of them. `CLUSTER SETSLOT` and
`MIGRATE` exist from Redis 3.0 on; Valkey 9 also moves slots whole (`move_atomically`).
"""

from __future__ import annotations

from types import TracebackType

from tests.servers.clusters import Cluster
from tests.servers.processes import HOST, Server, wait_until


class SlotMove:
    """The move of the slot of a key to the primary after the one that has it."""

    def __init__(self, cluster: Cluster, key: str) -> None:
        self._cluster = cluster
        self.slot: int = cluster.primaries[0].cli("CLUSTER", "KEYSLOT", key)
        self.source = self._owner()
        position = cluster.primaries.index(self.source)
        self.target = cluster.primaries[(position + 1) % len(cluster.primaries)]

    def __enter__(self) -> SlotMove:
        """Begin: the slot is MIGRATING at its source and IMPORTING at its target."""
        self.target.cli("CLUSTER", "SETSLOT", self.slot, "IMPORTING", _name(self.source))
        self.source.cli("CLUSTER", "SETSLOT", self.slot, "MIGRATING", _name(self.target))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.finish()

    def move(self, *keys: str) -> None:
        """Move some keys of the slot; the others stay where they are."""
        for key in keys:
            self.source.cli("MIGRATE", HOST, self.target.port, key, 0, 5000)

    def finish(self) -> None:
        """Move all keys that are left, and tell every primary who has the slot now."""
        while keys := self.source.cli("CLUSTER", "GETKEYSINSLOT", self.slot, 100):
            self.move(*keys)
        # The target first, then the source: otherwise both may give the slot away.
        others = [node for node in self._cluster.primaries if node is not self.source]
        others.sort(key=lambda node: node is not self.target)
        for node in (*others[:1], self.source, *others[1:]):
            node.cli("CLUSTER", "SETSLOT", self.slot, "NODE", _name(self.target))

    def _owner(self) -> Server:
        for node in self._cluster.primaries:
            for first, last, *_ in _own_slots(node):
                if first <= self.slot <= last:
                    return node
        raise LookupError(f"nobody has slot {self.slot}")


def move_atomically(cluster: Cluster, slot: int) -> None:
    """Move a slot with all its keys by `CLUSTER MIGRATESLOTS`, which Valkey has from 9.0 on."""
    source = next(
        node
        for node in cluster.primaries
        if any(first <= slot <= last for first, last in _own_slots(node))
    )
    position = cluster.primaries.index(source)
    target = cluster.primaries[(position + 1) % len(cluster.primaries)]
    source.cli("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", _name(target))
    wait_until(
        lambda: any(first <= slot <= last for first, last in _own_slots(target)),
        f"slot {slot} to move to {target}",
    )


def _name(node: Server) -> str:
    name: str = node.cli("CLUSTER", "MYID")
    return name


def _own_slots(node: Server) -> list[tuple[int, int]]:
    """Return the ranges of slots that a primary says are its own."""
    (own,) = (line for line in node.cli("CLUSTER", "NODES").splitlines() if "myself" in line)
    ranges = [part for part in own.split()[8:] if not part.startswith("[")]
    bounds = [part.partition("-") for part in ranges]
    return [(int(first), int(last or first)) for first, _, last in bounds]
