"""Is this engine rootless, who is root in its containers, will a limit hold: by evidence, not by assumption.

Three steps, in rooms of their own: :mod:`collect` gathers facts, :mod:`checks` judges them without looking at anything
else, :mod:`report` shows the results. No step changes what it looks at, and nothing that is made stays.
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
