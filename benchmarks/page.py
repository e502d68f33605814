"""docs/performance.md: its tables are written here, its words by people.

Strategy: a table stands between two comments that name it, and is written anew from results.json
after every full run; a test holds page and results to each other.
"""

from __future__ import annotations

import json
import re
from typing import Any

from benchmarks.contestants import ROOT
from benchmarks.tables import TABLES

RESULTS = ROOT / "benchmarks" / "results.json"
PAGE = ROOT / "docs" / "performance.md"
IMAGES = ROOT / "docs" / "images"


def stored_results() -> dict[str, Any]:
    """The results of the last full run."""
    results: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return results


def store(results: dict[str, Any]) -> None:
    """Write results.json, to be read by people too."""
    text = json.dumps(results, indent=1, ensure_ascii=False)
    # Lists of figures on one line: a line each would make 5,000 of them.
    text = re.sub(r"\[[\s\d.,-]+\]", lambda found: re.sub(r"\s+", " ", found[0]), text)
    RESULTS.write_text(text + "\n", encoding="utf-8")


def with_tables(page: str, results: dict[str, Any]) -> str:
    """The page with the tables of these results."""
    for name, table in TABLES.items():
        start, end = f"<!-- table: {name} -->\n", "<!-- end -->"
        before, found, rest = page.partition(start)
        if not found:
            raise ValueError(f"the page has no place for the table {name!r}")
        page = before + start + table(results).markdown() + end + rest.partition(end)[2]
    return page


def update(results: dict[str, Any]) -> None:
    """Write the tables into the page."""
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(with_tables(page, results), encoding="utf-8")
