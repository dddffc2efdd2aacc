"""The sign-in: a card in a notebook, two lines in a terminal, an error if nobody is there.

The card offers two ways: the driver's web login, which runs in a child process, and a MotherDuck page that creates a
token, with a field to paste it into. Where no child process can run, only the second way is offered.

A token typed into the card is sent as a custom message and is in no trait, so that no saved notebook contains it.
"""

from __future__ import annotations

import getpass
import logging
import queue
import time
from html import escape
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

from md_magic.auth.credentials import WAYS
from md_magic.auth.login import is_motherduck_page
from md_magic.auth.secret import Secret
from md_magic.auth.token import TOKEN_REQUEST_PAGE, Token
from md_magic.display import host
from md_magic.errors import LoginImpossible, QueryInterrupted, SignInError, SignInRequired

if TYPE_CHECKING:
    from collections.abc import Callable

    from md_magic.auth.login import Login
    from md_magic.display.host import Host

State = Literal[
    "starting",  # no link yet
    "waiting",  # for the person, on MotherDuck's page
    "token only",  # no web login can run here
    "checking",
    "signed in",
    "failed",
]

_TICK = 0.1
"""Seconds between checks of the login; a wait this short can be interrupted on every system."""

_LINK_AS_TEXT_AFTER = 1.0
"""Seconds without a message from the card, after which it may not be visible and the link is shown as text too."""

_INPUT_AFTER = 6.0
"""Seconds without a message from the card, after which the token is asked for as input instead."""

_WELCOME_SHOWN = 0.6
"""Seconds for which "signed in as ..." is shown."""

_PATIENCE = 120.0
"""Seconds for which the card waits for another token after one was refused."""

_TOKEN_PATIENCE = 300.0
"""Seconds for which the card waits for a token that the person has to create first."""


def sign_in(
    where: Host,
    *,
    start: Callable[[], Login],
    check: Callable[[Token], object],
    remember: Callable[[Token], object] | None = None,
    ticked: bool = False,
    reason: str | None = None,
) -> Token:
    """Let a person sign in, and return a token that *check* has accepted.

    *start* begins a web login. *check* connects with a token and raises `SignInError` if it is refused. *remember*
    stores a token and is given only if there is a working keyring; *ticked* is the initial state of its box. *reason*
    says why the person has to sign in again.

    Raises `SignInRequired` if nobody can answer, `SignInError` if the sign-in was denied, cancelled or timed out, and
    `QueryInterrupted` if the kernel was interrupted. It leaves nothing behind in any of these cases.
    """
    if where == "batch":
        raise SignInRequired(_nobody_there(reason))
    try:
        if where in host.GETS_WIDGETS:
            return _in_card(start, check, remember, _Words(reason, ticked=ticked))
        return _in_text(start, check, reason)
    except KeyboardInterrupt:
        message = "The sign-in to MotherDuck was interrupted. Run the cell again to start over."
        raise QueryInterrupted(message) from None


_CANCELLED = "The sign-in to MotherDuck was cancelled. Run the cell again to start over."


def _nobody_there(reason: str | None) -> str:
    because = reason or "No MotherDuck token was found."
    return f"{because} Nobody can sign in here, because this runs without a person. Give a token: {WAYS}."


def _in_text(start: Callable[[], Login], check: Callable[[Token], object], reason: str | None) -> Token:
    if reason:
        print(reason)
    try:
        token = _logged_in(start)
    except LoginImpossible as error:
        print(error)
        token = _token_as_input()
    check(token)
    print(_welcome(token))
    return token


def _logged_in(start: Callable[[], Login]) -> Token:
    with start() as login:
        shown: tuple[str | None, str | None] = (None, None)
        while not login.wait(_TICK):
            if login.link and (login.link, login.code) != shown:
                shown = (login.link, login.code)
                print(_as_text(*shown, left=login.left), flush=True)
        return Token.of(login.take_token(), "web login")


