"""The interface of a syntax."""

from __future__ import annotations

import re
import struct
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from md_magic.errors import FrameError
from md_magic.sql import keywords, quoting
from md_magic.sql.statement import without_parentheses

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from decimal import Decimal

    from md_magic.sql.inline import InsertionPoint
    from md_magic.sql.quoting import Quoting
    from md_magic.sql.statement import Parameter, Statement
    from md_magic.sql.tokens import Token

    Parse = Callable[[str], Any]
    """A connection's own parser: it raises the driver's error for a text that it does not accept."""


_TEXT_KINDS = {
    "bigquery": "STRING",
    "databricks": "STRING",
    "hive": "STRING",
    "mariadb": "CHAR",
    "mssql": "VARCHAR(MAX)",
    "mysql": "CHAR",
    "oracle": "VARCHAR2(4000)",
    "spark": "STRING",
}
"""What a value is cast to where VARCHAR is no text of any length."""


_ALIKE = re.compile(r"(U?(TINY|SMALL|BIG|HUGE)?INT|U?INTEGER|BIGNUM|DECIMAL\(\d+,\d+\)|VARCHAR|UUID|DATE|\"NULL\")")
"""DuckDB's types of which every database writes the values alike."""

_OTHER_TYPE = "the database has values of another type there"
_OTHER_TEXT = "the database writes its values otherwise"
_NO_BYTES = "it is not known how the database writes bytes"
_SINGLE = "its numbers have 32 bits, and the database compares this one otherwise"

