"""Where the statements of databases other than DuckDB end: at `;`, except within what holds statements itself.

Each database's own client decides: psql's rules for PostgreSQL (parentheses, `BEGIN ATOMIC`), the state machine of
`sqlite3_complete` for SQLite's triggers, and for MySQL the blocks of a routine, or `DELIMITER`, which its client knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from md_magic.sql.tokens import Token

    IsEnd = Callable[[Token], bool]
    """Whether a token ends the statement that its instance has been given every token of, in order."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A statement: its text from *start* to *end*, and its tokens."""

    start: int
    end: int
    tokens: list[Token]


def pieces(text: str, tokens: Sequence[Token], dialect: str) -> list[Piece]:
    """Return the statements of *text*, each with the blanks and comments before it."""
    return [piece for piece in _Splitter(text, tokens, dialect).pieces() if piece.tokens]


def is_routine(tokens: Sequence[Token]) -> bool:
    """Whether a statement defines a routine, whose body is no place for parameters."""
    return _created(tokens)[0] in _ROUTINES


_ROUTINES = frozenset({"procedure", "function", "trigger", "event", "package"})
_KINDS = _ROUTINES | {"table", "view", "index", "rule", "schema", "database", "sequence", "type", "role", "user"}
_BEFORE_KIND = 16
"""Tokens before the kind of what is created: `CREATE OR REPLACE DEFINER = 'a'@'%' SQL SECURITY INVOKER`."""


def _created(tokens: Sequence[Token]) -> tuple[str, int]:
    """Return the kind of object that a statement creates, and the index after that word; empty if it creates none."""
    if not tokens or tokens[0].low not in {"create", "alter"}:
        return "", 0
    for at, token in enumerate(tokens[1:_BEFORE_KIND], 1):
        if token.low in _KINDS:
            return token.low, at + 1
    return "", 0


class _Splitter:
    def __init__(self, text: str, tokens: Sequence[Token], dialect: str) -> None:
        self._text = text
        self._tokens = tokens
        self._has_delimiters = dialect in _MYSQL
        self._rules: Callable[[], _Statement] = _RULES.get(dialect, _Statement)
        self._delimiter = ";"

    def pieces(self) -> Iterator[Piece]:
        start, statement = 0, self._rules()
        read: list[Token] = []
        at = 0
        while at < len(self._tokens):
            token = self._tokens[at]
            if self._has_delimiters and not read and token.low == "delimiter":
                start = self._read_delimiter(token)
            elif self._delimiter != ";" and self._text.startswith(self._delimiter, token.start):
                yield Piece(start, token.start, read)
                start, read, statement = token.start + len(self._delimiter), [], self._rules()
            elif statement.ends_at(token) and (self._delimiter == ";" or not is_routine(read)):
                yield Piece(start, token.start, read)
                start, read, statement = token.end, [], self._rules()
            else:
                read.append(token)
                at += 1
                continue
            while at < len(self._tokens) and self._tokens[at].start < max(start, token.end):
                at += 1
        yield Piece(start, len(self._text), read)

    def _read_delimiter(self, token: Token) -> int:
        """Take the delimiter that the line of *token*, the word DELIMITER, sets; return where that line ends."""
        line_end = self._text.find("\n", token.end)
        line_end = len(self._text) if line_end < 0 else line_end
        words = self._text[token.end : line_end].split()
        self._delimiter = words[0].strip("'\"`") if words else ";"
        return line_end


class _Statement:
    """A statement of standard SQL, while its tokens are read."""

    def ends_at(self, token: Token) -> bool:
        """Take the next *token*; return whether it ends the statement."""
        return token.text == ";"


class _PostgreSQLStatement(_Statement):
    """Within parentheses, as in a rule's list, and within `BEGIN ATOMIC ... END`, a semicolon ends nothing."""

    def __init__(self) -> None:
        self._words: list[str] = []
        self._parentheses = self._blocks = 0

    def ends_at(self, token: Token) -> bool:
        if token.text == ";":
            return not (self._parentheses > 0 or self._blocks > 0)
        self._parentheses += {"(": 1, ")": -1}.get(token.low, 0)
        if token.kind != "word":
            return False
        if len(self._words) < len(("create", "or", "replace", "function")):
            self._words.append(token.low)
        elif self._parentheses == 0 and self._has_body:
            is_open = token.low == "begin" or (token.low == "case" and self._blocks > 0)
            self._blocks = max(self._blocks + (1 if is_open else -1 if token.low == "end" else 0), 0)
        return False

    @property
    def _has_body(self) -> bool:
        words = [word for word in self._words if word not in {"or", "replace"}]
        return words[:1] == ["create"] and words[1:2] in (["function"], ["procedure"])


