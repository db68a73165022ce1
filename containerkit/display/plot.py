"""What all pictures have in common: the faces they show to a terminal, a notebook and a file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Container, Sequence
from typing import Any

__all__ = ["Plot"]


class Plot(ABC):
    """A picture, told as values; drawn as SVG by containerkit itself, or as text where there is no page."""

    __slots__ = ()
    title: str
    notes: Sequence[str]

    @abstractmethod
    def to_svg(self) -> str:
        """A whole SVG document, which may also stand inside a page; text takes the page's colour."""

    @abstractmethod
    def to_text(self, width: int | None = None) -> str:
        """The same facts in characters, within so many columns (None: 80)."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: what is shown."""

    def to_html(self) -> str:
        """A fragment for a page, light or dark."""
        from .svg import fragment

        return fragment(self.to_svg(), self.notes)

    def __str__(self) -> str:
        from .table import terminal_width

        return self.to_text(terminal_width())

    def _repr_html_(self) -> str:
        return self.to_html()

    def _repr_mimebundle_(
        self, include: Container[str] | None = None, exclude: Container[str] | None = None
    ) -> dict[str, str]:
        # No image/svg+xml: notebooks show it as a picture apart, which has no page colour to take.
        faces = {"text/plain": self.to_text, "text/html": self.to_html}
        return {
            kind: face()
            for kind, face in faces.items()
            if (include is None or kind in include) and (exclude is None or kind not in exclude)
        }
