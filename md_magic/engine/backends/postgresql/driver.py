"""What psycopg 3 and psycopg2 do differently, on the connection that SQLAlchemy opened with one of them."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, Any, Protocol
from zoneinfo import ZoneInfo

from md_magic.engine.backends.postgresql import types

if TYPE_CHECKING:
    from collections.abc import Callable

    from md_magic.engine.results.typed import ColumnType

    MakeColumn = Callable[[str, int, int | None, int | None], ColumnType]

_IDLE, _IN_TRANSACTION, _IN_ERROR = 0, 2, 3
"""libpq's states of a transaction; 1 is a running statement, and 4 a connection that is gone."""


class Driver(Protocol):
    """A PostgreSQL connection as its driver shows it."""

    def transaction(self) -> bool | None:
        """Return whether a transaction is open; `None` where the connection is gone."""

    def has_failed(self) -> bool:
        """Whether the open transaction has failed and waits for its end."""

    def is_gone(self) -> bool:
        """Whether the connection is closed, or its server has closed it."""

    def has_news(self) -> bool:
        """Whether something has arrived that nobody asked for: a notification, or the end of the connection."""

    def cancel(self) -> None:
        """Ask the server to stop the running statement."""

    def setting(self, name: str) -> str:
        """Return what the server has reported of *name*."""

    def hand_over_texts(self, cursor: Any) -> None:  # noqa: ANN401 - the driver's cursor
        """Let *cursor* hand over the types in `types.TEXTS`, and all that are unknown, as text."""

    def columns(self, cursor: Any) -> list[ColumnType]:  # noqa: ANN401 - the driver's cursor
        """Return the columns of *cursor*'s result."""

    def column_maker(self) -> MakeColumn:
        """Return what makes a column of a name, an OID, a precision and a scale, as the session writes values."""

    def conninfo(self) -> str:
        """Return how to connect to the same database as the same user, with the password."""

    def on_notice(self, show: Callable[[str], None]) -> None:
        """Call *show* with each notice of the server."""


def of(connection: Any) -> Driver | None:  # noqa: ANN401 - any driver's connection
    """Return what speaks to *connection*; `None` for a driver that is neither of the two."""
    package = type(connection).__module__.partition(".")[0]
    kinds: dict[str, type[Psycopg | Psycopg2]] = {"psycopg": Psycopg, "psycopg2": Psycopg2}
    return kinds[package](connection) if package in kinds else None


class _Both:
    """What the two have in common."""

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - see `of`
        self._connection = connection

    def transaction(self) -> bool | None:
        status = self._status()
        return status in {1, _IN_TRANSACTION, _IN_ERROR} if status in {0, 1, 2, 3} else None

    def has_failed(self) -> bool:
        return self._status() == _IN_ERROR

    def _status(self) -> int:
        return int(self._connection.info.transaction_status)

    def is_gone(self) -> bool:
        return bool(self._connection.closed)

    def has_news(self) -> bool:
        try:
            poll = select.poll() if hasattr(select, "poll") else None
            if poll is None:
                return bool(select.select([self._connection.fileno()], [], [], 0)[0])
            poll.register(self._connection.fileno(), select.POLLIN)
            return bool(poll.poll(0))
        except Exception:  # noqa: BLE001 - a closed connection has no file
            return True

    def setting(self, name: str) -> str:
        return str(self._connection.info.parameter_status(name) or "")

    def columns(self, cursor: Any) -> list[ColumnType]:  # noqa: ANN401 - see Driver
        make = self.column_maker()
        return [make(column.name, column.type_code, column.precision, column.scale) for column in cursor.description]

    def column_maker(self) -> MakeColumn:
        zone, iso = _zone(self.setting("TimeZone")), self.setting("DateStyle").startswith("ISO")
        written = self.setting("IntervalStyle") in {"", "postgres"}

        def make(name: str, oid: int, precision: int | None, scale: int | None) -> ColumnType:
            oid = 0 if oid == types.INTERVAL and not written else oid
            return types.column(name, oid, precision, scale, zone=zone, iso=iso)

        return make


class Psycopg(_Both):
    """psycopg 3."""

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - see `of`
        super().__init__(connection)
        connection.prepare_threshold = None  # a prepared FETCH, or a table that has changed since, would be an error

    def cancel(self) -> None:
        """Ask the server to stop the running statement."""
        self._connection.cancel()

    def conninfo(self) -> str:
        """Return how to connect."""
        from psycopg.conninfo import make_conninfo  # it is loaded

        info = self._connection.info
        return make_conninfo(**info.get_parameters(), password=info.password)

    def hand_over_texts(self, cursor: Any) -> None:  # noqa: ANN401 - see Driver
        """Let *cursor* hand over as text what is read so."""
        adapters = cursor.adapters
        loader = adapters.get_loader(25, 0)
        for oid in types.TEXTS:
            adapters.register_loader(oid, loader)

    def on_notice(self, show: Callable[[str], None]) -> None:
        """Call *show* with each notice."""
        self._connection.add_notice_handler(
            lambda notice: show(f"{notice.severity}: {notice.message_primary}{_more(notice)}")
        )


class Psycopg2(_Both):
    """psycopg2, which knows neither JSON nor ranges by itself: SQLAlchemy teaches it."""

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - see `of`
        super().__init__(connection)
        from psycopg2 import extensions

        self._texts = extensions.new_type(tuple(types.TEXTS), "MD_MAGIC_TEXT", lambda value, _: value)
        self._bytes = extensions.new_type((17,), "MD_MAGIC_BYTES", _bytes)

    def cancel(self) -> None:
        """Ask the server to stop the running statement."""
        self._connection.cancel()

    def conninfo(self) -> str:
        """Return how to connect."""
        from psycopg2.extensions import make_dsn

        info = self._connection.info
        given = {name: value for name, value in info.dsn_parameters.items() if value}
        return str(make_dsn(**given, password=info.password))

    def hand_over_texts(self, cursor: Any) -> None:  # noqa: ANN401 - see Driver
        """Let *cursor* hand over as text what is read so."""
        from psycopg2 import extensions

        extensions.register_type(self._texts, cursor)
        extensions.register_type(self._bytes, cursor)

    def on_notice(self, show: Callable[[str], None]) -> None:
        """Call *show* with each notice."""
        self._connection.notices = _Notices(show)


class _Notices:
    """Takes psycopg2's notices as they come; SQLAlchemy would log those in a list, and empty it."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show

    def append(self, notice: str) -> None:
        """Show *notice*, without where it was raised."""
        self._show(" ".join(notice.partition("\n")[0].split()))


def _more(notice: Any) -> str:  # noqa: ANN401 - a Diagnostic of psycopg
    return f" ({notice.message_hint})" if notice.message_hint else ""


def _bytes(value: str | None, _cursor: object) -> bytes | None:
    if value is None:
        return None
    if value.startswith("\\x"):
        return bytes.fromhex(value[2:])
    octal = value.encode("latin-1").decode("unicode_escape")  # bytea_output = 'escape'
    return octal.encode("latin-1")


def _zone(name: str) -> str:
    """Return the zone that the session shows times in; UTC where its name is none that Python knows."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        return "UTC"
    return name or "UTC"
