"""A registry in this process, for tests without an engine: it serves OCI layouts, and asks for credentials as told."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal

from containerkit.oci.digest import sha256

__all__ = ["ServedRegistry"]

Asks = Literal["nothing", "basic", "bearer"]
USER, PASSWORD, TOKEN = "lab", "labpass", "a.token"


class ServedRegistry:
    """Answers GET of manifests, blobs and tags. Use it in a `with` block.

    Args:
        asks: the credentials that each request must have.
        tls: (certificate, key) files, for https; None for http.

    Attributes:
        address: host and port.
        paths: the paths requested so far.
        blobs: digest -> bytes; tests may change them.
        tags: repository -> tag -> digest.
        page: number of tags in one answer.
    """

    def __init__(self, asks: Asks = "nothing", tls: tuple[str, str] | None = None) -> None:
        self.asks = asks
        self.paths: list[str] = []
        self.blobs: dict[str, bytes] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.page = 1000
        registry = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                registry.answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: Any, client_address: Any) -> None:
                pass  # a client that does not trust the certificate

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._scheme = "http" if tls is None else "https"
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.address = f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> ServedRegistry:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    def push(self, name: str, *layouts: Mapping[str, bytes], platforms: tuple[str, ...] = ()) -> str:
        """Serve the image of an OCI layout as "repository:tag"; of several, an index with a platform each."""
        repository, _, tag = name.partition(":")
        found = []
        for members in layouts:
            for path, data in members.items():
                if path.startswith("blobs/"):
                    self.blobs[path.removeprefix("blobs/").replace("/", ":", 1)] = data
            found.append(json.loads(members["index.json"])["manifests"][0])
        digest: str = found[0]["digest"]
        if platforms:
            for entry, platform in zip(found, platforms, strict=True):
                words = dict(zip(("os", "architecture", "variant"), platform.split("/"), strict=False))
                entry["platform"] = words
            index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": found}
            raw = json.dumps(index).encode()
            digest = sha256(raw)
            self.blobs[digest] = raw
        self.tags.setdefault(repository, {})[tag] = digest
        return f"{self.address}/{name}"

    # ---------------------------------------------------------------- answers
    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        path, _, query = request.path.partition("?")
        self.paths.append(path)
        given = request.headers.get("Authorization", "")
        login = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if path == "/token":
            good = given == login and "scope=repository%3A" in query
            self._send(request, 200 if good else 401, json.dumps({"token": TOKEN} if good else {}).encode())
            return
        if self.asks != "nothing" and given != {"basic": login, "bearer": f"Bearer {TOKEN}"}[self.asks]:
            challenge = 'Basic realm="lab"'
            if self.asks == "bearer":
                challenge = (
                    f'Bearer realm="{self._scheme}://{self.address}/token",service="lab",scope="repository:x:pull"'
                )
            self._send(request, 401, b'{"errors":[{"message":"who are you"}]}', {"WWW-Authenticate": challenge})
            return
        repository, kind, what = path.removeprefix("/v2/").rpartition("/manifests/")
        if not kind:
            repository, kind, what = path.removeprefix("/v2/").rpartition("/blobs/")
        known = self.tags.get(repository, {})
        if path.endswith("/tags/list") and (known := self.tags.get(path[4 : -len("/tags/list")], {})):
            self._tags(request, path, query, sorted(known))
            return
        data = self.blobs.get(known.get(what, what)) if known else None
        if data is None:
            self._send(request, 404, b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}')
        else:
            self._send(request, 200, data)

    def _tags(self, request: BaseHTTPRequestHandler, path: str, query: str, tags: list[str]) -> None:
        last = query.partition("last=")[2]
        left = [tag for tag in tags if tag > last]
        page = left[: self.page]
        more = {"Link": f'<{path}?n={self.page}&last={page[-1]}>; rel="next"'} if len(left) > len(page) else {}
        self._send(request, 200, json.dumps({"tags": page}).encode(), more)

    @staticmethod
    def _send(
        request: BaseHTTPRequestHandler, status: int, body: bytes, headers: Mapping[str, str] | None = None
    ) -> None:
        request.send_response(status)
        for name, value in (headers or {}).items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)
