"""The web login, run in a child process that leaves nothing behind.

The kernel never blocks in the driver's login. A `Login` starts `login_child`, reads link and code from the driver's
output, and reads the token from a pipe that is used for nothing else. The child has its own process session, because
Jupyter interrupts the kernel's whole process group. It exits when the kernel dies.
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
from urllib.parse import urlsplit

from md_magic import threads
from md_magic.auth.diagnosis import diagnose
from md_magic.auth.secret import Secret, scrub
from md_magic.auth.token import is_jwt, tokens_in
from md_magic.errors import LoginImpossible, SignInError

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
"""Bytes of each output stream that are kept, to explain a failure."""

_POLL = 0.1
_GRACE = 1.0
"""Seconds that the child gets to exit by itself, and a reader to finish."""

_SETTLED = 0.5
"""Seconds of silence after which a last line without a line break counts as complete."""

_ESCAPES = re.compile(r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-?]*[ -/]*[@-~]")
_LINK = re.compile(r"https?://[^\s\"'<>\x1b\x07]{1,2000}")
_CODE = r"(?<![\w-])[A-Z0-9]{4}-[A-Z0-9]{4}(?![\w-])"
_CODES = (
    re.compile(rf"user_code=({_CODE})"),
    re.compile(rf"code\W[^\n]{{0,80}}?({_CODE})"),
    re.compile(rf"({_CODE})"),
)
_HOST = "motherduck.com"


class Prompt(NamedTuple):
    """What a person needs to sign in: a link to open, and the code that its page shows or asks for."""

    link: str | None = None
    code: str | None = None


def read_prompt(text: str, *, settled: bool) -> Prompt:
    """Return the link and the code in *text*, the output of MotherDuck's driver.

    The last line counts only if it is complete: it ends in a line break, or the output has *settled*.
    """
    plain = _ESCAPES.sub("", text)
    complete = plain if settled else plain[: max(plain.rfind("\n"), plain.rfind("\r")) + 1]
    links = [link for link in (link.rstrip(".,;)") for link in _LINK.findall(complete)) if "/activate" in link]
    link = _better(*links)
    after = complete[complete.find(link) :] if link else complete
    matches = (pattern.search(after) for pattern in _CODES)
    return Prompt(link, next((match[1] for match in matches if match), None))


def _better(*links: str | None) -> str | None:
    """Return the first of *links* that is a page of MotherDuck, else the first one."""
    present = [link for link in links if link]
    return next(filter(is_motherduck_page, present), present[0] if present else None)


def is_motherduck_page(link: str) -> bool:
    """Whether *link* is an `https` page of MotherDuck or of its login host. Only such links can be clicked.

    A link that a browser could read as another host, through a backslash or a user name, is refused.
    """
    if not link.isascii() or not link.isprintable() or "\\" in link or "@" in link or " " in link:
        return False
    try:
        parts = urlsplit(link)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    return parts.scheme == "https" and port in {None, 443} and (host == _HOST or host.endswith(f".{_HOST}"))


class Login:
    """One attempt to sign in, started by the constructor. A context manager that cleans up after itself.

    Its methods can be called from any thread, and `cancel` any number of times. The constructor raises
    `LoginImpossible` if no process can be started.
    """

    def __init__(self, *, timeout: float = TIMEOUT, user_agent: str = "md_magic") -> None:
        if not threads.available():
            message = f"The login {threads.NEEDED}"
            raise LoginImpossible(message)
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
        """The code that the page shows or asks for. Old drivers print it after the link."""
        return self._prompt().code

    @property
    def left(self) -> float:
        """Seconds until this attempt times out; never negative."""
        return max(0.0, self._deadline - time.monotonic())

    @property
    def state(self) -> State:
        """The current state."""
        if not self._finished.is_set():
            return "waiting" if self.link else "starting"
        if self._ending == "cancelled":
            return "cancelled"
        return "failed" if self._error else "done"

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the attempt has ended in any way, for at most *timeout* seconds. Return whether it has."""
        return self._finished.wait(timeout)

    def cancel(self) -> None:
        """End the attempt, if it still runs, and return when the child process is gone."""
        self._end("cancelled")
        self._finished.wait()

    def take_token(self) -> Secret:
        """Wait for the token and return it, once: no copy stays here.

        Raises a `SignInError` that says why there is none (denied, cancelled, timed out, no network), and
        `LoginImpossible` if the process was ended before it answered.
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
        return Prompt(_better(*links), next(filter(None, codes), None))

    def _end(self, how: _Ending) -> None:
        with self._lock:
            self._ending = self._ending or how
        self._stop.set()

    def _supervise(self) -> None:
        if not self._stop.wait(self.left):
            self._end("timed out")
        _reap(self._process)
        for reader in self._readers:
            reader.join(_GRACE)  # on Windows a browser that has the pipe open can block it; the thread is a daemon
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
            self._error = self._explained("\n".join(printed), error)

    def _explained(self, printed: str, error: str) -> SignInError:
        if self._ending == "cancelled":
            return SignInError("The sign-in to MotherDuck was cancelled. Run the cell again to start over.")
        if self._ending == "timed out":
            return SignInError(
                f"Nobody signed in to MotherDuck within {self._timeout:.0f} seconds. Run the cell again for a new link."
            )
        return explain(printed, error)


_Ending = Literal["answered", "cancelled", "timed out"]


def explain(printed: str, error: str) -> SignInError:
    """Return the error for a login without a token, from what the driver *printed* and the *error* it raised."""
    on_screen = diagnose(printed)
    denied = on_screen is not None and on_screen.cause == "denied"
    diagnosis = on_screen if denied else diagnose(error) or on_screen
    if diagnosis is None:
        if not error:
            return LoginImpossible("MotherDuck's login failed: its process ended without an answer.")
        return SignInError(f"MotherDuck's login failed: {_clean(error)}")
    if diagnosis.asks_for_token:
        return SignInError("MotherDuck's login ended without a token. Run the cell again to start over.")
    failure = SignInError(diagnosis.advice)
    if error and not denied:
        failure.add_note(f"The driver said: {_clean(diagnosis.words)}")
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
    """Start the child. Return it, and the reading end of the pipe for its answer."""
    source, sink = os.pipe()
    number, options = _handed_down(sink)
    # Not -I: it hides the user's site-packages and PYTHONPATH, from which this kernel may import duckdb. -P is enough:
    # it keeps the script's folder off sys.path, where our modules could shadow others.
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
    except (OSError, TypeError) as error:  # the latter where `sys.executable` is None, as in an embedded Python
        os.close(source)
        message = f"The web login cannot run here, because its process could not be started: {error}."
        raise LoginImpossible(message) from error
    finally:
        os.close(sink)
    return process, os.fdopen(source, "rb", buffering=0)


def _handed_down(sink: int) -> tuple[int, dict[str, Any]]:
    """Return the number of *sink* in the child, and the `Popen` options that pass it on and start a process group."""
    if sys.platform == "win32":
        import msvcrt  # exists there only

        handle = msvcrt.get_osfhandle(sink)
        os.set_handle_inheritable(handle, True)  # noqa: FBT003 - positional only
        startup = subprocess.STARTUPINFO(lpAttributeList={"handle_list": [handle]})
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
        return handle, {"startupinfo": startup, "close_fds": False, "creationflags": flags}
    return sink, {"pass_fds": (sink,), "start_new_session": True}


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return *environ* for the child: without tokens, and with this kernel's import path, for the same duckdb."""
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
    """Wait until *process* ends. Its process group is left alone: it may include the browser that the driver opened."""
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
    """Reads one stream of the child to its end, or until *stop* is set and nothing is left to read; then closes it."""

    def __init__(self, stream: IO[bytes], stop: threading.Event) -> None:
        super().__init__(name="md_magic login reader", daemon=True)
        self.when_ended: Callable[[], None] = lambda: None
        self._stream = stream
        self._stop_reading = stop
        self._data = b""
        self._last = time.monotonic()
        self._prompt = Prompt()
        self._prompt_lock = threading.Lock()

    def run(self) -> None:
        with self._stream, suppress(OSError):
            while data := self._next():
                self._last = time.monotonic()
                self._keep(self._data + data)
        self.when_ended()

    def _keep(self, data: bytes) -> None:
        """Keep the last bytes of the stream, and link and code separately: later output could push them out."""
        if b"/activate" in data or (self._prompt.link and not self._prompt.code):
            self._note_prompt(data, settled=False)
        self._data = data[-_KEPT:]

    def text(self) -> str:
        return self._data.decode(errors="replace")

    def prompt(self) -> Prompt:
        """Return the link and code seen so far."""
        return self._note_prompt(self._data, settled=time.monotonic() - self._last > _SETTLED)

    def _note_prompt(self, data: bytes, *, settled: bool) -> Prompt:
        seen = read_prompt(data.decode(errors="replace"), settled=settled)
        with self._prompt_lock:
            self._prompt = Prompt(_better(self._prompt.link, seen.link), self._prompt.code or seen.code)
            return self._prompt

    def forget(self) -> None:
        """Drop the text: old drivers print the token itself."""
        self.prompt()
        self._data = b""

    def _next(self) -> bytes:
        """Wait for more output. A plain read would wait for the browser too, which inherits the driver's stdout."""
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
