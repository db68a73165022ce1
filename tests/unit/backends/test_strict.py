"""What is not a proper response to a request raises an error, and is never turned into a default."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import containerkit as ck
from containerkit.backends import _http, _json, _retry
from containerkit.backends.docker import DockerBackend
from containerkit.backends.podman import PodmanBackend
from containerkit.backends.transport import Request, Response
from containerkit.errors import BuildFailed, EngineError, EngineUnavailable
from containerkit.spec import (
    BuildSpec,
    ContainerSpec,
    ExecSpec,
    NetworkAttachment,
    NetworkSpec,
    RegistryAuth,
    ResourceLimits,
    VolumeSpec,
)
from containerkit.streams import Deadline
from tests.scripted import Answer, engine, info

KINDS = pytest.mark.parametrize("kind", [DockerBackend, PodmanBackend])
LOG = {"stdout": True, "stderr": True, "since": None, "until": None, "tail": None, "timestamps": False}
BOX = ContainerSpec("busybox")
CALLS: dict[str, Callable[[Any], Any]] = {
    "info": lambda b: b.info(),
    "disk usage": lambda b: b.engine_disk_usage(),
    "create": lambda b: b.create_container(BOX),
    "inspect": lambda b: b.inspect_container("x"),
    "list": lambda b: b.list_containers(all=True, filters={}),
    "wait": lambda b: b.wait_container("x", timeout=None),
    "update": lambda b: b.update_container("x", ResourceLimits(pids_limit=1), None),
    "exec": lambda b: b.exec_container("x", ExecSpec(("true",))),
    "inspect exec": lambda b: b.inspect_exec("x"),
    "attach": lambda b: b.attach_container("x", stdin=False, tty=False),
    "stats": lambda b: list(b.stats_container("x", stream=False)),
    "top": lambda b: b.top_container("x", ps_args=None),
    "changes": lambda b: b.diff_container("x"),
    "export": lambda b: b.export_container("x").read(),
    "get": lambda b: b.get_archive("x", "/a")[1].read(),
    "stat": lambda b: b.stat_path("x", "/a"),
    "commit": lambda b: b.commit_container("x", image="", message="", author="", pause=True, changes=()),
    "inspect image": lambda b: b.inspect_image("x"),
    "list images": lambda b: b.list_images(all=True, filters={}),
    "history": lambda b: b.image_history("x"),
    "pull": lambda b: list(b.pull_image("x", platform=None, auth=None)),
    "push": lambda b: list(b.push_image("x", auth=None)),
    "build": lambda b: list(b.build_image([b"x"], BuildSpec())),
    "load": lambda b: b.load_images([b"x"]),
    "save": lambda b: b.save_images(["x"]).read(),
    "prune": lambda b: b.prune_images(all=False, filters={}),
    "remove image": lambda b: b.remove_image("x", force=False, prune=True),
    "search": lambda b: b.search_images("x", limit=None, filters={}),
    "create volume": lambda b: b.create_volume(VolumeSpec()),
    "inspect volume": lambda b: b.inspect_volume("x"),
    "list volumes": lambda b: b.list_volumes(filters={}),
    "create network": lambda b: b.create_network(NetworkSpec("x")),
    "inspect network": lambda b: b.inspect_network("x"),
    "list networks": lambda b: b.list_networks(filters={}),
    "events": lambda b: list(b.events(since=None, until=None, filters={})),
    "check health": lambda b: b.check_health("x"),
}
BODIES: dict[str, tuple[int, bytes]] = {
    "nothing": (200, b""),
    "no content": (204, b""),
    "created, no body": (201, b""),
    "null": (200, b"null"),
    "a list": (200, b"[1]"),
    "a list of null": (200, b"[null]"),
    "an object": (200, b"{}"),
    "text": (200, b'"x"'),
    "a page": (200, b"<html>"),
    "half": (200, b'{"Id": "x", "St'),
    "too deep": (200, b"[" * 100_000),
    "many digits": (200, b"9" * 5000),
    "NaN": (200, b"NaN"),
    "half a pair": (200, b'{"Id": "\\ud800"}'),
    "moved": (301, b""),
    "refused": (500, b"{}"),
    "lost in a proxy": (502, b"<html>bad gateway</html>"),
}
#: Responses that mean "nothing", and the results of the calls.
EMPTY = {("changes", "null"): (), ("search", "null"): (), ("prune", "an object"): ((), 0), ("list", "empty"): ()}


@KINDS
@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("call", CALLS)
def test_no_default(kind: Any, call: str, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every call refuses every response that lacks what the call returns."""
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    status, content = BODIES[body]
    backend, transport = engine(kind, lambda request: Response(status, {}, content))
    if (call, body) in EMPTY and not (call == "prune" and kind is PodmanBackend):
        assert CALLS[call](backend) == EMPTY[call, body]
    elif (call, body) == ("disk usage", "an object"):
        assert backend.engine_disk_usage().images == 0
    elif (call, body) == ("update", "an object"):
        assert CALLS[call](backend) == ()
    else:
        with pytest.raises((EngineUnavailable, EngineError, ck.InvalidImage)) as caught:
            CALLS[call](backend)
        assert str(caught.value)
    assert transport.requests


