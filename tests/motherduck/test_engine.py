"""`md_magic.engine` and `md_magic.sql` on MotherDuck: its own SQLAlchemy examples, signing in, and the token in no text."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
import sqlalchemy as sa
from sqlalchemy import orm, text

import md_magic
from md_magic.auth.secret import Secret
from md_magic.auth.token import Token
from md_magic.display import sign_in_card
from md_magic.errors import ConnectError, SignInRequired, UnknownDatabase
from tests.motherduck.standin.fixtures import PYTHONPATH
from tests.motherduck.standin.service import VARIABLE, digest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from IPython.core.interactiveshell import InteractiveShell

    from tests.motherduck.standin.service import Account, Service


@pytest.fixture
def ann(motherduck: Service) -> Account:
    return motherduck.add_account("ann@example.com")


@pytest.fixture
def signed_in(motherduck: Service, ip: InteractiveShell, ann: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    """Ann's token is in the environment, and the extension is loaded."""
    assert motherduck.folder
    monkeypatch.setenv("motherduck_token", ann.token)
    ip.run_line_magic("load_ext", "md_magic")
    return ann


@pytest.fixture
def engine(signed_in: Account) -> sa.Engine:
    assert signed_in.token
    return md_magic.engine("md:my_db")


# ---- MotherDuck's own examples, with `engine` in place of `create_engine("duckdb:///md:my_db")` -------------------------


