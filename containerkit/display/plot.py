"""Plot: base of all pictures, with their forms for a terminal, a notebook and a file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Container, Sequence
from typing import Any


class Plot(ABC):
    """A picture made of values, drawn as SVG, or as text for a terminal."""

    __slots__ = ()
    title: str
    notes: Sequence[str]

    @abstractmethod
    def to_svg(self) -> str:
        """Return a complete SVG document, which can also be part of a page; text has the page's colour."""

    def _narrow(self) -> str:
        """Return the picture for a narrow screen; "" if it has one form only, which the page scrolls."""
        return ""

    @abstractmethod
    def to_text(self, width: int | None = None) -> str:
        """Return the same facts in characters, within `width` columns (None: 80)."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return the facts as JSON-ready types."""

    def to_html(self) -> str:
        """Return a fragment for a page, light or dark."""
        from .svg import fragment

        return fragment(self.to_svg(), self.notes, self._narrow())

    def __str__(self) -> str:
        from .table import terminal_width

        return self.to_text(terminal_width())

    def _repr_html_(self) -> str:
        return self.to_html()

    def _repr_mimebundle_(
        self, include: Container[str] | None = None, exclude: Container[str] | None = None
    ) -> dict[str, str]:
        # No image/svg+xml: notebooks show it as a separate picture without the page's colour.
        faces = {"text/plain": self.to_text, "text/html": self.to_html}
        return {
            kind: face()
            for kind, face in faces.items()
            if (include is None or kind in include) and (exclude is None or kind not in exclude)
        }
