"""Signing in where there is no card: in a terminal, and where nobody is."""

from __future__ import annotations

import getpass
import io
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from md_magic.auth.login import Login
from md_magic.display import host, sign_in_card
from md_magic.errors import QueryInterrupted, SignInError, SignInRequired
from tests.motherduck.standin.service import make_token

if TYPE_CHECKING:
    from collections.abc import Callable

    from md_magic.auth.token import Token
    from tests.motherduck.standin.service import Service


EMAIL = "ann@example.com"
JWT = make_token(EMAIL)


def accept(token: Token) -> None:
    """Accept every token."""


def refuse(token: Token) -> None:
    message = f"{token} is refused."
    raise SignInError(message)


def in_background(action: Callable[[], object]) -> None:
    threading.Thread(target=action, daemon=True).start()


class Kernel:
    """What `host` looks at of a kernel's shell."""

    kernel = object()

    def __init__(self, content: dict[str, object]) -> None:
        self.content = content

    def get_parent(self) -> dict[str, Any]:
        return {"content": self.content}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("shell", "stdin", "variables", "expected"),
    [
        pytest.param(Kernel({"allow_stdin": True}), None, {"JPY_SESSION_NAME": "x.ipynb"}, "widgets", id="Jupyter"),
        pytest.param(Kernel({"allow_stdin": True}), None, {"VSCODE_PID": "1"}, "widgets", id="VS Code"),
        pytest.param(Kernel({"allow_stdin": True}), None, {}, "unsure", id="console"),
        pytest.param(Kernel({"allow_stdin": False}), None, {"JPY_SESSION_NAME": "x"}, "batch", id="nbclient"),
        pytest.param(Kernel({}), None, {"JPY_SESSION_NAME": "x"}, "batch", id="no request"),
        pytest.param(object(), Terminal(), {}, "terminal", id="terminal"),
        pytest.param(object(), io.StringIO(), {}, "batch", id="pipe"),
        pytest.param(object(), None, {}, "batch", id="no stdin"),
        pytest.param(None, Terminal(), {}, "batch", id="no shell"),
    ],
)
def test_hosts(
    monkeypatch: pytest.MonkeyPatch, shell: object, stdin: object, variables: dict[str, str], expected: str
) -> None:
    for name in ("JPY_SESSION_NAME", "VSCODE_PID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stdin", stdin)
    assert host.host(shell) == expected


def test_where_nobody_is_the_ways_are_named_and_nothing_is_started() -> None:
    def start() -> Login:
        pytest.fail("A login was started.")

    with pytest.raises(SignInRequired, match=r"motherduck_token .*--config NAME .*motherduck login") as caught:
        sign_in_card.sign_in("batch", start=start, check=accept, reason="The token has expired.")
    assert str(caught.value).startswith("The token has expired. Nobody can sign in here")


@pytest.mark.parametrize("where", ["terminal", "stdin"])
def test_a_terminal_shows_link_and_code_and_goes_on(
    motherduck: Service, capsys: pytest.CaptureFixture[str], where: host.Host
) -> None:
    account = motherduck.add_account(EMAIL)
    checked: list[Token] = []

    def confirm_when_shown() -> None:
        code = motherduck.wait_for_login()
        while code not in shown.getvalue():
            threading.Event().wait(0.01)
        motherduck.approve(code, EMAIL)

    shown = io.StringIO()
    in_background(confirm_when_shown)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", shown)
        token = sign_in_card.sign_in(where, start=Login, check=checked.append, reason="It has expired.")
    text = shown.getvalue()
    assert text.startswith("It has expired.\nSign in to MotherDuck: https://auth.motherduck.com/activate?user_code=")
    assert text.endswith(f"Signed in to MotherDuck as {EMAIL}.\n")
    assert (token.secret.reveal(), token.source, checked) == (account.token, "web login", [token])
    assert account.token not in text + "".join(capsys.readouterr())


def test_an_interrupt_ends_it(motherduck: Service) -> None:
    import _thread

    def interrupt() -> None:
        motherduck.wait_for_login()
        _thread.interrupt_main()

    in_background(interrupt)
    started: list[Login] = []

    def start() -> Login:
        started.append(Login())
        return started[-1]

    with pytest.raises(QueryInterrupted, match="was interrupted"):
        sign_in_card.sign_in("terminal", start=start, check=accept)
    assert started[0].state == "cancelled"


@pytest.mark.parametrize("where", ["terminal", "stdin"])
def test_without_a_child_a_token_is_asked_for_as_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, where: host.Host
) -> None:
    prompts: list[str] = []
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    monkeypatch.setattr(getpass, "getpass", lambda prompt: prompts.append(prompt) or f" {JWT}\n")
    token = sign_in_card.sign_in(where, start=Login, check=accept)
    assert (token.secret.reveal(), token.source, prompts) == (JWT, "typed", ["MotherDuck token: "])
    printed = capsys.readouterr().out
    assert "could not be started" in printed
    assert "Create a token at https://app.motherduck.com/token-request?appName=md_magic and paste it here." in printed
    assert JWT not in printed


def test_a_child_that_is_ended_at_once_leaves_the_same_way(
    motherduck: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    motherduck.be(dies=True)
    monkeypatch.setattr(getpass, "getpass", lambda _prompt: JWT)
    assert sign_in_card.sign_in("terminal", start=Login, check=accept).source == "typed"


@pytest.mark.parametrize("typed", ["", "  ", None])
def test_nothing_typed_is_a_cancelled_sign_in(monkeypatch: pytest.MonkeyPatch, typed: str | None) -> None:
    def answer(_prompt: str) -> str:
        if typed is None:
            raise EOFError
        return typed

    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    monkeypatch.setattr(getpass, "getpass", answer)
    with pytest.raises(SignInError, match="was cancelled"):
        sign_in_card.sign_in("terminal", start=Login, check=accept)


@pytest.mark.parametrize(
    ("link", "anchor"),
    [
        ("https://auth.motherduck.com/activate?user_code=A", True),
        ("http://auth.motherduck.com/activate", False),
        ("https://example.com/activate", False),
        ('https://example.com/"><script>', False),
    ],
)
def test_only_pages_of_motherduck_become_links_in_html(link: str, anchor: bool) -> None:
    html = sign_in_card._as_html(link, None)
    assert ("<a href=" in html) is anchor
    assert "<script>" not in html
    assert link.split("/")[2] in html


def test_a_refusal_and_a_denial_are_errors(motherduck: Service) -> None:
    motherduck.add_account(EMAIL)
    in_background(lambda: motherduck.approve(motherduck.wait_for_login(), EMAIL))
    with pytest.raises(SignInError, match="is refused"):
        sign_in_card.sign_in("terminal", start=Login, check=refuse)
    in_background(lambda: motherduck.deny(motherduck.wait_for_login()))
    with pytest.raises(SignInError, match="denied"):
        sign_in_card.sign_in("terminal", start=Login, check=accept)
