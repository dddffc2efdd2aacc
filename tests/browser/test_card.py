"""The sign-in card in a real JupyterLab: what a person sees, clicks and types, and what stays in the notebook."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import EMAIL
from tests.motherduck.standin import texts

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import BrowserContext, Locator

    from tests.browser.conftest import Notebook
    from tests.motherduck.standin.service import Service

pytestmark = pytest.mark.browser

# The card by itself: a token is checked as a session checks it, by connecting.
SETUP = """
from md_magic.auth import credentials
from md_magic.display import host, sign_in_card
from md_magic.errors import SignInError
from md_magic.auth.login import Login

def check(token):
    import duckdb
    try:
        duckdb.connect("md:my_db", config={"motherduck_token": token.secret.reveal()}).close()
    except duckdb.Error as error:
        raise SignInError("MotherDuck did not accept the token.") from error

def sign_in(**more):
    where = host.host(get_ipython())
    return sign_in_card.sign_in(where, start=more.pop("start", Login), check=check, **more)
"""
SIGN_IN = "token = sign_in()\ntoken.account, token.source"


SIGN_IN_PAGE = "Open MotherDuck's sign-in page"
TOKEN_PAGE = "https://app.motherduck.com/token-request?appName=md_magic"  # noqa: S105 - the address of a page
NO_CHILD = "import sys\nsys.executable = '/nowhere/python'\n"


def card(notebook: Notebook, index: int = 1, link: str = SIGN_IN_PAGE) -> Locator:
    shown = notebook.cell(index).locator(".md-signin")
    expect(shown.get_by_role("link", name=link)).to_be_visible(timeout=15_000)
    expect(shown.get_by_role("button", name="Cancel")).to_be_visible()
    return shown


def screenshot(notebook: Notebook, name: str, tmp_path: Path) -> None:
    notebook.page.screenshot(path=Path(os.environ.get("SCREENSHOTS", tmp_path)) / f"{name}.png")


def nothing_stays(notebook: Notebook, *, secrets: tuple[str, ...] = ()) -> None:
    """Assert that neither the card nor a token, nor a part of it, is in the saved notebook; nor any widget's state."""
    saved = notebook.save()
    assert "auth.motherduck.com" not in saved
    assert "token-request" not in saved
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
    assert book.run(0) == ""
    book.start(1)
    with context.expect_page() as opened:
        card(book).get_by_role("link", name=SIGN_IN_PAGE).click()
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
    assert book.run(0) == ""
    book.start(1)
    with context.expect_page() as opened:
        card(book).get_by_role("link", name=SIGN_IN_PAGE).click()
    with opened.value as page:
        page.get_by_role("button", name="Deny").click()
        expect(page.get_by_role("heading")).to_have_text("Denied")  # to close in mid-request can hang Playwright
    assert "denied on MotherDuck's page" in book.wait(1)
    nothing_stays(book)
    no_child_stays(motherduck)


@pytest.mark.parametrize("way", ["button", "keyboard", "interrupt"])
def test_cancelling(motherduck: Service, notebook: Callable[..., Notebook], way: str) -> None:
    book = notebook(SETUP, SIGN_IN, "1 + 1")
    assert book.run(0) == ""
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
    assert book.run(0) == ""
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
    assert book.run(0) == ""
    book.start(1)
    shown = card(book)
    expect(shown.get_by_role("link", name="Create a token")).to_have_attribute("href", TOKEN_PAGE)
    for token in (wrong, account.token):
        field = shown.get_by_label("MotherDuck token")
        field.fill(token)
        field.press("Enter")
        if token == wrong:
            expect(shown.get_by_role("status")).to_have_text("MotherDuck did not accept the token.")
            expect(shown.get_by_role("button", name="Try again")).to_be_visible()
            expect(field).to_have_value("")
            screenshot(book, "signin refused", tmp_path)
    assert "typed" in book.wait(1)
    nothing_stays(book, secrets=(account.token, wrong))
    no_child_stays(motherduck)


def test_trying_again_starts_another_login(motherduck: Service, notebook: Callable[..., Notebook]) -> None:
    book = notebook(SETUP, SIGN_IN)
    assert book.run(0) == ""
    book.start(1)
    shown = card(book)
    shown.get_by_label("MotherDuck token").fill("no.such.token")
    shown.get_by_role("button", name="Use token").click()
    shown.get_by_role("button", name="Try again").click()
    motherduck.approve(motherduck.wait_for_login(), EMAIL)
    assert "web login" in book.wait(1)


def test_being_remembered(motherduck: Service, notebook: Callable[..., Notebook]) -> None:
    remember = "token = sign_in(remember=credentials.remember if credentials.keyring_works() else None)"
    book = notebook(SETUP, remember, "credentials.find(environ={})")
    assert book.run(0) == ""
    book.start(1)
    card(book).get_by_label("Remember me on this computer").check()
    motherduck.approve(motherduck.wait_for_login(), EMAIL)
    book.wait(1)
    book.restart()
    assert book.run(0) == ""
    assert "source='keyring'" in book.run(2)


