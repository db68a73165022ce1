"""StatsSeries: samples of a container's resource usage, with a line of blocks for each quantity."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from ..backends.base import Stats
from ..values import ValueTuple

if TYPE_CHECKING:
    from ..display import Table

__all__ = ["StatsSeries"]

_QUANTITIES = ("memory", "pids", "network_rx", "network_tx", "block_read", "block_write")
_COUNTED = _QUANTITIES[2:]  # since the start of the container


class StatsSeries(ValueTuple[Stats]):
    """A tuple of Stats, oldest first, that print() and a notebook show as one table."""

    __slots__ = ()

    def table(self) -> Table:
        """Return one row per quantity: its course, and the last and the largest value."""
        from ..display import Cell, Table, human_bytes, spark_line

        if not self:
            return Table("no samples", (), ())
        rows: list[tuple[object, ...]] = []
        shares = [each.cpu_percent for each in self if each.cpu_percent is not None]
        if shares:
            last, most = (Cell(value, f"{value:.1f} %") for value in (shares[-1], max(shares)))
            rows.append(("processor", spark_line(shares), last, most))
        for name in _QUANTITIES:
            values = [getattr(each, name) for each in self]
            if name in _COUNTED:  # what each second added
                values = [max(after - before, 0) for before, after in itertools.pairwise(values)] or [0]
            last, most = (
                Cell(value, str(value) if name == "pids" else human_bytes(value)) for value in (values[-1], max(values))
            )
            label = name.replace("_", " ") + (" per sample" if name in _COUNTED else "")
            rows.append((label, spark_line(values), last, most))
        limit = human_bytes(self[-1].memory_limit)
        seconds = self[-1].time - self[0].time
        notes = [f"{len(self)} samples in {seconds:.1f} s; memory limit {limit}"]
        return Table("Resource usage", ("quantity", "course", "last", "most"), rows, notes=notes)