@KINDS
def test_lists_may_be_empty(kind: Any) -> None:
    """An empty list of containers, images or networks is a proper response."""
    backend, _ = engine(kind, lambda request: Response(200, {}, b"[]"))
    assert backend.list_containers(all=True, filters={}) == ()
    assert backend.list_images(all=True, filters={}) == ()
    assert backend.list_networks(filters={}) == ()
    backend, _ = engine(kind, lambda request: Response(200, {}, b'{"Volumes": null}'))
    assert backend.list_volumes(filters={}) == ()


@KINDS
@pytest.mark.parametrize("header", ["", "e30=", "!", "bm90IEpTT04=", "W10="])
def test_a_bad_stat_header(kind: Any, header: str) -> None:
    """A missing or garbled header about a path raises EngineUnavailable."""
    headers = {"x-docker-container-path-stat": header} if header else {}
    backend, _ = engine(kind, lambda request: Response(200, headers, b""))
    for call in ("stat", "get"):
        with pytest.raises(EngineUnavailable, match="invalid response from unix:///x"):
            CALLS[call](backend)


@KINDS
@pytest.mark.parametrize("size", [0, 512, 1023, 5000])
def test_an_archive_without_its_end(kind: Any, size: int) -> None:
    """A tar whose last 1024 bytes are not zeros raises EngineUnavailable; a whole one is returned."""
    backend, transport = engine(kind, lambda request: Response(200, {}, b"x" * size + b"\0" * 1023))
    with pytest.raises(EngineUnavailable, match="the archive ends early"):
        backend.export_container("x").read()
    whole = b"x" * size + b"\0" * 1024
    transport.answer = lambda request: Response(200, {}, whole)
    assert backend.export_container("x").read() == whole


# ---------------------------------------------------------------- requests
def lost(error: Exception) -> Answer:
    def answer(request: Request) -> Response:
        raise EngineUnavailable(f"{request.doing}: lost") from error

    return answer


CUT = http.client.RemoteDisconnected("cut")