_BYTE = re.compile(r"\\x([0-9A-Fa-f]{2})|(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class KeptColumn:
    """A column of a result that DuckDB keeps, as a name in the SQL of the database that gave it."""

    name: str
    quoted: str
    kind: str
    """DuckDB's type."""

    converted: bool = False
    """Whether the database itself has values of another type, from which these were made."""

    def has_no_sql(self, why: str) -> FrameError:
        """Return the error that says that no statement gives what is seen."""
        message = (
            f"{self.name}: {why}, so that no statement surely gives what is seen. g.frame(), g.arrow() and g.reader()"
            " give it."
        )
        return FrameError(message)


def _bytes_of(text: str) -> bytes:
    """Return the bytes that DuckDB writes as *text*."""
    return b"".join(bytes.fromhex(part[1]) if part[1] else part[2].encode() for part in _BYTE.finditer(text))


def _is_single(value: float | Decimal) -> bool:
    """Whether *value* is a number of 32 bits, as which DuckDB compares it."""
    try:
        return bool(struct.unpack("f", struct.pack("f", value))[0] == value)
    except OverflowError:
        return False


class Syntax(ABC):
    """How the SQL of one dialect is read and written as text."""

    dialect: str
    """SQLAlchemy's name of it."""

    names_are_sure: ClassVar[bool] = False
    """Whether a result's names are those of the query's columns. A driver's were made unique, and some are no names."""

    @property
    def quoting(self) -> Quoting:
        """How names and values are quoted."""
        return quoting.of(self.dialect)

    @property
    def reserved(self) -> frozenset[str]:
        """The words, in lower case, that are no bare name."""
        return keywords.reserved(self.dialect)

    @property
    def main_schema(self) -> str:
        """The schema that every database has, and its tables by default; empty where none is so."""
        return {"duckdb": "main", "sqlite": "main", "postgresql": "public"}.get(self.dialect, "")

    # ---- values as text ---------------------------------------------------------------------------------------------

    def with_literals(self, statement: Statement, values: Mapping[str, object]) -> str:
        """Return the text of *statement* with *values* written into it, for what can only be asked without parameters.

        *values* are those to bind. Raises `ValueError` for one that has no literal of its type.
        """
        text = statement.text
        for parameter in reversed(statement.parameters):
            end = parameter.start + 1 + len(parameter.name)
            if parameter.name in values:
                value = values[parameter.name]
                if isinstance(value, list):
                    text = without_parentheses(text, parameter.start)
                before = text[: parameter.start]
                glue = " " if before[-1:].isalnum() else ""
                text = before + glue + self._in_place(value, parameter) + text[end:]
        return text

    def _in_place(self, value: object, parameter: Parameter) -> str:
        if not (isinstance(value, list) and parameter.expands):
            return self.bound_literal(value)
        if not value:
            message = "An empty list has no literal."
            raise ValueError(message)
        items = ", ".join(map(self.bound_literal, value))
        return items if parameter.expands == "item" else f"({items})"

    def bound_literal(self, value: Any) -> str:  # noqa: ANN401 - what a parameter is bound to
        """Return *value* as SQL, of the type that it has as a parameter. Raises `ValueError` where it has none."""
        if isinstance(value, (bytes, bytearray, memoryview)):
            return self.bytes_literal(bytes(value))
        if isinstance(value, list):
            message = "A list has no literal."
            raise ValueError(message)  # noqa: TRY004 - as a value, not a wrong call
        return self.quoting.literal(value)

    def bytes_literal(self, value: bytes) -> str:  # noqa: ARG002 - of those that have one
        """Return *value* as SQL. Raises `ValueError` where the dialect's way is not known."""
        message = "Bytes have no literal that is known."
        raise ValueError(message)

    # ---- what a grid does with a column ------------------------------------------------------------------------------

    @property
    def as_before(self) -> tuple[str, ...]:
        """What ends an ORDER BY so that equal rows stay as they were; empty where nothing says so."""
        return ()

    def operand(self, column: KeptColumn) -> str:
        """Return *column* so that it is sorted and compared as DuckDB does the values that it has of it.

        Raises `FrameError` where no expression is.
        """
        if column.converted:
            raise column.has_no_sql(_OTHER_TYPE)
        return column.quoted

    def text(self, column: KeptColumn) -> str:
        """Return the text of the values of *column* as DuckDB writes it. Raises `FrameError` where no expression is."""
        if column.converted or not _ALIKE.fullmatch(column.kind):
            raise column.has_no_sql(_OTHER_TEXT)
        return f"CAST({column.quoted} AS {_TEXT_KINDS.get(self.dialect, 'VARCHAR')})"

    def ordered(self, column: KeptColumn, *, down: bool) -> str:
        """Return the part of an ORDER BY that sorts by *column*, with NULLs last. Raises `FrameError`."""
        is_null = f"CASE WHEN {column.quoted} IS NULL THEN 1 ELSE 0 END"
        return f"{is_null}, {self.operand(column)}{' DESC' if down else ''}"

    def contains(self, column: KeptColumn, text: str) -> str:
        """Return the condition that *column* contains *text* in any case. Raises `FrameError`."""
        return f"lower({self.text(column)}) LIKE {self._pattern(text)}"

    def _pattern(self, text: str, collation: str = "") -> str:
        """Return what follows the LIKE of values in lower case that contain *text*."""
        escaped = re.sub(r"[!%_]", r"!\g<0>", text.lower())
        return " ".join(filter(None, [self.quoting.literal(f"%{escaped}%"), collation, "ESCAPE '!'"]))

    def compared(self, column: KeptColumn, sign: str, value: str | float | Decimal, kind: str) -> str:
        """Return the condition that *column* is more, less or equal (*sign*) than *value*. Raises `FrameError`.

        A text is compared as DuckDB's type *kind*.
        """
        return f"{self.operand(column)} {sign} {self.comparand(column, value, kind)}"

    def comparand(self, column: KeptColumn, value: str | float | Decimal, kind: str) -> str:
        """Return what *column* is compared with. Raises `FrameError` where nothing has its type."""
        if kind == "BLOB" and isinstance(value, str):
            try:
                return self.bytes_literal(_bytes_of(value))
            except ValueError as error:
                raise column.has_no_sql(_NO_BYTES) from error
        if column.kind == "FLOAT" and not isinstance(value, str) and not _is_single(value):
            raise column.has_no_sql(_SINGLE)
        return self.quoting.literal(value)

    @abstractmethod
    def split(self, sql: str, parse: Parse | None = None) -> list[Statement]:
        """Split *sql* into statements and find their parameters; *parse* is the connection's parser, if it has one."""

    @abstractmethod
    def is_finished(self, sql: str) -> bool:
        """Whether *sql* ends where a statement ends, with its `;`: what is typed below it belongs to another."""

    @abstractmethod
    def tokens(self, text: str) -> list[Token]:
        """Return the tokens of *text*, without comments."""

    @abstractmethod
    def without_semicolon(self, text: str) -> str:
        """Return *text*, one statement, without a semicolon at its end and what stands after it."""

    @abstractmethod
    def is_query(self, text: str, parse: Parse | None = None) -> bool:
        """Whether *text*, one statement, is a query that can stand in another."""

    @abstractmethod
    def tables(self, query: str, candidates: Sequence[str]) -> list[str]:
        """Return those *candidates*, in lower case, that a query reads as unqualified tables, but for its own CTEs."""

    @abstractmethod
    def tables_read(self, statement: Statement, candidates: Sequence[str]) -> list[str]:
        """Return those *candidates* that any *statement* reads; the table that it changes is not read."""

    def tables_named(self, statement: Statement, candidates: Sequence[str]) -> list[str]:
        """Return those *candidates* that *statement* reads, or changes, as far as is known."""
        return self.tables_read(statement, candidates)

    @abstractmethod
    def insertion_points(self, text: str) -> list[InsertionPoint]:
        """Return where CTEs can be put into a statement, the likeliest place first."""

    @abstractmethod
    def check(self, text: str, parse: Parse | None = None) -> None:
        """Raise `StatementError` for a statement with CTEs put into it that is no SQL, as far as the text tells."""
