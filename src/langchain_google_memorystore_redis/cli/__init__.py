"""`memorystore-chat`, the operator's command line (extra `cli`)."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; without its extra, say what to install."""
    try:
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
