"""Requests about images on both engines, and how each response is read: names, logs of builds, refusals."""

from __future__ import annotations

import base64
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

import containerkit as ck
from containerkit.backends._images import matches, pattern_of
from containerkit.backends.docker import DockerBackend
from containerkit.backends.podman import PodmanBackend
from containerkit.backends.transport import Request, Response
from containerkit.spec import BuildSpec, RegistryAuth
from containerkit.streams import Deadline
from tests.scripted import Scripted, engine

KINDS = pytest.mark.parametrize("kind", [DockerBackend, PodmanBackend])
ID = "sha256:" + "a1" * 32
IMAGE = {"Id": ID, "RepoTags": ["app:1"], "Created": "2026-01-01T00:00:00Z", "Size": 5, "RootFS": {"Layers": []},
         "Config": {}, "Os": "linux", "Architecture": "amd64"}  # fmt: skip


def lines(*rows: object) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def query(request: Request) -> dict[str, list[str]]:
    return parse_qs(urlsplit(request.target).query)


def answering(*rows: tuple[str, str, int, Any]) -> Callable[[Request], Response]:
    """Return an answer: of the first row whose method and part of the target fit; 404 to what no row fits."""

    def answer(request: Request) -> Response:
        for method, part, status, body in rows:
            if request.method == method and part in request.target:
                return Response(status, {}, body if isinstance(body, bytes) else json.dumps(body).encode())
        return Response(404, {}, b'{"message": "no such image"}')

    return answer


def refusal(status: int, words: str, method: str = "POST", part: str = "/") -> tuple[str, str, int, Any]:
    return method, part, status, {"message": words, "cause": words}


FOUND = ("GET", "/json", 200, IMAGE)


# ---------------------------------------------------------------- lists
def test_the_filter_reference_has_familiar_names() -> None:
    """Docker compares the pattern with the name that users write."""
    backend, transport = engine(DockerBackend, answering(("GET", "/images/json", 200, [])))
    backend.list_images(all=False, filters={"reference": ["docker.io/library/app*"], "dangling": ["true"]})
    sent = json.loads(query(transport.requests[0])["filters"][0])
    assert (sent["reference"], sent["dangling"]) == (["app*"], ["true"])


def test_the_filter_reference_on_podman() -> None:
    """Podman's own also finds parts of names, so it is not sent; the rows that fit are returned."""
    rows = [
        {"Id": ID, "RepoTags": [name]} for name in ("docker.io/library/app:1", "docker.io/me/app:1", "<none>:<none>")
    ]
    backend, transport = engine(PodmanBackend, answering(("GET", "/images/json", 200, rows)))
    found = backend.list_images(
        all=False, filters={"reference": ["docker.io/library/app", "b*"], "dangling": ["false"]}
    )
    assert [record.refs for record in found] == [("app:1",)]
    assert json.loads(query(transport.requests[0])["filters"][0]) == {"dangling": ["false"]}


@KINDS
def test_inspecting(kind: Any) -> None:
    """Names are as users write them; only 404 means that the image is missing."""
    names = ["docker.io/library/app:1", "<none>:<none>", "quay.io/me/app:2"]
    backend, transport = engine(kind, answering(("GET", "/json", 200, {**IMAGE, "RepoTags": names})))
    record = backend.inspect_image("app:1")
    assert (record.id, record.refs) == (ID, ("app:1", "quay.io/me/app:2"))
    transport.answer = answering()
    with pytest.raises(ck.ImageNotFound, match="no image app:1 here") as caught:
        backend.inspect_image("app:1")
    assert caught.value.status == 404
    transport.answer = answering(refusal(403, "not allowed", "GET"))
    with pytest.raises(ck.EngineError, match="inspecting image app:1: not allowed") as refused:
        backend.inspect_image("app:1")
    assert not isinstance(refused.value, ck.ImageNotFound)


