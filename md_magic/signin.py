"""Signing in, as a person sees it: a card in a notebook, two lines in a terminal, an error where nobody is there.

A token that is typed into the card travels as a custom message and is in no trait, so that no saved notebook has it.
"""

from __future__ import annotations

import logging
import queue
import time
from html import escape
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, Self

from md_magic import widgets
from md_magic.auth import Secret, Token
from md_magic.credentials import WAYS
from md_magic.errors import QueryInterrupted, SignInError, SignInRequired

if TYPE_CHECKING:
    from collections.abc import Callable

    from md_magic.widgets import Host

State = Literal["starting", "waiting", "checking", "signed in", "failed"]

_TICK = 0.1
"""Seconds between two looks at the login; a wait of this length can be interrupted everywhere."""

_UNHEARD = 1.0
"""Seconds after which a card that has said nothing may not be on the screen, and the link is shown as text too."""

_SEEN = 0.6
"""Seconds for which "signed in as ..." stays: short enough to wait for, long enough to read."""

_PATIENCE = 120.0
"""Seconds for which a card that says why a token was refused waits for another."""


class Login(Protocol):
    """What this module needs of `md_magic.login.Login`, which tells what each of them does."""

    @property
    def link(self) -> str | None:
        """The page to open, once it is known."""

    @property
    def code(self) -> str | None:
        """The code that the page shows or asks for."""

    @property
    def left(self) -> float:
        """Seconds until the attempt is given up."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is over, for at most *timeout* seconds. Return whether it is."""

    def cancel(self) -> None:
        """End it now."""

    def take_token(self) -> Secret:
        """Return the token, or raise `SignInError` that says why there is none."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...


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
    keeps a token and is given only where a keyring works; *ticked* is the box's first state. *reason* says why a person
    is asked, if it is not the first time.

    Raises `SignInRequired` where nobody can answer, `SignInError` if it was denied, cancelled or timed out, and
    `QueryInterrupted` if the kernel was interrupted. Nothing is left behind in each case.
    """
    if where == "batch":
        raise SignInRequired(_nobody_there(reason))
    try:
        if where == "widgets":
            return _in_card(start, check, remember, _Words(reason, ticked=ticked))
        return _in_text(start, check, reason)
    except KeyboardInterrupt:
        message = "The sign-in to MotherDuck was interrupted. Run the cell again to start over."
        raise QueryInterrupted(message) from None


def _nobody_there(reason: str | None) -> str:
    because = reason or "No MotherDuck token was found."
    return f"{because} Nobody can sign in here, because this runs without a person. Give a token: {WAYS}."


def _in_text(start: Callable[[], Login], check: Callable[[Token], object], reason: str | None) -> Token:
    with start() as login:
        if reason:
            print(reason)
        shown: tuple[str | None, str | None] = (None, None)
        while not login.wait(_TICK):
            if login.link and (login.link, login.code) != shown:
                shown = (login.link, login.code)
                print(_as_text(*shown, left=login.left), flush=True)
        token = Token.of(login.take_token(), "web login")
    check(token)
    print(_welcome(token))
    return token


def _as_text(link: str | None, code: str | None, *, left: float) -> str:
    asks = f"\nIt shows, or asks for, this code: {code}" if code else ""
    return f"Sign in to MotherDuck: {link}{asks}\nWaiting for {left:.0f} seconds; Ctrl-C or an interrupt cancels."


def _as_html(link: str | None, code: str | None) -> str:
    address = escape(link or "", quote=True)
    asks = f"<br>It shows, or asks for, this code: <code>{escape(code)}</code>" if code else ""
    return f'Sign in to MotherDuck: <a href="{address}" target="_blank" rel="noopener noreferrer">{address}</a>{asks}'


def _welcome(token: Token) -> str:
    return f"Signed in to MotherDuck as {token.account}." if token.account else "Signed in to MotherDuck."


