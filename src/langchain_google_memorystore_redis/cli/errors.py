"""Explanations of errors for an operator.

Strategy: one line says what happened and, where that is known, what to do.
"""

from __future__ import annotations

import re
from typing import Any

import redis

from langchain_google_memorystore_redis._history.transcript import visible
from langchain_google_memorystore_redis.errors import MemorystoreError

_EXPECTED = (
    MemorystoreError,
    redis.RedisError,
    redis.exceptions.RedisClusterException,
    OSError,
    ValueError,
    ImportError,
)
"""Errors whose message suffices; of others the type is named too."""

_QUOTED_ADDRESS = re.compile(r"(?<=['(]).*(?:://|@).*(?=[')])")
"""Word of the command line that may be an address in the wrong place, with a password."""

_ADVICE = {
    "luster mode is not enabled": "Leave out --cluster.",
    "CERTIFICATE_VERIFY_FAILED": (
        "Pass the server's certificate authorities with --ca-certs; if its certificate does not "
        "name the host, end the URL in ?ssl_check_hostname=false."
    ),
    "the server speaks TLS": "Begin the URL with rediss://, or pass --ca-certs.",
    "the server does not speak TLS": "Begin the URL with redis://, and leave out --ca-certs.",
    "client certificate": "End the URL in ?ssl_certfile=FILE&ssl_keyfile=FILE.",
    "JSON.GET": (
        "This server has no JSON module. Save the documents in a file, one per line, and run "
        "`memorystore-chat import --format langchain-redis FILE`."
    ),
    # Redis 5; later versions add that it means the password that was sent.
    "no password is set": "Leave the password out: this server has none.",
    "without any password configured": "Leave the password out: this server has none.",
}
"""Advice by a part of the error message."""


def explain(error: Exception) -> str:
    """Return an error in one line, with advice where there is any."""
    message = _as_line(str(error))
    if not message or not isinstance(error, _EXPECTED):
        message = f"{type(error).__name__} {message}".strip()
    advice = _advice(error, message)
    return f"{_as_sentence(message)} {advice}" if advice else message


def explain_usage(error: Any) -> str:
    """Return a usage error in one line that says where to read more."""
    path = error.ctx.command_path if error.ctx else "memorystore-chat"
    message = _QUOTED_ADDRESS.sub("...", _as_line(error.format_message()))
    problem = _as_sentence(message + _misplaced_option(error))
    return f"{path}: {problem} See {path} --help."


def is_permission_error(error: object) -> bool:
    """Return whether the server refused permission (NOPERM)."""
    # Redis 7 words the refusal of a command inside a script differently.
    phrases = ("NOPERM", "can't run this command")
    return type(error).__name__ == "NoPermissionError" or any(x in str(error) for x in phrases)


def is_response_error(error: Exception) -> bool:
    """Return whether the server sent the error, so that there is a connection."""
    names = {base.__name__ for base in type(error).__mro__}
    return "ResponseError" in names and "ConnectionError" not in names


def _advice(error: Exception, message: str) -> str:
    if type(error).__name__ == "MovedError":
        return "This is one node of a cluster. Pass --cluster."
    for phrase, advice in _ADVICE.items():
        if phrase in message:
            return advice
    if isinstance(error, redis.AuthenticationError):
        return (
            "Put a password in the URL, redis://:password@host:port, or a user and a password, "
            "redis://user:password@host:port; use rediss:// for TLS."
        )
    if isinstance(error, (redis.ConnectionError, redis.TimeoutError)):
        return (
            "Is the server at --url (or REDIS_URL) running, can this machine reach it, and does it "
            "use TLS (rediss://) or not (redis://)?"
        )
    return ""


def _misplaced_option(error: Any) -> str:
    """Return advice for a global option that follows the command."""
    option = getattr(error, "option_name", None)
    params = error.ctx.parent.command.params if error.ctx and error.ctx.parent else ()
    if option and any(option in (*param.opts, *param.secondary_opts) for param in params):
        return f"; {option} goes before the command"
    return ""


def _as_line(text: str) -> str:
    return " ".join(visible(text).split())


def _as_sentence(text: str) -> str:
    return text if text.endswith(("?", "!")) else f"{text.rstrip('.')}."
