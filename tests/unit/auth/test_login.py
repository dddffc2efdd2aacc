"""The login child: real processes, a real DuckDB with the stand-in behind it, and nothing left afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from md_magic.auth import login
from md_magic.auth.login import Login, environment, explain, is_motherduck_page, read_prompt
from md_magic.errors import LoginImpossible, SignInError
from tests.motherduck.standin import texts
from tests.motherduck.standin.fixtures import PYTHONPATH
from tests.motherduck.standin.service import make_token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.motherduck.standin.service import Account, Service


EMAIL = "ann@example.com"
LINK = "https://auth.motherduck.com/activate"


@pytest.fixture
def account(motherduck: Service) -> Account:
    return motherduck.add_account(EMAIL)


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    """Fail a test that leaves a child, a zombie or an open file descriptor."""
    before, others = _open_files(), _children()
    yield
    assert _children() <= others  # a browser of another test's may be there
    assert _open_files() <= before


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir())) if sys.platform == "linux" else 0


def _children() -> set[str]:
    """Return the children of this process, zombies among them, of whichever of its threads."""
    tasks = Path("/proc/self/task").glob("*/children")  # there are none where there is no /proc
    return {child for task in tasks for child in task.read_text().split()}


def _browsers() -> set[str]:
    """Return the processes that stand in for a browser, whoever started them."""
    commands = {path.parent.name: _read(path) for path in Path("/proc").glob("[0-9]*/cmdline")}
    return {pid for pid, command in commands.items() if command.startswith(b"/bin/sleep\0")}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "It did not come to pass."
        time.sleep(0.01)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no poll, and no need of it")
def test_a_process_with_many_open_files_can_sign_in() -> None:
    import resource  # not on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    many = 1100
    if hard != resource.RLIM_INFINITY and hard < 2 * many:
        pytest.skip(f"No more than {hard} files may be open here.")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * many), hard))
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(many)]
    reading, writing = os.pipe()
    try:
        with os.fdopen(reading, "rb") as stream:
            assert not login._readable(stream, 0)
            os.write(writing, b"a link")
            assert login._readable(stream, 0)
    finally:
        for fd in (*held, writing):
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class TestReadPrompt:
    @pytest.mark.parametrize("variant", sorted(texts.PROMPTS))
    @pytest.mark.parametrize("cut", ["whole", "byte by byte"])
    def test_every_variant(self, variant: str, cut: str) -> None:
        text = texts.PROMPTS[variant].format(page=texts.AUTH, code="ZSRQ-GJQS")
        seen = [read_prompt(text[:end], settled=False) for end in (range(len(text)) if cut == "byte by byte" else ())]
        link, code = read_prompt(text, settled=True)
        assert (link, code) == (LINK if variant == "2023" else f"{LINK}?user_code=ZSRQ-GJQS", "ZSRQ-GJQS")
        assert {prompt.link for prompt in seen} <= {None, link}
        assert {prompt.code for prompt in seen} <= {None, code}

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("See https://motherduck.com/docs for help\n", id="another link"),
            pytest.param("Open javascript:alert(1)/activate\n", id="no address"),
            pytest.param(f"{LINK}?user_co", id="half a line"),
            pytest.param("", id="nothing"),
        ],
    )
    def test_what_is_no_prompt(self, text: str) -> None:
        assert read_prompt(text, settled=False) == (None, None)

    def test_a_page_of_motherduck_goes_before_any_other(self) -> None:
        text = f"See http://example.com/activate\n{LINK}?user_code=ZSRQ-GJQS\n"
        assert read_prompt(text, settled=False) == (f"{LINK}?user_code=ZSRQ-GJQS", "ZSRQ-GJQS")
        assert read_prompt("See http://example.com/activate\n", settled=False).link == "http://example.com/activate"

    def test_a_code_is_looked_for_after_the_link(self) -> None:
        text = f"Build ABCD-1234\n1. Open {LINK}\n2. Enter the following code: ZSRQ-GJQS\n"
        assert read_prompt(text, settled=False) == (LINK, "ZSRQ-GJQS")

    def test_a_hostile_text_is_read_in_time_that_grows_with_its_length(self) -> None:
        for unit in ("code ", "code-ABCD-", "https://", "/activate ", "\x1b]", "\x1b[0;", "ABCD-"):
            read_prompt(unit * (100_000 // len(unit)), settled=True)


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        (f"{LINK}?user_code=ZSRQ-GJQS", True),
        ("https://app.motherduck.com/token-request?appName=md_magic", True),
        ("https://motherduck.com", True),
        ("https://auth.motherduck.com:443/activate", True),
        ("http://auth.motherduck.com/activate", False),
        ("https://auth.motherduck.com:8443/activate", False),
        ("https://auth.motherduck.com.example.com/activate", False),
        ("https://notmotherduck.com/activate", False),
        ("https://example.com/activate?motherduck.com", False),
        ("https://auth.motherduck.com@example.com/activate", False),
        ("https://example.com\\@auth.motherduck.com/activate", False),
        ("https://example.com\\.motherduck.com/activate", False),
        ("https://auth.motherduck.com/activate\n", False),
        ("https://аuth.motherduck.com/activate", False),
        ("https://[auth.motherduck.com/activate", False),
        ("https://auth.motherduck.com:port/activate", False),
        ("javascript:alert('https://auth.motherduck.com')", False),
        ("", False),
    ],
)
def test_only_https_pages_of_motherduck_are_offered(link: str, expected: bool) -> None:
    assert is_motherduck_page(link) is expected


class TestSigningIn:
    @pytest.mark.parametrize("pragma", ["row", "prints", "missing"])
    @pytest.mark.parametrize("stream", [1, 2], ids=["stdout", "stderr"])
    @pytest.mark.parametrize("prompt", ["1.2", "2023"])
    def test_however_the_driver_tells_it(
        self, motherduck: Service, account: Account, prompt: str, stream: int, pragma: str
    ) -> None:
        motherduck.be(prompt=prompt, stream=stream, pragma=pragma)
        with Login() as login:
            code = motherduck.wait_for_login()
            until(lambda: login.link and login.code)
            assert (login.state, login.code) == ("waiting", code)
            motherduck.approve(code, EMAIL)
            assert login.take_token().reveal() == account.token
            assert login.state == "done"

    @pytest.mark.parametrize("stream", [1, 2], ids=["stdout", "stderr"])
    @pytest.mark.parametrize("pragma", ["row", "prints", "missing"])
    def test_a_driver_that_starts_the_login_at_the_first_statement(
        self, motherduck: Service, account: Account, pragma: str, stream: int
    ) -> None:
        motherduck.be(login_at="statement", pragma=pragma, stream=stream)
        with Login() as login:
            code = motherduck.wait_for_login()
            until(lambda: login.link)
            assert login.link == f"{LINK}?user_code={code}"
            motherduck.approve(code, EMAIL)
            assert login.take_token().reveal() == account.token
        assert len(motherduck.recorded("login")) == 1

    def test_a_denial_at_the_first_statement_starts_no_other_login(self, motherduck: Service) -> None:
        motherduck.be(login_at="statement")
        with Login() as login:
            motherduck.deny(motherduck.wait_for_login())
            with pytest.raises(SignInError, match="denied on MotherDuck's page"):
                login.take_token()
        assert len(motherduck.recorded("login")) == 1

    @pytest.mark.parametrize("missing", [("md_user_info",), ("md_user_info", "md_all_databases")])
    def test_a_driver_without_the_functions_that_are_asked(
        self, motherduck: Service, account: Account, missing: tuple[str, ...]
    ) -> None:
        motherduck.be(missing=list(missing))
        with Login() as login:
            motherduck.approve(motherduck.wait_for_login(), EMAIL)
            assert login.take_token().reveal() == account.token

    @pytest.mark.parametrize("prompt", ["1.2", "2023"])
    def test_the_link_survives_a_flood_before_it_in_bounded_memory(
        self, motherduck: Service, account: Account, prompt: str
    ) -> None:
        motherduck.be(prompt=prompt, flood=100_000_000)
        with Login() as login:
            code = motherduck.wait_for_login(60)
            until(lambda: login.link and login.code, 60)
            assert login.code == code
            assert max(len(reader._data) for reader in login._readers) <= 1 << 16
            motherduck.approve(code, EMAIL)
            assert login.take_token().reveal() == account.token

    def test_the_link_survives_a_flood_after_it(self, motherduck: Service, account: Account) -> None:
        motherduck.be(prompt="2023", flood=1_000_000, flood_after=True)
        with Login() as login:
            code = motherduck.wait_for_login()
            time.sleep(1)  # nobody looks meanwhile
            assert (login.link, login.code) == (LINK, code)
            motherduck.approve(code, EMAIL)
            assert login.take_token().reveal() == account.token

    @pytest.mark.parametrize("prompt", ["headless", "crlf", "colours", "no line end"])
    def test_whatever_the_driver_prints_in_pieces(self, motherduck: Service, account: Account, prompt: str) -> None:
        motherduck.be(prompt=prompt, chunk=7)
        with Login() as login:
            code = motherduck.wait_for_login()
            until(lambda: login.code)
            assert login.link == f"{LINK}?user_code={code}"
            motherduck.approve(code, EMAIL)
            assert login.take_token().reveal() == account.token

    def test_a_token_is_handed_over_once(self, motherduck: Service, account: Account) -> None:
        with Login() as login:
            motherduck.approve(motherduck.wait_for_login(), account.email)
            login.take_token()
            with pytest.raises(SignInError, match="taken already"):
                login.take_token()

    def test_a_browser_that_keeps_the_output_open_holds_nothing_up(self, motherduck: Service, account: Account) -> None:
        before = _browsers()
        motherduck.be(opens_browser=True)
        with Login() as login:
            motherduck.approve(motherduck.wait_for_login(), EMAIL)
            assert login.take_token().reveal() == account.token
            assert _browsers() - before, "The token came when the browser had ended."

    def test_who_we_are_reaches_motherduck(self, motherduck: Service, account: Account) -> None:
        with Login(user_agent="md_magic/1.2.3") as login:
            motherduck.approve(motherduck.wait_for_login(), account.email)
            login.wait()
        assert motherduck.recorded("connect")[0]["config"] == {"custom_user_agent": "md_magic/1.2.3"}


class TestEnding:
    def test_denied(self, motherduck: Service) -> None:
        with Login() as login:
            motherduck.deny(motherduck.wait_for_login())
            with pytest.raises(SignInError, match="denied on MotherDuck's page"):
                login.take_token()
            assert login.state == "failed"

    def test_nobody_answers_and_the_driver_gives_up(self, motherduck: Service) -> None:
        motherduck.be(login_seconds=0.2)
        with Login() as login, pytest.raises(SignInError, match="ended without a token"):
            login.take_token()

    @pytest.mark.usefixtures("motherduck")
    def test_nobody_answers_and_we_give_up(self) -> None:
        with Login(timeout=0.8) as login:
            assert login.left <= 0.8
            with pytest.raises(SignInError, match="Nobody signed in to MotherDuck within 1 seconds"):
                login.take_token()
            assert (login.state, login.left) == ("failed", 0)

    @pytest.mark.parametrize("hangs", [False, True], ids=["waiting", "holding the GIL"])
    def test_cancelled(self, motherduck: Service, hangs: bool) -> None:
        motherduck.be(hangs=hangs)
        login = Login()
        if hangs:
            time.sleep(0.5)
        else:
            motherduck.wait_for_login()
        login.cancel()
        login.cancel()
        assert login.state == "cancelled"
        with pytest.raises(SignInError, match="was cancelled"):
            login.take_token()

    def test_leaving_the_block_cancels(self, motherduck: Service) -> None:
        login = Login()
        with login:
            motherduck.wait_for_login()
            assert login.state != "cancelled"
        assert login.state == "cancelled"

    def test_a_child_that_dies(self, motherduck: Service) -> None:
        motherduck.be(dies=True)
        with Login() as login, pytest.raises(LoginImpossible, match="its process ended without an answer"):
            login.take_token()

    @pytest.mark.parametrize(
        ("outage", "message"),
        [
            pytest.param("no extension", r"extensions\.duckdb\.org cannot be reached", id="no extension"),
            pytest.param("no network", r"MotherDuck cannot be reached", id="no network"),
            pytest.param("too new", r"does not accept yet.*duckdb==1\.5\.6", id="too new"),
            pytest.param("too old", r"no longer accepts.*duckdb==1\.5\.6", id="too old"),
            pytest.param("try later", r"does not answer as it should.*run the cell again", id="try later"),
        ],
    )
    def test_outages(self, motherduck: Service, outage: str, message: str) -> None:
        motherduck.be(outage=outage)
        with Login() as login, pytest.raises(SignInError, match=message) as caught:
            login.take_token()
        words = texts.UNWRAPPED.get(outage, texts.OUTAGES.get(outage, "")).removeprefix("IO Error: ").strip()
        assert words in caught.value.__notes__[0]
        assert "Initialization function" not in caught.value.__notes__[0]

    @pytest.mark.parametrize("executable", ["/nowhere/python", "", None])
    def test_an_interpreter_that_is_gone(self, monkeypatch: pytest.MonkeyPatch, executable: str | None) -> None:
        monkeypatch.setattr(sys, "executable", executable)
        with pytest.raises(LoginImpossible, match="could not be started"):
            Login()

    def test_a_host_that_lets_no_process_start(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_arguments: object, **_options: object) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(subprocess, "Popen", refuse)
        with pytest.raises(LoginImpossible, match=r"could not be started.*not permitted"):
            Login()

    def test_an_unknown_error_is_quoted_without_a_token(self) -> None:
        token = make_token(EMAIL)
        assert str(explain("", f"IOException: odd {token} error")) == (
            "MotherDuck's login failed: IOException: odd *** error"
        )

    def test_the_next_attempt_starts_clean(self, motherduck: Service, account: Account) -> None:
        with Login() as login:
            motherduck.deny(motherduck.wait_for_login())
            login.wait()
        with Login() as login:
            motherduck.approve(motherduck.wait_for_login(), EMAIL)
            assert login.take_token().reveal() == account.token


class TestSecrecy:
    def test_the_child_is_given_no_token(self, motherduck: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        token = make_token(EMAIL)
        for name in ("motherduck_token", "MOTHERDUCK_TOKEN", "MotherDuck_Token", "MY_OTHER"):
            monkeypatch.setenv(name, token)
        with Login():
            motherduck.wait_for_login()
            pid = motherduck.recorded("login")[0]["pid"]
            seen = Path(f"/proc/{pid}/environ").read_bytes() + Path(f"/proc/{pid}/cmdline").read_bytes()
        assert token.encode() not in seen
        assert b"motherduck_token" not in seen.lower()

    def test_it_comes_over_a_pipe_of_its_own(self, motherduck: Service, account: Account) -> None:
        with Login() as login:
            code = motherduck.wait_for_login()
            pid = motherduck.recorded("login")[0]["pid"]
            pipes = {str(file.readlink()) for file in Path(f"/proc/{pid}/fd").iterdir()}
            assert len([pipe for pipe in pipes if pipe.startswith("pipe:")]) == 4
            motherduck.approve(code, account.email)
            login.wait()
            kept = repr([(vars(thing), str(thing)) for thing in (login, *login._readers)])
        assert account.token not in kept

    def test_nothing_of_an_environment_is_lost_but_tokens(self) -> None:
        kept = environment({"PATH": "/bin", "HTTPS_PROXY": "http://proxy:3128", "motherduck_token": "x"})
        assert kept["PATH"] == "/bin"
        assert kept["HTTPS_PROXY"] == "http://proxy:3128"
        assert "motherduck_token" not in kept

    def test_it_never_runs_in_this_process(self, motherduck: Service, account: Account) -> None:
        with Login() as login:
            motherduck.approve(motherduck.wait_for_login(), account.email)
            login.wait()
        assert os.getpid() not in [line["pid"] for line in motherduck.recorded("login")]


KERNEL = """
import json, sys, time
from md_magic.auth.login import Login
login = Login()
while not login.link:
    time.sleep(0.01)
print(json.dumps(login.link), flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda end: end.name)
def test_the_child_dies_with_the_kernel(motherduck: Service, end: signal.Signals) -> None:
    kernel = subprocess.Popen(
        [sys.executable, "-c", KERNEL],
        env=os.environ | {"PYTHONPATH": PYTHONPATH},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with kernel:
        assert kernel.stdout is not None
        assert json.loads(kernel.stdout.readline()).startswith(LINK)
        pid = motherduck.recorded("login")[0]["pid"]
        kernel.send_signal(end)
        kernel.wait(10)
        until(lambda: _gone(pid), 5)


def _gone(pid: object) -> bool:
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
