"""The files that `export` writes and `import` reads.

Strategy: a file is written beside its place and moved there when it is complete, so that an export
that breaks off leaves no half of one; "-" and no name are stdin and stdout.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from langchain_google_memorystore_redis.cli.screen import progress


@contextmanager
def writing(path: Path | None) -> Iterator[BinaryIO]:
    """Where an export goes."""
    if path is None or str(path) == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


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
