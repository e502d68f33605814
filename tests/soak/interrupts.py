"""A process that is interrupted by signals, and that forks, while it appends through faults.

Strategy: writer 0 of a plan is the main thread, in which a timer's signals raise at any moment of
an append; writers 1 and 2 are threads; each batch of writer 3 is appended by a child that is forked
while they write, on the parent's client. The process prints what each writer was told, and its
parent, which also runs the faulty network, verifies the log.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

import redis

from langchain_google_memorystore_redis import MemorystoreChatMessageHistory
from tests.faults import CUT_AFTER_PARTIAL_REPLY, CUT_BEFORE, CUT_DURING, DROP_REPLY, Proxy
from tests.servers.processes import Server, wait_until
from tests.soak import plan
from tests.soak.clients import SOCKET_TIMEOUT
from tests.soak.patterns import Ours
from tests.soak.plan import BOUND, BOUNDED, Batch, Writer
from tests.soak.verify import Outcome, Violation, violations
from tests.soak.writers import Tally

FAULTS = (CUT_AFTER_PARTIAL_REPLY, CUT_BEFORE, CUT_DURING, DROP_REPLY)
_FAULT_RATE = 0.02
_WRITERS = 4
_SOONEST, _LATEST = 0.00002, 0.01
"""Seconds from the begin of an append to its interrupt; many appends have ended by then."""
_MOST_INTERRUPTS = 5
"""Of a batch, so that it is stored on a busy machine as well."""
_CHILD_SECONDS = 60


class Interrupt(BaseException):
    """Raised by the signal handler."""


def _key(session: str) -> str:
    return f"interrupts:{session}"


# In the process


def _is_within_append(frame: FrameType | None) -> bool:
    """Tell whether an append is interrupted, and not this program around it."""
    while frame is not None and frame.f_code is not Ours.append.__code__:
        if frame.f_code.co_name == "add_messages":
            return True
        frame = frame.f_back
    return False


def _raise(_: int, frame: FrameType | None) -> None:
    if _is_within_append(frame):
        raise Interrupt


@contextmanager
def _interrupting(seconds: float) -> Iterator[None]:
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _append(pattern: Ours, tally: Tally, batch: Batch, chance: random.Random | None) -> None:
    """Append until it returns or is given up; with `chance`, under interrupts at first."""
    messages, tries = batch.messages(), itertools.count()
    while tally.wants(batch):
        try:
            if chance is None or next(tries) >= _MOST_INTERRUPTS:
                pattern.append(_key(batch.session), messages)
            else:
                with _interrupting(chance.uniform(_SOONEST, _LATEST)):
                    pattern.append(_key(batch.session), messages)
        except (Exception, Interrupt) as error:  # noqa: BLE001  (counted, whatever it is)
            tally.refuse(batch, error)
        else:
            tally.acknowledge(batch)


def _write(client: Any, writer: Writer) -> Tally:
    pattern, tally = Ours(client, writer, replicated=False), Tally()
    for batch in writer.batches:
        _append(pattern, tally, batch, None)
    return tally


def _fork(pattern: Ours, tally: Tally, batch: Batch) -> None:
    """Append a batch in a child; a child that does not end is killed, and that is an error."""
    child = os.fork()
    if child == 0:
        try:
            own = Tally()
            _append(pattern, own, batch, None)
            os._exit(0 if own.outcomes[0].is_acknowledged else 3)
        finally:
            os._exit(1)
    give_up = time.monotonic() + _CHILD_SECONDS
    while not (ended := os.waitpid(child, os.WNOHANG))[0]:
        if time.monotonic() > give_up:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise RuntimeError(f"the child that appends {batch} hangs")
        time.sleep(0.001)
    status = os.waitstatus_to_exitcode(ended[1])
    if status not in (0, 3):
        raise RuntimeError(f"the child that appends {batch} ended with {status}")
    tally.outcomes.append(Outcome(batch, is_acknowledged=status == 0))


def _main(port: int, seed: int, appends: int) -> None:
    """Carry out a plan, and print what came of it."""
    signal.signal(signal.SIGALRM, _raise)
    sys.setswitchinterval(1e-5)
    chance = random.Random(f"{seed} interrupts")
    # hiredis 3.5 crashes where a signal handler raises while it packs the 3 of redis-py's HELLO.
    client = redis.Redis(port=port, protocol=2, socket_timeout=SOCKET_TIMEOUT)
    main, *others, forking = plan.make(seed, appends, _WRITERS)
    tallies = [Tally() for _ in range(_WRITERS)]

    def write(writer: Writer) -> None:
        tallies[writer.number] = _write(client, writer)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in others]
    for thread in threads:
        thread.start()
    of_main, of_children = (Ours(client, each, replicated=False) for each in (main, forking))
    for own, forked in zip(main.batches, forking.batches, strict=False):
        _append(of_main, tallies[main.number], own, chance)
        _fork(of_children, tallies[forking.number], forked)
    for thread in threads:
        thread.join()
    told = [
        [outcome.batch.writer, outcome.batch.number, outcome.is_acknowledged, outcome.raised]
        for tally in tallies
        for outcome in tally.outcomes
    ]
    errors = sum((tally.errors for tally in tallies), Counter[str]())
    unexpected = [text for tally in tallies for text in tally.unexpected.values()]
    print(json.dumps({"told": told, "errors": errors, "unexpected": unexpected}))


# Around it


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a run."""

    outcomes: tuple[Outcome, ...]
    violations: tuple[Violation, ...]
    errors: Counter[str]
    unexpected: tuple[str, ...]
    faults: int
    forks: int
    seconds: float

    def __str__(self) -> str:
        return (
            f"{len(self.outcomes)} appends, {self.errors[Interrupt.__name__]} interrupted, "
            f"{self.forks} forks, {self.faults} faults; raised: {dict(self.errors)}; "
            f"wrong: {len(self.violations)}; {self.seconds:.0f} s"
        )


