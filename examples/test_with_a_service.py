"""Test a program against a real service: one container for all tests and all workers.

pytest -p containerkit.pytest_plugin examples/test_with_a_service.py
"""

from __future__ import annotations

import os
import urllib.request
from typing import Any

import pytest

from containerkit import wait

IMAGE = os.environ.get("IMAGE", "busybox:1")
SERVE = "mkdir -p /www; echo 42 > /www/answer; exec httpd -f -p 80 -h /www"


@pytest.fixture(scope="session")
def service(shared_containers: Any) -> str:
    """Return the URL of the service, once it answers."""
    web = shared_containers(
        IMAGE, ["sh", "-c", SERVE], publish={80: ("127.0.0.1", None)}, wait=wait.http("/answer", port=80)
    )
    return f"http://{web.port(80)}"


def test_the_answer(service: str) -> None:
    with urllib.request.urlopen(f"{service}/answer") as answer:
        assert int(answer.read()) == 42


def test_no_other_page(service: str) -> None:
    with pytest.raises(OSError, match="404"):
        urllib.request.urlopen(f"{service}/question")
