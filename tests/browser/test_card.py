"""The sign-in card in a real JupyterLab: what a person sees, clicks and types, and what stays in the notebook."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import EMAIL
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Notebook
    from md_standin.service import Service
    from playwright.sync_api import BrowserContext, Locator

pytestmark = pytest.mark.browser

# The card by itself: a token is checked as a session checks it, by connecting.
SETUP = """
from md_magic import credentials, signin, widgets
from md_magic.errors import SignInError
from md_magic.login import Login

def check(token):
    import duckdb
    try:
        duckdb.connect("md:my_db", config={"motherduck_token": token.secret.reveal()}).close()
    except duckdb.Error as error:
        raise SignInError("MotherDuck did not accept the token.") from error

def sign_in(**more):
    where = widgets.host(get_ipython())
    return signin.sign_in(where, start=more.pop("start", Login), check=check, **more)
"""
SIGN_IN = "token = sign_in()\ntoken.account, token.source"


def card(notebook: Notebook, index: int = 1) -> Locator:
    found = notebook.cell(index).locator(".md-signin")
    expect(found.get_by_role("link")).to_be_visible(timeout=15_000)
    expect(found.get_by_role("button", name="Cancel")).to_be_visible()
    return found


def nothing_stays(notebook: Notebook, *, secrets: tuple[str, ...] = ()) -> None:
    """Assert that neither the card nor a token, nor a part of it, is in the saved notebook; nor any widget's state."""
    saved = notebook.save()
    assert "auth.motherduck.com" not in saved
    assert "widget-view" not in saved
    states = json.loads(saved)["metadata"].get("widgets", {}).values()  # the manager writes an empty one
    assert not [state["state"] for state in states if state["state"]]
    assert not [part for secret in secrets for part in secret.split(".") if part in saved]


def no_child_stays(motherduck: Service) -> None:
    pids = [line["pid"] for line in motherduck.recorded("login")]
    deadline = time.monotonic() + 5
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < deadline, "The login child lives on."
        time.sleep(0.05)


def test_approving_in_a_second_tab(
    motherduck: Service, notebook: Callable[..., Notebook], context: BrowserContext
) -> None:
    book = notebook(SETUP, SIGN_IN, "1 + 1")
    book.run(0)
    book.start(1)
    with context.expect_page() as opened:
        card(book).get_by_role("link").click()
    with opened.value as page:
        page.get_by_role("button", name="Confirm").click()
        expect(page.get_by_role("heading")).to_have_text("Congratulations, you're all set!")
    assert EMAIL in book.wait(1)
    assert "web login" in book.text(1)
    assert book.run(2) == "2"
    account = motherduck.find_account(EMAIL)
    assert account is not None
    nothing_stays(book, secrets=(account.token,))
    no_child_stays(motherduck)


def test_denying(motherduck: Service, notebook: Callable[..., Notebook], context: BrowserContext) -> None:
    book = notebook(SETUP, SIGN_IN)
    book.run(0)
    book.start(1)
    with context.expect_page() as opened:
        card(book).get_by_role("link").click()
    with opened.value as page:
        page.get_by_role("button", name="Deny").click()
        expect(page.get_by_role("heading")).to_have_text("Denied")  # to close in mid-request can hang Playwright
    assert "denied on MotherDuck's page" in book.wait(1)
    nothing_stays(book)
    no_child_stays(motherduck)


@pytest.mark.parametrize("way", ["button", "keyboard", "interrupt"])
def test_cancelling(motherduck: Service, notebook: Callable[..., Notebook], way: str) -> None:
    book = notebook(SETUP, SIGN_IN, "1 + 1")
    book.run(0)
    book.start(1)
    button = card(book).get_by_role("button", name="Cancel")
    if way == "button":
        button.click()
    elif way == "keyboard":
        button.focus()
        book.page.keyboard.press("Enter")
    else:
        book.interrupt()
    assert ("was interrupted" if way == "interrupt" else "was cancelled") in book.wait(1, 8)
    assert book.run(2) == "2"
    nothing_stays(book)
    no_child_stays(motherduck)


def test_the_time_is_up(motherduck: Service, notebook: Callable[..., Notebook]) -> None:
    book = notebook(SETUP, "sign_in(start=lambda: Login(timeout=3))")
    book.run(0)
    assert "Nobody signed in to MotherDuck within 3 seconds" in book.run(1, 15)
    nothing_stays(book)
    no_child_stays(motherduck)


