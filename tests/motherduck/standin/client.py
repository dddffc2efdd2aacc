"""The driver's side of the stand-in: what `duckdb.connect("md:...")` does in a process, and the connection it gives.

Behind every account of a process there is one real DuckDB instance with the account's databases attached. A connection
is a cursor of it, wrapped so that MotherDuck's own statements, the loss of the service and the token's whereabouts are
as they are with the real driver. Not imitated: instances that differ by path, and what `saas_mode` and `attach_mode` do
(both are recorded).
"""

from __future__ import annotations

import contextlib
import functools
import importlib.abc
import importlib.machinery
import os
import re
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl

from tests.motherduck.standin import texts

IN_PATH = {
    "attach_mode",
    "cache_buster",
    "connection_timeout",
    "dbinstance_inactivity_ttl",
    "host",
    "port",
    "region_host",
    "saas_mode",
    "session_hint",
    "session_name",
    "tls",
    "user",
}
KNOWN_PARAMETERS = {*IN_PATH, "access_mode", "custom_user_agent", "motherduck_token"}
_PRINT_TOKEN = re.compile(r"\bPRAGMA\s+PRINT_MD_TOKEN\b", re.IGNORECASE)
KNOWN_CONFIG = {"motherduck_token", *(f"motherduck_{name}" for name in IN_PATH)}
_TEMP_TABLES = re.compile(r"""(?i)\bSET\s+"?motherduck_enable_server_side_temp_tables"?\s*=""")
_OPENS = re.compile(r"(?i)^\s*(LOAD\s+motherduck|ATTACH\s+'(?:md|motherduck):(?P<path>[^']*)')")


class Driver:
    """The stand-in's state in one process."""

    def __init__(self, real: Any, folder: Path) -> None:
        from tests.motherduck.standin.service import Service

        self.real = real
        self.service = Service(folder)
        self.lock = threading.Lock()
        self.instances: dict[str, Any] = {}
        self.opened: dict[str, dict[str, object]] = {}

    def connect(self, database: object = ":memory:", read_only: bool = False, config: dict | None = None) -> Any:
        if not isinstance(database, str) or not database.startswith(("md:", "motherduck:")):
            real = self.real(database, read_only=read_only, config=config or {})
            return LocalConnection(real, self) if self.service.mood.attaches else real
        return self.connect_to_service(database, dict(config or {}))

    def connect_to_service(self, path: str, config: dict[str, object]) -> Connection | Unopened:
        mood = self.service.mood
        name, _, query = path.partition(":")[2].partition("?")
        parameters = dict(parse_qsl(query, keep_blank_values=True))
        self.check_options(config, parameters)
        time.sleep(mood.connect_delay)
        if mood.hangs:
            _hang()
        if mood.outage:
            raise _error(texts.outage(mood.outage, mood.wrapper))
        if mood.down:
            raise self.refusal(texts.LOSSES["unavailable"])
        token = str(parameters.pop("motherduck_token", "") or config.get("motherduck_token", "") or _from_environment())
        self.record(name, parameters, config, token)
        if not token and mood.login_at == "statement":
            return Unopened(lambda: self.open(name, self.check_token(Login(self.service).run())))
        account = self.check_token(token or Login(self.service).run())
        self.check_same_configuration(path, config)
        return self.open(name, account)

    def check_options(self, config: dict[str, object], parameters: dict[str, str]) -> None:
        """Refuse what DuckDB refuses: it checks its own options itself, when an in-memory database gets them."""
        own = {key: value for key, value in config.items() if key not in {*KNOWN_CONFIG, "access_mode"}}
        self.real(":memory:", config=own).close()
        if unknown := sorted(parameters.keys() - KNOWN_PARAMETERS):
            raise _error(texts.UNKNOWN_OPTIONS.format(names=", ".join(unknown)))

    def record(self, name: str, parameters: dict[str, str], config: dict[str, object], token: str) -> None:
        from tests.motherduck.standin.service import digest

        shown = {key: str(value) for key, value in config.items() if key != "motherduck_token"}
        self.service.record("connect", database=name, parameters=parameters, config=shown, token=digest(token))

    def check_token(self, token: str) -> Any:
        if token.count(".") != 2:
            raise self.refusal(texts.MALFORMED)
        account = self.service.account_of(token)
        if account is None or account.revoked:
            raise self.refusal(texts.REFUSED)
        if account.expired:
            raise self.refusal(texts.EXPIRED)
        return account

    def refusal(self, cause: str) -> Exception:
        """Return what the extension raises in its initialisation, as it reaches Python."""
        return _error(texts.wrapped(cause, self.service.mood.wrapper))

    def check_same_configuration(self, path: str, config: dict[str, object]) -> None:
        if self.opened.setdefault(path, config) != config:
            raise _error(texts.SAME_FILE)

    def open(self, name: str, account: Any) -> Connection:
        if name and name not in account.databases:
            raise self.refusal(texts.NO_DATABASE.format(name=name))
        with self.lock:
            instance = self.instances.get(f"{account.email} {account.kind}") or self.make_instance(account)
            connection = Connection(instance.cursor(), self.service, account)
        connection.execute(f"USE {name or account.databases[0]}")
        connection.make_functions()
        return connection

    def make_instance(self, account: Any) -> Any:
        instance = self.instances[f"{account.email} {account.kind}"] = self.real(
            f":memory:standin{len(self.instances)}"
        )
        mode = "(READ_ONLY)" if account.kind == "read_scaling" else ""
        for name in account.databases:
            try:
                instance.execute(f"ATTACH '{self.service.database_file(account.email, name)}' AS {name} {mode}")
            except _duckdb().IOException:  # another process has the file
                instance.execute(f"ATTACH ':memory:' AS {name}")
        return instance


