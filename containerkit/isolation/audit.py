"""Audit running containers: collect their facts with one list and an inspect each, judge them, report."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ContainerKitError, NotFound
from .answers import parse_container, parse_engine
from .audited import ContainerFacts, MountFacts
from .client import collect_peer, collect_socket, socket_path
from .exposure import exposures, unknowns
from .facts import ClientFacts, Facts
from .language import translator
from .mounts import known_paths
from .outside import Outside
from .probes import first_line
from .setting import Exposure, setting_of
from .values import Severity

if TYPE_CHECKING:
    from ..backends.base import Backend, ContainerRecord
    from ..display import Table

__all__ = [
    "AuditReport",
    "ContainerAudit",
    "audit_containers",
    "audit_schema",
    "collect_containers",
    "judge_containers",
]

SCHEMA = "containerkit.audit/1"
_AT_ONCE = 8


def audit_schema() -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of `AuditReport.to_dict()`."""
    found: dict[str, Any] = json.loads((Path(__file__).parent / "audit.schema.json").read_text("utf-8"))
    return found


@dataclass(frozen=True, slots=True, repr=False)
class ContainerAudit:
    """Findings about one running container.

    Attributes:
        findings: worst first; () for a default container with limits.
        unknown: what could not be found out, and why.
        problem: why the container could not be inspected at all; None if it could.
    """

    id: str
    name: str
    image: str
    findings: tuple[Exposure, ...] = ()
    unknown: tuple[str, ...] = ()
    problem: str | None = None

    @property
    def worst(self) -> Severity | None:
        """Severity of the worst finding; None without findings."""
        return self.findings[0].severity if self.findings else None

    def __repr__(self) -> str:
        return f"<ContainerAudit of {self.name or self.id[:12]}: {len(self.findings)} findings, worst {self.worst}>"

    def to_dict(self) -> dict[str, Any]:
        """Return the findings as JSON-ready types with stable keys."""
        return {
            "id": self.id,
            "name": self.name,
            "image": self.image,
            "worst": str(self.worst) if self.worst else None,
            "findings": [finding.to_dict() for finding in self.findings],
            "unknown": list(self.unknown),
            "problem": self.problem,
        }

    def table(self, *, lang: str = "en") -> Table:
        """Return one row per finding, in English or in the language "es"."""
        return AuditReport("", None, (self,)).table(lang=lang)

    def to_text(self, *, lang: str = "en") -> str:
        """Return the findings as text for a terminal."""
        return self.table(lang=lang).to_text()

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