@KINDS
@pytest.mark.parametrize(
    ("error", "tries"), [(CUT, 3), (ConnectionResetError(104, "x"), 3), (ConnectionRefusedError(111, "x"), 1)]
)
def test_reading_is_repeated(kind: Any, error: Exception, tries: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A GET is sent three times if the connection is lost, once if it is refused."""
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    backend, transport = engine(kind, lost(error))
    with pytest.raises(EngineUnavailable):
        backend.inspect_container("x")
    assert len(transport.requests) == tries


@KINDS
def test_changing_is_not_repeated(kind: Any) -> None:
    """A POST, DELETE or PUT is sent once, whatever happens."""
    backend, transport = engine(kind, lost(CUT))
    calls: list[Callable[[], Any]] = [
        lambda: backend.start_container("x"),
        lambda: backend.kill_container("x", signal="KILL"),
        lambda: backend.remove_volume("x", force=True),
        lambda: backend.remove_container("x", force=True, volumes=True),
        lambda: backend.commit_container("x", image="", message="", author="", pause=True, changes=()),
    ]
    for call in calls:
        transport.requests.clear()
        with pytest.raises(EngineUnavailable):
            call()
        assert len(transport.requests) == 1


@KINDS
@pytest.mark.parametrize("made", [True, False])
def test_a_lost_create(kind: Any, made: bool) -> None:
    """A create whose response was lost is looked up by its label, and sent again only if nothing was created."""
    backend, transport = engine(kind, info)
    creates = 0

    def answer(request: Request) -> Response:
        nonlocal creates
        if "/containers/create" in request.target:
            creates += 1
            if creates == 1:
                raise EngineUnavailable("lost") from CUT
            return Response(201, {}, b'{"Id": "second"}')
        if "/containers/json" in request.target:
            assert "containerkit.request%3D77" in request.target
            return Response(200, {}, b'[{"Id": "first", "State": "created"}]' if made else b"[]")
        return Response(200, {}, b'{"Id": "sha256:1"}')

    transport.answer = answer
    spec = ContainerSpec("busybox", labels={"containerkit.request": "77"})
    assert backend.create_container(spec).id == ("first" if made else "second")
    assert creates == (1 if made else 2)
    creates = 0
    with pytest.raises(EngineUnavailable, match="the response was lost"):
        backend.create_container(BOX)


@KINDS
def test_an_error_of_the_callers_data(kind: Any) -> None:
    """An error while the caller's data is read is raised as it is, not as an error of the engine."""
    box = b'{"Id": "x", "Name": "/x", "State": {"Status": "created"}}'
    backend, transport = engine(kind, lambda request: Response(200, {"x-docker-container-path-stat": STAT}, box))
    boom = OSError(5, "broken disk")

    def data() -> Iterator[bytes]:
        yield b"x"
        raise boom

    def send(request: Request, deadline: Deadline) -> Response:
        if isinstance(request.body, Iterator):
            try:
                list(request.body)
            except OSError as exc:
                raise EngineUnavailable("lost") from exc
        return transport.answer(request)

    transport.send = send  # type: ignore[method-assign]
    with pytest.raises(OSError, match="broken disk") as caught:
        backend.put_archive("x", "/", data())
    assert caught.value is boom


STAT = "eyJuYW1lIjogImEiLCAibW9kZSI6IDIxNDc0ODQxNDF9"  # {"name": "a", "mode": 0o20000000755}


@KINDS
def test_the_request(kind: Any) -> None:
    """A request has the version of the API, a quoted path, a query without None, and the backend's timeout."""
    backend, transport = engine(kind, lambda request: Response(200, {}, b"[]"))
    backend.list_containers(all=False, filters={"label": ["a=b"]})
    request = transport.requests[0]
    assert request.method == "GET"
    assert request.target == "/v1.41/containers/json?all=false&filters=%7B%22label%22%3A+%5B%22a%3Db%22%5D%7D"
    assert (request.silence, request.body_silence) == (7.0, 7.0)
    assert not request.slow_answer
    assert not request.quiet_body
    assert request.headers == {}
    transport.answer = lambda request: Response(200, {}, b"{}")
    with pytest.raises(EngineUnavailable):
        backend.inspect_container("a b/../c?")
    assert transport.requests[-1].target == "/v1.41/containers/a%20b/../c%3F/json"
    with pytest.raises(EngineUnavailable):
        backend.update_container("x", ResourceLimits(memory=1), "on-failure:3")
    update = transport.requests[-1]
    assert update.method == "GET"


@KINDS
def test_the_current_deadline_reaches_the_transport(kind: Any) -> None:
    """Every request carries the deadline that the caller has entered; wait_container() has one of its own."""
    backend, transport = engine(kind, lambda request: Response(200, {}, b"[]"))
    with Deadline.after(3.0) as deadline:
        backend.list_containers(all=True, filters={})
        assert transport.deadlines[-1] is deadline
    transport.answer = lambda request: Response(200, {}, b'{"StatusCode": 4}' if kind is DockerBackend else b"4")
    assert backend.wait_container("x", timeout=2.0) == 4
    assert transport.deadlines[-1].timeout == 2.0
    assert transport.requests[-1].slow_answer
    assert transport.requests[-1].quiet_body


@KINDS
def test_waiting_too_long(kind: Any) -> None:
    """A wait that reaches its timeout names the container; a silent engine is another error."""

    def silent(request: Request) -> Response:
        raise ck.EngineTimeout("no answer", timeout=7.0)

    backend, _ = engine(kind, silent)
    with pytest.raises(ck.EngineTimeout, match=r"container web still runs after 0 s") as caught:
        backend.wait_container("web", timeout=0.0)
    assert caught.value.timeout == 0.0
    with pytest.raises(ck.EngineTimeout, match="no answer"):
        backend.wait_container("web", timeout=50.0)


SLOW = ("wait", "attach", "export", "get", "commit", "pull", "build", "load", "save", "prune", "disk usage", "events")


@KINDS
@pytest.mark.parametrize("call", SLOW)
def test_slow_answers_are_waited_for(kind: Any, call: str) -> None:
    """These requests may take longer than the timeout, as long as the engine answers pings."""

    def answer(request: Request) -> Response:
        found = request.target.endswith("/images/docker.io/library/x:latest/json")
        return Response(200, {}, b'{"Id": "sha256:1"}') if found else Response(502, {}, b"")

    backend, transport = engine(kind, answer)
    with pytest.raises(ck.ContainerKitError):
        CALLS[call](backend)
    assert any(request.slow_answer for request in transport.requests)
    quiet = {"wait", "pull", "build", "load", "events"}
    assert any(request.quiet_body for request in transport.requests) == (call in quiet)


# ---------------------------------------------------------------- refusals
@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"message": " no such thing\\n"}', "no such thing"),
        (b'{"cause": "deep", "message": "whole"}', "whole"),
        (b'{"cause": "deep"}', "deep"),
        (b"plain words\n", "plain words"),
        (b"", "status 418 without an explanation"),
        (b'{"message": 5}', '{"message": 5}'),
        (b"x" * 5000, "x" * 2000),
    ],
)
def test_explanations(body: bytes, words: str) -> None:
    """A refusal carries the engine's own explanation and the status."""
    backend, _ = engine(DockerBackend, lambda request: Response(418, {}, body))
    with pytest.raises(EngineError) as caught:
        backend.list_networks(filters={})
    assert (caught.value.status, caught.value.explanation) == (418, words)
    assert str(caught.value) == f"listing networks: {words}"


