"""The tables in docs/performance.md.

Strategy: a table stands between two comments that name it, and every full run writes it anew;
people write the rest. A test holds the page to results.json.
"""

from __future__ import annotations

from benchmarks.candidates import ROOT
from benchmarks.results import Results
from benchmarks.tables import TABLES

PATH = ROOT / "docs" / "performance.md"
IMAGES = ROOT / "docs" / "images"


def insert_tables(page: str, results: Results) -> str:
    """Return the page with the tables of these results."""
    for name, table in TABLES.items():
        start, end = f"<!-- table: {name} -->\n", "<!-- end -->"
        before, found, rest = page.partition(start)
        if not found:
            raise ValueError(f"the page has no place for the table {name!r}: add {start!r}")
        page = before + start + table(results).markdown() + end + rest.partition(end)[2]
    return page


def update(results: Results) -> None:
    """Write the tables into the page."""
    page = PATH.read_text(encoding="utf-8")
    PATH.write_text(insert_tables(page, results), encoding="utf-8")
