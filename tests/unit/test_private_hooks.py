"""Every private or undocumented name of other packages that is used here: what fails below has changed upstream.

Each check asks for no more than md_magic relies on, so that its failure names the hook before anything else breaks.
"""

from __future__ import annotations

import _signal
import contextlib
import importlib
import inspect
import linecache
import logging
import re
import signal
import socket
import struct
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import md_magic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PACKAGE = Path(md_magic.__file__).parent
SOURCES = {str(path.relative_to(PACKAGE)): path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}

KERNEL, IPYTHON = (tuple(map(int, version(name).split(".")[:2])) for name in ("ipykernel", "ipython"))


@dataclass(frozen=True, slots=True)
class Hook:
    """A name of another package."""

    package: str
    """The distribution, as pip calls it."""

    name: str
    used_for: str
    word: str
    """What stands in our source where it is used."""

    holds: Callable[[], object]
    """Tells whether the name is there and as it is relied on: a false value, or an `AttributeError`, says no."""


def parameters(function: Callable[..., object]) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name != "self"]


def takes(function: Callable[..., object], *arguments: object, **named: object) -> bool:
    try:
        inspect.signature(function).bind(*arguments, **named)
    except TypeError:
        return False
    return True


# ---- ipykernel and comm ----------------------------------------------------------------------------------------------


def reply_subshell() -> bool:
    from ipykernel.comm import comm

    if KERNEL < (7, 4):  # messages stay on the subshell that they come in on; 6.17 has no subshells, and no BaseComm
        return not hasattr(getattr(comm, "BaseComm", comm.Comm), "_reply_subshell_for")
    return parameters(comm.BaseComm._reply_subshell_for) == ["data", "default"]


def get_parent() -> bool:
    from ipykernel.zmqshell import ZMQInteractiveShell

    return takes(ZMQInteractiveShell.get_parent, None)


def parent_in_context() -> bool:
    from ipykernel.kernelbase import Kernel

    if KERNEL < (7,):  # the kernel has one for all threads
        return "_shell_parent" not in inspect.get_annotations(Kernel)
    return "ContextVar" in str(inspect.get_annotations(Kernel)["_shell_parent"])


def kernel_inspects_by_mime() -> bool:
    from ipykernel.ipkernel import IPythonKernel

    return "shell.object_inspect_mime" in inspect.getsource(IPythonKernel.do_inspect)


def comm_logs_as_comm() -> bool:
    if KERNEL < (6, 18):  # it logs messages by itself, and hears none while a cell runs
        return not hasattr(importlib.import_module("ipykernel.comm.comm"), "BaseComm")
    import comm.base_comm

    return comm.base_comm.logger is logging.getLogger("Comm")


# ---- IPython and traitlets -------------------------------------------------------------------------------------------


def object_inspect_mime() -> bool:
    from IPython.core.interactiveshell import InteractiveShell

    asked = ["oname", "detail_level", *(["omit_sections"] if IPYTHON >= (8,) else [])]
    return parameters(InteractiveShell.object_inspect_mime) == asked


def completions() -> bool:
    from IPython.core.completer import Completion, IPCompleter

    asked = parameters(IPCompleter.completions) == ["text", "offset"]
    return asked and takes(Completion, 0, 1, "x", type="column")


def context_matcher() -> bool:
    if IPYTHON < (8, 6):
        return not hasattr(importlib.import_module("IPython.core.completer"), "context_matcher")
    from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher

    context = {"full_text", "cursor_line", "cursor_position"} <= set(CompletionContext.__dataclass_fields__)
    bases = SimpleMatcherResult.__mro__  # IPython 8's are plain dicts, whose annotations are not merged
    keys = {key for base in bases for key in inspect.get_annotations(base)}
    result = {"completions", "matched_fragment", "suppress", "ordered"} <= keys
    marks = takes(context_matcher, identifier="x", priority=1.0)
    return context and result and marks and takes(SimpleCompletion, text="x", type="column")


def custom_matchers() -> bool:
    from IPython.core.completer import IPCompleter

    return callable(IPCompleter.matchers.fget) and "self.custom_matchers" in _source(IPCompleter)


def capturing_publisher() -> bool:
    from IPython.core.displaypub import CapturingDisplayPublisher, DisplayPublisher
    from IPython.utils.capture import capture_output

    captures = "CapturingDisplayPublisher" in inspect.getsource(capture_output)
    return captures and issubclass(CapturingDisplayPublisher, DisplayPublisher)


