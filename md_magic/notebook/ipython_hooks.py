"""Tab and Shift-Tab in `%%mdsql` and `%mdsql`: hooks into IPython's completer and inspector."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from IPython.core import completer as ipython

from md_magic.auth.secret import is_secret_name
from md_magic.auth.token import tokens_in
from md_magic.display import host
from md_magic.notebook import names as magic
from md_magic.wording import shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from IPython.core.completer import Completion, CompletionContext, SimpleMatcherResult
    from IPython.core.interactiveshell import InteractiveShell

    from md_magic.catalog.snapshot import Column, Snapshot
    from md_magic.completion.inspection import Note
    from md_magic.completion.suggestions import Suggested, Surroundings

logger = logging.getLogger(__name__)

_PRIORITY = 1000.0
"""Our matcher goes first, and then suppresses Jedi, which takes seconds the first time."""

_LONGEST_VALUE = 200


@dataclass(frozen=True, slots=True)
class _Cursor:
    """The position of the cursor in our magic: in its line, or in its SQL."""

    line: str
    """The text after the magic's name."""

    in_line: int
    """The cursor's offset in that line; negative if the cursor is below it."""

    sql: str
    """The SQL of the line and the cell."""

    in_sql: int
    """The cursor's offset in that SQL; negative if the cursor is before it."""

    is_line_magic: bool


class _Tab(Protocol):
    """The place in IPython's completer where Tab in our cells is answered."""

    def install(self) -> None:
        """Add the hook."""

    def remove(self) -> None:
        """Remove the hook."""


Suggest = Callable[[str, int], "Suggested | None"]
"""Returns the suggestions at an offset in a cell's text; `None` outside our magic."""


class _Matcher:
    """A matcher of IPython 8.6 or later."""

    def __init__(self, completer: ipython.IPCompleter, suggest: Suggest) -> None:
        self._completer = completer
        self._suggest = suggest

        @ipython.context_matcher(identifier="md_magic", priority=_PRIORITY)  # type: ignore[untyped-decorator]
        def matcher(context: CompletionContext) -> SimpleMatcherResult:
            return self._match(context)

        self._matcher = matcher

    def install(self) -> None:
        self._completer.custom_matchers.append(self._matcher)

    def remove(self) -> None:
        if self._matcher in self._completer.custom_matchers:
            self._completer.custom_matchers.remove(self._matcher)

    def _match(self, context: CompletionContext) -> SimpleMatcherResult:
        text = context.full_text
        lines = text.split("\n")
        offset = sum(len(line) + 1 for line in lines[: context.cursor_line]) + context.cursor_position
        suggested = self._suggest(text, offset)
        if suggested is None:
            return {"completions": []}
        completions = [ipython.SimpleCompletion(text=each.text, type=each.kind) for each in suggested.suggestions]
        return {
            "completions": completions or _Nothing(),
            "matched_fragment": suggested.fragment,
            "suppress": True,
            "ordered": True,
        }


class _Nothing(list[Any]):
    """An empty list that is true, because IPython suppresses its other matchers only if ours has a result."""

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[Any]:
        return iter(())


class _Completions:
    """The method that terminals and kernels ask, for IPython before 8.6, whose matchers see one word alone."""

    def __init__(self, completer: ipython.IPCompleter, suggest: Suggest) -> None:
        self._completer = completer
        self._suggest = suggest
        self._had_own = False
        self._before: Any = completer.completions
        self._is_installed = False

    def install(self) -> None:
        self._had_own = "completions" in vars(self._completer)
        self._before = self._completer.completions
        self._completer.completions = self._complete  # type: ignore[method-assign] # that IPython has no other hook
        self._is_installed = True

    def remove(self) -> None:
        self._is_installed = False
        if vars(self._completer).get("completions") == self._complete:
            if self._had_own:
                self._completer.completions = self._before  # type: ignore[method-assign] # see above
            else:
                del self._completer.completions

    def _complete(self, text: str, offset: int) -> Iterator[Completion]:
        suggested = self._suggest(text, offset) if self._is_installed else None
        if suggested is None:
            others: Iterator[Completion] = self._before(text, offset)
            return others
        start = offset - len(suggested.fragment)
        made = [(each.text, each.kind) for each in suggested.suggestions]
        return (ipython.Completion(start, offset, text, type=kind) for text, kind in made)


