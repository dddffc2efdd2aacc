"""Tab and Shift-Tab in `%%mdsql` and `%mdsql`: what IPython asks, and what it gets."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from IPython.core.completer import SimpleCompletion, context_matcher

from md_magic import options
from md_magic.auth import tokens_in
from md_magic.target import is_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from IPython.core.completer import CompletionContext, SimpleMatcherResult
    from IPython.core.interactiveshell import InteractiveShell

    from md_magic.completion import Suggested, Surroundings
    from md_magic.inspection import Note
    from md_magic.names import Column, Names

logger = logging.getLogger(__name__)

_CELL = re.compile(r"\s*%%mdsql(?![\w?])")
_LINE = re.compile(r"\s*(?:[\w.\[\]'\", ()*]+?=\s*)?%mdsql(?![\w?])")
_FIRST = 1000.0
"""The matcher's priority: it goes first, and Jedi, which takes seconds the first time, is not asked at all."""

_LONGEST_VALUE = 200


@dataclass(frozen=True, slots=True)
class _Spot:
    """The cursor in a cell: in the magic line's options, or in SQL."""

    line: str
    """What stands behind the magic's name."""

    place: int
    """The cursor in that line; negative where it is below."""

    sql: str
    """The SQL of the line and the cell."""

    cursor: int
    """The cursor in that SQL; negative where it is before."""

    single: bool
    """Whether this is `%mdsql`."""


class _Nothing(list[SimpleCompletion]):
    """No completions, and IPython is to ask nobody else: it does so only if there seems to be one."""

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[SimpleCompletion]:
        return iter(())


class Assistant:
    """Answers one shell."""

    def __init__(
        self,
        shell: InteractiveShell,
        *,
        names: Callable[[], Names | None],
        targets: Callable[[], Sequence[str]],
        saved: Callable[[], Sequence[str]],
    ) -> None:
        """Make an assistant; `install` has *shell* ask it."""
        self._shell = shell
        self._names = names
        self._targets = targets
        self._saved = saved
        self._wrapped: Callable[..., Any] | None = None
        self._before: Callable[..., Any] = shell.object_inspect_mime

        @context_matcher(identifier="md_magic", priority=_FIRST)  # type: ignore[untyped-decorator]
        def matcher(context: CompletionContext) -> SimpleMatcherResult:
            return self._match(context)

        self._matcher = matcher

    def install(self) -> None:
        """Have the shell ask."""
        if self._shell.Completer is not None:
            self._shell.Completer.custom_matchers.append(self._matcher)
        self._had_own = "object_inspect_mime" in vars(self._shell)
        self._before = self._shell.object_inspect_mime
        self._wrapped = self._inspect
        self._shell.object_inspect_mime = self._wrapped  # type: ignore[method-assign] # IPython has no other hook

    def remove(self) -> None:
        """Leave the shell as it was found."""
        completer = self._shell.Completer
        if completer is not None and self._matcher in completer.custom_matchers:
            completer.custom_matchers.remove(self._matcher)
        if vars(self._shell).get("object_inspect_mime") == self._wrapped:
            if self._had_own:
                self._shell.object_inspect_mime = self._before  # type: ignore[method-assign]
            else:
                del self._shell.object_inspect_mime
        self._wrapped = None

    # ---- Tab --------------------------------------------------------------------------------------------------------

    def _match(self, context: CompletionContext) -> SimpleMatcherResult:
        text = context.full_text
        lines = text.split("\n")
        offset = sum(len(line) + 1 for line in lines[: context.cursor_line]) + context.cursor_position
        spot = _spot(text, offset)
        if spot is None:
            return {"completions": []}
        suggested = self._suggest(spot)
        made = [SimpleCompletion(text=one.text, type=one.kind) for one in suggested.suggestions]
        return {
            "completions": made or _Nothing(),
            "matched_fragment": suggested.fragment,
            "suppress": True,
            "ordered": True,
        }

    def _suggest(self, spot: _Spot) -> Suggested:
        from md_magic import completion  # what nobody asks for is not loaded

        around = self._around()
        at = options.spot(spot.line[: spot.place]) if spot.place >= 0 else None
        if at is not None and at.sql is None:
            return completion.line(at, spot.sql, around, single=spot.single)
        return completion.sql(spot.sql, spot.cursor, around)

    def _around(self) -> Surroundings:
        from md_magic import namespace
        from md_magic.completion import Surroundings
        from md_magic.names import Names

        variables = {
            name: value
            for name, value in list(self._shell.user_ns.items())
            if not name.startswith("_") and name not in self._shell.user_ns_hidden
        }
        tables = namespace.names(variables)
        return Surroundings(
            names=self._names() or Names(),
            frames=_Frames({name: variables[name] for name in tables}),
            values=tuple(name for name, value in variables.items() if namespace.is_bindable(value)),
            engines=tuple(name for name, value in variables.items() if _is_engine(value)),
            dicts=tuple(name for name, value in variables.items() if isinstance(value, dict)),
            targets=tuple(self._targets()),
            saved=tuple(self._saved()),
        )

    # ---- Shift-Tab --------------------------------------------------------------------------------------------------

    def _inspect(self, oname: str, detail_level: int = 0, omit_sections: Sequence[str] = ()) -> Any:  # noqa: ANN401 - IPython's bundle
        """Answer an inspect request within our cells; everything else goes on to IPython."""
        content = self._request() if self._wrapped is not None else {}
        spot = _spot(content.get("code", ""), content.get("cursor_pos", 0)) if content else None
        if spot is None:
            return self._before(oname, detail_level=detail_level, omit_sections=omit_sections)
        note = self._note(spot)
        if note is None:
            raise KeyError(oname)  # the kernel answers that nothing was found: Python's docs are not of SQL's words
        return {"text/plain": note.text, "text/html": note.html}

    def _request(self) -> Mapping[str, Any]:
        """Return the content of the inspect request that is being answered; empty in a terminal."""
        get = getattr(self._shell, "get_parent", None)
        content = (get() if get is not None else {}).get("content", {})
        return content if "cursor_pos" in content and "detail_level" in content else {}

    def _note(self, spot: _Spot) -> Note | None:
        from md_magic import inspection

        around = self._around()
        if spot.place >= 0:
            at = options.spot(spot.line[: spot.place])
            if at.sql is None:
                return inspection.line(spot.line, spot.place, around)
        return inspection.sql(spot.sql, spot.cursor, around, self._described)

    def _described(self, name: str) -> str | None:
        """Return type and short text of the Python variable *name*."""
        if name not in self._shell.user_ns:
            return None
        value = self._shell.user_ns[name]
        text = _short(value)
        secret = is_secret(name) or tokens_in(text)
        return f"{type(value).__name__}: {'***' if secret else text}"


