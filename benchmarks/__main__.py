"""`python -m benchmarks`: measure everything, or what is named, and show it.

Strategy: this file knows the server, the slow link, the order of work and where results go. A full
run writes results.json, the plots and the tables of docs/performance.md; any other only prints.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import urlsplit

import redis

from benchmarks import page, placement, plots, savers, screen
from benchmarks.contestants import CONTESTANTS, HISTORIES, ROOT, SAVERS
from benchmarks.crew import Crew
from benchmarks.measurements import IMPORT_ROUNDS, MEASUREMENTS, MEMORY, SERVER_TIME_ROUNDS, grouped
from benchmarks.run import Run, revision
from benchmarks.transcripts import SEED
from tests.servers.processes import ENGINES, Server

_LATENCY = 0.001
_INFO = (
    "redis_version", "valkey_version", "server_name", "redis_mode", "os", "arch_bits",
    "gcc_version", "mem_allocator", "maxmemory_policy", "maxmemory_human", "io_threads_active",
)  # fmt: skip


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="about a minute: fewer rounds, no files"
    )
    parser.add_argument(
        "--only",
        nargs="+",
        default=[],
        metavar="NAME",
        help="measurements whose name begins so, as 'append' or 'memory, 1 KB'; no files",
    )
    parser.add_argument("--list", action="store_true", help="print the names and stop")
    parser.add_argument("--redraw", action="store_true", help="plots and page from results.json")
    parser.add_argument("--engine", default="valkey-9.1", choices=sorted(ENGINES))
    parser.add_argument(
        "--url",
        default=os.environ.get("BENCH_URL"),
        help="of a server on this machine, instead of one that is started; with RediSearch and "
        "RedisJSON, langchain-redis takes part",
    )
    return parser.parse_args()


def _names(quick: bool = False) -> list[str]:
    """Of all that can be measured."""
    names = [f"memory, {name}" for name in MEMORY]
    names += ["server time", "import", "proofs", *_timed(quick), "savers"]
    return names


def _timed(quick: bool) -> list[str]:
    return [each.name for each in MEASUREMENTS if each.in_quick or not quick]


@contextmanager
def _server(options: argparse.Namespace) -> Iterator[str]:
    """The URL of the server all work on."""
    if options.url:
        if urlsplit(options.url).hostname not in ("127.0.0.1", "localhost"):
            raise SystemExit("--url must be of a server on this machine: links are compared too")
        yield options.url
    else:
        with Server(ENGINES[options.engine]) as server:
            yield server.url


@contextmanager
def _slow_link(port: int) -> Iterator[tuple[str, int]]:
    """The URL of the same server, a millisecond away, and the process that is in between."""
    command = [sys.executable, "-m", "tests.faults", str(port), "--latency", str(_LATENCY)]
    proxy = subprocess.Popen(  # noqa: S603 - this repository's own proxy
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        own = proxy.stdout.readline().strip() if proxy.stdout else "0"
        yield f"redis://127.0.0.1:{own}", proxy.pid
    finally:
        proxy.communicate()  # closes its input, at whose end it ends


def _about(client: redis.Redis) -> dict[str, Any]:
    info: dict[str, Any] = dict(client.info())
    excerpt = {name: info[name] for name in _INFO if name in info}
    kind = "Valkey" if "valkey_version" in excerpt else "Redis"
    version = excerpt.get("valkey_version") or excerpt.get("redis_version")
    return {
        "server": f"{kind} {version}",
        "info": excerpt,
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
        "processors": os.cpu_count(),
        "revision": revision(),
        "seed": SEED,
    }


def _measure(run: Run, wanted: list[str], results: dict[str, Any]) -> None:
    """Do what is wanted, in the order that leaves the server empty for what counts bytes."""
    for name in MEMORY:
        if f"memory, {name}" in wanted:
            results["memory"][name] = run.sizes(name)
    if "proofs" in wanted:
        results["proofs"] = run.proofs()
    if "server time" in wanted:
        results["server time"] = run.server_time(SERVER_TIME_ROUNDS)
    if "import" in wanted:
        both = (CONTESTANTS["ours"], CONTESTANTS["legacy"])
        results["imports"] = run.imports(both, IMPORT_ROUNDS)
    for group in grouped(wanted):
        results["times"] |= run.time(group)
    run.clean()


def _run(options: argparse.Namespace, wanted: list[str]) -> dict[str, Any]:
    with ExitStack() as stack:
        url = stack.enter_context(_server(options))
        port = urlsplit(url).port or 6379
        client = redis.Redis.from_url(url, protocol=2, decode_responses=True)
        stack.callback(client.close)
        modules = frozenset(module["name"] for module in client.module_list())
        slow_url, link = stack.enter_context(_slow_link(port))
        urls = {"loopback": url, "1 ms": slow_url}
        apart = placement.keep_apart(client.info("server")["process_id"], link)
        screen.say("Starting the contestants; the first time, their environments are made.")
        crew = stack.enter_context(Crew(HISTORIES if set(wanted) - {"savers"} else (), modules))
        agents = stack.enter_context(Crew(SAVERS if "savers" in wanted else (), modules))
        versions = {n: worker.versions for n, worker in (crew.workers | agents.workers).items()}
        absent = crew.absent | agents.absent
        about = _about(client) | {"server has a processor of its own": apart}
        results = {"about": about, "versions": versions, "absent": absent}
        results |= {"times": {}, "memory": {}}
        planned = _steps(crew, wanted, options.quick) + _saver_steps(agents, options.quick)
        tick = stack.enter_context(screen.progress(planned))
        if crew.workers:
            run = Run(crew, urls, port, tick, options.quick)
            run.load()
            _measure(run, wanted, results)
        if agents.workers:
            results["savers"] = savers.measure(Run(agents, urls, port, tick, options.quick))
    return results


def _saver_steps(crew: Crew, quick: bool) -> int:
    return savers.steps(Run(crew, {}, 0, lambda _: None, quick)) if crew.workers else 0


def _steps(crew: Crew, wanted: list[str], quick: bool) -> int:
    """How many ticks the bar will have for all but savers."""
    if not crew.workers:
        return 0
    planned = Run(crew, {}, 0, lambda _: None, quick)
    timed = sum(planned.rounds(group[0].rounds) + 1 for group in grouped(wanted))
    sizes = sum(f"memory, {name}" in wanted for name in MEMORY) * planned.sized_contestants
    others = planned.rounds(SERVER_TIME_ROUNDS) * ("server time" in wanted)
    others += planned.rounds(IMPORT_ROUNDS) * ("import" in wanted) + ("proofs" in wanted)
    return len(MEMORY) + timed + sizes + others


def main() -> None:
    """Read the arguments and do as they say."""
    options = _arguments()
    names = _names(options.quick)
    if options.list:
        screen.say("\n".join(names))
        return
    if options.redraw:
        results = page.stored_results()
    else:
        wanted = [n for n in names if not options.only or n.startswith(tuple(options.only))]
        if not wanted:
            raise SystemExit("no measurement begins so: see --list")
        results = _run(options, wanted)
        screen.show(results)
        if options.quick or options.only:
            return
        page.store(results)
    plots.draw(results, page.IMAGES)
    page.update(results)


if __name__ == "__main__":
    main()
