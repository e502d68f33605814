"""`connect()`: a redis-py client set up right for Memorystore, or for an embedded server.

Strategy: everything is settled first, blocking, as plain options (where the server is, TLS,
credentials, whether it is a cluster); only then is a client made of them, the blocking and the
asyncio one by the same lines. How redis-py is told is for `endpoint.py` to know, how a token is
had for `iam.py`, how a server is started for `embedded.py`.
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

from langchain_google_memorystore_redis._connect.client import ALWAYS, Endpoint
from langchain_google_memorystore_redis._redis.arguments import boolean
from langchain_google_memorystore_redis.errors import ArgumentTypeError, InvalidArgumentError

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

_PLACES = {"host", "port", "path", "unix_socket_path", "startup_nodes", "url", "connection_pool"}


def connect(
    url_or_endpoint: str | None = None,
    *,
    cluster: bool | None = None,
    iam: bool | Credentials = False,
    ca_certs: str | os.PathLike[str] | Sequence[str] | None = None,
    asyncio: bool = False,
    **redis_py_options: Any,
) -> Any:
    """A client of redis-py that suits Memorystore for Redis, Redis Cluster or Valkey.

    Args:
        url_or_endpoint: `host`, `host:port`, or a `redis://` or `rediss://` (TLS) URL. None
            takes the environment variable REDIS_URL, and if that is not set, an embedded
            Valkey (extra `embedded`): shared by all connections of this process, or, if
            MEMORYSTORE_EMBEDDED_DIR names a folder, by all processes that name it; there its
            data is kept. It stops when the last process that uses it has ended.
        cluster: True gives a `RedisCluster`, for Memorystore for Redis Cluster and for Valkey
            with cluster mode: give the discovery endpoint. False gives a `Redis`. None asks the
            server, by CLUSTER SLOTS; a user who may not run that could not use a `RedisCluster`
            either and is given a `Redis`.
        iam: True logs in with IAM, as the user `username` ("default" if not given), with the
            application's default Google credentials (extra `gcp`); or give credentials of
            google-auth. A token is fetched once for all connections and again before it
            expires. It is sent only over TLS, unless `ssl=False` says that it may go in clear.
        ca_certs: the certificate authorities to trust, which turns TLS on for a bare endpoint: a
            file, PEM text, or a list of PEM texts as Google's API gives them. All of them are
            trusted; give all, since the server moves to the newest one some day. A blocking client
            reads a file again for each connection.
        asyncio: give a `redis.asyncio` client. Settling `cluster=None` or starting the embedded
            server blocks all the same: in a running loop await `aconnect`.
        redis_py_options: any other option of the client, such as `password` (the AUTH string),
            `username`, `decode_responses`, `max_connections`, `ssl_check_hostname=False` (if the
            server's certificate does not name the address you use), `ssl_certfile`, `protocol`.
            A URL's own options win.

    What differs from redis-py's defaults: RESP2; 5 seconds for a reply and for connecting; what
    fails is tried four times more with jittered, growing pauses, so a server that refuses is
    reported after some 2 seconds and one that is silent after 27, but a wrong password at once;
    after a failover that leaves a connection on a read-only server, it is opened anew and the
    command repeated. A pool opens at most 50 connections (`max_connections`) and lets a caller
    wait up to 20 seconds (`timeout`) for a free one. In a cluster it is 100 a node, and one more
    is a `MaxConnectionsError`; the topology is asked of the discovery endpoint only, and shards
    that are away leave the others usable; while one fails over, commands to it may raise a
    `ConnectionError`.

    With `cluster` given, `Redis` and asyncio clients send nothing yet; otherwise one connection
    is opened and closed: 1 round trip, and 1 for logging in. Raises `InvalidArgumentError` for
    settings that contradict each other, `MissingExtraError`, `EmbeddedServerError`,
    `CredentialsError`, and redis-py's own errors if the server cannot be reached. `close()` it.

    Example:
        >>> client = connect(url)
        >>> client.ping()
        True
        >>> client.close()
    """
    library = redis.asyncio if boolean("asyncio", asyncio) else redis
    return _settle(url_or_endpoint, cluster, iam, ca_certs, redis_py_options).client(library)


async def aconnect(
    url_or_endpoint: str | None = None,
    *,
    cluster: bool | None = None,
    iam: bool | Credentials = False,
    ca_certs: str | os.PathLike[str] | Sequence[str] | None = None,
    **redis_py_options: Any,
) -> Any:
    """`connect(..., asyncio=True)` that does not block the loop, and opens a cluster's client.

    Example:
        >>> async def main():
        ...     client = await aconnect(url)
        ...     pong = await client.ping()
        ...     await client.aclose()
        ...     return pong
        >>> import asyncio
        >>> asyncio.run(main())
        True
    """
    endpoint = await to_thread(_settle, url_or_endpoint, cluster, iam, ca_certs, redis_py_options)
    client = endpoint.client(redis.asyncio)
    if endpoint.cluster:
        await client.initialize()
    return client


def _settle(
    address: str | None,
    cluster: bool | None,
    iam: bool | Credentials,
    ca_certs: str | os.PathLike[str] | Sequence[str] | None,
    given: dict[str, Any],
) -> Endpoint:
    if misplaced := sorted(_PLACES & given.keys()):
        raise InvalidArgumentError(misplaced[0], "is not taken: pass url_or_endpoint instead")
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
                "unset the one that you do not mean",
            )
        if not address:
            return _settle_embedded(folder, cluster or iam or ca_certs is not None, given)
    scheme, place = _locate(address)
    options = {**ALWAYS, **given, **place}
    tls = _settle_tls(scheme, ca_certs, options, iam=bool(iam))
    if iam:
        _settle_iam(iam, options)
    if cluster is None:
        cluster = Endpoint(tls, options, cluster=False).ask_whether_cluster()
    if cluster and options.pop("db", 0) != 0:
        raise InvalidArgumentError("db", "must be 0: a cluster has no other database")
    return Endpoint(tls, options, cluster)


def _settle_embedded(folder: str | None, remote: object, given: dict[str, Any]) -> Endpoint:
    if remote:
        raise InvalidArgumentError(
            "url_or_endpoint",
            "is needed with cluster, iam or ca_certs: the embedded server has none of them",
        )
    from langchain_google_memorystore_redis._connect.embedded import (  # noqa: PLC0415  (an extra)
        embedded_port,
    )

    port = embedded_port(folder)
    options = {**ALWAYS, **given, "host": "127.0.0.1", "port": port}
    return Endpoint(tls=False, options=options, cluster=False)


def _locate(address: str) -> tuple[str | None, dict[str, Any]]:
    """The scheme of a URL (None: a bare endpoint) and the options it holds."""
    if not isinstance(address, str):
        raise ArgumentTypeError("url_or_endpoint", f"must be a str, not {type(address).__name__}")
    scheme = address.partition("://")[0] if "://" in address else None
    try:
        url = address if scheme else f"redis://{address}"
        found: dict[str, Any] = dict(parse_url(url))  # type: ignore[no-untyped-call]
        parts = urlsplit(url)
        if "host" not in found or (scheme is None and parts.path):
            raise ValueError
    except ValueError:
        # Neither the address nor the cause: both may hold the password, or a piece of it.
        raise InvalidArgumentError(
            "url_or_endpoint",
            "must be host, host:port, redis://[user:password@]host:port, or rediss://... "
            "for TLS; percent-encode what is special in a password, and put an IPv6 "
            "address in [brackets]",
        ) from None
    # What redis-py takes for nothing given.
    if parts.port == 0:
        raise InvalidArgumentError("url_or_endpoint", "says port 0: give the port, usually 6379")
    if not re.fullmatch("/?[0-9]*/?", parts.path):
        raise InvalidArgumentError(
            "url_or_endpoint",
            "has a path that is no database: end the URL in a number, as /0, or in none",
        )
    found.pop("connection_class", None)
    return scheme, found


def _settle_tls(
    scheme: str | None,
    ca_certs: str | os.PathLike[str] | Sequence[str] | None,
    options: dict[str, Any],
    *,
    iam: bool,
) -> bool:
    wanted: bool | None = options.pop("ssl", None)
    if wanted is None and ca_certs is not None:
        wanted = True
    if scheme == "rediss" and wanted is False:
        raise InvalidArgumentError("ssl", "is False, but the URL says rediss://")
    if scheme == "redis" and wanted:
        raise InvalidArgumentError(
            "url_or_endpoint", "says redis://, without TLS: write rediss:// or no scheme"
        )
    if scheme == "rediss" or wanted:
        options.setdefault("ssl_check_hostname", True)  # redis-py 5: off
        if ca_certs is not None:
            options.update(_trust(ca_certs))
        return True
    if iam and wanted is not False:
        raise InvalidArgumentError(
            "iam",
            "sends a token that is good for more than this server, and this connection is not "
            "encrypted: give ca_certs or a rediss:// URL, or ssl=False if it may go in clear",
        )
    return False


def _trust(ca_certs: str | os.PathLike[str] | Sequence[str]) -> dict[str, str]:
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
    if not text.strip():  # which ssl and redis-py would take for none given
        raise InvalidArgumentError("ca_certs", "is empty: give the authorities, or leave it out")
    try:
        if name == "ssl_ca_data":
            ssl.create_default_context(cadata=text)
        else:
            ssl.create_default_context(cafile=text)
    except OSError as error:  # an ssl.SSLError too
        where = "text" if name == "ssl_ca_data" else repr(text)
        raise InvalidArgumentError("ca_certs", f"({where}) cannot be used: {error}") from error
    return {name: text}


def _settle_iam(iam: Credentials | Literal[True], options: dict[str, Any]) -> None:
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
