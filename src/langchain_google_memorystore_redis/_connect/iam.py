"""IAM tokens as redis-py's credentials, for Memorystore for Redis Cluster and for Valkey.

Strategy: only a new connection needs a token (an open one stays logged in when its token expires),
so tokens are fetched on demand. One fetch, in a thread of its own, serves all who wait for it, and
a token that expires soon, by google-auth's rule, is returned while that thread fetches the next.
After a fetch that brought no lasting token there is a pause, in which its outcome stands.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING

from redis.backoff import EqualJitterBackoff
from redis.credentials import CredentialProvider

from langchain_google_memorystore_redis._redis.locks import create_lock
from langchain_google_memorystore_redis.errors import CredentialsError, MissingExtraError

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

_logger = logging.getLogger("langchain_google_memorystore_redis")
_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
_PAUSES = EqualJitterBackoff(cap=60, base=0.5)
"""Pauses between fetches: up to 1, 2, 4 ... 60 seconds, each at least half of that."""
_LONGEST_AFTER = 10
"""Fetches in a row after which the pause no longer grows."""


class IamCredentialProvider(CredentialProvider):
    """Provider of a user and an OAuth token to log connections in, as `connect(iam=True)` uses it.

    Args:
        credentials: of google-auth; None takes the application's default ones, which may ask the
            metadata server, so the constructor may block for a moment.
        username: the user to log in as.

    May be used by many clients, threads and loops at once. Raises `CredentialsError`, with the
    last reason, when there is no valid token and none can be fetched; in the pause after a failed
    fetch at once, without asking Google again.
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
        self._lock = create_lock()
        self._fetch: Future[None] | None = None
        self._fetching_process = 0
        self._unsuccessful = 0
        self._next_fetch = 0.0

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
        if state == "FRESH":
            return None
        fetch = self._fetch_once(state)
        return fetch if state == "INVALID" else None

    def _fetch_once(self, state: str) -> Future[None] | None:
        """Return the current fetch, or start one if the token is still in this state.

        In the pause after a fetch, that one is the current one.
        """
        with self._lock:
            forked = self._fetching_process != os.getpid()  # its thread stayed in the parent
            ended = self._fetch is not None and self._fetch.done()
            if ended and time.monotonic() < self._next_fetch:
                return self._fetch
            if self._fetch is None or ended or forked:
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
        failure = None
        try:
            self._credentials.refresh(self._new_request())  # type: ignore[no-untyped-call]
        except Exception as error:  # noqa: BLE001  (raised to all who wait)
            failure = error
        # A token may arrive as good as used up.
        lasting = failure is None and self._credentials.token_state.name == "FRESH"
        self._unsuccessful = 0 if lasting else self._unsuccessful + 1
        pause = 0.0 if lasting else _PAUSES.compute(min(self._unsuccessful, _LONGEST_AFTER))
        self._next_fetch = time.monotonic() + pause
        if failure is None:
            _logger.info("Fetched a new IAM token, valid until %s UTC", self._credentials.expiry)
            fetch.set_result(None)
        else:
            # Logged because nobody waits while the previous token is still valid.
            _logger.warning(
                "Could not fetch a new IAM token: %s. Trying again in %.1f seconds or later",
                failure,
                pause,
            )
            fetch.set_exception(failure)


def _raise_anew(error: BaseException | None) -> None:
    """Raise a fetch's error in a new object, because one must not be raised in many threads."""
    if error is not None:
        raise CredentialsError(str(error)) from error