def test_querying_with_text(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        result = connection.execute(text("show databases"))
        names = [row[0] for row in result]
    assert {"my_db", "sample_data"} <= set(names)


def test_reading_and_writing_frames(engine: sa.Engine) -> None:
    pd.DataFrame({"name": ["Ann", "Bob"], "age": [30, 40]}).to_sql(
        "items", con=engine, index=False, if_exists="replace"
    )
    frame = pd.read_sql("SELECT * FROM items WHERE age > 35", engine)
    assert frame.to_dict("records") == [{"name": "Bob", "age": 40}]
    assert md_magic.sql("SELECT count(*) AS n FROM my_db.items", target="md:")["n"].tolist() == [2]


def test_reflecting_a_table(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE items (id INTEGER PRIMARY KEY, name VARCHAR NOT NULL)"))
    inspector = sa.inspect(engine)
    assert inspector.get_table_names() == ["ducks", "items"]
    metadata = sa.MetaData()
    metadata.reflect(bind=engine)
    table = metadata.tables["items"]
    assert [(column.name, str(column.type), column.primary_key) for column in table.columns] == [
        ("id", "INTEGER", True),
        ("name", "VARCHAR", False),
    ]


def test_an_orm_session(engine: sa.Engine) -> None:
    class Base(orm.DeclarativeBase):
        pass

    class Item(Base):
        __tablename__ = "items"
        id: orm.Mapped[int] = orm.mapped_column(sa.Integer, sa.Sequence("item_ids"), primary_key=True)
        name: orm.Mapped[str]

    Base.metadata.create_all(engine)
    with orm.Session(engine) as session:
        session.add_all([Item(name="one"), Item(name="two")])
        session.commit()
        assert session.query(Item).filter_by(name="two").one().id == 2


# ---- one service, one token ------------------------------------------------------------------------------------------


def test_it_is_the_instance_of_the_cells_with_their_token_and_parameters(
    motherduck: Service, signed_in: Account, ip: InteractiveShell
) -> None:
    ip.run_line_magic("mdsql", "--quiet md:my_db?session_name=u1 CREATE TABLE t AS SELECT 1 AS a")
    connected = motherduck.recorded("connect")
    assert pd.read_sql("SELECT a FROM t", md_magic.engine())["a"].tolist() == [1]
    assert md_magic.engine() is md_magic.engine("md:my_db?session_name=u1")
    assert motherduck.recorded("connect") == connected  # nothing connects anew
    assert connected[-1]["token"] == digest(signed_in.token)
    assert connected[-1]["parameters"]["session_name"] == "u1"


def test_a_second_account_has_an_engine_of_its_own(motherduck: Service, engine: sa.Engine) -> None:
    bob = motherduck.add_account("bob@example.com")
    other = md_magic.engine(f"duckdb:///md:my_db?motherduck_token={bob.token}")
    assert other is not engine
    owners = [pd.read_sql("SELECT email FROM owner", each)["email"][0] for each in (engine, other)]
    assert owners == ["ann@example.com", "bob@example.com"]
    assert bob.token not in f"{other!r} {other.url} {other.url.render_as_string(hide_password=False)}"


def test_the_token_is_in_no_text_of_the_engine(
    engine: sa.Engine, signed_in: Account, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        engine.echo = "debug"
        pd.DataFrame({"a": [1]}).to_sql("t", engine, index=False)
        sa.inspect(engine).get_columns("t")
        with pytest.raises(sa.exc.ProgrammingError) as caught, engine.connect() as connection:
            connection.execute(text("SELECT nope FROM t"))
        shown = [
            repr(engine),
            str(engine.url),
            engine.url.render_as_string(hide_password=False),
            repr(engine.url),
            repr(engine.pool),
            str(engine.pool.status()),
            repr(vars(engine)),
            repr(vars(engine.dialect)),
            str(caught.value),
            caplog.text,
        ]
    assert "CREATE TABLE t" in caplog.text
    parts = signed_in.token.split(".")
    assert not [each for each in shown if any(part in each for part in parts[1:])]


def test_closing_and_signing_out_make_it_say_so(engine: sa.Engine, ip: InteractiveShell) -> None:
    ip.run_line_magic("mdsql", "--close md:my_db")
    with pytest.raises(
        ConnectError, match=r"^md:my_db was closed, and this engine with it\. To go on, run `%mdsql md:my_db`"
    ):
        pd.read_sql("SELECT 1", engine)
    assert md_magic.engine("md:my_db") is engine
    assert pd.read_sql("SELECT email FROM owner", engine)["email"].tolist() == ["ann@example.com"]
    ip.run_line_magic("mdsql", "--logout")
    with pytest.raises(ConnectError, match="md:my_db was closed"):
        engine.connect()


def test_an_unknown_database_is_our_error(signed_in: Account) -> None:
    with pytest.raises(UnknownDatabase, match="my_dbb"):
        md_magic.engine("md:my_dbb")
    assert signed_in.token not in str(md_magic.engine("md:"))


# ---- signing in ------------------------------------------------------------------------------------------------------


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """Somebody who answers with the token in ANSWER; returns the reasons that were shown."""
    reasons: list[str | None] = []

    def sign_in(_where: object, *, check: Callable[[Token], object], reason: str | None, **_more: object) -> None:
        reasons.append(reason)
        check(Token.of(Secret(os.environ["ANSWER"]), "typed"))

    monkeypatch.setattr(sign_in_card, "sign_in", sign_in)
    return reasons


@pytest.mark.parametrize("call", ["engine", "sql"])
def test_the_card_is_shown_where_it_is_needed_and_the_current_target_stays(
    motherduck: Service,
    ip: InteractiveShell,
    ann: Account,
    person: list[str | None],
    monkeypatch: pytest.MonkeyPatch,
    call: str,
) -> None:
    assert motherduck.folder
    monkeypatch.setenv("ANSWER", ann.token)
    ip.run_line_magic("load_ext", "md_magic")
    md_magic.sql("CREATE TABLE here AS SELECT 1 AS a")
    calls: dict[str, Callable[[], Any]] = {
        "engine": lambda: pd.read_sql("SELECT email FROM owner", md_magic.engine("md:my_db")),
        "sql": lambda: md_magic.sql("SELECT email FROM owner", target="md:my_db"),
    }
    assert [calls[call]()["email"].tolist() for _ in range(2)] == [["ann@example.com"]] * 2
    assert person == [None]
    assert md_magic.sql("FROM here")["a"].tolist() == [1]


def test_a_token_that_is_refused_in_mid_session_asks_once_and_runs_then(
    motherduck: Service, signed_in: Account, person: list[str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    md_magic.sql("SELECT 1", target="md:my_db")
    motherduck.revoke(signed_in)
    bob = motherduck.add_account("bob@example.com")
    monkeypatch.setenv("ANSWER", bob.token)
    assert md_magic.sql("SELECT email FROM owner", target="md:my_db")["email"].tolist() == ["bob@example.com"]
    assert len(person) == 1
    assert "did not accept the token" in str(person[0])


def test_nobody_there_is_an_error_with_the_ways_and_no_login_starts(motherduck: Service, ip: InteractiveShell) -> None:
    ip.run_line_magic("load_ext", "md_magic")
    for call in (lambda: md_magic.engine("md:my_db"), lambda: md_magic.sql("SELECT 1", target="md:my_db")):
        with pytest.raises(SignInRequired, match=r"Nobody can sign in here.*Give a token"):
            call()
    assert motherduck.recorded("login") == []


# ---- a script --------------------------------------------------------------------------------------------------------

SCRIPT = """
import md_magic, pandas as pd
print(md_magic.sql("SELECT email FROM owner", target="md:my_db").email[0])
print(pd.read_sql("SELECT 42 AS a", md_magic.engine("md:my_db")).a[0])
"""


def environment(folder: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": PYTHONPATH, VARIABLE: str(folder), **more}


def test_a_script_with_a_token_in_its_environment(motherduck: Service, ann: Account) -> None:
    env = environment(motherduck.folder, motherduck_token=ann.token)
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=env, capture_output=True, text=True, timeout=300, check=False
    )
    assert (ran.stdout, ran.stderr) == ("ann@example.com\n42\n", "")


def test_a_script_without_a_person_is_told_the_ways(motherduck: Service) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=environment(motherduck.folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 1
    assert "SignInRequired: No MotherDuck token was found. Nobody can sign in here" in ran.stderr
    assert motherduck.recorded("login") == []


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_a_script_in_a_terminal_prints_link_and_code_beside_its_output(
    motherduck: Service, ann: Account, tmp_path: Path
) -> None:
    import pty  # not on Windows

    ours, terminal = pty.openpty()
    said = tmp_path / "said"
    with (
        said.open("w") as stderr,
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT],
            env=environment(motherduck.folder),
            stdin=terminal,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as script,
    ):

        def approve_when_asked() -> None:
            login = motherduck.wait_for_login(250)
            deadline = time.monotonic() + 30
            while "user_code" not in said.read_text() and time.monotonic() < deadline:
                time.sleep(0.05)
            motherduck.approve(login, ann.email)

        approve = threading.Thread(target=approve_when_asked)
        approve.start()
        output, _ = script.communicate(timeout=300)
        approve.join(30)
    os.close(ours)
    os.close(terminal)
    assert output == "ann@example.com\n42\n"
    assert re.search(
        r"Sign in to MotherDuck: https://auth\.motherduck\.com/activate\?user_code=\w{4}-\w{4}", said.read_text()
    )
    assert "Signed in to MotherDuck as ann@example.com." in said.read_text()
    assert ann.token not in said.read_text()


def test_an_engine_survives_a_connection_that_was_lost_and_made_again(
    motherduck: Service, engine: sa.Engine, ip: InteractiveShell
) -> None:
    ip.run_line_magic("mdsql", "--quiet md:my_db SELECT 1")
    motherduck.be(down=True)
    ip.run_cell("%mdsql --quiet SELECT 1")
    motherduck.be(down=False)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if ip.run_cell("%mdsql --quiet SELECT 1").success:
            break
    assert pd.read_sql("SELECT email FROM owner", engine)["email"].tolist() == ["ann@example.com"]
