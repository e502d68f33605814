"""Servers for tests: shared ones started on first use, and the rule for engines that are missing.

Strategy: a run needs only what its tests ask for, so nothing starts before its first use; under
pytest-xdist every worker has servers of its own. A test that kills, freezes or fills a server makes
a private one: `with Server(servers.engine("redis-7.0"), "--maxmemory", "20mb") as server:`.
How a server is run is none of this module's business: see tests/servers/processes.py.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from tests.servers.clusters import Cluster
from tests.servers.install import find_legacy, find_modules
from tests.servers.processes import ENGINES, Engine, Server


def _missing(name: str) -> NoReturn:
    reason = f"{name} is not installed here: run `make servers`"
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


class Servers:
    """The servers this session shares, by engine name ("redis-5.0" ... "valkey-9.1")."""

    def __init__(self) -> None:
        self._standalone: dict[str, Server] = {}
        self._clusters: dict[str, Cluster] = {}

    def engine(self, name: str) -> Engine:
        """The engine, to run private servers of; where it is missing: skip at home, fail in CI."""
        engine = ENGINES[name]
        if engine.binary is None:
            _missing(name)
        return engine

    def standalone(self, name: str) -> Server:
        """A server that all tests of the session share: use keys of your own, never FLUSHALL."""
        if name not in self._standalone:
            server = Server(self.engine(name))
            self._standalone[name] = server  # before it starts, so that it is closed if it cannot
            server.start()
        return self._standalone[name]

    def cluster(self, name: str) -> Cluster:
        """Three primaries that all tests of the session share; about 2 s on first use."""
        if name not in self._clusters:
            cluster = Cluster(self.engine(name))
            self._clusters[name] = cluster
            cluster.start()
        return self._clusters[name]

    def close(self) -> None:
        """Kill everything; the data goes too."""
        for server in self._standalone.values():
            server.close()
        for cluster in self._clusters.values():
            cluster.close()


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Real servers, each started when a test first asks for it and shared by the session."""
    registry = Servers()
    try:
        yield registry
    finally:
        registry.close()


@pytest.fixture
def json_server(servers: Servers) -> Iterator[Server]:
    """A server with the module RedisJSON."""
    modules = find_modules() or _missing("Redis Stack's modules")
    with Server(servers.engine("valkey-9.1"), "--loadmodule", f"{modules}/rejson.so") as server:
        yield server


@pytest.fixture(scope="session")
def legacy_python() -> Path:
    """The interpreter of an environment that holds release 0.3.0 of this package."""
    return find_legacy() or _missing("release 0.3.0")


def pytest_report_header() -> str:
    """Which servers this run can use, by the version each binary reports."""
    found = [f"{name} ({engine.version or 'missing'})" for name, engine in ENGINES.items()]
    return f"servers: {', '.join(found)}"
