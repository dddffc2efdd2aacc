"""The driver's side of the stand-in: what `duckdb.connect("md:...")` does in a process, and the connection it gives.

Behind every account of a process there is one real DuckDB instance with the account's databases attached. A connection
is a cursor of it, wrapped so that MotherDuck's own statements, the loss of the service and the token's whereabouts are
as they are with the real driver. Not imitated: instances that differ by path, and what `saas_mode` and `attach_mode` do
(both are recorded).
"""

from __future__ import annotations

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

from md_standin import texts

KNOWN_PARAMETERS = {
    "access_mode",
    "attach_mode",
    "connection_timeout",
    "custom_user_agent",
    "dbinstance_inactivity_ttl",
    "motherduck_token",
    "saas_mode",
    "session_hint",
    "session_name",
    "user",
}
_PRINT_TOKEN = re.compile(r"\bPRAGMA\s+PRINT_MD_TOKEN\b", re.IGNORECASE)
KNOWN_CONFIG = {"motherduck_token", "attach_mode", "saas_mode"}


class Driver:
    """The stand-in's state in one process."""

    def __init__(self, real: Any, folder: Path) -> None:
        from md_standin.service import Service

        self.real = real
        self.service = Service(folder)
        self.lock = threading.Lock()
        self.instances: dict[str, Any] = {}
        self.opened: dict[str, dict[str, object]] = {}

    def connect(self, database: object = ":memory:", read_only: bool = False, config: dict | None = None) -> Any:
        if not isinstance(database, str) or not database.startswith(("md:", "motherduck:")):
            return self.real(database, read_only=read_only, config=config or {})
        return self.connect_to_service(database, dict(config or {}))

    def connect_to_service(self, path: str, config: dict[str, object]) -> Connection:
        mood = self.service.mood
        name, _, query = path.partition(":")[2].partition("?")
        parameters = dict(parse_qsl(query, keep_blank_values=True))
        self.check_options(config, parameters)
        time.sleep(mood.connect_delay)
        if mood.hangs:
            _hang()
        if mood.outage:
            raise _error(texts.OUTAGES[mood.outage])
        token = str(parameters.pop("motherduck_token", "") or config.get("motherduck_token", "") or _from_environment())
        self.record(name, parameters, config, token)
        if not token:
            token = Login(self.service).run()
        account = self.check_token(token)
        self.check_same_configuration(path, config)
        return self.open(name, account)

    def check_options(self, config: dict[str, object], parameters: dict[str, str]) -> None:
        """Refuse what DuckDB refuses: it checks its own options itself, when an in-memory database gets them."""
        own = {key: value for key, value in config.items() if key not in {*KNOWN_CONFIG, "access_mode"}}
        self.real(":memory:", config=own).close()
        if unknown := sorted(parameters.keys() - KNOWN_PARAMETERS):
            raise _error(texts.UNKNOWN_OPTIONS.format(names=", ".join(unknown)))

    def record(self, name: str, parameters: dict[str, str], config: dict[str, object], token: str) -> None:
        from md_standin.service import digest

        shown = {key: str(value) for key, value in config.items() if key != "motherduck_token"}
        self.service.record("connect", database=name, parameters=parameters, config=shown, token=digest(token))

    def check_token(self, token: str) -> Any:
        if token.count(".") != 2:
            raise _error(texts.MALFORMED)
        account = self.service.account_of(token)
        if account is None or account.revoked:
            raise _error(texts.REFUSED)
        if account.expired:
            raise _error(texts.EXPIRED)
        return account

    def check_same_configuration(self, path: str, config: dict[str, object]) -> None:
        if self.opened.setdefault(path, config) != config:
            raise _error(texts.SAME_FILE)

    def open(self, name: str, account: Any) -> Connection:
        if name and name not in account.databases:
            raise _error(texts.NO_DATABASE.format(name=name))
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
            instance.execute(f"ATTACH '{self.service.database_file(account.email, name)}' AS {name} {mode}")
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
        self.print(texts.PROMPTS[self.mood.prompt].format(page=texts.AUTH, code=code))
        if self.mood.dies:
            os._exit(3)
        return self.result(code)

    def result(self, code: str) -> str:
        deadline = time.monotonic() + self.mood.login_seconds
        while (state := self.service.login(code))["state"] == "pending" and time.monotonic() < deadline:
            time.sleep(0.02)
        account = self.service.find_account(state["email"]) if state["state"] == "approved" else None
        if account is None:
            self.print(texts.DENIED if state["state"] == "denied" else "")
            raise _error(texts.NO_TOKEN)
        self.print(texts.SUCCESS["2023" if self.mood.prompt == "2023" else "1.2"].format(token=account.token))
        return str(account.token)

    def print(self, text: str) -> None:
        data = text.encode()
        size = self.mood.chunk or len(data) or 1
        for at in range(0, len(data), size):
            os.write(self.mood.stream, data[at : at + size])
            time.sleep(0.005 if self.mood.chunk else 0)


