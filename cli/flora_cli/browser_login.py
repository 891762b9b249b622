"""Logging in through the browser: OAuth's authorization code with PKCE, for a program on one's own machine.

A server on 127.0.0.1 waits for the browser to come back (RFC 8252). ``state`` says that the answer belongs
to this login, and the verifier, which never leaves this process before the end, that the code is used by who
asked for it (RFC 7636).
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import platform
import secrets
import threading
import webbrowser
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

import typer
from msgspec import Struct

from flora_cli.client import Api
from flora_cli.config import Target
from flora_cli.errors import CliError
from flora_cli.output import note

PATH: Final = "/callback"
_PAGE: Final = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>flora</title>"
    "<body style='font-family: system-ui; margin: 4em'><h1>{head}</h1><p>{text}</p>"
)


class LoginFailed(CliError):
    """The browser came back without a code, or not at all."""

    exit_code = 3


class _Answer(Struct, frozen=True):
    token: str


@dataclass(slots=True, frozen=True)
class Pkce:
    """A verifier and the challenge that stands for it (S256)."""

    verifier: str
    challenge: str

    @classmethod
    def new(cls) -> Pkce:
        verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(verifier.encode()).digest()
        return cls(verifier, base64.urlsafe_b64encode(digest).rstrip(b"=").decode())


@dataclass(slots=True)
class Returned:
    """What the browser brought."""

    code: str = ""
    error: str = ""


def log_in(target: Target, *, open_browser: bool, seconds: float) -> str:
    """A token for this machine; raises LoginFailed after ``seconds`` or when the person says no."""
    pkce, state = Pkce.new(), secrets.token_urlsafe(32)
    returned = Returned()
    done = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(returned, state, done))
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    serving.start()
    try:
        _show(_address(target.url, server.server_port, state, pkce), open_browser=open_browser)
        if not done.wait(seconds):
            raise LoginFailed(f"nobody logged in within {seconds / 60:.0f} minutes; try again: flora login")
    finally:
        server.shutdown()
        server.server_close()
        serving.join()
    if returned.error:
        raise LoginFailed(f"the login was refused: {returned.error[:200]}")
    with Api(Target(target.url, target.source)) as api:
        body = {"code": returned.code, "verifier": pkce.verifier, "label": label()}
        return api.call("POST", "/auth/cli/token", _Answer, body=body).token


def label() -> str:
    """What the token is called in lists: which machine it is for."""
    return f"flora CLI on {platform.node() or os.name}"[:100]


def _address(url: str, port: int, state: str, pkce: Pkce) -> str:
    query = {
        "redirect": f"http://127.0.0.1:{port}{PATH}",
        "state": state,
        "challenge": pkce.challenge,
    }
    return f"{url}/api/auth/cli?{urlencode(query)}"


def _show(address: str, *, open_browser: bool) -> None:
    is_open = False
    if open_browser:
        with contextlib.suppress(webbrowser.Error, OSError):
            is_open = webbrowser.open(address)
    note("log in in your browser" + (", which opens now, or here:" if is_open else ":"))
    typer.echo(address, err=True)
    note("(over SSH the browser cannot come back: use `flora login --token -` there)")


def _handler(returned: Returned, state: str, done: threading.Event) -> type[BaseHTTPRequestHandler]:
    class Callback(BaseHTTPRequestHandler):
        """Takes the one request that has our state; all others leave the login waiting."""

        timeout = 10

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            if parts.path != PATH or not hmac.compare_digest(query.get("state", "").encode(), state.encode()):
                self._page(404, "Not here", "This address belongs to a login that is under way elsewhere.")
                return
            returned.code, returned.error = query.get("code", ""), query.get("error", "")
            if not returned.code and not returned.error:
                returned.error = "the answer has no code"
            if returned.error:
                self._page(200, "Not logged in", "The terminal says why. You can close this page.")
            else:
                self._page(200, "Logged in", "Go on in the terminal. You can close this page.")
            done.set()

        def _page(self, status: int, head: str, text: str) -> None:
            body = _PAGE.format(head=head, text=text).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("Referrer-Policy", "no-referrer")
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the name it has there
            """Requests hold the code: they are shown nowhere."""

    return Callback
