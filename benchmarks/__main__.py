"""`python -m benchmarks`: measure everything, or what is named, and show it.

Strategy: this module knows the command line, the server and the slow link. A full run writes
results.json, the plots and the tables of docs/performance.md; any other only prints.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import redis

from benchmarks import conditions, page, placement, plots, results, terminal
from benchmarks.candidates import CANDIDATES, ROOT, find_absent
from benchmarks.measurements import LOOPBACK, SLOW, Measurement, group, select
from benchmarks.run import Run
from benchmarks.workers import Worker
from tests.servers.processes import ENGINES, Server

_LATENCY = 0.001


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="about a minute: fewer rounds; writes no files"
    )
    parser.add_argument(
        "--only",
        nargs="+",
        default=[],
        metavar="NAME",
        help="measure what begins with these names, as 'append' or 'memory: 1 KB'; writes no files",
    )
    parser.add_argument("--list", action="store_true", help="print the names and exit")
    parser.add_argument(
        "--redraw", action="store_true", help="write plots and tables from results.json and exit"
    )
    parser.add_argument("--engine", default="valkey-9.1", choices=sorted(ENGINES))
    parser.add_argument(
        "--url",
        default=os.environ.get("BENCH_URL"),
        help="use a server that runs on this machine instead of starting one (or set BENCH_URL); "
        "langchain-redis and RedisSaver are measured if it has RediSearch and RedisJSON",
    )
    return parser.parse_args()


@contextmanager
def _start_server(options: argparse.Namespace) -> Iterator[str]:
    """Yield the URL of the server."""
    if options.url:
        if urlsplit(options.url).hostname not in ("127.0.0.1", "localhost"):
            raise SystemExit(
                "--url is not on this machine, where alone the loopback can be compared with a "
                "slow link: give redis://localhost:<port>"
            )
        yield options.url
    else:
        with Server(ENGINES[options.engine]) as server:
            yield server.url


@contextmanager
def _slow_link(port: int) -> Iterator[tuple[str, int]]:
    """Yield the URL of a proxy that delays, and the id of its process."""
    command = [sys.executable, "-m", "tests.faults", str(port), "--latency", str(_LATENCY)]
    with subprocess.Popen(  # noqa: S603 - this repository's own proxy
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as proxy:
        own_port = proxy.stdout.readline().strip() if proxy.stdout else ""
        try:
            yield f"redis://127.0.0.1:{own_port}", proxy.pid
        finally:
            proxy.communicate()  # closes its input, which ends it


def _run(options: argparse.Namespace, wanted: Sequence[Measurement]) -> results.Results:
    """Measure on a server, and return the results."""
    with ExitStack() as stack:
        url = stack.enter_context(_start_server(options))
        port = urlsplit(url).port or 6379
        slow_url, link = stack.enter_context(_slow_link(port))
        client = redis.Redis.from_url(url, protocol=2, decode_responses=True)
        stack.callback(client.close)
        is_separate = placement.separate(client.info("server")["process_id"], link)
        names = [n for n in CANDIDATES if any(n in each.candidates for each in wanted)]
        absent = find_absent(names, {module["name"] for module in client.module_list()})
        terminal.say("Starting the candidates. The first time, this installs their environments.")
        workers = {
            name: stack.enter_context(Worker(CANDIDATES[name]))
            for name in names
            if name not in absent
        }
        found: results.Results = {
            "about": conditions.describe(client) | {"server has its own processor": is_separate},
            "versions": {name: worker.versions for name, worker in workers.items()},
            "absent": absent,
        }
        run = Run(workers, {LOOPBACK: url, SLOW: slow_url}, port, options.quick)
        run.load({each.transcript for each in wanted})
        for members in terminal.track(group(wanted), lambda members: members[0].full_name):
            found.setdefault(members[0].section, {}).update(run.measure(members))
    return found


def main() -> None:
    """Do what the command line asks for."""
    options = _parse_arguments()
    wanted = select(quick=options.quick, only=options.only)
    if options.list:
        terminal.say("\n".join(each.full_name for each in wanted))
        return
    if options.redraw:
        found = results.load()
    elif not wanted:
        raise SystemExit(f"nothing to measure begins with {options.only}: see --list")
    else:
        found = _run(options, wanted)
        terminal.show(found)
        if options.quick or options.only:
            return
        results.save(found)
    plots.draw(found, page.IMAGES)
    page.update(found)


if __name__ == "__main__":
    main()