@pytest.mark.parametrize(
    ("status", "raises"),
    [
        (199, False),
        (200, False),
        (204, False),
        (299, False),
        (304, False),
        (300, True),
        (303, True),
        (305, True),
        (400, True),
    ],
)
def test_statuses(status: int, raises: bool) -> None:
    """Statuses from 300 on are failures, except 304."""
    backend, _ = engine(DockerBackend, lambda request: Response(status, {}, b'{"State": {"Status": "running"}}'))
    if raises:
        with pytest.raises(ck.ContainerKitError):
            backend._call("POST", "/x", "x")
    else:
        assert backend._call("POST", "/x", "x").status == status
    assert backend._call("POST", "/x", "x", accept=(status,)).status == status


def test_close() -> None:
    """Closing closes the transport each time and calls `on_close` once."""
    closed: list[int] = []
    backend, transport = engine(DockerBackend, info, on_close=lambda: closed.append(1))
    backend.close()
    backend.close()
    assert (closed, transport.closed) == ([1], 2)


def test_no_secrets_in_logs(caplog: pytest.LogCaptureFixture) -> None:
    """Debug logs have no query, credentials, build arguments or environment."""
    caplog.set_level("DEBUG")
    backend, _ = engine(DockerBackend, lambda request: Response(500, {}, b""))
    with pytest.raises(BuildFailed):
        list(backend.build_image([b"x"], BuildSpec(build_args={"TOKEN": "secret"})))
    with pytest.raises(EngineError):
        backend.login(RegistryAuth("r", "user", "secret"))
    with pytest.raises(EngineError):
        backend.create_container(ContainerSpec("x", env={"A": "secret"}))
    assert caplog.records
    assert "secret" not in caplog.text


def test_network_attachments_after_the_first_on_docker() -> None:
    """Docker gets one network at create and each other one by a connect."""

    def answer(request: Request) -> Response:
        if "/networks/" in request.target and request.method == "GET":
            return Response(200, {}, b'{"Id": "n", "Name": "n"}')
        return Response(200, {}, b'{"Id": "box"}')

    backend, transport = engine(DockerBackend, answer)
    networks = tuple(NetworkAttachment(name) for name in ("a", "b", "c"))
    backend.create_container(ContainerSpec("x", networks=networks))
    posts = [request.target for request in transport.requests if request.method == "POST"]
    assert posts == ["/v1.41/containers/create", "/v1.41/networks/b/connect", "/v1.41/networks/c/connect"]


