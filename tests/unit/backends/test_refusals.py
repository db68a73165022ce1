"""What an engine refuses, as errors with a cause: looked up again where its status alone would mislead."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from typing import Any

import pytest

import containerkit as ck
from containerkit.backends.docker import DockerBackend
from containerkit.backends.podman import PodmanBackend
from containerkit.backends.transport import Request, Response
from containerkit.spec import REQUEST_LABEL, ExecSpec, NetworkAttachment, NetworkSpec, VolumeSpec
from tests.scripted import engine

KINDS = pytest.mark.parametrize("kind", [DockerBackend, PodmanBackend])
LOST = ck.EngineUnavailable("connection reset")
LOST.__cause__ = ConnectionResetError(errno.ECONNRESET, "reset")
VOLUME = {"Name": "data", "Labels": {"a": "b"}}
NETWORK = {"Id": "n" * 64, "Name": "net"}
BOX = {"Id": "c" * 64, "Name": "/box", "State": {"Status": "running"}, "NetworkSettings": {}}


def answers(rules: dict[str, Any]) -> Callable[[Request], Response]:
    """Return a function that answers by the first rule whose words begin "METHOD /path"; a list is used up in order."""

    def answer(request: Request) -> Response:
        version = request.target.split("/")[1]
        target = request.target.removeprefix(f"/{version}").removeprefix("/libpod")
        key = next((key for key in rules if f"{request.method} {target}".startswith(key)), None)
        found = rules[key] if key else (404, {"message": "no such thing"})
        if isinstance(found, list):
            found = found.pop(0) if len(found) > 1 else found[0]
        if isinstance(found, Exception):
            raise found
        status, body = found
        return Response(status, {}, b"" if body is None else json.dumps(body).encode())

    return answer


@KINDS
def test_a_volume_of_that_name_exists(kind: Any) -> None:
    """Docker would return the existing one as if it were new."""
    backend, transport = engine(kind, answers({"GET /volumes/data": (200, VOLUME)}))
    with pytest.raises(ck.NameInUse, match="volume data: a volume of that name exists"):
        backend.create_volume(VolumeSpec("data"))
    assert [request.method for request in transport.requests] == ["GET"]


@KINDS
def test_another_program_made_the_volume_first(kind: Any) -> None:
    """Its labels are not those that were sent."""
    rules = {"GET /volumes/data": (404, {"message": "none"}), "POST /volumes/create": (201, VOLUME)}
    backend, _ = engine(kind, answers(rules))
    assert backend.create_volume(VolumeSpec("data", labels={"a": "b"})).name == "data"
    with pytest.raises(ck.NameInUse, match="at the same time"):
        backend.create_volume(VolumeSpec("data", labels={"a": "c"}))


@KINDS
@pytest.mark.parametrize("made", [True, False])
def test_a_lost_create_of_a_volume_is_looked_for(kind: Any, made: bool) -> None:
    """It is found by the label that only it has, and sent once more only if it is not there."""
    mine = {**VOLUME, "Labels": {REQUEST_LABEL: "r1"}}
    rules = {
        "GET /volumes?": (200, {"Volumes": [mine] if made else None}),
        "POST /volumes/create": [LOST, (201, mine)],
        "GET /volumes/data": (404, {"message": "none"}),
    }
    backend, transport = engine(kind, answers(rules))
    assert backend.create_volume(VolumeSpec("data", labels={REQUEST_LABEL: "r1"})).labels == {REQUEST_LABEL: "r1"}
    assert sum(request.method == "POST" for request in transport.requests) == (1 if made else 2)


@KINDS
def test_a_lost_create_without_a_label_is_not_repeated(kind: Any) -> None:
    """Nothing could tell whether it arrived."""
    rules: dict[str, Any] = {"POST /volumes/create": LOST, "POST /networks/create": LOST}
    backend, transport = engine(kind, answers(rules))
    for create, spec in ((backend.create_volume, VolumeSpec("x")), (backend.create_network, NetworkSpec("x"))):
        transport.requests.clear()
        with pytest.raises(ck.EngineUnavailable, match="the response was lost"):
            create(spec)
        assert sum(request.method == "POST" for request in transport.requests) == 1


@KINDS
@pytest.mark.parametrize("made", [True, False])
def test_a_lost_create_of_a_network_is_looked_for(kind: Any, made: bool) -> None:
    """As that of a volume."""
    rules = {
        "GET /networks?": (200, [NETWORK] if made else []),
        "POST /networks/create": [LOST, (201, {"Id": "n" * 64})],
        "GET /networks/nnn": (200, NETWORK),
    }
    backend, transport = engine(kind, answers(rules))
    assert backend.create_network(NetworkSpec("net", labels={REQUEST_LABEL: "r1"})).id == "n" * 64
    assert sum(request.method == "POST" for request in transport.requests) == (1 if made else 2)


@KINDS
def test_a_network_of_that_name_exists(kind: Any) -> None:
    """Before the create, or because another program was faster."""
    backend, _ = engine(kind, answers({"GET /networks/net": (200, NETWORK)}))
    with pytest.raises(ck.NameInUse, match=r"use networks\.get"):
        backend.create_network(NetworkSpec("net"))
    late = {"GET /networks/net": [(404, {}), (200, NETWORK)], "POST /networks/create": (409, {"message": "exists"})}
    backend, _ = engine(kind, answers(late))
    with pytest.raises(ck.NameInUse, match="a network of that name exists"):
        backend.create_network(NetworkSpec("net"))
    refused = {"POST /networks/create": (500, {"message": "no pool left"})}
    backend, _ = engine(kind, answers(refused))
    with pytest.raises(ck.EngineError, match="no pool left"):
        backend.create_network(NetworkSpec("net"))


@KINDS
def test_removing_a_volume(kind: Any) -> None:
    """In use, missing, and missing with force."""
    used = {"DELETE /volumes/data": (409, {"message": "in use"}), "GET /volumes/data": (200, VOLUME)}
    backend, _ = engine(kind, answers(used))
    with pytest.raises(ck.InUse, match="removing volume data: in use"):
        backend.remove_volume("data", force=True)
    backend, _ = engine(kind, answers({}))
    with pytest.raises(ck.VolumeNotFound):
        backend.remove_volume("data", force=False)
    backend.remove_volume("data", force=True)
    broken = {"DELETE /volumes/data": (500, {"message": "disk"}), "GET /volumes/data": (200, VOLUME)}
    backend, _ = engine(kind, answers(broken))
    with pytest.raises(ck.EngineError, match="disk") as caught:
        backend.remove_volume("data", force=True)
    assert not isinstance(caught.value, ck.InUse)


@KINDS
def test_connecting_and_disconnecting_a_network(kind: Any) -> None:
    """The state of both says why the engine refused."""
    on = {**BOX, "NetworkSettings": {"Networks": {"net": {}}}}
    rules: dict[str, Any] = {
        "POST /networks/net": (403, {"message": "refused"}),
        "GET /networks/net": (200, NETWORK),
        "GET /containers/box": (200, on),
    }
    backend, _ = engine(kind, answers(rules))
    with pytest.raises(ck.InUse, match="it is already on that network"):
        backend.connect_network("net", "box", NetworkAttachment("net"))
    with pytest.raises(ck.EngineError, match="refused"):
        backend.disconnect_network("net", "box", force=False)
    rules["GET /containers/box"] = (200, BOX)
    with pytest.raises(ck.NotFound, match="it is not on that network"):
        backend.disconnect_network("net", "box", force=False)
    with pytest.raises(ck.EngineError, match="refused") as caught:
        backend.connect_network("net", "box", NetworkAttachment("net"))
    assert not isinstance(caught.value, ck.InUse)


def test_docker_names_the_containers_of_a_network_in_use() -> None:
    """The network says who is still on it; without anybody the engine's own error stays."""
    full = {**NETWORK, "Containers": {"c" * 64: {"Name": "web"}, "d" * 64: {}}}
    refused = (403, {"message": "active endpoints"})
    backend, _ = engine(DockerBackend, answers({"DELETE /networks/net": refused, "GET /networks/net": (200, full)}))
    with pytest.raises(ck.InUse, match=r"removing network net: web, dddddddddddd still attached"):
        backend.remove_network("net")
    backend, _ = engine(DockerBackend, answers({"DELETE /networks/net": refused, "GET /networks/net": (200, NETWORK)}))
    with pytest.raises(ck.EngineError, match="active endpoints"):
        backend.remove_network("net")


