"""Core: what every resource of one engine holds, in place of the Engine itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ..backends.base import Backend, Capability
from ..errors import ContainerKitError, EngineUnavailable, LimitNotEnforced, Unsupported
from ..options.table import LIMITS
from ..reference import Reference
from ..spec import RegistryAuth, ResourceLimits
from ..userconfig.credentials import find_credentials
from ..userconfig.environment import Environment
from ..userconfig.storing import forget_login, store_login
from .session import Session


class Core:
    """One engine's backend, the session that owns what is created on it, and what the engine can do.

    Attributes:
        session: labels and owns every created resource.
        unenforced: limits that a check found unenforced although the engine claims them.
        closed: True once close() has begun.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._lock = threading.Lock()
        self.session = Session(backend)
        self.unenforced: frozenset[Capability] = frozenset()
        self.closed = False
        self._logins: set[str] = set()

    def login(self, auth: RegistryAuth, *, store: bool) -> None:
        """Check credentials with their registry; the backend keeps them. Raises AuthenticationFailed.

        Args:
            store: also write them to the file of the engine's command line.
        """
        self.backend.login(auth)
        self._logins.add(auth.registry)
        if store:
            store_login(Environment.current(), auth, kind=self.kind)

    def logout(self, registry: str) -> bool:
        """Forget the credentials of a registry, here and in the file. Return whether there were any."""
        self.backend.logout(registry)
        known = registry in self._logins
        self._logins.discard(registry)
        return forget_login(Environment.current(), registry, kind=self.kind) or known

    def stored_credentials(self, name: Reference) -> RegistryAuth | None:
        """Return what `docker login` or `podman login` stored for an image's registry; login() replaces it.

        Raises:
            AuthenticationFailed: a credential helper is missing, fails or hangs.
        """
        if name.registry in self._logins:
            return None
        return find_credentials(Environment.current(), name.registry, name.repository, kind=self.kind)

    @property
    def backend(self) -> Backend:
        """Adapter to the engine. Raises EngineUnavailable after close()."""
        if self.closed:
            raise self._closed_error()
        return self._backend

    @property
    def kind(self) -> str:
        """Kind of the engine."""
        return self._backend.kind

    @property
    def url(self) -> str:
        """Address of the engine."""
        return self._backend.url

    def close(self) -> None:
        """Remove everything the session owns, newest first, then disconnect. Safe to call twice.

        If it is interrupted, another call, or the interpreter's exit, continues; until then the connection stays open.
        """
        with self._lock:
            if self.closed:
                return
            self.closed = True
        try:
            self.session.close()
        except BaseException:
            self.closed = False
            raise
        self._backend.close()

    @contextmanager
    def working(self, action: str) -> Iterator[None]:
        """Raise EngineUnavailable if the Engine is closed, also by another thread while the block runs.

        Closing removes the containers of running calls; without this they would report exit code 137 as their result.
        """
        if self.closed:
            raise self._closed_error(action)
        try:
            yield
        except ContainerKitError as exc:
            if self.closed:
                raise self._closed_error(action) from exc
            raise
        if self.closed:
            raise self._closed_error(action)

    def _closed_error(self, action: str = "") -> EngineUnavailable:
        prefix = f"{action}: " if action else ""
        return EngineUnavailable(f"{prefix}this Engine is closed; connect() opens a new one")

    # ---------------------------------------------------------------- capabilities
    @property
    def capabilities(self) -> frozenset[Capability]:
        """Optional features of the engine, excluding limits that a check found unenforced."""
        return self._backend.capabilities - self.unenforced

    def require(self, capability: Capability, action: str) -> None:
        """Raise Unsupported, before any request is sent, if the engine lacks a capability."""
        if capability not in self.capabilities:
            raise Unsupported(
                f"{action}: the {self.kind} engine at {self.url} does not support it ({capability.value})",
                capability=capability.value,
            )

    def unenforced_limits(self, limits: ResourceLimits) -> tuple[str, ...]:
        """Return the names of the requested limits that this engine accepts and does not enforce."""
        return tuple(name for name in limits.requested() if LIMITS[name].capability not in self.capabilities)

    def refuse_unenforced(self, limits: ResourceLimits) -> None:
        """Raise LimitNotEnforced if the engine does not enforce one of the limits."""
        if names := self.unenforced_limits(limits):
            raise LimitNotEnforced(f'{unenforced_message(names)}; limits="best-effort" runs without them', limits=names)


def unenforced_message(names: tuple[str, ...]) -> str:
    """Return the sentence that errors and warnings about unenforced limits share."""
    return f"{', '.join(names)}: the engine would accept this limit without enforcing it (no cgroup controller)"
