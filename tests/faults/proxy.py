"""A TCP proxy in front of one server, listening on a port of its own.

Strategy: this file owns the listener, the loop's thread and their ends; what
happens on a connection is the link's affair, and what may be asked is in Controls.
Plain text only: bytes inside TLS could not be cut into commands.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from tests.faults.clock import LoopThread
from tests.faults.controls import Controls
from tests.faults.link import Link, Settings

_HOST = "127.0.0.1"


class Proxy(Controls):
    """A faulty network between clients and one server; open from `with` to its end.

    `latency` is the link's round-trip time in seconds. The proxy's own work comes
    on top of it. Measured, a GET over loopback, medians: 0.04 ms without a proxy,
    0.1 to 0.2 ms with one, 1.23 to 1.4 ms at a latency of 0.001; a pipeline of
    1,000 takes 9 ms more than without, 8 MB of reply 3 ms more. Opening a
    connection takes no such time, and bandwidth is not limited.
    """

    def __init__(
        self,
        upstream_port: int,
        upstream_host: str = _HOST,
        *,
        latency: float = 0.0,
        thread: LoopThread | None = None,
    ) -> None:
        self.settings = Settings((upstream_host, upstream_port), [], [], latency)
        super().__init__([self.settings])
        self._own_thread = thread is None
        self._thread = thread or LoopThread()
        self._port_holder = _hold_a_port()
        self.port: int = self._port_holder.getsockname()[1]
        if sys.platform != "linux":  # elsewhere the listener could not bind it as well
            self._port_holder.close()
        self._listener: asyncio.Server | None = None
        self._thread.call(self._listen())

    @property
    def url(self) -> str:
        """Where clients connect to."""
        return f"redis://{_HOST}:{self.port}"

    @property
    def client_options(self) -> dict[str, Any]:
        """What a client needs beside the port: nothing."""
        return {}

    def __enter__(self) -> Proxy:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Cut every connection and stop listening; raises what went wrong inside the proxy."""
        self._thread.call(self._unlisten())
        self._thread.call(self._cut_all())
        self._port_holder.close()
        if self._own_thread:
            self._thread.close()

    def cut(self) -> None:
        """Cut every connection now open, whatever is on its way."""
        self._thread.call(self._cut_all())

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """The server is gone: connections are cut, and new ones refused, until the end."""
        self._thread.call(self._unlisten())
        self._thread.call(self._cut_all())
        try:
            yield
        finally:
            self._thread.call(self._listen())

    async def _listen(self) -> None:
        loop = self._thread.loop
        self._listener = await loop.create_server(
            lambda: Link(loop, self.settings).client, _HOST, self.port, reuse_address=True
        )

    async def _unlisten(self) -> None:
        # Not wait_closed: since Python 3.12 it waits for the connections as well.
        if self._listener is not None:
            self._listener.close()

    async def _cut_all(self) -> None:
        links = list(self.settings.links)
        for link in links:
            link.abort()
        for link in links:
            await link.gone.wait()


def _hold_a_port() -> socket.socket:
    """Bind a free port and never listen on it, so that it stays ours while nobody listens.

    Otherwise an outgoing connection could be given that very port, a client's
    attempt to reconnect among them: it would then reach itself.
    """
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind((_HOST, 0))
    return holder
