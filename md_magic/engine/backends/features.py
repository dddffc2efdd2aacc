"""What not every database can do, and the sentences that say so."""

from __future__ import annotations

from typing import Literal

Feature = Literal[
    "dry-run",  # `--dry-run`: the columns of a statement that is not run
    "timeout",  # `--timeout`, and the setting
    "background",  # `--background`
    "running",  # `--running` and `--stop`
    "fix",  # `--fix`
]
"""Features that not every database supports."""

REASONS: dict[Feature, str] = {
    "dry-run": "--dry-run: how {name} is asked for the columns of a query is not known here. Run it with `--limit 0`.",
    "timeout": (
        "nothing can stop a query on {name}, because its driver has neither `interrupt()` nor `cancel()`. Run the cell"
        " without it, or limit the time in the database itself."
    ),
    "running": (
        "--running and --stop ask MotherDuck what runs for an account, and {name} is another database. Name one of"
        " MotherDuck's, `%mdsql md: --running`; `%mdsql --jobs` lists this kernel's background queries."
    ),
    "fix": (
        "--fix looks for misspelt names, and found none of which it is sure in the last query that failed. On"
        " MotherDuck it could ask MotherDuck's model; {name} has none."
    ),
}
"""Why a feature is not available. The sentence about `timeout` continues one that begins with the limit."""
