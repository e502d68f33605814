"""Operations on one thread whose calls to the server are taken apart and mixed.

Strategy: an operation is a flow of calls, so one process can run any number of operations at once,
call by call, in an order that a seed decides; what a race does once in a million runs is a test
that fails each time. After every call the thread must be whole, and read as it was put.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from langgraph.checkpoint.base.id import uuid6

from langchain_google_memorystore_redis import MemorystoreSaver
from langchain_google_memorystore_redis._checkpoint.operations import CheckpointOps
from langchain_google_memorystore_redis._checkpoint.pages import CheckpointAddress
from langchain_google_memorystore_redis._checkpoint.values import (
    from_stored,
    split_fields,
)
from langchain_google_memorystore_redis._redis.op import Op
from langchain_google_memorystore_redis._redis.runners import Runner
from tests.checkpoint.savers import config_of, keys_of

TEXTS = [f"{number:03}" * 60 for number in range(40)]
"""Elements that different lists share, each large enough to be stored on its own."""


class Running:
    """An operation on its way: `advance` makes its next call to the server."""

    def __init__(self, runner: Runner, flow: Any) -> None:
        self._runner = runner
        self._flow = flow
        self._answer: Any = None

    def advance(self) -> bool:
        """Make one call; False at the end, when there was none left to make."""
        try:
            step = self._flow.send(self._answer)
        except StopIteration:
            return False
        self._answer = self._runner.run(step) if isinstance(step, Op) else (None,)
        return True

    def finish(self) -> None:
        """Make all calls that are left."""
        while self.advance():
            pass


@dataclass
class Thread:
    """A thread, what was put into it, and its operations as flows."""

    client: Any
    prefix: str
    name: str = "t"
    put_values: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    """What was put or may be yet, by namespace and id of the checkpoint."""
    versions: dict[tuple[str, ...], dict[str, str]] = field(default_factory=dict)
    """Versions of the channels of what was first put, by the same."""
    pending: dict[tuple[str, ...], list[tuple[str, str, Any]]] = field(default_factory=dict)
    """Pending writes, by the same."""

    def __post_init__(self) -> None:
        self.saver = MemorystoreSaver(self.client, key_prefix=self.prefix)
        self.ops: CheckpointOps = self.saver._ops
        self.runner = Runner(self.client)

    def run(self, flow: Any) -> Running:
        """Return an operation that has made no call yet."""
        return Running(self.runner, flow)

    def put(
        self,
        values: dict[str, Any],
        new: set[str],
        parent: CheckpointAddress | None = None,
        *,
        namespace: str = "",
        checkpoint_id: str | None = None,
        metadata: dict[str, Any] | None = None,
        also: Iterable[str] = (),
    ) -> tuple[CheckpointAddress, Running]:
        """Return the address of a new checkpoint, and the operation that puts it.

        The channels in `new` have new versions; the values of the others are the parent's. The
        channels in `also` have a version and no value.
        """
        id_ = checkpoint_id or str(uuid6(clock_seq=-1))
        parent = parent or CheckpointAddress(self.name, namespace, "")
        address = parent._replace(checkpoint_id=id_)
        before, version = self.versions.get(parent[1:], {}), str(uuid6())
        versions = {each: version if each in new else before.get(each, version) for each in values}
        versions |= {each: version for each in also if each not in versions}
        self.versions.setdefault(address[1:], versions)
        self.put_values.setdefault(address[1:], []).append(values)
        checkpoint = {"v": 4, "id": id_, "channel_values": values, "channel_versions": versions}
        new_versions = {each: versions[each] for each in new}
        flow = self.ops.put(parent, checkpoint, metadata or {}, new_versions)
        return address, self.run(flow)

    def put_writes(self, address: CheckpointAddress, writes: list[tuple[str, Any]]) -> Running:
        """Return the operation that puts pending writes of a checkpoint."""
        self.pending[address[1:]] = [("task", *write) for write in writes]
        indexed = [(index, *write) for index, write in enumerate(writes)]
        return self.run(self.ops.put_writes(address, "task", "", indexed))

    def prune(self) -> Running:
        """Return the operation that prunes the thread."""
        return self.run(self.ops.prune([self.name], "keep_latest"))

    def check(self, *, with_writes: bool = True) -> set[tuple[str, str]]:
        """Check that the thread is whole; returns the addresses of its checkpoints."""
        index = self.client.zrange(keys_of(self.prefix, self.name)[0], 0, -1)
        data = self.data()
        assert set(index) == {name for name in data if name[:1] in b"cw"}
        listed = list(self.saver.list({"configurable": {"thread_id": self.name}}))
        read = {
            (found.config["configurable"]["checkpoint_ns"], found.checkpoint["id"]): found
            for found in listed
        }
        for address, found in read.items():
            assert found.checkpoint["channel_values"] in self.put_values[address]
            if with_writes and not address[0]:
                assert found.pending_writes == self.pending.get(address, [])
        return set(read)

    def histories(self) -> dict[tuple[str, str], Any]:
        """Return what the channel "log" is made from where it has no value of its own."""
        found = {}
        listed = list(self.saver.list(config_of(self.name)))
        for each in (each for each in listed if "log" not in each.checkpoint["channel_values"]):
            history = self.saver.get_delta_channel_history(config=each.config, channels=["log"])
            found["", each.checkpoint["id"]] = history
        return found

    def garbage(self) -> set[bytes]:
        """Return the fields that no checkpoint needs, the state of a sweep included."""
        data = self.data()
        records = [raw for name, raw in data.items() if name[:1] == b"c"]
        return (
            set(data) - set(_needed(data, records)) - {name for name in data if name[:1] in b"cw"}
        )

    def data(self) -> dict[bytes, bytes]:
        """Return everything that is stored of the thread."""
        found: dict[bytes, bytes] = self.client.hgetall(keys_of(self.prefix, self.name)[1])
        return found


def _needed(data: dict[bytes, bytes], records: list[bytes]) -> Iterator[bytes]:
    """Yield the fields that records refer to, found another way than the scripts do."""
    for raw in records:
        head, _, rest = raw.partition(b"\0\0")
        count = sum(part[:1] == b"v" for part in head.split(b"\0"))
        yield from _with_elements(data, split_fields(rest[: 17 * count]))


def _with_elements(data: dict[bytes, bytes], fields: list[bytes]) -> Iterator[bytes]:
    for each in fields:
        yield each
        if each[:1] == b"l":
            yield from _with_elements(data, split_fields(from_stored(data[each])))
