"""The output of bats, as the yardstick with Podman's own tests reads it."""

from __future__ import annotations

from tests.bats_yardstick import Result, read_tap, report, why

TAP = """1..4
ok 1 podman run - basic
not ok 2 podman run --rm
# (in test file 030-run.bats, line 9)
#   `run_podman run --rm' failed
# $ /tmp/containerkit run --rm
# containerkit: no such thing
# [ rc=1 (** EXPECTED 0 **) ]
ok 3 podman run - cgroups # skip (not rootless)
not ok 4 podman run --pod in 3ms
"""


def test_each_test_has_its_word_and_reason() -> None:
    """Passed, failed with the lines behind it, and skipped with the suite's reason."""
    found = list(read_tap("030-run", TAP))
    assert [(each.name, each.word) for each in found] == [
        ("podman run - basic", "passed"),
        ("podman run --rm", "failed"),
        ("podman run - cgroups", "skipped"),
        ("podman run --pod", "failed"),
    ]
    assert found[2].reason == "not rootless"
    assert why(found[1]).endswith("containerkit: no such thing / [ rc=1 (** EXPECTED 0 **) ]")
    assert why(found[3]) == ""


def test_a_share_counts_what_ran() -> None:
    """Skipped tests are no part of the share."""
    rows = [Result("f", str(number), word) for number, word in enumerate(["passed", "failed", "passed", "skipped"])]
    assert report(rows).splitlines()[-1] == "| f | 2 of 3 | 1 | 1 |"