@pytest.mark.parametrize("kind", [DockerBackend, PodmanBackend])
@pytest.mark.parametrize(
    "text", ["read /proc/7/cgroup: no such process", "no container with ID 2d in database: no such container"]
)
def test_an_inspect_while_the_container_ends(kind: Any, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Podman answers 500 while the process or the container goes; the request is repeated. Another 500 is an error."""
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    failures = iter([json.dumps({"message": text}).encode(), b'{"message": "disk is full"}'])
    backend, transport = engine(kind, lambda request: Response(500, {}, next(failures)))
    with pytest.raises(EngineError, match="disk is full"):
        backend.inspect_container("x")
    assert len(transport.requests) == 2


def test_a_removal_in_progress_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine's own removal counts as ours, whatever status the container shows meanwhile."""
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    record = {"Id": "x", "Name": "/x", "Image": "i", "Created": "2026-01-01T00:00:00Z", "Config": {"Image": "i"},
              "State": {"Status": "exited", "ExitCode": 0}}  # fmt: skip
    looks = iter([Response(200, {}, json.dumps(record).encode())] * 3)

    def answer(request: Request) -> Response:
        if request.method == "DELETE":
            return Response(409, {}, b'{"message": "removal of container x is already in progress"}')
        return next(looks, Response(404, {}, b'{"message": "No such container: x"}'))

    backend, transport = engine(DockerBackend, answer)
    backend.remove_container("x", force=False, volumes=False)
    assert [request.method for request in transport.requests] == ["DELETE", "GET", "GET", "GET", "GET"]


# ---------------------------------------------------------------- helpers
def test_short() -> None:
    """Messages shorten whole IDs to 12 digits, and nothing else."""
    assert _http.short("a" * 64) == "a" * 12
    assert _http.short("a" * 63) == "a" * 63
    assert _http.short("web") == "web"


@pytest.mark.parametrize("status", [404, 500, 409])
def test_a_list_during_a_removal(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request about all images is repeated up to five times if one of them vanishes meanwhile."""
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    calls: list[int] = []

    def call() -> int:
        calls.append(1)
        if len(calls) < 6:
            raise EngineError("gone", status=status)
        return 1

    if status == 409:
        with pytest.raises(EngineError):
            _retry.retry_stable(call)
        assert len(calls) == 1
    else:
        assert _retry.retry_stable(call) == 1
        assert len(calls) == 6


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1, 1), (True, 0), (1.9, 1), (float("inf"), 0), (float("nan"), 0), ("1", 0), (None, 0), ([], 0)],
)
def test_number(value: Any, expected: int) -> None:
    """Numbers are whole; everything else is 0."""
    assert _json.number(value) == expected


@pytest.mark.parametrize("value", ["1", 1.0, True, None, [], {}])
def test_an_integer_is_a_whole_number_or_none(value: Any) -> None:
    """Text, a fraction and a truth value are none."""
    assert _json.integer(value) is None
    assert _json.integer(0) == 0
    assert _json.integer(-3) == -3


def test_text_of_any_value() -> None:
    """Engines send numbers where text is meant; null is empty."""
    assert [_json.text(value) for value in ("a", None, 5, False)] == ["a", "", "5", "False"]


@pytest.mark.parametrize("value", ["", None, 1, True])
def test_a_required_text_is_not_empty(value: Any) -> None:
    """`present` takes an empty one."""
    with pytest.raises(ValueError, match="expected Id"):
        _json.required({"Id": value}, "Id", str)
    assert _json.present({"Id": ""}, "Id", str) == ""
    with pytest.raises(ValueError, match=r"expected Id \(int\), got True"):
        _json.present({"Id": True}, "Id", int)


def test_a_line_is_yielded_when_it_is_complete() -> None:
    """An empty line is nothing; a reader does not wait for the rest of the stream."""

    def pieces() -> Iterator[bytes]:
        yield b"\n"
        yield b'{"a": 1}\n{"b": 2}\n{'
        pytest.fail("the first lines were complete")

    rows = _json.json_lines(pieces(), "x")
    assert [next(rows), next(rows)] == [{"a": 1}, {"b": 2}]


def test_json_lines() -> None:
    """Objects of a stream are yielded as they are complete, whatever the pieces and the space between them."""
    data = b'{"a": 1}\r\n{"b": 2}{"c": 3}\n\n {"d": 4}'
    for size in range(1, len(data) + 1):
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
        assert list(_json.json_lines(pieces, "x")) == [{"a": 1}, {"b": 2}, {"c": 3}, {"d": 4}]
    rows = _json.json_lines(iter([b'{"a": 1}\n{"b"', b": 2}\n"]), "x")
    assert next(iter(rows)) == {"a": 1}


@pytest.mark.parametrize("data", [b"{", b'{"a": 1}\n[1]', b"1", b"<", b"[" * 100_000, b'{"a": 1'])
def test_bad_json_lines(data: bytes) -> None:
    """A stream that holds something else, or ends inside an object, raises EngineError."""
    with pytest.raises((EngineError, EngineUnavailable), match="reading"):
        list(_json.json_lines([data], "reading"))


def test_a_line_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line of a stream that is too long raises EngineError."""
    monkeypatch.setattr(_json, "_MAX_LINE", 100)
    with pytest.raises(EngineError, match="a line of more than"):
        list(_json.json_lines([b"x" * 60, b"x" * 60], "reading"))
