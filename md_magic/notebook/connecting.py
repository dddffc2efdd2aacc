"""Opening the target of a line, and signing in to MotherDuck if needed."""

from __future__ import annotations

import contextlib
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from md_magic.display import host
from md_magic.errors import OptionError, SignInRequired
from md_magic.sql import placeholders

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from md_magic.display.host import Host
    from md_magic.notebook.magics import MdsqlMagics
    from md_magic.options import Request
    from md_magic.session.session import Session
    from md_magic.sql.target import Target


def open_target(magics: MdsqlMagics, request: Request, variables: Mapping[str, Any]) -> None:
    """Make the target of *request* current; if it names none, make sure that the current one is open."""
    session = magics.session
    if not (request.target or request.engine or request.alias or request.config) and session.ready:
        return
    if request.engine:
        value = python_value("--engine", request.engine, variables)
        session.use_object(request.engine, value, alias=request.alias)
        return
    config = _config(request.config, variables) if request.config else None
    target = target_of(magics, request.target, variables)
    try:
        session.use(target, config=config, alias=request.alias)
    except SignInRequired as required:
        sign_in(magics, target or session.current, required, config=config, alias=request.alias)


def open_aside(magics: MdsqlMagics, target: Target) -> None:
    """Open *target* where it is not open; a person signs in where that is needed."""
    try:
        magics.session.use(target)
    except SignInRequired as required:
        sign_in(magics, target, required)


def target_of(magics: MdsqlMagics, word: str | None, variables: Mapping[str, Any] | None = None) -> Target | None:
    """Return the target that *word* names, with *variables* in it or by default those of the notebook.

    Without a word it is the default target, or `None` if one is current.
    """
    session = magics.session
    read_aliases(magics)
    if word is None:
        return None if session.current else session.resolve(magics.default_target)
    target = session.resolve(word, variables)
    if not word.startswith("@") and not placeholders.are_in(word):
        magics.hide_secrets(list(target.secrets.values()), warn=session.needs_token(target))
    return target


def _config(name: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    config = python_value("--config", name, variables)
    if isinstance(config, dict) and all(isinstance(key, str) for key in config):
        return config
    message = f"--config {name}: got {type(config).__name__}, where a dict of settings by name is needed."
    raise OptionError(message)


def read_aliases(magics: MdsqlMagics) -> None:
    """Let the session know the targets of the project and of the settings, of which the latter go first."""
    magics.session.known.declared = {**magics.project.targets, **magics.targets}


def target_of_cell(magics: MdsqlMagics, request: Request, variables: Mapping[str, Any]) -> Target | None:
    """Return the target that a cell would run on; `None` for a connection in a variable. Nothing is opened."""
    session = magics.session
    read_aliases(magics)
    if request.engine or request.config:
        return None
    if request.target:
        return session.resolve(request.target, variables)
    return session.current or session.resolve(magics.default_target)


def substituted(request: Request, variables: Mapping[str, Any]) -> Request:
    """Return *request*; where its target is a `$NAME` that holds something else, such as SQL, as SQL that is `$NAME`.

    The database says then that this is none, and the hint how SQL in a variable is run.
    """
    name = placeholders.name_in(request.target or "")
    if name is None or request.sql.strip() or request.action != "run" or placeholders.holds_target(name, variables):
        return request
    return request._replace(target=None, sql=f"${name}")


def python_value(option: str, name: str, variables: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any variable
    """Return the value of the Python variable *name*, given to *option*. Raises `OptionError`."""
    if name in variables:
        return variables[name]
    message = f"{option} {name}: there is no Python variable {name!r}."
    raise OptionError(message)


def sign_in(
    magics: MdsqlMagics,
    target: Target | None,
    required: SignInRequired | None = None,
    *,
    config: Mapping[str, Any] | None = None,
    alias: str | None = None,
) -> None:
    """Let a person sign in to *target*, by default `md:`, and open it with *config* as *alias*.

    *required* is the error that asks for it. Raises `SignInError` where nobody signs in.
    """
    where = host.host(magics.shell)
    sign_in_to(magics.session, target, where, required, config=config, alias=alias, remember=magics.remember)


def sign_in_to(
    session: Session,
    target: Target | None,
    where: Host,
    required: SignInRequired | None = None,
    *,
    config: Mapping[str, Any] | None = None,
    alias: str | None = None,
    remember: str = "never",
) -> None:
    """Have a person sign *session* in to *target* at *where*; otherwise like `sign_in`.

    *remember* is the setting of that name: whether the token may be kept in the keyring.
    """
    from md_magic.auth import credentials  # anywidget and ipywidgets: 300 ms that only a sign-in needs
    from md_magic.auth.login import Login
    from md_magic.display import sign_in_card

    target = target or session.resolve("md:")
    keyring = remember != "never" and credentials.keyring_works()
    with _with_reason(required):
        sign_in_card.sign_in(
            where,
            start=lambda: Login(user_agent=f"md_magic/{version('md_magic')}"),
            check=lambda token: session.sign_in(target, token, config=config, alias=alias),
            remember=credentials.remember if keyring else None,
            ticked=remember == "always",
            reason=str(required) if required is not None and required.__cause__ is not None else None,
        )


@contextlib.contextmanager
def _with_reason(required: SignInRequired | None) -> Iterator[None]:
    """Add the service's earlier message to an error that says only that nobody can sign in."""
    try:
        yield
    except SignInRequired as error:
        for note in getattr(required, "__notes__", []):
            error.add_note(note)
        raise error from (required.__cause__ if required is not None else None)
