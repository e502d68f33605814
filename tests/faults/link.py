"""One client's connection and its twin to the server: where faults happen.

Strategy: bytes from the client are cut into commands, bytes from the server into
replies, and the n-th reply belongs to the n-th command. Each command is met with
the plan's fault or none. What is done to its request is put on the lane towards
the server, what is done to its reply on the lane back, so everything keeps its
order whatever the latency. A connection has one fatal fault: what comes after it
could not be observed, so the plan is not asked.

A cut closes towards the client. Once a client is gone, however that came about,
the server's side is half-closed, and the server reads all that was sent before.
Closing outright could take away, by a reset, what the server had not read yet;
whether a command ran would then be a matter of luck.

This file must not know about threads, tests or which faults are planned.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from tests.faults.counts import Count
from tests.faults.lane import Lane
from tests.faults.plan import (
    CUT_AFTER_PARTIAL_REPLY,
    CUT_BEFORE,
    CUT_DURING,
    HOLD,
    STALL,
    Fault,
    Plan,
)
from tests.faults.resp import PUSH, Command, Splitter

# redis-py and valkey-py send what is shorter in one piece: their buffer_cutoff.
_ONE_PIECE = 6000


@dataclass(slots=True)
class Settings:
    """What all links of a proxy share."""

    upstream: tuple[str, int]
    plans: list[Plan]
    counts: list[Count]
    latency: float = 0.0
    settle: float = 0.0
    """How much longer the replies to a flight wait that may have pieces still to come."""
    readdress: Callable[[bytes], bytes] | None = None
    """Rewrites an error reply: a cluster's redirections must lead to a proxy again."""
    links: set[Link] = field(default_factory=set)
    held: list[bytes] = field(default_factory=list)
    """Commands that the server has still to get."""


class _Side(asyncio.Protocol):
    """One of the two sockets; what arrives and that it ended is told to the link."""

    def __init__(
        self,
        opened: Callable[[], None],
        received: Callable[[bytes], None],
        ended: Callable[[], None],
    ) -> None:
        self._opened, self._received, self._ended = opened, received, ended
        self._transport: asyncio.Transport | None = None
        self._finished = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._opened()

    def data_received(self, data: bytes) -> None:
        self._received(data)

    def eof_received(self) -> bool:
        self._ended()
        return True  # keep the other direction: replies may still be wanted

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._ended()

    @property
    def is_gone(self) -> bool:
        """Whether there is no socket, not even one with bytes still to get rid of."""
        return self._transport is None

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def send(self, data: bytes) -> None:
        """Send, unless too late: bytes behind a cut are lost."""
        if self._transport is not None and self.is_open and not self._finished:
            self._transport.write(data)

    def finish(self) -> None:
        """Say that no more will be sent, and go on listening."""
        if self._transport is not None and self.is_open and not self._finished:
            self._finished = True
            self._transport.write_eof()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def listen(self, on: bool) -> None:
        if self._transport is not None and self.is_open:
            (self._transport.resume_reading if on else self._transport.pause_reading)()


@dataclass(frozen=True, slots=True)
class _Asked:
    """A command whose reply is awaited."""

    fault: Fault | None
    is_counted: bool


