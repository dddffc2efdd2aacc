"""What MotherDuck tells of itself, on the stand-in: who is signed in, what runs, what a query took, and repairs."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest

from md_magic.display import host
from md_magic.errors import OptionError, QueryTimeout, StatementError
from tests.motherduck.standin import texts
from tests.motherduck.test_cells import ann, cells, shell  # noqa: F401 - fixtures
from tests.shell.test_completion import Typing

if TYPE_CHECKING:
    from tests.motherduck.standin.service import Account, Service
    from tests.motherduck.test_cells import Cells

WRONG = "SELECT id,\n       nam\nFROM ducks"
LEFT = "11111111-2222-4333-8444-555555555555"


@pytest.fixture(autouse=True)
def _signed_in(motherduck: Service, ann: Account, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    assert motherduck.folder
    monkeypatch.setenv("motherduck_token", ann.token)


@pytest.fixture
def attended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a person in front of the shell."""
    monkeypatch.setattr(host, "host", lambda _shell: "terminal")


@pytest.fixture
def slow(cells: Cells) -> Cells:  # noqa: F811
    """Have every cell count as slow, so that it gets a status line."""
    cells.shell.run_line_magic("config", "MdsqlMagics.progress_after = 0")
    return cells


def status(cells: Cells) -> str:  # noqa: F811
    """Return the status line of the last cell."""
    return next(line for line in cells.printed.splitlines() if " · md:my_db" in line)


# --whoami


def test_whoami_has_what_the_service_says_beside_the_token(cells: Cells, ann: Account) -> None:  # noqa: F811
    cells.sql("md:my_db")
    assert cells.whoami() == {
        "account": ann.email,
        "kind": "read/write",
        "expires": "never, or not said",
        "source": "environment motherduck_token",
        "user": ann.email,
        "organisation": "stand_in",
        "region": "aws-eu-central-1",
        "token": "notebooks",
        "token_expires": "never",
    }


