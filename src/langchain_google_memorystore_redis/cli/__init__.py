"""Command line `memorystore-chat` for operators (extra `cli`)."""

from __future__ import annotations

import sys
from importlib import import_module


def main() -> None:
    """Run the command line; without its extra, exit with the command that installs it."""
    try:
        import_module("rich")  # commands import the rest of it when they run
        from langchain_google_memorystore_redis.cli.app import app  # noqa: PLC0415  (an extra)
    except ModuleNotFoundError as error:
        package = (error.name or "").split(".")[0]
        if package not in ("typer", "rich"):
            raise
        sys.exit(
            f"memorystore-chat needs {package}: "
            'pip install "langchain-google-memorystore-redis[cli]"'
        )
    app()
