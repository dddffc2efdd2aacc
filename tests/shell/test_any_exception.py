"""Whatever a driver, pandas, Arrow or Python raises, at any option: one message, without the password and the data."""

from __future__ import annotations

import asyncio
import builtins
import concurrent.futures
import decimal
import itertools
import json
import sqlite3
import struct
import uuid
import zlib

import duckdb
import pandas as pd
import polars as pl
import psycopg
import pyarrow as pa
import pymysql
import pytest
import sqlalchemy
import sqlalchemy.orm

from md_magic.errors import MdMagicError, QueryInterrupted
from tests.shell import faulty_driver

PASSWORD = "Xq7hunter2zz"  # noqa: S105 - nobody's
DATA = "a value of the user's"
TARGET = f"faulty://ann:{PASSWORD}@h/shop"
TEXT = f"it broke near faulty://ann:{PASSWORD}@h/shop"

MODULES = (
    builtins,
    asyncio,
    concurrent.futures,
    decimal,
    duckdb,
    json,
    pa.lib,
    pd.errors,
    pl.exceptions,
    psycopg,
    pymysql.err,
    sqlalchemy.exc,
    sqlalchemy.orm.exc,
    sqlite3,
    struct,
    zlib,
)

STOPS = (KeyboardInterrupt, SystemExit, GeneratorExit)
"""What no driver raises by itself: they end the cell, and pass."""


class WithoutWords(Exception):
    """What a driver's own C++ raises."""


class Unprintable(Exception):
    """An exception whose text fails."""

    def __str__(self):
        raise ZeroDivisionError

    __repr__ = __str__


class Panic(BaseException):
    """What Rust's panics are in Python: no `Exception`."""


def _made(kind):
    """Return an error of *kind*, with whatever arguments its class wants."""
    odd = {
        UnicodeDecodeError: lambda: UnicodeDecodeError("utf-8", DATA.encode(), 0, 1, TEXT),
        UnicodeEncodeError: lambda: UnicodeEncodeError("utf-8", DATA, 0, 1, TEXT),
        UnicodeTranslateError: lambda: UnicodeTranslateError(DATA, 0, 1, TEXT),
        ExceptionGroup: lambda: ExceptionGroup(TEXT, [ValueError(TEXT)]),
        BaseExceptionGroup: lambda: BaseExceptionGroup(TEXT, [Panic(TEXT)]),
    }
    if kind in odd:
        return odd[kind]()
    if issubclass(kind, sqlalchemy.exc.DBAPIError):
        return kind(f"INSERT INTO t VALUES ('{DATA}')", {"a": DATA}, ValueError(TEXT))
    for arguments in ((TEXT,), (TEXT, "SELECT 1", {"a": DATA}, ValueError(TEXT)), (TEXT, 1, 1), (), (TEXT, DATA, 0)):
        try:
            return kind(*arguments)
        except (TypeError, AttributeError):
            continue
    return None


def _errors():
    """Return an error of every kind that the libraries declare, by its name, and some that nobody does."""
    kinds = {
        f"{kind.__module__}.{kind.__qualname__}": kind
        for module in MODULES
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, BaseException) and not issubclass(kind, STOPS)
    }
    errors = {name: error for name, kind in sorted(kinds.items()) if (error := _made(kind)) is not None}
    wrapped = sqlalchemy.exc.StatementError(TEXT, f"INSERT INTO t VALUES ('{DATA}')", {"a": DATA}, None)
    caused = pd.errors.DatabaseError(f"Execution failed on sql '{DATA}'")
    caused.__cause__ = wrapped
    return errors | {
        "no words": WithoutWords(),
        "a blank": WithoutWords(" \n"),
        "unprintable": Unprintable(),
        "panic": Panic(TEXT),
        "wrapped": wrapped,
        "by pandas": caused,
        "numbers": sqlite3.OperationalError(1, 2, 3),
        "bytes": sqlite3.OperationalError(TEXT.encode()),
        "long": RuntimeError(TEXT + " x" * 50_000),
        "surrogate": RuntimeError(TEXT + "\ud800"),
        "colours": RuntimeError(f"\x1b[31m{TEXT}\x1b[0m"),
        "nul": RuntimeError(f"{TEXT}\0"),
    }


