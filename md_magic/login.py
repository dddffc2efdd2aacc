"""The web login, driven from outside: a child process signs in, and nothing of it stays when it ends.

The kernel never waits in `duckdb.connect("md:")`. A `Login` starts `login_child`, reads link and code from what the
driver prints, and takes the token from a pipe that carries nothing else. The child has a session of its own, because
Jupyter's interrupt reaches the whole process group of a kernel, and it leaves when the kernel dies.
"""

from __future__ import annotations

import json
import logging
import os
import re
import select
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, NamedTuple, Self

from md_magic.auth import Secret, diagnose, is_jwt, scrub, tokens_in
from md_magic.errors import SignInError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

logger = logging.getLogger(__name__)

State = Literal[
    "starting",  # no link yet
    "waiting",  # for a person, in the browser
    "done",  # the token can be taken
    "failed",  # denied, refused, no network, timed out
    "cancelled",
]

TIMEOUT = 120.0
"""Seconds until a login is given up: MotherDuck's driver itself waits for one to two minutes."""

_CHILD = Path(__file__).with_name("login_child.py")
_CHUNK = 1 << 16
_KEPT = 1 << 14
"""Characters of a stream that are kept to explain a failure by."""

_POLL = 0.1
_GRACE = 1.0
"""Seconds that the child gets to leave by itself, and a reader to end."""

_SETTLED = 0.5
"""Seconds of silence after which a last line without its end counts as complete."""

_ESCAPES = re.compile(r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-?]*[ -/]*[@-~]")
_LINK = re.compile(r"https://[^\s\"'<>\x1b\x07]+")
_CODE = r"(?<![\w-])[A-Z0-9]{4}-[A-Z0-9]{4}(?![\w-])"
_CODES = (re.compile(rf"user_code=({_CODE})"), re.compile(rf"code\W[^\n]*?({_CODE})"), re.compile(rf"({_CODE})"))


class Prompt(NamedTuple):
    """What a person needs to sign in: a link to open, and the code that its page shows or asks for."""

    link: str | None = None
    code: str | None = None


def read_prompt(text: str, *, settled: bool) -> Prompt:
    """Return the link and the code that are in *text*, as MotherDuck's driver prints them.

    The last line counts only when it is complete: it ends in a line break, or nothing came for a while (*settled*).
    """
    plain = _ESCAPES.sub("", text)
    complete = plain if settled else plain[: max(plain.rfind("\n"), plain.rfind("\r")) + 1]
    links = [link.rstrip(".,;)") for link in _LINK.findall(complete)]
    link = next((link for link in links if "/activate" in link), None)
    matches = (pattern.search(complete) for pattern in _CODES)
    return Prompt(link, next((match[1] for match in matches if match), None))


