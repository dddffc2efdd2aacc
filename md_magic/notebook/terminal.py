"""A cell that is typed in a terminal: when Enter runs it, and its colours.

Every terminal asks `check_complete` at each Enter: IPython's own, and through the kernel Jupyter console, qtconsole,
Spyder and the code console of JupyterLab.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from md_magic import options
from md_magic.errors import MdMagicError, OptionError
from md_magic.notebook import names

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell
    from prompt_toolkit.document import Document
    from prompt_toolkit.formatted_text import StyleAndTextTuples

    from md_magic.options import Request


class Terminal:
    """Hooks for typing into one shell. Those for colours are where it has a terminal of its own."""

    def __init__(
        self,
        shell: InteractiveShell,
        magic_names: Callable[[], tuple[str, ...]],
        dialect: Callable[[Request], str],
    ) -> None:
        """Make the hooks of *shell*, whose magic has the names that *magic_names* returns; `install` adds them.

        *dialect* returns that of the target that a cell would run on.
        """
        self._shell = shell
        self._names = magic_names
        self._dialect = dialect
        self._asks_without_line_feed = False
        self._lexer = _Lexer(magic_names, lambda: self._lexers)
        self._before: Callable[[str], tuple[str, int | None]] = shell.input_transformer_manager.check_complete
        self._had_own = False
        self._is_installed = False

    def install(self) -> None:
        """Add the hooks to the shell."""
        self._shell.input_transformers_cleanup.append(self.add_blank_line)
        manager = self._shell.input_transformer_manager
        self._had_own = "check_complete" in vars(manager)
        self._before = manager.check_complete
        manager.check_complete = self._check  # IPython has no other hook
        self._is_installed = True
        if self._prompt is not None:
            self._prompt.app.before_render.add_handler(self._add_lexers)
            self._add_lexers()

    def remove(self) -> None:
        """Leave the shell as it was found."""
        self._shell.input_transformers_cleanup.remove(self.add_blank_line)
        manager = self._shell.input_transformer_manager
        self._is_installed = False
        if vars(manager).get("check_complete") == self._check:
            if self._had_own:
                manager.check_complete = self._before
            else:
                del manager.check_complete
        if self._prompt is not None:
            self._prompt.app.before_render.remove_handler(self._add_lexers)
            self._remove_lexers()

    # ---- Enter ------------------------------------------------------------------------------------------------------

    def add_blank_line(self, lines: list[str]) -> list[str]:
        """Give a `%%mdsql` that has no body, such as `%%mdsql --file q.sql`, a blank line: IPython refuses none."""
        is_alone = len(lines) == 1 and names.cell_magic(self._names()).match(lines[0])
        return [*lines, "\n"] if is_alone else lines

    add_blank_line.has_side_effects = True  # type: ignore[attr-defined] # IPython's mark: not for `check_complete`

    def _check(self, text: str) -> tuple[str, int | None]:
        """Answer `check_complete` for our cells; pass every other one on to IPython."""
        self._asks_without_line_feed |= not text.endswith("\n")
        magic = names.cell_magic(self._names()).match(text)
        if magic is not None and self._is_installed and self._is_whole(*text[magic.end() :].partition("\n")[::2]):
            return "complete", None
        return self._before(text)

    def _is_whole(self, line: str, body: str) -> bool:
        """Return whether Enter runs the cell: after a statement that `;` ends, on a blank line, or without a body.

        JupyterLab's code console adds a line feed to what it asks about, and so a blank line cannot be told from none
        there; IPython then waits for a second one.
        """
        if not body.strip():
            return _has_file(line)
        if self._asks_without_line_feed and not body.rpartition("\n")[2].strip():
            return True
        return self._is_finished(line, body)

    def _is_finished(self, line: str, body: str) -> bool:
        """Return whether the SQL of *line* and *body* ends with the end of a statement, as its database reads it."""
        if ";" not in body:
            return False
        from md_magic.sql import syntax  # not loaded before the first `;`

        sql, dialect = body, "duckdb"
        with contextlib.suppress(MdMagicError):  # of an option or a target: the cell's error, when it runs
            request = options.parse(line, body)
            sql = request.sql
            dialect = self._dialect(request)
        return syntax.of(dialect).is_finished(sql)

    # ---- colours ----------------------------------------------------------------------------------------------------

    @property
    def _prompt(self) -> Any:  # noqa: ANN401 - prompt_toolkit's session, which only a terminal's shell has
        return getattr(self._shell, "pt_app", None)

    @property
    def _lexers(self) -> Any:  # noqa: ANN401 - IPython's, which is untyped
        """The lexer of the prompt, which has one for each cell magic."""
        return getattr(self._prompt, "lexer", None)

    def _add_lexers(self, _sender: object = None) -> None:
        """Colour our cells. IPython makes a new lexer for each prompt, so this is called before each is drawn."""
        by_name = getattr(self._lexers, "magic_lexers", {})
        for name in self._names():
            by_name.setdefault(name, self._lexer)

    def _remove_lexers(self) -> None:
        by_name = getattr(self._lexers, "magic_lexers", {})
        for name in [name for name, lexer in by_name.items() if lexer is self._lexer]:
            del by_name[name]


def _has_file(line: str) -> bool:
    """Return whether *line* says where its SQL is, so that it can stand alone."""
    try:
        return options.parse(line).file is not None
    except OptionError:
        return False


class _Lexer:
    """Colours a cell as SQL, but for the magic's line: an apostrophe there must not begin a string."""

    def __init__(self, magic_names: Callable[[], tuple[str, ...]], lexers: Callable[[], Any]) -> None:
        self._names = magic_names
        self._lexers = lexers
        self._sql: Any = None

    def lex_document(self, document: Document) -> Callable[[int], StyleAndTextTuples]:
        """Return a function that gives the coloured parts of a line."""
        magic = names.cell_magic(self._names()).match(document.text)
        if magic is None:  # `%%mdsqlx`: IPython looks at the beginning of the name
            coloured_otherwise: Callable[[int], StyleAndTextTuples] = self._other(document)
            return coloured_otherwise
        from prompt_toolkit.document import Document as Text  # only terminals have prompt_toolkit

        head = document.text.count("\n", 0, magic.end())
        sql = self._sql_lexer().lex_document(Text("\n".join(document.lines[head + 1 :])))

        def parts(number: int) -> StyleAndTextTuples:
            if number > head:
                coloured: StyleAndTextTuples = sql(number - head - 1)
                return coloured
            if number < head:
                return [("", document.lines[number])]
            name, rest = magic[0].rpartition("\n")[2], document.lines[head]
            return [("class:pygments.keyword", name), ("", rest[len(name) :])]

        return parts

    def _sql_lexer(self) -> Any:  # noqa: ANN401 - see above
        if self._sql is None:
            from prompt_toolkit.lexers import PygmentsLexer  # see above
            from pygments.lexers.sql import SqlLexer  # 20 ms, and only a cell that is typed needs it

            self._sql = PygmentsLexer(SqlLexer)
        return self._sql

    def _other(self, document: Document) -> Any:  # noqa: ANN401 - see above
        """Have *document* coloured by the lexer that it would have without ours."""
        lexers, text = self._lexers(), document.text.lstrip()
        others = [
            lexer for name, lexer in lexers.magic_lexers.items() if lexer is not self and text.startswith(f"%%{name}")
        ]
        return (others or [lexers.python_lexer])[0].lex_document(document)
