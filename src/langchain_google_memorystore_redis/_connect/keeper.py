"""Process that runs an embedded server until the last process that uses it has ended.

Strategy: a script that needs only the standard library, started by `embedded.py`, which also
imports its functions. Its standard input is the folder's `server.lock`, locked; the server inherits
it, so the lock lasts as long as either lives, whichever is killed. Its output is the port once the
server answers, or the reason of a failure.
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
_START_TIMEOUT = 30.0
"""Time for the server to answer."""


def lock(file: IO[str] | int, *, shared: bool = False) -> None:
    """Lock a file until it is closed or the process ends; waits for others."""
    fcntl.flock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)


def try_lock(file: IO[str]) -> bool:
    """Lock a file for this process alone; returns False, without waiting, if another holds it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def process_id(port: int) -> int | None:
    """Return the process id that the server on a port reports; None without a reply in 1 second."""
    reply = b""
    try:
        with socket.create_connection((_HOST, port), timeout=1) as connection:
            connection.sendall(b"INFO server\r\n")
            while not (found := re.search(rb"process_id:(\d+)\r", reply)):
                if not (more := connection.recv(4096)):
                    return None
                reply += more
    except OSError:
        return None
    return int(found[1])


def run(binary: str, folder: Path, *, temporary: bool) -> None:
    """Start the server, print its port, and stop it when its last user has ended."""
    server, port = _start(binary, folder, keep=not temporary)
    record = folder / "server.json"
    new_record = folder / "server.json.new"
    new_record.write_text(json.dumps({"port": port, "pid": server.pid}))
    new_record.replace(record)
    os.write(1, b"%d\n" % port)
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 1)  # closes the output, so that the reader does not wait for more
    os.dup2(devnull, 2)
    with (folder / "users.lock").open("a") as users_lock:

        def stop_after_last_user() -> None:
            lock(users_lock)
            server.terminate()

        threading.Thread(target=stop_after_last_user, daemon=True).start()
        server.wait()
        record.unlink(missing_ok=True)
        if temporary and try_lock(users_lock):  # no process uses the folder any more
            shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)  # the thread may still be waiting


def _start(binary: str, folder: Path, *, keep: bool) -> tuple[subprocess.Popen[bytes], int]:
    log = folder / "server.log"
    log.unlink(missing_ok=True)
    deadline = time.monotonic() + _START_TIMEOUT
    for _ in range(5):  # another program may take the port before the server does
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
        server = subprocess.Popen(  # noqa: S603  (no input of others)
            [binary, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        while server.poll() is None and time.monotonic() < deadline:
            if process_id(port) == server.pid:
                return server, port
            time.sleep(0.01)
        server.kill()
        output = server.communicate()[0].decode(errors="replace")
    if log.exists():
        output += log.read_text(errors="replace")
    sys.exit(f"the server does not start:\n{output[-1000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    run(sys.argv[1], Path(sys.argv[2]), temporary=sys.argv[3] == "temporary")