@pytest.mark.parametrize(
    ("pattern", "ref", "found"),
    [
        ("app", "app:1", True),
        ("app:1", "app:1", True),
        ("docker.io/library/a?p:*", "app:1", True),
        ("app:2", "app:1", False),
        ("*", "host/app:1", False),
        ("host/*", "host/app:1", True),
        ("App", "app:1", False),
    ],
)
def test_patterns_of_names(pattern: str, ref: str, found: bool) -> None:
    """A pattern fits with or without the tag, and a wildcard stops at a slash."""
    assert matches(pattern, ref) is found


def test_a_pattern_keeps_other_registries() -> None:
    """Only what familiar names leave out is cut off."""
    assert pattern_of("docker.io/me/app") == "me/app"
    assert pattern_of("quay.io/library/app") == "quay.io/library/app"


# ---------------------------------------------------------------- builds
@KINDS
def test_a_build(kind: Any) -> None:
    """The query has the name and options, the header every login, the context an ignore file; the ID comes last."""
    bodies: list[bytes] = []
    rows = lines({"stream": "Step 1/1 : FROM x\n"}, {"aux": {"ID": ID}}, {"stream": "done\n"})
    backend, transport = engine(kind, answering(("POST", "/build", 200, rows), ("POST", "/auth", 200, {}), FOUND))
    backend.login(RegistryAuth("r.io", "you", "secret"))
    _keep_bodies(transport, bodies)
    spec = BuildSpec(
        tags=("app:1",),
        build_args={"A": "1"},
        hidden=("secret[1]*",),
        credentials=(RegistryAuth("quay.io", "me", "word"),),
    )
    found = list(backend.build_image([b"context"], spec))
    assert [progress.stream for progress in found if progress.stream] == ["Step 1/1 : FROM x\n", "done\n"]
    assert found[-1].image_id == ID
    request = next(request for request in transport.requests if "/build" in request.target)
    assert json.loads(query(request)["buildargs"][0]) == {"A": "1"}
    assert query(request)["t"] == [backend._image_name("app:1")]
    logins = json.loads(base64.urlsafe_b64decode(request.headers["X-Registry-Config"]))
    assert logins == {
        "quay.io": {"username": "me", "password": "word"},
        "r.io": {"username": "you", "password": "secret"},
    }
    assert bodies[0].endswith(b"context")
    with tarfile.open(fileobj=io.BytesIO(bodies[0].removesuffix(b"context") + bytes(1024))) as tar:
        (name,) = tar.getnames()
        file = tar.extractfile(name)
        assert file is not None
        assert file.read().decode().splitlines() == [name, r"secret\[1]\*"]
    assert name == backend._ignore_file


def _keep_bodies(transport: Scripted, bodies: list[bytes]) -> None:
    send = transport.send

    def keep(request: Request, deadline: Deadline) -> Response:
        if isinstance(request.body, Iterator):
            bodies.append(b"".join(request.body))
        return send(request, deadline)

    transport.send = keep  # type: ignore[method-assign]


@KINDS
def test_a_build_that_reports_its_id_in_the_log_only(kind: Any) -> None:
    """A tag is looked up; without one, the last line of the log is the ID; without either, the build failed."""
    rows = lines({"stream": "STEP 1: FROM x\n"}, {"stream": ID.removeprefix("sha256:") + "\n"})
    backend, transport = engine(kind, answering(("POST", "/build", 200, rows), FOUND))
    assert [progress.image_id for progress in backend.build_image([], BuildSpec())][-1] == ID
    tagged = {**IMAGE, "Id": "sha256:" + "b2" * 32}
    transport.answer = answering(("POST", "/build", 200, lines({"stream": "x"})), ("GET", "/json", 200, tagged))
    assert [progress.image_id for progress in backend.build_image([], BuildSpec(tags=("app:1",)))][-1] == tagged["Id"]
    transport.answer = answering(("POST", "/build", 200, lines({"stream": "no more\n"})))
    with pytest.raises(ck.BuildFailed, match="building an image: the builder created no image") as caught:
        list(backend.build_image([], BuildSpec()))
    assert caught.value.log == "no more\n"


