"""SQL being typed: the statement around the cursor, and the part of a name before it.

Parsing is lenient, because a half-typed statement is nearly always invalid: unexpected tokens are skipped.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from md_magic.completion.scope.nesting import nest
from md_magic.sql.tokens import Token, scan, semicolons, tokens, word_end

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from md_magic.completion.scope.nesting import Item
    from md_magic.sql.tokens import Tail

_MOST_CREATED = 100


@dataclass(frozen=True, slots=True)
class Typed:
    """The name at the cursor, and the statement around it."""

    items: list[Item]
    """The statement's tokens, nested by brackets, with one token of kind `cursor`."""

    before: list[Token]
    """The statement's tokens before the name being typed."""

    start: int
    """Offset at which the name being typed begins."""

    prefix: str
    """The part of the name before the cursor, without its opening quote."""

    fragment: str
    """The same with its opening quote: the text that a completion replaces."""

    qualifiers: tuple[str, ...]
    """The names that qualify it, in order."""

    quoted: bool
    """Whether the name is quoted."""

    closed: bool
    """Whether a quoted name already has its closing quote after the cursor."""

    tail: Tail | None
    """The string or comment that contains the cursor."""

    earlier: list[list[Item]]
    """The statements before this one."""

    number: bool = False
    """Whether a number is being typed, and not a name."""


@dataclass(frozen=True, slots=True)
class _Name:
    """The name being typed."""

    prefix: str
    start: int
    rest: int
    """Offset of the text after it."""

    quoted: bool = False
    closed: bool = False
    number: bool = False


def read(text: str, cursor: int) -> Typed:
    """Read the SQL *text* that is being typed at the offset *cursor*."""
    begin, created = _beginning(text[:cursor])
    before, tail = tokens(text[begin:cursor])
    if begin:
        before = [replace(token, start=token.start + begin, end=token.end + begin) for token in before]
        tail = replace(tail, start=tail.start + begin) if tail is not None else None
    if tail is not None and tail.kind == "quoted":
        name = _quoted_name(text, cursor, tail.start)
        tail = None
    else:
        name, before = _plain_name(text, cursor, before, tail)
    qualifiers: tuple[str, ...] = ()
    after: list[Token] = []
    if tail is None:
        before, qualifiers = _qualified(before)
        after = tokens(text[name.rest : _end(text, name.rest)])[0]
    mark = Token("", "cursor", name.start, cursor)
    statements = [list(statement) for statement in _statements([*before, mark, *after])]
    here = next(i for i, statement in enumerate(statements) if mark in statement)
    return Typed(
        items=nest(statements[here]),
        before=statements[here][: statements[here].index(mark)],
        start=name.start,
        prefix=name.prefix,
        fragment=text[name.start : cursor],
        qualifiers=qualifiers,
        quoted=name.quoted,
        closed=name.closed,
        tail=tail,
        earlier=[nest(tokens(statement)[0]) for statement in created]
        + [nest(statement) for statement in statements[:here]],
        number=name.number,
    )


def _quoted_name(text: str, cursor: int, start: int) -> _Name:
    """Return the quoted name whose opening quote is at *start*."""
    line_end = text.find("\n", cursor)
    line, quote = text[cursor : line_end if line_end >= 0 else len(text)], text[start]
    is_closed = line.count(quote) % 2 == 1  # an even number of quotes belongs to the names that follow
    close = cursor + line.find(quote)
    prefix = text[start + 1 : cursor].replace(quote * 2, quote)
    return _Name(prefix, start, close + 1 if is_closed else cursor, quoted=True, closed=is_closed and close == cursor)


def _plain_name(text: str, cursor: int, before: list[Token], tail: Tail | None) -> tuple[_Name, list[Token]]:
    """Return the word that ends at the cursor, if there is one, and the tokens before it."""
    rest = word_end(text, cursor) if tail is None else cursor
    last = before[-1] if before else None
    if tail is None and last is not None and last.end == cursor and last.kind in {"word", "number"}:
        return _Name(last.text, last.start, rest, number=last.kind == "number"), before[:-1]
    return _Name("", cursor, rest), before


def _beginning(text: str) -> tuple[int, list[str]]:
    """Return where the last statement of *text* begins, and the earlier statements that create something.

    Only those are tokenised in full: a cell can have a thousand others.
    """
    begin, created = 0, []
    first: int | None = None
    if ";" not in text:
        return 0, []
    for offset, _ in scan(text):
        if text[offset] == ";":
            if first is not None and text[first : first + 6].lower() == "create":
                created.append(text[first:offset])
            begin, first = offset + 1, None
        elif first is None:
            first = offset
    return begin, created[-_MOST_CREATED:]


def _end(text: str, start: int) -> int:
    """Return where the statement around *start* ends."""
    rest = text[start:]
    return next((start + offset for offset in semicolons(rest)), len(text)) if ";" in rest else len(text)


def _qualified(before: list[Token]) -> tuple[list[Token], tuple[str, ...]]:
    """Take `a.b.` off the end of *before*."""
    names: list[str] = []
    while len(before) > 1 and before[-1].text == "." and before[-2].name is not None:
        names.insert(0, before[-2].name or "")
        before = before[:-2]
    return before, tuple(names)


def _statements(read_tokens: Sequence[Token]) -> Iterator[list[Token]]:
    statement: list[Token] = []
    for token in read_tokens:
        if token.text == ";" and token.kind == "sign":
            yield statement
            statement = []
        else:
            statement.append(token)
    yield statement
