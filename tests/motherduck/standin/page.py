"""The service's pages, served on loopback: where a person, or a test's browser, confirms a login or makes a token."""

from __future__ import annotations

import threading
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from tests.motherduck.standin.service import Service

PAGE = """<!doctype html><meta charset="utf-8"><title>Device confirmation (stand-in)</title>
<h1>Device confirmation</h1>
<form method="post" action="/activate">
<p>Code <input name="user_code" value="{code}"> for <input name="email" value="{email}"></p>
<button name="answer" value="confirm">Confirm</button> <button name="answer" value="deny">Deny</button>
</form>"""
MADE = """<!doctype html><meta charset="utf-8"><title>Token (stand-in)</title>
<h1>Token for {application}</h1><code>{token}</code>"""
DONE = """<!doctype html><meta charset="utf-8"><title>{title}</title><h1>{title}</h1>"""


class Page:
    """A context manager; `url` is where it is served."""

    def __init__(self, service: Service, email: str) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(service, email))
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.server.shutdown()
        self.server.server_close()


def _handler(service: Service, email: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            query = parse_qs(address.query)
            if address.path == "/token-request":
                account = service.find_account(email)
                application = escape(query.get("appName", ["?"])[0])
                self.reply(MADE.format(application=application, token=account.token if account else ""))
                return
            code = query.get("user_code", [""])[0]
            self.reply(PAGE.format(code=escape(code), email=escape(email)))

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            form = parse_qs(self.rfile.read(length).decode())
            code = form["user_code"][0].strip().upper()
            if service.login(code)["state"] != "pending":
                self.reply(DONE.format(title="Invalid or expired code"))
            elif form["answer"][0] == "confirm":
                service.approve(code, form["email"][0])
                self.reply(DONE.format(title="Congratulations, you're all set!"))
            else:
                service.deny(code)
                self.reply(DONE.format(title="Denied"))

        def reply(self, text: str) -> None:
            data = text.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *arguments: Any) -> None:
            """Say nothing: pytest's output is for tests."""

    return Handler
