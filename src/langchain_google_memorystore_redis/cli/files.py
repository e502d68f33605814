"""Files that `export` writes and `import` reads.

Strategy: an export is written to a temporary file that replaces the target once it is complete, so
that an interrupted one leaves nothing; a pipe or device is written to directly. "-" means stdin or
stdout. Lines for a terminal are escaped, those for a pipe or file are exact.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from langchain_google_memorystore_redis._history.transcript import visible_json
from langchain_google_memorystore_redis.cli.output import progress


@contextmanager
def open_export(path: Path | None) -> Iterator[Callable[[bytes], object]]:
    """Open the file to export to, stdout for None or "-", and return what writes a line to it."""
    if path is None or str(path) == "-" or _is_stdout(path):
        yield _line_writer(sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        mode = None
    if mode is None or stat.S_ISREG(mode):
        with _open_replacement(path, mode) as file:
            yield file.write
    else:  # a pipe or a device cannot be replaced
        with path.open("wb") as file:
            yield _line_writer(file)


def _line_writer(file: BinaryIO) -> Callable[[bytes], object]:
    if not file.isatty():
        return file.write
    return lambda line: file.write(visible_json(line))


def _is_stdout(path: Path) -> bool:
    """Return whether the path is another name of stdout, such as /dev/stdout."""
    try:
        return os.path.samestat(path.stat(), os.fstat(1))
    except OSError:
        return False


@contextmanager
def _open_replacement(path: Path, mode: int | None) -> Iterator[BinaryIO]:
    """Open a file that replaces the one at `path`, with its mode, once it is complete."""
    target = path.resolve()
    part = target.with_name(f".memorystore-chat-{os.getpid()}.part")
    # Never more permissive than the final file; never one that exists, which may be a link.
    allowed = 0o666 if mode is None else stat.S_IMODE(mode)
    with _errors_name(path):
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, allowed)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if mode is not None:  # restores what the umask has cleared
                os.fchmod(descriptor, allowed)
            yield file
        with _errors_name(path):
            part.replace(target)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _errors_name(path: Path) -> Iterator[None]:
    """Name the path that the user gave in any OSError."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def open_import(path: Path) -> Iterator[Iterator[bytes]]:
    """Open a file to import, and return its lines; a progress bar counts their bytes."""
    if str(path) == "-":
        yield iter(sys.stdin.buffer)
        return
    with path.open("rb") as file, progress("Importing bytes", path.stat().st_size) as advance:

        def lines() -> Iterator[bytes]:
            size = 0
            for line in file:
                yield line
                size += len(line)
                advance(size)

        yield lines()
