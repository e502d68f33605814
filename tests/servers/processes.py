"""Real servers as objects: start them, kill them, freeze them, ask them.

Strategy: one process is one `Server`, with a free loopback port and a data folder of its own, and
every method returns only once its effect has been seen (a PING answered, a process gone). It talks
to servers over a plain socket, so it knows no client library and cannot be misled by a client
under test. It knows nothing of pytest either: benchmarks use it as it is.
"""

from __future__ import annotations

import atexit
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from tests.servers import install

HOST = "127.0.0.1"
# Older engines put the cluster bus 10000 above the port. Both stay below the range the kernel hands
# out to outgoing connections (32768 up), which could take a port while its server is down.
PORTS = range(12000, 22000)


@dataclass(frozen=True, slots=True)
class Engine:
    """A server program the tests run against; `binary` is None where it is not installed.

    With `has_search` it loads RediSearch, which brings the commands FT.*.
    """

    name: str
    find: Callable[[], Path | None]
    has_search: bool = False

    @property
    def binary(self) -> Path | None:
        return self.find() if self.modules is not None else None

    @property
    def modules(self) -> tuple[Path, ...] | None:
        """The modules it loads; None where they are not installed."""
        if not self.has_search:
            return ()
        folder = install.find_modules()
        return None if folder is None else (folder / "redisearch.so",)

    @property
    def version(self) -> str | None:
        """What the binary itself reports, as "7.0.15"."""
        return install.version_of(self.binary) if self.binary else None


ENGINES = {
    engine.name: engine
    for engine in (
        Engine("redis-5.0", install.find_redis_5),
        Engine("redis-6.2", install.find_redis_6),
        Engine("redis-7.0", install.find_redis_7),
        Engine("valkey-9.1", install.find_valkey_9),
        Engine("valkey-8.1-search", install.find_valkey_8, has_search=True),
        Engine("valkey-9.1-search", install.find_valkey_9, has_search=True),
        Engine("redis-8.2-search", install.find_redis_8, has_search=True),
    )
}


class ReplyError(Exception):
    """The server answered a command with an error."""


