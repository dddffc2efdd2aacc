"""The tokens of SQL that is not DuckDB's: what is a string, a name, a comment, a word or a sign, by dialect.

`Lexicon.tokens` is a tokenizer without keywords: which words a dialect reserves does not matter to where a string ends.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from md_magic.errors import StatementError
from md_magic.sql.tokens import Token

if TYPE_CHECKING:
    from collections.abc import Iterator

    from md_magic.sql.tokens import Kind

_BLANK = re.compile(r"\s+")
_NUMBER = re.compile(r"\d\w*(?:\.\d\w*)?|\.\d\w*")
_WORD = re.compile(r"[^\W\d][\w$]*")
_WORD_WITHOUT_DOLLARS = re.compile(r"[^\W\d]\w*")
_VERSION = re.compile(r"\d*")
_TAG = re.compile(r"\$(?:[^\W\d]\w*)?\$")
_COMMENT_SIGNS = re.compile(r"/\*|\*/")
_STOPS = {
    (quote, escapes): re.compile(rf"[{re.escape(quote)}\\]" if escapes else re.escape(quote))
    for quote in "'\"`]"
    for escapes in (False, True)
}
"""What a text in quotes has to be looked through for: its quote, and a backslash where that escapes."""


@dataclass(frozen=True, slots=True)
class Lexicon:
    """How one dialect writes strings, names and comments. The defaults are those of the standard."""

    strings: str = "'"
    """The quotes of strings."""

    names: str = '"'
    """The quotes of names; `[` stands for `[...]`."""

    backslash: bool = False
    r"""Whether a backslash in a string escapes what follows it, so that `'\''` is a string."""

    escape_strings: bool = False
    r"""Whether it does so in `E'...'` alone."""

    dollar_quotes: bool = False
    """Whether `$$...$$` and `$tag$...$tag$` are strings."""

    dollars_in_words: bool = True
    """Whether `a$b` is one word. MySQL's is too, and its client yet finds the delimiter `$$` in `END$$`."""

    comments: tuple[str, ...] = ("--",)
    """What begins a comment up to the end of its line."""

    dashes: Literal["alone", "before a blank"] = "alone"
    """Whether `5--3` is a comment."""

    nested_comments: bool = False
    open_comments: bool = False
    """Whether a comment may last to the end of the text."""

    executable_comments: bool = False
    """Whether `/*! ... */` is SQL."""

    paths: bool = True
    """Whether `column:field` reads a field of the column, so that a colon right after a name is no parameter's."""

    def tokens(self, text: str) -> list[Token]:
        """Return the tokens of *text* without comments.

        Raises `StatementError` for a string, a quoted name or a comment that does not end.
        """
        return list(self._scan(text))

    def _scan(self, text: str) -> Iterator[Token]:
        at, executable = 0, False
        while at < len(text):
            if blank := _BLANK.match(text, at):
                at = blank.end()
            elif (end := self._comment_end(text, at)) is not None:
                at = end
            elif self.executable_comments and text.startswith(("/*!", "/*M!"), at):
                at, executable = _VERSION.match(text, text.index("!", at) + 1).end(), True  # type: ignore[union-attr]
            elif executable and text.startswith("*/", at):
                at, executable = at + 2, False
            else:
                kind, end = self._token(text, at)
                yield Token(text[at:end], kind, at, end)
                at = end

    def _comment_end(self, text: str, at: int) -> int | None:
        """Return where the comment that begins at *at* ends; `None` if none begins there."""
        if text.startswith(self.comments, at):
            is_minus = self.dashes == "before a blank" and text.startswith("--", at) and text[at + 2 : at + 3].strip()
            end = text.find("\n", at)
            return None if is_minus else end if end >= 0 else len(text)
        if not text.startswith("/*", at) or (self.executable_comments and text.startswith(("/*!", "/*M!"), at)):
            return None
        depth = 0
        for sign in _COMMENT_SIGNS.finditer(text, at):
            depth += 1 if sign[0] == "/*" else -1
            if sign[0] == "*/" and (depth == 0 or not self.nested_comments):
                return sign.end()
        if self.open_comments:
            return len(text)
        raise _not_ended(text, at, "comment")

    def _token(self, text: str, at: int) -> tuple[Kind, int]:
        char = text[at]
        if char in self.strings:
            return "string", _end_of_quoted(text, at, char, "string", escapes=self.backslash)
        if char in self.names:
            return "quoted", _end_of_quoted(text, at, "]" if char == "[" else char, "quoted name")
        if self.escape_strings and char in "eE" and text[at + 1 : at + 2] == "'":
            return "string", _end_of_quoted(text, at + 1, "'", "string", escapes=True)
        if self.dollar_quotes and char == "$" and (tag := _TAG.match(text, at)):
            return "string", _end_of_dollars(text, at, tag[0])
        return self._plain_token(text, at)

    def _plain_token(self, text: str, at: int) -> tuple[Kind, int]:
        if number := _NUMBER.match(text, at):
            return "number", number.end()
        if word := (_WORD if self.dollars_in_words else _WORD_WITHOUT_DOLLARS).match(text, at):
            return "word", word.end()
        return "sign", at + (2 if text.startswith(("::", ":="), at) else 1)


