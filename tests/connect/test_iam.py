"""IAM logins on real servers. Of Google only the token endpoint is stood in for, over real HTTP."""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import google.oauth2.credentials
import pytest
import redis
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from langchain_google_memorystore_redis import (
    CredentialsError,
    MissingExtraError,
    aconnect,
    connect,
)
from langchain_google_memorystore_redis._connect.iam import IamCredentialProvider
from tests.connect.certificates import TlsServer, tls_server
from tests.connect.ways import Way, done
from tests.plugins.servers import Servers
from tests.servers.processes import wait_until

WORKERS = 20


class TokenEndpoint:
    """Gives the tokens `token-1`, `token-2`, ...; can be held up and made to fail."""

    def __init__(self) -> None:
        self.fetches = 0
        self.open = threading.Event()
        self.open.set()
        self.failure: str | None = None
        self.lifetime = 3600
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                endpoint.fetches += 1
                name = f"token-{endpoint.fetches}"
                endpoint.open.wait(10)
                answer: dict[str, Any] = {"access_token": name, "expires_in": endpoint.lifetime}
                if endpoint.failure:
                    answer = {"error": "denied", "error_description": endpoint.failure}
                body = json.dumps(answer).encode()
                self.send_response(400 if endpoint.failure else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/token"

    def credentials(self) -> google.oauth2.credentials.Credentials:
        """Credentials of google-auth that fetch their tokens here."""
        return google.oauth2.credentials.Credentials(  # type: ignore[no-untyped-call]
            None, refresh_token="r", token_uri=self.url, client_id="c", client_secret="s"
        )

    def close(self) -> None:
        self.open.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def endpoint() -> Iterator[TokenEndpoint]:
    made = TokenEndpoint()
    yield made
    made.close()


@pytest.fixture
def server(servers: Servers, tmp_path: Path) -> Iterator[TlsServer]:
    """A server with TLS whose user "default" logs in with the first token."""
    with tls_server(servers.engine("redis-7.0"), tmp_path) as made:
        made.plain.cli("CONFIG", "SET", "requirepass", "token-1")
        yield made


def expire_in(credentials: Any, seconds: float) -> None:
    """Let the token end at another time than it was given for."""
    now = datetime.now(UTC).replace(tzinfo=None)  # as google-auth counts
    credentials.expiry = now + timedelta(seconds=seconds)


async def test_a_token_logs_in_over_tls(server: TlsServer, endpoint: TokenEndpoint) -> None:
    options: dict[str, Any] = {"ca_certs": server.authority.pem}
    with connect(server.endpoint, iam=endpoint.credentials(), **options) as client:
        assert client.ping() is True
    assert endpoint.fetches == 1


async def test_a_token_logs_in_by_asyncio(server: TlsServer, endpoint: TokenEndpoint) -> None:
    options: dict[str, Any] = {"ca_certs": server.authority.pem}
    async with await aconnect(server.endpoint, iam=endpoint.credentials(), **options) as client:
        assert await client.ping() is True
    assert endpoint.fetches == 1


async def test_every_node_of_a_cluster_is_logged_in_to_as_the_given_user(
    servers: Servers, endpoint: TokenEndpoint, prefix: str
) -> None:
    cluster = servers.cluster("valkey-9.1")
    for node in cluster.nodes:
        node.cli("ACL", "SETUSER", prefix, "on", ">token-1", "~*", "+@all")
    options: dict[str, Any] = {"iam": endpoint.credentials(), "username": prefix, "ssl": False}
    options["decode_responses"] = True
    with connect(cluster.url, **options) as client:
        for node in client.get_primaries():
            assert client.execute_command("ACL WHOAMI", target_nodes=node) == prefix
    async with await aconnect(cluster.url, **options) as client:
        for node in client.get_primaries():
            assert await client.execute_command("ACL WHOAMI", target_nodes=node) == prefix
    for node in cluster.nodes:
        node.cli("ACL", "DELUSER", prefix)
    assert endpoint.fetches == 1


def service_account(folder: Path, token_uri: str) -> Path:
    """A key file as Google Cloud gives it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file = folder / "account.json"
    content = {
        "type": "service_account",
        "client_email": "a@b.iam.gserviceaccount.com",
        "private_key_id": "1",
        "private_key": private.decode(),
        "project_id": "project",
        "token_uri": token_uri,
    }
    file.write_text(json.dumps(content))
    return file


def test_true_takes_the_default_credentials_of_the_application(
    server: TlsServer, endpoint: TokenEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = service_account(tmp_path, endpoint.url)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    with connect(server.endpoint, iam=True, ca_certs=server.authority.pem) as client:
        assert client.ping() is True
    assert endpoint.fetches == 1


def test_an_application_without_credentials_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/no/such.json")
    with pytest.raises(CredentialsError, match=r"/no/such\.json"):
        connect("rediss://127.0.0.1", iam=True)


def test_without_google_auth_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.auth", None)
    with pytest.raises(MissingExtraError, match=r"redis\[gcp\]") as caught:
        connect("rediss://127.0.0.1", iam=True)
    assert caught.value.extra == "gcp"


# One fetch for everyone


def test_many_threads_wait_for_one_fetch(endpoint: TokenEndpoint) -> None:
    provider = IamCredentialProvider(endpoint.credentials())
    endpoint.open.clear()
    ready = threading.Barrier(WORKERS + 1)

    def log_in() -> tuple[str, str]:
        ready.wait()
        return provider.get_credentials()

    with ThreadPoolExecutor(WORKERS) as threads:
        waiting = [threads.submit(log_in) for _ in range(WORKERS)]
        ready.wait()
        wait_until(lambda: endpoint.fetches == 1, "the fetch")
        endpoint.open.set()
        assert {w.result() for w in waiting} == {("default", "token-1")}
    assert endpoint.fetches == 1


async def test_many_tasks_wait_for_one_fetch_and_the_loop_runs_on(endpoint: TokenEndpoint) -> None:
    provider = IamCredentialProvider(endpoint.credentials())
    endpoint.open.clear()
    waiting = [asyncio.create_task(provider.get_credentials_async()) for _ in range(WORKERS)]
    while endpoint.fetches == 0:  # noqa: ASYNC110  (for ever, if the loop were blocked)
        await asyncio.sleep(0)
    waiting.pop().cancel()  # which is nothing to the others
    endpoint.open.set()
    assert await asyncio.gather(*waiting) == [("default", "token-1")] * (WORKERS - 1)
    assert endpoint.fetches == 1


def test_a_thread_that_looked_before_the_fetch_ended_does_not_fetch_again(
    endpoint: TokenEndpoint,
) -> None:
    provider = IamCredentialProvider(endpoint.credentials())
    state = provider._credentials.token_state.name
    provider.get_credentials()
    assert provider._fetch_once(state) is None
    assert endpoint.fetches == 1


def test_a_valid_token_is_not_fetched_again(endpoint: TokenEndpoint) -> None:
    provider = IamCredentialProvider(endpoint.credentials())
    assert {provider.get_credentials() for _ in range(5)} == {("default", "token-1")}
    assert endpoint.fetches == 1


def test_an_open_connection_outlives_its_token(server: TlsServer, endpoint: TokenEndpoint) -> None:
    credentials = endpoint.credentials()
    with connect(server.endpoint, iam=credentials, ca_certs=server.authority.pem) as client:
        client.ping()
        expire_in(credentials, -1)
        assert client.ping() is True
    assert endpoint.fetches == 1


# When a token ends


async def test_a_token_near_its_end_is_handed_out_while_the_next_is_fetched(
    endpoint: TokenEndpoint,
) -> None:
    credentials = endpoint.credentials()
    provider = IamCredentialProvider(credentials)
    provider.get_credentials()
    expire_in(credentials, 60)
    endpoint.open.clear()
    assert provider.get_credentials() == ("default", "token-1")
    assert await provider.get_credentials_async() == ("default", "token-1")
    endpoint.open.set()
    wait_until(lambda: provider.get_credentials() == ("default", "token-2"), "the next token")
    assert endpoint.fetches == 2


async def test_a_token_that_has_ended_is_replaced_before_it_is_used(
    endpoint: TokenEndpoint,
) -> None:
    credentials = endpoint.credentials()
    provider = IamCredentialProvider(credentials)
    provider.get_credentials()
    expire_in(credentials, -1)
    assert provider.get_credentials() == ("default", "token-2")
    expire_in(credentials, -1)
    assert await provider.get_credentials_async() == ("default", "token-3")


def test_a_failed_early_fetch_costs_a_warning_and_is_not_repeated_at_once(
    endpoint: TokenEndpoint, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    credentials = endpoint.credentials()
    provider = IamCredentialProvider(credentials)
    provider.get_credentials()
    expire_in(credentials, 60)
    endpoint.failure = "not now"
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    for _ in range(3):
        assert provider.get_credentials() == ("default", "token-1")
    monkeypatch.undo()
    wait_until(lambda: provider._fetch is not None and provider._fetch.done(), "the failure")
    assert endpoint.fetches == 2
    (warning,) = (one for one in caplog.records if one.levelname == "WARNING")
    assert warning.name == "langchain_google_memorystore_redis"
    assert "not now" in warning.getMessage()
    assert "token-1" not in caplog.text


async def test_the_last_error_is_raised_when_no_token_is_valid(endpoint: TokenEndpoint) -> None:
    credentials = endpoint.credentials()
    provider = IamCredentialProvider(credentials)
    endpoint.failure = "account disabled"
    for _ in range(3):
        with pytest.raises(CredentialsError, match="account disabled") as caught:
            provider.get_credentials()
        assert type(caught.value) is CredentialsError
        with pytest.raises(CredentialsError, match="account disabled") as caught:
            await provider.get_credentials_async()
        assert type(caught.value) is CredentialsError
    assert endpoint.fetches == 1
    endpoint.failure = None
    provider._next_fetch = 0  # the pause is over
    assert provider.get_credentials() == ("default", "token-2")


@pytest.mark.parametrize("expires_in", [-1, 60], ids=["no token", "a token that ends soon"])
def test_an_endpoint_that_refuses_is_asked_ever_more_rarely(
    endpoint: TokenEndpoint, monkeypatch: pytest.MonkeyPatch, expires_in: float
) -> None:
    credentials = endpoint.credentials()
    provider = IamCredentialProvider(credentials)
    provider.get_credentials()
    expire_in(credentials, expires_in)
    endpoint.failure = "not now"
    start, passed = time.monotonic(), 0.0
    monkeypatch.setattr(time, "monotonic", lambda: start + passed)
    asked: list[float] = []
    while passed < 600:
        before = endpoint.fetches
        with suppress(CredentialsError):
            provider.get_credentials()
        wait_until(lambda: provider._fetch is not None and provider._fetch.done(), "the fetch")
        if endpoint.fetches > before:
            asked.append(passed)
        passed += 0.25
    monkeypatch.undo()
    pauses = [late - early for early, late in itertools.pairwise(asked)]
    for failures, pause in enumerate(pauses, 1):
        longest = min(2 ** (failures - 1), 60)
        assert longest / 2 - 0.25 <= pause <= longest + 0.5
    assert 60 >= pauses[-1] >= 30


def test_a_token_that_arrives_used_up_is_not_fetched_again_at_once(
    endpoint: TokenEndpoint,
) -> None:
    endpoint.lifetime = 5
    provider = IamCredentialProvider(endpoint.credentials())
    assert {provider.get_credentials() for _ in range(100)} == {("default", "token-1")}
    assert endpoint.fetches == 1


@pytest.mark.parametrize("cluster", [False, True, None])
async def test_who_finds_no_token_is_told_so_by_the_public_error(
    way: Way, server: TlsServer, endpoint: TokenEndpoint, cluster: bool | None
) -> None:
    async def ping() -> None:
        client = await way(server.endpoint, cluster=cluster, iam=credentials, ca_certs=trusted)
        await done(client.ping())

    credentials, trusted = endpoint.credentials(), server.authority.pem
    endpoint.failure = "account disabled"
    with pytest.raises(CredentialsError, match="account disabled") as caught:
        await ping()
    assert type(caught.value) is CredentialsError
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again), str(again)) == (CredentialsError, str(caught.value))


async def test_connections_without_a_token_do_not_storm_the_endpoint(
    way: Way, server: TlsServer, endpoint: TokenEndpoint
) -> None:
    endpoint.failure = "account disabled"
    options: dict[str, Any] = {"iam": endpoint.credentials(), "cluster": False}
    client = await way(server.endpoint, ca_certs=server.authority.pem, **options)
    started = time.monotonic()
    for _ in range(20):
        with pytest.raises(CredentialsError):
            await done(client.ping())
    assert endpoint.fetches <= 1 + math.log2(1 + 2 * (time.monotonic() - started))


@pytest.mark.parametrize("command", [False, True], ids=["opened", "opened again"])
async def test_a_connection_that_found_no_token_is_not_used_without_login(
    way: Way, server: TlsServer, endpoint: TokenEndpoint, command: bool
) -> None:
    credentials = endpoint.credentials()
    options: dict[str, Any] = {"iam": credentials, "ca_certs": server.authority.pem}
    client = await way(server.endpoint, cluster=False, **options)
    with redis.Redis(port=server.plain.port, password="token-1", protocol=2) as plain:
        if command:
            await done(client.ping())
            expire_in(credentials, -1)
            plain.client_kill_filter(_type="normal", skipme=True)
        endpoint.failure = "not now"
        with pytest.raises(CredentialsError):
            await done(client.ping())
        endpoint.failure = None
        provider = client.connection_pool.connection_kwargs["credential_provider"]
        provider._next_fetch = 0  # the pause is over
        tokens = [f"+token-{number}" for number in range(2, 5)]
        plain.acl_setuser("default", enabled=True, passwords=tokens)
        assert await done(client.ping()) is True
        assert "errorstat_NOAUTH" not in plain.info("errorstats")


@pytest.mark.process
def test_a_forked_worker_does_not_wait_for_a_fetch_of_its_parent(endpoint: TokenEndpoint) -> None:
    script = """if True:
        import os, signal, sys, google.oauth2.credentials
        from langchain_google_memorystore_redis._connect.iam import IamCredentialProvider
        credentials = google.oauth2.credentials.Credentials(
            None, refresh_token="r", token_uri=sys.argv[1], client_id="c", client_secret="s")
        provider = IamCredentialProvider(credentials)
        provider._fetch_once("INVALID")  # it is held up
        sys.stdin.readline()
        child = os.fork()
        signal.alarm(30)  # rather than wait for ever
        if child == 0:
            os._exit(0 if provider.get_credentials()[1] == "token-2" else 1)
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    endpoint.open.clear()
    command = [sys.executable, "-W", "ignore", "-c", script, endpoint.url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        wait_until(lambda: endpoint.fetches == 1, "the fetch of the parent")
        process.stdin.write("\n")
        process.stdin.flush()
        wait_until(lambda: endpoint.fetches == 2, "the fetch of the child")
        endpoint.open.set()
        assert process.wait(timeout=20) == 0
