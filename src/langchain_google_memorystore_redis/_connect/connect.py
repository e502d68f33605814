"""`connect()`: a redis-py client set up right for Memorystore, or for an embedded server.

Strategy: the arguments are first resolved, by blocking code, to plain options: address, TLS,
credentials, cluster or not. Only then is a client made from them, blocking or asyncio by the same
lines. Each kind of argument has a module of its own, and `client.py` knows redis-py's classes.
"""

from __future__ import annotations

import os
from asyncio import to_thread
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import redis
import redis.asyncio

from langchain_google_memorystore_redis._connect.address import parse_address
from langchain_google_memorystore_redis._connect.client import (
    DEFAULT_OPTIONS,
    ServerOptions,
    known_options,
)
from langchain_google_memorystore_redis._connect.tls import resolve_tls
from langchain_google_memorystore_redis._redis.arguments import boolean
from langchain_google_memorystore_redis._redis.loops import HOMES, require_loop
from langchain_google_memorystore_redis.errors import ArgumentTypeError, InvalidArgumentError

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

__all__ = ["aconnect", "connect", "naming_address", "parse_address"]

_ADDRESS_OPTIONS = {
    "host",
    "port",
    "path",
    "unix_socket_path",
    "startup_nodes",
    "url",
    "connection_pool",
}


def connect(
    url_or_endpoint: str | None = None,
    *,
    cluster: bool | None = None,
    iam: bool | Credentials = False,
    ca_certs: str | os.PathLike[str] | Sequence[str] | None = None,
    asyncio: bool = False,
    **redis_py_options: Any,
) -> Any:
    """Return a client of redis-py set up for Memorystore for Redis, Redis Cluster or Valkey.

    Args:
        url_or_endpoint: `host`, `host:port`, or a URL that begins with `redis://` or `valkey://`,
            with `rediss://` or `valkeys://` for TLS, or with `unix://` and the path of a socket;
            special characters of user and password must be percent-encoded. None takes the
            environment variable REDIS_URL, or if that is not set, an embedded Valkey (extra
            `embedded`): shared by all connections of this process, or, if
            MEMORYSTORE_EMBEDDED_DIR names a folder, by all processes of this user that name the
            same; its data is kept there. It stops when the last process that uses it has ended.
        cluster: True returns a `RedisCluster`, for Memorystore for Redis Cluster and for Valkey
            with cluster mode: give the discovery endpoint. False returns a `Redis`. None asks the
            server, by CLUSTER SLOTS; a user without permission to run that could not use a
            `RedisCluster` either, and gets a `Redis`.
        iam: True logs in with IAM, as the user `username` ("default" if not given), with the
            application's default Google credentials (extra `gcp`); or give credentials of
            google-auth. A token is fetched once for all connections, and again before it
            expires. It is sent only over TLS, unless `ssl=False` permits plain text.
        ca_certs: the certificate authorities to trust, which turns TLS on for a bare endpoint: a
            file, PEM text, or a list of PEM texts as Google's API returns them. Give all of them,
            because the server will change to the newest one. A blocking client reads a file again
            for each connection.
        asyncio: return a `redis.asyncio` client. Asking the server (`cluster=None`) or starting
            the embedded one still blocks: in a running loop await `aconnect`.
        redis_py_options: any other option of the client, such as `password` (the AUTH string),
            `username`, `decode_responses`, `max_connections`, `ssl_check_hostname=False` (if the
            server's certificate does not name the address you use), `ssl_certfile`, `protocol`.
            Options in the URL take precedence.

    Defaults that differ from redis-py's:

    - RESP2, and timeouts of 5 seconds for a reply and 3 for connecting.
    - Four retries, with jittered, growing pauses: a server that refuses connections is reported
      after some 2 seconds, a silent one after 17 to 28. After a failover that leaves a
      connection on a read-only server, it is reopened and the command sent again.
    - No retry where it would not help; the `ConnectionError` says what to do. That is a
      certificate of another authority or host, or one that has expired, a file or client
      certificate that is missing, and TLS on one side only; a wrong password raises an
      `AuthenticationError`. A server that leaves the first TLS handshake unanswered for 3
      seconds is asked in plain text.
    - At most 50 connections a pool (`max_connections`); a caller waits up to 20 seconds
      (`timeout`) for a free one. In a cluster a blocking client opens at most 100 a node, and an
      asyncio client runs at most 100 calls at once.
    - In a cluster only the discovery endpoint is asked for the topology. Unreachable shards leave
      the others usable; commands to a shard that fails over may raise a `ConnectionError`.

    With `cluster` given, `Redis` and asyncio clients send nothing yet; otherwise one connection
    is opened and closed: 1 round trip, and 1 to log in. Raises `InvalidArgumentError` for
    settings that contradict each other, `MissingExtraError`, `EmbeddedServerError`,
    `CredentialsError`, and redis-py's own errors if the server cannot be reached. Close the
    client after use.

    Examples:
        >>> client = connect(url)
        >>> client.ping()
        True
        >>> client.close()
    """
    library = redis.asyncio if boolean("asyncio", asyncio) else redis
    server = _resolve(url_or_endpoint, cluster, iam, ca_certs, redis_py_options)
    return server.make_client(library)


