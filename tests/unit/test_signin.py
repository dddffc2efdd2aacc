"""Signing in where there is no card: in a terminal, and where nobody is."""

from __future__ import annotations

import io
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from md_magic import signin, widgets
from md_magic.errors import QueryInterrupted, SignInError, SignInRequired
from md_magic.login import Login

if TYPE_CHECKING:
    from collections.abc import Callable

    from md_standin.service import Service

    from md_magic.auth import Token

pytest_plugins = ("md_standin.fixtures",)

EMAIL = "ann@example.com"


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
        pytest.param(Kernel({"allow_stdin": True}), None, {}, "stdin", id="console"),
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
    assert widgets.host(shell) == expected


def test_where_nobody_is_the_ways_are_named_and_nothing_is_started() -> None:
    def start() -> Login:
        pytest.fail("A login was started.")

    with pytest.raises(SignInRequired, match=r"motherduck_token .*--config NAME .*motherduck login") as caught:
        signin.sign_in("batch", start=start, check=accept, reason="The token has expired.")
    assert str(caught.value).startswith("The token has expired. Nobody can sign in here")


@pytest.mark.parametrize("where", ["terminal", "stdin"])
def test_a_terminal_shows_link_and_code_and_goes_on(
    motherduck: Service, capsys: pytest.CaptureFixture[str], where: widgets.Host
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
        token = signin.sign_in(where, start=Login, check=checked.append, reason="It has expired.")
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
        signin.sign_in("terminal", start=start, check=accept)
    assert started[0].state == "cancelled"


def test_a_refusal_and_a_denial_are_errors(motherduck: Service) -> None:
    motherduck.add_account(EMAIL)
    in_background(lambda: motherduck.approve(motherduck.wait_for_login(), EMAIL))
    with pytest.raises(SignInError, match="is refused"):
        signin.sign_in("terminal", start=Login, check=refuse)
    in_background(lambda: motherduck.deny(motherduck.wait_for_login()))
    with pytest.raises(SignInError, match="denied"):
        signin.sign_in("terminal", start=Login, check=accept)
