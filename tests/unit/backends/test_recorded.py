"""Both backends, against what real engines of each version answered."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.recorded.exchange import Recording, Replay
from tests.recorded.record import FOLDER, replay

RECORDINGS = sorted(set(FOLDER.glob("*.json")) - {FOLDER / "cli_options.json"})


@pytest.fixture(scope="module", params=RECORDINGS, ids=lambda path: path.stem)
def recording(request: pytest.FixtureRequest) -> Recording:
    return Recording.read(request.param)


@pytest.fixture(scope="module")
def replayed(recording: Recording) -> dict[str, Any]:
    """The results of the whole scenario."""
    transport = Replay(recording)
    results = replay(recording, transport)
    unused = {recording.exchanges[n].key for n in range(len(recording.exchanges))} - {
        recording.exchanges[n].key for n in transport.served
    }
    assert unused <= {"GET /version"}, "requests that were recorded and are not sent any more"
    return results


def test_every_step(recording: Recording, replayed: dict[str, Any]) -> None:
    """Each step of the scenario sends the recorded requests and returns the recorded result."""
    expected = {name: result for name, result in recording.results.items() if name != "version"}
    found = json.loads(json.dumps(replayed))
    different = {name: (found.get(name), result) for name, result in expected.items() if found.get(name) != result}
    assert different == {}
    assert set(found) == set(expected)


def test_the_same_on_every_engine(replayed: dict[str, Any]) -> None:
    """What a user sees is the same on every engine and version."""
    long = {"stdout": "<40000 x>\nshort\nend\n", "stderr": "<20000 y>\n"}
    terminal = {"stdout": "<40000 x>\r\nshort\r\n<20000 y>\r\nend\r\n", "stderr": ""}
    expected = {
        "output": {"stdout": "out\nmore\n", "stderr": "err\n"},
        "wait": 7,
        "wait for killed": 137,
        "exit code of failed start": None,
        "log": long,
        "log, followed": long,
        "log, last 9": long,
        "log, last 0": {"stdout": "", "stderr": ""},
        "log, stderr": {"stdout": "", "stderr": "<20000 y>\n"},
        "terminal": terminal,
        "terminal, followed": terminal,
        "terminal, last 1": {"stdout": "end\r\n", "stderr": ""},
        "terminal, last 3": {"stdout": "short\r\n<20000 y>\r\nend\r\n", "stderr": ""},
        "terminal, followed, last 2": {"stdout": "<20000 y>\r\nend\r\n", "stderr": ""},
        "list running": [],
        "of image id": ["ckrecorded-a"],
        "of short image id": ["ckrecorded-a"],
        "of lab/busybox:1": ["ckrecorded-a"],
        "of lab/busybox": [],
        "of ckrecorded/none": [],
        "images ckrecorded/tiny": [["ckrecorded/tiny:1"]],
        "images docker.io/ckrecorded/tiny:1": [["ckrecorded/tiny:1"]],
        "images ckrecorded/none": [],
        "load": ["ckrecorded/tiny:1"],
        "changes": [{"path": "/b.txt", "kind": "added"}],
        "get": ["b.txt", 3, "bb\n"],
        "stat of missing": None,
        "file that .dockerignore names": True,
        "no volumes": [],
        "events": [["image", "untag"]],
        "remove missing volume, force": None,
        "export": True,
        "save": True,
        "size": True,
        "start again": None,
        "stop exited": None,
    }
    assert {name: replayed[name] for name in expected} == expected
    assert replayed["exec"][0] == {"stdout": "out\n", "stderr": "err\n"}
    assert replayed["exec"][1]["exit_code"] == 3
    assert replayed["exec with input"][0] == {"stdout": "typed\n", "stderr": ""}
    assert replayed["top -o"]["titles"] == ["PID", "COMMAND"]
    assert replayed["committed"][-1][0] == "why"
    assert replayed["inspect network"]["subnets"] == [["10.213.7.0/24", "10.213.7.1"]]


def test_lines_have_one_timestamp_each(replayed: dict[str, Any]) -> None:
    """A line of 40,000 bytes has one timestamp, at its beginning."""
    for name in ("log, timestamps", "terminal, timestamps"):
        lines = replayed[name]["stdout"].splitlines()
        assert [line.partition(" ")[2] for line in lines if "y" not in line] == ["<40000 x>", "short", "end"]
        assert all(line.partition(" ")[0].endswith("Z") for line in lines)


def test_refusals_have_types(replayed: dict[str, Any]) -> None:
    """Each refusal raises the same class on every engine."""
    expected = {
        "login refused": "EngineError",
        "load garbage": "InvalidImage",
        "inspect missing image": "ImageNotFound",
        "history of missing": "ImageNotFound",
        "tag missing": "ImageNotFound",
        "remove missing image": "ImageNotFound",
        "save missing": "ImageNotFound",
        "pull fails": "PullFailed",
        "push missing": "ImageNotFound",
        "push fails": "PushFailed",
        "create volume again": "NameInUse",
        "inspect missing volume": "VolumeNotFound",
        "remove volume in use": "InUse",
        "remove missing volume": "VolumeNotFound",
        "create network again": "NameInUse",
        "inspect missing network": "NetworkNotFound",
        "connect again": "InUse",
        "remove network in use": "InUse",
        "disconnect again": "NotFound",
        "remove missing network": "NetworkNotFound",
        "create again": "NameInUse",
        "create of missing image": "ImageNotFound",
        "create on missing network": "NetworkNotFound",
        "create from missing source": "NotFound",
        "inspect missing": "ContainerNotFound",
        "kill created": "WrongState",
        "wait for missing": "ContainerNotFound",
        "pause exited": "WrongState",
        "exec in exited": "WrongState",
        "remove missing": "ContainerNotFound",
        "start fails": "StartFailed",
        "remove running": "WrongState",
        "rename to taken": "NameInUse",
        "unpause running": "WrongState",
        "stats of exited": "WrongState",
        "top of exited": "WrongState",
        "log of missing": "ContainerNotFound",
        "put below missing": "NotFound",
        "stat in missing": "ContainerNotFound",
        "get missing": "NotFound",
        "get from missing": "ContainerNotFound",
        "export missing": "ContainerNotFound",
        "build fails": "BuildFailed",
        "build without a Dockerfile": "BuildFailed",
    }
    raised = {name: (replayed[name] or {}).get("raised") for name in expected if not isinstance(replayed[name], list)}
    assert raised == expected
    assert "at step 3/" in replayed["build fails"]["message"]
