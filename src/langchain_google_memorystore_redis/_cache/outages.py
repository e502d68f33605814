"""The policy of a cache while its server cannot be used.

Strategy: an outage is told from a fault of the caller (a wrong password, a missing right, a closed
client), which is always raised. Under "miss" the server is left alone for a second after a
failure, so that one that hangs does not cost each call its timeout.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from time import monotonic
from typing import Any, Literal, TypeAlias

from langchain_google_memorystore_redis._redis.arguments import one_of
from langchain_google_memorystore_redis._redis.op import FanOut, Flow, Op
from langchain_google_memorystore_redis.errors import WrongTypeError

_logger = logging.getLogger("langchain_google_memorystore_redis")

OnOutage: TypeAlias = Literal["miss", "raise"]

_PAUSE_SECONDS = 1.0
_LOG_SECONDS = 60.0
_MAX_PROBLEMS = 100

# By name, because the classes of redis-py and valkey-py are unrelated.
_OUTAGES = {
    "ConnectionError",
    "TimeoutError",
    "OSError",
    "OutOfMemoryError",
    "ReadOnlyError",
    "ClusterError",
    "ClusterDownError",
    "MasterDownError",
    "TryAgainError",
    "SlotNotCoveredError",
    "RedisClusterException",
    "ValkeyClusterException",
}
_FAULTS = {"AuthenticationError", "AuthorizationError", "AuthenticationWrongNumberOfArgsError"}
"""Errors that derive from ConnectionError, and that waiting does not cure."""
_WORDS = ("MISCONF ", "NOREPLICAS ", "LOADING ", "MASTERDOWN ", "CLUSTERDOWN ", "UNBLOCKED ")
"""Beginnings of replies that have no class of their own."""


def is_outage(error: Exception) -> bool:
    """Tell whether an error says that the server cannot be used at present."""
    names = {base.__name__ for base in type(error).__mro__}
    if names & _FAULTS:
        return False
    return bool(names & _OUTAGES) or str(error).startswith(_WORDS)


class Outages:
    """The policy of one cache, and what it remembers of failures."""

    def __init__(self, on_outage: OnOutage) -> None:
        self._is_raised = one_of("on_outage", on_outage, ("miss", "raise")) == "raise"
        self._ask_again_at = 0.0
        self._log_again_at = 0.0
        self._problems: set[str] = set()

    def ask(self, ops: Sequence[Op[Any]]) -> Flow[list[Any]]:
        """Run operations and return their answers; None for what an outage keeps from us."""
        if monotonic() < self._ask_again_at:
            return [None] * len(ops)
        return [self._settle(answer) for answer in (yield from _answers_of(ops))]

    def _settle(self, answer: Any) -> Any:
        if not isinstance(answer, Exception):
            return answer
        if isinstance(answer, WrongTypeError):
            self.report(str(answer))
            return None
        if self._is_raised or not is_outage(answer):
            raise answer
        now = monotonic()
        self._ask_again_at = now + _PAUSE_SECONDS
        if now >= self._log_again_at:
            self._log_again_at = now + _LOG_SECONDS
            _logger.warning(
                "cache: the server cannot be used (%s: %s); its entries count as missing until it "
                "can. Reported once a minute.",
                type(answer).__name__,
                answer,
            )
        return None

    def report(self, problem: str) -> None:
        """Log something that is not cached, once."""
        if problem not in self._problems and len(self._problems) < _MAX_PROBLEMS:
            self._problems.add(problem)
            _logger.warning("cache: not cached: %s", problem)


def _answers_of(ops: Sequence[Op[Any]]) -> Flow[list[Any]]:
    """Run operations in one round trip a node; the answer of one that failed is its error."""
    try:
        if len(ops) == 1:
            return [(yield ops[0])]  # by its hash, where a pipeline sends the script's text
        answers: list[Any] = yield FanOut(ops)
    except Exception as error:  # noqa: BLE001 - settled by the caller
        return [error] * len(ops)
    return answers