@KINDS
def test_a_build_that_fails(kind: Any) -> None:
    """The error names the last step that was reached, and has the log and the builder's words."""
    rows = lines(
        {"stream": "STEP 1/2: FROM x\n"},
        {"stream": "Step 2/2 : RUN false\n"},
        {"error": "exit status 1", "errorDetail": {"message": "exit status 1"}},
    )
    backend, transport = engine(kind, answering(("POST", "/build", 200, rows)))
    with pytest.raises(ck.BuildFailed, match=r"building app:1 at step 2/2: RUN false: exit status 1") as caught:
        list(backend.build_image([], BuildSpec(tags=("app:1",))))
    assert caught.value.step == "2/2: RUN false"
    assert caught.value.log == "STEP 1/2: FROM x\nStep 2/2 : RUN false\n"
    transport.answer = answering(refusal(400, "dockerfile parse error", part="/build"))
    with pytest.raises(ck.BuildFailed, match="building an image: dockerfile parse error") as caught:
        list(backend.build_image([], BuildSpec()))
    assert (caught.value.status, caught.value.step, caught.value.log) == (400, None, "")


# ---------------------------------------------------------------- load, import, save
@KINDS
def test_loading(kind: Any) -> None:
    """Every name is returned once, as users write it; an ID stays one."""
    said = "Loaded image: docker.io/library/app:1\nLoaded image(s): app:2,app:1\nLoaded image ID: " + ID + "\n"
    backend, transport = engine(kind, answering(("POST", "/images/load", 200, lines({"stream": said}))))
    assert backend.load_images([b"x"]) == ("app:1", "app:2", ID)
    assert query(transport.requests[-1])["quiet"] == ["true"]
    assert transport.requests[-1].headers["Content-Type"] == "application/x-tar"
    transport.answer = answering(("POST", "/images/load", 200, lines({"stream": "nothing"})))
    with pytest.raises(ck.InvalidImage, match="the archive holds no image"):
        backend.load_images([b"x"])


ARCHIVES: dict[str, Callable[[Any], Any]] = {
    "load": lambda b: b.load_images([b"x"]),
    "import": lambda b: b.import_image([b"x"], "app:1", message="m", changes=("ENV A=1", "CMD x")),
}


@KINDS
@pytest.mark.parametrize("call", ARCHIVES)
def test_archives_that_are_refused(kind: Any, call: str) -> None:
    """400, 500 and an error in the stream are about the archive; another status is not."""
    backend, transport = engine(kind, answering())
    streamed = lines({"error": "invalid tar header", "errorDetail": {"message": "invalid tar header"}})
    for answer in (
        answering(refusal(400, "invalid tar header")),
        answering(refusal(500, "invalid tar header")),
        answering(("POST", "/images/", 200, streamed)),
    ):
        transport.answer = answer
        with pytest.raises(ck.InvalidImage, match="the engine refused the archive: invalid tar header"):
            ARCHIVES[call](backend)
    transport.answer = answering(refusal(403, "not allowed"))
    with pytest.raises(ck.EngineError, match="not allowed") as caught:
        ARCHIVES[call](backend)
    assert not isinstance(caught.value, ck.InvalidImage)
    assert caught.value.status == 403


@KINDS
def test_importing(kind: Any) -> None:
    """The last status of the stream is the ID; the query has the name, the message and each change."""
    rows = lines({"status": "Downloading"}, {"status": ID.removeprefix("sha256:") + "\n"}, {"status": ""})
    backend, transport = engine(kind, answering(("POST", "/images/create", 200, rows)))
    assert ARCHIVES["import"](backend) == ID
    sent = query(transport.requests[-1])
    assert (sent["fromSrc"], sent["repo"], sent["message"]) == (["-"], ["app:1"], ["m"])
    assert sent["changes"] == ["ENV A=1", "CMD x"]


