"""Compose files: what they become, mistakes with file and line, Kubernetes YAML, and a project in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import containerkit as ck
from containerkit.labs import Project, from_compose, to_kubernetes
from containerkit.testing import FakeBackend, Reply

yaml = pytest.importorskip("yaml")

FILE = """\
name: shop
services:
  web:
    image: "app:${TAG:-1}"
    command: ["serve", "--port", "80"]
    ports: ["127.0.0.1:8080:80", {target: 53, published: "5353", protocol: udp}]
    environment: {DEBUG: true, EMPTY: "", FROM_OUTSIDE:}
    env_file: web.env
    depends_on:
      db: {condition: service_healthy}
      setup: {condition: service_completed_successfully}
    networks:
      front: {aliases: [www]}
      back:
    deploy: {resources: {limits: {memory: 64m, cpus: "0.5"}}}
    restart: unless-stopped
  db:
    image: db:1
    volumes:
      - data:/var/lib/db
      - ./conf:/etc/db:ro
      - {type: tmpfs, target: /run}
    healthcheck: {test: ["CMD", "ready"], interval: 1m30s, retries: 2}
    networks: [back]
    cap_add: [NET_ADMIN]
  setup:
    build: {context: setup, args: {A: "1"}}
    networks: [back]
  debug:
    image: tools:1
    profiles: [debug]
networks:
  front: {driver_opts: {a: b}}
  back: {internal: true, ipam: {config: [{subnet: 10.99.0.0/24}]}}
volumes:
  data:
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "compose.yaml").write_text(FILE)
    (tmp_path / "web.env").write_text("# a comment\nA=1\nexport B='two words'\nDEBUG=no\n")
    return tmp_path


def test_services_become_options_of_start(path: Path) -> None:
    """Variables, files of variables, ports, volumes, networks, limits; in an order in which they can start."""
    file = from_compose(path, environment={"FROM_OUTSIDE": "yes"})
    assert file.name == "shop"
    assert [each.name for each in file.services] == ["db", "setup", "web"]
    web, db, setup = file.service("web"), file.service("db"), file.service("setup")
    assert (web.image, web.command) == ("app:1", ["serve", "--port", "80"])
    env = {"A": "1", "B": "two words", "DEBUG": "true", "EMPTY": "", "FROM_OUTSIDE": "yes"}
    assert web.options["env"] == env
    assert web.options["publish"] == ["127.0.0.1:8080:80", "5353:53/udp"]
    assert (web.options["memory"], web.options["cpus"]) == ("64m", "0.5")
    assert web.networks == {"front": {"aliases": ["www"]}, "back": {}}
    assert web.after == {"db": "service_healthy", "setup": "service_completed_successfully"}
    assert db.options["volumes"] == ["shop_data:/var/lib/db", f"{path}/conf:/etc/db:ro"]
    assert db.options["tmpfs"] == ["/run"]
    assert setup.image == "localhost/shop-setup:latest"
    assert setup.build == {"context": f"{path}/setup", "build_args": {"A": "1"}}
    assert file.networks == {"front": {"options": {"a": "b"}}, "back": {"internal": True, "subnet": "10.99.0.0/24"}}
    assert file.volumes == {"shop_data": {}}
    assert from_compose(path, environment={"TAG": "2"}).service("web").image == "app:2"


def test_profiles_choose_services(path: Path) -> None:
    """A service with a profile starts only if it is asked for."""
    assert "debug" in [each.name for each in from_compose(path, profiles=["debug"]).services]
    assert "debug" in [each.name for each in from_compose(path, profiles=["*"]).services]
    with pytest.raises(ck.InvalidLab, match="no service 'debug'"):
        from_compose(path).service("debug")


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("services:\n  a:\n    image: x\n    network_mode: host\n", 4, "network_mode: not supported: give networks"),
        ("services:\n  a:\n    image: x\n    nonsense: 1\n", 4, "nonsense: not supported"),
        ("services:\n  a:\n    command: x\n", 2, "expected image or build"),
        ("services:\n  a: {image: x, depends_on: [b]}\n", 2, "'b' is not in services"),
        ("services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, profiles: [p]}\n", 2, "no chosen profile"),
        ("services:\n  a: {image: x, networks: [n]}\n", 2, "network 'n' is not in networks"),
        ("services:\n  a: {image: x, volumes: ['v:/v']}\n", 2, "volume 'v' is not in volumes"),
        ("services:\n  a:\n    image: ${TAG:?give a tag}\n", 3, "variable TAG is not set: give a tag"),
        ("services:\n  a:\n    image: x\n    env_file: no.env\n", 4, "no file "),
        ("services:\n  a:\n    image: x\n    mem_limit: lots\n", 2, "memory"),
        ("services:\n  a:\n    image: x\n    deploy: {replicas: 2}\n", 4, "one container for each service"),
        (
            "services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, depends_on: [a]}\n",
            1,
            "wait for one another: a, b",
        ),
        ("secrets: {}\nservices: {}\n", 1, "secrets: not supported: mount a file"),
        ("services:\n  a:\n    image: x\n    image: [\n", 5, "no YAML"),
    ],
)
def test_mistakes_name_file_and_line(tmp_path: Path, text: str, line: int, message: str) -> None:
    """Nothing is left out silently."""
    path = tmp_path / "compose.yaml"
    path.write_text(text)
    with pytest.raises(ck.InvalidLab) as caught:
        from_compose(path, environment={})
    assert message in str(caught.value)
    assert (caught.value.path, caught.value.line) == (str(path), line)