def _end_of_dollars(text: str, at: int, tag: str) -> int:
    end = text.find(tag, at + len(tag))
    if end < 0:
        raise _not_ended(text, at, "string")
    return end + len(tag)


def _end_of_quoted(text: str, at: int, quote: str, what: str, *, escapes: bool = False) -> int:
    """Return where the *quote*d text that begins at *at* ends. A quote written twice is one within it."""
    stops, end = _STOPS[quote, escapes], at + 1
    while (stop := stops.search(text, end)) is not None:
        end = stop.end()
        if stop[0] == "\\" or text.startswith(quote, end):
            end += 1
        else:
            return end
    raise _not_ended(text, at, what)


def _not_ended(text: str, at: int, what: str) -> StatementError:
    line = text.count("\n", 0, at) + 1
    return StatementError(
        f"The SQL cannot be read: the {what} that begins in line {line} does not end. Nothing was run."
    )


_POSTGRESQL = Lexicon(escape_strings=True, dollar_quotes=True, nested_comments=True, paths=False)
_MYSQL = Lexicon(
    strings="'\"",
    names="`",
    backslash=True,
    dollars_in_words=False,
    comments=("--", "#"),
    dashes="before a blank",
    executable_comments=True,
    paths=False,
)
_HIVE = Lexicon(strings="'\"", names="`", backslash=True)

_BY_DIALECT = {
    "awsathena": Lexicon(names='"`'),
    "bigquery": Lexicon(strings="'\"", names="`", backslash=True, comments=("--", "#")),
    "clickhouse": Lexicon(names='"`', backslash=True, dollar_quotes=True, nested_comments=True),
    "cockroachdb": _POSTGRESQL,
    "databricks": _HIVE,
    "doris": _MYSQL,
    "hive": _HIVE,
    "impala": _HIVE,
    "mariadb": _MYSQL,
    "mssql": Lexicon(names='"[', nested_comments=True, paths=False),
    "mysql": _MYSQL,
    "oracle": Lexicon(paths=False),
    "postgresql": _POSTGRESQL,
    "redshift": _POSTGRESQL,
    "singlestoredb": _MYSQL,
    "snowflake": Lexicon(backslash=True, dollar_quotes=True, comments=("--", "//")),
    "spark": _HIVE,
    "sparksql": _HIVE,
    "sqlite": Lexicon(names='"`[', open_comments=True, paths=False),
    "starrocks": _MYSQL,
}
"""By SQLAlchemy's dialect name."""

_UNKNOWN = Lexicon(names='"`')


def of(dialect: str) -> Lexicon:
    """Return the lexicon of a SQLAlchemy *dialect*; the standard's, with backticks, where it is not known."""
    return _BY_DIALECT.get(dialect, _UNKNOWN)
