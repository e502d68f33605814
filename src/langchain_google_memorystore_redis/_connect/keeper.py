"""Process that runs an embedded server until the last process that uses it has ended.

Strategy: a script that needs only the standard library, started by `embedded.py`, which also
imports its functions. Its standard input is the folder's `server.lock`, locked; the server inherits
it, so the lock lasts as long as either lives. Keeper and server are a process group, which a
watcher ends when the keeper has ended, however that came about.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

READY = "ready"
"""Output of the keeper once the server answers."""
_START_TIMEOUT = 30.0
"""Time for the server to answer."""
_LONGEST_SOCKET_PATH = 103
"""Bytes that the path of a Unix socket may have on macOS; on Linux it is 107."""


def lock(file: int, *, shared: bool = False) -> None:
    """Lock a file until it is closed or the process ends; waits for others."""
    fcntl.flock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)


def try_lock(file: int) -> bool:
    """Lock a file for this process alone; returns False, without waiting, if another holds it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def make_private(folder: Path) -> None:
    """Make a folder, and its files, this user's alone; raises OSError if it is another's."""
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise PermissionError(f"{folder} is not a folder of this user: remove it")
    if found.st_mode & 0o077:  # made by other means, such as a copy
        folder.chmod(0o700)
        for path in folder.rglob("*"):
            if not path.is_symlink():
                path.chmod(0o700 if path.is_dir() else 0o600)


def socket_path(folder: Path) -> Path:
    """Return the path of the socket of a folder's server.

    Where that is longer than an address may be, it is in a folder of this user in /tmp, which is
    named after the other one.
    """
    path = folder / "socket"
    if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
        return path
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    short = Path(f"/tmp/memorystore-{os.geteuid()}-{name}")  # noqa: S108  (checked to be this user's)
    make_private(short)
    return short / "socket"


def ping(path: Path) -> bytes:
    """Return the first byte of a server's reply to PING; empty without a reply in 1 second."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1)
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(1)
    except OSError:
        return b""


def run(binary: str, folder: Path, *, temporary: bool) -> None:
    """Start the server, say that it is ready, and stop it when its last user has ended."""
    os.umask(0o077)
    path = socket_path(folder)
    watcher = _start_watcher()
    server = _start(binary, folder, path, keep=not temporary)
    if isinstance(server, str):
        _end(watcher)
        sys.exit(f"the server does not start:\n{server[-1000:]}")
    os.write(1, READY.encode())
    _close_output()
    users_lock = os.open(folder / "users.lock", os.O_RDWR)

    def stop_after_last_user() -> None:
        lock(users_lock)
        server.terminate()

    threading.Thread(target=stop_after_last_user, daemon=True).start()
    if os.wait()[0] == watcher:
        server.terminate()
        server.wait()
    else:
        _end(watcher)
    path.unlink(missing_ok=True)
    if path.parent != folder:
        path.parent.rmdir()
    if temporary and try_lock(users_lock):  # no process uses the folder any more
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)  # the thread may still be waiting


def _start_watcher() -> int:
    """Fork a process that ends this process's group when this process has ended."""
    group = os.getpid()
    reading, writing = os.pipe()
    if watcher := os.fork():
        os.close(reading)
        return watcher
    try:
        os.setpgid(0, 0)
        os.close(writing)
        os.close(0)
        _close_output()
        os.read(reading, 1)  # until the other end is closed
        os.killpg(group, signal.SIGTERM)
    finally:
        os._exit(0)


def _end(watcher: int) -> None:
    os.kill(watcher, signal.SIGKILL)
    os.waitpid(watcher, 0)


def _close_output() -> None:
    """Close the output, so that its reader does not wait for more."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 1)
    os.dup2(devnull, 2)


def _start(binary: str, folder: Path, path: Path, *, keep: bool) -> subprocess.Popen[bytes] | str:
    """Return the server once it answers, or the reason why it does not."""
    log = folder / "server.log"
    log.unlink(missing_ok=True)
    options = {
        "port": "0",
        "unixsocket": str(path),
        "unixsocketperm": "600",
        "dir": str(folder),
        "logfile": str(log),
        "save": "",
        "appendonly": "yes" if keep else "no",
    }
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    server = subprocess.Popen(  # noqa: S603  (no input of others)
        [binary, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    deadline = time.monotonic() + _START_TIMEOUT
    while server.poll() is None and time.monotonic() < deadline:
        reply = ping(path)
        if reply == b"+":
            return server
        if reply == b"-":  # it is loading its data
            deadline = time.monotonic() + _START_TIMEOUT
        time.sleep(0.01)
    server.kill()
    output = server.communicate()[0].decode(errors="replace")
    if log.exists():
        output += log.read_text(errors="replace")
    return output


if __name__ == "__main__":
    run(sys.argv[1], Path(sys.argv[2]), temporary=sys.argv[3] == "temporary")
