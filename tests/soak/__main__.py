"""`python -m tests.soak`: many appends through a faulty network, and where each of them ended.

Runs the same plan for this package and for the pattern of release 0.3.0, sync and async, on a
server and on a cluster of three primaries. Then, on every engine, it plays schedules of calls
(appends, clears, truncates, expiries, foreign entries, writers with and without a limit) whose
commands come late or twice, and lets a process append that signals interrupt and that forks. Exits
with 1 if an append of ours is not stored exactly once, whole and in order.
"""

from __future__ import annotations

import argparse
import random
import sys

from tests.servers.clusters import Cluster
from tests.servers.processes import ENGINES, Server
from tests.soak import interrupts, leg, plan, report, schedules
from tests.soak.clients import SOCKET_TIMEOUT
from tests.soak.patterns import PATTERNS


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--appends", type=int, default=24_000, help="of each pattern, in all")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--fault-rate", type=float, default=0.05, help="for each command")
    parser.add_argument("--writers", type=int, default=24, help="threads or tasks at once")
    parser.add_argument("--schedules", type=int, default=1_000, help="on each engine")
    parser.add_argument("--interrupted", type=int, default=2_000, help="appends on each engine")
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
                    each = leg.Leg(
                        pattern,
                        by_async,
                        ports,
                        seed,
                        rate,
                        True,
                        watch,
                        engine.name == "redis-5.0",
                    )
                    results.append(leg.run(each, writers))
                    print(f"{each.name}, {pattern}: {results[-1].seconds:.0f} s", flush=True)
    return results


def _run_everywhere(options: argparse.Namespace) -> bool:
    """Play schedules and interrupt processes on every engine; tell whether all is right."""
    is_right = True
    for name in sorted(name for name, engine in ENGINES.items() if not engine.has_search):
        with Server(ENGINES[name]) as server:
            if options.schedules:
                played = schedules.play_all(server.port, options.seed, options.schedules)
                print(f"{name}, {options.schedules} schedules: {played}", flush=True)
                is_right = is_right and not played.wrong
            if options.interrupted:
                done = interrupts.run(server, options.seed, options.interrupted)
                print(f"{name}, interrupts and forks: {done}", flush=True)
                print("".join(f"  {each}\n" for each in (*done.violations, *done.unexpected)))
                is_right = is_right and not (done.violations or done.unexpected)
    return is_right


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
    if not _run_everywhere(options):
        return 1
    if ours:
        print("ours: each acknowledged batch is there once, whole, in its writer's order")
    return 0


if __name__ == "__main__":
    sys.exit(main())
