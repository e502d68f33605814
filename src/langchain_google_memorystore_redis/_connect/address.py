"""Addresses of servers: a bare endpoint, or a URL as redis-py and valkey-py take it.

Strategy: what could be meant in two ways is refused, because redis-py would take a piece of a
password that is not percent-encoded for the host, the port or the name of an option, and show it in
its errors. For the same reason no error here quotes the address or has a cause.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from redis.connection import parse_url

from langchain_google_memorystore_redis.errors import ArgumentTypeError, InvalidArgumentError

_SCHEMES = {
    "redis": "redis",
    "valkey": "redis",
    "rediss": "rediss",
    "valkeys": "rediss",
    "unix": "unix",
}
"""Scheme of redis-py for each scheme that is accepted."""

_FORMS = (
    "must be host, host:port, redis://[user:password@]host:port, rediss://... for TLS, or "
    "unix:///path/of/socket (valkey:// and valkeys:// are accepted too); percent-encode special "
    "characters of user and password, and put an IPv6 address in [brackets]"
)
_NOT_ENCODED = (
    "is ambiguous: percent-encode special characters of user and password (/ as %2F, # as %23, "
    "? as %3F), and an @ in an option as %40"
)


@dataclass(frozen=True, slots=True)
class Address:
    """Address of a server; its text has no user and no password."""

    scheme: str | None
    """"redis", "rediss" or "unix"; None for a bare endpoint."""
    options: dict[str, Any] = field(repr=False)
    """Options of redis-py that it names."""

    def __str__(self) -> str:
        if "path" in self.options:
            return f"unix://{self.options['path']}"
        host, port = self.options["host"], self.options.get("port", 6379)
        host = f"[{host}]" if ":" in host else host
        database = f"/{self.options['db']}" if self.options.get("db") else ""
        return f"{self.scheme}://{host}:{port}{database}" if self.scheme else f"{host}:{port}"


def parse_address(text: str, known_options: Collection[str] | None = None) -> Address:
    """Return the address that a text means.

    Options in a URL must be among the known ones, if given. Raises `InvalidArgumentError`.
    """
    if not isinstance(text, str):
        raise ArgumentTypeError("url_or_endpoint", f"must be a str, not {type(text).__name__}")
    # Scheme names are case-insensitive. Mounted secrets often end with a newline.
    scheme, separator, rest = text.strip().partition("://")
    family = _SCHEMES.get(scheme.lower()) if separator else "redis"
    problem, options = _FORMS, {}
    if family:
        url = f"{family}://{rest if separator else scheme}"
        problem = _find_problem(url, known_options, bare=not separator)
    if not problem:
        options = dict(parse_url(url))  # type: ignore[no-untyped-call]
        options.pop("connection_class", None)
        return Address(family if separator else None, options)
    raise InvalidArgumentError("url_or_endpoint", problem)


def _find_problem(url: str, known_options: Collection[str] | None, *, bare: bool) -> str:
    """Return what is wrong with a URL, empty if nothing is."""
    scheme, _, rest = url.partition("://")
    behind_host = re.sub("^[^/?]*", "", rest)
    if re.search(r"[\s\x00-\x1f\x7f]", rest):  # urllib would remove some of them
        return f"contains white space: it {_FORMS}"
    if "#" in rest or ("@" in behind_host and scheme != "unix"):
        return _NOT_ENCODED
    try:
        parts = urlsplit(url)
        parse_url(url)  # type: ignore[no-untyped-call]
        options = {name for name, _ in parse_qsl(parts.query, strict_parsing=bool(parts.query))}
        problem = _find_unix_problem(parts) if scheme == "unix" else _find_host_problem(parts, bare)
    except ValueError:
        return _FORMS
    if not problem and known_options and options - {*known_options}:
        return "has an option that redis-py does not know: see the part behind its ?"
    return problem


def _find_unix_problem(parts: SplitResult) -> str:
    # Two slashes begin with a host, but user and password may stand there.
    return "" if parts.path not in ("", "/") and parts.netloc[-1:] in ("", "@") else _FORMS


def _find_host_problem(parts: SplitResult, bare: bool) -> str:
    # A name that can be none may be a piece of a password.
    if not re.fullmatch(r"[\w.-]+|.*:.*", parts.hostname or "") or (bare and parts.path):
        return _FORMS
    # redis-py ignores a port of 0 and a path that is no number.
    if parts.port == 0:
        return "has port 0: give the port, usually 6379"
    if not re.fullmatch("/?[0-9]*/?", parts.path):
        return "has a path that is no database: end the URL with a number, such as /0, or no path"
    return ""
