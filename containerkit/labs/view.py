"""View: a local web page with the running lab: its drawing, links with counters, a terminal on each host.

The server listens on 127.0.0.1 only. Every path begins with a random token; requests with another Host header, from
another origin, or without the token are refused. `links.py` reads the counters, `page/` holds what the browser gets;
xterm.js in it is MIT-licensed (page/xterm.LICENSE).
"""

from __future__ import annotations

import contextlib
import hmac
import itertools
import json
import secrets
import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ContainerKitError, InvalidLab
from ..options import parse_integer
from . import plan
from .links import LinkReader

if TYPE_CHECKING:
    from ..resources.terminal import Terminal
    from .lab import Lab

__all__ = ["View"]

_PAGE = Path(__file__).with_name("page")
_FILES = {
    "": ("index.html", "text/html; charset=utf-8"),
    "view.css": ("view.css", "text/css; charset=utf-8"),
    "view.js": ("view.js", "text/javascript; charset=utf-8"),
    "xterm.css": ("xterm.css", "text/css; charset=utf-8"),
    "xterm.js": ("xterm.js", "text/javascript; charset=utf-8"),
}
_HEADERS = {
    # xterm.js and the drawing set styles of their own
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_LONGEST = 1 << 16  # bytes of a request's body
_TERMINALS = 32


class View:
    """A web server for one lab. Leaving its `with` block, or close(), ends it and its terminals.

    Args:
        lab: a running lab.
        port: on 127.0.0.1; 0 takes a free one.

    Attributes:
        url: address of the page, with the token. Whoever has it can run commands in the lab's hosts.

    Raises:
        InvalidOption: a port that is no number of a port.
        OSError: the port is in use.
    """

    def __init__(self, lab: Lab, *, port: int = 0) -> None:
        self._lab = lab
        self._token = secrets.token_urlsafe(24)
        self._links = LinkReader(lab)
        self._terminals: dict[int, Terminal] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"view": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", parse_integer("port", port, low=0, high=65535)), handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/{self._token}/"
        threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True, name="lab view").start()

    def __enter__(self) -> View:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the server, the shells of its terminals, and the reading of counters. Safe to call twice."""
        self._server.shutdown()
        self._server.server_close()
        self._links.close()
        with self._lock:
            terminals = list(self._terminals.values())
            self._terminals.clear()
        for terminal in terminals:
            _hang_up(terminal)

    def state(self) -> dict[str, Any]:
        """Return the lab's name, its hosts with their status, and its links with their counters, as JSON types."""
        hosts = [{"name": each.host, "status": each.status} for each in self._lab.status()]
        return {"name": self._lab.name, "hosts": hosts, "links": [each.to_dict() for each in self._links.read()]}

    def drawing(self) -> str:
        """Return the lab as SVG: stopped hosts are dashed, and so are links that are down."""
        states = {each.host: each.status for each in self._lab.status()}
        broken = [(each.host, each.interface) for each in self._links.read() if each.up is False]
        return self._lab.topology.draw(states, broken).to_svg()

    # ---------------------------------------------------------------- terminals
    def _open(self, host: str, rows: int, columns: int) -> int:
        with self._lock:
            if len(self._terminals) >= _TERMINALS:
                raise InvalidLab(f"{_TERMINALS} terminals are open; end one first")
        terminal = self._lab[host].open_exec(
            ["sh", "-c", plan.SHELL], user="0", interactive=True, tty=True, env={"TERM": "xterm-256color"}
        )
        with contextlib.suppress(ContainerKitError):
            terminal.resize(rows, columns)
        with self._lock:
            number = next(self._numbers)
            self._terminals[number] = terminal
        return number

    def _output(self, number: int) -> Iterator[bytes]:
        """Yield what a shell writes until it ends; then forget it."""
        terminal = self._terminals[number]
        try:
            for output in terminal:
                yield output.data
        finally:
            with self._lock:
                self._terminals.pop(number, None)
            _hang_up(terminal)


def _hang_up(terminal: Terminal) -> None:
    """End a shell that may wait for input: Ctrl-C, Ctrl-D, then the end of its connection."""
    with contextlib.suppress(ContainerKitError, OSError):
        terminal.write(b"\x03\x04")
        terminal.close_stdin()
    terminal.close()