@pytest.mark.usefixtures("motherduck")
@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_it_follows_the_theme(notebook: Callable[..., Notebook], theme: str, tmp_path: Path) -> None:
    book = notebook(SETUP, "sign_in(reason='Your token has expired.', remember=print)")
    book.command("apputils:change-theme", theme=theme)
    assert book.run(0) == ""
    book.start(1)
    shown = card(book)
    expect(shown.get_by_label("MotherDuck token")).to_be_visible()
    colours = shown.evaluate("e => { const s = getComputedStyle(e); return [s.color, s.backgroundColor] }")
    text, background = (sum(map(float, colour.strip("rgba()").split(",")[:3])) for colour in colours)
    assert (text < background) is (theme == "JupyterLab Light")
    for name in (SIGN_IN_PAGE, "Create a token"):  # JupyterLab has colours of its own for links under the pointer
        link = shown.get_by_role("link", name=name)
        colour = link.evaluate("a => getComputedStyle(a).color")
        link.hover()
        assert link.evaluate("a => a.matches(':hover') && getComputedStyle(a).color") == colour
    screenshot(book, f"signin {theme.split()[1].lower()}", tmp_path)
    book.interrupt()
    book.wait(1)


def test_a_kernel_that_does_not_listen_is_interrupted(motherduck: Service, notebook: Callable[..., Notebook]) -> None:
    """Without its override ipykernel 7.4 behaves as ipykernel 6: no message arrives while the cell runs."""
    book = notebook(SETUP + "host.listen_while_busy = lambda comm: None", SIGN_IN, "1 + 1")
    assert book.run(0) == ""
    book.start(1)
    shown = card(book)
    expect(shown.get_by_role("link", name="Create a token")).to_be_hidden()
    expect(shown.get_by_label("MotherDuck token")).to_be_hidden()
    deadline = time.monotonic() + 15
    while "user_code=" not in book.text(1):  # the link as text, for a screen without the card
        assert time.monotonic() < deadline, book.text(1)
        time.sleep(0.05)
    shown.get_by_role("button", name="Cancel").click()
    assert "was interrupted" in book.wait(1, 8)
    assert book.run(2) == "2"
    nothing_stays(book)
    no_child_stays(motherduck)


def test_a_first_message_that_is_lost_is_said_again(motherduck: Service, notebook: Callable[..., Notebook]) -> None:
    """JupyterLab can send it before it has made the subshell, so that a kernel that is busy in the cell never hears."""
    deaf = """
heard = sign_in_card._Card._heard
def deaf(self, widget, content, buffers, lost=[]):
    if lost or content.get("type") != "hello":
        heard(self, widget, content, buffers)
    lost.append(content)
sign_in_card._Card._heard = deaf
"""
    book = notebook(SETUP + deaf, SIGN_IN)
    assert book.run(0) == ""
    book.start(1)
    expect(card(book).get_by_label("MotherDuck token")).to_be_visible()
    card(book).get_by_role("button", name="Cancel").click()
    assert "was cancelled" in book.wait(1, 8)
    no_child_stays(motherduck)


def test_a_token_from_motherduck_s_page_while_the_login_waits(
    motherduck: Service, notebook: Callable[..., Notebook], context: BrowserContext
) -> None:
    """The second way: a page that makes a token, and the field for it, which is open from the beginning."""
    account = motherduck.find_account(EMAIL)
    assert account is not None
    book = notebook(SETUP, SIGN_IN)
    book.run(0)
    book.start(1)
    shown = card(book)
    with context.expect_page() as opened:
        shown.get_by_role("link", name="Create a token").click()
    with opened.value as page:
        assert page.url == TOKEN_PAGE
        token = page.get_by_role("code").text_content()
    assert token == account.token
    shown.get_by_label("MotherDuck token").fill(token)
    shown.get_by_role("button", name="Use token").click()
    assert "typed" in book.wait(1)
    nothing_stays(book, secrets=(account.token,))
    no_child_stays(motherduck)


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_where_no_child_can_run_the_other_way_is_left(
    motherduck: Service, notebook: Callable[..., Notebook], theme: str, tmp_path: Path
) -> None:
    account = motherduck.find_account(EMAIL)
    assert account is not None
    book = notebook(SETUP + NO_CHILD, SIGN_IN)
    book.command("apputils:change-theme", theme=theme)
    book.run(0)
    book.start(1)
    shown = card(book, link="Create a token")
    expect(shown.get_by_role("status")).to_contain_text("could not be started")
    expect(shown.get_by_role("link", name=SIGN_IN_PAGE)).to_be_hidden()
    screenshot(book, f"signin token only {theme.split()[1].lower()}", tmp_path)
    field = shown.get_by_label("MotherDuck token")
    field.fill(account.token)
    field.press("Enter")
    assert "typed" in book.wait(1)
    nothing_stays(book, secrets=(account.token,))
    assert motherduck.recorded("login") == []


def test_cancelling_where_no_child_can_run(notebook: Callable[..., Notebook]) -> None:
    book = notebook(SETUP + NO_CHILD, SIGN_IN, "1 + 1")
    book.run(0)
    book.start(1)
    card(book, link="Create a token").get_by_role("button", name="Cancel").click()
    assert "was cancelled" in book.wait(1, 8)
    assert book.run(2) == "2"


