"""Findings of docker-bench-security 1.6.0 on Docker 28.5, each with what these checks say of the same engine, and why.

It was run beside that engine, whose containers were those of two labs; what came after 5.14 was not waited for.
"""

from __future__ import annotations

import pytest

from containerkit.isolation.checks import CATALOGUE
from tests.conformance.oracle import ORACLE

#: Its warnings on that engine.
_AUDITED = (3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 17, 18)
WARNED = (
    *(f"1.1.{number}" for number in _AUDITED),
    *("2.2", "2.5", "2.9", "2.12", "2.13", "2.14", "2.15", "2.16"),
    *("4.1", "4.5", "4.6", "5.2", "5.3", "5.4", "5.7", "5.11", "5.12", "5.13"),
)
_AUDITD = "auditd's rules are the host's own matter: no check"
#: Number -> (check, what it says of that engine, why), or why there is no check.
EXPLAINED: dict[str, tuple[str, str, str] | str] = {
    **dict.fromkeys((number for number in WARNED if number.startswith("1.1.")), _AUDITD),
    "2.2": ("container-traffic", "warn", "both see that icc is on"),
    "2.5": ("insecure-registries", "pass", "it warns of 127.0.0.0/8, which never leaves the host"),
    "2.9": ("userns-remap", "warn", "both; container-root-uid shows what it means: uid 0"),
    "2.12": ("authorization-plugins", "info", "it wants a plugin; without one, root-equivalence says what follows"),
    "2.13": ("log-limits", "warn", "it wants logs elsewhere; the check asks whether they can fill the disk"),
    "2.14": ("no-new-privileges", "warn", "both; the check reads the flag of a process"),
    "2.15": ("live-restore", "warn", "both"),
    "2.16": "the engine does not tell whether it uses a proxy: no check",
    "4.1": ("container-user", "warn", "both name the containers that start as root"),
    "4.5": ("image-signatures", "info", "it asks for a variable of its own shell, which binds no other client"),
    "4.6": ("container-health", "warn", "it looks at images, the check at what runs: a container may have its own"),
    "5.2": ("mac", "warn", "it wants a profile's name; this kernel has no AppArmor, as the check says"),
    "5.3": ("mac", "warn", "the same check: AppArmor or SELinux, one is enough"),
    "5.4": (
        "default-capabilities",
        "warn",
        "it names added ones, which the audit has; the check is about all",
    ),
    "5.7": "it lists the open ports of a process; a process is not a setting: no check",
    "5.11": ("default-limits", "warn", "it warns of each container; the audit has a finding `limit` for each"),
    "5.12": ("limits-enforced", "pass", "it wants a share of the CPU; the check shows that one would be enforced"),
    "5.13": ("container-read-only", "warn", "both name the containers"),
}
#: Number that it passes -> the check that does not, and why.
STRICTER: dict[str, tuple[str, str, str]] = {
    "1.1.1": ("default-limits", "warn", "a partition for the store does not keep one container from filling it"),
    "1.2.2": ("engine-version", "warn", "it prints the version; the check has a dated table of later releases"),
}


def test_each_warning_is_explained() -> None:
    """Every number has a check of the catalogue with a reason, or the reason why there is none."""
    assert set(EXPLAINED) == set(WARNED)
    ids = {check.id for check in CATALOGUE}
    for number, told in (EXPLAINED | STRICTER).items():
        if isinstance(told, tuple):
            assert told[0] in ids, number
        else:
            assert told.endswith("no check"), number


@pytest.mark.parametrize("number", [n for n, told in (EXPLAINED | STRICTER).items() if isinstance(told, tuple)])
def test_what_the_checks_say_of_the_same_engine(number: str) -> None:
    """The status beside a number is the one that the oracle of this engine has, where it has one."""
    told = (EXPLAINED | STRICTER)[number]
    assert isinstance(told, tuple)
    check, status = told[:2]
    assert ORACLE["docker28"].get(check, status) == status
