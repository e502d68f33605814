"""Which command meets which fault.

Strategy: a plan is asked once for each command and once for each connection, and
answers with a fault or with none. Faults are values; what each does to bytes is
known only to the link that carries them out. Tests fill a plan from their own
thread while the proxy's thread asks it, so everything is behind one lock.

Random faults come from generators of the plan's own. Commands and connections
draw from two of them, so that how often a client reconnects does not change which
of its commands fail: the same seed and the same commands give the same faults.

This file must not know about sockets, loops or time.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock

from tests.faults.resp import Command

Matcher = str | Callable[[Command], bool] | None


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that can happen to a command on its way, or to a connection."""

    name: str
    request_wait: float = 0.0
    reply_wait: float = 0.0

    @property
    def is_fatal(self) -> bool:
        """Whether the connection is of no more use afterwards."""
        return not (self.request_wait or self.reply_wait)


DROP_REPLY = Fault("drop reply")
"""The server executes; its reply is thrown away and the connection cut."""
CUT_BEFORE = Fault("cut before")
"""The connection is cut; the server never sees the command."""
CUT_DURING = Fault("cut during")
"""The server gets half of the command's bytes, then both connections are cut."""
CUT_AFTER_PARTIAL_REPLY = Fault("cut after partial reply")
"""The server executes; the client gets half of the reply's bytes, then is cut off."""
STALL = Fault("stall")
"""The server executes; the client hears nothing until it gives up and closes."""
HOLD = Fault("hold")
"""The connection is cut; the server gets the command when the proxy is told to `release` it."""
REFUSE = Fault("refuse")
"""A connection is closed as soon as it is accepted."""


def delay(seconds: float) -> Fault:
    """The server executes at once; the reply comes that much later."""
    return Fault("delay", reply_wait=_positive(seconds))


def late(seconds: float) -> Fault:
    """The server gets the command that much later, even if the client is gone by then.

    The nastiest of them: a client that timed out and tried again has its second
    try executed before its first.
    """
    return Fault("late", request_wait=_positive(seconds))


def _positive(seconds: float) -> float:
    if seconds <= 0:
        raise ValueError(f"a fault that only waits must wait, not {seconds} seconds")
    return seconds


@dataclass(frozen=True, slots=True)
class Injection:
    """A fault that was let loose, and on which command; None for a connection."""

    fault: Fault
    command: str | None


@dataclass(slots=True)
class _Rule:
    fault: Fault
    times: int
    on: Matcher

    def matches(self, command: Command) -> bool:
        """Handshakes are spared unless the rule names one: they are not what is tested."""
        if isinstance(self.on, str):
            return command.is_called(self.on)
        return not command.is_handshake and (self.on is None or self.on(command))


class _Chaos:
    def __init__(self, rate: float, seed: int, faults: Sequence[Fault]) -> None:
        self._rate = rate
        self._faults = [fault for fault in faults if fault != REFUSE]
        self._refuses = REFUSE in faults
        self._by_command = random.Random(f"{seed} commands")
        self._by_connection = random.Random(f"{seed} connections")

    def fault_for(self, command: Command) -> Fault | None:
        if command.is_handshake or not self._faults or self._by_command.random() >= self._rate:
            return None
        return self._by_command.choice(self._faults)

    def refuses(self) -> bool:
        return self._refuses and self._by_connection.random() < self._rate


class Plan:
    """The faults still to come, and those that came."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._rules: list[_Rule] = []
        self._chaos: _Chaos | None = None
        self._log: list[Injection] = []

    def inject(self, fault: Fault, times: int = 1, on: Matcher = None) -> None:
        """Let the next `times` commands that match `on` meet `fault`; for REFUSE, connections."""
        if times < 1:
            raise ValueError(f"times must be at least 1, not {times}")
        if fault == REFUSE and on is not None:
            raise ValueError("REFUSE is for connections: it cannot choose among commands")
        with self._lock:
            self._rules.append(_Rule(fault, times, on))

    def chaos(self, rate: float, seed: int, faults: Sequence[Fault]) -> None:
        """Let each command meet one of `faults` with probability `rate`, until `calm`."""
        if not 0 <= rate <= 1:
            raise ValueError(f"rate is a probability, not {rate}")
        with self._lock:
            self._chaos = _Chaos(rate, seed, faults)

    def calm(self) -> None:
        """Plan nothing more; what was injected stays on record."""
        with self._lock:
            self._rules.clear()
            self._chaos = None

    @property
    def injections(self) -> list[Injection]:
        """Every fault let loose, in order."""
        with self._lock:
            return list(self._log)

    @property
    def injected(self) -> Counter[Fault]:
        """How often each fault was let loose."""
        return Counter(injection.fault for injection in self.injections)

    def fault_for(self, command: Command) -> Fault | None:
        """Decide about a command; asked once for each."""
        with self._lock:
            fault = self._spend(lambda rule: rule.fault != REFUSE and rule.matches(command))
            if fault is None and self._chaos is not None:
                fault = self._chaos.fault_for(command)
            if fault is not None:
                self._log.append(Injection(fault, command.name))
            return fault

    def refuses_connection(self) -> bool:
        """Decide about a connection; asked once for each."""
        with self._lock:
            refused = self._spend(lambda rule: rule.fault == REFUSE) is not None
            if not refused and self._chaos is not None:
                refused = self._chaos.refuses()
            if refused:
                self._log.append(Injection(REFUSE, None))
            return refused

    def _spend(self, applies: Callable[[_Rule], bool]) -> Fault | None:
        rule = next((rule for rule in self._rules if applies(rule)), None)
        if rule is None:
            return None
        rule.times -= 1
        if not rule.times:
            self._rules.remove(rule)
        return rule.fault