class IPythonHooks:
    """Completion and inspection for one shell."""

    def __init__(
        self,
        shell: InteractiveShell,
        *,
        names: Callable[[], Snapshot | None],
        targets: Callable[[], Sequence[str]],
        saved: Callable[[], Sequence[str]],
        magic_names: Callable[[], tuple[str, ...]],
        running: Callable[[], Sequence[str]] = tuple,
        columns: Callable[[str], Sequence[tuple[str, str]]] = lambda _query: (),
    ) -> None:
        """Make the hooks of *shell*; `install` adds them. The callables return what the session knows."""
        self._shell = shell
        self._names = names
        self._targets = targets
        self._saved = saved
        self._running = running
        self._columns = columns
        self._magic_names = magic_names
        self._wrapped: Callable[..., Any] | None = None
        self._before: Callable[..., Any] = shell.object_inspect_mime

        self._tab: _Tab | None = None
        if shell.Completer is not None:
            has_matchers = hasattr(ipython, "context_matcher")
            self._tab = (_Matcher if has_matchers else _Completions)(shell.Completer, self._complete)

    def install(self) -> None:
        """Add the hooks to the shell."""
        if self._tab is not None:
            self._tab.install()
        self._had_own = "object_inspect_mime" in vars(self._shell)
        self._before = self._shell.object_inspect_mime
        self._wrapped = self._inspect
        self._shell.object_inspect_mime = self._wrapped  # type: ignore[method-assign] # IPython has no other hook

    def remove(self) -> None:
        """Remove the hooks from the shell."""
        if self._tab is not None:
            self._tab.remove()
        if vars(self._shell).get("object_inspect_mime") == self._wrapped:
            if self._had_own:
                self._shell.object_inspect_mime = self._before  # type: ignore[method-assign]
            else:
                del self._shell.object_inspect_mime
        self._wrapped = None

    # ---- Tab --------------------------------------------------------------------------------------------------------

    def _complete(self, text: str, offset: int) -> Suggested | None:
        cursor = _cursor(text, offset, self._magic_names())
        return None if cursor is None else self._suggest(cursor)

    def _suggest(self, cursor: _Cursor) -> Suggested:
        from md_magic.completion import line_options, suggestions  # not loaded before the first Tab

        surroundings = self._surroundings()
        if cursor.in_line >= 0:
            context = line_options.context_at_end(cursor.line[: cursor.in_line])
            if context.sql is None:
                return line_options.suggest(context, cursor.sql, surroundings, is_line_magic=cursor.is_line_magic)
        return suggestions.sql(cursor.sql, cursor.in_sql, surroundings)

    def _surroundings(self) -> Surroundings:
        from md_magic.catalog.snapshot import Snapshot
        from md_magic.completion.suggestions import Surroundings
        from md_magic.engine import variables as python

        values = {
            name: value
            for name, value in list(self._shell.user_ns.items())
            if not name.startswith("_") and name not in self._shell.user_ns_hidden
        }
        return Surroundings(
            names=self._names() or Snapshot(),
            frames=_Frames({name: values[name] for name in python.names(values)}),
            values=tuple(name for name, value in values.items() if python.is_bindable(value)),
            engines=tuple(name for name, value in values.items() if _is_engine(value)),
            dicts=tuple(name for name, value in values.items() if isinstance(value, dict)),
            targets=tuple(self._targets()),
            saved=tuple(self._saved()),
            running=tuple(self._running()),
        )

    # ---- Shift-Tab --------------------------------------------------------------------------------------------------

    def _inspect(self, oname: str, detail_level: int = 0, omit_sections: Sequence[str] = ()) -> Any:  # noqa: ANN401 - IPython's bundle
        """Answer inspect requests in our cells; pass all others on to IPython."""
        content = self._request() if self._wrapped is not None else {}
        code, offset = content.get("code", ""), content.get("cursor_pos", 0)
        cursor = _cursor(code, offset, self._magic_names()) if content else None
        if cursor is None:
            more = {"omit_sections": omit_sections} if omit_sections else {}  # IPython 7 has none
            return self._before(oname, detail_level=detail_level, **more)
        note = self._note(cursor)
        if note is None:
            raise KeyError(oname)  # the kernel answers that nothing was found: Python's docs are not about SQL
        return {"text/plain": note.text, "text/html": note.html}

    def _request(self) -> Mapping[str, Any]:
        """Return the content of the current inspect request; empty in a terminal."""
        content = host.request(self._shell).get("content", {})
        return content if "cursor_pos" in content and "detail_level" in content else {}

    def _note(self, cursor: _Cursor) -> Note | None:
        from md_magic.completion import inspection  # not loaded before the first Shift-Tab

        surroundings = self._surroundings()
        if cursor.in_line >= 0 and cursor.in_sql < 0:
            return inspection.line(cursor.line, cursor.in_line, surroundings)
        return inspection.sql(cursor.sql, cursor.in_sql, surroundings, self._described, self._columns)

    def _described(self, name: str) -> str | None:
        """Return the type and a short text of the Python variable *name*."""
        if name not in self._shell.user_ns:
            return None
        value = self._shell.user_ns[name]
        text = _brief(value)
        return f"{type(value).__name__}: {'***' if is_secret_name(name) or tokens_in(text) else text}"


