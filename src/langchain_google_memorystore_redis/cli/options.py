"""Options and arguments that several commands share.

Strategy: aliases, so that one name means the same everywhere.
"""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")]
SessionIds = Annotated[list[str] | None, typer.Argument(metavar="SESSION", help="Session ids.")]
Ttl = Annotated[
    float | None,
    typer.Option(min=0.001, metavar="SECONDS", help="Let the new sessions expire after this time."),
]