@pytest.mark.parametrize(
    ("text", "value"),
    [("$A", "1"), ("${A}b", "1b"), ("$$A", "$A"), ("${N:-x}", "x"), ("${E:-x}", "x"), ("${E-x}", ""), ("${A:+x}", "x"),
     ("${N+x}", ""), ("$N", "")],
)  # fmt: skip
def test_variables(tmp_path: Path, text: str, value: str) -> None:
    """As in Compose: defaults, alternatives, `$$`."""
    (tmp_path / "compose.yaml").write_text(f"services: {{a: {{image: x, environment: {{V: '{text}'}}}}}}\n")
    found = from_compose(tmp_path, environment={"A": "1", "E": ""})
    assert found.service("a").options["env"] == {"V": value}


def test_kubernetes_yaml(path: Path) -> None:
    """A claim, and a pod and a Service for each service; what has no counterpart is named."""
    text = to_kubernetes(from_compose(path, environment={}))
    found: dict[tuple[str, str], Any] = {
        (each["kind"], each["metadata"]["name"]): each for each in yaml.safe_load_all(text)
    }
    assert next(iter(found)) == ("PersistentVolumeClaim", "shop-data")
    web = found["Pod", "web"]["spec"]
    main = web["containers"][0]
    assert (main["image"], main["args"], web["restartPolicy"]) == ("app:1", ["serve", "--port", "80"], "Always")
    assert main["ports"] == [
        {"containerPort": 80, "protocol": "TCP", "hostPort": 8080, "hostIP": "127.0.0.1"},
        {"containerPort": 53, "protocol": "UDP", "hostPort": 5353},
    ]
    assert main["resources"] == {"limits": {"memory": str(64 << 20), "cpu": "0.5"}}
    db = found["Pod", "db"]["spec"]
    assert db["volumes"] == [
        {"name": "claim-0", "persistentVolumeClaim": {"claimName": "shop-data"}},
        {"name": "host-1", "hostPath": {"path": f"{path}/conf"}},
    ]
    assert db["containers"][0]["livenessProbe"]["exec"] == {"command": ["ready"]}
    assert db["containers"][0]["livenessProbe"]["periodSeconds"] == 90
    assert found["Service", "web"]["spec"]["selector"] == {"app": "web"}
    for left in ("web: depends_on db", "web: network front", "db: tmpfs", "setup: build"):
        assert f"# left out: {left}" in text


def test_a_project_goes_up_and_down(tmp_path: Path) -> None:
    """Conditions are waited for; a failing one leaves nothing; named volumes outlive the project."""
    (tmp_path / "compose.yaml").write_text(
        "name: p\n"
        "services:\n"
        "  web: {image: 'app:1', command: serve, depends_on: {job: {condition: service_completed_successfully}}}\n"
        "  job: {image: 'app:1', command: work, volumes: ['v:/v']}\n"
        "volumes: {v: }\n"
    )
    backend = FakeBackend(images=["app:1"])
    backend.on("serve", Reply(until_stopped=True))
    backend.on("work", Reply())
    with ck.connect(backend) as engine:
        project = Project(engine, from_compose(tmp_path))
        with project.up():
            assert [(each.service, each.status) for each in project.status()] == [("job", "exited"), ("web", "running")]
            assert "web" in project._repr_html_()
            assert project["web"].name == "p-web"
            with pytest.raises(ck.WrongState, match="is up already"):
                project.up()
        assert engine.containers.list(all=True) == []
        assert [each.name for each in engine.volumes.list()] == ["p_v"]
        with pytest.raises(ck.NotFound, match="service web is not up"):
            project["web"]
        backend.on("work", Reply(stderr=b"broken", exit_code=3))
        with pytest.raises(ck.LabFailed, match="service web: job ended with exit code 3: broken"):
            project.up()
        assert engine.containers.list(all=True) == []
        assert [each.name for each in engine.networks.list() if each.name.startswith("p_")] == []
        project.down(volumes=True)
        assert engine.volumes.list() == []
