"""Where `memorystore-chat export -o` writes, and what it leaves of what was there."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage

from langchain_google_memorystore_redis import sessions
from tests.plugins.shell import SCRIPT, Shell, environment


@pytest.fixture
def line(plain: Shell) -> str:
    """What an export of the one message there is holds."""
    plain.history("ada").add_message(HumanMessage("hi"))
    return plain("export").stdout


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def test_an_export_to_a_fifo_is_written_into_it(plain: Shell, line: str, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(fifo.read_text()), daemon=True)
    reader.start()
    assert plain("export", "-o", str(fifo)).exit_code == 0
    assert fifo.is_fifo()
    reader.join(20)
    assert read == [line]


def test_an_export_to_a_name_of_stdout_goes_to_stdout(plain: Shell, line: str) -> None:
    for name in ("/proc/self/fd/1", "/dev/stdout"):
        command = [SCRIPT, *plain.options, "export", "-o", name]
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment(), check=False
        )
        assert (done.returncode, done.stdout) == (0, line)


def test_what_stdout_is_redirected_to_keeps_what_came_before(
    plain: Shell, line: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    with log.open("a") as appended:
        command = [str(SCRIPT), *plain.options, "export", "-o", "/dev/stdout"]
        subprocess.run(command, stdout=appended, env=environment(), check=True)
        appended.write("after\n")
    assert log.read_text() == f"before\n{line}after\n"


@pytest.mark.parametrize("exists", [True, False])
def test_an_export_to_a_link_is_written_where_it_leads(
    plain: Shell, line: str, tmp_path: Path, exists: bool
) -> None:
    (tmp_path / "elsewhere").mkdir()
    file, link = tmp_path / "elsewhere" / "file", tmp_path / "link"
    link.symlink_to(Path("elsewhere") / "file")
    if exists:
        file.write_text("before")
    assert plain("export", "-o", str(link)).exit_code == 0
    assert link.is_symlink()
    assert file.read_text() == line
    assert list(file.parent.iterdir()) == [file]


def test_a_file_keeps_its_mode_and_a_new_one_has_that_of_the_umask(
    plain: Shell, line: str, tmp_path: Path
) -> None:
    with umask(0o027):
        for before in (0o600, 0o666):
            file = tmp_path / f"{before:o}"
            file.touch()
            file.chmod(before)
            assert plain("export", "-o", str(file)).exit_code == 0
            assert (mode(file), file.read_text()) == (before, line)
        new = tmp_path / "new"
        assert plain("export", "-o", str(new)).exit_code == 0
        assert mode(new) == 0o640


def test_what_is_half_written_is_never_open_to_more_than_the_file(
    plain: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain.history("ada").add_message(HumanMessage("hi"))
    file = tmp_path / "file"
    file.touch()
    file.chmod(0o600)
    seen: list[int] = []
    export = sessions.export_sessions

    def watched(*args: object, **options: object) -> Iterator[bytes]:
        for each in export(*args, **options):  # type: ignore[arg-type]
            seen.extend(mode(one) for one in tmp_path.iterdir())
            yield each

    monkeypatch.setattr(sessions, "export_sessions", watched)
    with umask(0):
        assert plain("export", "-o", str(file)).exit_code == 0
    assert seen == [0o600, 0o600]


def test_an_export_follows_no_link_that_someone_else_has_laid(
    plain: Shell, line: str, tmp_path: Path
) -> None:
    victim, file = tmp_path / "victim", tmp_path / "file"
    victim.write_text("before")
    (tmp_path / "file.part").symlink_to(victim)
    assert plain("export", "-o", str(file)).exit_code == 0
    assert (victim.read_text(), file.read_text()) == ("before", line)


def test_a_path_that_cannot_be_written_is_named_as_it_was_given(
    plain: Shell, tmp_path: Path
) -> None:
    plain.history("ada").add_message(HumanMessage("hi"))
    (tmp_path / "loop").symlink_to("loop")
    for path in (tmp_path / "no" / "folder", tmp_path, tmp_path / "loop"):
        done = plain("export", "-o", str(path))
        assert done.exit_code == 1
        assert re.fullmatch(rf"memorystore-chat: \[Errno \d+\] [\w ]+: '{path}'\n", done.stderr)