def magics_registry() -> bool:
    from IPython.core.magic import Magics, MagicsManager

    class Empty(Magics):
        registered = True
        magics = {"line": {}, "cell": {}}  # noqa: RUF012 - IPython's own declaration

    manager = MagicsManager()
    magics = Empty()
    manager.register(magics)
    return manager.registry["Empty"] is magics and set(manager.magics) == {"line", "cell"}


def shell_lists() -> bool:
    from IPython.core.interactiveshell import InteractiveShell

    source = inspect.getsource(InteractiveShell)
    return "self.configurables" in source and "self.user_ns_hidden" in source


def cleanup_transforms() -> bool:
    from IPython.core.interactiveshell import InteractiveShell

    return isinstance(InteractiveShell.input_transformers_cleanup, property)


def check_complete() -> bool:
    from ipykernel.ipkernel import IPythonKernel
    from IPython.core.inputtransformer2 import TransformerManager
    from IPython.core.interactiveshell import InteractiveShell

    manager = TransformerManager()
    asked = "has_side_effects" in inspect.getsource(TransformerManager.check_complete)
    asks = [InteractiveShell.check_complete, IPythonKernel.do_is_complete]
    through = all("check_complete(code)" in inspect.getsource(function) for function in asks)
    return asked and through and manager.check_complete("%%x\na\n\n") == ("complete", None)


def register_alias() -> bool:
    from IPython.core.magics.basic import BasicMagics

    source = inspect.getsource(BasicMagics.alias_magic)
    return "magics_manager.register_alias(" in source or ".register_alias(" in source


def magic_lexers() -> bool:
    from IPython.terminal.ptutils import IPythonPTLexer
    from prompt_toolkit import Application

    lexer = IPythonPTLexer()
    return (
        "html" in lexer.magic_lexers
        and hasattr(lexer.python_lexer, "lex_document")
        and hasattr(Application().before_render, "remove_handler")
    )


def runners() -> bool:
    from IPython.core.interactiveshell import InteractiveShell

    return all(callable(getattr(InteractiveShell, name)) for name in ("run_cell_magic", "run_line_magic"))


def render_traceback() -> bool:
    from IPython.core.interactiveshell import InteractiveShell

    return "_render_traceback_" in inspect.getsource(InteractiveShell.showtraceback)


def custom_handler() -> bool:
    from IPython.core.interactiveshell import InteractiveShell

    kept = inspect.getsource(InteractiveShell.set_custom_exc)
    shown = takes(InteractiveShell._showtraceback, None, KeyError, KeyError(), [])
    return shown and "self.CustomTB" in kept and "self.custom_exceptions" in kept


def history() -> bool:
    from IPython.core.history import HistoryManager

    source = _source(HistoryManager)
    held = ("input_hist_parsed", "input_hist_raw", "db_input_cache", "db_input_cache_lock", "session_number", "db")
    table = re.search(r"history\s+\(session integer, line integer, source text, source_raw text,", source)
    cached = all(f"self.{name}" in source for name in held)
    return table is not None and cached and takes(HistoryManager.writeout_cache, None)


def _source(kind: type) -> str:
    return Path(inspect.getfile(kind)).read_text(encoding="utf-8")


def trait_values() -> bool:
    from traitlets import HasTraits, Unicode

    class Holder(HasTraits):
        text = Unicode("secret")

    holder = Holder(text="given")
    holder._trait_values["text"] = "***"
    return holder.text == "***"


# ---- Python ----------------------------------------------------------------------------------------------------------


def c_signal() -> bool:
    before = _signal.signal(signal.SIGUSR1, c_signal)
    changed = signal.getsignal(signal.SIGUSR1)
    _signal.signal(signal.SIGUSR1, before)
    return changed is c_signal and _signal.getsignal(signal.SIGUSR1) == before


def linecache_entries() -> bool:
    path = inspect.getfile(md_magic)
    linecache.getline(path, 1)
    size, _, lines, name = linecache.cache[path]
    return (size, name) == (Path(path).stat().st_size, path) and isinstance(lines, list)


# ---- duckdb, duckdb-engine, pandas, SQLAlchemy -------------------------------------------------------------------------


def connection_wrapper() -> bool:
    from duckdb_engine import ConnectionWrapper

    native = object()
    return ConnectionWrapper(native) is not None and parameters(ConnectionWrapper.__init__) == ["c"]


def wrapped_connection() -> bool:
    import duckdb
    from duckdb_engine import ConnectionWrapper

    with duckdb.connect() as native:
        return ConnectionWrapper(native).execute.__self__ is native


def cursor_wrapper() -> bool:
    from duckdb_engine import CursorWrapper

    connection = object()
    made = CursorWrapper(object(), connection)
    return made.connection is connection and parameters(CursorWrapper.execute) == ["statement", "parameters", "context"]