async def aconnect(
    url_or_endpoint: str | None = None,
    *,
    cluster: bool | None = None,
    iam: bool | Credentials = False,
    ca_certs: str | os.PathLike[str] | Sequence[str] | None = None,
    **redis_py_options: Any,
) -> Any:
    """Return the client of `connect(..., asyncio=True)` without blocking the loop.

    A cluster's client is initialised too.

    Examples:
        >>> async def main():
        ...     client = await aconnect(url)
        ...     pong = await client.ping()
        ...     await client.aclose()
        ...     return pong
        >>> import asyncio
        >>> asyncio.run(main())
        True
    """
    require_loop()
    server = await to_thread(_resolve, url_or_endpoint, cluster, iam, ca_certs, redis_py_options)
    client = server.make_client(redis.asyncio)
    if server.cluster:
        await client.initialize()
    HOMES.of(client).note()
    return client


@contextmanager
def naming_address(name: str) -> Iterator[None]:
    """Give errors about the address the name by which the caller knows it."""
    try:
        yield
    except InvalidArgumentError as error:
        if error.argument != "url_or_endpoint":
            raise
        problem = str(error).removeprefix(f"{error.argument} ")
        raise type(error)(name, problem) from None


def _resolve(
    text: str | None,
    cluster: bool | None,
    iam: bool | Credentials,
    ca_certs: str | os.PathLike[str] | Sequence[str] | None,
    given: dict[str, Any],
) -> ServerOptions:
    if misplaced := sorted(_ADDRESS_OPTIONS & given.keys()):
        raise InvalidArgumentError(misplaced[0], "is not accepted: give url_or_endpoint instead")
    if cluster is not None:
        boolean("cluster", cluster)
    if not (isinstance(iam, bool) or hasattr(iam, "refresh")):
        raise ArgumentTypeError(
            "iam", f"must be a bool or credentials of google-auth, not {type(iam).__name__}"
        )
    if text is None:
        text = os.environ.get("REDIS_URL") or None
        folder = os.environ.get("MEMORYSTORE_EMBEDDED_DIR") or None
        if text and folder:
            raise InvalidArgumentError(
                "url_or_endpoint",
                "is not given, and REDIS_URL and MEMORYSTORE_EMBEDDED_DIR are both set: "
                "unset one of them",
            )
        if not text:
            return _resolve_embedded(folder, cluster or iam or ca_certs is not None, given)
    address = parse_address(text, known_options())
    options = {**DEFAULT_OPTIONS, **given, **address.options}
    tls = resolve_tls(address.scheme, ca_certs, options, iam=bool(iam))
    if iam:
        _resolve_iam(iam, options)
    return ServerOptions(tls, options, _resolve_cluster(cluster, tls, options))


def _resolve_cluster(cluster: bool | None, tls: bool, options: dict[str, Any]) -> bool:
    """Return True for a cluster, whose options are left without a database; may ask the server."""
    if "path" in options:
        if cluster:
            raise InvalidArgumentError("cluster", "is True, but a Unix socket leads to one server")
        return False
    if cluster is None:
        cluster = ServerOptions(tls, options, cluster=False).is_cluster()
    if cluster and options.pop("db", 0) != 0:
        raise InvalidArgumentError("db", "must be 0: a cluster has no other database")
    return cluster


def _resolve_embedded(folder: str | None, remote: object, given: dict[str, Any]) -> ServerOptions:
    if remote:
        raise InvalidArgumentError(
            "url_or_endpoint",
            "is needed with cluster, iam or ca_certs: the embedded server has none of them",
        )
    from langchain_google_memorystore_redis._connect.embedded import (  # noqa: PLC0415  (an extra)
        embedded_socket,
    )

    options = {**DEFAULT_OPTIONS, **given, "path": embedded_socket(folder)}
    return ServerOptions(tls=False, options=options, cluster=False)


def _resolve_iam(iam: Credentials | Literal[True], options: dict[str, Any]) -> None:
    """Add a provider of IAM tokens to `options`."""
    for name in ("password", "credential_provider"):
        if options.get(name) is not None:
            raise InvalidArgumentError(name, "cannot be used together with iam")
    from langchain_google_memorystore_redis._connect.iam import (  # noqa: PLC0415  (an extra)
        IamCredentialProvider,
    )

    options.pop("password", None)
    options["credential_provider"] = IamCredentialProvider(
        None if iam is True else iam, username=options.pop("username", None) or "default"
    )