@dataclass(frozen=True, slots=True, repr=False)
class AuditReport:
    """Audits of running containers of one engine.

    Attributes:
        engine: its kind and version.
        containers: one audit per container, newest first.
        started: seconds since the epoch.
        duration: seconds.
    """

    engine: str
    endpoint: str | None
    containers: tuple[ContainerAudit, ...]
    started: float = 0.0
    duration: float = 0.0

    def __iter__(self) -> Iterator[ContainerAudit]:
        return iter(self.containers)

    def __len__(self) -> int:
        return len(self.containers)

    def __repr__(self) -> str:
        return f"<AuditReport of {self.engine}: {len(self)} containers, worst {self.worst}>"

    @property
    def worst(self) -> Severity | None:
        """Severity of the worst finding of all containers; None without findings."""
        found = [audit.worst for audit in self.containers if audit.worst]
        return max(found, key=list(Severity).index) if found else None

    def get(self, name: str) -> ContainerAudit:
        """Return the audit of a container by its name or the start of its ID. Raises KeyError."""
        for audit in self.containers:
            if name == audit.name or (name and audit.id.startswith(name)):
                return audit
        raise KeyError(f"no container {name!r} in this report")

    def table(self, *, lang: str = "en") -> Table:
        """Return one row per finding, in English or in the language "es"."""
        from ..display import Cell, Table

        tr = translator(lang)
        tones: Mapping[Severity, Any] = {Severity.CRITICAL: "bad", Severity.HIGH: "bad", Severity.MEDIUM: "warn"}
        rows: list[Sequence[object]] = []
        for audit in self.containers:
            label = audit.name or audit.id[:12]
            for found in audit.findings:
                fix = found.remediation
                avoid = " ".join((tr(fix.text), *fix.commands)) if fix else ""
                severity = Cell(str(found.severity), tr(found.severity), tones.get(found.severity, ""))
                rows.append((label, severity, found.id, tr(found.summary), avoid))
            rows += [(label, tr("unknown"), "", tr(reason), "") for reason in audit.unknown]
            if not audit.findings and not audit.unknown:
                rows.append((label, "", "", tr("nothing beyond the default"), ""))
        columns = map(tr, ("container", "severity", "finding", "what was found", "how to avoid it"))
        title = tr(f"Running containers: {self.engine}" if self.engine else "Running container")
        notes = () if self.containers else (tr("no container runs"),)
        return Table(title, tuple(columns), rows, notes=notes)

    def to_text(self, *, lang: str = "en") -> str:
        """Return the report as text for a terminal."""
        return self.table(lang=lang).to_text()

    def to_markdown(self, *, lang: str = "en") -> str:
        """Return the report as Markdown."""
        return self.table(lang=lang).to_markdown()

    def to_html(self, *, lang: str = "en") -> str:
        """Return a complete page, light or dark as the reader's system is; it loads nothing from anywhere."""
        from ..display import page_html

        return page_html(self.table(lang=lang).title, [self.to_fragment(lang=lang)], lang=lang)

    def to_fragment(self, *, lang: str = "en") -> str:
        """Return the report as a part of a page, in English or in the language "es"."""
        return self.table(lang=lang).to_html()

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON-ready types with stable keys; `schema` names the format and its version."""
        return {
            "schema": SCHEMA,
            "engine": self.engine,
            "endpoint": self.endpoint,
            "started": self.started,
            "duration": self.duration,
            "worst": str(self.worst) if self.worst else None,
            "containers": [audit.to_dict() for audit in self.containers],
        }

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def audit_containers(backend: Backend, only: Iterable[str] | None = None) -> AuditReport:
    """Audit the running containers of an engine. Starts nothing and changes nothing.

    Args:
        backend: the engine.
        only: IDs of containers; None for all that run.

    Raises:
        EngineUnavailable: the engine does not answer.
    """
    started = time.time()
    info = backend.first_info()  # what counts here does not change while the engine runs
    facts = Facts(
        client=ClientFacts(url=backend.url, transport=""),
        engine=parse_engine(info.raw, url=backend.url, asked_as=backend.kind),
        peer=collect_peer(backend.url),
        socket=collect_socket(socket_path(backend.url)),
    )
    facts = collect_containers(backend, facts)
    audits = judge_containers(facts)
    if only is not None:
        wanted = set(only)
        audits = tuple(audit for audit in audits if audit.id in wanted)
    name = f"{info.kind} {info.version}"
    return AuditReport(name, backend.url, audits, started, time.time() - started)


def judge_containers(facts: Facts) -> tuple[ContainerAudit, ...]:
    """Return the audit of each container in the facts. The same facts always give the same audits."""
    setting, containers = setting_of(facts), facts.containers or ()
    return tuple(
        ContainerAudit(
            c.id,
            c.name,
            c.image,
            () if c.problem else exposures(c, setting, containers),
            unknowns(c, setting),
            c.problem,
        )
        for c in containers
    )


def collect_containers(backend: Backend, facts: Facts) -> Facts:
    """Return facts with the running containers of an engine. Raises the errors of listing."""
    records = backend.list_containers(all=False, filters={})
    if not records:
        return replace(facts, containers=())
    with ThreadPoolExecutor(min(_AT_ONCE, len(records)), "containerkit-audit") as pool:
        inspected = list(pool.map(lambda record: _inspect(backend, record), records))
    found = [container for container in inspected if container is not None]
    if any(mount.volume for container in found for mount in container.mounts):
        found = _with_volumes(backend, found)
    outside = Outside(facts.peer)
    facts = replace(facts, listening=outside.sockets())
    present = outside.present((*known_paths(), *setting_of(facts).sockets))
    return replace(facts, present=present, containers=tuple(outside.look(c) for c in found))


def _inspect(backend: Backend, record: ContainerRecord) -> ContainerFacts | None:
    try:
        raw = backend.inspect_container(record.id).raw
    except NotFound:
        return None  # the container ended meanwhile
    except ContainerKitError as exc:
        return ContainerFacts(record.id, record.name, problem=first_line(exc))
    return parse_container(raw, container_id=record.id, name=record.name)


def _with_volumes(backend: Backend, containers: Iterable[ContainerFacts]) -> list[ContainerFacts]:
    """Return containers whose volumes name what is behind them: a volume can be a bind mount in disguise."""
    try:
        volumes = backend.list_volumes(filters={})
    except ContainerKitError:
        return list(containers)
    behind = {v.name: d for v in volumes if (d := str(v.options.get("device") or "")).startswith("/")}

    def resolved(mount: MountFacts) -> MountFacts:
        return replace(mount, real=behind[mount.volume]) if mount.volume in behind else mount

    return [replace(c, mounts=tuple(map(resolved, c.mounts))) for c in containers]