def dialect() -> bool:
    from duckdb_engine import Dialect

    return takes(Dialect.connect, None, database="x", config={}, settings={}) and parameters(Dialect.is_disconnect) == [
        "e",
        "connection",
        "cursor",
    ]


def engine_name() -> bool:
    import duckdb_engine
    from duckdb_engine.config import apply_config
    from sqlalchemy import __version__ as sqlalchemy_version

    source = inspect.getsource(duckdb_engine.Dialect.connect)
    name = 'f"duckdb_engine/{__version__}(sqlalchemy/{sqlalchemy_version})"' in source
    kept = duckdb_engine.supports_user_agent and duckdb_engine.sqlalchemy_version == sqlalchemy_version
    return name and kept and takes(apply_config, None, None, {})


def core_config() -> bool:
    from duckdb_engine.config import get_core_config

    return {
        "threads",
        "memory_limit",
        "access_mode",
    } <= get_core_config() and "no_such_setting" not in get_core_config()


def tokenizer() -> bool:
    import duckdb

    kinds = duckdb.token_type
    expected = [
        (0, kinds.keyword),
        (7, kinds.identifier),
        (9, kinds.operator),
        (11, kinds.string_const),
        (15, kinds.numeric_const),
    ]
    found = duckdb.tokenize("SELECT a + 'b' 5 -- c")
    return found in (expected, [*expected, (17, kinds.comment)])  # the latter since DuckDB 2


def query_progress() -> bool:
    import duckdb

    with duckdb.connect() as connection:
        return isinstance(connection.query_progress(), float)


def from_arrow() -> bool:
    import pandas as pd
    import pyarrow as pa

    dtype = pd.StringDtype("pyarrow")
    return dtype.__from_arrow__(pa.chunked_array([["a", None]])).tolist()[:1] == ["a"] and dtype.storage == "pyarrow"


def initial_quote() -> bool:
    from sqlalchemy.dialects import mysql, sqlite

    return [kind.dialect().identifier_preparer.initial_quote for kind in (mysql, sqlite)] == ["`", '"']


def percents_are_doubled() -> bool:
    import sqlalchemy
    from duckdb_engine import Dialect

    compiled = sqlalchemy.text("SELECT '%' LIKE '%(x)s', :y").compile(dialect=Dialect(paramstyle="pyformat"))
    return str(compiled) == "SELECT '%%' LIKE '%%(x)s', %(y)s"


def closed_connection() -> bool:
    import duckdb

    connection = duckdb.connect()
    connection.close()
    try:
        connection.execute("SELECT 1")
    except duckdb.ConnectionException as error:
        return "already closed" in str(error)
    return False


def serial_key() -> bool:
    import sqlalchemy
    from duckdb_engine import Dialect
    from sqlalchemy.schema import CreateTable

    key = sqlalchemy.Column("id", sqlalchemy.Integer, primary_key=True)
    table = sqlalchemy.Table("t", sqlalchemy.MetaData(), key, prefixes=["TEMP"])
    written = str(CreateTable(table).compile(dialect=Dialect()))
    return table._autoincrement_column is key and table._prefixes == ["TEMP"] and "id SERIAL NOT NULL" in written


# ---- pymysql, pyhive -------------------------------------------------------------------------------------------------


def packets(*bodies: bytes, first: int = 1) -> bytes:
    """Return *bodies* as a server sends them: each after its size and its number."""
    return b"".join(len(body).to_bytes(3, "little") + bytes([n]) + body for n, body in enumerate(bodies, first))


@contextlib.contextmanager
def pymysql_connection() -> Iterator[tuple[Any, socket.socket]]:
    """Give a connection of pymysql, signed in, and the server's end of its socket."""
    from pymysql.connections import Connection

    salt = b"12345678\0", b"123456789012\0"
    greeting = b"\x0a8.0\0" + struct.pack("<I9sHBHHB10x13s", 1, salt[0], 0xF7FF, 45, 2, 8, 21, salt[1])
    done = b"\0\0\0\2\0\0\0"
    connection: Any = Connection(user="u", defer_connect=True, autocommit=None)
    ours, server = socket.socketpair()
    with server:
        server.sendall(packets(greeting + b"mysql_native_password\0", first=0) + packets(done, first=2) + packets(done))
        connection.connect(ours)
        server.recv(4096)  # the account, and SET NAMES
        yield connection, server
        connection._force_close()


