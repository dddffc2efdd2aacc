"""The only tokenizer of DuckDB's SQL: offsets in characters, and blanks as DuckDB's parser sees them.

Nothing else calls `duckdb.tokenize`. That function knows fewer blanks than DuckDB's parser, counts bytes, and stops at
the first unknown character. `scan` corrects the first two, `tokens` all three.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Kind = Literal["word", "quoted", "string", "number", "sign", "cursor"]
Open = Literal["string", "quoted", "comment", "dollar"]

ODD_BLANKS = frozenset(
    "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b\u202f\u205f\u2060\u3000\ufeff"
)
"""Blanks to DuckDB's parser and letters to its tokenizer, measured on DuckDB 1.5.6. U+1680 is a letter to both."""

_AS_SPACES = {ord(blank): " " for blank in ODD_BLANKS}
_SINGLE = frozenset("()[]{},;.?")
_MOST_RESTARTS = 100
_ASCII = 127
_HEAD_CHARACTERS = 400


@dataclass(frozen=True, slots=True)
class Token:
    """A token and where it stands, in characters."""

    text: str
    kind: Kind
    start: int
    end: int
    keyword: bool = False
    """Whether it is a word that DuckDB's grammar knows, reserved or not."""

    @property
    def low(self) -> str:
        """The text in lower case where it can be a keyword or a sign, else empty."""
        return self.text.lower() if self.kind in {"word", "sign"} else ""

    @property
    def name(self) -> str | None:
        """The name that a word or a quoted word is."""
        if self.kind == "quoted":
            return self.text[1:-1].replace(self.text[-1] * 2, self.text[-1])
        return self.text if self.kind == "word" else None


@dataclass(frozen=True, slots=True)
class Tail:
    """The string, quoted name or comment that is still open at the end of a text."""

    kind: Open
    start: int
    """Offset of its opening quote or comment sign."""


def scan(text: str) -> list[tuple[int, Any]]:
    """Return offset, in characters, and `duckdb.token_type` of each token, comments included.

    The list ends where DuckDB's tokenizer gives up, such as at a string that is not closed.
    """
    import duckdb  # 100 ms, paid by the first Tab where no cell has run

    plain = _spaced(text)
    scanned = duckdb.tokenize(plain)
    if not text.isascii() and _counts_bytes():
        offsets = _characters(plain.encode(), [offset for offset, _ in scanned])
        scanned = [(offset, kind) for offset, (_, kind) in zip(offsets, scanned, strict=True)]
    if scanned and scanned[-1][1] != duckdb.token_type.comment and _tail(plain, scanned[-1][0]) is not None:
        scanned.pop()  # DuckDB 2 gives what is not closed as a token; 1 gives up there
    return scanned


def tokens(text: str) -> tuple[list[Token], Tail | None]:
    """Return the tokens of *text* without comments, and what is still open at its end.

    A character that DuckDB's tokenizer stops at is skipped.
    """
    import duckdb  # see `scan`

    comment, keyword = duckdb.token_type.comment, duckdb.token_type.keyword
    plain = _spaced(text)
    read: list[Token] = []
    base = 0
    for _ in range(_MOST_RESTARTS):
        rest = plain[base:]
        scanned = [(offset, kind) for offset, kind in scan(rest) if kind != comment]
        ends = [*(offset for offset, _ in scanned[1:]), len(rest)]
        for (start, kind), following in zip(scanned, ends, strict=False):
            read_as, end = _extent(rest, start, following)
            is_keyword = kind == keyword and read_as == "word"
            read.append(Token(text[base + start : base + end], read_as, base + start, base + end, keyword=is_keyword))
        gap, tail = _gap(plain, read[-1].end if scanned else base)
        if tail is not None or gap >= len(plain):
            return read, tail
        base = gap + 1
    return read, None


def head(text: str, most: int) -> list[Token]:
    """Return the first *most* tokens of *text*. Of a long text little more is read than these."""
    length = _HEAD_CHARACTERS
    while True:
        read, _ = tokens(text[:length])
        if len(read) > most or length >= len(text):  # the last token before a cut may be half of one
            return read[:most]
        length *= 8


def semicolons(text: str) -> list[int]:
    """Return where the semicolons between the statements of *text* stand, as far as DuckDB's tokenizer comes."""
    return [offset for offset, _ in scan(text) if text[offset] == ";"]


def word_end(text: str, start: int) -> int:
    """Return where the word that *start* stands in ends."""
    while start < len(text) and (
        text[start].isalnum() or text[start] in "_$" or (ord(text[start]) > _ASCII and text[start] not in ODD_BLANKS)
    ):
        start += 1
    return start


def _spaced(text: str) -> str:
    """Return *text*, character for character, with spaces for odd blanks and `?` for lone surrogates."""
    if text.isascii():
        return text
    return text.translate(_AS_SPACES).encode(errors="replace").decode()