def run(server: Server, seed: int, appends: int, timeout: float = 3_600) -> Result:
    """Run the process on a server of its own, and verify what is stored."""
    batches = {
        (batch.writer, batch.number): batch
        for writer in plan.make(seed, appends, _WRITERS)
        for batch in writer.batches
    }
    with Proxy(server.port) as proxy:
        proxy.chaos(_FAULT_RATE, seed, FAULTS)
        start = time.monotonic()
        arguments = [str(number) for number in (proxy.port, seed, appends)]
        command = [
            sys.executable,
            "-X",
            "faulthandler",
            "-W",
            "ignore",
            "-m",
            "tests.soak.interrupts",
            *arguments,
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
        if done.returncode:  # a signal's number is negative
            raise RuntimeError(f"the process ended with {done.returncode}:\n{done.stderr[-4_000:]}")
        seconds = time.monotonic() - start
        proxy.calm()
        wait_until(lambda: not proxy.settings.links, "what the network held back to arrive")
        faults = sum(proxy.injected.values())
    said = json.loads(done.stdout)
    outcomes = tuple(
        Outcome(batches[writer, number], is_acknowledged, raised)
        for writer, number, is_acknowledged, raised in said["told"]
    )
    logs = _read(server, {batch.session for batch in batches.values()})
    return Result(
        outcomes=outcomes,
        violations=tuple(violations(logs, outcomes, {BOUNDED: BOUND})),
        errors=Counter(said["errors"]),
        unexpected=tuple(said["unexpected"]),
        faults=faults,
        forks=sum(outcome.batch.writer == _WRITERS - 1 for outcome in outcomes),
        seconds=seconds,
    )


def _read(server: Server, sessions: set[str]) -> dict[str, list[str]]:
    with redis.Redis(port=server.port, protocol=2) as client:
        return {
            session: [
                str(message.content)
                for message in MemorystoreChatMessageHistory(client, _key(session))
            ]
            for session in sessions
        }


if __name__ == "__main__":
    _main(*map(int, sys.argv[1:]))
