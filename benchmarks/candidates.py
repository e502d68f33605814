"""The packages that are compared, and the environments they run in.

Strategy: a candidate is a row of `CANDIDATES` and a class of `benchmarks.worker.adapters`. One
with a file in requirements/ runs in an environment of its own under `.servers/`, made on first
use and again when the file changes; the others run in this one. All have hiredis, so that parsing
replies makes no difference.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REQUIREMENTS = ROOT / "benchmarks" / "requirements"
_ENVIRONMENTS = ROOT / ".servers"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A package, or a way to use it, that is compared with others."""

    name: str
    label: str
    """Name in tables and plots."""
    adapter: str
    """Module and class in `benchmarks.worker.adapters`."""
    colour: str = "#000000"
    marker: str = "o"
    modules: tuple[str, ...] = ()
    """Modules that the server must have loaded."""

    @property
    def is_saver(self) -> bool:
        """True for a LangGraph checkpointer, False for a chat history."""
        return self.adapter.startswith("savers:")

    @property
    def requirements(self) -> Path | None:
        """File that pins its own environment; None where it runs in this one."""
        path = REQUIREMENTS / f"{self.name}.txt"
        return path if path.exists() else None


# Colours are Okabe and Ito's, which colour-blind people can tell apart.
CANDIDATES = {
    candidate.name: candidate
    for candidate in (
        Candidate("redis-py", "redis-py alone", "redis_py:RedisPy", "#777777", "x"),
        Candidate("ours", "this package", "langchain:Ours", "#0072B2", "o"),
        Candidate("cached", "this package, ReadCache", "langchain:OursCached", "#56B4E9", "s"),
        Candidate("zstd", "this package, zstd", "langchain:OursCompressed", "#009E73", "h"),
        Candidate("legacy", "release 0.3.0", "langchain:Legacy", "#D55E00", "^"),
        Candidate("community", "langchain-community", "langchain:Community", "#E69F00", "v"),
        Candidate("langchain-redis", "langchain-redis", "langchain:LangChainRedis", "#CC79A7", "D",
                  ("search", "ReJSON")),
        Candidate("openai-agents", "openai-agents", "openai_agents:OpenAIAgents", "#222222", "P"),
        Candidate("saver", "MemorystoreSaver", "savers:Memorystore"),
        Candidate("saver-valkey", "ValkeySaver", "savers:Valkey"),
        Candidate("saver-redis", "RedisSaver", "savers:Redis", modules=("search", "ReJSON")),
    )
}  # fmt: skip
HISTORIES = tuple(each.name for each in CANDIDATES.values() if not each.is_saver)
SAVERS = tuple(each.name for each in CANDIDATES.values() if each.is_saver)


def find_absent(names: Iterable[str], modules: Collection[str]) -> dict[str, str]:
    """Return the candidates that need more modules than the server has, with the reason."""
    return {
        name: "needs RediSearch and RedisJSON: give --url of such a server"
        for name in names
        if not set(CANDIDATES[name].modules) <= set(modules)
    }


def find_python(candidate: Candidate) -> Path:
    """Return the interpreter of a candidate, after making its environment where needed."""
    if candidate.requirements is None:
        return Path(sys.executable)
    folder = _ENVIRONMENTS / f"bench-{candidate.name}"
    python = folder / "bin" / "python"
    pins = candidate.requirements.read_text(encoding="utf-8")
    installed = folder / "made-of.txt"
    if not installed.exists() or installed.read_text(encoding="utf-8") != pins:
        venv.create(folder, clear=True, with_pip=True)
        install = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        subprocess.run([python, *install, "-r", candidate.requirements], check=True)  # noqa: S603
        installed.write_text(pins, encoding="utf-8")
    return python
