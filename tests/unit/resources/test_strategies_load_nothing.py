"""Strategies are made in test processes that connect to no engine."""

from __future__ import annotations

import subprocess
import sys


def test_a_strategy_loads_no_client() -> None:
    """Neither the records of an engine nor a vendor's client nor requests are imported."""
    code = (
        "import sys; from containerkit import wait; "
        "wait.all_of(wait.log_line('ready'), wait.http(port=80), wait.port_open(80)); "
        "print(sorted(set(sys.modules) & {'docker', 'requests', 'containerkit.backends.records', 'containerkit.spec'}))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told == "[]\n"