def test_where_no_child_runs_and_the_card_is_not_heard_the_token_is_asked_for_as_input(
    motherduck: Service, notebook: Callable[..., Notebook]
) -> None:
    """As in Colab: neither a process nor a message while the cell runs, but the notebook's own input field."""
    account = motherduck.find_account(EMAIL)
    assert account is not None
    deaf = "host.listen_while_busy = lambda comm: None\nsign_in_card._INPUT_AFTER = 1\n"
    book = notebook(SETUP + deaf + NO_CHILD, SIGN_IN)
    book.run(0)
    book.start(1)
    field = book.cell(1).locator("input.jp-Stdin-input")
    expect(field).to_have_attribute("type", "password", timeout=15_000)
    expect(book.cell(1).locator(".md-signin").get_by_role("link", name="Create a token")).to_be_visible()
    expect(book.cell(1).locator(".md-signin").get_by_label("MotherDuck token")).to_be_hidden()
    field.fill(account.token)
    field.press("Enter")
    assert "typed" in book.wait(1)
    nothing_stays(book, secrets=(account.token,))


@pytest.mark.parametrize(
    "link",
    [
        "http://auth.motherduck.com/activate?user_code=ZSRQ-GJQS",
        "https://auth.motherduck.com.example.com/activate?user_code=ZSRQ-GJQS",
        "https://example.com\\\\@auth.motherduck.com/activate?user_code=ZSRQ-GJQS",
    ],
)
def test_an_address_that_is_not_motherduck_s_is_text(notebook: Callable[..., Notebook], link: str) -> None:
    printed = f"""
class Odd(Login):
    link = '{link}'
"""
    book = notebook(SETUP + printed, "sign_in(start=Odd)")
    book.run(0)
    book.start(1)
    shown = book.cell(1).locator(".md-signin")
    expect(shown.locator(".md-signin-address")).to_have_text(link.replace("\\\\", "\\"), timeout=15_000)
    expect(shown.get_by_role("link", name=SIGN_IN_PAGE)).to_be_hidden()
    hrefs = shown.evaluate("card => [...card.querySelectorAll('a')].map(a => a.getAttribute('href'))")
    assert hrefs == [None, TOKEN_PAGE]
    book.interrupt()
    book.wait(1)


def test_run_all_goes_on_after_the_login(motherduck: Service, notebook: Callable[..., Notebook]) -> None:
    query = "import duckdb\nduckdb.connect('md:', config={'motherduck_token': token.secret.reveal()}).sql('FROM owner')"
    book = notebook(SETUP, "token = sign_in()", query)
    book.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")
    motherduck.approve(motherduck.wait_for_login(), EMAIL)
    assert EMAIL in book.wait(2)
    nothing_stays(book)


CAUSES = {
    "no network": ("ServiceUnavailable", "MotherDuck cannot be reached from here"),
    "no extension": ("ServiceUnavailable", "extensions.duckdb.org cannot be reached"),
    "try later": ("ServiceUnavailable", "The token is still good"),
    "unavailable": ("ServiceUnavailable", "The token is still good"),
    "too new": ("ConnectError", "which MotherDuck does not accept yet"),
    "too old": ("ConnectError", "which MotherDuck no longer accepts"),
    "limit": ("ConnectError", "has used up what its plan includes"),
    "not allowed": ("ConnectError", "Ask the owner"),
}


def give_token(motherduck: Service, tmp_path: Path, days: float | None = None) -> str:
    """Return a cell that puts a token of the account into the kernel's environment, without naming it."""
    path = tmp_path / f"token {days}"
    path.write_text(motherduck.add_account(EMAIL, days=days).token)
    return f"import os\nos.environ['motherduck_token'] = open({str(path)!r}).read()"


def test_only_a_refused_token_brings_the_card(
    motherduck: Service, notebook: Callable[..., Notebook], tmp_path: Path
) -> None:
    query = "%%mdsql md:my_db\nSELECT email FROM owner"
    good, expired = give_token(motherduck, tmp_path), give_token(motherduck, tmp_path, days=-1)
    book = notebook(f"%load_ext md_magic\n{good}", query, "%mdsql --close-all", expired, "%mdsql md:my_bd\n", query)
    book.run(0)
    for outage, (name, advice) in CAUSES.items():
        motherduck.be(outage=outage)
        shown = book.run(1)
        assert shown.startswith(f"{name}: ")
        assert advice in shown
        assert book.cell(1).locator(".md-signin").count() == 0
    motherduck.be(outage=None)
    assert "Did you mean my_db?" in book.run(4)
    assert EMAIL in book.run(1)
    book.run(2)
    book.run(3)
    for wrapper in texts.WRAPPERS:
        motherduck.be(wrapper=wrapper)
        book.start(5)
        shown = card(book, 5)
        expect(shown.get_by_text("MotherDuck did not accept the token")).to_be_visible()
        shown.get_by_role("button", name="Cancel").click()
        assert "was cancelled" in book.wait(5)
    nothing_stays(book)
    no_child_stays(motherduck)