def pymysql_packets() -> bool:
    with pymysql_connection() as (connection, server):
        server.sendall(packets(b"\0answer") + b"\x01\0\0\x07x")
        connection._execute_command(0x16, "SELECT 1")
        sent, answer = server.recv(64), connection._read_packet().get_all_data()
        rest = connection._rfile.read(5)
        connection._force_close()
        is_closed = connection._rfile is None and not connection.open
    return (sent, answer, rest, is_closed) == (b"\x09\0\0\0\x16SELECT 1", b"\0answer", b"\x01\0\0\x07x", True)


def pymysql_prepared() -> bool:
    with pymysql_connection() as (connection, server):
        server.sendall(packets(b"\0\x03\0\2\0\0\0"))
        connection._execute_command(0x17, b"\1\0\0\0\0\1\0\0\0")
        rows = connection._read_query_result()
        connection._force_close()
    return rows == 3


def pymysql_result() -> bool:
    from pymysql.cursors import SSCursor

    field = b"\x03def\0\0\0\x01a\x01a\x0c" + struct.pack("<HIBHBxx", 63, 11, 3, 0x20, 0)
    end = b"\xfe\0\0\x02\0"
    with pymysql_connection() as (connection, server):
        server.sendall(packets(b"\x01", field, end, b"\x017", b"\x018", end))
        cursor: Any = SSCursor(connection)
        cursor.execute("SELECT a FROM t")
        result = cursor._result
        fields = [(f.name, f.type_code, f.flags, f.charsetnr, f.length, f.scale) for f in result.fields]
        begun = result.unbuffered_active, result.connection is connection
        rows = cursor.fetchmany(3)
        ended = result.unbuffered_active, result.connection
    return (fields, begun, list(rows), ended) == (
        [("a", 3, 0x20, 63, 11, 0)],
        (True, True),
        [(7,), (8,)],
        (False, None),
    )


def thrift_names() -> bool:
    from TCLIService.ttypes import TTypeId

    return TTypeId._VALUES_TO_NAMES[TTypeId.BIGINT_TYPE] == "BIGINT_TYPE"