class Login:
    """One attempt to sign in, running from the moment it is made. A context manager that leaves nothing behind.

    Its methods may be called from any thread, and `cancel` any number of times.
    """

    def __init__(self, *, timeout: float = TIMEOUT, user_agent: str = "md_magic") -> None:
        self._deadline = time.monotonic() + timeout
        self._timeout = timeout
        self._ending: _Ending | None = None
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._finished = threading.Event()
        self._secret: Secret | None = None
        self._error: SignInError | None = None
        self._process, answer = _spawn(user_agent)
        streams = (self._process.stdout, self._process.stderr, answer)
        self._readers = [_Reader(stream, self._stop) for stream in streams if stream is not None]
        self._readers[-1].when_ended = lambda: self._end("answered")
        for thread in (*self._readers, threading.Thread(target=self._supervise, name="md_magic login", daemon=True)):
            thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.cancel()

    def __repr__(self) -> str:
        return f"<Login {self.state}>"

    @property
    def link(self) -> str | None:
        """The page to open, once the driver has printed it."""
        return self._prompt().link

    @property
    def code(self) -> str | None:
        """The code that the page shows or asks for. An old driver prints it after the link."""
        return self._prompt().code

    @property
    def left(self) -> float:
        """Seconds until this attempt is given up; never negative."""
        return max(0.0, self._deadline - time.monotonic())

    @property
    def state(self) -> State:
        """How far it is."""
        if not self._finished.is_set():
            return "waiting" if self.link else "starting"
        if self._ending == "cancelled":
            return "cancelled"
        return "failed" if self._error else "done"

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is over, whichever way, for at most *timeout* seconds. Return whether it is."""
        return self._finished.wait(timeout)

    def cancel(self) -> None:
        """End it now, if it is not over, and return when the child process is gone."""
        self._end("cancelled")
        self._finished.wait()

    def take_token(self) -> Secret:
        """Wait for the token and hand it over, once: nothing of it stays here.

        Raises `SignInError` that says why there is none: denied, cancelled, timed out, no network.
        """
        self._finished.wait()
        if self._error is not None:
            raise self._error
        secret, self._secret = self._secret, None
        if secret is None:
            message = "The token of this login was taken already. Start another login to get another."
            raise SignInError(message)
        return secret

    def _prompt(self) -> Prompt:
        prompts = [reader.prompt() for reader in self._readers[:2]]
        links, codes = zip(*prompts, strict=True)
        return Prompt(next(filter(None, links), None), next(filter(None, codes), None))

    def _end(self, how: _Ending) -> None:
        with self._lock:
            self._ending = self._ending or how
        self._stop.set()

    def _supervise(self) -> None:
        if not self._stop.wait(self.left):
            self._end("timed out")
        _reap(self._process)
        for reader in self._readers:
            reader.join(_GRACE)  # on Windows a browser that holds a pipe open can keep one waiting; it is a daemon
        self._settle()
        self._finished.set()

    def _settle(self) -> None:
        *printed, answer = (reader.text() for reader in self._readers)
        for reader in self._readers:
            reader.forget()
        token, error = _parsed(answer)
        if self._ending == "answered" and token:
            self._secret = Secret(token)
        else:
            self._error = self._explained("\n".join([*printed, error]), error)

    def _explained(self, everything: str, error: str) -> SignInError:
        if self._ending == "cancelled":
            return SignInError("The sign-in to MotherDuck was cancelled. Run the cell again to start over.")
        if self._ending == "timed out":
            return SignInError(
                f"Nobody signed in to MotherDuck within {self._timeout:.0f} seconds. Run the cell again for a new link."
            )
        return explain(everything, error)


_Ending = Literal["answered", "cancelled", "timed out"]


def explain(everything: str, error: str = "") -> SignInError:
    """Return the error of a login that ended without a token: *everything* it said, *error* being its last word."""
    diagnosis = diagnose(everything)
    if diagnosis is None:
        message = f"MotherDuck's login failed: {_clean(error) or 'its process ended without an answer.'}"
        return SignInError(message)
    if diagnosis.trouble == "token":
        return SignInError("MotherDuck's login ended without a token. Run the cell again to start over.")
    failure = SignInError(diagnosis.advice)
    if error and diagnosis.trouble != "denied":
        failure.add_note(f"The driver said: {_clean(error)}")
    return failure


def _clean(text: str) -> str:
    return scrub(text, tokens_in(text)).strip()


def _parsed(answer: str) -> tuple[str | None, str]:
    try:
        values = json.loads(answer)
        token, error = values.get("token"), values.get("error", "")
    except (ValueError, AttributeError):
        return None, ""
    return (token.strip() if isinstance(token, str) else None), str(error)


def _spawn(user_agent: str) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
    """Start the child. Return it and the end to read of the pipe that only its answer goes through."""
    source, sink = os.pipe()
    number, options = _handed_down(sink)
    # Not -I: it hides the user's site-packages and PYTHONPATH, where this kernel may have its duckdb from. -P is the
    # part that counts: without it the folder of the script comes first, where our modules could shadow others.
    command = [sys.executable, "-P", str(_CHILD), str(number), user_agent]
    try:
        process = subprocess.Popen(  # noqa: S603 - our own file, with this kernel's interpreter
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=environment(os.environ),
            **options,
        )
    except OSError as error:
        os.close(source)
        message = f"The login process could not be started: {error}. Use a token instead."
        raise SignInError(message) from error
    finally:
        os.close(sink)
    return process, os.fdopen(source, "rb", buffering=0)


def _handed_down(sink: int) -> tuple[int, dict[str, Any]]:
    """Return how the child knows *sink*, and the options that hand it down and start a process group."""
    if sys.platform == "win32":
        import msvcrt  # exists there only

        handle = msvcrt.get_osfhandle(sink)
        os.set_handle_inheritable(handle, True)  # noqa: FBT003 - positional only
        startup = subprocess.STARTUPINFO(lpAttributeList={"handle_list": [handle]})
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
        return handle, {"startupinfo": startup, "close_fds": False, "creationflags": flags}
    return sink, {"pass_fds": (sink,), "start_new_session": True}


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return *environ* for the child: without any token, and so that it imports the duckdb that this kernel imports."""
    kept = {
        name: value
        for name, value in environ.items()
        if name.lower() != "motherduck_token" and not is_jwt(value) and not tokens_in(f"{name}={value}")
    }
    return kept | {
        "PYTHONPATH": os.pathsep.join(filter(os.path.isabs, sys.path)),  # with what a notebook added to sys.path
        "PYTHONUNBUFFERED": "1",  # otherwise C buffers what goes to a pipe, and the link comes after the login
    }


def _reap(process: subprocess.Popen[bytes]) -> None:
    """See *process* end. Its group is left alone: the browser that the driver opened may be in it."""
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()  # at which the child leaves by itself
    try:
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        logger.debug("The login process %d is killed", process.pid)
        process.kill()
        process.wait()


class _Reader(threading.Thread):
    """Reads one stream of the child to its end, or until *stop* and nothing is left to read; then closes it."""

    def __init__(self, stream: IO[bytes], stop: threading.Event) -> None:
        super().__init__(name="md_magic login reader", daemon=True)
        self.when_ended: Callable[[], None] = lambda: None
        self._stream = stream
        self._stop_reading = stop
        self._data = b""
        self._last = time.monotonic()
        self._prompt = Prompt()

    def run(self) -> None:
        with self._stream, suppress(OSError):
            while data := self._next():
                self._data = (self._data + data)[-_KEPT:]
                self._last = time.monotonic()
        self.when_ended()

    def text(self) -> str:
        return self._data.decode(errors="replace")

    def prompt(self) -> Prompt:
        """Return what has been seen of link and code; once seen, they stay."""
        seen = read_prompt(self.text(), settled=time.monotonic() - self._last > _SETTLED)
        self._prompt = Prompt(self._prompt.link or seen.link, self._prompt.code or seen.code)
        return self._prompt

    def forget(self) -> None:
        """Drop the text: an old driver prints the token itself."""
        self.prompt()
        self._data = b""

    def _next(self) -> bytes:
        """Wait for more. A plain read would wait for the browser too, which inherits stdout from the driver."""
        while not _readable(self._stream, 0 if self._stop_reading.is_set() else _POLL):
            if self._stop_reading.is_set():
                return b""
        return os.read(self._stream.fileno(), _CHUNK)


def _readable(stream: IO[bytes], seconds: float) -> bool:
    if sys.platform == "win32":
        return True  # nothing there waits for a pipe
    poll = select.poll()  # `select.select` fails where a process has more than 1,024 files open
    poll.register(stream, select.POLLIN)
    return bool(poll.poll(seconds * 1000))