@KINDS
def test_a_detached_exec(kind: Any) -> None:
    """It asks for no stream, returns its ID, and a refusal is a failed start."""
    created = {"POST /containers/box/exec": (201, {"Id": "e" * 64}), "GET /containers/box": (200, BOX)}
    backend, transport = engine(kind, answers({**created, "POST /exec/": (200, None)}))
    assert backend.start_exec("box", ExecSpec(("true",))) == "e" * 64
    bodies = [json.loads(request.body) for request in transport.requests if isinstance(request.body, bytes)]
    assert [bodies[0][key] for key in ("AttachStdin", "AttachStdout", "AttachStderr")] == [False] * 3
    assert bodies[1]["Detach"] is True
    backend, _ = engine(kind, answers({**created, "POST /exec/": (400, {"message": "no such program"})}))
    with pytest.raises(ck.StartFailed, match="no such program"):
        backend.start_exec("box", ExecSpec(("none",)))


@KINDS
def test_sizes_of_terminals(kind: Any) -> None:
    """Rows are h, columns are w."""
    backend, transport = engine(kind, answers({"POST ": (200, None)}))
    backend.resize_container("box", rows=24, columns=80)
    backend.resize_exec("e1", rows=30, columns=100)
    assert transport.requests[0].target.endswith("/containers/box/resize?h=24&w=80")
    assert transport.requests[1].target.endswith("/exec/e1/resize?h=30&w=100")
