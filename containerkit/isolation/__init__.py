"""Check an engine's isolation: is it rootless, whose uid is root in a container, which limits are enforced.

Three steps, each in a module of its own: :mod:`collect` gathers facts, :mod:`checks` evaluates them without looking at
anything else, :mod:`report` shows the results. No step changes what it examines, and everything created is removed.
Imports backends, display, errors, oci, reference, spec and streams. Start reading at
:mod:`containerkit.isolation.judge`.
"""

from __future__ import annotations

from .compare import Statement, compare_reports, statements
from .judge import check_engine, check_host, evaluate
from .report import IsolationReport
from .values import CheckResult, Evidence, Remediation, Severity, Source, Status

__all__ = [
    "CheckResult",
    "Evidence",
    "IsolationReport",
    "Remediation",
    "Severity",
    "Source",
    "Statement",
    "Status",
    "check_engine",
    "check_host",
    "compare_reports",
    "evaluate",
    "statements",
]
