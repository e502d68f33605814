"""Connections that cannot succeed: said at once, and what to do about it.

One attempt is in the log, not five.
"""

from __future__ import annotations

import inspect
import shutil
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from langchain_google_memorystore_redis import InvalidArgumentError
from langchain_google_memorystore_redis._connect.diagnosis import causes_of, final_failure
from tests.connect.certificates import Authority, TlsServer, tls_server
from tests.connect.ways import Way, done
from tests.plugins.faults import ProxyTo
from tests.plugins.servers import Servers
from tests.servers.processes import HOST, Engine, Server


@pytest.fixture(params=[False, True], ids=["standalone", "cluster"])
def cluster(request: pytest.FixtureRequest) -> bool:
    """A client for one server, and one for a cluster, whose nodes refuse in the same way."""
    chosen: bool = request.param
    return chosen


@pytest.fixture
def server(engine: Engine, tmp_path: Path) -> Iterator[TlsServer]:
    with tls_server(engine, tmp_path) as made:
        yield made


async def failure_of(way: Way, address: str, **options: Any) -> Exception:
    """What connecting and a first command raise."""
    with pytest.raises((redis.ConnectionError, InvalidArgumentError)) as caught:
        await ping(way, address, **options)
    return caught.value


async def ping(way: Way, address: str, **options: Any) -> None:
    client = await way(address, **options)
    await done(client.ping())


def tries(caplog: pytest.LogCaptureFixture) -> int:
    return caplog.text.count("Attempt failed")


async def test_a_certificate_of_an_authority_that_is_not_trusted(
    way: Way, server: TlsServer, cluster: bool, caplog: pytest.LogCaptureFixture
) -> None:
    for trusted in (Authority("two").pem, None):
        options = {"cluster": cluster, "ca_certs": trusted}
        error = await failure_of(way, f"rediss://{server.endpoint}", **options)
        assert type(error) is redis.ConnectionError
        assert f"{server.endpoint}: its certificate comes from no authority" in str(error)
        assert "CERTIFICATE_VERIFY_FAILED" in str(error)
        assert isinstance(causes_of(error, None)[-1], ssl.SSLCertVerificationError)
    assert tries(caplog) <= 2


