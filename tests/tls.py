"""TLS in front of an engine's socket: a certificate authority of a test's own, and a server that ends TLS."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import subprocess
import threading
from pathlib import Path
from types import TracebackType

__all__ = ["Authority", "Front"]

_CHUNK = 1 << 14


class Authority:
    """A certificate authority in a folder: ca.pem, and pairs NAME-cert.pem, NAME-key.pem that it signed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._openssl("req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test-ca -keyout ca-key.pem -out ca.pem")

    def _openssl(self, line: str) -> None:
        subprocess.run(["openssl", *line.split()], cwd=self.folder, check=True, capture_output=True)

    @property
    def ca(self) -> str:
        return str(self.folder / "ca.pem")

    def issue(self, name: str, host: str = "127.0.0.1") -> tuple[str, str]:
        """(certificate, key) of a new pair, good for a server at `host` and for a client."""
        kind = "IP" if host.replace(".", "").isdigit() else "DNS"
        (self.folder / f"{name}.ext").write_text(
            f"subjectAltName={kind}:{host}\nextendedKeyUsage=serverAuth,clientAuth\n"
        )
        self._openssl(f"req -newkey rsa:2048 -nodes -subj /CN={name} -keyout {name}-key.pem -out {name}.csr")
        self._openssl(
            f"x509 -req -in {name}.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 2 "
            f"-extfile {name}.ext -out {name}-cert.pem"
        )
        return str(self.folder / f"{name}-cert.pem"), str(self.folder / f"{name}-key.pem")

    def client_folder(self, name: str) -> Path:
        """A folder as DOCKER_CERT_PATH names it: ca.pem, cert.pem, key.pem."""
        cert, key = self.issue(name)
        folder = self.folder / name
        folder.mkdir()
        for source, target in ((self.ca, "ca.pem"), (cert, "cert.pem"), (key, "key.pem")):
            (folder / target).write_bytes(Path(source).read_bytes())
        return folder


class Front:
    """A TLS server on 127.0.0.1 that wants clients with a certificate, and hands what they say to a unix socket."""

    def __init__(self, socket_path: str, authority: Authority, *, host: str = "127.0.0.1") -> None:
        self._target = socket_path
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*authority.issue(f"server-{host}", host))
        self._context.load_verify_locations(authority.ca)
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(0.1)
        self._stopped = threading.Event()
        self.port = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                plain, _ = self._server.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            plain.settimeout(10)
            threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with (
            contextlib.suppress(OSError),
            plain,
            socket.socket(socket.AF_UNIX) as far,
            self._context.wrap_socket(plain, server_side=True) as near,
        ):
            far.connect(self._target)
            self._carry(near, far)

    def _carry(self, near: ssl.SSLSocket, far: socket.socket) -> None:
        """One thread for both ways: an SSL object is not to be used by two."""
        near.setblocking(False)
        far.setblocking(False)
        up, down = bytearray(), bytearray()  # to the engine, to the client
        up_open, down_open, half_closed = True, True, False
        while not self._stopped.is_set() and (down_open or down):
            readers: list[socket.socket] = []
            writers: list[socket.socket] = []
            if up_open and len(up) < 1 << 20:
                readers.append(near)
            if down_open and len(down) < 1 << 20:
                readers.append(far)
            writers += [far] * bool(up) + [near] * bool(down)
            if not near.pending():
                select.select(readers, writers, [], 0.1)
            if up_open:
                with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    piece = near.recv(_CHUNK)  # b"": close_notify, the half-close of TLS
                    up += piece
                    up_open = bool(piece)
            if up:
                with contextlib.suppress(BlockingIOError):
                    del up[: far.send(up)]
            if not up_open and not up and not half_closed:
                half_closed = True
                with contextlib.suppress(OSError):  # it has closed already; what it wrote is still to be read
                    far.shutdown(socket.SHUT_WR)
            if down_open and len(down) < 1 << 20:
                with contextlib.suppress(BlockingIOError):
                    piece = far.recv(_CHUNK)
                    down += piece
                    down_open = bool(piece)
            if down:
                with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    del down[: near.send(down[:_CHUNK])]
        near.unwrap()  # close_notify, as an engine itself sends at its end

    def __enter__(self) -> Front:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._server.close()
        self._thread.join()
