"""Project: the services of a Compose file on one engine, with the engine's own networks and volumes."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..display import GraphBox, NetworkGraph
from ..errors import Conflict, ContainerKitError, LabFailed, NetworkNotFound, NotFound, WrongState
from ..resources.wait import healthy
from ..values import Value, ValueTuple
from .compose import COMPLETED, HEALTHY, ComposeFile, Service
from .kubernetes import to_kubernetes

if TYPE_CHECKING:
    from ..engine import Engine
    from ..resources.container import Container

__all__ = ["Project", "ServiceStatus"]

PROJECT_LABEL, SERVICE_LABEL = "containerkit.project", "containerkit.project.service"


@dataclass(frozen=True, slots=True)
class ServiceStatus(Value):
    """State of one service.

    Attributes:
        service: its name.
        status: that of its container, or "absent".
        image: its image.
        health: of its health check, or None.
    """

    service: str
    status: str
    image: str
    health: str | None


class Project:
    """The services of a Compose file on one engine. Leaving its `with` block, or closing the Engine, removes them.

    Named volumes that the project makes outlive it, as with `docker compose`; down(volumes=True) removes them.

    Args:
        engine: the engine.
        file: from :func:`from_compose`.
        keep: the project outlives the Engine and cleanup(), until down().
    """

    def __init__(self, engine: Engine, file: ComposeFile, *, keep: bool = False) -> None:
        self.file = file
        self._engine = engine
        self._keep = keep

    @property
    def name(self) -> str:
        """Name of the project."""
        return self.file.name

    def up(self, *, timeout: float = 120.0) -> Project:
        """Make networks and volumes, build images, and start the services in the order of `depends_on`.

        Args:
            timeout: seconds in which a condition of `depends_on` must be met.

        Returns:
            The project itself.

        Raises:
            LabFailed: names the service; no container and no network of the project is left.
            WrongState: the project is up already.
        """
        if self._containers():
            raise WrongState(f"project {self.name} is up already; take it down first", actual="running")
        try:
            self._prepare()
            for service in self.file.services:
                self._start(service, timeout)
        except BaseException:
            with contextlib.suppress(ContainerKitError):
                self.down()
            raise
        return self

    def _network(self, name: str) -> str:
        return f"{self.name}_{name}" if self.file.networks.get(name) is not None else name

    def _prepare(self) -> None:
        labels = {PROJECT_LABEL: self.name}
        for name, options in self.file.networks.items():
            if options is not None:
                given = {**options, "labels": {**options.get("labels", {}), **labels}}
                self._engine.networks.create(self._network(name), keep=self._keep, **given)
        used = {mount.partition(":")[0] for each in self.file.services for mount in each.options.get("volumes", ())}
        for volume, options in self.file.volumes.items():
            if options is not None and volume in used and not self._engine.volumes.exists(volume):
                given = {**options, "labels": {**options.get("labels", {}), **labels}}
                self._engine.volumes.create(volume, keep=True, **given)

    def _start(self, service: Service, timeout: float) -> None:
        try:
            self._try_to_start(service, timeout)
        except (ContainerKitError, OSError) as exc:
            raise LabFailed(f"project {self.name}, service {service.name}: {exc}", host=service.name) from exc

    def _try_to_start(self, service: Service, timeout: float) -> None:
        for other, condition in service.after.items():
            self._await(self[other], other, condition, timeout)
        if service.build:
            options = dict(service.build)
            self._engine.images.build(options.pop("context"), tags=[service.image], **options)
        given = dict(service.options)
        labels = {**given.pop("labels", {}), PROJECT_LABEL: self.name, SERVICE_LABEL: service.name}
        networks = {
            self._network(name): {**settings, "aliases": [service.name, *settings.get("aliases", ())]}
            for name, settings in service.networks.items()
        }
        name = given.pop("name", f"{self.name}-{service.name}")
        self._engine.start(
            service.image, service.command, name=name, labels=labels, network=networks, keep=self._keep, **given
        )

    def _await(self, container: Container, name: str, condition: str, timeout: float) -> None:
        if condition == HEALTHY:
            container.wait_until(healthy(), timeout)
        elif condition == COMPLETED and (code := container.wait(timeout)):
            raise LabFailed(f"{name} ended with exit code {code}: {str(container.logs())[-500:]}", host=name)

    def down(self, *, volumes: bool = False) -> None:
        """Remove the project's containers and networks, also of a project that another process brought up.

        Args:
            volumes: remove the named volumes as well that the project made.
        """
        for container in reversed(list(self._containers().values())):
            container.remove(force=True, volumes=True, missing_ok=True)
        mine = {"label": [f"{PROJECT_LABEL}={self.name}"]}
        for network in self._engine.networks.list(filters=mine):
            with contextlib.suppress(NetworkNotFound, Conflict):  # another's container may be on it
                network.remove()
        if volumes:
            for volume in self._engine.volumes.list(filters=mine):
                volume.remove()

    def __enter__(self) -> Project:
        return self

    def __exit__(self, *exc: object) -> None:
        self.down()

    def _containers(self) -> dict[str, Container]:
        found = self._engine.containers.list(all=True, filters={"label": [f"{PROJECT_LABEL}={self.name}"]})
        containers = {each.labels.get(SERVICE_LABEL, ""): each for each in found}
        return {each.name: containers[each.name] for each in self.file.services if each.name in containers}

    def __getitem__(self, service: str) -> Container:
        """Return the container of a service. Raises InvalidLab for an unknown service, NotFound if it is not up."""
        self.file.service(service)
        try:
            return self._containers()[service]
        except KeyError:
            raise NotFound(f"project {self.name}: service {service} is not up") from None

    def __repr__(self) -> str:
        return f"<Project {self.name}: {len(self.file.services)} services>"

    def status(self) -> ValueTuple[ServiceStatus]:
        """Return the state of every service, requested now."""
        found = self._containers()
        return ValueTuple(
            ServiceStatus(
                each.name,
                found[each.name].status if each.name in found else "absent",
                each.image,
                found[each.name].health if each.name in found else None,
            )
            for each in self.file.services
        )

    def draw(self) -> NetworkGraph:
        """Return a drawing of services and networks with the state of each service."""
        states: Mapping[str, str] = {each.service: each.status for each in self.status()}

        def text(service: Service, network: str) -> str:
            return str(service.networks[network].get("ipv4_address", "")) or network

        boxes = tuple(
            GraphBox(each.name, tuple((net, text(each, net)) for net in each.networks), states[each.name])
            for each in self.file.services
        )
        return NetworkGraph(f"Project {self.name}", boxes)

    def to_kubernetes(self) -> str:
        """Return the project as Kubernetes YAML. See :func:`to_kubernetes`."""
        return to_kubernetes(self.file)

    def _repr_html_(self) -> str:
        return self.draw().to_html()
