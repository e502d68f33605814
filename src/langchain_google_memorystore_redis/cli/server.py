"""The server and key prefix that the global options name.

Strategy: the only module of the command line that creates clients. Neither redis-py nor LangChain
is imported before a command needs a client.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer

from langchain_google_memorystore_redis.cli.group import UsageError
from langchain_google_memorystore_redis.errors import InvalidArgumentError


@dataclass(frozen=True, slots=True)
class Server:
    """Address of the server, and prefix of the sessions on it."""

    url: str | None = field(repr=False)
    prefix: str
    cluster: bool | None = None
    iam: bool = False
    ca_certs: Path | None = None
    url_source: str = "--url"
    """Option or variable that the URL came from, for error messages."""

    @property
    def address(self) -> str:
        """The address without user and password, which no output may hold."""
        if not self.url:
            return "an embedded Valkey"
        from langchain_google_memorystore_redis._connect.connect import parse_address

        try:
            return str(parse_address(self.url))
        except InvalidArgumentError:
            return f"the server of {self.url_source}"

    @property
    def prefix_phrase(self) -> str:
        """The prefix, in words."""
        return f"under {self.prefix!r}" if self.prefix else "(no prefix)"

    @contextmanager
    def client(self, url: str | None = None) -> Iterator[Any]:
        """Open a client of this server, or of the one at `url`, which may be of another kind."""
        from langchain_google_memorystore_redis._connect.connect import (
            connect,
            naming_address,
            parse_address,
        )

        with naming_address(self.url_source if url is None else "--source-url"):
            if url is None:
                client = connect(
                    self.url, cluster=self.cluster, iam=self.iam, ca_certs=self.ca_certs
                )
            else:
                uses_tls = parse_address(url).scheme == "rediss"
                client = connect(url, ca_certs=self.ca_certs if uses_tls else None)
        try:
            yield client
        finally:
            client.close()


def named_server(ctx: typer.Context) -> Server:
    """Return the server of the global options; raise a usage error if none is named.

    The default would be an embedded server that ends with the command, and all data with it.
    """
    server: Server = ctx.obj
    if not server.url and not os.environ.get("MEMORYSTORE_EMBEDDED_DIR"):
        raise UsageError(
            "No server is named: pass --url before the command, or set REDIS_URL, or set "
            "MEMORYSTORE_EMBEDDED_DIR to the data folder of an embedded server",
            ctx.parent,
        )
    return server