class _Frames(Mapping[str, "Sequence[Column]"]):
    """Columns of Python tables by name, looked at only when they are asked for."""

    def __init__(self, tables: Mapping[str, object]) -> None:
        self._tables = tables

    def __getitem__(self, name: str) -> Sequence[Column]:
        from md_magic import namespace
        from md_magic.names import Column

        try:
            return [Column(column, kind) for column, kind in namespace.columns(self._tables[name])]
        except KeyError:
            raise
        except Exception:
            logger.debug("the columns of %s cannot be read", name, exc_info=True)
            return []

    def __iter__(self) -> Iterator[str]:
        return iter(self._tables)

    def __len__(self) -> int:
        return len(self._tables)


def _spot(text: str, offset: int) -> _Spot | None:
    """Return where the cursor at *offset* of a cell's *text* is, if that is in our magic."""
    found = _CELL.match(text)
    if found is not None:
        if offset < found.end() or (offset == found.end() and not text[offset : offset + 1].isspace()):
            return None
        end = text.find("\n", found.end())
        end = len(text) if end < 0 else end
        line, cell = text[found.end() : end], text[end + 1 :]
        place = offset - found.end()
        start = options.spot(line + " ").sql
        above = "" if start is None else line[start:] + "\n"
        if offset <= end:
            cursor = -1 if start is None or place < start else place - start
            return _Spot(line.rstrip("\r"), place, above + cell, cursor, single=False)
        return _Spot(line.rstrip("\r"), -1, above + cell, offset - end - 1 + len(above), single=False)
    begin = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    line = text[begin : len(text) if end < 0 else end]
    found = _LINE.match(line)
    if found is None or offset - begin <= found.end() - (line[found.end() :][:1] == ""):
        return None
    rest, place = line[found.end() :], offset - begin - found.end()
    start = options.spot(rest + " ").sql
    if start is None or place < start:
        return _Spot(rest, place, "" if start is None else rest[start:], -1, single=True)
    return _Spot(rest, place, rest[start:], place - start, single=True)


def _is_engine(value: object) -> bool:
    """Whether *value* is a SQLAlchemy engine or a DuckDB connection; neither is imported to find out."""
    sqlalchemy, duckdb = sys.modules.get("sqlalchemy"), sys.modules.get("duckdb")
    kinds = (getattr(sqlalchemy, "Engine", None), getattr(duckdb, "DuckDBPyConnection", None))
    return any(kind is not None and isinstance(value, kind) for kind in kinds)


def _short(value: object) -> str:
    """Return *value* as a short text. A long list is not written out whole."""
    import reprlib

    maker = reprlib.Repr()
    maker.maxstring = maker.maxother = _LONGEST_VALUE
    maker.maxlist = maker.maxtuple = maker.maxset = maker.maxdict = 8
    try:
        return " ".join(maker.repr(value).split())[:_LONGEST_VALUE]
    except Exception as error:  # noqa: BLE001 - a `__repr__` of anybody's
        return f"(its text cannot be made: {type(error).__name__})"
