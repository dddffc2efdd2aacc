"""SQL that is being typed: its tokens, the statement under the cursor, and what its names mean there.

DuckDB's own tokenizer reads the text before and after the cursor. Nothing is parsed strictly: a statement that is being
written is wrong nearly all of the time. What is wrong is skipped.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Kind = Literal["word", "quoted", "string", "number", "sign", "cursor"]
Open = Literal["string", "quoted", "comment", "dollar"]

_SINGLE = frozenset("()[]{},;.?")
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_BLANKS = {
    ord(char): " "
    for char in "\ufeff\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
}
_MOST_RESTARTS = 100
_ASCII = 127
_MOST_CREATED = 100
_MOST_NESTED = 100
"""Brackets in brackets; deeper ones are not told apart."""

_ENDS_BRACKETS = frozenset({"from", "where", "group", "having", "qualify", "limit", "union"})
_QUERIES = frozenset({"select", "with", "from", "values"})
_NO_CALLS = frozenset({"from", "join", "in", "exists", "as", "any", "all", "some", "lateral", "materialized", "union"})


@dataclass(frozen=True, slots=True)
class Token:
    """A token and where it stands, in characters."""

    text: str
    kind: Kind
    start: int
    end: int

    @property
    def low(self) -> str:
        """The text in lower case where it can be a keyword or a sign, else empty."""
        return self.text.lower() if self.kind in {"word", "sign"} else ""

    @property
    def name(self) -> str | None:
        """The name that a word or a quoted word is."""
        if self.kind == "quoted":
            return self.text[1:-1].replace('""', '"')
        return self.text if self.kind == "word" else None


@dataclass(slots=True)
class Group:
    """What stands between brackets."""

    bracket: str
    items: list[Token | Group] = field(default_factory=list)

    low = ""
    name = None
    kind = "group"
    text = ""


Item = Token | Group


@dataclass(frozen=True, slots=True)
class Tail:
    """What a text ends within: a string, a quoted name or a comment that is still open."""

    kind: Open
    start: int
    """Where what is open begins, its quote included."""


def tokens(text: str) -> tuple[list[Token], Tail | None]:
    """Return the tokens of *text*, and what is still open at its end."""
    import duckdb  # 100 ms, paid by the first Tab where no cell has run

    text = text.translate(_BLANKS)
    found: list[Token] = []
    base = 0
    for _ in range(_MOST_RESTARTS):
        rest = text[base:]
        try:
            raw = rest.encode()
        except UnicodeEncodeError:  # half of a character that takes two
            raw = rest.encode(errors="replace")
        offsets = _characters(raw, [offset for offset, _ in duckdb.tokenize(raw.decode())])
        for start, following in zip(offsets, [*offsets[1:], len(rest)], strict=False):
            found.append(_token(rest, start, following, base))
        after = found[-1].end if offsets else base
        gap, tail = _gap(text, after)
        if tail is not None or gap >= len(text):
            return found, tail
        base = gap + 1  # a character that DuckDB's scanner stops at
    return found, None


def _characters(raw: bytes, offsets: list[int]) -> list[int]:
    """Turn offsets in bytes into offsets in characters."""
    if raw.isascii():
        return offsets
    counted, before, found = 0, 0, []
    for offset in offsets:
        counted += len(raw[before:offset].decode(errors="replace"))
        before = offset
        found.append(counted)
    return found


def _token(text: str, start: int, following: int, base: int) -> Token:
    first = text[start]
    kind: Kind
    if first == '"':
        kind, end = "quoted", _quote_end(text, start, '"')
    elif first == "'":
        kind, end = "string", _quote_end(text, start, "'")
    elif first in "eExXbB" and text[start + 1 : start + 2] == "'":
        kind, end = "string", _quote_end(text, start + 1, "'", escapes=first in "eE")
    elif first == "$" and (tag := _dollar(text, start)):
        kind, end = "string", text.find(tag, start + len(tag)) + len(tag)
    elif first.isdigit() or (first == "." and text[start + 1 : start + 2].isdigit()):
        kind, end = "number", _while(text, start, following, lambda char: char.isalnum() or char in "._+-")
    elif first.isalpha() or first == "_" or ord(first) > _ASCII:
        kind, end = "word", word_end(text, start)
    elif first in _SINGLE:
        kind, end = "sign", start + 1
    else:
        kind, end = (
            "sign",
            _while(text, start, following, lambda char: not (char.isspace() or char.isalnum() or char in "_'\"(),;")),
        )
        end = _before_comment(text, start, end)
    end = min(max(end, start + 1), max(following, start + 1))
    return Token(text[start:end], kind, base + start, base + end)


def _before_comment(text: str, start: int, end: int) -> int:
    found = [place for place in (text.find("--", start, end), text.find("/*", start, end)) if place > start]
    return min(found, default=end)


def _while(text: str, start: int, stop: int, wanted: Callable[[str], bool]) -> int:
    end = start
    while end < stop and wanted(text[end]):
        end += 1
    return end


def word_end(text: str, start: int) -> int:
    """Return where the word that *start* stands in ends."""
    while start < len(text) and (
        text[start].isalnum() or text[start] in "_$" or (ord(text[start]) > _ASCII and not text[start].isspace())
    ):
        start += 1
    return start


def _quote_end(text: str, start: int, quote: str, *, escapes: bool = False) -> int:
    """Return where what is quoted from *start* on ends, or -1 where it does not."""
    place = start + 1
    while place < len(text):
        if escapes and text[place] == "\\":
            place += 2
        elif text[place] != quote:
            place += 1
        elif text[place + 1 : place + 2] == quote:
            place += 2
        else:
            return place + 1
    return -1


def _dollar(text: str, start: int) -> str | None:
    """Return `$$` or `$tag$`, where that opens a string at *start*."""
    end = start + 1
    while end < len(text) and (text[end].isalnum() or text[end] == "_"):
        end += 1
    return text[start : end + 1] if text[end : end + 1] == "$" and not text[start + 1 : start + 2].isdigit() else None


def _gap(text: str, place: int) -> tuple[int, Tail | None]:
    """Skip blanks and comments from *place* on; tell what is open there, if that never ends."""
    while place < len(text):
        if text[place].isspace():
            place += 1
        elif text.startswith("--", place):
            end = text.find("\n", place)
            if end < 0:
                return place, Tail("comment", place)
            place = end
        elif text.startswith("/*", place):
            end = _comment_end(text, place)
            if end < 0:
                return place, Tail("comment", place)
            place = end
        else:
            return place, _tail(text, place)
    return place, None


def _comment_end(text: str, place: int) -> int:
    depth = 0
    while place < len(text):
        if text.startswith("/*", place):
            depth, place = depth + 1, place + 2
        elif text.startswith("*/", place):
            depth, place = depth - 1, place + 2
            if depth == 0:
                return place
        else:
            place += 1
    return -1


def _tail(text: str, place: int) -> Tail | None:
    quote = place + 1 if text[place] in "eExXbB" and text[place + 1 : place + 2] == "'" else place
    if text[quote] == "'" and _quote_end(text, quote, "'", escapes=text[place] in "eE") < 0:
        return Tail("string", quote)
    if text[place] == '"' and _quote_end(text, place, '"') < 0:
        return Tail("quoted", place)
    if text[place] == "$" and (tag := _dollar(text, place)) and text.find(tag, place + len(tag)) < 0:
        return Tail("dollar", place)
    return None


@dataclass(frozen=True, slots=True)
class Typed:
    """What stands at the cursor, and the statement around it."""

    items: list[Item]
    """The statement's tokens, nested by brackets, with one token of kind `cursor`."""

    before: list[Token]
    """The statement's tokens before what is being typed."""

    prefix: str
    """What is typed of the name at the cursor, without its opening quote."""

    fragment: str
    """The same as it stands in the text: what a completion replaces."""

    qualifiers: tuple[str, ...]
    """The names before it, each with a dot after it."""

    quoted: bool
    """Whether a quoted name is being typed."""

    closed: bool
    """Whether that name's closing quote stands behind the cursor already."""

    tail: Tail | None
    """The string or comment that the cursor is in."""

    earlier: list[list[Item]]
    """The statements before it."""

    number: bool = False
    """Whether a number is being typed."""