def _token_as_input() -> Token:
    """Ask for a token in the terminal or in the notebook's input field, without echoing it.

    Raises `SignInError` if nothing is typed.
    """
    print(f"Create a token at {TOKEN_REQUEST_PAGE} and paste it here.", flush=True)
    try:
        typed = getpass.getpass("MotherDuck token: ").strip()
    except EOFError:
        typed = ""
    if not typed:
        raise SignInError(_CANCELLED)
    return Token.of(Secret(typed), "typed")


def _as_text(link: str | None, code: str | None, *, left: float) -> str:
    asks = f"\nIt shows, or asks for, this code: {code}" if code else ""
    return f"Sign in to MotherDuck: {link}{asks}\nWaiting for {left:.0f} seconds; Ctrl-C or an interrupt cancels."


def _as_html(link: str | None, code: str | None) -> str:
    address = escape(link or "", quote=True)
    if is_motherduck_page(link or ""):
        address = f'<a href="{address}" target="_blank" rel="noopener noreferrer">{address}</a>'
    asks = f"<br>It shows, or asks for, this code: <code>{escape(code)}</code>" if code else ""
    return f"Sign in to MotherDuck: {address}{asks}"


def _welcome(token: Token) -> str:
    return f"Signed in to MotherDuck as {token.account}." if token.account else "Signed in to MotherDuck."


_Word = Literal[
    "hello",  # the card is visible, and its messages arrive while the cell waits
    "cancel",
    "retry",
]


class _Words(NamedTuple):
    """The texts of the card that do not change."""

    reason: str | None
    ticked: bool


def _in_card(
    start: Callable[[], Login],
    check: Callable[[Token], object],
    remember: Callable[[Token], object] | None,
    words: _Words,
) -> Token:
    offer = None if remember is None else "ticked" if words.ticked else "offered"
    with _Card(reason=words.reason, remember=offer) as card:
        token = _accepted(card, start, check)
        if remember is not None and card.remembers:
            remember(token)
        card.show("signed in", _welcome(token))
        time.sleep(_WELCOME_SHOWN)
    return token


def _accepted(card: _Card, start: Callable[[], Login], check: Callable[[Token], object]) -> Token:
    """Return an accepted token. If one is refused, show why and let the person try another."""
    typed: Secret | None = None
    while True:
        token = Token.of(typed, "typed") if typed else _obtained(card, start)
        card.show("checking", "Checking the token with MotherDuck ...")
        try:
            check(token)
        except SignInError as error:
            typed = _second_thoughts(card, error)
        else:
            return token


def _obtained(card: _Card, start: Callable[[], Login]) -> Token:
    card.show("starting", "Asking MotherDuck for a link ...")
    try:
        with start() as login:
            while not login.wait(0):
                if login.link:
                    card.wait_for(login.link, login.code, left=login.left)
                answer = card.answer(_TICK)
                if isinstance(answer, Secret):
                    return Token.of(answer, "typed")
                if answer == "cancel":
                    login.cancel()
            return Token.of(login.take_token(), "web login")
    except LoginImpossible as error:
        return _pasted(card, error)


def _pasted(card: _Card, why: LoginImpossible) -> Token:
    """Return a token pasted from MotherDuck's page. *why* says why no web login can run."""
    card.show("token only", str(why), left=_TOKEN_PATIENCE)
    began = time.monotonic()
    while time.monotonic() < began + _TOKEN_PATIENCE:
        answer = card.answer(_TICK)
        if isinstance(answer, Secret):
            return Token.of(answer, "typed")
        if answer == "cancel":
            raise SignInError(_CANCELLED)
        if not card.listens and time.monotonic() > began + _INPUT_AFTER:
            return _token_as_input()
    message = f"Nobody gave a MotherDuck token within {_TOKEN_PATIENCE:.0f} seconds. Run the cell again to start over."
    raise SignInError(message)