def test_whoami_has_the_expiry_that_the_service_knows(
    motherduck: Service,
    cells: Cells,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    account = motherduck.add_account("ann@example.com", days=30)
    monkeypatch.setenv("motherduck_token", account.token)
    cells.sql("md:my_db")
    row = cells.whoami()
    assert row["token_expires"] == row["expires"]


def test_whoami_opens_nothing_to_ask(motherduck: Service, cells: Cells) -> None:  # noqa: F811
    assert list(cells.whoami()) == ["account", "kind", "expires", "source"]
    assert not motherduck.recorded("connect")


@pytest.mark.parametrize("mood", ["missing", "forbidden"])
def test_whoami_is_silent_where_the_account_may_not_ask(motherduck: Service, cells: Cells, mood: str) -> None:  # noqa: F811
    motherduck.be(**{mood: ["md_access_tokens"]})
    cells.sql("md:my_db")
    assert list(cells.whoami())[4:] == ["user", "organisation", "region"]
    motherduck.be(**{mood: ["md_access_tokens", "md_user_info"]})
    cells.run("%mdsql --close-all")
    cells.sql("md:my_db")
    assert list(cells.whoami())[4:] == []


def test_whoami_answers_while_the_service_is_away(motherduck: Service, cells: Cells, ann: Account) -> None:  # noqa: F811
    cells.sql("md:my_db")
    motherduck.be(down=True)
    assert cells.whoami()["account"] == ann.email


def test_whoami_says_that_nobody_is_signed_in(cells: Cells, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.delenv("motherduck_token")
    assert cells.run("%mdsql --whoami") is None
    assert cells.printed.startswith("Nobody is signed in to MotherDuck. `%mdsql --login` signs in here; or set the")


# --running and --stop


def test_what_a_dead_kernel_left_is_listed_and_stopped(motherduck: Service, cells: Cells, ann: Account) -> None:  # noqa: F811
    motherduck.begin_running(ann, LEFT, f"CREATE TABLE t AS SELECT '{ann.token}' AS t")
    frame = cells.run("%mdsql md:my_db --running")
    assert list(frame.columns) == ["id", "query", "stage", "elapsed", "client"]
    [row] = frame.to_dict("records")
    assert (row["id"], row["stage"]) == (LEFT, "EXECUTING")
    assert row["query"] == "CREATE TABLE t AS SELECT '***' AS t"
    assert 0 <= row["elapsed"] < 60
    cells.run(f"%mdsql --stop {LEFT[:6]}")
    assert cells.printed == f"{LEFT} was stopped. Its transaction is rolled back.\n"
    assert motherduck.is_interrupted(LEFT)
    assert cells.run("%mdsql --running").empty


def test_another_account_s_queries_are_not_ours(motherduck: Service, cells: Cells) -> None:  # noqa: F811
    motherduck.begin_running(motherduck.add_account("bob@example.com"), LEFT, "SELECT 1")
    assert cells.run("%mdsql md:my_db --running").empty
    error = cells.run(f"%mdsql --stop {LEFT}")
    assert isinstance(error, OptionError)
    assert str(error) == f"--stop {LEFT}: no query with this id is running. Running: none."
    assert not motherduck.is_interrupted(LEFT)


def test_an_id_that_is_not_one_query_names_those_that_run(motherduck: Service, cells: Cells, ann: Account) -> None:  # noqa: F811
    for last in "56":
        motherduck.begin_running(ann, LEFT[:-1] + last, "SELECT\n  1")
    assert "2 ids begin with it" in str(cells.run("%mdsql md:my_db --stop 1111"))
    error = str(cells.run(f"%mdsql --stop {LEFT[:-1]}7"))
    assert f"{LEFT} (SELECT 1)" in error
    assert "Did you mean 1111" in error
    assert not motherduck.recorded("interrupt")


def test_stopping_twice_says_that_nothing_runs(motherduck: Service, cells: Cells, ann: Account) -> None:  # noqa: F811
    motherduck.begin_running(ann, LEFT, "SELECT 1")
    cells.run(f"%mdsql md:my_db --stop {LEFT}")
    assert "no query with this id is running" in str(cells.run(f"%mdsql --stop {LEFT}"))


@pytest.mark.parametrize("mood", ["missing", "forbidden"])
def test_running_is_a_sentence_where_the_account_may_not_ask(motherduck: Service, cells: Cells, mood: str) -> None:  # noqa: F811
    motherduck.be(**{mood: ["md_active_server_connections", "md_interrupt_server_connection"]})
    assert cells.run("%mdsql md:my_db --running") is None
    assert cells.printed == "MotherDuck does not tell this account what runs.\n"
    cells.run(f"%mdsql --stop {LEFT}")
    assert cells.printed == f"MotherDuck does not let this account stop queries: {LEFT} was not stopped.\n"


@pytest.mark.parametrize("line", ["--running", f"--stop {LEFT}"])
def test_another_database_is_a_sentence(cells: Cells, line: str) -> None:  # noqa: F811
    for target in ("duckdb:///:memory:", "sqlite://"):
        error = cells.run(f"%mdsql {target} {line}")
        assert isinstance(error, StatementError)
        assert "ask MotherDuck what runs for an account, and " + target in str(error)


def test_running_leaves_a_transaction_alone(cells: Cells) -> None:  # noqa: F811
    cells.sql("md:my_db", "BEGIN")
    cells.sql("", "CREATE TABLE mine AS SELECT 1 AS i")
    cells.run("%mdsql --running")
    cells.run("%mdsql --whoami")
    cells.sql("", "ROLLBACK")
    assert "mine does not exist" in str(cells.sql("", "FROM mine"))


def test_a_question_that_hangs_can_be_stopped(motherduck: Service, cells: Cells) -> None:  # noqa: F811
    cells.sql("md:my_db")
    motherduck.be(slow=["md_active_server_connections"])
    threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    began = time.monotonic()
    error = cells.run("%mdsql --running")
    assert isinstance(error, KeyboardInterrupt)
    assert time.monotonic() - began < 5
    motherduck.be(slow=[])
    assert cells.run("%mdsql --running").empty


def test_a_lost_connection_is_an_error_and_the_next_cell_connects(motherduck: Service, cells: Cells) -> None:  # noqa: F811
    cells.sql("md:my_db")
    motherduck.be(down=True)
    assert type(cells.run("%mdsql --running")).__name__ == "ConnectionLost"
    motherduck.be(down=False)
    assert cells.email() == "ann@example.com"


def test_ids_that_were_listed_complete(motherduck: Service, cells: Cells, ann: Account) -> None:  # noqa: F811
    motherduck.begin_running(ann, LEFT, "SELECT 1")
    tab = Typing(cells.shell)
    assert tab("%mdsql --stop 11|") == []
    cells.run("%mdsql md:my_db --running")
    assert tab("%mdsql --stop 11|") == [LEFT]


# The status line


def test_a_slow_cell_says_what_its_query_took(slow: Cells) -> None:
    slow.sql("md:my_db", "SELECT 42")
    pattern = r"1 row × 1 column · \S+ \S+ · md:my_db · waited 250 ms · 2\.0 MB up, 31 MB down · query [0-9a-f-]{36}"
    assert re.fullmatch(pattern, status(slow)), status(slow)


def test_a_quick_cell_and_a_quiet_one_ask_nothing(motherduck: Service, cells: Cells) -> None:  # noqa: F811
    motherduck.be(forbidden=["md_last_query_id"])
    cells.sql("md:my_db", "SELECT 42")
    cells.shell.run_line_magic("config", "MdsqlMagics.progress_after = 0")
    cells.sql("--quiet", "SELECT 42")
    assert not motherduck.recorded("refused")
    cells.sql("", "SELECT 42")
    assert motherduck.recorded("refused")


@pytest.mark.parametrize(
    "mood",
    [
        {"missing": ["md_information_schema.recent_queries"]},
        {"forbidden": ["recent_queries"]},
        {"forbidden": ["md_last_query_id"]},
        {"missing": ["md_last_query_id"]},
        {"slow": ["recent_queries"]},
        {"slow": ["md_last_query_id"]},
    ],
    ids=str,
)
def test_the_status_is_as_ever_where_the_account_may_not_ask(motherduck: Service, slow: Cells, mood: dict) -> None:
    motherduck.be(**mood)
    began = time.monotonic()
    assert slow.sql("md:my_db", "SELECT 42").shape == (1, 1)
    assert time.monotonic() - began < 10  # the stand-in would wait for 30 s
    assert status(slow).endswith("s · md:my_db")
    assert slow.email() == "ann@example.com"


def test_nothing_is_asked_in_a_transaction_nor_while_a_stream_is_open(slow: Cells) -> None:
    slow.sql("md:my_db", "BEGIN")
    slow.sql("", "SELECT 42")
    assert status(slow).endswith("s · md:my_db")
    slow.sql("", "ROLLBACK")
    reader = slow.sql("--as reader", "SELECT i FROM range(300000) t(i)")
    assert status(slow).endswith("s · md:my_db")
    assert reader.read_all().num_rows == 300_000


# --browse


def test_browse_shows_what_can_be_attached_and_what_is_broken(motherduck: Service, cells: Cells) -> None:  # noqa: F811
    url = motherduck.share("eggs")
    motherduck.be(detached=["archive"], broken={"lost_share": "the share was dropped", "my_db": "the key is gone"})
    cells.run("%mdsql md: --browse")
    lines = [line.strip() for line in cells.printed.splitlines()]
    assert f"eggs  not attached · of zoe@example.com · ATTACH '{url}' AS \"eggs\"" in lines
    assert "archive  not attached · ATTACH 'md:archive'" in lines
    assert "lost_share  broken: the share was dropped" in lines
    assert any(line.startswith("my_db  broken: the key is gone") for line in lines)
    cells.sql("", f"ATTACH '{url}' AS mine")
    cells.run("%mdsql --browse")
    assert url not in cells.printed
    assert any(line.startswith("mine") for line in map(str.strip, cells.printed.splitlines()))


@pytest.mark.parametrize("mood", ["missing", "forbidden"])
def test_browse_is_silent_where_the_account_may_not_ask(motherduck: Service, cells: Cells, mood: str) -> None:  # noqa: F811
    motherduck.share("eggs")
    functions = ["md_all_databases", "md_attached_databases", "md_information_schema.shared_with_me"]
    motherduck.be(**{mood: functions})
    cells.run("%mdsql md:my_db --browse")
    assert "sample_data" in cells.printed
    assert "eggs" not in cells.printed


# --fix


@pytest.mark.usefixtures("attended")
def test_fix_explains_first_and_then_shows_a_difference(
    motherduck: Service,
    cells: Cells,  # noqa: F811
) -> None:
    motherduck.be(fix_line=(2, "       name"))
    assert isinstance(cells.sql("md:my_db", WRONG), StatementError)
    assert cells.run("%mdsql --fix") is None
    assert "billed to the account" in cells.printed
    assert "through md:my_db: the SQL of the cell that failed (32 characters)" in cells.printed
    assert not motherduck.recorded("model")
    repair = cells.run("%mdsql --fix")
    assert repair.diff == [
        "--- the failed cell",
        "+++ suggested",
        "@@ -1,3 +1,3 @@",
        " SELECT id,",
        "-       nam",
        "+       name",
        " FROM ducks",
    ]
    [asked] = motherduck.recorded("model")
    assert asked["sql"].startswith(f"CALL prompt_fix_line('{WRONG}', error='Binder Error: Referenced column \"nam\"")
    assert "\n-       nam\n+       name\n" in cells.printed
    drawn, _ = cells.shell.display_formatter.format(repair)
    assert "<span class='added'>+       name</span>" in drawn["text/html"]


@pytest.mark.usefixtures("attended")
def test_fix_asks_for_the_whole_where_one_line_changes_nothing(
    motherduck: Service,
    cells: Cells,  # noqa: F811
) -> None:
    motherduck.be(fix_line=(2, "       nam"), fixup="SELECT id, name FROM ducks")
    cells.sql("md:my_db", WRONG)
    cells.run("%mdsql --fix")
    assert cells.run("%mdsql --fix").repaired == "SELECT id, name FROM ducks"
    motherduck.be(missing=["prompt_fix_line"])
    cells.run("%mdsql --close-all")
    cells.sql("md:my_db", WRONG)
    assert cells.run("%mdsql --fix").repaired == "SELECT id, name FROM ducks"


@pytest.mark.usefixtures("attended")
def test_a_model_without_an_idea_says_so(motherduck: Service, cells: Cells) -> None:  # noqa: F811
    motherduck.be(fix_line=(9, "x"), fixup=WRONG)
    cells.sql("md:my_db", WRONG)
    cells.run("%mdsql --fix")
    assert cells.run("%mdsql --fix").diff == []
    assert "suggests no change. Nothing was run." in cells.printed


@pytest.mark.usefixtures("attended")
def test_what_the_model_says_is_shown_as_text(motherduck: Service, cells: Cells) -> None:  # noqa: F811
    motherduck.be(fix_line=(2, "<script>alert(1)</script>\x1b[31m"))
    cells.sql("md:my_db", WRONG)
    cells.run("%mdsql --fix")
    repair = cells.run("%mdsql --fix")
    drawn, _ = cells.shell.display_formatter.format(repair)
    assert "<script>" not in drawn["text/html"]
    assert "\x1b" not in drawn["text/html"] + drawn["text/plain"] + cells.printed


@pytest.mark.parametrize("mood", ["missing", "forbidden"])
@pytest.mark.usefixtures("attended")
def test_fix_is_a_sentence_where_the_account_may_not_ask(
    motherduck: Service,
    cells: Cells,  # noqa: F811
    mood: str,
) -> None:
    motherduck.be(**{mood: ["prompt_fix_line", "prompt_fixup"]})
    cells.sql("md:my_db", WRONG)
    cells.run("%mdsql --fix")
    assert cells.run("%mdsql --fix") is None
    assert "does not let this account use its model" in cells.printed


@pytest.mark.usefixtures("attended")
def test_no_secret_reaches_the_model(motherduck: Service, cells: Cells, ann: Account) -> None:  # noqa: F811
    cells.sql("md:my_db", f"SELECT '{ann.token}' AS t, nam FROM ducks")
    cells.run("%mdsql --fix")
    repair = cells.run("%mdsql --fix")
    sent = str(motherduck.recorded("model")) + repair.sql
    assert sent.count("'***'") >= 1
    assert [part for part in ann.token.split(".") if part in sent] == []


@pytest.mark.usefixtures("attended")
def test_fix_after_no_error_and_on_another_database(cells: Cells) -> None:  # noqa: F811
    assert "none has failed in this kernel" in str(cells.run("%mdsql --fix"))
    cells.sql("duckdb:///:memory:", "SELECT nam FROM ducks")
    error = cells.run("%mdsql --fix")
    assert isinstance(error, StatementError)
    assert "On MotherDuck it could ask MotherDuck's model; duckdb:///:memory: has none." in str(error)
    cells.sql("md:my_db", WRONG)
    cells.run("%mdsql --close")
    assert "md:my_db, where the last query failed, is closed." in str(cells.run("%mdsql --fix"))


def test_a_batch_sends_nothing(motherduck: Service, cells: Cells) -> None:  # noqa: F811
    cells.sql("md:my_db", WRONG)
    for _ in range(2):
        assert "needs a person who agrees" in str(cells.run("%mdsql --fix"))
    assert not motherduck.recorded("model")


@pytest.mark.usefixtures("attended")
def test_fix_leaves_a_failed_transaction_alone(motherduck: Service, cells: Cells) -> None:  # noqa: F811
    cells.sql("md:my_db", "BEGIN")
    cells.sql("", WRONG)
    cells.run("%mdsql --fix")
    assert cells.run("%mdsql --fix").diff
    assert motherduck.recorded("model")
    assert cells.run("%mdsql --connections")["state"].tolist() == ["in transaction"]


def test_a_token_that_was_revoked_asks_for_another(
    motherduck: Service,
    cells: Cells,  # noqa: F811
    ann: Account,  # noqa: F811
) -> None:
    cells.sql("md:my_db")
    motherduck.revoke(ann)
    error = cells.run("%mdsql --running")
    assert type(error).__name__ == "SignInRequired"
    assert texts.UNAUTHENTICATED.rstrip(".") in "".join(error.__notes__)
    assert not isinstance(error, QueryTimeout)
