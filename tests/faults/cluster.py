"""A proxy in front of every node of a cluster.

Strategy: a client learns the nodes' real addresses from the nodes themselves, so
one proxy it was pointed at would be left behind at once. Two ways lead it back.
`address_remap` translates the topology it reads. Redirections, which redis-py
and valkey-py follow without asking `address_remap`, are rewritten on their way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any

from tests.faults.clock import LoopThread
from tests.faults.controls import Controls
from tests.faults.proxy import Proxy

_REDIRECTION = re.compile(rb"-(MOVED|ASK) (\d+) \S*:(\d+)\r\n")


class ClusterProxy(Controls):
    """A faulty network between clients and a cluster; open from `with` to its end.

    Faults, chaos and figures are those of all nodes together; `node(port)` has its
    own. Hand clients `port` to start from, and `address_remap`.
    """

    def __init__(
        self, ports: Sequence[int], host: str = "127.0.0.1", *, latency: float = 0.0
    ) -> None:
        if not ports:
            raise ValueError("a cluster has at least one node")
        self._thread = LoopThread()  # one for all: threads would only wait for one another
        self.nodes = {
            port: Proxy(port, host, latency=latency, thread=self._thread) for port in ports
        }
        super().__init__([node.settings for node in self.nodes.values()])
        for node in self.nodes.values():
            node.settings.readdress = self._readdress

    @property
    def port(self) -> int:
        """The first node's, to start from."""
        return next(iter(self.nodes.values())).port

    @property
    def url(self) -> str:
        """The first node's, to start from."""
        return next(iter(self.nodes.values())).url

    @property
    def client_options(self) -> dict[str, Any]:
        """What a client needs beside the port."""
        return {"address_remap": self.address_remap}

    def node(self, port: int) -> Proxy:
        """The proxy in front of the node whose real port is `port`."""
        return self.nodes[port]

    def address_remap(self, address: tuple[str, int]) -> tuple[str, int]:
        """A node's real address to its proxy's; any other stays. For `RedisCluster`."""
        node = self.nodes.get(address[1])
        return address if node is None else ("127.0.0.1", node.port)

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Every node is gone: connections are cut, and new ones refused, until the end."""
        with ExitStack() as stack:
            for node in self.nodes.values():
                stack.enter_context(node.refusing())
            yield

    def cut(self) -> None:
        """Cut every connection now open, whatever is on its way."""
        for node in self.nodes.values():
            node.cut()

    def close(self) -> None:
        """Cut every connection and stop listening; raises what went wrong inside a proxy."""
        for node in self.nodes.values():
            node.close()
        self._thread.close()

    def __enter__(self) -> ClusterProxy:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _readdress(self, reply: bytes) -> bytes:
        found = _REDIRECTION.fullmatch(reply)
        node = self.nodes.get(int(found[3])) if found else None
        if found is None or node is None:
            return reply
        return b"-%s %s 127.0.0.1:%d\r\n" % (found[1], found[2], node.port)