ERRORS = _errors()

LINES = [
    "SELECT * FROM t",
    "--as arrow SELECT * FROM t",
    "--as polars SELECT * FROM t",
    "--as dict SELECT * FROM t",
    "--as reader SELECT * FROM t",
    "--limit 1 SELECT * FROM t WHERE a = :a",
    "--grid SELECT * FROM t",
    "--timeout 60 UPDATE t SET b = :b",
    "--all SELECT 1; SELECT * FROM t",
    "--save kept SELECT * FROM t",
    "--profile SELECT * FROM t",
    "--dry-run SELECT * FROM t",
    "--explain SELECT * FROM t",
    "--analyze SELECT * FROM t",
    "--tables",
    "--describe t",
    "--databases",
    "--browse",
    "--to t --frame df --append",
    "--to t2 --frame df --replace",
    "--connections",
    "--background SELECT * FROM t",
    "--jobs",
    "--close",
]


def test_there_are_at_least_two_hundred_kinds():
    assert len(ERRORS) >= 200


@pytest.fixture
def faulty(shell):
    """A shell whose current target is the faulty driver's, which does not fail yet."""
    faulty_driver.Fault.place = ""
    faulty_driver.Fault.memory = f"file:{uuid.uuid4()}?mode=memory&cache=shared"
    memory = sqlite3.connect(faulty_driver.Fault.memory, uri=True)
    with memory:
        memory.execute("CREATE TABLE t(a INTEGER, b TEXT)")
        memory.executemany("INSERT INTO t VALUES (?, ?)", [(1, DATA), (2, None)])
    shell.variables |= {"df": pd.DataFrame({"a": [1], "b": [DATA]}), "a": 1, "b": DATA}
    shell.sql("SELECT 1", TARGET)
    yield shell
    faulty_driver.Fault.place = ""
    shell.cell("%mdsql --close-all")
    memory.close()


def texts(error):
    """Return everything that a person, or `%tb`, sees of *error*."""
    cause = error.__cause__
    return "\n".join([*error._render_traceback_(), repr(error.args), repr(cause and getattr(cause, "args", ""))])


def fault(raised):
    """Return what is wrong with *raised*, the error of a cell; empty where nothing is."""
    if raised is None:
        return ""
    if not isinstance(raised, (MdMagicError, QueryInterrupted)):
        return f"{type(raised).__name__} is raw"
    shown = texts(raised)
    wrong = {"no words": not str(raised).strip(), "password": PASSWORD in shown, "data": DATA in shown}
    return ", ".join(name for name, is_so in wrong.items() if is_so)


def outcome(act):
    """Return the error of *act*; `None` where it succeeds."""
    try:
        act()
    except BaseException as error:  # noqa: BLE001 - a raw one is what is looked for
        return error
    return None


@pytest.mark.parametrize("line", LINES)
def test_every_option_ends_in_one_message(faulty, capsys, line):
    def act():
        value = faulty.magics.mdsql(line)
        if hasattr(value, "read_all"):
            value.read_all()
        elif hasattr(value, "result"):
            value.result()

    wrong = []
    for (name, error), place in zip(ERRORS.items(), itertools.cycle(faulty_driver.PLACES), strict=False):
        faulty_driver.Fault.place, faulty_driver.Fault.error = place, error
        raised = outcome(act)
        faulty_driver.Fault.place = ""
        if problem := fault(raised):
            wrong.append(f"{name} in {place}: {problem}")
        if not faulty.magics.session.ready:
            faulty.magics.mdsql(f"{TARGET} SELECT 1")
    printed = "".join(capsys.readouterr())
    assert PASSWORD not in printed
    assert not wrong, "\n".join(wrong)