class _Refused(Exception):
    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    view: View
    protocol_version = "HTTP/1.1"
    timeout = 60
    server_version, sys_version = "containerkit", ""

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the path holds the token."""

    def do_GET(self) -> None:
        self._serve(self._get)

    def do_POST(self) -> None:
        self._serve(self._post)

    def _serve(self, answer: Any) -> None:
        try:
            answer(self._allowed())
        except _Refused as exc:
            self._send(str(exc).encode(), "text/plain; charset=utf-8", exc.status)
        except (ContainerKitError, ValueError, KeyError, TypeError) as exc:
            self._send(str(exc).encode(), "text/plain; charset=utf-8", HTTPStatus.BAD_REQUEST)
        except OSError:  # the browser went away
            self.close_connection = True

    def _allowed(self) -> str:
        """Return the path after the token, if the request comes from this page or from the person at this machine."""
        port = self.view.port
        ours = {f"127.0.0.1:{port}", f"localhost:{port}"}
        closing, self.close_connection = (
            self.close_connection,
            True,
        )  # a body that was not read must not be taken for a request
        if self.headers.get_all("Host") is None or any(host not in ours for host in self.headers.get_all("Host", [])):
            raise _Refused(HTTPStatus.FORBIDDEN, "refused: the Host header names another server")
        if any(origin not in {f"http://{host}" for host in ours} for origin in self.headers.get_all("Origin", [])):
            raise _Refused(HTTPStatus.FORBIDDEN, "refused: the request comes from another origin")
        if self.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            raise _Refused(HTTPStatus.FORBIDDEN, "refused: the request comes from another site")
        _, _, rest = self.path.partition("/")
        token, slash, path = rest.partition("/")
        if not slash or not hmac.compare_digest(token.encode(), self.view._token.encode()):
            raise _Refused(HTTPStatus.FORBIDDEN, "refused: the token is missing; use the address that was printed")
        self.close_connection = closing
        return path.partition("?")[0]

    def _get(self, path: str) -> None:
        if path in _FILES:
            name, kind = _FILES[path]
            self._send(_PAGE.joinpath(name).read_bytes(), kind)
        elif path == "state":
            self._send(json.dumps(self.view.state()).encode(), "application/json")
        elif path == "drawing":
            self._send(self.view.drawing().encode(), "image/svg+xml")
        elif path.startswith("terminals/"):
            self._stream(self.view._output(self._number(path.removeprefix("terminals/"))))
        else:
            raise _Refused(HTTPStatus.NOT_FOUND, "no such page")

    def _post(self, path: str) -> None:
        body = self._body()
        if path == "terminals":
            asked = json.loads(body)
            number = self.view._open(str(asked["host"]), int(asked["rows"]), int(asked["columns"]))
            self._send(json.dumps({"id": number}).encode(), "application/json")
            return
        _, number_text, verb = (*path.split("/"), "", "")[:3]
        terminal = self.view._terminals[self._number(number_text)]
        if verb == "input":
            terminal.write(body)
        elif verb == "size":
            asked = json.loads(body)
            terminal.resize(asked["rows"], asked["columns"])
        else:
            raise _Refused(HTTPStatus.NOT_FOUND, "no such page")
        self._send(b"", "text/plain")

    def _number(self, text: str) -> int:
        if not text.isdecimal() or int(text) not in self.view._terminals:
            raise _Refused(HTTPStatus.NOT_FOUND, "no such terminal")
        return int(text)

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _LONGEST:
            self.close_connection = True
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"expected a body of at most {_LONGEST} bytes")
        return self.rfile.read(int(length))

    def _head(self, kind: str, status: HTTPStatus, **headers: str) -> None:
        self.send_response(status)
        for name, value in {**_HEADERS, "Content-Type": kind}.items():
            self.send_header(name, value)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def _send(self, data: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._head(kind, status, Content_Length=str(len(data)))
        self.wfile.write(data)

    def _stream(self, pieces: Iterator[bytes]) -> None:
        self._head("application/octet-stream", HTTPStatus.OK, Transfer_Encoding="chunked")
        with contextlib.closing(pieces):  # type: ignore[type-var]
            for piece in pieces:
                if piece:
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")
