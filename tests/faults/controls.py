"""The handles a test holds: the same for one server and for a cluster.

Strategy: a proxy and a cluster of proxies differ in what they listen on, not in
what can be asked of them. Both have a plan and a count of their own, which they
enter into the settings of every link they answer for.
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.faults.counts import Count
from tests.faults.link import Settings
from tests.faults.plan import Fault, Injection, Matcher, Plan

_LEAST_LATENCY = 0.005  # while counting; a piece may follow that much later
_SETTLE = 0.05  # likewise, for a flight that is being sent in pieces


class Controls:
    """Faults in, figures out."""

    def __init__(self, settings: Sequence[Settings]) -> None:
        self._settings = settings
        self._plan = Plan()
        self._count = Count()
        for each in settings:
            each.plans.append(self._plan)
            each.counts.append(self._count)

    @property
    def round_trips(self) -> int:
        """Flights since the start, handshakes aside; `counting` is the surer way to ask."""
        return self._count.round_trips

    @property
    def commands(self) -> list[str]:
        """Names of the commands since the start, handshakes aside."""
        return self._count.commands

    @property
    def handshake(self) -> list[str]:
        """Names of the commands that clients sent on their own account."""
        return self._count.handshake

    @contextmanager
    def counting(self, settle: float = _SETTLE) -> Iterator[Count]:
        """Count what passes while the context is open.

        A client hands a long pipeline to its socket piece by piece, and a near server
        can answer the first piece before the next one leaves: seen from between them
        that looks like two flights. So while counting, a round trip takes 5 ms, or
        `settle` seconds more where a flight is long enough to come in pieces, and what
        follows within that time belongs to the flight.
        """
        count = Count()
        before = [(each.latency, each.settle) for each in self._settings]
        for each in self._settings:
            each.latency = max(each.latency, _LEAST_LATENCY)
            each.settle = settle
            each.counts.append(count)
        try:
            yield count
        finally:
            for each, (latency, settle_before) in zip(self._settings, before, strict=True):
                each.latency, each.settle = latency, settle_before
                # By identity: two counts of the same figures are equal.
                each.counts[:] = [other for other in each.counts if other is not count]

    @property
    def latency(self) -> float:
        """Seconds a round trip takes on the link alone, half of them each way."""
        return self._settings[0].latency

    @latency.setter
    def latency(self, seconds: float) -> None:
        for each in self._settings:
            each.latency = seconds

    def inject(self, fault: Fault, times: int = 1, on: Matcher = None) -> None:
        """Let the next `times` commands that match `on` meet `fault`.

        `on` is a name (`"EVALSHA"`, `"SCRIPT LOAD"`, `"SCRIPT"`), a predicate over
        `Command`, or None for any. Only a name reaches a connection's handshake.
        REFUSE takes no `on`: it is met by the next `times` connections.
        """
        self._plan.inject(fault, times, on)

    def release(self) -> int:
        """Send the servers what HOLD kept back, one by one; return how many commands that were."""
        released = 0
        for each in self._settings:
            held, each.held = each.held, []
            for raw in held:
                with socket.create_connection(each.upstream, timeout=10) as server:
                    server.sendall(raw)
                    assert server.recv(1 << 16)
            released += len(held)
        return released

    def chaos(self, rate: float, seed: int, faults: Sequence[Fault]) -> None:
        """Let each command meet one of `faults` with probability `rate`, until `calm`.

        With REFUSE among them, each connection is refused with the same probability.
        The same seed and the same commands give the same faults.
        """
        self._plan.chaos(rate, seed, faults)

    def calm(self) -> None:
        """Plan nothing more; what was injected stays on record."""
        self._plan.calm()

    @property
    def injections(self) -> list[Injection]:
        """Every fault let loose, in order, and the command it met."""
        return self._plan.injections

    @property
    def injected(self) -> Counter[Fault]:
        """How often each fault was let loose."""
        return self._plan.injected
