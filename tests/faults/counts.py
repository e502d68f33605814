"""What went over the wire: the figures the tests of round trips compare."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.faults.resp import Command


@dataclass(slots=True)
class Count:
    """Commands and flights seen; a connection's handshake kept apart.

    A flight is what a client sends before it waits for an answer: one command,
    or a pipeline of any length. Over a cluster each node's part of a pipeline is
    a flight, though the client may wait for them all at once.
    """

    round_trips: int = 0
    commands: list[str] = field(default_factory=list)
    handshake: list[str] = field(default_factory=list)

    def note(self, command: Command, *, counted: bool, opens_flight: bool) -> None:
        """Enter one command, as it arrives from the client."""
        (self.commands if counted else self.handshake).append(command.name)
        self.round_trips += opens_flight