def _second_thoughts(card: _Card, error: SignInError) -> Secret | None:
    """Show that a token was refused. Return the token that is typed instead, or None for another login.

    Raises *error* if neither comes.
    """
    card.show("failed", str(error), left=_PATIENCE)
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        answer = card.answer(_TICK)
        if isinstance(answer, Secret):
            return answer
        if answer == "retry":
            return None
        if answer == "cancel":
            break
    raise error


class _Card:
    """The card widget. A context manager: on exit, the cell's output is cleared and the widget closed."""

    def __init__(self, *, reason: str | None, remember: str | None) -> None:
        self.remembers = remember == "ticked"
        self._answers: queue.SimpleQueue[Secret | _Word] = queue.SimpleQueue()
        self._view: dict[str, object] = {
            "reason": reason,
            "remember": remember,
            "page": TOKEN_REQUEST_PAGE,
            "kernel": host.kernel_id(),
            "listens": False,
        }
        self._widget = host.make("sign_in_card", {})
        self._widget.on_msg(self._heard)
        self._log_filter = _without_messages_of(self._widget.model_id)
        logging.getLogger("Comm").addFilter(self._log_filter)
        self._as_text_at: float | None = None
        self._link: Any = None

    def __enter__(self) -> Self:
        from IPython.display import display  # the rest of the module is for terminals and tests too

        self.show("starting", "")
        display(host.bundle(self._widget, "Sign in to MotherDuck"), raw=True)  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *_exception: object) -> None:
        from IPython.display import clear_output  # see __enter__

        logging.getLogger("Comm").removeFilter(self._log_filter)
        self._widget.view = {}  # so that a notebook saved with widget state contains no link and no code
        host.close(self._widget)
        clear_output()  # type: ignore[no-untyped-call]

    @property
    def listens(self) -> bool:
        """Whether the card is visible, and its messages arrive while the cell runs."""
        return self._view["listens"] is True

    def show(self, state: State, message: str, **more: object) -> None:
        """Put the card into *state*. The trait is one dict, so that the browser sees every change as a whole."""
        self._view |= {"state": state, "message": message, "link": None, "code": None, "left": None} | more
        self._send()

    def wait_for(self, link: str, code: str | None, *, left: float) -> None:
        """Show *link* and *code* on the card, and also as text if the card turns out not to be visible."""
        if (link, code) != (self._view.get("link"), self._view.get("code")):
            self.show(
                "waiting",
                "Sign in on MotherDuck's page; this cell continues by itself.",
                link=link,
                code=code,
                left=left,
            )
            self._as_text_at = time.monotonic() + _LINK_AS_TEXT_AFTER
        if self._as_text_at is not None and time.monotonic() > self._as_text_at:
            self._as_text_at = None
            if not self.listens:
                self._show_link({"text/plain": _as_text(link, code, left=left), "text/html": _as_html(link, code)})

    def answer(self, timeout: float) -> Secret | _Word | None:
        """Return the person's action, or None if there was none within *timeout* seconds."""
        try:
            answer = self._answers.get(timeout=timeout)
        except queue.Empty:
            return None
        if answer == "hello":
            self._view["listens"] = True
            self._send()
            if self._link is not None:
                self._show_link({"text/plain": ""})
        return answer

    def _heard(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        """Handle a message, in one of the kernel's threads while the cell waits; old kernels deliver none."""
        kind, value = content.get("type"), content.get("value")
        if kind == "token" and isinstance(value, str):
            self._answers.put(Secret(value))
        elif kind == "remember":
            self.remembers = value is True
        elif kind in ("hello", "cancel", "retry"):
            self._answers.put(kind)

    def _send(self) -> None:
        self._widget.view = dict(self._view)

    def _show_link(self, data: dict[str, str]) -> None:
        """Show *data* in an output of its own: Colab hides the texts beside a widget that it cannot load."""
        from IPython.display import display  # see __enter__

        if self._link is None:
            self._link = display(data, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._link.update(data, raw=True)


def _without_messages_of(model: str) -> Callable[[logging.LogRecord], bool]:
    """Return a filter for the `comm` package's logger, which logs each message at DEBUG, also that with the token."""
    return lambda record: model not in record.getMessage()
