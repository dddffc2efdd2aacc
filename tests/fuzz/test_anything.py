"""Generated options, cells and messages: no raw exception, no hang, no secret. Run by `pytest -m fuzz` alone.

`MD_MAGIC_FUZZ_SECONDS` says for how long each of the tests runs, 150 by default: ten minutes in all.
"""

from __future__ import annotations

import datetime as dt
import os
import threading
import time

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from md_magic import options
from md_magic.auth.secret import scrub, secrets_typed
from md_magic.auth.token import tokens_in
from md_magic.catalog.tree import CatalogTree
from md_magic.display import catalog_tree
from md_magic.errors import MdMagicError, QueryInterrupted
from tests.motherduck.standin.service import make_token

pytestmark = pytest.mark.fuzz

SECONDS = float(os.environ.get("MD_MAGIC_FUZZ_SECONDS", "150"))
LIMIT = 20
"""Seconds after which one example counts as a hang. A limit of the cell's own stops it long before."""

TOKEN = make_token("ann@example.com")
PASSWORD = "Xq7hunter2zz!"  # noqa: S105 - nobody's
SECRETS = (TOKEN, PASSWORD)

FLAGS = sorted({flag for rows in options.TABLE.values() for option in rows for flag in option.flags} - {"--login"})
WORDS = st.sampled_from(
    [
        *(
            "SELECT",
            "FROM",
            "t",
            "df",
            "arr",
            "1",
            ":x",
            "$x",
            "{{ x }}",
            "'a",
            '"a',
            "$$",
            ";",
            "(",
            ")",
            "--",
            "/*",
            "*/",
            "\\",
        ),
        *(
            "WITH",
            "AS",
            "UNION ALL",
            "VALUES",
            "(1)",
            "range(3)",
            "CREATE TABLE",
            "TEMP",
            "INSERT INTO",
            "BEGIN",
            "ROLLBACK",
        ),
        *(
            "SET",
            "PRAGMA",
            "EXPLAIN",
            "PIVOT",
            "ATTACH",
            "':memory:'",
            "USE",
            "DROP TABLE",
            "NULL",
            "[1]",
            "{'a': 1}",
            "1e999",
        ),
        *(
            "\u00a0",
            "\u200b",
            "é",
            "🦆",
            "\0",
            "\ud800",
            "\r\n",
            "\n",
            "\t",
            "a.b.c",
            "s1..t",
            "1/0",
            "x'",
            "%(x)s",
            "%%",
            "@x",
            "md:",
        ),
        *(
            "duckdb:///:memory:",
            "sqlite://",
            f"postgresql://u:{PASSWORD}@127.0.0.1:1/d",
            f"md:db?motherduck_token={TOKEN}",
        ),
        *(f"CREATE SECRET s (TYPE s3, SECRET '{PASSWORD}')", f"'{TOKEN}'"),
        *(
            "error('no')",
            "'9999-12-31'::TIMESTAMP",
            "'infinity'::DATE",
            "1::BIGNUM",
            "'1'::BIT",
            "{'a': 1}::VARIANT",
            "INTERVAL 1 MONTH",
        ),
    ]
)
TEXTS = st.one_of(WORDS, st.text(max_size=12))
VALUES = st.one_of(
    TEXTS,
    st.sampled_from(
        ["df", "pandas", "arrow", "dict", "reader", "polars", "1", "0", "-1", "0.2", "x=1", "x=[", "nosuch"]
    ),
)
OPTION = st.one_of(
    st.sampled_from(FLAGS),
    st.tuples(st.sampled_from(FLAGS), VALUES).map(" ".join),
    st.tuples(st.sampled_from(FLAGS), VALUES).map("=".join),
)
LINES = st.lists(st.one_of(OPTION, TEXTS), max_size=5).map(" ".join)
SQL = st.lists(TEXTS, max_size=10).map(" ".join)
CELLS = st.one_of(st.none(), SQL)


def variables():
    return {
        "df": pd.DataFrame({"a": [1, None], "b": ["x", None]}),
        "pf": pl.DataFrame({"a": [1]}),
        "tb": pa.table({"a": pa.array([b"\xff"], pa.binary()).view(pa.string())}),
        "arr": np.array([1j]),
        "x": dt.date(2024, 1, 31),
        "odd": pd.DataFrame({("a", 1): [object()]}),
    }


def for_a_while(test):
    """Let *test* run with new examples until its time is over."""
    until = time.monotonic() + SECONDS
    count = 0
    while time.monotonic() < until:
        test()
        count += 1
    return count


generated = settings(
    max_examples=40,
    deadline=None,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)


