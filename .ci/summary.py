"""Add up build/results: `python3 .ci/summary.py FOLDER NOX_STATUS`. The last line is for machines.

Each test counts as one. A session without tests (lint, types, package, demo, faults, mutants) counts as one.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree


def of_tests(report: Path) -> Counter[str]:
    """Return the counts of a JUnit report; a test that fails and also errors in teardown is one failure."""
    counts: Counter[str] = Counter()
    for case in ElementTree.parse(report).iter("testcase"):
        kinds = {child.tag for child in case}
        counts["failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"] += 1
    return counts


def main(folder: Path, nox_status: int) -> int:
    total: Counter[str] = Counter()
    for path in sorted(folder.glob("*.session.json")):
        said = json.loads(path.read_text())
        reports = {r.stem.partition("-")[2]: of_tests(r) for r in sorted(folder.glob(f"{said['session']}-*.xml"))}
        counts = sum(reports.values(), Counter())
        if not reports or (said["outcome"] == "failed" and not counts["failed"]):
            counts[said["outcome"]] += 1
        parts = {**reports, "": counts} if len(reports) != 1 else {"": counts}
        for name, part in parts.items():
            figures = ", ".join(f"{part[key]} {key}" for key in ("passed", "failed", "skipped") if part[key])
            reason = f" ({said['reason']})" if said["reason"] and not name else ""
            print(f"{said['session']:>12} {name:<12} {figures}{reason}")  # noqa: T201
        total += counts
    if nox_status and not total["failed"]:
        total["failed"] += 1
    print(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")  # noqa: T201
    return 1 if total["failed"] or not total["passed"] else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