def test_pasting_a_token_that_is_refused_and_one_that_is_not(
    motherduck: Service, notebook: Callable[..., Notebook], tmp_path: Path
) -> None:
    account = motherduck.find_account(EMAIL)
    assert account is not None
    wrong = f"{account.token[:-5]}wrong"
    book = notebook(SETUP, SIGN_IN)
    book.run(0)
    book.start(1)
    shown = card(book)
    shown.get_by_text("Use a token instead").click()
    for token in (wrong, account.token):
        field = shown.get_by_label("MotherDuck token")
        field.fill(token)
        field.press("Enter")
        if token == wrong:
            expect(shown.get_by_role("status")).to_have_text("MotherDuck did not accept the token.")
            expect(shown.get_by_role("button", name="Try again")).to_be_visible()
            expect(field).to_have_value("")
            book.page.screenshot(path=Path(os.environ.get("SCREENSHOTS", tmp_path)) / "signin refused.png")
    assert "typed" in book.wait(1)
    nothing_stays(book, secrets=(account.token, wrong))
    no_child_stays(motherduck)


def test_trying_again_starts_another_login(motherduck: Service, notebook: Callable[..., Notebook]) -> None:
    book = notebook(SETUP, SIGN_IN)
    book.run(0)
    book.start(1)
    shown = card(book)
    shown.get_by_text("Use a token instead").click()
    shown.get_by_label("MotherDuck token").fill("no.such.token")
    shown.get_by_role("button", name="Use token").click()
    shown.get_by_role("button", name="Try again").click()
    motherduck.approve(motherduck.wait_for_login(), EMAIL)
    assert "web login" in book.wait(1)


def test_being_remembered(motherduck: Service, notebook: Callable[..., Notebook]) -> None:
    remember = "token = sign_in(remember=credentials.remember if credentials.keyring_works() else None)"
    book = notebook(SETUP, remember, "credentials.find(environ={})")
    book.run(0)
    book.start(1)
    card(book).get_by_label("Remember me on this computer").check()
    motherduck.approve(motherduck.wait_for_login(), EMAIL)
    book.wait(1)
    book.restart()
    book.run(0)
    assert "source='keyring'" in book.run(2)


@pytest.mark.usefixtures("motherduck")
@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_it_follows_the_theme(notebook: Callable[..., Notebook], theme: str, tmp_path: Path) -> None:
    book = notebook(SETUP, "sign_in(reason='Your token has expired.', remember=print)")
    book.command("apputils:change-theme", theme=theme)
    book.run(0)
    book.start(1)
    shown = card(book)
    shown.get_by_text("Use a token instead").click()
    colours = shown.evaluate("e => { const s = getComputedStyle(e); return [s.color, s.backgroundColor] }")
    text, background = (sum(map(float, colour.strip("rgba()").split(",")[:3])) for colour in colours)
    assert (text < background) is (theme == "JupyterLab Light")
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
    book.page.screenshot(path=folder / f"signin {theme.split()[1].lower()}.png")
    book.interrupt()
    book.wait(1)


def test_a_kernel_that_does_not_listen_is_interrupted(motherduck: Service, notebook: Callable[..., Notebook]) -> None:
    """Without its override ipykernel 7.4 behaves as ipykernel 6: no message arrives while the cell runs."""
    book = notebook(SETUP + "widgets.listen_while_busy = lambda comm: None", SIGN_IN, "1 + 1")
    book.run(0)
    book.start(1)
    shown = card(book)
    expect(shown.get_by_text("Use a token instead")).to_be_hidden()
    assert "user_code=" in book.text(1)  # the link as text, for a screen without the card
    shown.get_by_role("button", name="Cancel").click()
    assert "was interrupted" in book.wait(1, 8)
    assert book.run(2) == "2"
    nothing_stays(book)
    no_child_stays(motherduck)


def test_a_first_message_that_is_lost_is_said_again(motherduck: Service, notebook: Callable[..., Notebook]) -> None:
    """JupyterLab can send it before it has made the subshell, so that a kernel that is busy in the cell never hears."""
    deaf = """
heard = signin._Card._heard
def deaf(self, widget, content, buffers, lost=[]):
    if lost or content.get("type") != "hello":
        heard(self, widget, content, buffers)
    lost.append(content)
signin._Card._heard = deaf
"""
    book = notebook(SETUP + deaf, SIGN_IN)
    book.run(0)
    book.start(1)
    card(book).get_by_text("Use a token instead").click()
    card(book).get_by_role("button", name="Cancel").click()
    assert "was cancelled" in book.wait(1, 8)
    no_child_stays(motherduck)


def test_run_all_goes_on_after_the_login(motherduck: Service, notebook: Callable[..., Notebook]) -> None:
    query = "import duckdb\nduckdb.connect('md:', config={'motherduck_token': token.secret.reveal()}).sql('FROM owner')"
    book = notebook(SETUP, "token = sign_in()", query)
    book.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")
    motherduck.approve(motherduck.wait_for_login(20), EMAIL)
    assert EMAIL in book.wait(2)
    nothing_stays(book)
