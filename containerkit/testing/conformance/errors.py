"""Scenarios: which failure raises which error."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable

import pytest

from ...backends.base import Capability
from ...engine import Engine
from ...errors import (
    ContainerNotFound,
    ImageNotFound,
    NameInUse,
    NetworkNotFound,
    NotFound,
    StartFailed,
    Unsupported,
    VolumeNotFound,
    WrongState,
)
from ...resources.container import Container
from .base import (
    SLEEP,
    Scenarios,
    free_port,
    fresh_name,
    require,
)


class ErrorScenarios(Scenarios):
    """Each failure raises the error that the documentation names."""

    @pytest.mark.parametrize(
        "verb",
        ["refresh", "start", "stop", "kill", "restart", "wait", "rename", "logs", "exec", "diff", "export", "commit",
         "read_file", "remove"],
    )  # fmt: skip
    def test_missing_container(self, engine: Engine, shell_image: str, verb: str) -> None:
        """Every method of a removed container raises ContainerNotFound."""
        container = engine.containers.create(shell_image)
        container.record  # noqa: B018  known, so that nothing has to be asked first
        container.remove()
        calls: dict[str, Callable[[], object]] = {
            "rename": lambda: container.rename(fresh_name()),
            "exec": lambda: container.exec(["true"]),
            "read_file": lambda: container.read_file("/etc/passwd"),
            "export": lambda: list(container.export()),
        }
        with pytest.raises(ContainerNotFound):
            calls.get(verb, getattr(container, verb))()

    @pytest.mark.parametrize(
        "what", ["container", "image", "volume", "network", "image-create", "image-remove", "tag", "network-create"]
    )
    def test_missing_things(self, engine: Engine, shell_image: str, what: str) -> None:
        """A missing resource raises the NotFound of its kind."""
        none = fresh_name("none")
        calls: dict[str, tuple[type[NotFound], Callable[[], object]]] = {
            "container": (ContainerNotFound, lambda: engine.containers.get(none)),
            "image": (ImageNotFound, lambda: engine.images.get(none)),
            "volume": (VolumeNotFound, lambda: engine.volumes.get(none)),
            "network": (NetworkNotFound, lambda: engine.networks.get(none)),
            "image-create": (ImageNotFound, lambda: engine.containers.create(none)),
            "image-remove": (ImageNotFound, lambda: engine.images.remove(none)),
            "tag": (ImageNotFound, lambda: engine._core.backend.tag_image(none, f"{none}:2")),
            "network-create": (NetworkNotFound, lambda: engine.start(shell_image, SLEEP, network=none)),
        }
        error, call = calls[what]
        with pytest.raises(error):
            call()

    @pytest.mark.parametrize("what", ["volume", "network"])
    def test_remove_missing(self, engine: Engine, what: str) -> None:
        """Removing a missing resource raises the NotFound of its kind."""
        with pytest.raises(VolumeNotFound if what == "volume" else NetworkNotFound):
            (engine.volumes if what == "volume" else engine.networks).remove(fresh_name("none"))

    @pytest.mark.parametrize("what", ["create", "start", "rename"])
    def test_container_name_in_use(self, engine: Engine, shell_image: str, box: Container, what: str) -> None:
        """A taken container name raises NameInUse."""
        with engine.containers.create(shell_image) as other:
            calls: dict[str, Callable[[], object]] = {
                "rename": lambda: other.rename(box.name),
                "start": lambda: engine.start(shell_image, SLEEP, name=box.name),
                "create": lambda: engine.containers.create(shell_image, name=box.name),
            }
            with pytest.raises(NameInUse):
                calls[what]()
        assert box.refresh().status == "running"

    @pytest.mark.parametrize("what", ["kill", "exec", "pause", "top"])
    def test_wrong_state_of_a_stopped_one(self, engine: Engine, shell_image: str, what: str) -> None:
        """A method that needs a running container raises WrongState on a stopped one."""
        capability = {"pause": Capability.PAUSE, "top": Capability.TOP}.get(what)
        error = WrongState if capability is None or capability in engine.capabilities else Unsupported
        with engine.start(shell_image, ["true"]) as container:
            container.wait(timeout=30)
            with pytest.raises(error):
                container.exec(["true"]) if what == "exec" else getattr(container, what)()

    def test_remove_running(self, box: Container) -> None:
        """Removing a running container raises WrongState, unless forced."""
        with pytest.raises(WrongState):
            box.remove()
        assert box.refresh().status == "running"

    def test_exec_paused(self, engine: Engine, box: Container) -> None:
        """exec in a paused container raises WrongState."""
        if Capability.PAUSE not in engine.capabilities:
            with pytest.raises(Unsupported):
                box.pause()
            return
        box.pause()
        try:
            with pytest.raises(WrongState):
                box.exec(["true"])
        finally:
            box.unpause()

    @pytest.mark.parametrize("command", [["/no/such"], ["no-such"], ["/etc"]], ids=["path", "name", "folder"])
    def test_start_bad_command(self, engine: Engine, shell_image: str, command: list[str]) -> None:
        """A command that cannot start raises StartFailed, and the container is removed."""
        name = fresh_name()
        with pytest.raises(StartFailed):
            engine.start(shell_image, command, name=name)
        assert not engine.containers.exists(name)

    @pytest.mark.parametrize("by", ["container", "process"])
    def test_host_port_taken(self, engine: Engine, shell_image: str, by: str) -> None:
        """A taken host port raises one error on every engine, and the container is removed."""
        name, port = fresh_name(), free_port()
        with contextlib.ExitStack() as stack:
            if by == "container":
                stack.enter_context(engine.start(shell_image, SLEEP, publish={80: port}))
            else:
                require(engine, Capability.PROCESSES)
                server = stack.enter_context(socket.socket())
                server.bind(("0.0.0.0", port))
                server.listen()
            with pytest.raises(StartFailed):
                engine.start(shell_image, SLEEP, publish={80: port}, name=name)
        assert not engine.containers.exists(name)

    def test_no_vendor_exception_in_a_message(self, engine: Engine) -> None:
        """An error is containerkit's own class, with the vendor's as its cause."""
        with pytest.raises(ContainerNotFound) as caught:
            engine.containers.get(fresh_name("none"))
        assert type(caught.value).__module__ == "containerkit.errors"
        assert caught.value.status == 404