class Watch:
    """Fails the process where an example hangs: nothing else gets through a lock that is never given back."""

    def __init__(self, example):
        self._timer = threading.Timer(LIMIT, self._hang, [example])
        self._timer.daemon = True

    def _hang(self, example):
        print(f"hung for {LIMIT} s: {example!r}", flush=True)
        import faulthandler

        faulthandler.dump_traceback()
        os._exit(70)

    def __enter__(self):
        self._timer.start()

    def __exit__(self, *_):
        self._timer.cancel()


def seen(error):
    """Return everything that a person, or `%tb`, sees of *error*."""
    cause = error.__cause__
    return "\n".join([*error._render_traceback_(), repr(error.args), repr(cause), repr(getattr(cause, "args", ""))])


def check(act, capsys):
    """Call *act*, and check that it ends with a value or with one of our errors, and shows no secret."""
    text = "a value"
    try:
        act()
    except (MdMagicError, QueryInterrupted) as error:
        text = seen(error)
    assert text.strip()
    text += "".join(capsys.readouterr())
    for secret in SECRETS:
        assert secret not in text


def test_any_line_and_cell(notebook, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("md_magic.display.host.host", lambda _: "batch")
    notebook.variables.update(variables())
    notebook.magics.timeout = 2.0
    notebook.magics.default_target = "duckdb:///:memory:"

    @generated
    @given(LINES, CELLS)
    def one(line, cell):
        with Watch((line, cell)):
            check(lambda: notebook.magics.mdsql(line, cell), capsys)

    assert for_a_while(one) > 0


def test_any_sql_in_every_mode(notebook, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    notebook.variables.update(variables())
    notebook.magics.timeout = 2.0
    modes = [
        "",
        "--as arrow",
        "--as polars",
        "--as reader",
        "--profile",
        "--grid",
        "--dry-run",
        "--explain",
        "--analyze",
    ]
    modes += ["--background", "--all", "--limit 1", "--save q", "--jinja", "sqlite://"]

    @generated
    @given(st.sampled_from(modes), SQL)
    def one(mode, sql):
        def act():
            value = notebook.magics.mdsql(mode, sql)
            if hasattr(value, "result"):
                value.result(10)
            elif hasattr(value, "read_all"):
                value.read_all()

        with Watch((mode, sql)):
            check(act, capsys)

    assert for_a_while(one) > 0


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=8,
)
MESSAGES = st.one_of(
    JSON,
    st.fixed_dictionaries(
        {
            "type": st.one_of(
                st.sampled_from(
                    ["children", "search", "preview", "count", "refresh", "page", "sort", "cancel", "seen"]
                ),
                JSON,
            )
        },
        optional={
            "id": JSON,
            "path": st.one_of(
                JSON,
                st.lists(st.sampled_from(["memory", "main", "t", "temp", "system", "a.b", "/etc/passwd"]), max_size=4),
            ),
            "text": JSON,
            "page": JSON,
            "again": JSON,
            "view": JSON,
            "start": JSON,
            "rows": JSON,
            "filters": JSON,
            "sort": JSON,
        },
    ),
)


def test_any_message_of_a_front_end(notebook, capsys):
    notebook.variables.update(variables())
    notebook.sql("CREATE TABLE t AS SELECT range AS a, repeat('x', 1000) AS b FROM range(100)")
    tree = CatalogTree(notebook.magics.session.use())
    grid = notebook.sql("FROM t", "--grid").value
    notebook.sql("SELECT count(*) FROM range(1)", "--background -o job")
    outputs = [output.output() for output in notebook.magics.on_screen._open]
    handlers = [catalog_tree.Tree(tree), grid, *outputs]
    handlers = [handler for handler in handlers if hasattr(handler, "_on_message")]
    assert len(handlers) >= 2

    @generated
    @given(st.sampled_from(range(len(handlers))), MESSAGES)
    def one(at, message):
        with Watch((at, message)):
            check(lambda: handlers[at]._on_message(None, message, []), capsys)

    assert for_a_while(one) > 0
    assert notebook.sql("SELECT count(*) AS n FROM t").value.n.tolist() == [100]


def test_any_text_is_scrubbed_in_time():
    @generated
    @given(st.lists(TEXTS, max_size=30), st.integers(1, 3000))
    def one(parts, times):
        text = "".join(parts) * times
        with Watch(text[:200]):
            shown = scrub(text, [*tokens_in(text), *secrets_typed(text, text)])
            assert TOKEN not in shown
            assert f"u:{PASSWORD}@" not in shown

    assert for_a_while(one) > 0
