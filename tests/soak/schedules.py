"""Schedules of calls and of copies of their commands, on a real server, from a seed.

Strategy: the histories are real and so is the server; only the way between them is a network of
our own, which decides for each command when it arrives, how often, and whether its reply does. All
runs in one event loop, so a seed always gives the same schedule. After each command the session is
read, and what changed is held against what had been acknowledged when the command was first sent.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import redis
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from langchain_google_memorystore_redis import MemorystoreChatMessageHistory
from langchain_google_memorystore_redis._redis.op import Flow, Op
from langchain_google_memorystore_redis._redis.runners import Runner

OLD = b'{"type": "human", "data": {"content": "of release 0.3.0", "type": "human"}}'
_MOST_TRIES = 8


class Lost(redis.ConnectionError):
    """No reply came, and the client does not try again by itself."""


@dataclass
class Call:
    """A call of a history, and what became of it."""

    kind: str
    started: int
    returned: int | None = None
    is_named: bool = True
    """Whether all its commands named the newest entry."""
    contents: tuple[str, ...] = ()

    def begun_after(self, other: Call) -> bool:
        """Whether this call was acknowledged, and begun when the other had returned."""
        if self.returned is None or other.returned is None:
            return False
        return self.started >= other.returned


@dataclass
class Copy:
    """A command that is still on its way, though its sender no longer listens."""

    op: Op[Any]
    call: Call


@dataclass
class Report:
    """What a schedule has met with."""

    calls: Counter[str] = field(default_factory=Counter)
    copies: int = 0
    refused: int = 0
    wrong: list[tuple[str, str]] = field(default_factory=list)
    """Kind and description of each violation."""
    removed: int = 0
    """Acknowledged messages that a late command removed which named no entry."""
    came_back: int = 0
    """Messages that were cleared and came back, as the documentation says they may."""


class Network:
    """The way to one session on one server; `clock` counts the commands that were executed."""

    def __init__(self, chance: random.Random, client: Any, key: str, faults: float) -> None:
        self.chance, self.key, self.report = chance, key, Report()
        self.clock = 0
        self._faults = faults
        self._client, self._runner = client, Runner(client)
        self._late: list[Copy] = []
        self._stored: list[bytes] = []
        self._seen: set[bytes] = set()
        self._removed: set[bytes] = set()
        self._came_back: set[bytes] = set()
        self.calls: dict[str, Call] = {}
        """By the text of a message, the append of it."""
        self._removed_by: dict[bytes, str] = {}

    # What clients do

    async def pause(self) -> None:
        for _ in range(self.chance.randrange(4)):
            await asyncio.sleep(0)

    async def send(self, op: Op[Any], call: Call) -> Any:
        """Send a command: the reply, or `Lost`; copies of it may be executed at any later time."""
        await self.pause()
        while self.chance.random() < self._faults:
            fate = self.chance.choice(["lost request", "lost reply", "late", "late"])
            if fate == "lost reply":
                self.execute(op, call)
            elif fate == "late":
                self._late.append(Copy(op, call))
            if self.chance.random() < 0.4:
                raise Lost
            await self.pause()  # until the client sends it again by itself
        return self.execute(op, call)

    def deliver_late(self) -> None:
        """Execute one of the commands that nobody waits for any more."""
        if self._late:
            copy = self._late.pop(self.chance.randrange(len(self._late)))
            self.report.copies += 1
            self.execute(copy.op, copy.call)

    def deliver_all(self) -> None:
        while self._late:
            self.deliver_late()

    def disturb(self, what: Callable[[], object], kind: str) -> None:
        """Let another program change the session."""
        what()
        self._look(Call(kind, self.clock))

    # What the server does

    def execute(self, op: Op[Any], call: Call) -> Any:
        self.clock += 1
        reply = self._runner.run(op)
        if isinstance(reply, list) and reply[:1] == [0]:
            self.report.refused += 1
        self._look(call, op)
        return reply

    def _look(self, call: Call, op: Op[Any] | None = None) -> None:
        """Hold what has changed in the session against what was acknowledged before."""
        stored: Any = self._client.lrange(self.key, 0, -1)
        before, self._stored = self._stored, stored
        self._seen.update(stored)
        for element, count in Counter(stored).items():
            if count > 1 and self._call_of(element) and before.count(element) < count:
                if not self._names_what_came_back(op):
                    self._say("doubled", element, call)
        for element in set(before) - set(stored):
            self._removed_by[element] = call.kind
            self._removed.add(element)
            added = self._call_of(element)
            if added and call.kind in ("clear", "truncate") and added.begun_after(call):
                if call.is_named and not self._names_what_came_back(op):
                    self._say("removed", element, call)
                else:
                    self.report.removed += 1
        added_now = set(stored) - set(before)
        for element in added_now:
            removed_by = self._removed_by.pop(element, "")
            added = self._call_of(element)
            if not removed_by or added is None or added.returned is None:
                continue
            is_excused = removed_by == "truncate" or self._names_what_came_back(op)
            if call.is_named and not is_excused:
                self._say("came back", element, call)
            else:
                self.report.came_back += 1
        self._came_back |= added_now & self._removed

    def confirm(self, call: Call) -> None:
        """Enter that a call has returned."""
        call.returned = self.clock
        seen = {json.loads(element)["data"]["content"] for element in self._seen}
        if call.kind == "append" and not seen.issuperset(call.contents):
            self.report.wrong.append(("lost", f"at {self.clock}: {call}"))

    def _names_what_came_back(self, op: Op[Any] | None) -> bool:
        """Whether a command names an entry that came back: then what named it does too."""
        return any(element.endswith(named_in(op)) for element in self._came_back)

    def _call_of(self, element: bytes) -> Call | None:
        return self.calls.get(json.loads(element)["data"]["content"])

    def _say(self, kind: str, element: bytes, call: Call) -> None:
        content = json.loads(element)["data"]["content"]
        self.report.wrong.append((kind, f"at {self.clock}: {content} by {call}"))


class NetworkRunner:
    """The runner of one call: its commands go through the network."""

    def __init__(self, network: Network, call: Call) -> None:
        self._network, self._call = network, call

    async def run(self, work: Op[Any] | Flow[Any]) -> Any:
        if isinstance(work, Op):
            return await self._send(work)
        answer: Any = None
        resume: Any = work.send
        while True:
            try:
                step = resume(answer)
            except StopIteration as end:
                return end.value
            resume = work.send
            try:
                answer = await self._send(step)
            except Exception as error:  # noqa: BLE001  (raised inside the flow)
                resume, answer = work.throw, error

    async def _send(self, op: Op[Any]) -> Any:
        if named_in(op) == b"nothing":
            self._call.is_named = False
        return await self._network.send(op, self._call)


def named_in(op: Op[Any] | None) -> bytes:
    """The end of the entry that a script is told as the newest that its sender knows."""
    parts = op.command[4:8] if op is not None and op.source is not None else ()
    return next((part for part in parts if str(part).startswith("b',\"id")), b"nothing")


class Writer:
    """One process: its own client, and so its own knowledge of the session."""

    def __init__(self, network: Network, port: int, number: int, **options: Any) -> None:
        self._network, self._number = network, number
        self._client = redis.Redis(port=port, protocol=2)
        self._options = options
        self._count = 0

    async def act(self) -> None:
        """Make one call, and repeat it until it returns or is given up."""
        chance, network = self._network.chance, self._network
        kinds = ["append"] * 6 + ["read"] * 2 + ["tail", "clear", "truncate"]
        kind = chance.choice(kinds)
        call = Call(kind, network.clock)
        network.report.calls[kind] += 1
        messages = self._messages(call) if kind == "append" else []
        length = chance.randrange(6)
        for _ in range(_MOST_TRIES):
            try:
                await self._try(call, messages, length)
            except Lost:
                if chance.random() < 0.3:
                    return  # given up: it may happen or not
            else:
                network.confirm(call)
                return

    def _messages(self, call: Call) -> list[BaseMessage]:
        self._count += 1
        size = self._network.chance.choice([1, 2, 2, 3])
        texts = [f"w{self._number}.{self._count}.{part}" for part in range(size)]
        call.contents = tuple(texts)
        self._network.calls.update(dict.fromkeys(texts, call))
        return [(HumanMessage if part % 2 else AIMessage)(text) for part, text in enumerate(texts)]

    async def _try(self, call: Call, messages: list[BaseMessage], length: int) -> None:
        history = MemorystoreChatMessageHistory(self._client, self._network.key, **self._options)
        history._async = NetworkRunner(self._network, call)
        if call.kind == "append":
            await history.aadd_messages(messages)
        elif call.kind == "read":
            await history.aget_messages()
        elif call.kind == "tail":
            await history.aget_messages(-3)
        elif call.kind == "clear":
            await history.aclear()
        else:
            await history.atruncate(length)


async def _play(network: Network, port: int, acts: int, bounded: bool) -> None:
    limits = [None, None, 7] if bounded else [None, None, None]
    writers = [Writer(network, port, n, max_messages=limit) for n, limit in enumerate(limits)]
    chance = network.chance
    left = acts

    async def work(writer: Writer) -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await writer.act()
            await network.pause()

    async def disturb() -> None:
        with redis.Redis(port=port, protocol=2) as client:
            while left > 0:
                await asyncio.sleep(0)
                draw = chance.random()
                if draw < 0.2:
                    network.deliver_late()
                elif draw < 0.21:
                    network.disturb(lambda: client.pexpire(network.key, 0), "expiry")
                elif draw < 0.22:
                    network.disturb(lambda: client.rpush(network.key, OLD), "0.3.0")

    await asyncio.gather(*map(work, writers), disturb())
    network.deliver_all()


def play(
    port: int, key: str, seed: int, *, acts: int = 40, faults: float = 0.25, bounded: bool = True
) -> Report:
    """Play the schedule of a seed; the session is removed at the end."""
    with redis.Redis(port=port, protocol=2) as client:
        network = Network(random.Random(f"{seed} schedule"), client, key, faults)
        asyncio.run(_play(network, port, acts, bounded))
        client.delete(key)
    return network.report


@dataclass
class Totals:
    """What many schedules have met with."""

    counts: Counter[str] = field(default_factory=Counter)
    """Calls by their kind, and copies, refused commands, and what the documentation allows."""
    wrong: list[str] = field(default_factory=list)
    """Violations, each with its seed."""

    def add(self, seed: int, report: Report) -> None:
        self.counts += report.calls
        for name in ("copies", "refused", "came_back", "removed"):
            self.counts[name] += getattr(report, name)
        self.wrong += [f"seed {seed}: {kind} {what}" for kind, what in report.wrong]

    def __str__(self) -> str:
        counted = ", ".join(f"{name} {count}" for name, count in self.counts.items())
        return "\n  ".join([f"{counted}; wrong: {len(self.wrong)}", *self.wrong[:10]])


def play_all(port: int, first: int, count: int, *, faults: float = 0.25) -> Totals:
    """Play the schedules of so many seeds; each second one has a writer with `max_messages`."""
    totals = Totals()
    for seed in range(first, first + count):
        key = f"schedule {seed}"
        totals.add(seed, play(port, key, seed, faults=faults, bounded=bool(seed % 2)))
    return totals