class Link:
    """Carries one connection; `client` is the protocol the listener hands out."""

    def __init__(self, loop: asyncio.AbstractEventLoop, settings: Settings) -> None:
        self._loop, self._settings = loop, settings
        self.client = _Side(self._client_opened, self._from_client, self._client_ended)
        self._server = _Side(lambda: None, self._from_server, self._server_ended)
        self._requests = Lane(loop, self._server.send)
        self._replies = Lane(loop, self.client.send)
        self._commands, self._answers = Splitter(), Splitter()
        self._asked: deque[_Asked] = deque()
        self._unanswered = 0
        self._in_flight = False
        self._flight_size = 0  # in bytes, so far
        self._doomed = False  # met its fatal fault
        self._deaf = False  # takes nothing more from the client
        self._mute = False  # passes nothing more to the client
        self._opening: asyncio.Task[None] | None = None
        self.gone = asyncio.Event()  # both sockets are closed

    def abort(self) -> None:
        """Cut both sides at once, whatever is on its way."""
        if self._opening is not None:
            self._opening.cancel()
        self._requests.close()
        self._replies.close()
        self.client.abort()
        self._server.abort()

    # Opening and ending

    def _client_opened(self) -> None:
        if any(plan.refuses_connection() for plan in self._settings.plans):
            self.client.abort()
            return
        self._settings.links.add(self)
        self.client.listen(False)
        self._opening = self._loop.create_task(self._open())

    async def _open(self) -> None:
        try:
            await self._loop.create_connection(lambda: self._server, *self._settings.upstream)
        except OSError:
            self.client.close()
        if not self.client.is_open:
            self._server.close()
        self.client.listen(True)

    def _client_ended(self) -> None:
        self._send_on(self._server.finish)
        self._requests.flush()
        self._forget()

    def _server_ended(self) -> None:
        self._server.close()
        self._send_back(self.client.close)
        self._replies.flush()
        self._forget()

    def _forget(self) -> None:
        if self.client.is_gone and self._server.is_gone:
            self._settings.links.discard(self)
            self.gone.set()

    # From the client to the server

    def _send_on(self, item: bytes | Callable[[], None], late: float = 0.0) -> None:
        self._requests.put(item, self._settings.latency / 2 + late)

    def _from_client(self, data: bytes) -> None:
        if self._deaf:
            return
        under_way = self._in_flight or self._commands.partial
        self._flight_size = len(data) + (self._flight_size if under_way else 0)
        for raw in self._commands.feed(data):
            self._take(Command(raw))
            if self._deaf:
                break
        self._requests.flush()

    def _take(self, command: Command) -> None:
        counted = not command.is_handshake
        self._count(command, counted)
        fault = None if self._doomed else self._fault_for(command)
        if fault is not None and fault.is_fatal:
            self._doomed = True
            if fault in (CUT_BEFORE, CUT_DURING, HOLD):
                self._deaf = True
                if fault == HOLD:
                    self._settings.held.append(command.raw)
                if fault == CUT_DURING:
                    self._send_on(command.raw[: len(command.raw) // 2])
                self._send_on(self.client.close)
                return
        if command.is_answered:
            self._unanswered += counted
            self._asked.append(_Asked(fault, counted))
        self._send_on(command.raw, fault.request_wait if fault else 0.0)

    def _count(self, command: Command, counted: bool) -> None:
        opens = counted and not self._in_flight
        if opens:
            self._in_flight = command.is_answered
        for count in self._settings.counts:
            count.note(command, counted=counted, opens_flight=opens)

    def _fault_for(self, command: Command) -> Fault | None:
        decided = (plan.fault_for(command) for plan in self._settings.plans)
        return next((fault for fault in decided if fault is not None), None)

    # From the server to the client

    def _send_back(self, item: bytes | Callable[[], None], late: float = 0.0) -> None:
        settle = self._settings.settle if self._flight_size > _ONE_PIECE else 0.0
        self._replies.put(item, self._settings.latency / 2 + settle + late)

    def _from_server(self, data: bytes) -> None:
        if self._mute:
            return
        landing = 0
        for reply in self._answers.feed(data):
            if reply[:1] == PUSH or not self._asked:
                self._send_back(reply)
                continue
            asked = self._asked.popleft()
            landing += asked.is_counted
            self._answer(reply, asked.fault)
            if self._mute:
                break
        if landing:
            # Due before the last reply, and behind it: done with it, or a quick client's next
            # command would come in between.
            self._replies.put(partial(self._landed, landing), 0.0)
        self._replies.flush()

    def _answer(self, reply: bytes, fault: Fault | None) -> None:
        if fault is not None and fault.is_fatal:
            self._mute = True
            if fault == CUT_AFTER_PARTIAL_REPLY:
                self._send_back(reply[: len(reply) // 2])
            if fault != STALL:
                self._send_back(self.client.close)
            return
        if self._settings.readdress is not None and reply[:1] == b"-":
            reply = self._settings.readdress(reply)
        self._send_back(reply, fault.reply_wait if fault else 0.0)

    def _landed(self, replies: int) -> None:
        self._unanswered -= replies
        # With a command half here the client is still sending, so it cannot be waiting yet.
        if not self._unanswered and not self._commands.partial:
            self._in_flight = False