def read(text: str, cursor: int) -> Typed:
    """Read the SQL *text*, in which something is being typed at the offset *cursor*."""
    begin, created = _beginning(text[:cursor])
    before, tail = tokens(text[begin:cursor])
    if begin:
        before = [replace(token, start=token.start + begin, end=token.end + begin) for token in before]
        tail = replace(tail, start=tail.start + begin) if tail is not None else None
    quoted, number, prefix, start = False, False, "", cursor
    rest = cursor
    if tail is not None and tail.kind == "quoted":
        quoted, start = True, tail.start
        prefix = text[start + 1 : cursor].replace('""', '"')
        tail = None
        line_end = text.find("\n", cursor)
        line = text[cursor : line_end if line_end >= 0 else len(text)]
        closed = line.count('"') % 2 == 1  # an even number of them belongs to the names that follow
        close = cursor + line.find('"')
        rest = close + 1 if closed else cursor
        closed = closed and close == cursor
    else:
        closed = False
        if before and before[-1].end == cursor and tail is None and before[-1].kind in {"word", "number"}:
            number = before[-1].kind == "number"
            prefix, start = before[-1].text, before[-1].start
            before = before[:-1]
        if tail is None:
            rest = word_end(text, cursor)
    qualifiers: tuple[str, ...] = ()
    if tail is None:
        before, qualifiers = _qualified(before)
    after = tokens(text[rest : _end(text, rest)])[0] if tail is None else []
    mark = Token("", "cursor", start, cursor)
    statements = [list(one) for one in _split([*before, mark, *after])]
    here = next(i for i, one in enumerate(statements) if mark in one)
    return Typed(
        items=nest(statements[here]),
        before=statements[here][: statements[here].index(mark)],
        prefix=prefix,
        fragment=text[start:cursor],
        qualifiers=qualifiers,
        quoted=quoted,
        closed=closed,
        tail=tail,
        earlier=[nest(tokens(one)[0]) for one in created] + [nest(one) for one in statements[:here]],
        number=number,
    )


