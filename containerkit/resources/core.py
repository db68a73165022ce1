"""Core: what every resource of one engine holds, in place of the Engine itself."""

from __future__ import annotations

from ..backends.base import Backend, Capability
from ..errors import LimitNotEnforced, Unsupported
from ..reference import Reference
from ..spec import RegistryAuth, ResourceLimits
from ..userconfig.credentials import find_credentials
from ..userconfig.environment import Environment
from .session import Session

__all__ = ["Core"]

#: The capability that says whether an engine enforces a limit.
_CAPABILITY_OF = {
    "memory": Capability.MEMORY_LIMIT,
    "memory_swap": Capability.MEMORY_LIMIT,
    "memory_reservation": Capability.MEMORY_LIMIT,
    "cpus": Capability.CPU_LIMIT,
    "cpu_shares": Capability.CPU_LIMIT,
    "cpuset_cpus": Capability.CPUSET_LIMIT,
    "pids_limit": Capability.PIDS_LIMIT,
}


class Core:
    """One engine's backend, the session that owns what is created on it, and what the engine can do.

    Attributes:
        backend: the adapter to the engine.
        session: labels and owns every created resource.
        unenforced: limits that a check found unenforced although the engine claims them.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.session = Session(backend)
        self.unenforced: frozenset[Capability] = frozenset()
        self._logins: set[str] = set()

    def login(self, auth: RegistryAuth) -> None:
        """Check credentials with their registry; the backend keeps them. Raises AuthenticationFailed."""
        self.backend.login(auth)
        self._logins.add(auth.registry)

    def stored_credentials(self, name: Reference) -> RegistryAuth | None:
        """Return what `docker login` or `podman login` stored for an image's registry; login() replaces it.

        Raises:
            AuthenticationFailed: a credential helper is missing, fails or hangs.
        """
        if name.registry in self._logins:
            return None
        return find_credentials(Environment.current(), name.registry, name.repository, kind=self.backend.kind)

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Optional features of the engine, excluding limits that a check found unenforced."""
        return self.backend.capabilities - self.unenforced

    def require(self, capability: Capability, action: str) -> None:
        """Raise Unsupported, before any request is sent, if the engine lacks a capability."""
        if capability not in self.capabilities:
            raise Unsupported(
                f"{action}: the {self.backend.kind} engine at {self.backend.url} does not support it "
                f"({capability.value})",
                capability=capability.value,
            )

    def unenforced_limits(self, limits: ResourceLimits) -> tuple[str, ...]:
        """Return the names of the requested limits that this engine accepts and does not enforce."""
        return tuple(name for name in limits.requested() if _CAPABILITY_OF[name] not in self.capabilities)

    def refuse_unenforced(self, limits: ResourceLimits) -> None:
        """Raise LimitNotEnforced if the engine does not enforce one of the limits."""
        if names := self.unenforced_limits(limits):
            raise LimitNotEnforced(f'{unenforced_message(names)}; limits="best-effort" runs without them', limits=names)


def unenforced_message(names: tuple[str, ...]) -> str:
    """Return the sentence that errors and warnings about unenforced limits share."""
    return f"{', '.join(names)}: the engine would accept this limit without enforcing it (no cgroup controller)"
