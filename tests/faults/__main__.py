"""`python -m tests.faults 6379 --latency 0.001`: a slow link in a process of its own.

For benchmarks with many clients at once: in one process with them the proxy would
wait for the interpreter's lock, and 50 asyncio workers got 4,600 to 7,100
operations a second over a link of 1 ms instead of 8,600 to 14,600 (measured on two
cores). Prints its port, then serves until its standard input ends, so that it
cannot outlive who started it.
"""

from __future__ import annotations

import argparse
import sys

from tests.faults.proxy import Proxy


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("port", type=int, help="of the server on this machine")
    parser.add_argument("--latency", type=float, default=0.0, help="round-trip time in seconds")
    options = parser.parse_args()
    with Proxy(options.port, latency=options.latency) as proxy:
        print(proxy.port, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
