"""No error, chain of errors, log record, repr or output shows a piece of a password."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
import redis
import redis.asyncio

from langchain_google_memorystore_redis import InvalidArgumentError, aconnect, connect
from langchain_google_memorystore_redis._connect.address import parse_address
from langchain_google_memorystore_redis._connect.client import ServerOptions
from langchain_google_memorystore_redis._connect.owned import OwnedClient
from langchain_google_memorystore_redis.cli.server import Server as CommandLineServer
from tests.connect.ways import Way, done
from tests.plugins.servers import Servers
from tests.plugins.shell import run
from tests.servers.processes import HOST, Server

PARTS = ("1234", "Zq7wQ", "Xk9vJ", "Rt5bY", "Lm3pW")
SECRETS = [
    *(between.join(PARTS) for between in "/#?@:%&=+[]\\ "),
    "Zq7wQ/#?@Xk9vJ",
    "1234#Zq7wQ",
    "1234?Zq7wQ=Xk9vJ",
    "1234/5678#Zq7wQ",
    "Zq7wQ]@Xk9vJ",
    "[Zq7wQ]",
    "Zq7wQ\nXk9vJ",
    "Zq7wQ\u2100Xk9vJ",
]
FORMS = {
    "a password": "redis://:{}@127.0.0.1:1",
    "a user": "redis://{}:x@127.0.0.1:1",
    "user and password": "rediss://user:{}@127.0.0.1:1/0",
    "an IPv6 address": "valkeys://user:{}@[::1]:1",
    "no scheme": "user:{}@127.0.0.1:1",
    "an unknown scheme": "redis+ssl://:{}@127.0.0.1:1",
    "a unix socket": "unix://user:{}@/no/such/socket",
    "an option": "redis://127.0.0.1:1?password={}",
    "an unknown option": "redis://127.0.0.1:1?{}=1",
    "no host": "redis://:{}@",
    "an odd port": "redis://:{}@127.0.0.1:odd",
}


def pieces_of(secret: str) -> set[str]:
    """All pieces of 4 characters of a secret, as it is and percent-encoded."""
    forms = (secret, quote(secret, safe=""))
    return {form[at : at + 4] for form in forms for at in range(len(form) - 3)}


def assert_hidden(secret: str, *texts: str) -> None:
    for text in texts:
        shown = {piece for piece in pieces_of(secret) if piece in text}
        assert not shown, f"{shown} of {secret!r} in: {text}"


def texts_of(error: BaseException | None) -> Iterator[str]:
    """All that an error and the errors behind it say, shown or not."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield from (str(each), repr(each), repr(each.args), repr(vars(each)))
        waiting += [each.__cause__, each.__context__]


Use = Callable[[str, Callable[[Any], None]], Awaitable[None]]
"""Connects to a URL, hands the client on, and uses it."""


async def by_connect(url: str, look: Callable[[Any], None]) -> None:
    with connect(url, cluster=False, retry=None) as client:
        look(client)
        client.ping()


async def by_aconnect(url: str, look: Callable[[Any], None]) -> None:
    async with await aconnect(url, cluster=False, retry=None) as client:
        look(client)
        await client.ping()


def owned(url: str) -> OwnedClient[Any]:
    return OwnedClient(lambda client: client, url, cluster=False, options={"retry": None})


async def by_with(url: str, look: Callable[[Any], None]) -> None:
    with owned(url) as client:
        look(client)
        client.ping()


async def by_async_with(url: str, look: Callable[[Any], None]) -> None:
    async with owned(url) as client:
        look(client)
        await client.ping()


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("use", [by_connect, by_aconnect, by_with, by_async_with])
async def test_a_password_that_is_not_encoded_is_not_shown_in_part(
    form: str, use: Use, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for secret in SECRETS:
        texts: list[str] = []

        def look(client: Any, texts: list[str] = texts) -> None:
            texts.extend([repr(client), repr(client.connection_pool)])

        with pytest.raises((redis.ConnectionError, InvalidArgumentError)) as caught:
            await use(form.format(secret), look)
        assert_hidden(secret, *texts, *texts_of(caught.value), caplog.text)


@pytest.mark.parametrize("engine", ["redis-5.0", "redis-7.0", "valkey-9.1"])
async def test_a_password_that_a_server_refuses_is_not_shown(
    way: Way, servers: Servers, engine: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def ping(url: str, cluster: bool) -> None:
        client = await way(url, cluster=cluster)
        await done(client.ping())

    with Server(servers.engine(engine), "--requirepass", "right") as server:
        for secret in SECRETS:
            for cluster in (False, True):
                url = f"redis://:{quote(secret, safe='')}@{HOST}:{server.port}"
                with pytest.raises(redis.AuthenticationError) as caught:
                    await ping(url, cluster)
                assert_hidden(secret, *texts_of(caught.value), caplog.text)


def test_objects_on_the_way_to_a_client_do_not_show_what_they_hold() -> None:
    secret = "Zq7wQ-Xk9vJ"
    url = f"redis://user:{secret}@127.0.0.1:1/3?client_name={secret}"
    address = parse_address(url)
    assert str(address) == "redis://127.0.0.1:1/3"
    options = ServerOptions(tls=False, options=address.options, cluster=False)
    provider_free = (address, options, owned(url), CommandLineServer(url, ""))
    assert_hidden(secret, *map(repr, provider_free))
    for library in (redis, redis.asyncio):
        client = options.make_client(library)
        assert_hidden(secret, repr(client), repr(client.connection_pool))


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_the_command_line_does_not_show_it(form: str) -> None:
    for secret in ("Zq7wQ/#?@Xk9vJ", "1234#Zq7wQ", "1234?Zq7wQ=Xk9vJ", "1234/5678Zq7wQ"):
        url = form.format(secret)
        for arguments in (["--url", url, "list"], ["--url", url, "doctor"], [url], ["list", url]):
            done = run("--no-cluster", *arguments)
            assert done.exit_code in (1, 2)
            assert_hidden(secret, done.stdout, done.stderr)
