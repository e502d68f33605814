"""`python -m tests.soak`: many appends through a faulty network, and where each of them ended.

Runs the same plan for this package and for the pattern of release 0.3.0, sync and async, on a
server and on a cluster of three primaries. Exits with 1 if an append of ours is not stored exactly
once, whole and in order.
"""

from __future__ import annotations

import argparse
import random
import sys

from tests.servers.clusters import Cluster
from tests.servers.processes import ENGINES
from tests.soak import leg, plan, report
from tests.soak.clients import SOCKET_TIMEOUT
from tests.soak.patterns import PATTERNS


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--appends", type=int, default=24_000, help="of each pattern, in all")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--fault-rate", type=float, default=0.05, help="for each command")
    parser.add_argument("--writers", type=int, default=24, help="threads or tasks at once")
    parser.add_argument("--engine", default="valkey-9.1", choices=sorted(ENGINES))
    parser.add_argument("--only", choices=sorted(PATTERNS), help="one pattern instead of both")
    parser.add_argument("--unwatched", action="store_true", help="do not listen for resends")
    return parser.parse_args()


def _run(options: argparse.Namespace, writers: tuple[plan.Writer, ...]) -> list[leg.Result]:
    engine = ENGINES[options.engine]
    results = []
    with leg.replicated(engine) as server, Cluster(engine, replicas=1) as cluster:
        for ports in ((server.port,), tuple(cluster.ports)):
            for by_async in (False, True):
                for pattern in [options.only] if options.only else PATTERNS:
                    watch = pattern == "ours" and not options.unwatched
                    seed, rate = options.seed, options.fault_rate
                    each = leg.Leg(pattern, by_async, ports, seed, rate, True, watch)
                    results.append(leg.run(each, writers))
                    print(f"{each.name}, {pattern}: {results[-1].seconds:.0f} s", flush=True)
    return results


def main() -> int:
    """Run it all; the exit code is for `make`."""
    options = _arguments()
    print(f"seed {options.seed}", flush=True)
    print(report.versions(options.engine, ENGINES[options.engine].version))
    print(
        f"{options.writers} writers a leg, {options.fault_rate:.0%} of commands and connections "
        f"faulty; clients: redis-py's defaults but a socket_timeout of {SOCKET_TIMEOUT} s, a third "
        "without retries"
    )
    writers = plan.make(options.seed, -(-options.appends // 4), options.writers)
    results = _run(options, writers)
    print(f"\n{report.table(results)}\n")
    print(f"{report.totals(results)}\n")
    print(f"raised, by type\n{report.errors(results)}\n")
    print(f"resends\n{report.resends(results, writers)}\n")
    ours = [result for result in results if result.leg.pattern == "ours"]
    for result in ours:
        if result.violations:
            print(f"VIOLATED in {result.leg.name}\n{report.wrong(result)}")
    if any(result.violations or result.unexpected for result in ours):
        return 1
    if ours:
        print("ours: each acknowledged batch is there once, whole, in its writer's order")
    return 0


if __name__ == "__main__":
    sys.exit(main())
