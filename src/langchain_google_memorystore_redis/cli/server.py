"""The server and key prefix that the global options name.

Strategy: the only module of the command line that creates clients. Neither redis-py nor LangChain
is imported before a command needs a client.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import typer

import langchain_google_memorystore_redis as memorystore
from langchain_google_memorystore_redis.cli.group import UsageError
from langchain_google_memorystore_redis.errors import InvalidArgumentError


@dataclass(frozen=True, slots=True)
class Server:
    """Address of the server, and prefix of the sessions on it."""

    url: str | None
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
        try:
            return _address_of(self.url)
        except ValueError:
            return f"the server of {self.url_source}"

    @property
    def prefix_phrase(self) -> str:
        """The prefix, in words."""
        return f"under {self.prefix!r}" if self.prefix else "(no prefix)"

    @contextmanager
    def client(self, url: str | None = None) -> Iterator[Any]:
        """Open a client of this server, or of the one at `url`, which may be of another kind."""
        try:
            if url is None:
                client = memorystore.connect(
                    self.url, cluster=self.cluster, iam=self.iam, ca_certs=self.ca_certs
                )
            else:
                ca_certs = self.ca_certs if url.startswith("rediss:") else None
                client = memorystore.connect(url, ca_certs=ca_certs)
        except InvalidArgumentError as error:
            if error.argument != "url_or_endpoint":
                raise
            problem = str(error).removeprefix(error.argument + " ")
            source = self.url_source if url is None else "--source-url"
            raise InvalidArgumentError(source, problem) from None
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


def _address_of(url: str) -> str:
    parts = urlsplit(url if "://" in url else f"//{url}")
    host, port = parts.hostname or "localhost", parts.port or 6379
    host = f"[{host}]" if ":" in host else host
    scheme = f"{parts.scheme}://" if parts.scheme else ""
    return f"{scheme}{host}:{port}{parts.path}"