class _Frames(Mapping[str, "Sequence[Column]"]):
    """The columns of Python tables, by name. Lazy: a table is read only when its columns are needed."""

    def __init__(self, tables: Mapping[str, object]) -> None:
        self._tables = tables

    def __getitem__(self, name: str) -> Sequence[Column]:
        from md_magic.catalog.snapshot import Column
        from md_magic.engine import variables as python

        try:
            return [Column(column, kind) for column, kind in python.columns(self._tables[name])]
        except KeyError:
            raise
        except Exception:
            logger.debug("the columns of %s cannot be read", name, exc_info=True)
            return []

    def __iter__(self) -> Iterator[str]:
        return iter(self._tables)

    def __len__(self) -> int:
        return len(self._tables)


def _cursor(text: str, offset: int, names: tuple[str, ...]) -> _Cursor | None:
    """Return the cursor at *offset* in a cell's *text*, if it is in our magic, which has these *names*."""
    cell = magic.cell_magic(names).match(text)
    return _in_line_magic(text, offset, names) if cell is None else _in_cell_magic(text, offset, cell.end())


def _in_cell_magic(text: str, offset: int, name_end: int) -> _Cursor | None:
    if offset < name_end or (offset == name_end and not text[offset : offset + 1].isspace()):
        return None
    line, _, body = text[name_end:].partition("\n")
    in_line = offset - name_end
    start = _sql_start(line)
    above = "" if start is None else line[start:] + "\n"
    if in_line > len(line):
        in_sql, in_line = in_line - len(line) - 1 + len(above), -1
    else:
        in_sql = -1 if start is None or in_line < start else in_line - start
    return _Cursor(line.rstrip("\r"), in_line, above + body, in_sql, is_line_magic=False)


def _in_line_magic(text: str, offset: int, names: tuple[str, ...]) -> _Cursor | None:
    begin = text.rfind("\n", 0, offset) + 1
    whole_line = text[begin:].partition("\n")[0]
    name = magic.line_magic(names).match(whole_line)
    if name is None or offset - begin <= name.end() - (whole_line[name.end() :][:1] == ""):
        return None
    line, in_line = whole_line[name.end() :], offset - begin - name.end()
    start = _sql_start(line)
    sql = "" if start is None else line[start:]
    in_sql = -1 if start is None or in_line < start else in_line - start
    return _Cursor(line, in_line, sql, in_sql, is_line_magic=True)


def _sql_start(line: str) -> int | None:
    """Return the offset in *line* at which SQL begins, if there is SQL."""
    from md_magic.completion import line_options  # not loaded before the first Tab

    return line_options.context_at_end(line + " ").sql


def _is_engine(value: object) -> bool:
    """Whether *value* is a SQLAlchemy engine or a DuckDB connection; imports neither package."""
    sqlalchemy, duckdb = sys.modules.get("sqlalchemy"), sys.modules.get("duckdb")
    kinds = (getattr(sqlalchemy, "Engine", None), getattr(duckdb, "DuckDBPyConnection", None))
    return any(kind is not None and isinstance(value, kind) for kind in kinds)


def _brief(value: object) -> str:
    """Return *value* as a short text, reading only the beginning of a long list."""
    import reprlib

    writer = reprlib.Repr()
    writer.maxstring = writer.maxother = _LONGEST_VALUE
    writer.maxlist = writer.maxtuple = writer.maxset = writer.maxdict = 8
    try:
        return shortened(" ".join(writer.repr(value).split()), _LONGEST_VALUE)
    except Exception as error:  # noqa: BLE001 - a `__repr__` of anybody's
        return f"(its text cannot be made: {type(error).__name__})"
