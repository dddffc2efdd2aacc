"""Make the README's links absolute, for an index that shows it without the repository: `python docs/absolute_links.py SOURCE TAG`.

The workflow of a release runs this before it builds; SOURCE is the repository's address.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"
_LINK = re.compile(r"(\]\()(?![a-z]+:|#)([^)\s]+)(\))|((?:href|src|srcset)=\")(?![a-z]+:|#)([^\"]+)(\")")


def absolute(text: str, source: str, tag: str) -> str:
    """Return *text* with each link to a file of the repository *source* as it is at *tag*; pictures by their bytes."""

    def link(match: re.Match[str]) -> str:
        before, path, after = (match[1], match[2], match[3]) if match[1] else (match[4], match[5], match[6])
        kind = "raw" if path.endswith(".png") else "blob"
        return f"{before}{source}/{kind}/{tag}/{path}{after}"

    return _LINK.sub(link, text)


if __name__ == "__main__":
    README.write_text(absolute(README.read_text(encoding="utf-8"), *sys.argv[1:]), encoding="utf-8")
