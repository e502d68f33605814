"""`connect()`: a redis-py client set up right for Memorystore, or for an embedded server.

Strategy: the arguments are first resolved, by blocking code, to plain options: address, TLS,
credentials, cluster or not. Only then is a client made from them, blocking or asyncio by the same
lines. `client.py` knows redis-py's classes, `iam.py` fetches tokens, `embedded.py` starts a server.
"""

from __future__ import annotations

import os
import re
import ssl
from asyncio import to_thread
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import redis
import redis.asyncio
from redis.connection import parse_url

from langchain_google_memorystore_redis._connect.client import DEFAULT_OPTIONS, ServerOptions
from langchain_google_memorystore_redis._redis.arguments import boolean
from langchain_google_memorystore_redis.errors import ArgumentTypeError, InvalidArgumentError

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

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
        url_or_endpoint: `host`, `host:port`, or a `redis://` or `rediss://` (TLS) URL. None
            takes the environment variable REDIS_URL, or if that is not set, an embedded
            Valkey (extra `embedded`): shared by all connections of this process, or, if
            MEMORYSTORE_EMBEDDED_DIR names a folder, by all processes that name the same; its data
            is kept there. It stops when the last process that uses it has ended.
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

    - RESP2, and timeouts of 5 seconds for a reply and for connecting.
    - Four retries, with jittered, growing pauses: a server that refuses connections is reported
      after some 2 seconds, a silent one after 27, a wrong password at once. After a failover that
      leaves a connection on a read-only server, it is reopened and the command sent again.
    - At most 50 connections a pool (`max_connections`); a caller waits up to 20 seconds
      (`timeout`) for a free one.
    - In a cluster at most 100 connections a node; one more raises a `MaxConnectionsError`. Only
      the discovery endpoint is asked for the topology. Unreachable shards leave the others usable;
      commands to a shard that fails over may raise a `ConnectionError`.

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
    server = await to_thread(_resolve, url_or_endpoint, cluster, iam, ca_certs, redis_py_options)
    client = server.make_client(redis.asyncio)
    if server.cluster:
        await client.initialize()
    return client


def _resolve(
    address: str | None,
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
    if address is None:
        address = os.environ.get("REDIS_URL") or None
        folder = os.environ.get("MEMORYSTORE_EMBEDDED_DIR") or None
        if address and folder:
            raise InvalidArgumentError(
                "url_or_endpoint",
                "is not given, and REDIS_URL and MEMORYSTORE_EMBEDDED_DIR are both set: "
                "unset one of them",
            )
        if not address:
            return _resolve_embedded(folder, cluster or iam or ca_certs is not None, given)
    scheme, address_options = _parse_address(address)
    options = {**DEFAULT_OPTIONS, **given, **address_options}
    tls = _resolve_tls(scheme, ca_certs, options, iam=bool(iam))
    if iam:
        _resolve_iam(iam, options)
    if cluster is None:
        cluster = ServerOptions(tls, options, cluster=False).is_cluster()
    if cluster and options.pop("db", 0) != 0:
        raise InvalidArgumentError("db", "must be 0: a cluster has no other database")
    return ServerOptions(tls, options, cluster)


def _resolve_embedded(folder: str | None, remote: object, given: dict[str, Any]) -> ServerOptions:
    if remote:
        raise InvalidArgumentError(
            "url_or_endpoint",
            "is needed with cluster, iam or ca_certs: the embedded server has none of them",
        )
    from langchain_google_memorystore_redis._connect.embedded import (  # noqa: PLC0415  (an extra)
        embedded_port,
    )

    port = embedded_port(folder)
    options = {**DEFAULT_OPTIONS, **given, "host": "127.0.0.1", "port": port}
    return ServerOptions(tls=False, options=options, cluster=False)


def _parse_address(address: str) -> tuple[str | None, dict[str, Any]]:
    """Return the scheme of a URL, None for a bare endpoint, and the options in it."""
    if not isinstance(address, str):
        raise ArgumentTypeError("url_or_endpoint", f"must be a str, not {type(address).__name__}")
    scheme = address.partition("://")[0] if "://" in address else None
    try:
        url = address if scheme else f"redis://{address}"
        options: dict[str, Any] = dict(parse_url(url))  # type: ignore[no-untyped-call]
        parts = urlsplit(url)
        if "host" not in options or (scheme is None and parts.path):
            raise ValueError
    except ValueError:
        # Without the address and the cause: both may hold the password, or a piece of it.
        raise InvalidArgumentError(
            "url_or_endpoint",
            "must be host, host:port, redis://[user:password@]host:port, or rediss://... "
            "for TLS; percent-encode special characters of a password, and put an IPv6 "
            "address in [brackets]",
        ) from None
    # redis-py ignores a port of 0 and a path that is no number.
    if parts.port == 0:
        raise InvalidArgumentError("url_or_endpoint", "has port 0: give the port, usually 6379")
    if not re.fullmatch("/?[0-9]*/?", parts.path):
        raise InvalidArgumentError(
            "url_or_endpoint",
            "has a path that is no database: end the URL with a number, such as /0, or no path",
        )
    options.pop("connection_class", None)
    return scheme, options


def _resolve_tls(
    scheme: str | None,
    ca_certs: str | os.PathLike[str] | Sequence[str] | None,
    options: dict[str, Any],
    *,
    iam: bool,
) -> bool:
    """Return True if the connection is to use TLS, and add its settings to `options`."""
    ssl_option: bool | None = options.pop("ssl", None)
    if ssl_option is None and ca_certs is not None:
        ssl_option = True
    if scheme == "rediss" and ssl_option is False:
        raise InvalidArgumentError("ssl", "is False, but the URL begins with rediss://")
    if scheme == "redis" and ssl_option:
        raise InvalidArgumentError(
            "url_or_endpoint", "begins with redis://, without TLS: use rediss:// or no scheme"
        )
    if scheme == "rediss" or ssl_option:
        # QUIRK(redis-py<6): off by default. Remove when redis-py 6 is the oldest.
        options.setdefault("ssl_check_hostname", True)
        if ca_certs is not None:
            options.update(_ca_options(ca_certs))
        return True
    if iam and ssl_option is not False:
        raise InvalidArgumentError(
            "iam",
            "sends a token that gives access to more than this server, and this connection is "
            "not encrypted: give ca_certs or a rediss:// URL, or ssl=False to permit plain text",
        )
    return False


def _ca_options(ca_certs: str | os.PathLike[str] | Sequence[str]) -> dict[str, str]:
    """Return the option of redis-py for these authorities, which are loaded once to check them."""
    try:
        if isinstance(ca_certs, (str, os.PathLike)):
            text = os.fspath(ca_certs)
            name = "ssl_ca_data" if "-----BEGIN" in text else "ssl_ca_certs"
        else:
            text, name = "\n".join(ca_certs), "ssl_ca_data"
    except TypeError as error:
        raise ArgumentTypeError(
            "ca_certs", f"must be a path, PEM text or a list of PEM texts, all of them str: {error}"
        ) from error
    if not text.strip():  # ssl and redis-py would ignore it
        raise InvalidArgumentError("ca_certs", "is empty: give the authorities, or leave it out")
    try:
        if name == "ssl_ca_data":
            ssl.create_default_context(cadata=text)
        else:
            ssl.create_default_context(cafile=text)
    except OSError as error:  # an ssl.SSLError too
        source = "text" if name == "ssl_ca_data" else repr(text)
        raise InvalidArgumentError("ca_certs", f"({source}) cannot be used: {error}") from error
    return {name: text}


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
