"""Names of the file formats and of the packages to migrate from.

Strategy: apart from the code that knows what they mean, so that a command line can offer them
without importing it.
"""

from __future__ import annotations

from typing import Literal

Format = Literal["jsonl", "openai"]
"""Formats that `export_sessions` writes."""

ForeignFormat = Literal["jsonl", "openai", "langchain-redis"]
"""Formats that `import_sessions` reads."""

OriginName = Literal["langchain-community", "langchain-redis"]
"""Packages whose sessions `migrate_sessions` copies."""
