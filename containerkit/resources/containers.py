"""Containers: the containers of an engine."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import ContainerKitError, ContainerNotFound, NotFound, WrongState
from ..options import container_spec, parse_filters, parse_flag, parse_object, with_options
from ..options.table import START
from ..spec import ContainerSpec
from ..streams import Deadline
from ..values import ValueList
from .container import Container
from .create import Policy, create, take_policy
from .pruned import Pruned

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ..options import StartOptions
    from .core import Core

_REMOVAL = 30.0  # seconds for removing a container that did not start


class Containers:
    """The containers of an engine."""

    def __init__(self, core: Core) -> None:
        self._core = core

    @with_options(START, pull="never")
    def create(
        self, image: str, command: Any = None, *, keep: bool = False, **options: Unpack[StartOptions]
    ) -> Container:
        """Create a container without starting it.

        Args:
            image, command, keep, options: as in :meth:`Engine.start`, except that a missing image is pulled only if
                `pull` says so.
        """
        given: dict[str, Any] = {**options, "keep": keep}
        policy = take_policy(given, pull="never")
        return create_container(self._core, container_spec(image, command, given), policy)

    def get(self, ref: str) -> Container:
        """Return a container by name, ID or an unambiguous prefix of the ID. Raises ContainerNotFound."""
        record = self._core.backend.inspect_container(parse_object("ref", ref, slash=True))
        return Container(self._core, record.id, record=record)

    def exists(self, ref: str) -> bool:
        """Return whether a container of that name or ID exists."""
        try:
            self.get(ref)
        except ContainerNotFound:
            return False
        return True

    def list(self, *, all: bool = False, filters: Mapping[str, Any] | None = None) -> list[Container]:
        """Return the running containers, in one request.

        Args:
            all: include containers that do not run.
            filters: as `docker ps --filter`: {"label": ["a=b"], "status": "exited"}.
        """
        records = self._core.backend.list_containers(
            all=parse_flag("all", all), filters=parse_filters("filters", filters)
        )
        return ValueList(Container(self._core, record.id, record=record) for record in records)

    def remove(self, ref: str, *, force: bool = False, volumes: bool = False) -> None:
        """Remove a container by name or ID. Raises WrongState, ContainerNotFound. See :meth:`Container.remove`."""
        self.get(ref).remove(force=force, volumes=volumes)

    def prune(self, *, filters: Mapping[str, Any] | None = None) -> Pruned:
        """Remove all containers that do not run. A container that starts meanwhile stays.

        Returns:
            The IDs of the removed containers.
        """
        removed = []
        for record in self._core.backend.list_containers(all=True, filters=parse_filters("filters", filters)):
            if record.status not in ("created", "exited", "dead"):
                continue
            with contextlib.suppress(NotFound, WrongState):
                self._core.backend.remove_container(record.id, force=False, volumes=False)
                self._core.session.disown(record.id)
                removed.append(record.id)
        return Pruned(tuple(removed))


def create_container(core: Core, spec: ContainerSpec, policy: Policy) -> Container:
    """Create a container from a parsed spec; the session owns it unless the policy keeps it."""
    created = create(core, spec, policy)
    return Container(core, created.id, warnings=created.warnings, tty=spec.tty)


def start_container(core: Core, image: str, command: Any, options: Mapping[str, Any]) -> Container:
    """Create and start a container; remove it again if it does not start. See :meth:`Engine.start`."""
    given = dict(options)
    policy = take_policy(given, pull="missing")
    container = create_container(core, container_spec(image, command, given), policy)
    try:
        container.start()
    except BaseException:
        # the session still owns the container if this removal fails, and the first error is the one to raise
        with contextlib.suppress(ContainerKitError), Deadline.after(_REMOVAL, shield=True):
            container.remove(force=True, volumes=True, missing_ok=True)
        raise
    return container
