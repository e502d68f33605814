"""IAM tokens as redis-py's credentials, for Memorystore for Redis Cluster and for Valkey.

Strategy: only a new connection needs a token (an open one stays logged in when its token expires),
so tokens are fetched on demand. One fetch, in a thread of its own, serves all who wait for it, and
a token that expires soon, by google-auth's rule, is returned while that thread fetches the next.
No thread lives between fetches, so forked workers need no special care.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING

from redis.credentials import CredentialProvider
from redis.exceptions import RedisError

from langchain_google_memorystore_redis.errors import CredentialsError, MissingExtraError

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

_logger = logging.getLogger("langchain_google_memorystore_redis")
_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
_EARLY_FETCH_INTERVAL = 10.0
"""Minimum time between two attempts to replace a token that is still valid."""


class _FetchError(CredentialsError, RedisError):
    """Failed fetch of a token."""

    # QUIRK(redis-py<=8.1): after any other error than a RedisError, the connection stays open
    # without being logged in. Remove when redis-py closes it.


class IamCredentialProvider(CredentialProvider):
    """Provider of a user and an OAuth token to log connections in, as `connect(iam=True)` uses it.

    Args:
        credentials: of google-auth; None takes the application's default ones, which may ask the
            metadata server, so the constructor may block for a moment.
        username: the user to log in as.

    May be used by many clients, threads and loops at once. Raises `CredentialsError`, with the
    last reason, when there is no valid token and none can be fetched.
    """

    def __init__(self, credentials: Credentials | None = None, username: str = "default") -> None:
        try:
            import google.auth  # noqa: PLC0415  (an extra)
            import google.auth.transport.requests  # noqa: PLC0415
            from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415
        except ImportError as error:
            raise MissingExtraError("gcp", "iam") from error
        if credentials is None:
            try:
                credentials, _ = google.auth.default(scopes=_SCOPES)
            except GoogleAuthError as error:
                raise CredentialsError(str(error)) from error
        self._credentials = credentials
        self._username = username
        self._new_request = google.auth.transport.requests.Request
        self._lock = threading.Lock()
        self._fetch: Future[None] | None = None
        self._fetching_process = 0
        self._next_early_fetch = 0.0

    def get_credentials(self) -> tuple[str, str]:
        """Return the user and a valid token; waits for Google only if there is none."""
        if fetch := self._fetch_if_needed():
            _raise_anew(fetch.exception())
        return self._username, str(self._credentials.token)

    async def get_credentials_async(self) -> tuple[str, str]:
        """Async twin of `get_credentials`; redis-py before 5.3 calls the blocking one instead."""
        if fetch := self._fetch_if_needed():
            await asyncio.gather(asyncio.wrap_future(fetch), return_exceptions=True)
            _raise_anew(fetch.exception())
        return self._username, str(self._credentials.token)

    def _fetch_if_needed(self) -> Future[None] | None:
        """Return the fetch to wait for, if any; starts one early when the token expires soon."""
        state = self._credentials.token_state.name
        if state == "INVALID":
            return self._fetch_once(state)
        if state == "STALE" and time.monotonic() >= self._next_early_fetch:
            self._next_early_fetch = time.monotonic() + _EARLY_FETCH_INTERVAL
            self._fetch_once(state)
        return None

    def _fetch_once(self, state: str) -> Future[None] | None:
        """Return the current fetch, or start one if the token is still in this state."""
        with self._lock:
            forked = self._fetching_process != os.getpid()  # its thread stayed in the parent
            if self._fetch is None or self._fetch.done() or forked:
                if self._credentials.token_state.name != state:
                    return None  # another fetch has ended since the caller read the state
                self._fetching_process = os.getpid()
                self._fetch = Future()
                self._fetch.set_running_or_notify_cancel()  # a cancelled waiter cannot cancel it
                threading.Thread(
                    target=self._refresh, args=(self._fetch,), name="iam-token", daemon=True
                ).start()
            return self._fetch

    def _refresh(self, fetch: Future[None]) -> None:
        try:
            self._credentials.refresh(self._new_request())  # type: ignore[no-untyped-call]
        except Exception as error:  # noqa: BLE001  (raised to all who wait)
            # Logged because nobody waits while the previous token is still valid.
            _logger.warning("Could not fetch a new IAM token: %s", error)
            fetch.set_exception(error)
        else:
            _logger.info("Fetched a new IAM token, valid until %s UTC", self._credentials.expiry)
            fetch.set_result(None)


def _raise_anew(error: BaseException | None) -> None:
    """Raise a fetch's error in a new object, because one must not be raised in many threads."""
    if error is not None:
        raise _FetchError(str(error)) from error
