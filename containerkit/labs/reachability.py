"""Reachability: which host answers which host's ping."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..display import Cell, Table
from ..values import PrintedValue


@dataclass(frozen=True, slots=True)
class Reachability(PrintedValue):
    """Result of :meth:`Lab.ping_all`.

    Attributes:
        answers: host -> the other host -> its addresses, each with whether it answered.
    """

    answers: Mapping[str, Mapping[str, Mapping[str, bool]]]

    @property
    def complete(self) -> bool:
        """True if every address answered every host."""
        return not self.missing

    @property
    def missing(self) -> tuple[tuple[str, str, str], ...]:
        """(host, other host, address) of every ping without an answer."""
        return tuple(
            (host, other, address)
            for host, others in self.answers.items()
            for other, addresses in others.items()
            for address, answered in addresses.items()
            if not answered
        )

    def table(self) -> Table:
        """Return a matrix: a row for each host that pings."""

        def cell(addresses: Mapping[str, bool] | None) -> str | Cell:
            if not addresses:
                return ""
            answered = sum(addresses.values())
            if answered == len(addresses):
                return "yes"
            text = f"{answered} of {len(addresses)}" if answered else "no"
            return Cell(text, text, "warn" if answered else "bad")

        names = list(self.answers)
        rows = [[host, *(cell(self.answers[host].get(other)) for other in names)] for host in names]
        return Table("Answers to ping", ["from", *names], rows)


def ping_script(seconds: int) -> str:
    """Return a shell program that pings all its arguments at once and prints those that answer."""
    return (
        'for a in "$@"; do six=; case $a in *:*) six=-6;; esac; '
        f'(ping $six -c 1 -W {seconds} "$a" >/dev/null 2>&1 && echo "$a") & done; wait'
    )
