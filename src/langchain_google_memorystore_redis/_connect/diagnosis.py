"""Reasons of failed connections that no retry would mend.

Strategy: most are read from the error. For the others, such as a handshake that nobody answers,
the server is asked once whether it speaks TLS, over a connection that logs nobody in; that is done
only as long as no connection has succeeded. All is blocking: asyncio clients use a thread.
"""

from __future__ import annotations

import os
import socket
import ssl
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import redis

from langchain_google_memorystore_redis._redis.locks import create_lock
from langchain_google_memorystore_redis.errors import MemorystoreError

_PROBE_TIMEOUT = 1.0
_PROBE_INTERVAL = 60.0
_FINAL = "is_final"
"""Name of the attribute that marks an error as explained."""

_NO_TLS = "the server does not speak TLS: use redis:// instead of rediss://, and no ca_certs"
_ONLY_TLS = "the server speaks TLS: use rediss://, or give ca_certs"
_NEEDS_CERTIFICATE = (
    "the server asks for a client certificate: give it by ssl_certfile and ssl_keyfile"
)
_BY_ALERT = {
    "CERTIFICATE_REQUIRED": _NEEDS_CERTIFICATE,
    "WRONG_VERSION_NUMBER": _NO_TLS,
    "RECORD_LAYER_FAILURE": _NO_TLS,
    "PROTOCOL_VERSION": "client and server have no version of TLS in common",
    "UNSUPPORTED_PROTOCOL": "client and server have no version of TLS in common",
    "UNKNOWN_CA": "the server does not accept the client certificate (ssl_certfile)",
    "BAD_CERTIFICATE": "the server does not accept the client certificate (ssl_certfile)",
    "CERTIFICATE_EXPIRED": "the server does not accept the client certificate (ssl_certfile)",
    "CERTIFICATE_UNKNOWN": "the server does not accept the client certificate (ssl_certfile)",
    "HANDSHAKE_FAILURE": (
        "the server refuses the TLS handshake: it may ask for a client certificate (ssl_certfile "
        "and ssl_keyfile)"
    ),
}
"""Explanations by a part of OpenSSL's reason."""

_BY_VERIFICATION = {
    9: "its certificate is not valid yet: check the clock of this machine",
    10: "its certificate has expired: renew it, or check the clock of this machine",
    62: (
        "its certificate does not name this host: use a name that it holds, or give "
        "ssl_check_hostname=False if it names no host"
    ),
}
_BY_VERIFICATION[64] = _BY_VERIFICATION[62]  # an IP address
"""Explanations by OpenSSL's code of a failed verification."""

_UNTRUSTED = (
    "its certificate comes from no authority that is trusted here: give all authorities of the "
    "server by ca_certs"
)


def causes_of(error: BaseException, outer: BaseException | None) -> list[Exception]:
    """Return an error and what caused it, the last cause last.

    `outer` is the exception that was being handled when the failed call began, which is no cause.
    """
    causes: list[Exception] = []
    each: BaseException | None = error
    while isinstance(each, Exception) and each is not outer and each not in causes:
        causes.append(each)
        each = each.__cause__ or each.__context__
    return causes


def final_failure(causes: Iterable[Exception]) -> Exception | None:
    """Return the first of these errors after which no retry helps, None without one.

    It has been explained, or is a wrong password or an error of this package.
    """
    for each in causes:
        if isinstance(each, (redis.AuthenticationError, MemorystoreError)) or _FINAL in vars(each):
            return each
    return None


class Diagnosis:
    """Explanations of the failed connections of one client.

    Args:
        tls_options: options of redis-py for TLS; None without TLS.
    """

    def __init__(self, tls_options: Mapping[str, Any] | None) -> None:
        self._tls_options = tls_options
        self._lock = create_lock()
        self._next_probe = 0.0
        self._reason: str | None = None
        self.reached = False
        """True after a connection has succeeded: TLS is right then."""

    def explain(self, causes: Sequence[Exception], host: str, port: int) -> Exception | None:
        """Return an error that says why no connection to an address will succeed, if so.

        Asks the server, for up to 3 seconds, if the error alone does not tell; once a minute.
        """
        reason = self._read(causes)
        if reason is None and not self.reached and _is_ambiguous(causes):
            with self._lock:  # who fails at the same time uses the same answer
                if time.monotonic() >= self._next_probe:
                    self._reason = self._probe(causes, host, port)
                    self._next_probe = time.monotonic() + _PROBE_INTERVAL
                reason = self._reason
        if reason is None:
            return None
        explained = redis.ConnectionError(f"{host}:{port}: {reason}")
        explained.__cause__ = causes[0]
        vars(explained)[_FINAL] = True
        return explained

    def _read(self, causes: Iterable[Exception]) -> str | None:
        for each in causes:
            if isinstance(each, ssl.SSLError):
                return _read_tls(each)
            if self._tls_options is not None and isinstance(each, FileNotFoundError):
                for name in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile"):
                    file = self._tls_options.get(name)
                    if file and not os.path.exists(file):  # noqa: PTH110  (may be bytes)
                        return f"the file of {name} is not there: {file}"
        return None

    def _probe(self, causes: Iterable[Exception], host: str, port: int) -> str | None:
        if self._tls_options is None:
            return _ONLY_TLS if _speaks_tls(host, port) else None
        if _speaks_plainly(host, port):
            return _NO_TLS
        timed_out = any(isinstance(each, TimeoutError) for each in causes)
        return None if timed_out else _ask_for_alert(host, port, self._tls_options)


def _read_tls(error: ssl.SSLError) -> str | None:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"{_BY_VERIFICATION.get(error.verify_code, _UNTRUSTED)} ({error})"
    for word, reason in _BY_ALERT.items():
        if word in (error.reason or ""):
            return f"{reason} ({error})"
    return None


def _is_ambiguous(causes: Iterable[Exception]) -> bool:
    """Tell whether a connection was closed or not answered, and not refused."""
    return not any(
        isinstance(each, (ConnectionRefusedError, FileNotFoundError, socket.gaierror))
        for each in causes
    )


def _speaks_plainly(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), _PROBE_TIMEOUT) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(1) in (b"+", b"-")  # PONG, or that it asks for a password
    except OSError:
        return False


def _speaks_tls(host: str, port: int) -> bool:
    try:
        with _open_tls(host, port, {}):
            return True
    except ssl.SSLError as error:
        return "ALERT" in (error.reason or "")
    except OSError:
        return False


def _ask_for_alert(host: str, port: int, tls_options: Mapping[str, Any]) -> str | None:
    """Return the reason that a server gives for closing connections after the handshake.

    A client that sends something first may lose it.
    """
    try:
        with _open_tls(host, port, tls_options) as connection:
            connection.recv(1)
    except ssl.SSLError as error:
        return _read_tls(error)
    except OSError:
        pass
    return None


def _open_tls(host: str, port: int, tls_options: Mapping[str, Any]) -> ssl.SSLSocket:
    """Open a connection with the client's certificate that does not verify the server's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if tls_options.get("ssl_certfile"):
        context.load_cert_chain(
            tls_options["ssl_certfile"],
            tls_options.get("ssl_keyfile"),
            tls_options.get("ssl_password") or "",
        )
    plain = socket.create_connection((host, port), _PROBE_TIMEOUT)
    try:
        return context.wrap_socket(plain, server_hostname=host)
    except OSError:
        plain.close()
        raise
