"""Check an engine's isolation: is it rootless, whose uid is root in a container, which limits are enforced.

Three steps, each in a module of its own: :mod:`collect` gathers facts, :mod:`checks` evaluates them without looking at
anything else, :mod:`report` shows the results. No step changes what it examines, and everything created is removed.
Imports backends, display, errors, oci, reference, spec and streams. Start reading at
:mod:`containerkit.isolation.judge`.
"""

from __future__ import annotations

from .audit import AuditReport, ContainerAudit, audit_containers, audit_schema
from .baseline import Baseline, Known, load_baseline
from .compare import Statement, compare_reports, statements
from .formats import to_junit, to_page, to_sarif
from .judge import check_engine, check_host, evaluate
from .report import IsolationReport, report_schema
from .setting import Exposure
from .values import CheckResult, Evidence, Remediation, Severity, Source, Status

__all__ = [
    "AuditReport",
    "Baseline",
    "CheckResult",
    "ContainerAudit",
    "Evidence",
    "Exposure",
    "IsolationReport",
    "Known",
    "Remediation",
    "Severity",
    "Source",
    "Statement",
    "Status",
    "audit_containers",
    "audit_schema",
    "check_engine",
    "check_host",
    "compare_reports",
    "evaluate",
    "load_baseline",
    "report_schema",
    "statements",
    "to_junit",
    "to_page",
    "to_sarif",
]
