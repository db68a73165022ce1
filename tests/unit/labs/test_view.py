"""The web page of a lab on the engine in memory: who is refused, what the page is told."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator

import pytest

import containerkit as ck
from containerkit.labs import Lab, View, links, plan
from containerkit.testing import FakeBackend, Reply

SAMPLE = """\
Inter-|   Receive                     |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier
  ckw0:    1500      10    0    0    0     0          0         0     2500      20    0    0    0     0       0
  ckw1:      70       1    0    0    0     0          0         0       80       1    0    0    0     0       0
/sys/class/net/ckw0/operstate:up
/sys/class/net/ckw1/operstate:lowerlayerdown
"""


@pytest.fixture
def lab() -> Iterator[Lab]:
    def shell(argv: tuple[str, ...], stdin: bytes) -> Reply:
        if plan.CONFIGURED in argv[2]:
            return Reply(stderr=plan.CONFIGURED.encode(), until_stopped=True)
        return Reply(b"$ ", until_stopped=argv[2] in (plan.KEEP_ALIVE, plan.HELPER))

    backend = FakeBackend(images=["app:1"])
    backend.on(["sh", ...], shell)
    with ck.connect(backend) as engine:
        lab = Lab(engine, name="two", image="app:1")
        lab.add("pc1", {"A": "10.0.0.1/24"})
        lab.add("pc2", {"A": "10.0.0.2/24"})
        with lab.up():
            yield lab


@pytest.fixture
def view(lab: Lab) -> Iterator[View]:
    with View(lab) as view:
        yield view


def ask(view: View, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    """Send one request as a program does; `token` in the path stands for the view's."""
    connection = http.client.HTTPConnection("127.0.0.1", view.port, timeout=30)
    try:
        target = path.replace("token", view.url.split("/")[3])
        connection.request(method, target, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


PATHS = ["/token/", "/token/state", "/token/drawing", "/token/xterm.js"]


@pytest.mark.parametrize("path", PATHS)
def test_the_page_and_its_parts(view: View, path: str) -> None:
    """With the token everything is served."""
    assert ask(view, path)[0] == 200
    assert ask(view, path, Origin=f"http://127.0.0.1:{view.port}", Sec_Fetch_Site="same-origin")[0] == 200
    assert ask(view, path, Host=f"localhost:{view.port}")[0] == 200


@pytest.mark.parametrize("path", [*PATHS, "/token/terminals"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_strangers_are_refused(view: View, path: str, method: str) -> None:
    """A missing or wrong token, a foreign Host as after DNS rebinding, a foreign Origin, a foreign site."""
    bare = path.replace("/token", "")
    body = b'{"host": "pc1", "rows": 24, "columns": 80}' if method == "POST" else None
    refused = [
        ask(view, bare or "/", method, body),
        ask(view, f"/wrong{bare}", method, body),
        ask(view, path, method, body, Host="evil.example"),
        ask(view, path, method, body, Host=f"evil.example:{view.port}"),
        ask(view, path, method, body, Host="127.0.0.1"),
        ask(view, path, method, body, Origin="http://evil.example"),
        ask(view, path, method, body, Origin=f"https://127.0.0.1:{view.port}"),
        ask(view, path, method, body, Origin=f"http://127.0.0.1:{view.port + 1}"),
        ask(view, path, method, body, Origin="null"),
        ask(view, path, method, body, Sec_Fetch_Site="cross-site"),
        ask(view, path, method, body, Sec_Fetch_Site="same-site"),
    ]
    assert [status for status, _ in refused] == [403] * len(refused)
    assert view._terminals == {}


def test_the_headers_of_the_page(view: View) -> None:
    """No script from elsewhere, no frame, no cache, and no referrer that would carry the token away."""
    connection = http.client.HTTPConnection("127.0.0.1", view.port, timeout=30)
    connection.request("GET", f"/{view.url.split('/')[3]}/")
    headers = connection.getresponse().headers
    connection.close()
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert (headers["Cache-Control"], headers["Referrer-Policy"]) == ("no-store", "no-referrer")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in headers


def test_what_cannot_be_done_is_said(view: View) -> None:
    """Unknown pages and terminals, an unknown host, a body that is no JSON or too long."""
    assert ask(view, "/token/../../etc/passwd")[0] == 404
    assert ask(view, "/token/terminals/1")[0] == 404
    assert ask(view, "/token/terminals/x/input", "POST", b"ls")[0] == 404
    status, text = ask(view, "/token/terminals", "POST", b'{"host": "pc9", "rows": 24, "columns": 80}')
    assert (status, b"no host 'pc9'" in text) == (400, True)
    assert ask(view, "/token/terminals", "POST", b"nonsense")[0] == 400
    assert ask(view, "/token/terminals", "POST", Content_Length="999999")[0] == 413


class Answering:
    """The command in the helper: each line that it gets is answered by a sample."""

    def __init__(self, reader: links.LinkReader) -> None:
        self.reader = reader

    def write(self, data: bytes) -> None:
        self.reader._sample, self.reader._answers = links.parse_sample(SAMPLE), self.reader._answers + 1


def test_the_state_has_hosts_links_and_counters(view: View, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link's counters are those of its end in the helper; the drawing dashes what is down."""
    monkeypatch.setattr(links.LinkReader, "_open", lambda reader: Answering(reader))
    state = json.loads(ask(view, "/token/state")[1])
    assert state["name"] == "two"
    assert state["hosts"] == [{"name": "pc1", "status": "running"}, {"name": "pc2", "status": "running"}]
    keys = ("host", "interface", "network", "up", "sent", "received")
    assert [tuple(link[key] for key in keys) for link in state["links"]] == [
        ("pc1", "eth0", "A", True, 1500, 2500),
        ("pc2", "eth0", "A", False, 70, 80),
    ]
    drawing = ask(view, "/token/drawing")[1].decode()
    assert "pc2 eth0 10.0.0.2/24: down" in drawing
    assert 'data-host="pc1"' in drawing


def test_a_terminal(view: View) -> None:
    """Its output streams, and its input is sent."""
    status, made = ask(view, "/token/terminals", "POST", b'{"host": "pc1", "rows": 24, "columns": 80}')
    assert status == 200
    number = json.loads(made)["id"]
    assert ask(view, f"/token/terminals/{number}/size", "POST", b'{"rows": 30, "columns": 90}')[0] in (200, 400)
    assert ask(view, f"/token/terminals/{number}/input", "POST", b"exit\r")[0] == 200
    view._terminals[number].close_stdin()  # the engine in memory runs a program on the whole of its input
    assert b"$ " in ask(view, f"/token/terminals/{number}")[1]
    assert ask(view, f"/token/terminals/{number}")[0] == 404


def test_a_closed_view_answers_no_more(lab: Lab) -> None:
    """close() twice is safe."""
    view = View(lab)
    assert ask(view, "/token/")[0] == 200
    view.close()
    view.close()
    with pytest.raises(OSError, match=r"refused|reset"):
        ask(view, "/token/")
    with pytest.raises(ck.InvalidOption, match="port"):
        View(lab, port=70000)
