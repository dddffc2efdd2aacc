"""Writing to MySQL and MariaDB by inserts of many rows. Their DDL commits: a new table is filled aside and renamed."""

from __future__ import annotations

import contextlib
import itertools
import logging
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from md_magic.engine.backends.mysql import literals
from md_magic.engine.backends.mysql.inserts import Inserts
from md_magic.engine.backends.writing.writer import Writer, ahead
from md_magic.errors import StatementError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from md_magic.engine.backends.writing.source import Source
    from md_magic.sql.statement import How

logger = logging.getLogger(__name__)

_NO_SUCH_TABLE = 1146
_IN_TRANSACTION, _NO_BACKSLASH_ESCAPES = 1, 512
"""Bits of the server's status."""

_MANY = 500
"""Rows of the first batch for which an INSERT is prepared."""

_TRANSACTIONAL = frozenset({"innodb", "rocksdb", "ndbcluster", "tokudb", "spider"})
_ENGINE = re.compile(r"\n\) ENGINE=(\w+)")
_MODE = "SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO')"
"""Values that do not fit are errors, and 0 is 0 in a column that counts by itself."""

_VALUES = (
    (re.compile(r"Duplicate entry '[\s\S]*' for key"), "Duplicate entry for key"),
    (re.compile(r"( value): '[\s\S]*' for column"), r"\1 for column"),
    (re.compile(r"( value): '[\s\S]*'"), r"\1"),
)


@dataclass(frozen=True, slots=True)
class _Existing:
    """The table that has the name."""

    is_view: bool
    is_temporary: bool
    engine: str


