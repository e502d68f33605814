"""How far a batch was from the end of the log when it was sent again.

Strategy: a server tells everything it executes, in order, to a connection that says MONITOR: each
script call with its entries, and each RPUSH that a script made. A call that ends in an entry
already stored is a resend, and what was pushed to the session since is what the append script had
to look through. Nothing of the library is replaced to learn that.
"""

from __future__ import annotations

import re
import socket
from collections import defaultdict
from collections.abc import Iterable
from threading import Thread
from types import TracebackType

import redis

from tests.servers.processes import wait_until
from tests.soak.plan import Label

_KEY = re.compile(rb'"(soak:[^"]+)"')
_LABEL = re.compile(rb"w(\d+)\.(\d+)\.(\d+)/(\d+)")
_END = b"the end of the soak"


class Monitor:
    """Listens to one server from `with` to its end."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._said = bytearray()
        self._thread = Thread(target=self._listen, name="monitor", daemon=True)

    def __enter__(self) -> Monitor:
        self._socket = socket.create_connection(("127.0.0.1", self._port))
        self._socket.sendall(b"MONITOR\r\n")
        self._thread.start()
        wait_until(lambda: self._said.startswith(b"+OK"), "MONITOR to begin")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with redis.Redis(port=self._port) as client:
            client.echo(_END.decode())
        self._thread.join(30)
        self._socket.close()

    @property
    def lines(self) -> list[bytes]:
        """What the server executed, a command a line."""
        return bytes(self._said).split(b"\r\n")

    def _listen(self) -> None:
        while _END not in self._said[-4096:]:
            data = self._socket.recv(1 << 16)
            if not data:
                return
            self._said += data


def distances(lines: Iterable[bytes]) -> list[tuple[int, int]]:
    """For each resend of a stored batch: its writer, and how many entries were behind it."""
    pushed: dict[bytes, int] = defaultdict(int)
    stored: dict[tuple[bytes, Label], int] = {}
    found = []
    for line in lines:
        key, labels = _KEY.search(line), _LABEL.findall(line)
        if key is None or not labels:
            continue
        last = Label(*map(int, labels[-1]))
        if b' lua] "RPUSH"' in line:
            pushed[key[1]] += len(labels)
            stored.setdefault((key[1], last), pushed[key[1]])
        elif b'] "EVAL' in line and (key[1], last) in stored:
            found.append((last.writer, pushed[key[1]] - stored[key[1], last]))
    return found