async def test_a_certificate_that_has_expired(
    way: Way, engine: Engine, tmp_path: Path, cluster: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with tls_server(engine, tmp_path, expired=True) as server:
        options = {"cluster": cluster, "ca_certs": server.authority.pem}
        error = await failure_of(way, server.endpoint, **options)
    assert type(error) is redis.ConnectionError
    assert "its certificate has expired" in str(error)
    assert tries(caplog) <= 1


async def test_a_certificate_of_another_host(
    way: Way, engine: Engine, tmp_path: Path, cluster: bool, caplog: pytest.LogCaptureFixture
) -> None:
    for address in ("127.0.0.2", None):
        with tls_server(engine, tmp_path, address) as server:
            for host in (HOST, "localhost"):
                endpoint = server.endpoint.replace(HOST, host)
                options = {"cluster": cluster, "ca_certs": server.authority.pem}
                error = await failure_of(way, endpoint, **options)
                assert type(error) is redis.ConnectionError
                assert "its certificate does not name this host" in str(error)
                assert "ssl_check_hostname=False" in str(error)
    assert tries(caplog) <= 4


async def test_a_missing_client_certificate(
    way: Way, server: TlsServer, cluster: bool, caplog: pytest.LogCaptureFixture
) -> None:
    server.plain.cli("CONFIG", "SET", "tls-auth-clients", "yes")
    options = {"cluster": cluster, "ca_certs": server.authority.pem}
    for versions, words in (
        ("TLSv1.3", "asks for a client certificate"),
        ("TLSv1.2", "may ask for a client certificate"),
    ):
        server.plain.cli("CONFIG", "SET", "tls-protocols", versions)
        for _ in range(3):  # the server's word is often lost
            error = await failure_of(way, server.endpoint, **options)
            assert type(error) is redis.ConnectionError
            assert words in str(error)
            assert "ssl_certfile and ssl_keyfile" in str(error)
    assert tries(caplog) <= 6


async def test_a_client_certificate_of_an_authority_that_the_server_does_not_trust(
    way: Way, server: TlsServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.plain.cli("CONFIG", "SET", "tls-auth-clients", "yes")
    trusted = {"cluster": False, "ca_certs": server.authority.pem}
    options: dict[str, Any] = server.authority.issue_to_client(tmp_path)
    # redis-py 5 has no such option for asyncio.
    if "ssl_password" in inspect.signature(way.kind("SSLConnection").__init__).parameters:
        options = server.authority.issue_to_client(tmp_path, password=b"secret")
        options["ssl_password"] = "secret"
    client = await way(server.endpoint, **trusted, **options)
    assert await done(client.ping()) is True
    other = Authority("two").issue_to_client(tmp_path)
    error = await failure_of(way, server.endpoint, **trusted, **other)
    assert "does not accept the client certificate" in str(error)
    assert tries(caplog) <= 1


async def test_files_that_are_not_there_or_do_not_fit_are_named(
    way: Way, server: TlsServer, tmp_path: Path, cluster: bool
) -> None:
    options: dict[str, Any] = {"cluster": cluster, "ca_certs": server.authority.pem}
    mine = server.authority.issue_to_client(tmp_path)
    missing = str(tmp_path / "missing.pem")
    for name in ("ssl_certfile", "ssl_keyfile", "ssl_ca_certs"):
        given = {**options, "ca_certs": None, "ssl": True, **mine, name: missing}
        error = await failure_of(way, server.endpoint, **given)
        assert isinstance(error, InvalidArgumentError)
        assert error.argument == name
        assert missing in str(error)
        assert "No such file" in str(error)
    (tmp_path / "other").mkdir()
    locked = server.authority.issue_to_client(tmp_path / "other", password=b"secret")
    for wrong in (
        locked,
        {**locked, "ssl_password": "wrong"},
        {**locked, **mine} | {"ssl_keyfile": locked["ssl_keyfile"]},
    ):
        error = await failure_of(way, server.endpoint, **options, **wrong)
        assert isinstance(error, InvalidArgumentError)
        assert error.argument == "ssl_certfile"
        assert "do not go together" in str(error)


async def test_a_file_that_is_removed_later_is_named(
    way: Way, server: TlsServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mine = server.authority.issue_to_client(tmp_path)
    authorities = tmp_path / "authorities.pem"
    authorities.write_text(server.authority.pem)
    options: dict[str, Any] = {"cluster": False, "ca_certs": authorities, **mine}
    for name, path in (*mine.items(), ("ssl_ca_certs", str(authorities))):
        client = await way(server.endpoint, **options)
        moved = shutil.move(path, f"{path}.moved")
        with pytest.raises(redis.ConnectionError, match=f"the file of {name} is not there: {path}"):
            await done(client.ping())
        shutil.move(moved, path)
        assert await done(client.ping()) is True
    assert tries(caplog) == 3


@pytest.mark.parametrize("password", [None, "any"])
async def test_plain_text_to_a_server_that_speaks_tls(
    way: Way,
    server: TlsServer,
    cluster: bool,
    password: str | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for client_certificates in ("no", "yes"):
        server.plain.cli("CONFIG", "SET", "tls-auth-clients", client_certificates)
        options = {"cluster": cluster, "password": password}
        error = await failure_of(way, server.endpoint, **options)
        assert type(error) is redis.ConnectionError
        assert "the server speaks TLS: use rediss://, or give ca_certs" in str(error)
    assert tries(caplog) <= 2


@pytest.mark.parametrize("engine_name", ["redis-5.0", "redis-7.0", "valkey-9.1"])
async def test_tls_to_a_server_that_speaks_plain_text(
    way: Way,
    servers: Servers,
    cluster: bool,
    engine_name: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Server(servers.engine(engine_name), "--requirepass", "right") as plain:
        error = await failure_of(way, f"rediss://{HOST}:{plain.port}", cluster=cluster)
    assert type(error) is redis.ConnectionError
    assert "the server does not speak TLS: use redis:// instead of rediss://" in str(error)
    assert tries(caplog) <= 1


@pytest.mark.parametrize("engine_name", ["redis-5.0", "redis-7.0", "valkey-9.1"])
async def test_a_wrong_password(
    way: Way,
    servers: Servers,
    cluster: bool,
    engine_name: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Server(servers.engine(engine_name), "--requirepass", "right") as server:
        for password in ("wrong", None):
            error = await failure_of(way, server.url, cluster=cluster, password=password)
            assert isinstance(error, redis.AuthenticationError)
    assert tries(caplog) <= 2


async def test_a_server_that_closes_connections_is_not_taken_for_one_with_other_tls(
    way: Way, servers: Servers, proxy_to: ProxyTo
) -> None:
    proxy = proxy_to(servers.standalone("valkey-9.1").port)
    client = await way(proxy.url, cluster=False)
    assert await done(client.ping()) is True
    with proxy.refusing(), pytest.raises(redis.ConnectionError) as caught:
        await done(client.ping())
    assert final_failure(causes_of(caught.value, None)) is None
    assert await done(client.ping()) is True


async def test_an_error_that_was_being_handled_is_no_cause_of_the_next_one(
    way: Way, servers: Servers, proxy_to: ProxyTo
) -> None:
    proxy = proxy_to(servers.standalone("valkey-9.1").port)
    client = await way(proxy.url, cluster=False, retry=None)
    earlier = InvalidArgumentError("argument", "of another call")
    try:
        raise earlier
    except InvalidArgumentError:
        with proxy.refusing(), pytest.raises(redis.ConnectionError) as caught:
            await done(client.ping())
    assert final_failure(causes_of(caught.value, earlier)) is None