@KINDS
def test_saving(kind: Any) -> None:
    """All names go in one request; a refusal names the image that is missing, else it is raised as it is."""
    whole = b"x" * 512 + bytes(1024)
    backend, transport = engine(kind, answering(("GET", "/images/get", 200, whole), FOUND))
    assert backend.save_images(["app:1", "app:2"]).read() == whole
    sent = next(request for request in transport.requests if "/images/get" in request.target)
    assert query(sent)["names"] == [backend._stored_name("app:1"), backend._stored_name("app:2")]
    broken = refusal(500, "layer is broken", "GET", "/images/get")

    def second_is_missing(request: Request) -> Response:
        return answering(broken, *(() if "app:2" in request.target else (FOUND,)))(request)

    transport.answer = second_is_missing
    with pytest.raises(ck.ImageNotFound, match="no image app:2 here") as missing:
        backend.save_images(["app:1", "app:2"])
    assert missing.value.explanation == "layer is broken"
    transport.answer = answering(broken, FOUND)
    with pytest.raises(ck.EngineError, match="saving app:1: layer is broken") as caught:
        backend.save_images(["app:1"])
    assert not isinstance(caught.value, ck.ImageNotFound)


# ---------------------------------------------------------------- history, tag, remove, prune
CALLS: dict[str, tuple[str, str, Callable[[Any], Any]]] = {
    "history": ("GET", "/history", lambda b: b.image_history("app:1")),
    "tag": ("POST", "/tag", lambda b: b.tag_image("app:1", "quay.io:5000/me/app:2")),
    "remove": ("DELETE", "/images/", lambda b: b.remove_image("app:1", force=True, prune=False)),
}


@pytest.mark.parametrize(
    ("kind", "call"), [*((DockerBackend, call) for call in CALLS), (PodmanBackend, "tag"), (PodmanBackend, "remove")]
)
def test_a_refusal_about_a_missing_image(kind: Any, call: str) -> None:
    """Whatever the status, an image that is not there raises ImageNotFound; the refusal of one that is stays."""
    method, part, run = CALLS[call]
    refused = refusal(500, "broken", method, part)
    backend, transport = engine(kind, answering(refused))
    with pytest.raises(ck.ImageNotFound, match="no image app:1 here"):
        run(backend)
    transport.answer = answering(refused, FOUND)
    with pytest.raises(ck.EngineError, match="broken") as caught:
        run(backend)
    assert not isinstance(caught.value, ck.ImageNotFound)


@KINDS
def test_tagging(kind: Any) -> None:
    """The port of a registry is no tag."""
    backend, transport = engine(kind, answering(("POST", "/tag", 201, b""), FOUND))
    backend.tag_image("app:1", "quay.io:5000/me/app")
    sent = query(transport.requests[-1])
    assert (sent["repo"], sent["tag"]) == (["quay.io:5000/me/app"], ["latest"])


@KINDS
def test_removing(kind: Any) -> None:
    """What was untagged comes by familiar names, what was deleted by IDs; an image in use is told as such."""
    rows = [{"Untagged": "docker.io/library/app:1"}, {"Deleted": ID}, {"Deleted": "b2" * 32}]
    backend, transport = engine(kind, answering(("DELETE", "/images/", 200, rows), FOUND))
    assert backend.remove_image("app:1", force=True, prune=False) == (("app:1",), (ID, "sha256:" + "b2" * 32))
    sent = query(transport.requests[-1])
    assert (sent["force"], sent["noprune"]) == (["true"], ["true"])
    transport.answer = answering(refusal(409, "container 7 uses it", "DELETE"), FOUND)
    with pytest.raises(ck.InUse, match="removing image app:1: container 7 uses it"):
        backend.remove_image("app:1", force=False, prune=True)


@pytest.mark.parametrize(("all", "dangling"), [(True, "false"), (False, "true")])
def test_pruning_on_docker(all: bool, dangling: bool) -> None:
    """All means also those with a name; rows that only untag count no image."""
    answer = {"ImagesDeleted": [{"Untagged": "app:1"}, {"Deleted": ID}], "SpaceReclaimed": 70}
    backend, transport = engine(DockerBackend, answering(("POST", "/images/prune", 200, answer)))
    assert backend.prune_images(all=all, filters={"label": ["a=b"]}) == ((ID,), 70)
    sent = json.loads(query(transport.requests[-1])["filters"][0])
    assert sent == {"label": ["a=b"], "dangling": [dangling]}