@cache
def _counts_bytes() -> bool:
    """Whether this DuckDB's tokenizer counts bytes, as 1.5 does, and not characters."""
    import duckdb  # see `scan`

    offset, _ = duckdb.tokenize("é 1")[-1]
    return offset == len("é ".encode())


def _quotes_a_name(char: str) -> bool:
    return char == '"' or (char == "`" and _has_backticks())


@cache
def _has_backticks() -> bool:
    """Whether names can stand in backticks, as in DuckDB 2."""
    import duckdb  # see `scan`

    return len(duckdb.tokenize("`a b`")) == 1


def _characters(raw: bytes, offsets: Sequence[int]) -> list[int]:
    """Turn offsets in bytes into offsets in characters."""
    if raw.isascii():
        return list(offsets)
    counted, before, turned = 0, 0, []
    for offset in offsets:
        counted += len(raw[before:offset].decode())
        before = offset
        turned.append(counted)
    return turned


def _extent(text: str, start: int, following: int) -> tuple[Kind, int]:
    """Return the kind of the token at *start*, and where it ends: at *following*, where the next begins, at the latest.

    DuckDB's tokenizer says only where a token begins.
    """
    kind, end = _quoted_extent(text, start) or _plain_extent(text, start, following)
    return kind, min(max(end, start + 1), max(following, start + 1))


def _quoted_extent(text: str, start: int) -> tuple[Kind, int] | None:
    first = text[start]
    if _quotes_a_name(first):
        return "quoted", _quote_end(text, start, first)
    if first == "'":
        return "string", _quote_end(text, start, "'")
    if first in "eExXbB" and text[start + 1 : start + 2] == "'":
        return "string", _quote_end(text, start + 1, "'", escapes=first in "eE")
    if first == "$" and (tag := _dollar(text, start)):
        return "string", text.find(tag, start + len(tag)) + len(tag)
    return None


def _plain_extent(text: str, start: int, following: int) -> tuple[Kind, int]:
    first = text[start]
    if first.isdigit() or (first == "." and text[start + 1 : start + 2].isdigit()):
        return "number", _while(text, start, following, lambda char: char.isalnum() or char in "._+-")
    if first.isalpha() or first == "_" or ord(first) > _ASCII:
        return "word", word_end(text, start)
    if first in _SINGLE:
        return "sign", start + 1
    end = _while(text, start, following, lambda char: not (char.isspace() or char.isalnum() or char in "_'\"(),;"))
    return "sign", _before_comment(text, start, end)


def _before_comment(text: str, start: int, end: int) -> int:
    comments = [at for at in (text.find("--", start, end), text.find("/*", start, end)) if at > start]
    return min(comments, default=end)


def _while(text: str, start: int, stop: int, wanted: Callable[[str], bool]) -> int:
    end = start
    while end < stop and wanted(text[end]):
        end += 1
    return end


def _quote_end(text: str, start: int, quote: str, *, escapes: bool = False) -> int:
    """Return where the quoted text that begins at *start* ends; -1 if it does not."""
    at = start + 1
    while at < len(text):
        if escapes and text[at] == "\\":
            at += 2
        elif text[at] != quote:
            at += 1
        elif text[at + 1 : at + 2] == quote:
            at += 2
        else:
            return at + 1
    return -1


def _dollar(text: str, start: int) -> str | None:
    """Return `$$` or `$tag$`, where that opens a string at *start*."""
    end = start + 1
    while end < len(text) and (text[end].isalnum() or text[end] == "_"):
        end += 1
    return text[start : end + 1] if text[end : end + 1] == "$" and not text[start + 1 : start + 2].isdigit() else None


def _gap(text: str, at: int) -> tuple[int, Tail | None]:
    """Skip blanks and comments from *at* on; return the new offset, and what is still open there."""
    while at < len(text):
        if text[at].isspace() and text[at].isascii():
            at += 1
        elif text.startswith("--", at):
            end = text.find("\n", at)
            if end < 0:
                return at, Tail("comment", at)
            at = end
        elif text.startswith("/*", at):
            end = _comment_end(text, at)
            if end < 0:
                return at, Tail("comment", at)
            at = end
        else:
            return at, _tail(text, at)
    return at, None


def _comment_end(text: str, at: int) -> int:
    depth = 0
    while at < len(text):
        if text.startswith("/*", at):
            depth, at = depth + 1, at + 2
        elif text.startswith("*/", at):
            depth, at = depth - 1, at + 2
            if depth == 0:
                return at
        else:
            at += 1
    return -1


def _tail(text: str, at: int) -> Tail | None:
    quote = at + 1 if text[at] in "eExXbB" and text[at + 1 : at + 2] == "'" else at
    if text[quote] == "'" and _quote_end(text, quote, "'", escapes=text[at] in "eE") < 0:
        return Tail("string", quote)
    if _quotes_a_name(text[at]) and _quote_end(text, at, text[at]) < 0:
        return Tail("quoted", at)
    if text[at] == "$" and (tag := _dollar(text, at)) and text.find(tag, at + len(tag)) < 0:
        return Tail("dollar", at)
    return None
