"""The kind of a statement of any database but DuckDB, by its first word: the names are those of DuckDB's own kinds."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PARTS = re.compile(
    r"""
      (?P<skipped> --[^\n]* | \#(?![->])[^\n]* | /\*.*?\*/ | \s+
        | '(?:[^'\\]|''|\\.)*' | "(?:[^"]|"")*" | `(?:[^`]|``)*`
        | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$ )
    | (?P<word> [^\W\d]\w* )
    | (?P<sign> . )
    """,
    re.VERBOSE | re.DOTALL,
)
_MYSQL_VERSION = re.compile(r"/\*M?!\d*(.*?)\*/", re.DOTALL)
"""A comment that MySQL and MariaDB run: `/*!40101 SET ... */`."""

_KINDS = {
    "(": "SELECT",
    "abort": "TRANSACTION",
    "analyse": "ANALYZE",
    "begin": "TRANSACTION",
    "commit": "TRANSACTION",
    "deallocate": "DROP",
    "desc": "EXPLAIN",
    "describe": "EXPLAIN",
    "end": "TRANSACTION",
    "from": "SELECT",
    "merge": "MERGE_INTO",
    "release": "TRANSACTION",
    "replace": "INSERT",
    "reset": "SET",
    "rollback": "TRANSACTION",
    "savepoint": "TRANSACTION",
    "table": "SELECT",
    "use": "SET",
    "values": "SELECT",
}
"""By the first word; where it is not in here, the kind is the word itself."""

_MAIN = frozenset({"delete", "from", "insert", "merge", "replace", "select", "table", "update", "values"})
"""What the CTEs of a WITH are for."""

_WRITES = frozenset({"delete", "insert", "into", "merge", "update"})
_LOCKS = frozenset({("for", "key"), ("for", "no"), ("for", "share"), ("for", "update"), ("lock", "in")})


def kind_of(text: str) -> str:
    """Return the kind of the statement *text*, in capitals; empty where it has no word."""
    words = _words(text)
    first, second = (next((word for word, _ in words), "") for _ in range(2))
    if first == "with":
        first = next((word for word, depth in words if depth == 0 and word in _MAIN), "select")
    if (first, second) in {("start", "transaction"), ("prepare", "transaction")}:
        return "TRANSACTION"
    if (first, second) == ("begin", "not"):  # a block of MariaDB's: BEGIN NOT ATOMIC ... END
        return "CALL"
    return _KINDS.get(first, first.upper())


def only_reads(text: str) -> bool:
    """Whether *text*, of the kind `SELECT`, has neither a part that writes, nor a lock, nor an INTO."""
    words = [word for word, _ in _words(text)]
    return _WRITES.isdisjoint(words) and _LOCKS.isdisjoint(itertools.pairwise(words))


def words(text: str) -> list[str]:
    """Return the words of *text* in lower case, but for those in parentheses, strings, quoted names and comments."""
    return [word for word, depth in _words(text) if depth == 0]


def creates_from_query(text: str) -> bool:
    """Whether *text* is a CREATE TABLE with a query in it, and no CREATE VIEW or PROCEDURE."""
    known = words(text)
    return (
        "table" in known[1:5]
        and not {"view", "procedure", "function", "trigger"} & set(known[1:5])
        and "select" in known
    )


def returns_rows(text: str) -> bool:
    """Whether *text* changes rows and gives them back."""
    return any(word == "returning" for word, _ in _words(text))


def plain(text: str) -> str:
    """Return *text* without comments, with double quotes around every name that is quoted, and single blanks."""
    parts = []
    for part in _PARTS.finditer(_MYSQL_VERSION.sub(r" \1 ", text)):
        if part["skipped"] and part["skipped"][0] in "'\"`$":
            parts.append(part["skipped"].replace("`", '"'))
        else:
            parts.append(" " if part["skipped"] else part[0])
    return " ".join("".join(parts).split())


def tokens(text: str) -> Iterator[str]:
    """Give the words of *text* in lower case, its signs, and `'` for each string and quoted name."""
    for part in _PARTS.finditer(text):
        if part["skipped"] is None:
            yield part[0].lower()
        elif part["skipped"][0] in "'\"`$":
            yield "'"


def _words(text: str) -> Iterator[tuple[str, int]]:
    """Give the words of *text* in lower case, and how deep in parentheses each stands; a `(` that is first, too."""
    depth, first = 0, True
    for part in _PARTS.finditer(_MYSQL_VERSION.sub(r" \1 ", text)):
        if part["word"]:
            yield part["word"].lower(), depth
            first = False
        elif part["sign"]:
            depth += {"(": 1, ")": -1}.get(part["sign"], 0)
            if first and part["sign"] == "(":
                yield "(", 0
                first = False
