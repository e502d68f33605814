"""Faulty networks for tests: made on demand, gone when the test ends.

Strategy: a proxy is never shared. Faults, figures and latency belong to one test,
and closing raises what went wrong inside the proxy where that test can see it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Protocol

import pytest

from tests.faults import ClusterProxy, Proxy
from tests.plugins.clients import Target
from tests.plugins.servers import Servers


class ProxyTo(Protocol):
    """Puts a faulty network in front of the server on a port of this machine."""

    def __call__(self, port: int, *, latency: float = 0.0) -> Proxy: ...


class ClusterProxyTo(Protocol):
    """Puts a faulty network in front of all nodes of a cluster on this machine."""

    def __call__(self, ports: Sequence[int], *, latency: float = 0.0) -> ClusterProxy: ...


class ProxyBefore(Protocol):
    """Puts a faulty network in front of a target, one server or a cluster."""

    def __call__(self, target: Target) -> Proxy | ClusterProxy: ...


@pytest.fixture
def proxy_to() -> Iterator[ProxyTo]:
    """`proxy_to(server.port)` is a `Proxy` to connect to instead of the server."""
    with ExitStack() as stack:

        def make(port: int, *, latency: float = 0.0) -> Proxy:
            return stack.enter_context(Proxy(port, latency=latency))

        yield make


@pytest.fixture
def cluster_proxy_to() -> Iterator[ClusterProxyTo]:
    """`cluster_proxy_to(cluster.ports)` has the `port` and `address_remap` to give a client."""
    with ExitStack() as stack:

        def make(ports: Sequence[int], *, latency: float = 0.0) -> ClusterProxy:
            return stack.enter_context(ClusterProxy(ports, latency=latency))

        yield make


@pytest.fixture
def proxy_before(
    servers: Servers, proxy_to: ProxyTo, cluster_proxy_to: ClusterProxyTo
) -> ProxyBefore:
    """`proxy_before(target)` has the `port` and the `client_options` to give a client."""

    def make(target: Target) -> Proxy | ClusterProxy:
        if target.cluster:
            return cluster_proxy_to(servers.cluster(target.engine).ports)
        return proxy_to(servers.standalone(target.engine).port)

    return make


@pytest.fixture
def proxy(target: Target, proxy_before: ProxyBefore) -> Proxy | ClusterProxy:
    """A faulty network in front of the test's target."""
    return proxy_before(target)
