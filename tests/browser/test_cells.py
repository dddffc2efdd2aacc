"""Signing in to MotherDuck from `%%mdsql` cells in a real JupyterLab: what a person does, and what the notebook keeps."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import EMAIL
from tests.browser.test_card import SIGN_IN_PAGE, card, no_child_stays, nothing_stays

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import BrowserContext

    from tests.browser.conftest import Notebook
    from tests.motherduck.standin.service import Account, Service

pytestmark = pytest.mark.browser

LOAD = "%load_ext md_magic"
OWNER = "%%mdsql md:my_db\nSELECT email FROM owner"
PICTURES = os.environ.get("SCREENSHOTS")


@pytest.fixture
def account(motherduck: Service) -> Account:
    found = motherduck.find_account(EMAIL)
    assert found is not None
    return found


@pytest.fixture
def picture(tmp_path: Path) -> Callable[[Notebook, str], None]:
    def take(book: Notebook, name: str) -> None:
        book.page.screenshot(path=Path(PICTURES or tmp_path) / f"{name}.png")

    return take


def test_approving_runs_the_cell(
    motherduck: Service,
    account: Account,
    notebook: Callable[..., Notebook],
    context: BrowserContext,
    picture: Callable[[Notebook, str], None],
) -> None:
    book = notebook(LOAD, OWNER, "%mdsql --whoami")
    book.run(0)
    book.start(1)
    link = card(book).get_by_role("link", name=SIGN_IN_PAGE)
    picture(book, "cell waiting")
    with context.expect_page() as opened:
        link.click()
    with opened.value as page:
        page.get_by_role("button", name="Confirm").click()
        expect(page.get_by_role("heading")).to_have_text("Congratulations, you're all set!")
    assert EMAIL in book.wait(1)
    assert [output["output_type"] for output in book.outputs(1)] == ["execute_result"]
    assert "web login" in book.run(2)
    picture(book, "cell signed in")
    nothing_stays(book, secrets=(account.token,))
    no_child_stays(motherduck)


def test_denying_and_then_cancelling_end_the_cell_with_one_error(
    motherduck: Service, notebook: Callable[..., Notebook], picture: Callable[[Notebook, str], None]
) -> None:
    book = notebook(LOAD, OWNER, "%mdsql duckdb:///:memory: SELECT 42 AS answer")
    book.run(0)
    book.start(1)
    card(book)
    motherduck.deny(motherduck.wait_for_login())
    assert "denied on MotherDuck's page" in book.wait(1)
    assert [output["output_type"] for output in book.outputs(1)] == ["error"]
    picture(book, "cell denied")
    book.start(1)
    card(book).get_by_role("button", name="Cancel").click()
    assert "was cancelled" in book.wait(1, 8)
    assert [output["output_type"] for output in book.outputs(1)] == ["error"]
    assert "42" in book.run(2)
    nothing_stays(book)
    no_child_stays(motherduck)


def test_nobody_answers(motherduck: Service, notebook: Callable[..., Notebook]) -> None:
    book = notebook(f"{LOAD}\nimport md_magic.auth.login as l\nl.Login.__init__.__kwdefaults__['timeout'] = 3", OWNER)
    book.run(0)
    assert "Nobody signed in to MotherDuck within 3 seconds" in book.run(1, 15)
    nothing_stays(book)
    no_child_stays(motherduck)


def test_a_refused_token_is_asked_for_again_and_another_is_pasted(
    motherduck: Service,
    account: Account,
    notebook: Callable[..., Notebook],
    picture: Callable[[Notebook, str], None],
) -> None:
    old = motherduck.add_account("old@example.com", days=-1)
    (motherduck.folder / "old.txt").write_text(old.token)
    settings = f"settings = {{'motherduck_token': open({str(motherduck.folder / 'old.txt')!r}).read()}}"
    book = notebook(f"{LOAD}\n{settings}", OWNER.replace("my_db", "my_db --config settings"))
    book.run(0)
    book.start(1)
    shown = card(book)
    expect(shown.get_by_text("did not accept the token from: config")).to_be_visible()
    picture(book, "cell refused")
    shown.get_by_label("MotherDuck token").fill(account.token)
    shown.get_by_role("button", name="Use token").click()
    assert EMAIL in book.wait(1)
    assert EMAIL in book.run(1)  # the refused token is still in the dict, and nobody is asked again
    nothing_stays(book, secrets=(account.token, old.token))
    no_child_stays(motherduck)


def test_being_remembered_and_forgotten(
    motherduck: Service, account: Account, notebook: Callable[..., Notebook]
) -> None:
    book = notebook(
        LOAD, OWNER, "print(get_ipython().run_line_magic('mdsql', '--whoami').source[0])", "%mdsql --logout"
    )
    book.run(0)
    book.start(1)
    card(book).get_by_label("Remember me on this computer").check()
    motherduck.approve(motherduck.wait_for_login(), EMAIL)
    assert EMAIL in book.wait(1)
    book.restart()
    book.run(0)
    assert EMAIL in book.run(1)
    assert book.run(2) == "keyring\n"
    assert "md:my_db was closed" in book.run(3)
    book.start(1)
    card(book).get_by_role("button", name="Cancel").click()
    book.wait(1, 8)
    nothing_stays(book, secrets=(account.token,))


def test_run_all_with_the_login_in_the_first_cell(
    motherduck: Service, account: Account, notebook: Callable[..., Notebook]
) -> None:
    book = notebook(f"{LOAD}\n%mdsql md:my_db", "%mdsql SELECT email FROM owner", "%mdsql SELECT 6 * 7 AS answer")
    book.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")
    motherduck.approve(motherduck.wait_for_login(), EMAIL)
    assert "42" in book.wait(2)
    assert EMAIL in book.text(1)
    assert len(motherduck.recorded("login")) == 1
    nothing_stays(book, secrets=(account.token,))
    no_child_stays(motherduck)
