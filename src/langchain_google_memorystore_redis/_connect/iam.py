"""IAM tokens as redis-py's credentials, for Memorystore for Redis Cluster and for Valkey.

Strategy: only a new connection needs a token (an open one stays logged in when its token
expires), so tokens are fetched on demand: one fetch, in a thread of its own, serves everyone who
waits for it, and a token near its end is handed out while that thread fetches the next. What a
token's end is, google-auth says. No thread lives between fetches, so forked workers need no care.
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
_PAUSE = 10.0
"""Seconds between two attempts to replace a token that can still be used."""


class _FetchError(CredentialsError, RedisError):
    """A RedisError too: after any other, redis-py keeps the connection open, not logged in."""


class IamCredentialProvider(CredentialProvider):
    """Logs connections in with an OAuth token of `credentials`; `connect(iam=True)` makes one.

    Args:
        credentials: of google-auth; None takes the application's default ones, which may ask the
            metadata server, so the constructor can take a moment.
        username: the user to log in as.

    May be used by many clients, threads and loops at once. Raises `CredentialsError`, with the
    last reason, when there is no valid token and none can be had.
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
        """The user and a valid token. Waits for Google only if there is no valid token."""
        if fetch := self._needed():
            _reap(fetch.exception())
        return self._username, str(self._credentials.token)

    async def get_credentials_async(self) -> tuple[str, str]:
        """Async twin of `get_credentials`; redis-py before 5.3 calls the blocking one instead."""
        if fetch := self._needed():
            await asyncio.gather(asyncio.wrap_future(fetch), return_exceptions=True)
            _reap(fetch.exception())
        return self._username, str(self._credentials.token)

    def _needed(self) -> Future[None] | None:
        """The fetch to wait for, or None; starts one early when the token is near its end."""
        state = self._credentials.token_state.name
        if state == "INVALID":
            return self._fetch_once(state)
        if state == "STALE" and time.monotonic() >= self._next_early_fetch:
            self._next_early_fetch = time.monotonic() + _PAUSE
            self._fetch_once(state)
        return None

    def _fetch_once(self, state: str) -> Future[None] | None:
        """The fetch under way, or a new one unless the token is no longer in this state."""
        with self._lock:
            forked = self._fetching_process != os.getpid()  # then its thread is not here
            if self._fetch is None or self._fetch.done() or forked:
                if self._credentials.token_state.name != state:
                    return None  # a fetch has ended since the caller looked
                self._fetching_process = os.getpid()
                self._fetch = Future()
                self._fetch.set_running_or_notify_cancel()  # a waiter's end cancels it no more
                threading.Thread(
                    target=self._run, args=(self._fetch,), name="iam-token", daemon=True
                ).start()
            return self._fetch

    def _run(self, fetch: Future[None]) -> None:
        try:
            self._credentials.refresh(self._new_request())  # type: ignore[no-untyped-call]
        except Exception as error:  # noqa: BLE001  (raised again in whoever waits)
            # Nobody waits while the token before is still valid.
            _logger.warning("No new IAM token: %s", error)
            fetch.set_exception(error)
        else:
            _logger.info("A new IAM token, valid until %s UTC", self._credentials.expiry)
            fetch.set_result(None)


def _reap(error: BaseException | None) -> None:
    """Raise an error of a fetch anew: one object must not be raised in many threads."""
    if error is not None:
        raise _FetchError(str(error)) from error
