"""The closing line of CI adds up the records of the sessions, and ignores other files beside them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SUMMARY = Path(__file__).resolve().parents[2] / ".ci" / "summary.py"


def closing_line(folder: Path, nox_status: int = 0) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, SUMMARY, folder, str(nox_status)], capture_output=True, text=True, check=False
    )
    assert not done.stderr
    return done.returncode, done.stdout.splitlines()[-1]


def record(folder: Path, session: str, outcome: str, *cases: str) -> None:
    document = {"session": session, "outcome": outcome, "reason": ""}
    (folder / f"{session}.session.json").write_text(json.dumps(document))
    if cases:
        body = "".join(f"<testcase>{f'<{kind}/>' if kind else ''}</testcase>" for kind in cases)
        (folder / f"{session}-all.xml").write_text(f"<testsuites><testsuite>{body}</testsuite></testsuites>")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    if not SUMMARY.exists():
        pytest.skip("a source distribution has no .ci folder")
    record(tmp_path, "lint", "passed")
    record(tmp_path, "tests", "passed", "", "", "skipped")
    (tmp_path / "coverage.json").write_text('{"files": {}}')
    return tmp_path


def test_counts_each_test_and_each_session_without_tests(folder: Path) -> None:
    assert closing_line(folder) == (0, "3 passed, 0 failed, 1 skipped")


def test_a_failed_test_fails(folder: Path) -> None:
    record(folder, "conformance", "failed", "", "failure", "error")
    assert closing_line(folder, 1) == (1, "4 passed, 2 failed, 1 skipped")


def test_a_failed_session_counts_when_no_test_failed(folder: Path) -> None:
    record(folder, "tests", "failed", "", "")
    assert closing_line(folder, 1) == (1, "3 passed, 1 failed, 0 skipped")


def test_nox_itself_failed(folder: Path) -> None:
    assert closing_line(folder, 1) == (1, "3 passed, 1 failed, 1 skipped")
