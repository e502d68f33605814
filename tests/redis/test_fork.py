"""A forked child uses the package at once, whatever the parent's threads were doing."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from tests.plugins.servers import Servers

PROGRAM = textwrap.dedent(
    """
    import os, sys, threading, time, warnings
    import redis
    from langchain_core.messages import HumanMessage
    from langchain_google_memorystore_redis import MemorystoreChatMessageHistory, ReadCache

    warnings.simplefilter("ignore", DeprecationWarning)
    port, prefix, forks = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    client, cache, stopped = redis.Redis(port=port), ReadCache(), False

    def turn(name):
        history = MemorystoreChatMessageHistory(client, name, key_prefix=prefix, cache=cache)
        history.add_messages([HumanMessage("hi", tags={"stored in a plain form"})])
        assert history.messages
        history.clear()

    def write(name):
        while not stopped:
            turn(name)

    def exit_of(child):
        give_up = time.monotonic() + 60
        while time.monotonic() < give_up:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                return status
            time.sleep(0.001)
        os.kill(child, 9)
        os.waitpid(child, 0)
        return "hung"

    sys.setswitchinterval(1e-6)
    threads = [threading.Thread(target=write, args=(f"{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    exits = []
    for number in range(forks):
        child = os.fork()
        if child == 0:
            try:
                turn("child")
                os._exit(0)
            finally:
                os._exit(1)
        exits.append(exit_of(child))
    stopped = True
    print([status for status in exits if status != 0])
    """
)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork on Windows")
def test_a_child_forked_while_threads_append_does_not_hang(servers: Servers, prefix: str) -> None:
    port = servers.standalone("valkey-9.1").port
    command = [sys.executable, "-c", PROGRAM, str(port), prefix, "60"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (run.stdout.strip(), run.stderr) == ("[]", "")