def wait_until(condition: Callable[[], bool], what: str, timeout: float = 15.0) -> None:
    """Return as soon as `condition` holds; TimeoutError, naming `what`, if it never does."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout:g} s in vain for {what}")
        time.sleep(0.005)


class Endpoint:
    """A server on a port of this machine, whoever runs it."""

    def __init__(self, port: int) -> None:
        self.port = port

    def __repr__(self) -> str:
        return f"<server on port {self.port}>"

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}"

    def cli(self, *args: str | bytes | int | float, timeout: float = 5.0) -> Any:
        """One command on a connection of its own; bulk replies come as str, errors as ReplyError.

        Bytes that are no UTF-8 come as lone surrogates (`surrogateescape`).
        """
        with socket.create_connection((HOST, self.port), timeout) as connection:
            connection.sendall(_encode(args))
            with connection.makefile("rb") as stream:
                return _read_reply(stream)

    def info(self, field: str) -> str | None:
        """One field of INFO, as text; None where this server has no such field."""
        lines = self.cli("INFO").splitlines()
        prefix = f"{field}:"
        return next((line[len(prefix) :] for line in lines if line.startswith(prefix)), None)


class Server(Endpoint):
    """One server process. `args` are its command line; `config`, text for its config file.

    Use it as a context manager, or call `start` and in the end `close`. A Sentinel is
    `Server(engine, "--sentinel", config="sentinel monitor ...")`: it insists on a file.
    """

    def __init__(self, engine: Engine, *args: str, config: str = "") -> None:
        self.engine = engine
        self._lease = _lease_port()
        super().__init__(self._lease.getsockname()[1])
        self.folder = Path(tempfile.mkdtemp(prefix=f"{engine.name}-"))
        self._args = args
        self._process: subprocess.Popen[bytes] | None = None
        # Written once: CONFIG REWRITE and Sentinel keep their state in it across restarts.
        (self.folder / "server.conf").write_text(config)
        atexit.register(self.close)  # for a run that ends without its fixtures' clean-up

    def __enter__(self) -> Server:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{self.engine.name} on port {self.port}>"

    @property
    def running(self) -> bool:
        """Whether the process is there; a paused one is."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start on whatever data the folder holds; returns once PING answers. Again: no effect."""
        if self.running:
            return
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        wait_until(self._answers, f"{self} to answer PING")

    def _command(self) -> list[str]:
        if self.engine.binary is None:
            raise FileNotFoundError(f"{self.engine.name} is not here: run `make servers`")
        fixed = {"port": str(self.port), "bind": HOST, "dir": str(self.folder)}
        # A replica is served at once rather than after the 5 s a primary waits for others.
        quick = {"save": "", "appendonly": "no", "repl-diskless-sync-delay": "0"}
        options = [part for name, value in (fixed | quick).items() for part in (f"--{name}", value)]
        for module in self.engine.modules or ():
            options += ["--loadmodule", str(module)]
        return [str(self.engine.binary), str(self.folder / "server.conf"), *options, *self._args]

    def _answers(self) -> bool:
        process = self._process
        if process is None or process.poll() is not None:
            raise RuntimeError(f"{self} ended on its own:\n{self.log[-2000:]}")
        try:
            # Which process: a stranger's may have taken the port between choosing and binding it.
            return self.cli("PING") == "PONG" and self.info("process_id") == str(process.pid)
        except ReplyError as exc:
            return str(exc).startswith("NOAUTH")  # up, and asking for a password
        except OSError:
            return False

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or not self.running:
            raise RuntimeError(f"{self} is not running")
        return self._process

    @property
    def log(self) -> str:
        """All the server has printed, over all its starts."""
        return (self.folder / "server.log").read_text(errors="replace")

    def kill(self) -> None:
        """SIGKILL, as a crash: what was not on disk is lost. Returns once the process is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """Shut down in good order, keeping the data folder for another `start`."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)  # a paused process would not hear the next
            self._process.terminate()
            self._process.wait(timeout=15)

    def restart(self) -> None:
        """`stop` and `start`: same port, same folder."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Kill the process, delete its data, give its port back: the end of this object."""
        self.kill()
        self._lease.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        atexit.unregister(self.close)

    def pause(self) -> None:
        """SIGSTOP: connections still open (the kernel accepts them) but nothing is answered."""
        process = self._started()
        process.send_signal(signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)  # returns once it has really stopped

    def resume(self) -> None:
        """SIGCONT: the server goes on, and answers what has piled up."""
        self._started().send_signal(signal.SIGCONT)


def _lease_port() -> socket.socket:
    """A UDP socket whose port number is free for TCP, 10000 above it too, and stays ours.

    A cluster of six chooses its ports before it binds any, next to other test processes that do the
    same. Servers use no UDP, so holding that port keeps the number from everyone who asks here, in
    any process, and through the time a killed server is down.
    """
    while True:
        lease = socket.socket(type=socket.SOCK_DGRAM)
        port = random.SystemRandom().choice(PORTS)
        if _can_bind(lease, port) and _free(port) and _free(port + 10000):
            return lease
        lease.close()


def _free(port: int) -> bool:
    with socket.socket() as probe:
        return _can_bind(probe, port)


def _can_bind(probe: socket.socket, port: int) -> bool:
    try:
        probe.bind((HOST, port))
    except OSError:
        return False
    return True


def _encode(args: tuple[str | bytes | int | float, ...]) -> bytes:
    parts = [a if isinstance(a, bytes) else str(a).encode("utf-8", "surrogateescape") for a in args]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(p), p) for p in parts)


def _read_reply(stream: BinaryIO) -> Any:
    line = stream.readline()
    if not line.endswith(b"\r\n"):
        raise ConnectionError("the server closed the connection")
    kind, rest = line[:1], line[1:-2].decode("utf-8", "surrogateescape")
    if kind == b"-":
        raise ReplyError(rest)
    if kind == b"+":
        return rest
    if kind == b":":
        return int(rest)
    if int(rest) < 0:  # a null, in either of its two forms
        return None
    if kind == b"*":
        return [_read_reply(stream) for _ in range(int(rest))]
    return stream.read(int(rest) + 2)[:-2].decode("utf-8", "surrogateescape")
