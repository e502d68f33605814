"""Who is compared, and the environments they run in.

Strategy: each contestant is a name that `benchmarks.worker` knows, a label for people, and an
interpreter. Those whose pins would quarrel with ours get an environment of their own under
`.servers/`, made on first use from a requirements file with exact versions; a changed file makes
it anew. All get hiredis, the fast parser, so that parsing replies is no part of the difference.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_ENVIRONMENTS = ROOT / ".servers"


@dataclass(frozen=True, slots=True)
class Contestant:
    """One of those compared."""

    name: str
    label: str
    environment: str | None = None
    """Of `requirements-<environment>.txt`; None for the interpreter that runs this."""
    modules: tuple[str, ...] = ()
    """Of the server, without which it does not work."""


CONTESTANTS = {
    contestant.name: contestant
    for contestant in (
        Contestant("floor", "redis-py, the least"),
        Contestant("ours", "this package"),
        Contestant("cached", "this package, ReadCache"),
        Contestant("zstd", "this package, zstd"),
        Contestant("legacy", "release 0.3.0", "legacy"),
        Contestant("community", "langchain-community", "community"),
        Contestant("langchain-redis", "langchain-redis", "langchain-redis", ("search", "ReJSON")),
        Contestant("agents", "openai-agents", "agents"),
        Contestant("saver", "MemorystoreSaver"),
        Contestant("saver-valkey", "ValkeySaver", "saver-valkey"),
        Contestant("saver-redis", "RedisSaver", "saver-redis", ("search", "ReJSON")),
    )
}
HISTORIES = tuple(name for name in CONTESTANTS if not name.startswith("saver"))
SAVERS = tuple(name for name in CONTESTANTS if name.startswith("saver"))


def requirements(environment: str) -> Path:
    """The file that pins an environment."""
    return ROOT / "benchmarks" / f"requirements-{environment}.txt"


def python_of(contestant: Contestant) -> Path:
    """The interpreter of a contestant; makes its environment where that is missing or outdated."""
    if contestant.environment is None:
        return Path(sys.executable)
    folder = _ENVIRONMENTS / f"bench-{contestant.environment}"
    pinned = requirements(contestant.environment).read_text(encoding="utf-8")
    made_of = folder / "made-of.txt"
    if not made_of.exists() or made_of.read_text(encoding="utf-8") != pinned:
        venv.create(folder, clear=True, with_pip=True)
        install = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        subprocess.run(  # noqa: S603 - what the requirements file pins
            [folder / "bin" / "python", *install, "-r", requirements(contestant.environment)],
            check=True,
        )
        made_of.write_text(pinned, encoding="utf-8")
    return folder / "bin" / "python"
