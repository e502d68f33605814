"""Results of a run, and the file of the last full one.

Strategy: results are plain dicts for JSON: `results[section][measurement][candidate]`. A figure
that was taken in rounds is `{"spread": ..., "rounds": [...]}`, of all calls and of each round's
median, in microseconds; memory is `{"bytes", "messages", "equal"}`. Beside the sections stand
"about" the machine, "versions", and "absent" with a reason by candidate.
"""

from __future__ import annotations

import json
import re
from typing import Any, TypeAlias

from benchmarks.candidates import ROOT

Results: TypeAlias = dict[str, Any]
PATH = ROOT / "benchmarks" / "results.json"


def load() -> Results:
    """Return the results of the last full run."""
    results: Results = json.loads(PATH.read_text(encoding="utf-8"))
    return results


def save(results: Results) -> None:
    """Write results to the file, in a form for people too."""
    text = json.dumps(results, indent=1, ensure_ascii=False)
    # Lists of figures on one line each, instead of 5,000 lines.
    text = re.sub(r"\[[\s\d.,-]+\]", lambda found: re.sub(r"\s+", " ", found[0]), text)
    PATH.write_text(text + "\n", encoding="utf-8")