class Connection:
    """A cursor of the real DuckDB instance, with MotherDuck's own statements, and with a service that can be lost."""

    def __init__(self, real: Any, service: Any, account: Any) -> None:
        self._real = real
        self._service = service
        self._account = account
        self._id = str(uuid.uuid4())

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
        aliases = ", ".join(f"('{name}', 'motherduck')" for name in me.databases)
        for definition in (
            f"md_all_databases() AS TABLE SELECT * FROM (VALUES {aliases}) t(alias, type)",
            f"md_user_info() AS TABLE SELECT '{me.email}' AS username, '{me.email}' AS email, 'stand_in' AS org_name",
            "md_list_shares() AS TABLE SELECT NULL::VARCHAR AS name, NULL::VARCHAR AS url WHERE false",
            (
                "md_active_server_connections() AS TABLE SELECT NULL::UUID AS client_connection_id,"
                " NULL::VARCHAR AS client_query WHERE false"
            ),
            f"md_current_client_connection_id() AS '{self._id}'::UUID",
            "md_interrupt_server_connection(connection) AS true",
            "md_version() AS 'stand-in'",
            "prompt_sql(question) AS TABLE SELECT 'SELECT 42 AS answer' AS query",
            "prompt_fixup(query_text) AS TABLE SELECT 'SELECT 42 AS answer' AS query",
        ):
            self._real.execute(f"CREATE OR REPLACE TEMP MACRO {definition}")

    def _run(self, method: Any, query: Any, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        if self._service.mood.down:
            raise _error(texts.LOST)
        if query and self._service.is_revoked(self._account):  # an empty text never leaves the process
            raise _error(texts.EXPIRED)
        sql = self._rewritten(query) if isinstance(query, str) else query
        if isinstance(sql, str) and "md_interrupt_server_connection(" in sql:
            self._service.record("interrupt", by=self._id, sql=sql, parameters=[str(one) for one in arguments])
        call = functools.partial(method, sql, *arguments, **options)
        over = threading.Event()
        threading.Thread(target=self._stop_when_down, args=(over,), daemon=True).start()
        try:
            return _called_by(sys._getframe(2), call)
        except _duckdb().Error as error:
            if self._service.mood.down and "INTERRUPT" in str(error).upper():
                raise _error(texts.LOST) from None
            raise
        finally:
            over.set()

    def _stop_when_down(self, over: threading.Event) -> None:
        while not over.wait(0.05):
            if self._service.mood.down:
                self._real.interrupt()

    def _rewritten(self, sql: str) -> str:
        """Return *sql* with MotherDuck's own statements in plain DuckDB."""
        token = self._account.token
        if _PRINT_TOKEN.search(sql):
            return self._print_token(sql)
        sql = re.sub(r"current_setting\('motherduck_token'\)", f"'{token}'", sql, flags=re.IGNORECASE)
        settings = f"(FROM duckdb_settings() SELECT name, value UNION ALL SELECT 'motherduck_token', '{token}')"
        sql = re.sub(r"(?<=FROM )duckdb_settings\(\)(?! WHERE scope)", settings, sql, flags=re.IGNORECASE)
        sql = re.sub(r"^\s*(LIST|SHOW) SHARES\b", "FROM md_list_shares()", sql, flags=re.IGNORECASE)
        sql = re.sub(r"^\s*CREATE DATABASE (\w+)", self._create_database, sql, flags=re.IGNORECASE)
        return re.sub(r"'md:_share/([^/']+)/([^/']+)'(\s+AS\s+\w+)?", self._share, sql, flags=re.IGNORECASE)

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
            raise _error(texts.NO_SHARE.format(name=match[1]))
        return f"'{path}'{match[3] or ' AS ' + match[1]} (READ_ONLY)"


def _called_by(frame: Any, call: Any) -> Any:
    """Call as if *frame* did: DuckDB looks for DataFrames in the variables of the Python code that calls it."""
    return eval("__standin_call__()", {**frame.f_globals, "__standin_call__": call}, frame.f_locals)  # noqa: S307


def _error(text: str) -> Exception:
    """Return the DuckDB exception whose name *text* begins with, as `IO Error: ...` does."""
    kind = text.partition(" Error:")[0].replace(" ", "")
    names = {"InvalidInput": "InvalidInputException", "IO": "IOException", "Catalog": "CatalogException"}
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