class MySQLWriter(Writer):
    """Writes with PyMySQL or mysqlclient."""

    def _write(self, table: Sequence[str], source: Source, how: How) -> None:
        try:
            with self._exact():
                self._put(table, source, how)
        except Exception as error:
            if type(error).__module__.startswith(("pymysql", "MySQLdb")) and not self._backend.is_closed:
                raise StatementError(_without_data(error)) from None
            raise

    def _put(self, table: Sequence[str], source: Source, how: How) -> None:
        existing = self._existing(table)
        if how == "append":
            self._append(table, source, existing)
        elif existing and how == "create":
            raise self._exists(table)
        elif existing and existing.is_view:
            message = f"{table[-1]} is a view, which a table cannot take the place of. DROP VIEW it first."
            raise StatementError(message)
        elif existing and existing.is_temporary:
            self._replace_temporary(table, source)
        elif self._is_in_transaction:
            message = (
                f"A transaction is open, and the server would commit it when {table[-1]} is made. COMMIT or ROLLBACK it"
                " first, or write --append to add rows to a table that is there. Nothing was written."
            )
            raise StatementError(message)
        else:
            self._make(table, source, is_new=existing is None)

    def _append(self, table: Sequence[str], source: Source, existing: _Existing | None) -> None:
        if existing and existing.engine not in _TRANSACTIONAL and not existing.is_view:
            message = (
                f"{table[-1]} is kept by {existing.engine}, which has no transactions: rows that were added before an"
                f" error would stay. Run ALTER TABLE {table[-1]} ENGINE = InnoDB first. Nothing was written."
            )
            raise StatementError(message)
        name = self._identifier(*table)
        in_zone = {
            str(row[0]).lower() for row in self._run(f"SHOW COLUMNS FROM {name}") if "timestamp" in _text(row[1])
        }
        with self._transaction(is_open=self._is_in_transaction):
            self._insert(name, source, in_zone)

    def _make(self, table: Sequence[str], source: Source, *, is_new: bool) -> None:
        """Fill a table aside, and give it the name in one step, which takes the name from the one that has it."""
        name, aside, old = self._identifier(*table), self._aside(table), self._aside(table)
        try:
            self._run(self._create(aside, source))
            with self._transaction(is_open=False):
                self._insert(aside, source)
            self._restart()
            if is_new:
                self._run(f"RENAME TABLE {aside} TO {name}")
            else:
                self._run(f"RENAME TABLE {name} TO {old}, {aside} TO {name}")
                self._drop_or_restore(name, aside, old)
        except BaseException:
            self._drop(aside)
            raise
        self._done()

    def _drop_or_restore(self, name: str, aside: str, old: str) -> None:
        try:
            self._run(f"DROP TABLE {old}")
        except BaseException:  # a foreign key refers to it
            self._undo(f"RENAME TABLE {name} TO {aside}, {old} TO {name}")
            raise

    def _replace_temporary(self, table: Sequence[str], source: Source) -> None:
        """Replace a temporary table by one, which commits nothing."""
        name, aside = self._identifier(*table), self._aside(table)
        try:
            self._run(self._create(aside, source, "TEMPORARY "))
            self._insert(aside, source)
            self._check()
            self._run(f"DROP TEMPORARY TABLE {name}")
            self._run(f"ALTER TABLE {aside} RENAME TO {name}")
        except BaseException:
            self._undo(f"DROP TEMPORARY TABLE IF EXISTS {aside}")
            raise
        self._done()

    def _drop(self, aside: str) -> None:
        self._undo(f"DROP TABLE IF EXISTS {aside}")
        if self._backend.is_closed or not getattr(self._driver, "open", True):
            with contextlib.suppress(Exception), self._backend.engine.connect() as connection:
                connection.exec_driver_sql(f"DROP TABLE IF EXISTS {aside}".replace("%", "%%"))

    def _restart(self) -> None:
        """Let the cell be stopped again: what is filled is not the table yet."""
        if self._execution is not None:
            self._execution.resume()
        self._check()

    # ---- rows -------------------------------------------------------------------------------------------------------

    def _insert(self, name: str, source: Source, in_zone: Collection[str] = ()) -> None:
        """Insert the rows of *source*; the table's columns *in_zone* have the session's time zone, as a TIMESTAMP."""
        fields = source.fields
        columns = ", ".join(self._identifier(field.name) for field in fields)
        [[largest]] = self._run("SELECT @@max_allowed_packet")
        inserts = Inserts(
            f"INSERT INTO {name} ({columns}) VALUES",
            fields,
            [field.name.lower() in in_zone and bool(getattr(field.type, "tz", None)) for field in fields],
            largest=int(largest),
            backslash=not self._has_status(_NO_BACKSLASH_ESCAPES),
            run=self._run,
        )
        batches = source.batches()
        first = list(itertools.islice(batches, 1))
        if first and len(first[0][0]) >= _MANY:
            inserts.prepare(self._driver)
        following = ((len(batch[0]), inserts.of(batch)) for batch in itertools.chain(first, batches))
        try:
            for count, steps in ahead(following):
                for step in steps:
                    self._check()
                    step()
                self._count(count)
        finally:
            with contextlib.suppress(Exception):  # the connection may be gone
                inserts.close()

    def _create(self, name: str, source: Source, temporary: str = "") -> str:
        columns = ", ".join(f"{self._identifier(field.name)} {literals.type_name(field)}" for field in source.fields)
        return f"CREATE {temporary}TABLE {name} ({columns}) CHARACTER SET utf8mb4"

    # ---- the session ------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _exact(self) -> Iterator[None]:
        """Within the block, a value that does not fit is an error and not changed."""
        [[mode]] = self._run("SELECT @@sql_mode")
        self._run(_MODE)
        try:
            yield
        finally:
            self._undo(f"SET SESSION sql_mode = '{_text(mode)}'")

    @property
    def _is_in_transaction(self) -> bool:
        return self._has_status(_IN_TRANSACTION)

    def _has_status(self, bit: int) -> bool:
        return bool(getattr(self._driver, "server_status", 0) & bit)

    def _existing(self, table: Sequence[str]) -> _Existing | None:
        try:
            [row] = self._run(f"SHOW CREATE TABLE {self._identifier(*table)}")
        except Exception as error:
            if error.args and error.args[0] == _NO_SUCH_TABLE:
                return None
            raise
        text = _text(row[1])
        engine = _ENGINE.search(text)
        is_table = text.startswith(("CREATE TABLE", "CREATE TEMPORARY TABLE"))
        return _Existing(not is_table, text.startswith("CREATE TEMPORARY"), engine[1].lower() if engine else "")

    def _aside(self, table: Sequence[str]) -> str:
        """Return a name that no table has, in the schema of *table*."""
        return self._identifier(*table[:-1], f"md_magic_{secrets.token_hex(8)}")


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _without_data(error: Exception) -> str:
    """Return what the server says, without the values that it repeats."""
    words = str(error.args[1]) if len(error.args) > 1 else str(error)
    for pattern, plain in _VALUES:
        words = pattern.sub(plain, words)
    return words