def _beginning(text: str) -> tuple[int, list[str]]:
    """Return where the last statement of *text* begins, and the statements before it that create something.

    Only those are read in full: a cell can have a thousand others.
    """
    begin, created = 0, []
    first: int | None = None
    for offset in _offsets(text):
        if text[offset] == ";":
            if first is not None and text[first : first + 6].lower() == "create":
                created.append(text[first:offset])
            begin, first = offset + 1, None
        elif first is None:
            first = offset
    return begin, created[-_MOST_CREATED:]


def _end(text: str, start: int) -> int:
    """Return where the statement that goes on at *start* ends."""
    rest = text[start:]
    return next((start + offset for offset in _offsets(rest) if rest[offset] == ";"), len(text))


def _offsets(text: str) -> list[int]:
    """Return where the tokens of *text* begin, as far as DuckDB's scanner comes."""
    import duckdb  # see `tokens`

    if ";" not in text:
        return []
    raw = text.translate(_BLANKS).encode(errors="replace")
    return _characters(raw, [offset for offset, _ in duckdb.tokenize(raw.decode())])


def _qualified(before: list[Token]) -> tuple[list[Token], tuple[str, ...]]:
    """Take `a.b.` off the end of *before*."""
    names: list[str] = []
    while len(before) > 1 and before[-1].text == "." and before[-2].name is not None:
        names.insert(0, before[-2].name or "")
        before = before[:-2]
    return before, tuple(names)


def _split(found: Sequence[Token]) -> Iterator[list[Token]]:
    one: list[Token] = []
    for token in found:
        if token.text == ";" and token.kind == "sign":
            yield one
            one = []
        else:
            one.append(token)
    yield one


def nest(found: Sequence[Token]) -> list[Item]:
    """Nest tokens by their brackets. One that is never closed ends where the next clause of the outer query begins."""
    root = Group("")
    stack = [root]
    unclosed = _unclosed(found)
    opened: list[bool] = [False]
    for at, token in enumerate(found):
        while opened[-1] and token.low in _ENDS_BRACKETS and not _begins_query(stack[-1], stack[-2]):
            stack.pop()
            opened.pop()
        if token.kind == "sign" and token.text in _CLOSING and len(stack) < _MOST_NESTED:
            group = Group(token.text)
            stack[-1].items.append(group)
            stack.append(group)
            opened.append(at in unclosed)
        elif token.kind == "sign" and token.text in {")", "]", "}"}:
            place = next((i for i in range(len(stack) - 1, 0, -1) if _CLOSING[stack[i].bracket] == token.text), None)
            if place is not None:
                del stack[place:], opened[place:]
        else:
            stack[-1].items.append(token)
    return root.items


def _unclosed(found: Sequence[Token]) -> set[int]:
    """Return which tokens are brackets that nothing closes."""
    waiting: list[int] = []
    for at, token in enumerate(found):
        if token.kind != "sign":
            continue
        if token.text in _CLOSING:
            waiting.append(at)
        elif token.text in {")", "]", "}"}:
            place = next((i for i in reversed(waiting) if _CLOSING[found[i].text] == token.text), None)
            waiting = waiting if place is None else [i for i in waiting if i < place]
    return set(waiting)


def _begins_query(group: Group, around: Group) -> bool:
    """Whether what stands in an open bracket is a query, whose clauses are its own."""
    before = around.items[-2] if len(around.items) > 1 else None
    first = next((item for item in group.items if item.kind != "cursor"), None)
    if before is not None and before.low in {"extract", "trim", "substring", "overlay", "position"}:
        return True
    if first is not None:
        return first.low in _QUERIES or (isinstance(first, Group) and first.bracket == "(" and before is None)
    called = before is not None and before.name is not None and before.low not in _NO_CALLS
    return not (called or group.bracket != "(")


def holds_cursor(item: Item) -> bool:
    """Whether the cursor is *item*, or within it."""
    if isinstance(item, Group):
        return any(holds_cursor(one) for one in item.items)
    return item.kind == "cursor"