_Word = Literal[
    "hello",  # the card is on the screen, and the kernel hears it while the cell waits
    "cancel",
    "retry",
]


class _Words(NamedTuple):
    """What a card says from its beginning to its end."""

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
        time.sleep(_SEEN)
    return token


def _accepted(card: _Card, start: Callable[[], Login], check: Callable[[Token], object]) -> Token:
    """Return a token that was accepted. One that was refused is told, and somebody is there to try another."""
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


def _second_thoughts(card: _Card, error: SignInError) -> Secret | None:
    """Say that a token was refused. Return the one that is typed instead, or None for another login.

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
    """The card on the screen. A context manager: afterwards the cell's output and the widget are gone."""

    def __init__(self, *, reason: str | None, remember: str | None) -> None:
        self.remembers = remember == "ticked"
        self._answers: queue.SimpleQueue[Secret | _Word] = queue.SimpleQueue()
        self._view: dict[str, object] = {
            "reason": reason,
            "remember": remember,
            "kernel": widgets.kernel_id(),
            "listens": False,
        }
        self._widget = widgets.make("signin", {})
        self._widget.on_msg(self._heard)
        self._log_filter = _without_messages_of(self._widget.model_id)
        logging.getLogger("Comm").addFilter(self._log_filter)
        self._as_text_at: float | None = None
        self._handle: Any = None

    def __enter__(self) -> Self:
        from IPython.display import display  # the rest of the module is for terminals and tests too

        self.show("starting", "")
        bundle = self._bundle("Sign in to MotherDuck")
        self._handle = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *_exception: object) -> None:
        from IPython.display import clear_output  # see __enter__

        logging.getLogger("Comm").removeFilter(self._log_filter)
        self._widget.view = {}  # a notebook saved with widget state keeps no link and no code
        widgets.close(self._widget)
        clear_output()  # type: ignore[no-untyped-call]

    def show(self, state: State, message: str, **more: object) -> None:
        """Put the card into *state*. The trait is one dict, so a half of a change is never seen."""
        self._view |= {"state": state, "message": message, "link": None, "code": None, "left": None} | more
        self._send()

    def wait_for(self, link: str, code: str | None, *, left: float) -> None:
        """Show *link* and *code*, once; as text too, if the card turns out not to be on the screen."""
        if (link, code) != (self._view.get("link"), self._view.get("code")):
            self.show(
                "waiting",
                "Sign in on MotherDuck's page; this cell continues by itself.",
                link=link,
                code=code,
                left=left,
            )
            self._as_text_at = time.monotonic() + _UNHEARD
        if self._as_text_at is not None and time.monotonic() > self._as_text_at:
            self._as_text_at = None
            if not self._view["listens"]:
                self._handle.update(self._bundle(_as_text(link, code, left=left), _as_html(link, code)), raw=True)

    def answer(self, timeout: float) -> Secret | _Word | None:
        """Return what the person did, or None if nothing came within *timeout* seconds."""
        try:
            answer = self._answers.get(timeout=timeout)
        except queue.Empty:
            return None
        if answer == "hello":
            self._view["listens"] = True
            self._send()
        return answer

    def _heard(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        """Take a message; on a thread of the kernel's while the cell waits, or, in old kernels, never."""
        kind, value = content.get("type"), content.get("value")
        if kind == "token" and isinstance(value, str):
            self._answers.put(Secret(value))
        elif kind == "remember":
            self.remembers = value is True
        elif kind in ("hello", "cancel", "retry"):
            self._answers.put(kind)

    def _send(self) -> None:
        self._widget.view = dict(self._view)

    def _bundle(self, text: str, html: str | None = None) -> dict[str, object]:
        return widgets.bundle(self._widget, text, html)


def _without_messages_of(model: str) -> Callable[[logging.LogRecord], bool]:
    """Return a filter for the `comm` package's logger, which logs each message at DEBUG: one of them is the token."""
    return lambda record: model not in record.getMessage()
