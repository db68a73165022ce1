"""Compose files on a real engine, and their Kubernetes YAML on a real Podman."""

from __future__ import annotations

import http.client
import socket
import time
import uuid
from pathlib import Path

import pytest

import containerkit as ck
from containerkit.labs import Project, from_compose

pytest.importorskip("yaml")

FILE = """\
name: {name}
services:
  web:
    image: {image}
    command: ["sh", "-c", "wget -q -O - http://db:8000/page >/tmp/page; exec sleep 600"]
    environment: {{WHO: "${{WHO:-world}}"}}
    depends_on:
      db: {{condition: service_healthy}}
      setup: {{condition: service_completed_successfully}}
  setup:
    image: {image}
    command: ["sh", "-c", "echo hello >/data/page"]
    volumes: ["data:/data"]
  db:
    image: {image}
    command: ["sh", "-c", "touch /tmp/ready; exec httpd -f -p 8000 -h /data"]
    volumes: ["data:/data:ro"]
    healthcheck: {{test: ["CMD", "test", "-e", "/tmp/ready"], interval: 1s, retries: 60}}
volumes:
  data:
"""


@pytest.fixture
def project(engine: ck.Engine, shell_image: str, tmp_path: Path) -> Project:
    (tmp_path / "compose.yaml").write_text(FILE.format(name=f"ckp{uuid.uuid4().hex[:8]}", image=shell_image))
    return Project(engine, from_compose(tmp_path, environment={"WHO": "you"}))


def test_services_find_one_another_in_order(project: Project, engine: ck.Engine) -> None:
    """`web` starts after `db` is healthy and `setup` is done, and reads by name what `setup` wrote."""
    try:
        with project.up():
            assert [(each.service, each.status) for each in project.status() if each.service != "setup"] == [
                ("db", "running"), ("web", "running"),
            ]  # fmt: skip
            web = project["web"]
            deadline = time.monotonic() + 60
            while (said := web.exec("cat /tmp/page").stdout) != "hello\n":
                assert time.monotonic() < deadline, said
                time.sleep(1)
            assert web.exec(["sh", "-c", "echo $WHO"]).stdout == "you\n"
    finally:
        project.down(volumes=True)
    mine = {"label": [f"containerkit.project={project.name}"]}
    assert engine.containers.list(all=True, filters=mine) == []
    assert engine.networks.list(filters=mine) == []
    assert engine.volumes.list(filters=mine) == []


def test_podman_plays_the_kubernetes_yaml(project: Project, engine: ck.Engine) -> None:
    """`podman kube play` of the YAML: every pod runs, and one finds the other by name."""
    if engine.kind != "podman":
        pytest.skip("only Podman plays Kubernetes YAML")
    if not engine.url.startswith("unix://"):
        pytest.skip("the test speaks to a socket of this machine")
    text = project.to_kubernetes()

    def play(method: str) -> str:
        connection = http.client.HTTPConnection("localhost", timeout=300)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(300)
        connection.sock.connect(engine.url.removeprefix("unix://"))
        connection.request(method, "/v4.0.0/libpod/play/kube", text.encode())
        answer = connection.getresponse()
        said = answer.read().decode()
        connection.close()
        assert answer.status == 200, said
        return said

    volume = f"{project.name}-data"
    try:
        play("POST")
        db = engine.containers.get("db-db-main")
        assert db.status == "running"
        db.exec(["sh", "-c", "test -e /tmp/ready"], check=True)
        deadline = time.monotonic() + 60
        while "hello" not in (found := engine.containers.get("web-web-main").exec(
            ["sh", "-c", "wget -q -O - http://db:8000/page || cat /etc/hosts /etc/resolv.conf"]
        ).stdout):  # fmt: skip
            assert time.monotonic() < deadline, found
            time.sleep(2)
    finally:
        play("DELETE")
        if engine.volumes.exists(volume):
            engine.volumes.get(volume).remove()
    assert not engine.containers.exists("db-db-main")