class Login:
    """The web login, as the driver of `service` performs it: it prints, waits, and prints again."""

    def __init__(self, service: Any) -> None:
        self.service = service
        self.mood = service.mood

    def run(self) -> str:
        time.sleep(self.mood.login_delay)
        code = self.service.start_login()
        self.service.record("login", code=code, argv=sys.argv, environ=sorted(os.environ))
        if self.mood.opens_browser:
            subprocess.Popen(["/bin/sleep", "4"])
        prompt = texts.PROMPTS[self.mood.prompt].format(page=texts.AUTH, code=code)
        for output in (self.flood, lambda: self.print(prompt))[:: -1 if self.mood.flood_after else 1]:
            output()
        if self.mood.dies:
            os._exit(3)
        return self.result(code)

    def flood(self) -> None:
        """Print what nobody asked for, such as a driver's progress."""
        block = b"Downloading the extension ... see https://duckdb.org\n" * 1000
        for _ in range(self.mood.flood // len(block)):
            os.write(self.mood.stream, block)

    def result(self, code: str) -> str:
        deadline = time.monotonic() + self.mood.login_seconds
        while (state := self.service.login(code))["state"] == "pending" and time.monotonic() < deadline:
            time.sleep(0.02)
        account = self.service.find_account(state["email"]) if state["state"] == "approved" else None
        if account is None:
            self.print(texts.DENIED if state["state"] == "denied" else "")
            raise _error(texts.wrapped(texts.NO_TOKEN, self.mood.wrapper))
        self.print(texts.SUCCESS["2023" if self.mood.prompt == "2023" else "1.2"].format(token=account.token))
        return str(account.token)

    def print(self, text: str) -> None:
        data = text.encode()
        size = self.mood.chunk or len(data) or 1
        for at in range(0, len(data), size):
            os.write(self.mood.stream, data[at : at + size])
            time.sleep(0.005 if self.mood.chunk else 0)


class Unopened:
    """A connection of a driver that starts its login at the first statement, whichever that is."""

    def __init__(self, open_it: Any) -> None:
        self._open_it = open_it
        self._connection: Connection | None = None

    def __getattr__(self, name: str) -> Any:
        if self._connection is None:
            self._connection = self._open_it()
        return getattr(self._connection, name)


class Connection:
    """A cursor of the real DuckDB instance, with MotherDuck's own statements, and with a service that can be lost."""

    def __init__(self, real: Any, service: Any, account: Any) -> None:
        self._real = real
        self._service = service
        self._account = account
        self._id = str(uuid.uuid4())
        self._interrupted = threading.Event()
        self._last_query: str | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    @property
    def __class__(self) -> type:
        return type(self._real)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def cursor(self) -> Connection:
        cursor = Connection(self._real.cursor(), self._service, self._account)
        cursor.make_functions()
        return cursor

    def duplicate(self) -> Connection:
        return self.cursor()

    def interrupt(self) -> None:
        self._interrupted.set()
        self._real.interrupt()

    def execute(self, query: Any, *arguments: Any, **options: Any) -> Connection:
        self._run(self._real.execute, query, arguments, options)
        return self

    def executemany(self, query: Any, *arguments: Any, **options: Any) -> Connection:
        self._run(self._real.executemany, query, arguments, options)
        return self

    def sql(self, query: Any, *arguments: Any, **options: Any) -> Any:
        return self._run(self._real.sql, query, arguments, options)

    def query(self, query: Any, *arguments: Any, **options: Any) -> Any:
        return self._run(self._real.query, query, arguments, options)

    def extract_statements(self, query: str) -> Any:
        return self._real.extract_statements(self._rewritten(_PRINT_TOKEN.sub("SELECT 1", query)))

    def make_functions(self) -> None:
        me = self._account
        for definition in (
            (
                f"md_user_info() AS TABLE SELECT 'user-1' AS user_id, '{me.email}' AS username, 'org-1' AS org_id,"
                " 'stand_in' AS org_name, 'business' AS org_type, 'aws-eu-central-1' AS region"
            ),
            f"md_access_tokens() AS TABLE {self._tokens()}",
            "md_list_shares() AS TABLE SELECT NULL::VARCHAR AS name, NULL::VARCHAR AS url WHERE false",
            f"md_all_databases() AS TABLE {self._all_databases()}",
            f"md_attached_databases() AS TABLE {self._attached_databases()}",
            (
                "md_active_server_connections() AS TABLE SELECT NULL::UUID AS client_connection_id,"
                " NULL::VARCHAR AS client_query WHERE false"
            ),
            f"md_current_client_connection_id() AS '{self._id}'::UUID",
            "md_interrupt_server_connection(connection) AS true",
            "md_version() AS 'stand-in'",
            "prompt_sql(question) AS TABLE SELECT 'SELECT 42 AS answer' AS query",
            f"prompt_fixup(query_text) AS TABLE SELECT {_literal(self._service.mood.fixup)} AS query",
            (
                "prompt_fix_line(query_text, error := NULL) AS TABLE"
                f" SELECT {self._service.mood.fix_line[0]} AS line_number,"
                f" {_literal(self._service.mood.fix_line[1])} AS line_content"
            ),
        ):
            if definition.partition("(")[0] not in self._service.mood.missing:
                self._real.execute(f"CREATE OR REPLACE TEMP MACRO {definition}")

    def _tokens(self) -> str:
        """Return the account's tokens: the one that is used, and one that another tool made."""
        created, expires = self._service.times_of(self._account)
        kind = {"read_write": "Read/Write", "read_scaling": "Read Scaling"}[self._account.kind]
        until = "NULL" if expires is None else f"to_timestamp({expires})"
        return (
            "SELECT token_name, token_type, to_timestamp(created) AS created_ts, expire_at FROM (VALUES"
            f" ('notebooks', '{kind}', {created}, {until}::TIMESTAMPTZ), ('dbt', 'Read/Write', 1600000000, NULL))"
            " t(token_name, token_type, created, expire_at)"
        )

    def _all_databases(self) -> str:
        rows = [f"('{name}', 'motherduck', true, 'md:{name}')" for name in self._account.databases]
        rows += [f"('{name}', 'motherduck', false, 'md:{name}')" for name in self._service.mood.detached]
        columns = "alias, type, is_attached, fully_qualified_name"
        return f"SELECT {columns} FROM (VALUES {', '.join(rows)}) t({columns})"

    def _attached_databases(self) -> str:
        broken = self._service.mood.broken
        names = dict.fromkeys([*self._account.databases, *broken])
        is_readonly = str(self._account.kind == "read_scaling").lower()
        rows = [
            f"('{name}', {str(name in broken).lower()}, {_literal(broken.get(name))}, {is_readonly}, false)"
            for name in names
        ]
        columns = "alias, is_error_catalog, error_message, is_readonly, is_ducklake"
        return f"SELECT {columns} FROM (VALUES {', '.join(rows)}) t({columns})"

    def _run(self, method: Any, query: Any, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        if self._service.mood.down:
            raise _error(texts.LOSSES[self._service.mood.loss])
        if query and self._service.is_revoked(self._account):  # an empty text never leaves the process
            raise _error(texts.REVOKED)
        self._interrupted.clear()
        sql = self._rewritten(query) if isinstance(query, str) else query
        if isinstance(sql, str) and _TEMP_TABLES.search(sql):
            self._service.record("set", sql=sql, parameters=[str(one) for one in arguments])
            sql, arguments = "SELECT 1", ()
        if isinstance(query, str):
            self._check_allowed(query)
        if isinstance(sql, str) and "md_interrupt_server_connection(" in sql:
            self._service.record("interrupt", by=self._id, sql=sql, parameters=[str(one) for one in arguments])
            if not (self._service.mood.lists_running and self._service.interrupt(f"{query} {arguments}")):
                sql = sql.replace("md_interrupt_server_connection(", "false AND md_interrupt_server_connection(")
        if isinstance(query, str) and "prompt_fix" in query:
            self._service.record("model", sql=query)
        call = functools.partial(method, sql, *arguments, **options)
        over, began = threading.Event(), time.monotonic()
        threading.Thread(target=self._look_after, args=(query, over), daemon=True).start()
        try:
            return _called_by(sys._getframe(2), call)
        except _duckdb().Error as error:
            if self._service.mood.down and "INTERRUPT" in str(error).upper():
                raise _error(texts.LOSSES[self._service.mood.loss]) from None
            if "INTERRUPT" in str(error).upper():
                self._service.let_server_run_on(self._id)
            raise
        finally:
            over.set()
            if self._service.is_interrupted(self._id):
                with contextlib.suppress(_duckdb().Error):  # no transaction was open
                    self._real.execute("ROLLBACK")
            self._service.end_running(self._id)
            if isinstance(query, str) and "md_" not in query:
                self._last_query = str(uuid.uuid4())
                _QUERIES[self._last_query] = time.monotonic() - began

    def _check_allowed(self, query: str) -> None:
        """Refuse what the account may not ask, and be late with what is slow."""
        mood, folded = self._service.mood, query.lower()
        if any(name in folded for name in mood.forbidden):
            self._service.record("refused", sql=query)
            raise _error(texts.FORBIDDEN)
        if any(name in folded for name in mood.slow) and self._interrupted.wait(30):
            raise _error(texts.INTERRUPTED)

    def _look_after(self, query: object, over: threading.Event) -> None:
        """Stop what runs when the service goes away or somebody stops it; show what runs for long to everybody."""
        is_shown = False
        while not over.wait(0.05):
            if self._service.mood.down or (is_shown and self._service.is_interrupted(self._id)):
                self._real.interrupt()
            elif not is_shown and "md_" not in str(query):
                is_shown = True
                self._service.begin_running(self._account, self._id, str(query))
                if over.is_set():
                    self._service.end_running(self._id)

    def _rewritten(self, sql: str) -> str:
        """Return *sql* with MotherDuck's own statements in plain DuckDB."""
        token = self._account.token
        if _PRINT_TOKEN.search(sql):
            return self._print_token(sql)
        sql = re.sub(r"current_setting\('motherduck_token'\)", f"'{token}'", sql, flags=re.IGNORECASE)
        settings = f"(FROM duckdb_settings() UNION ALL BY NAME SELECT 'motherduck_token' AS name, '{token}' AS value)"
        sql = re.sub(r"(?<=FROM )duckdb_settings\(\)(?! WHERE scope)", settings, sql, flags=re.IGNORECASE)
        missing = self._service.mood.missing
        for name, rows in (
            ("md_information_schema.shared_with_me", self._shared),
            ("md_information_schema.recent_queries", _recent_queries),
            ("md_active_server_connections()", self._running),
            ("md_last_query_id()", lambda: _literal(self._last_query)),
        ):
            if name in sql and name.removesuffix("()") not in missing:
                sql = sql.replace(name, rows())
        sql = re.sub(r"(CALL prompt_fix_line\(.*), error=", r"\1, error := ", sql, flags=re.DOTALL)
        sql = re.sub(r"^\s*(LIST|SHOW) SHARES\b", "FROM md_list_shares()", sql, flags=re.IGNORECASE)
        sql = re.sub(r"^\s*CREATE DATABASE (\w+)", self._create_database, sql, flags=re.IGNORECASE)
        return re.sub(r"'md:_share/([^/']+)/([^/']+)'(\s+AS\s+\w+)?", self._share, sql, flags=re.IGNORECASE)

    def _shared(self) -> str:
        """Return a subquery with the shares that the account may attach: every one that there is."""
        rows = [
            f"('{name}', 'zoe@example.com', 'md:' || '_share/{name}/{key}')"
            for key, name in self._service.shares().items()
        ]
        values = ", ".join(rows) or "(NULL, NULL, NULL)"
        return f"(FROM (VALUES {values}) t(name, owner, url) WHERE name IS NOT NULL)"

    def _running(self) -> str:
        """Return a subquery with what runs for the account, in any process, and with this connection itself."""
        rows = [
            f"('{entry['id']}'::UUID, {_literal(entry['query'])}, 'EXECUTING',"
            f" to_seconds({time.time() - entry['began']:.3f}), 'python/1.5.6 md_magic/0.1')"
            for entry in (self._service.running(self._account) if self._service.mood.lists_running else ())
        ]
        rows.append(f"('{self._id}'::UUID, 'FROM md_active_server_connections', 'EXECUTING', to_seconds(0), 'python')")
        columns = (
            "client_connection_id, client_query, server_transaction_stage, server_transaction_elapsed_time,"
            " client_user_agent"
        )
        return f"(FROM (VALUES {', '.join(rows)}) t({columns}))"

    def _print_token(self, sql: str) -> str:
        mood, token = self._service.mood, self._account.token
        if mood.pragma == "prints":
            os.write(mood.stream, texts.EXPORT.format(token=token).encode())
            return "SELECT 1 AS token WHERE false"
        return f"SELECT '{token}' AS token" if mood.pragma == "row" else sql

    def _create_database(self, match: re.Match[str]) -> str:
        path = self._service.database_file(self._account.email, match[1])
        return f"ATTACH '{path}' AS {match[1]}"

    def _share(self, match: re.Match[str]) -> str:
        path = self._service.share_file(match[2])
        if not path.exists():
            raise _error(texts.NO_SHARE.format(name=f"_share/{match[1]}/{match[2]}"))
        return f"'{path}'{match[3] or ' AS ' + match[1]} (READ_ONLY)"


_QUERIES: dict[str, float] = {}
"""Seconds of the queries of this process, by their ids."""


def _recent_queries() -> str:
    rows = [
        f"('{key}', to_seconds({seconds:.3f}), to_seconds(0.25), 2000000, 31457280, 'pulse')"
        for key, seconds in _QUERIES.items()
    ]
    columns = "query_id, execution_time, wait_time, bytes_uploaded, bytes_downloaded, instance_type"
    empty = "(NULL, NULL, NULL, NULL, NULL, NULL)"
    return f"(FROM (VALUES {', '.join(rows) or empty}) t({columns}) WHERE query_id IS NOT NULL)"


def _literal(text: str | None) -> str:
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"


class LocalConnection(Connection):
    """A connection to a local database, in which MotherDuck's extension is loaded on demand: it knows a token then."""

    def __init__(self, real: Any, driver: Driver, opened: dict[str, Any] | None = None) -> None:
        super().__init__(real, driver.service, None)
        self._driver = driver
        self._opened = {} if opened is None else opened  # of the instance: all of its connections share it

    def cursor(self) -> LocalConnection:
        return LocalConnection(self._real.cursor(), self._driver, self._opened)

    def extract_statements(self, query: str) -> Any:
        return self._real.extract_statements(_PRINT_TOKEN.sub("SELECT 1", query))

    def _run(self, method: Any, query: Any, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        if isinstance(query, str) and (match := _OPENS.search(query)):
            path, _, given = (match["path"] or "").partition("?")
            token = dict(parse_qsl(given)).get("motherduck_token") or _from_environment()
            self._account = self._opened["account"] = self._driver.check_token(token)
            if not match["path"]:
                return self._real.execute("LOAD json")
            file = self._service.database_file(self._account.email, path)
            return self._real.execute(f"ATTACH '{file}' AS {path}")
        self._account = self._opened.get("account")
        if self._account is not None:
            return super()._run(method, query, arguments, options)
        return _called_by(sys._getframe(2), functools.partial(method, query, *arguments, **options))


def _called_by(frame: Any, call: Any) -> Any:
    """Call as if *frame* did: DuckDB looks for DataFrames in the variables of the Python code that calls it."""
    return eval("__standin_call__()", {**frame.f_globals, "__standin_call__": call}, frame.f_locals)  # noqa: S307


def _error(text: str) -> Exception:
    """Return the DuckDB exception whose name *text* begins with, as `IO Error: ...` does."""
    kind = text.partition(" Error:")[0].replace(" ", "")
    names = {"InvalidInput": "InvalidInputException", "IO": "IOException", "Catalog": "CatalogException"}
    names |= {"Permission": "PermissionException", "INTERRUPT": "InterruptException"}
    return getattr(_duckdb(), names.get(kind, "ConnectionException"))(text)


def _duckdb() -> Any:
    return sys.modules["duckdb"]


def _hang() -> None:
    """Block as C++ that keeps the GIL does: no thread of this process runs again, and only a signal ends it."""
    import ctypes

    ctypes.PyDLL(None).sleep(600)


def _from_environment() -> str:
    names = ("motherduck_token", "MOTHERDUCK_TOKEN")
    return next((os.environ[name] for name in names if os.environ.get(name)), "")


def install(module: Any, folder: Path) -> Driver:
    """Put the stand-in in front of *module*'s `connect`, where SQLAlchemy's dialect and everybody else look it up."""
    driver = Driver(module.connect, folder)
    module.connect = driver.connect
    sys.modules["_duckdb"].connect = driver.connect
    return driver


class _Loader(importlib.abc.Loader):
    def __init__(self, loader: Any) -> None:
        self.loader = loader

    def create_module(self, spec: Any) -> Any:
        return self.loader.create_module(spec)

    def exec_module(self, module: Any) -> None:
        self.loader.exec_module(module)
        install(module, Path(os.environ["MD_STANDIN"]))


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, fullname: str, path: Any, _target: Any = None) -> Any:
        if fullname != "duckdb":
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        if spec is not None:
            spec.loader = _Loader(spec.loader)
        return spec


def install_when_imported() -> None:
    """Wait for `import duckdb`: an interpreter that never imports it pays nothing."""
    if "duckdb" in sys.modules:
        install(sys.modules["duckdb"], Path(os.environ["MD_STANDIN"]))
    else:
        sys.meta_path.insert(0, _Finder())