HOOKS = [
    Hook("ipykernel", "comm.comm.BaseComm._reply_subshell_for", "hearing Cancel while a cell runs", "_reply_subshell_for", reply_subshell),
    Hook("ipykernel", "zmqshell.ZMQInteractiveShell.get_parent", "telling a person from a batch run", "get_parent", get_parent),
    Hook("ipykernel", "kernelbase.Kernel._shell_parent in a ContextVar", "putting a thread's output below its cell", "copy_context", parent_in_context),
    Hook("ipykernel", "IPythonKernel.do_inspect calls object_inspect_mime", "Shift-Tab in SQL", "object_inspect_mime", kernel_inspects_by_mime),
    Hook("comm", "base_comm.logger", "keeping the token out of a debug log", '"Comm"', comm_logs_as_comm),
    Hook("ipython", "InteractiveShell.object_inspect_mime", "Shift-Tab in SQL", "object_inspect_mime", object_inspect_mime),
    Hook("ipython", "core.completer.context_matcher", "Tab in SQL", "context_matcher", context_matcher),
    Hook("ipython", "IPCompleter.completions", "Tab in SQL before IPython 8.6", "completer.completions", completions),
    Hook("ipython", "IPCompleter.custom_matchers", "Tab in SQL", "custom_matchers", custom_matchers),
    Hook("ipython", "core.displaypub.CapturingDisplayPublisher", "showing no live line under %%capture", "CapturingDisplayPublisher", capturing_publisher),
    Hook("ipython", "InteractiveShell.magics_manager.registry", "unloading", "magics_manager.registry", magics_registry),
    Hook("ipython", "InteractiveShell.configurables and user_ns_hidden", "unloading, and completing variables", "user_ns_hidden", shell_lists),
    Hook("ipython", "InteractiveShell.input_transformers_cleanup", "a %%mdsql cell without a body", "input_transformers_cleanup", cleanup_transforms),
    Hook("ipython", "MagicsManager.register_alias", "binding values under a name of %alias_magic", "register_alias", register_alias),
    Hook("ipython", "TransformerManager.check_complete", "typing a cell in a terminal", "check_complete", check_complete),
    Hook("ipython", "terminal.ptutils.IPythonPTLexer.magic_lexers", "SQL colours in a terminal", "magic_lexers", magic_lexers),
    Hook("ipython", "InteractiveShell.run_cell_magic and run_line_magic", "finding the function that calls the magic", "run_cell_magic", runners),
    Hook("ipython", "_render_traceback_", "errors of one line", "_render_traceback_", render_traceback),
    Hook("ipython", "InteractiveShell.CustomTB and _showtraceback", "errors of one line beside rich", "._showtraceback", custom_handler),
    Hook("ipython", "core.history.HistoryManager", "masking secrets in what the shell remembers", "db_input_cache", history),
    Hook("traitlets", "HasTraits._trait_values", "masking secrets in what the shell remembers", "_trait_values", trait_values),
    Hook("python", "_signal.signal", "a cheap guard around each query", "_signal.signal", c_signal),
    Hook("python", "linecache.cache", "masking secrets in what tracebacks show", "linecache.cache", linecache_entries),
    Hook("duckdb", "tokenize and token_type", "reading SQL", "duckdb.tokenize", tokenizer),
    Hook("duckdb", "DuckDBPyConnection.query_progress", "per cent in the live line", "query_progress", query_progress),
    Hook("duckdb-engine", "ConnectionWrapper", "a connection whose transactions are the user's", "ConnectionWrapper", connection_wrapper),
    Hook("duckdb-engine", "ConnectionWrapper hands on DuckDB's methods", "taking the connection of the user's engine", "execute.__self__", wrapped_connection),
    Hook("duckdb-engine", "CursorWrapper", "handing DuckDB the text as it was typed", "CursorWrapper", cursor_wrapper),
    Hook("duckdb-engine", "Dialect.connect and is_disconnect", "connecting with configuration and secrets", "duckdb_engine.Dialect", dialect),
    Hook("duckdb-engine", "its custom_user_agent, and config.apply_config", "opening a file beside it", "_AGENT_OF_ENGINE", engine_name),
    Hook("duckdb-engine", "config.get_core_config", "telling a configuration from a SET", "get_core_config", core_config),
    Hook("duckdb", "ConnectionException of a closed connection", "naming the target that was closed", "already closed", closed_connection),
    Hook("sqlalchemy", "Table._autoincrement_column and SERIAL", "keys that count by themselves", "._autoincrement_column", serial_key),
    Hook("sqlalchemy", "Table._prefixes", "the sequence of a temporary table", "._prefixes", serial_key),
    Hook("pandas", "StringDtype.__from_arrow__", "columns of text", "__from_arrow__", from_arrow),
    Hook("sqlalchemy", "IdentifierPreparer.initial_quote", "quoting in completion", "initial_quote", initial_quote),
    Hook("sqlalchemy", "text() doubles percent signs for pyformat", "handing DuckDB the text as it was typed", "pyformat", percents_are_doubled),
    Hook("pymysql", "Connection._execute_command", "the columns of a statement that is not run", "._execute_command", pymysql_packets),
    Hook("pymysql", "Connection._read_packet", "the columns of a statement that is not run", "._read_packet", pymysql_packets),
    Hook("pymysql", "Connection._read_query_result", "what a server says of prepared rows", "._read_query_result", pymysql_prepared),
    Hook("pymysql", "Connection._rfile", "giving up the rows that are on their way", "._rfile", pymysql_packets),
    Hook("pymysql", "Connection._force_close", "a connection that ends within a row", "._force_close", pymysql_packets),
    Hook("pymysql", "SSCursor._result", "the types of columns, and whether rows are left", "._result", pymysql_result),
    Hook("pyhive", "TCLIService.ttypes.TTypeId._VALUES_TO_NAMES", "the types of columns", "._VALUES_TO_NAMES", thrift_names),
]  # fmt: skip


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: f"{hook.package}: {hook.name}")
def test_upstream_is_as_it_is_relied_on(hook: Hook) -> None:
    modules = ", ".join(path for path, source in SOURCES.items() if hook.word in source)
    assert modules, f"{hook.package}.{hook.name} is no longer used: remove its row."
    changed = f"upstream changed: {hook.package}.{hook.name}, used for {hook.used_for}, in module {modules}"
    try:
        holds = hook.holds()
    except (AttributeError, ImportError, KeyError, TypeError, ValueError) as error:
        pytest.fail(f"{changed} ({type(error).__name__}: {error})")
    assert holds, changed


def test_every_private_name_of_others_has_a_row() -> None:
    ours = {
        name
        for source in SOURCES.values()
        for name in re.findall(r"(?:self|cls)\.(_[a-z]\w*)|def (_[a-z]\w*)", source)
        for name in name
    }
    private = {
        name
        for source in SOURCES.values()
        for line in source.splitlines()
        if "noqa: SLF001" in line
        for name in re.findall(r"\.(_[a-z]\w*)", line.partition("#")[0])
    }
    rows = {name for hook in HOOKS for name in re.findall(r"_[a-z]\w*", hook.word)}
    assert private - ours - rows == set()