class _SQLiteStatement(_Statement):
    """A trigger ends at the semicolon after the `END` that follows a semicolon."""

    def __init__(self) -> None:
        self._words: list[str] = []
        self._before = ""

    def ends_at(self, token: Token) -> bool:
        if token.text == ";" and not (self._is_trigger and self._before != "; end"):
            return True
        if len(self._words) < len(("explain", "query", "plan", "create", "temp", "trigger")) and token.text != ";":
            self._words.append(token.low)
        self._before = "; end" if self._before == ";" and token.low == "end" else token.text
        return False

    @property
    def _is_trigger(self) -> bool:
        words = [word for word in self._words if word not in {"explain", "query", "plan", "temp", "temporary"}]
        return words[:2] == ["create", "trigger"]


class _MySQLStatement(_Statement):
    """The blocks of a routine's body hold statements: `BEGIN`, `CASE`, `IF`, `LOOP`, `REPEAT`, `WHILE` and `FOR`."""

    def __init__(self) -> None:
        self._part: Literal["start", "head", "body", "plain"] = "start"
        """What is read: a statement that has a head may have a body, and a plain one has no blocks."""

        self._head: list[Token] = []
        self._before = ";"
        self._blocks: list[str] = []
        """The open blocks; a CASE that is an expression is called `when`."""

    def ends_at(self, token: Token) -> bool:
        if token.text == ";":
            self._before = ";"
            return not self._blocks
        if self._part == "start":
            self._begin(token.low)
        if self._part == "head":
            self._read_head(token)
        if self._part == "body" and token.kind == "word":
            self._read_body(token.low)
        self._before = token.low
        return False

    def _begin(self, word: str) -> None:
        if word in {"create", "alter", "begin"}:
            self._part = "head"
        else:
            self._part = "body" if word in _BLOCKS else "plain"  # MariaDB's, outside of a routine

    def _read_head(self, token: Token) -> None:
        """Find where the body begins, be it one statement or a block."""
        self._head.append(token)
        kind, after = _created(self._head)
        if token.low == "atomic" and self._before == "not" and self._head[0].low == "begin":
            self._part, self._blocks = "body", ["begin"]
        elif kind and kind not in _ROUTINES:
            self._part = "plain"
        elif kind and self._begins_body(kind, token.low, self._head[after:-1]):
            self._part, self._before = "body", ";"
        elif not kind and len(self._head) >= _BEFORE_KIND:
            self._part = "plain"

    def _begins_body(self, kind: str, word: str, head: Sequence[Token]) -> bool:
        """Whether *word* is the first of the body of a routine with this *head*."""
        if kind == "trigger":
            names = {"follows", "precedes"}  # FOLLOWS another_trigger
            return word not in names and self._before not in names and any(token.low == "row" for token in head)
        if kind == "event":
            return self._before == "do"
        signs = [token.text for token in head if token.kind == "sign"]
        is_whole = ")" in signs and signs.count("(") == signs.count(")")
        return is_whole and word in _BEGINS_BODY and self._before != "returns"

    def _read_body(self, word: str) -> None:
        if self._before == "end" and word in _BLOCKS:
            return  # END IF, END LOOP: the END has closed it
        begins = self._before in _BEFORE_STATEMENT and self._blocks[-1:] != ["when"]
        if word == "end" and self._blocks:
            self._blocks.pop()
        elif word == "case":
            self._blocks.append("case" if begins else "when")
        elif word in _ALWAYS_BLOCKS or (word in _BLOCKS and begins):
            self._blocks.append(word)


_ALWAYS_BLOCKS = frozenset({"begin", "loop", "while"})
"""Words that are nothing else; `IF` and `REPEAT` are functions too, and rows are locked `FOR UPDATE`."""

_BLOCKS = frozenset({"begin", "case", "if", "loop", "repeat", "while", "for"})
_BEFORE_STATEMENT = frozenset({";", "begin", "then", "else", "do", "loop", "repeat", ":"})
_BEGINS_BODY = _BLOCKS | {"call", "delete", "do", "insert", "replace", "return", "select", "set", "update", "with"}
_MYSQL = frozenset({"mariadb", "mysql", "singlestoredb"})
_RULES: dict[str, Callable[[], _Statement]] = {
    "cockroachdb": _PostgreSQLStatement,
    "mariadb": _MySQLStatement,
    "mysql": _MySQLStatement,
    "postgresql": _PostgreSQLStatement,
    "redshift": _PostgreSQLStatement,
    "singlestoredb": _MySQLStatement,
    "sqlite": _SQLiteStatement,
}
