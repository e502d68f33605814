"""The files that `export` writes and `import` reads.

Strategy: a file is written beside its place and moved there when it is complete, so that an export
that breaks off leaves no half of one; what is no regular file is written into as it is. "-" and no
name are stdin and stdout.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from langchain_google_memorystore_redis.cli.screen import progress


@contextmanager
def writing(path: Path | None) -> Iterator[BinaryIO]:
    """Where an export goes."""
    if path is None or str(path) == "-" or _is_stdout(path):
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        mode = None
    if mode is None or stat.S_ISREG(mode):
        with _replacing(path, mode) as file:
            yield file
    else:  # a pipe or a device takes what comes, and must stay what it is
        with path.open("wb") as file:
            yield file


def _is_stdout(path: Path) -> bool:
    """Whether this is another name of stdout, as /dev/stdout; it may be appended to a file."""
    try:
        return os.path.samestat(path.stat(), os.fstat(1))
    except OSError:
        return False


@contextmanager
def _replacing(path: Path, mode: int | None) -> Iterator[BinaryIO]:
    """A file that takes the place and the mode of the one at `path` once it is complete."""
    target = path.resolve()
    part = target.with_name(f".memorystore-chat-{os.getpid()}.part")
    # Never open to more than the file will be; never one that is there, which may be a link.
    allowed = 0o666 if mode is None else stat.S_IMODE(mode)
    with _naming(path):
        opened = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, allowed)
    try:
        with os.fdopen(opened, "wb") as file:
            if mode is not None:  # whatever the umask has taken away
                os.fchmod(opened, allowed)
            yield file
        with _naming(path):
            part.replace(target)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Errors name the path that the user gave."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def lines_of(path: Path) -> Iterator[Iterator[bytes]]:
    """The lines of an import, with a progress bar over the bytes of the file."""
    if str(path) == "-":
        yield iter(sys.stdin.buffer)
        return
    with path.open("rb") as file, progress("Importing bytes", path.stat().st_size) as advance:

        def lines() -> Iterator[bytes]:
            read = 0
            for line in file:
                yield line
                read += len(line)
                advance(read)

        yield lines()
