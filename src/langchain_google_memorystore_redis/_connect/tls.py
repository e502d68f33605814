"""Settings of TLS, checked before anything is sent.

Strategy: certificates and keys are loaded once here, because redis-py would load them for each
connection and report a missing file like a server that is away, without its name.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Sequence
from typing import Any

from langchain_google_memorystore_redis.errors import ArgumentTypeError, InvalidArgumentError


def resolve_tls(
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
    if scheme in ("redis", "unix") and ssl_option:
        raise InvalidArgumentError(
            "url_or_endpoint", f"begins with {scheme}://, without TLS: use rediss:// or no scheme"
        )
    if scheme == "rediss" or ssl_option:
        # QUIRK(redis-py<6): off by default. Remove when redis-py 6 is the oldest.
        options.setdefault("ssl_check_hostname", True)
        if ca_certs is not None:
            options.update(_ca_options(ca_certs))
        _load(options)
        return True
    if iam and ssl_option is not False:
        raise InvalidArgumentError(
            "iam",
            "sends a token that gives access to more than this server, and this connection is "
            "not encrypted: give ca_certs or a rediss:// URL, or ssl=False to permit plain text",
        )
    return False


def tls_options(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that are about TLS."""
    return {name: value for name, value in options.items() if name.startswith("ssl_")}


def _ca_options(ca_certs: str | os.PathLike[str] | Sequence[str]) -> dict[str, str]:
    """Return the option of redis-py for these authorities."""
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
        source = "text" if name == "ssl_ca_data" else f"{text!r:.200}"
        raise InvalidArgumentError("ca_certs", f"({source}) cannot be used: {error}") from error
    return {name: text}


def _load(options: dict[str, Any]) -> None:
    """Load the files that `options` name."""
    context = ssl.create_default_context()
    ca_files, ca_folder = options.get("ssl_ca_certs"), options.get("ssl_ca_path")
    if ca_files or ca_folder:
        _check("ssl_ca_certs" if ca_files else "ssl_ca_path", ca_files or ca_folder)
        try:
            context.load_verify_locations(ca_files, ca_folder)
        except OSError as error:
            raise InvalidArgumentError(
                "ssl_ca_certs", f"({ca_files!r}) cannot be used: {error}"
            ) from error
    certificate, key = options.get("ssl_certfile"), options.get("ssl_keyfile")
    if not (certificate or key):
        return
    if not certificate:
        raise InvalidArgumentError("ssl_certfile", "is needed with ssl_keyfile")
    _check("ssl_certfile", certificate)
    if key:
        _check("ssl_keyfile", key)
    try:
        # Without a password OpenSSL would ask for one on the terminal.
        context.load_cert_chain(certificate, key, options.get("ssl_password") or "")
    except OSError as error:
        raise InvalidArgumentError(
            "ssl_certfile",
            f"({certificate!r}), ssl_keyfile ({key!r}) and ssl_password do not go together: "
            f"{error}",
        ) from error


def _check(name: str, path: Any) -> None:
    """Check that a file can be read: ssl's own error does not name it."""
    try:
        os.close(os.open(path, os.O_RDONLY))
    except OSError as error:
        raise InvalidArgumentError(
            name, f"({path!r}) cannot be read: {error.strerror or error}"
        ) from error
