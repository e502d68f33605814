"""The process that runs an embedded server until the last process that uses it has ended.

Strategy: a script of the standard library alone, started by `embedded.py`, which also uses its
functions. Its standard input is the folder's `server.lock`, locked; the server inherits it, so
the lock lasts as long as either lives, whoever is killed. Its output is the port, once the server
answers, or the reason why there is none.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO

_HOST = "127.0.0.1"
_PATIENCE = 30.0  # seconds for the server to answer


def lock(file: IO[str] | int, *, shared: bool = False) -> None:
    """Lock a file until it is closed or the process ends; waits for others."""
    fcntl.flock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)


def try_lock(file: IO[str]) -> bool:
    """Lock a file for this process alone, unless another has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def process_id(port: int) -> int | None:
    """Which process the server on a port says it is; None if none answers within a second."""
    answer = b""
    try:
        with socket.create_connection((_HOST, port), timeout=1) as connection:
            connection.sendall(b"INFO server\r\n")
            while not (found := re.search(rb"process_id:(\d+)\r", answer)):
                if not (more := connection.recv(4096)):
                    return None
                answer += more
    except OSError:
        return None
    return int(found[1])


def run(binary: str, folder: Path, *, temporary: bool) -> None:
    """Start the server, say its port, and stop it when its last user has ended."""
    server, port = _start(binary, folder, keep=not temporary)
    record = folder / "server.json"
    fresh = folder / "server.json.new"
    fresh.write_text(json.dumps({"port": port, "pid": server.pid}))
    fresh.replace(record)
    os.write(1, b"%d\n" % port)
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)  # closes it: who reads it knows then that this was all
    os.dup2(quiet, 2)
    with (folder / "users.lock").open("a") as users:

        def stop_after_last() -> None:
            lock(users)
            server.terminate()

        threading.Thread(target=stop_after_last, daemon=True).start()
        server.wait()
        record.unlink(missing_ok=True)
        if temporary and try_lock(users):  # not if the server ended under its users
            shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)  # the thread may still be waiting


def _start(binary: str, folder: Path, *, keep: bool) -> tuple[subprocess.Popen[bytes], int]:
    log = folder / "server.log"
    log.unlink(missing_ok=True)
    patience = time.monotonic() + _PATIENCE
    for _ in range(5):  # someone may take the port before the server does
        port = _free_port()
        options = {
            "bind": _HOST,
            "port": str(port),
            "dir": str(folder),
            "logfile": str(log),
            "save": "",
            "appendonly": "yes" if keep else "no",
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        server = subprocess.Popen(  # noqa: S603  (our own words)
            [binary, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        while server.poll() is None and time.monotonic() < patience:
            if process_id(port) == server.pid:
                return server, port
            time.sleep(0.01)
        server.kill()
        said = server.communicate()[0].decode(errors="replace")
    if log.exists():
        said += log.read_text(errors="replace")
    sys.exit(f"the server does not start:\n{said[-1000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    run(sys.argv[1], Path(sys.argv[2]), temporary=sys.argv[3] == "temporary")
